#include "analysis/cli/consistency_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/consistency_work.h"
#include "analysis/cli/measurement_out.h"
#include "analysis/cli/plot.h"
#include "analysis/cli/property.h"
#include "analysis/cli/property_model.h"
#include "analysis/cli/resume.h"
#include "analysis/cli/work.h"
#include "analysis/directions/dir_random.h"
#include "analysis/properties/verdict.h"
#include "core/base/alloc.h"
#include "core/linalg/blas.h"
#include "core/stats/bca.h"
#include "core/stats/moments.h"

const hs_opt hs_opts_consistency_model[] = {
    {"direction", 0, HS_OPT_LIST, NULL, 0, 0, NULL, "D[:NAME]", "Input", "direction file and name, or a delta network"},
    {"strength", 0, HS_OPT_NUM, "1", -1e6, 1e6, NULL, "S", "Edit", "strength of every edit"},
    {"at", 0, HS_OPT_INT, "5", 2, 1000, NULL, "P", "Statistics", "edited steps whose deltas are tried at one another"},
    {"nulls", 0, HS_OPT_INT, "8", 1, 1000, NULL, "K", "Statistics", "random directions with the direction's norms"},
    HS_OPT_RIVAL,
    HS_OPT_CONTROLS("all"),
    {0}};

void hs_consistency_run_free(hs_consistency_work *w)
{
    for (size_t p = 0; w->e != NULL && p < w->m.n_phi; p++) {
        free(w->e[p].E);
        free(w->e[p].whole);
        free(w->e[p].null);
        free(w->e[p].shuffled);
        free(w->e[p].mean);
        free(w->e[p].global);
    }
    free(w->e);
    w->e = NULL;
    hs_property_seen_free(&w->m, &w->whole);
}

static void work_free(hs_consistency_work *w)
{
    hs_consistency_controls_free(w);
    hs_consistency_run_free(w);
    free(w->at);
    free(w->x);
    free(w->norm);
    hs_property_seen_free(&w->m, &w->plain);
    hs_property_model_free(&w->m);
}

/* ---- Effects as numbers ---- */

/* The change of image i: of a scalar itself; of a vector along its change under the whole direction, or its length. */
static double effect_of(const hs_consistency_work *w, size_t p, size_t i, const float *v, int length)
{
    size_t f = w->m.phi[p].features;
    const float *plain = w->plain.value[p] + i * f, *whole = w->whole.value[p] + i * f;
    double dot = 0, own = 0, square = 0;
    if (f == 1) {
        return (double)v[i] - (double)plain[0];
    }
    for (size_t j = 0; j < f; j++) {
        double u = (double)whole[j] - (double)plain[j], d = (double)v[i * f + j] - (double)plain[j];
        dot += u * d;
        own += u * u;
        square += d * d;
    }
    return length ? sqrt(square) : own > 0 ? dot / sqrt(own) : 0;
}

/* out (n), apart by step <- effects of a run. */
void hs_consistency_effects_of(const hs_consistency_work *w, size_t p, const hs_seen *s, int length, size_t step,
                               double *out)
{
    for (size_t i = 0; i < w->m.n; i++) {
        out[i * step] = effect_of(w, p, i, s->value[p], length);
    }
}

/* One standard deviation over unedited images of what the effect measures. */
static double spread_of(const hs_consistency_work *w, size_t p, double *scratch)
{
    size_t n = w->m.n, f = w->m.phi[p].features;
    double sum = 0;
    if (n < 2) {
        return 0;
    }
    for (size_t i = 0; i < (f == 1 ? 1 : n); i++) {
        const float *plain = w->plain.value[p], *whole = w->whole.value[p];
        double own = 0;
        for (size_t j = 0; j < n; j++) {
            scratch[j] = f == 1 ? (double)plain[j] : 0;
        }
        for (size_t k = 0; f > 1 && k < f; k++) {
            double u = (double)whole[i * f + k] - (double)plain[i * f + k];
            own += u * u;
            for (size_t j = 0; j < n; j++) {
                scratch[j] += u * (double)plain[j * f + k];
            }
        }
        double sd = hs_sd(n, scratch, NULL);
        sum += f == 1 ? sd * sd : own > 0 ? sd * sd / own / (double)n : 0;
    }
    return sqrt(sum);
}

/* ---- Runs ---- */

/* What x_t is at each chosen step, caught on the way. */
HS_CHECKED static int catch_x(void *ctx, size_t step, size_t image, size_t strength, const float *x_t,
                              const float *eps_p)
{
    hs_consistency_work *w = ctx;
    size_t d = hs_chw_size(w->m.job.source.image);
    (void)strength, (void)eps_p;
    for (size_t q = 0; q < w->P; q++) {
        if (w->at[q] == step) {
            memcpy(w->x + (q * w->m.n + image) * d, x_t, d * sizeof *x_t);
        }
    }
    return HS_OK;
}

int hs_consistency_plain(hs_consistency_work *w)
{
    int rc;
    static const double zero = 0;
    size_t d = hs_chw_size(w->m.job.source.image);
    float *x_0 = NULL;
    hs_edit_plan plan = w->m.job.plan;
    const hs_edit_watch watch = {.eps = catch_x, .ctx = w};
    plan.m = 1;
    plan.strength = &zero;
    HS_TRY(hs_alloc(w->P * w->m.n, d * sizeof *w->x, &w->x));
    HS_TRY(hs_alloc(w->m.n, d * sizeof *x_0, &x_0));
    HS_TRY(hs_edit_run(&plan, w->m.n, w->m.job.x_T, &watch, x_0));
    HS_TRY(hs_property_see(&w->m, &w->m.job.plan, w->m.job.x_T, 0, &w->plain));
out:
    free(x_0);
    return rc;
}

/* Noise of the whole trajectory's steps, for a run that begins later. */
typedef struct {
    hs_image_noise whole;
    size_t first;
} later_noise;

HS_CHECKED static int later_fill(void *ctx, size_t first, size_t n, size_t step, float *z)
{
    const later_noise *l = ctx;
    return l->whole.fill(l->whole.ctx, first, n, step + l->first, z);
}

/* The whole direction, as the run's plan has it. */
HS_CHECKED static int run_whole(hs_consistency_work *w)
{
    int rc;
    HS_TRY(hs_property_see(&w->m, &w->m.job.plan, w->m.job.x_T, w->strength, &w->whole));
    for (size_t p = 0; p < w->m.n_phi; p++) {
        hs_consistency_effects_of(w, p, &w->whole, 0, 1, w->e[p].whole);
    }
out:
    return rc;
}

/* The delta of position l, as long as that of position k, at step k alone. */
HS_CHECKED static int run_cell(hs_consistency_work *w, size_t k, size_t l)
{
    int rc;
    const double one = 1;
    size_t d_x = hs_chw_size(w->m.job.source.image), d = w->m.d_h, from = w->at[l], to = w->at[k];
    float *dh = NULL;
    hs_direction dir = {0};
    hs_seen seen = {0};
    hs_steps steps = w->m.job.steps;
    later_noise noise = {w->m.job.plan.noise, to};
    HS_TRY(hs_alloc(d, sizeof *dh, &dh));
    for (size_t j = 0; j < d; j++) {
        double scale = w->norm[from] > 0 ? w->norm[to] / w->norm[from] : 0;
        dh[j] = (float)(scale * (double)w->m.step.dh[from * d + j]);
    }
    HS_TRY(hs_property_direction(&w->m, "step", 0, dh, &dir));
    if (w->eps) {
        dir.space = HS_SPACE_EPS;
        dir.shape = w->m.job.source.image;
    }
    steps.step += to;
    steps.S -= to;
    hs_edit_plan plan = hs_property_plan(&w->m, &dir, &one);
    plan.factor = NULL;
    plan.steps = &steps;
    plan.t_edit = steps.step[0].t;
    plan.noise = (hs_image_noise){later_fill, &noise};
    HS_TRY(hs_property_see(&w->m, &plan, w->x + k * w->m.n * d_x, w->strength, &seen));
    for (size_t p = 0; p < w->m.n_phi; p++) {
        hs_consistency_effects_of(w, p, &seen, 0, w->P * w->P, w->e[p].E + k * w->P + l);
    }
out:
    free(dh);
    hs_direction_free(&dir);
    hs_property_seen_free(&w->m, &seen);
    return rc;
}

/* out[p] (n) <- the effects of one stored direction at its steps. */
HS_CHECKED static int run_direction(hs_consistency_work *w, const hs_direction *d, int length, double *const *out)
{
    const double one = 1;
    const hs_edit_plan plan = hs_property_plan(&w->m, d, &one);
    return hs_consistency_see(w, &plan, length, out);
}

int hs_consistency_see(const hs_consistency_work *w, const hs_edit_plan *plan, int length, double *const *out)
{
    int rc;
    hs_seen seen = {0};
    HS_TRY(hs_property_see(&w->m, plan, w->m.job.x_T, w->strength, &seen));
    for (size_t p = 0; p < w->m.n_phi; p++) {
        hs_consistency_effects_of(w, p, &seen, length, 1, out[p]);
    }
out:
    hs_property_seen_free(&w->m, &seen);
    return rc;
}

int hs_consistency_nulls(hs_consistency_work *w)
{
    int rc;
    double **out = NULL;
    hs_direction d = {0};
    HS_TRY(hs_alloc(w->m.n_phi, sizeof *out, &out));
    for (size_t k = 0; k < w->K; k++) {
        for (size_t p = 0; p < w->m.n_phi; p++) {
            out[p] = w->e[p].null + k * w->m.n;
        }
        HS_TRY(hs_direction_random(&w->m.like, NULL, hs_cmd_seed(w->c), k, &d));
        HS_TRY(run_direction(w, &d, 1, out));
        hs_direction_free(&d);
        memset(&d, 0, sizeof d);
    }
out:
    hs_direction_free(&d);
    free(out);
    return rc;
}

/* dh (edited, d) <- the steps in another order, at the norms of their places. */
HS_CHECKED static int shuffle(const hs_consistency_work *w, float *dh)
{
    int rc;
    size_t S = w->m.edited, d = w->m.d_h, *perm = NULL;
    HS_TRY(hs_alloc(S, sizeof *perm, &perm));
    hs_permutation(hs_cmd_seed(w->c), 0, S, perm);
    for (size_t k = 0; k < S; k++) {
        double scale = w->norm[perm[k]] > 0 ? w->norm[k] / w->norm[perm[k]] : 0;
        for (size_t j = 0; j < d; j++) {
            dh[k * d + j] = (float)(scale * (double)w->m.step.dh[perm[k] * d + j]);
        }
    }
out:
    free(perm);
    return rc;
}

static void mean_of_steps(const hs_consistency_work *w, float *dh)
{
    size_t S = w->m.edited, d = w->m.d_h;
    for (size_t j = 0; j < d; j++) {
        double sum = 0;
        for (size_t k = 0; k < S; k++) {
            sum += (double)w->m.step.dh[k * d + j];
        }
        dh[j] = (float)(sum / (double)S);
    }
}

/* Shuffled, mean and global. */
HS_CHECKED static int run_variants(hs_consistency_work *w)
{
    int rc;
    size_t d = w->m.d_h, n_phi = w->m.n_phi;
    float *dh = NULL;
    double **out = NULL;
    hs_direction shuffled = {0}, global = {0};
    HS_TRY(hs_alloc(w->m.edited, d * sizeof *dh, &dh));
    HS_TRY(hs_alloc(3 * n_phi, sizeof *out, &out));
    for (size_t p = 0; p < n_phi; p++) {
        out[p] = w->e[p].shuffled;
        out[n_phi + p] = w->e[p].global;
        out[2 * n_phi + p] = w->e[p].mean;
    }
    HS_TRY(shuffle(w, dh));
    HS_TRY(hs_property_direction(&w->m, "shuffled", w->m.edited, dh, &shuffled));
    HS_TRY(run_direction(w, &shuffled, 0, out));
    mean_of_steps(w, dh);
    HS_TRY(hs_property_direction(&w->m, "global", 0, dh, &global));
    HS_TRY(run_direction(w, &global, 0, out + n_phi));
    HS_TRY(w->m.delta != NULL ? run_direction(w, &w->m.step, 0, out + 2 * n_phi) : HS_OK);
out:
    hs_direction_free(&shuffled);
    hs_direction_free(&global);
    free(dh);
    free(out);
    return rc;
}

/* Evenly spaced edited steps, the first and the last among them. */
HS_CHECKED static int choose_steps(hs_consistency_work *w)
{
    int rc;
    size_t S = w->m.edited, P = (size_t)hs_cmd_int(w->c, "at");
    w->P = w->constant || S < 2 ? 1 : P < S ? P : S;
    HS_TRY(hs_alloc(w->P, sizeof *w->at, &w->at));
    HS_TRY(hs_alloc(S, sizeof *w->norm, &w->norm));
    for (size_t q = 0; q < w->P; q++) {
        w->at[q] = hs_work_place(q, w->P, S);
    }
    for (size_t k = 0; k < S; k++) {
        w->norm[k] = hs_nrm2_f32(w->m.d_h, w->m.step.dh + k * w->m.d_h);
    }
out:
    return rc;
}

HS_CHECKED static int make_room(hs_consistency_work *w)
{
    int rc;
    size_t n = w->m.n;
    HS_TRY(hs_calloc(w->m.n_phi, sizeof *w->e, &w->e));
    for (size_t p = 0; p < w->m.n_phi; p++) {
        HS_TRY(hs_calloc(n * w->P * w->P, sizeof(double), &w->e[p].E));
        HS_TRY(hs_calloc(n, sizeof(double), &w->e[p].whole));
        HS_TRY(hs_calloc(n * w->K, sizeof(double), &w->e[p].null));
        HS_TRY(hs_calloc(n, sizeof(double), &w->e[p].shuffled));
        HS_TRY(hs_calloc(n, sizeof(double), &w->e[p].mean));
        HS_TRY(hs_calloc(n, sizeof(double), &w->e[p].global));
    }
out:
    return rc;
}

int hs_consistency_cells(hs_consistency_work *w)
{
    int rc;
    HS_TRY(make_room(w));
    HS_TRY(run_whole(w));
    for (size_t k = 0; k < w->P; k++) {
        for (size_t l = 0; l < w->P; l++) {
            HS_TRY(hs_progress_tell(hs_cmd_progress(w->c), "steps", k * w->P + l, w->P * w->P));
            HS_TRY(run_cell(w, k, l));
        }
    }
out:
    return rc;
}

HS_CHECKED static int run_all(hs_consistency_work *w)
{
    int rc;
    HS_TRY(choose_steps(w));
    HS_TRY(hs_consistency_plain(w));
    HS_TRY(hs_consistency_cells(w));
    HS_TRY(run_variants(w));
    HS_TRY(hs_consistency_nulls(w));
    HS_TRY(hs_consistency_rival(w));
    HS_TRY(hs_consistency_controls(w));
out:
    return rc;
}

/* ---- The answer ---- */

/* The stored direction as the deltas of one sample: its cosines, without intervals. */
HS_CHECKED static int read_step(void *ctx, size_t first, size_t n, float *room, const float **v)
{
    const hs_consistency_work *w = ctx;
    (void)first, (void)n, (void)room;
    *v = w->m.step.dh;
    return HS_OK;
}

HS_CHECKED static int deltas_of(hs_consistency_work *w)
{
    const hs_deltas_limits limits = HS_DELTAS_LIMITS_INIT;
    const hs_deltas_source one = {.n = 1, .S = w->m.edited, .d = w->m.d_h, .t = w->m.t, .read = read_step, .ctx = w};
    return w->m.delta != NULL ? HS_OK : hs_deltas_reduce(&one, &limits, NULL, &w->m.reduced);
}

HS_CHECKED static int write_file(const hs_consistency_work *w, const char *readout, const hs_consistency *q)
{
    int rc;
    hs_result *r = NULL;
    size_t P = q->P;
    int *t = NULL;
    double *shown = NULL, most = 0;
    char caption[160];
    const size_t dim[2] = {P, P};
    HS_TRY(hs_alloc(P, sizeof *t, &t));
    HS_TRY(hs_alloc(P, P * sizeof *shown, &shown));
    for (size_t i = 0; i < P * P; i++) {
        most = fabs(q->effect[i]) > fabs(most) ? q->effect[i] : most;
    }
    double scale = most != 0 ? 1 / most : 0;
    for (size_t i = 0; i < P * P; i++) {
        shown[i] = scale * q->effect[i];
        t[i / P] = w->m.t[w->at[i / P]];
    }
    snprintf(caption, sizeof caption,
             "Mean effect on %.40s over %zu images, in units of the largest; deltas of equal norm.", readout, w->m.n);
    const hs_property_table table = {
        "what the delta of one step does at another", "applied at t", "found at t", caption, P, P, shown, t, t};
    HS_TRY(hs_property_begin(w->c, hs_cmd_out(w->c), &q->result, readout, w->m.job.model.untrained, &table, &r));
    HS_TRY(hs_result_put_f64(r, "effect_steps", "row,column", 2, dim, q->effect));
    HS_TRY(hs_consistency_store_put(r, w->store));
    HS_TRY(hs_result_commit(r));
out:
    hs_result_free(r);
    free(t);
    free(shown);
    return rc;
}

/* Read-out p of a run, its controls left out. */
HS_CHECKED static int measure(const hs_consistency_work *w, size_t p, hs_consistency *q)
{
    int rc, harder = 0;
    const hs_consistency_effects_set *e = &w->e[p];
    hs_consistency_options o = *w->options;
    double *scratch = NULL;
    size_t Kt = w->twins != NULL && w->control == NULL ? w->Kt : 0;
    const double *random = w->random != NULL ? w->random->e[p].null : e->null;
    HS_TRY(hs_control_harder(w->m.n, w->K, random, Kt, Kt > 0 ? w->twins[p] : NULL, &harder));
    const hs_consistency_work *net = w->control != NULL ? &w->control[HS_CONTROL_NET] : NULL;
    hs_step_effects f = {.n = w->m.n,
                         .P = w->P,
                         .E = e->E,
                         .whole = e->whole,
                         .K = harder ? Kt : w->K,
                         .twins = harder,
                         .null = harder ? w->twins[p] : random,
                         .shuffled = !w->variants || w->constant || w->m.edited < 2 ? NULL : e->shuffled,
                         .mean = w->variants && w->m.delta != NULL ? e->mean : NULL,
                         .global = w->variants ? e->global : NULL,
                         .untrained = net != NULL && net->e != NULL ? net->e[p].E : NULL,
                         .rival = w->rival != NULL && w->rival->e != NULL ? w->rival->e[p].E : NULL,
                         .constant = w->constant,
                         .noise_floor = w->plain.noise_floor[p]};
    HS_TRY(hs_alloc(w->m.n, sizeof *scratch, &scratch));
    f.spread = spread_of(w, p, scratch);
    o.effects = &f;
    HS_TRY(hs_consistency_measure(w->variants ? &w->m.reduced : NULL, &o, q));
    snprintf(q->result.direction, sizeof q->result.direction, "%s", w->m.job.dir[0].name);
out:
    free(scratch);
    return rc;
}

/* Adds the controls of read-out p to m. */
HS_CHECKED static int add_controls(const hs_consistency_work *w, size_t p, hs_measurement *m)
{
    int rc = HS_OK;
    const hs_estimate *other = hs_measurement_find(m, "effect_shuffled_ratio");
    if (w->m.job.model.untrained) {
        hs_withhold(m, HS_UNTRAINED);
    }
    if (w->twins != NULL && w->K > 0) {
        HS_TRY(hs_control_beside_twins(m, w->m.n, w->Kt, w->twins[p]));
    }
    HS_TRY(hs_measurement_own_controls(m, w->no_rival));
    if (other != NULL && isfinite(other->value)) {
        const hs_estimate e = *other;
        char text[128];
        snprintf(text, sizeof text, "%.3g [%.3g, %.3g] of the effect in its own order", e.value, e.lo, e.hi);
        HS_TRY(hs_measurement_control_number(m, "steps in another order", &e, text));
    } else {
        HS_TRY(hs_measurement_control_missing(m, "steps in another order", "the direction is the same at all steps"));
    }
    for (int k = 0; k < HS_CONTROLS; k++) {
        hs_consistency q = {0};
        if (k == HS_CONTROL_COVARIANCE && w->draws != NULL) {
            HS_TRY(hs_control_draws(m, w->m.n, w->controls.of[k].n, w->draws[p]));
            continue;
        }
        if (w->control[k].e == NULL) {
            HS_TRY(hs_measurement_control_missing(m, hs_control_name[k], w->controls.of[k].missing));
            continue;
        }
        rc = measure(&w->control[k], p, &q);
        if (rc == HS_OK) {
            rc = hs_control_add(m, (hs_control_kind)k, &q.result);
        }
        hs_consistency_free(&q);
        HS_TRY(rc);
    }
out:
    return rc;
}

HS_CHECKED static int answer_one(void *ctx, size_t p, json_t **json, hs_verdict *verdict)
{
    int rc;
    hs_consistency_work *w = ctx;
    const char *name = w->m.phi[p].name;
    hs_consistency q = {0};
    HS_TRY(measure(w, p, &q));
    HS_TRY(add_controls(w, p, &q.result));
    HS_TRY(p == 0 ? hs_step_spaces_statistics(&w->store->spaces, &q.result) : HS_OK);
    *verdict = q.result.verdict;
    *json = hs_measurement_json(&q.result);
    json_object_set_new(*json, "readout", json_string(name));
    json_t *at = json_array();
    for (size_t i = 0; i < w->P; i++) {
        json_array_append_new(at, json_integer(w->m.t[w->at[i]]));
    }
    json_object_set_new(*json, "at", at);
    hs_measurement_say(w->c, name, &q.result);
    if (hs_cmd_out(w->c) != NULL && p == 0) {
        HS_TRY(write_file(w, name, &q));
    }
out:
    hs_consistency_free(&q);
    return rc;
}

HS_CHECKED static int answer(hs_consistency_work *w)
{
    int rc;
    const char *out = hs_cmd_out(w->c);
    HS_TRY(deltas_of(w));
    HS_TRY(hs_property_readouts(w->c, w->m.n_phi, answer_one, w));
    hs_consistency_store_say(w->c, w->store);
    HS_TRY(hs_cmd_str(w->c, "plot") != NULL ? hs_plot_files(w->c, &out, 1, hs_cmd_str(w->c, "plot")) : HS_OK);
out:
    return rc;
}

/* Read-outs on the way count steps from the start, which a run from a later step doesn't see. */
HS_CHECKED static int check_readouts(const hs_property_model *m)
{
    for (size_t p = 0; p < m->n_phi; p++) {
        hs_phi f = m->phi[p].phi;
        if (f == HS_PHI_X0HAT || f == HS_PHI_EPS || f == HS_PHI_H_LATER || f == HS_PHI_PROBE_H) {
            return hs_fail(HS_ERANGE, "--readout: %.60s is read on the way; wanted one of the final image",
                           m->phi[p].name);
        }
    }
    return HS_OK;
}

int hs_consistency_model(hs_cmd *c, const hs_consistency_options *o, const hs_consistency_store *store)
{
    int rc;
    hs_consistency_work w = {.c = c,
                             .options = o,
                             .store = store,
                             .variants = 1,
                             .K = (size_t)hs_cmd_int(c, "nulls"),
                             .strength = hs_cmd_num(c, "strength")};
    HS_TRY(hs_property_model_open(c, &w.m));
    HS_TRY(check_readouts(&w.m));
    w.constant = w.m.job.dir[0].net == NULL && w.m.job.dir[0].S == 0;
    if (w.strength == 0) {
        rc = hs_fail(HS_ERANGE, "--strength: 0; wanted an edit");
        goto out;
    }
    HS_TRY(hs_cmd_dry_run(c) ? HS_OK : hs_resume_job(c, hs_resume_statistics, &w.m.job, &w.cells));
    HS_TRY(hs_controls_open(c, &w.m.job, &w.controls));
    if (hs_cmd_dry_run(c)) {
        hs_work_of todo = hs_work_of_job(&w.m.job.source, &w.m.job.plan);
        hs_work_controls(&todo, &w.controls);
        HS_TRY(hs_work_planned(
            c, &w.m.job.model, w.m.n,
            hs_work_consistency(&todo, (size_t)hs_cmd_int(c, "at"), w.K, hs_cmd_str(c, "rival") != NULL), 65536));
        hs_controls_say_plan(c, &w.controls);
        goto out;
    }
    HS_TRY(run_all(&w));
    hs_resume_say(c, w.cells.had, w.cells.images);
    HS_TRY(answer(&w));
    hs_work_done(c, &w.m.job.model,
                 w.controls.of[HS_CONTROL_UNET].model.unet != NULL
                     ? hs_unet_work_of(w.controls.of[HS_CONTROL_UNET].model.unet)
                     : (hs_unet_work){0});
out:
    hs_resume_close(w.cells.cells, rc);
    work_free(&w);
    return rc;
}
