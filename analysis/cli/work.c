#include "analysis/cli/work.h"

#include <math.h>

#include "analysis/cli/controls.h"

hs_work_of hs_work_of_job(const hs_source *source, const hs_edit_plan *plan)
{
    hs_work_of w = {.edit = hs_cost_of_plan(plan), .n = source->n, .inverted = source->kind == HS_SOURCE_IMAGES};
    w.terms = plan->n_dir;
    for (size_t i = 0; i < plan->n_dir; i++) {
        w.nets += plan->dir[i].net != NULL;
    }
    if (plan->n_dir > 0) {
        w.net = plan->dir[0].net != NULL;
        w.constant = plan->dir[0].net == NULL && plan->dir[0].S == 0;
    }
    return w;
}

void hs_work_controls(hs_work_of *w, const hs_controls *cs)
{
    w->unet = cs->wanted && cs->of[HS_CONTROL_UNET].missing[0] == '\0';
    w->x_T = cs->wanted && cs->of[HS_CONTROL_X_T].missing[0] == '\0';
    w->covariance = cs->wanted && cs->of[HS_CONTROL_COVARIANCE].missing[0] == '\0';
    w->twins = cs->of[hs_controls_twins(cs)].n;
}

/* h of the images, and each draw at so many strengths. */
static hs_cost draws(const hs_work_of *w, size_t strengths)
{
    hs_cost c = {0};
    if (w->covariance && w->n >= HS_CONTROL_IMAGES && w->edit.edited > 0) {
        hs_cost_add(&c, 1, hs_cost_freeze(&w->edit, w->n));
        hs_cost_add(&c, HS_CONTROL_DRAWS, hs_cost_sweep(&w->edit, w->n, 0, strengths));
    }
    return c;
}

hs_cost hs_work_source(const hs_work_of *w)
{
    double all = w->inverted ? (double)w->n * (double)(w->edit.S - 1) : 0;
    return (hs_cost){all, all, 0, w->inverted};
}

/* Strengths that random directions run at: the largest of each sign. */
static size_t largest(size_t m, const double *strength)
{
    size_t n = 0;
    double most = 0;
    for (size_t j = 0; j < m; j++) {
        most = fmax(most, fabs(strength[j]));
    }
    for (size_t j = 0; j < m; j++) {
        n += n < 2 && most > 0 && fabs(strength[j]) == most;
    }
    return n;
}

/* Controls of a sweep over m strengths, and their nulls at its ends. */
static hs_cost controls(const hs_work_of *w, size_t zeros, size_t m, size_t ends, size_t K)
{
    hs_cost c = {0};
    const hs_cost whole = hs_cost_sweep(&w->edit, w->n, zeros, m - zeros), end = hs_cost_sweep(&w->edit, w->n, 0, ends);
    double twins = (double)w->twins, random = fmin((double)K, HS_CONTROL_NULLS);
    if (w->unet) {
        hs_cost_add(&c, 1, whole);
        hs_cost_add(&c, twins > 0 ? twins : random, end);
        hs_cost_add(&c, w->twins == 0 && K > 0 ? (double)w->nets : 0, hs_cost_freeze(&w->edit, w->n));
    }
    if (w->twins > 0) {
        hs_cost_add(&c, w->net ? twins + 1 : 0, hs_cost_freeze(&w->edit, w->n));
        hs_cost_add(&c, 1, whole);
        hs_cost_add(&c, twins - 1, end);
    }
    if (w->x_T) {
        hs_cost_add(&c, 1, hs_cost_edit(&w->edit, w->n, 0, 1));
        hs_cost_add(&c, 2, hs_cost_edit(&w->edit, w->n, 1, 0));
        hs_cost_add(&c, (double)m, hs_cost_sweep(&w->edit, w->n, 1, 0));
    }
    hs_cost_add(&c, 1, draws(w, ends));
    return c;
}

hs_cost hs_work_sweep(const hs_work_of *w, size_t m, const double *strength, size_t K, int rival)
{
    hs_cost c = hs_work_source(w);
    const hs_cost_of of_eps = {w->edit.S, w->edit.edited, 0, w->edit.symmetric};
    size_t zeros = 0;
    for (size_t j = 0; j < m; j++) {
        zeros += strength[j] == 0;
    }
    hs_cost_add(&c, 1, hs_cost_sweep(&w->edit, w->n, zeros, m - zeros));
    hs_cost_add(&c, rival, hs_cost_first_order(&w->edit, w->n));
    hs_cost_add(&c, rival, hs_cost_first_order(&of_eps, w->n));
    hs_cost_add(&c, rival, hs_cost_sweep(&of_eps, w->n, zeros, m - zeros));
    hs_cost_add(&c, K > 0 ? (double)w->nets : 0, hs_cost_freeze(&w->edit, w->n));
    hs_cost_add(&c, (double)K, hs_cost_sweep(&w->edit, w->n, 0, largest(m, strength)));
    hs_cost_add(&c, 1, controls(w, zeros, m, largest(m, strength), K));
    return c;
}

hs_cost hs_work_linearity(const hs_work_of *w, size_t m, const double *strength, size_t K, int rival, int tangent)
{
    hs_cost c = hs_work_sweep(w, m, strength, K, rival);
    hs_cost_add(&c, w->terms > 1 ? (double)(w->terms * (1 + K)) : 0, hs_cost_sweep(&w->edit, w->n, 0, 1));
    hs_cost_add(&c, tangent, hs_cost_tangent(&w->edit, w->n));
    return c;
}

/* Controls of homogeneity: one strength, transfers, their nulls. */
static hs_cost beside_effects(const hs_work_of *w, size_t K, size_t R)
{
    hs_cost c = {0};
    const hs_cost plain = hs_cost_sweep(&w->edit, w->n, 1, 0), one = hs_cost_sweep(&w->edit, w->n, 0, 1);
    const hs_cost frozen = hs_cost_freeze(&w->edit, w->n);
    double twins = (double)w->twins, others = (double)R;
    if (w->unet) {
        hs_cost_add(&c, 1, plain);
        hs_cost_add(&c, 1 + others + (twins > 0 ? twins : fmin((double)K, HS_CONTROL_NULLS)), one);
        hs_cost_add(&c, w->net ? twins : 0, frozen);
    }
    if (w->twins > 0) {
        hs_cost_add(&c, w->net ? 2 * twins + 1 : 0, frozen);
        hs_cost_add(&c, twins + others, one);
    }
    if (w->x_T) {
        hs_cost_add(&c, 1, hs_cost_edit(&w->edit, w->n, 0, 1));
        hs_cost_add(&c, 2, hs_cost_edit(&w->edit, w->n, 1, 0));
        hs_cost_add(&c, 1, plain);
    }
    hs_cost_add(&c, 1, draws(w, 1));
    return c;
}

hs_cost hs_work_homogeneity(const hs_work_of *w, size_t tried, size_t K, size_t R, int rival)
{
    hs_cost c = hs_work_source(w);
    const hs_cost_of *e = &w->edit, of_eps = {e->S, e->edited, 0, e->symmetric};
    hs_cost_add(&c, w->net, hs_cost_freeze(e, w->n));
    hs_cost_add(&c, 1, hs_cost_sweep(e, w->n, 1, 0));
    hs_cost_add(&c, (double)(tried + 1 + K + R), hs_cost_sweep(e, w->n, 0, 1));
    if (rival && R == 0) {
        hs_cost_add(&c, 1, hs_cost_first_order(e, w->n));
        hs_cost_add(&c, 1, hs_cost_first_order(&of_eps, w->n));
        hs_cost_add(&c, 1, hs_cost_sweep(&of_eps, w->n, 0, 1));
    }
    hs_cost_add(&c, 1, beside_effects(w, K, R));
    return c;
}

size_t hs_work_place(size_t q, size_t P, size_t S)
{
    return P > 1 ? (q * (S - 1) + (P - 1) / 2) / (P - 1) : 0;
}

/* Each of P steps' deltas at each of them. */
static hs_cost cells(const hs_work_of *w, size_t P, int on_h)
{
    hs_cost c = {0};
    const hs_cost_of *e = &w->edit;
    for (size_t q = 0; q < P; q++) {
        const hs_cost_of later = {e->S - hs_work_place(q, P, e->edited), 1, on_h, e->symmetric};
        hs_cost_add(&c, (double)P, hs_cost_sweep(&later, w->n, 0, 1));
    }
    return c;
}

/* Controls of consistency: whole directions, cells, their nulls; and the rival. */
static hs_cost beside_steps(const hs_work_of *w, size_t P, size_t K, int rival)
{
    hs_cost c = {0};
    const hs_cost_of *e = &w->edit, of_eps = {e->S, e->edited, 0, e->symmetric};
    const hs_cost whole = hs_cost_sweep(e, w->n, 0, 1), frozen = hs_cost_freeze(e, w->n);
    double twins = (double)w->twins, random = fmin((double)K, HS_CONTROL_NULLS);
    if (w->unet) {
        hs_cost_add(&c, 1, hs_cost_edit(e, w->n, 1, 0));
        hs_cost_add(&c, 1, hs_cost_sweep(e, w->n, 1, 0));
        hs_cost_add(&c, 1, cells(w, P, e->on_h));
        hs_cost_add(&c, 1 + (twins > 0 ? twins : random), whole);
        hs_cost_add(&c, w->net ? twins : 0, frozen);
    }
    if (w->twins > 0) {
        hs_cost_add(&c, w->net ? 2 * twins + 1 : 0, frozen);
        hs_cost_add(&c, 1, cells(w, P, e->on_h));
        hs_cost_add(&c, twins, whole);
    }
    if (rival) {
        hs_cost_add(&c, 1, hs_cost_first_order(e, w->n));
        hs_cost_add(&c, 1, hs_cost_sweep(&of_eps, w->n, 0, 1));
        hs_cost_add(&c, 1, cells(w, P, 0));
    }
    hs_cost_add(&c, 1, draws(w, 1));
    return c;
}

hs_cost hs_work_consistency(const hs_work_of *w, size_t P, size_t K, int rival)
{
    hs_cost c = hs_work_source(w);
    const hs_cost_of *e = &w->edit;
    size_t S = e->edited;
    P = w->constant || S < 2 ? 1 : P < S ? P : S;
    hs_cost_add(&c, w->net, hs_cost_freeze(e, w->n));
    hs_cost_add(&c, 1, hs_cost_edit(e, w->n, 1, 0));
    hs_cost_add(&c, 1, hs_cost_sweep(e, w->n, 1, 0));
    hs_cost_add(&c, 1, hs_cost_sweep(e, w->n, 0, 1));
    hs_cost_add(&c, 1, cells(w, P, e->on_h));
    hs_cost_add(&c, 2 + (double)K + (w->net ? 1 : 0), hs_cost_sweep(e, w->n, 0, 1)); /* shuffled, global, mean */
    hs_cost_add(&c, 1, beside_steps(w, P, K, rival));
    return c;
}

static void put(hs_cmd *c, double encodes, double decodes)
{
    json_object_set_new(hs_cmd_results(c), "encodes", hs_json_num(encodes));
    json_object_set_new(hs_cmd_results(c), "decodes", hs_json_num(decodes));
}

int hs_work_planned(hs_cmd *c, const hs_model *m, size_t n, hs_cost cost, double bytes)
{
    return hs_work_planned_all(c, 1, &m, n, &cost, bytes);
}

int hs_work_planned_all(hs_cmd *c, size_t count, const hs_model *const *m, size_t n, const hs_cost *cost, double bytes)
{
    hs_cost all = {0};
    double seconds = 0, forward;
    size_t batch = hs_common_batch(c, n);
    int rc = HS_OK;
    for (size_t i = 0; i < count; i++) {
        HS_TRY(hs_common_forward_time(c, m[i], batch, &forward));
        hs_cost_add(&all, 1, cost[i]);
        seconds += forward / (double)batch * (cost[i].encodes + cost[i].decodes) / 2;
    }
    put(c, all.encodes, all.decodes);
    hs_cmd_say(c, "%.0f encodes, %.0f decodes\n", all.encodes, all.decodes);
    hs_common_say_plan(c, (all.encodes + all.decodes) / 2, seconds, bytes);
out:
    return rc;
}

void hs_work_done(hs_cmd *c, const hs_model *m, hs_unet_work beside)
{
    hs_unet_work w = hs_unet_work_of(m->unet);
    put(c, (double)(w.encodes + beside.encodes), (double)(w.decodes + beside.decodes));
}

hs_cost hs_work_compare(const hs_work_of *w, size_t D, size_t m, const double *strength, size_t partners, size_t held,
                        size_t random)
{
    hs_cost c = hs_work_source(w);
    size_t zeros = 0;
    for (size_t j = 0; j < m; j++) {
        zeros += strength[j] == 0;
    }
    hs_cost_add(&c, 1, hs_cost_edit(&w->edit, w->n, 1, 0));
    hs_cost_add(&c, (double)D, hs_cost_sweep(&w->edit, w->n, zeros, m - zeros));
    hs_cost_add(&c, (double)(D * partners * (1 + random)), hs_cost_sweep(&w->edit, held, 0, 1));
    return c;
}
