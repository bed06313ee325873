/* The rival and the controls of consistency with a model. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/consistency_work.h"
#include "core/base/alloc.h"
#include "core/linalg/blas.h"

/* A run of its own beside w's: what is done to it is not done to w. */
static hs_consistency_work beside(const hs_consistency_work *w)
{
    return (hs_consistency_work){.c = w->c,
                                 .options = w->options,
                                 .m = w->m,
                                 .constant = w->constant,
                                 .P = w->P,
                                 .K = w->K,
                                 .strength = w->strength,
                                 .at = w->at,
                                 .x = w->x,
                                 .norm = w->norm,
                                 .plain = w->plain,
                                 .random = w};
}

/* o's step <- rows (edited, d), each as long as w's. */
HS_CHECKED static int set_step(const hs_consistency_work *w, hs_consistency_work *o, float *row)
{
    size_t d = w->m.d_h;
    for (size_t k = 0; k < w->m.edited; k++) {
        double norm = hs_nrm2_f32(d, row + k * d), scale = norm > 0 ? w->norm[k] / norm : 0;
        for (size_t j = 0; j < d; j++) {
            row[k * d + j] = (float)(scale * (double)row[k * d + j]);
        }
    }
    return hs_property_direction(&w->m, "twin", w->m.edited, row, &o->m.step);
}

/* o's step <- the twin's: stored, or the mean of what a network says (delta). */
HS_CHECKED static int step_of_twin(const hs_consistency_work *w, const hs_direction *twin, const float *delta,
                                   hs_consistency_work *o)
{
    int rc;
    size_t d = w->m.d_h, S = w->m.edited;
    float *row = NULL;
    HS_TRY(hs_alloc(S, d * sizeof *row, &row));
    for (size_t k = 0; k < S && delta == NULL; k++) {
        hs_direction_at(twin, w->m.t[k], row + k * d);
    }
    for (size_t j = 0; j < S * d && delta != NULL; j++) {
        double sum = 0;
        for (size_t i = 0; i < w->m.n; i++) {
            sum += (double)delta[i * S * d + j];
        }
        row[j] = (float)(sum / (double)w->m.n);
    }
    HS_TRY(set_step(w, o, row));
out:
    free(row);
    return rc;
}

HS_CHECKED static int make_twins(hs_consistency_work *o, size_t Kt)
{
    int rc = hs_property_tables(o->m.n_phi, Kt * o->m.n, &o->twins);
    o->Kt = Kt;
    return rc;
}

/* Row `row` of effects [n_phi] <- those of twin i in o's network. */
HS_CHECKED static int see_twin(const hs_consistency_work *w, const hs_consistency_work *o, hs_control_kind kind,
                               size_t i, size_t row, double *const *effects)
{
    int rc;
    float *delta = NULL;
    double **out = NULL;
    hs_edit_plan plan;
    HS_TRY(hs_property_twin(&w->m, &w->controls.of[kind], kind, i, &delta, &plan));
    plan.model = o->m.job.plan.model;
    HS_TRY(hs_alloc(w->m.n_phi, sizeof *out, &out));
    for (size_t p = 0; p < w->m.n_phi; p++) {
        out[p] = effects[p] + row * w->m.n;
    }
    HS_TRY(hs_consistency_see(o, &plan, 1, out));
out:
    free(delta);
    free(out);
    return rc;
}

HS_CHECKED static int run_unet(hs_consistency_work *w, hs_consistency_work *o)
{
    int rc = HS_OK;
    const hs_control_kind kind = hs_controls_twins(&w->controls);
    size_t twins = w->controls.of[kind].n;
    o->x = NULL;
    o->plain = (hs_seen){0};
    o->random = NULL;
    o->m.job.plan.model = &w->controls.of[HS_CONTROL_UNET].model;
    o->K = twins > 0 ? 0 : w->K < HS_CONTROL_NULLS ? w->K : HS_CONTROL_NULLS;
    HS_TRY(hs_consistency_plain(o));
    HS_TRY(hs_consistency_cells(o));
    HS_TRY(o->K > 0 ? hs_consistency_nulls(o) : HS_OK);
    HS_TRY(twins > 0 ? make_twins(o, twins) : HS_OK);
    for (size_t i = 0; i < twins; i++) {
        HS_TRY(see_twin(w, o, kind, i, i, o->twins));
    }
out:
    return rc;
}

/* A twin; the other ones are its null, and all of them one of the direction. */
HS_CHECKED static int run_twins(hs_consistency_work *w, hs_consistency_work *o, hs_control_kind kind)
{
    int rc;
    const hs_control *of = &w->controls.of[kind];
    size_t n = w->m.n;
    float *delta = NULL;
    memset(&o->m.step, 0, sizeof o->m.step);
    HS_TRY(hs_property_twin(&w->m, of, kind, 0, &delta, &o->m.job.plan));
    HS_TRY(step_of_twin(w, &of->twin[0], delta, o));
    HS_TRY(hs_consistency_cells(o));
    HS_TRY(make_twins(o, of->n - 1));
    HS_TRY(make_twins(w, of->n));
    for (size_t i = 1; i < of->n; i++) {
        HS_TRY(see_twin(w, o, kind, i, i - 1, o->twins));
    }
    for (size_t p = 0; p < w->m.n_phi; p++) {
        hs_consistency_effects_of(w, p, &o->whole, 1, 1, w->twins[p]);
        memcpy(w->twins[p] + n, o->twins[p], (of->n - 1) * n * sizeof(double));
    }
out:
    free(delta);
    return rc;
}

/* Directions with the covariance of h: what they do. */
HS_CHECKED static int run_draws(hs_consistency_work *w)
{
    int rc;
    size_t K = w->controls.of[HS_CONTROL_COVARIANCE].n;
    HS_TRY(hs_property_tables(w->m.n_phi, K * w->m.n, &w->draws));
    for (size_t i = 0; i < K; i++) {
        HS_TRY(see_twin(w, w, HS_CONTROL_COVARIANCE, i, i, w->draws));
    }
out:
    return rc;
}

int hs_consistency_controls(hs_consistency_work *w)
{
    int rc;
    hs_control *x_T = &w->controls.of[HS_CONTROL_X_T];
    HS_TRY(hs_calloc(HS_CONTROLS, sizeof *w->control, &w->control));
    if (x_T->missing[0] == '\0') {
        snprintf(x_T->missing, sizeof x_T->missing, "x_T enters at the first step alone");
    }
    for (int k = 0; k < HS_CONTROL_X_T; k++) {
        if (w->controls.of[k].missing[0] == '\0') {
            w->control[k] = beside(w);
            HS_TRY(k == HS_CONTROL_UNET ? run_unet(w, &w->control[k])
                                        : run_twins(w, &w->control[k], (hs_control_kind)k));
        }
    }
    HS_TRY(w->controls.of[HS_CONTROL_COVARIANCE].missing[0] == '\0' ? run_draws(w) : HS_OK);
out:
    return rc;
}

/* ---- The rival ---- */

/* o's step and norm <- the rival's steps at the first-order effect, factor (S) <- what brings it there. */
HS_CHECKED static int match_rival(const hs_consistency_work *w, const hs_direction *d, hs_consistency_work *o,
                                  double *factor)
{
    int rc;
    size_t d_x = o->m.d_h, S = w->m.edited;
    float *row = NULL;
    HS_TRY(hs_edit_first_order(&w->m.job.plan, w->m.n, w->m.job.x_T, w->strength, factor));
    HS_TRY(hs_alloc(S, d_x * sizeof *row, &row));
    HS_TRY(hs_calloc(S, sizeof *o->norm, &o->norm));
    for (size_t k = 0; k < S; k++) {
        hs_direction_at(d, w->m.t[k], row + k * d_x);
        double norm = hs_nrm2_f32(d_x, row + k * d_x);
        o->norm[k] = factor[k];
        if (!(norm > 0)) {
            rc = hs_fail(HS_EDEGENERATE, "--rival: 0 at t = %d", w->m.t[k]);
            goto out;
        }
        factor[k] /= norm;
        for (size_t j = 0; j < d_x; j++) {
            row[k * d_x + j] = (float)(factor[k] * (double)row[k * d_x + j]);
        }
    }
    HS_TRY(hs_property_direction(&o->m, "rival", S, row, &o->m.step));
out:
    free(row);
    return rc;
}

int hs_consistency_rival(hs_consistency_work *w)
{
    int rc = HS_OK;
    const char *spec = hs_cmd_str(w->c, "rival");
    static const double one = 1;
    double *factor = NULL;
    hs_direction d = {0};
    w->no_rival = spec == NULL ? "no direction of eps was given (--rival)" : NULL;
    if (spec == NULL) {
        return HS_OK;
    }
    HS_TRY(hs_rival_open(w->c, &w->m.job, spec, &d));
    if (d.net != NULL) {
        w->no_rival = "a network's changes of eps are not tried at other steps";
        goto out;
    }
    HS_TRY(hs_calloc(1, sizeof *w->rival, &w->rival));
    hs_consistency_work *o = w->rival;
    *o = beside(w);
    memset(&o->m.step, 0, sizeof o->m.step);
    o->norm = NULL;
    o->eps = 1;
    o->m.d_h = hs_chw_size(w->m.job.source.image);
    HS_TRY(hs_calloc(w->m.job.steps.S, sizeof *factor, &factor));
    HS_TRY(match_rival(w, &d, o, factor));
    o->m.job.plan = hs_property_plan(&w->m, &d, &one);
    o->m.job.plan.factor = factor;
    HS_TRY(hs_consistency_cells(o));
out:
    free(factor);
    hs_direction_free(&d);
    return rc;
}

/* ---- Freeing ---- */

static void free_beside(const hs_consistency_work *w, hs_consistency_work *o)
{
    hs_property_tables_free(o->m.n_phi, o->twins);
    hs_consistency_run_free(o);
    if (o->plain.value != w->plain.value) {
        hs_property_seen_free(&o->m, &o->plain);
    }
    if (o->x != w->x) {
        free(o->x);
    }
    if (o->norm != w->norm) {
        free(o->norm);
    }
    if (o->m.step.dh != w->m.step.dh) {
        hs_direction_free(&o->m.step);
    }
}

void hs_consistency_controls_free(hs_consistency_work *w)
{
    for (int k = 0; w->control != NULL && k < HS_CONTROLS; k++) {
        free_beside(w, &w->control[k]);
    }
    if (w->rival != NULL) {
        free_beside(w, w->rival);
    }
    hs_property_tables_free(w->m.n_phi, w->twins);
    hs_property_tables_free(w->m.n_phi, w->draws);
    free(w->control);
    free(w->rival);
    hs_controls_free(&w->controls);
}
