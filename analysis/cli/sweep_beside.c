/* What is run beside a sweep: the rival of eps, the null at its ends, controls. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/sweep_beside.h"
#include "core/base/alloc.h"
#include "core/base/text.h"

/* ---- The rival ---- */

static double smallest(size_t m, const double *strength)
{
    double least = INFINITY;
    for (size_t j = 0; j < m; j++) {
        least = strength[j] != 0 ? fmin(least, fabs(strength[j])) : least;
    }
    return least;
}

HS_CHECKED static int score_rival(hs_sweep_file *f, const hs_edit_plan *plan)
{
    int rc;
    hs_sweep s = {0};
    size_t n = f->sweep.n, m = f->sweep.m;
    HS_TRY(hs_sweep_run(plan, n, f->job->x_T, f->n_phi, f->phi, NULL, &s));
    HS_TRY(hs_calloc(f->n_phi, sizeof *f->rival, &f->rival));
    for (size_t p = 0; p < f->n_phi; p++) {
        HS_TRY(hs_alloc(n, m * sizeof **f->rival, &f->rival[p]));
        HS_TRY(hs_sweep_score(&s, p, f->phi[p].features, plan->strength, f->rival[p]));
    }
out:
    hs_sweep_free(&s);
    return rc;
}

int hs_sweep_file_rival(hs_cmd *c, hs_sweep_file *f)
{
    int rc = HS_OK;
    const char *spec = hs_cmd_str(c, "rival");
    const hs_edit_job *job = f->job;
    hs_direction d = {0};
    hs_edit_plan plan = job->plan;
    static const double one = 1;
    if (spec == NULL) {
        return HS_OK;
    }
    HS_TRY(hs_rival_open(c, job, spec, &d));
    HS_TRY(hs_alloc(job->steps.S, sizeof *f->rival_factor, &f->rival_factor));
    plan.dir = &d;
    plan.n_dir = 1;
    plan.coef = &one;
    HS_TRY(hs_edit_match(&job->plan, &plan, job->source.n, job->x_T, smallest(job->plan.m, job->plan.strength),
                         f->rival_factor));
    plan.factor = f->rival_factor;
    HS_TRY(score_rival(f, &plan));
    snprintf(f->rival_name, sizeof f->rival_name, "%s", d.name);
out:
    hs_direction_free(&d);
    return rc;
}

/* ---- The null ---- */

hs_sweep_ends hs_sweep_ends_of(const hs_sweep_file *f)
{
    hs_sweep_ends g = {0};
    size_t m = f->sweep.m;
    const double *strength = f->job->plan.strength;
    double most = 0, last = f->natural.n > 0 && f->natural.reach > 0 ? f->natural.reach : INFINITY;
    for (size_t j = 0; j < m; j++) {
        most = fabs(strength[j]) <= last ? fmax(most, fabs(strength[j])) : most;
    }
    for (size_t j = 0; j < m && most > 0; j++) {
        if (g.m < 2 && fabs(strength[j]) == most) {
            g.column[g.m] = j;
            g.strength[g.m++] = strength[j];
        }
    }
    return g;
}

size_t hs_sweep_far_end(const hs_sweep_ends *g)
{
    return g->m == 2 && g->strength[1] > g->strength[0] ? 1 : 0;
}

size_t hs_sweep_file_zero(const hs_sweep_file *f)
{
    size_t j = 0;
    while (j + 1 < f->sweep.m && f->job->plan.strength[j] != 0) {
        j++;
    }
    return j;
}

/* score (n, m + 1): read-out p of a null run, with the unedited images of `own` as its last column. */
HS_CHECKED static int score_null(const hs_sweep_file *f, const hs_sweep *own, const hs_sweep *s, size_t p,
                                 const hs_sweep_ends *g, double *score)
{
    int rc;
    size_t n = s->n, m = s->m, width = f->phi[p].features, bytes = width * sizeof(float);
    double strength[3] = {0, 0, 0};
    float *v = NULL;
    memcpy(strength, g->strength, m * sizeof *strength);
    HS_TRY(hs_alloc(n * (m + 1), bytes, &v));
    for (size_t i = 0; i < n; i++) {
        memcpy(v + i * (m + 1) * width, s->value[p] + i * m * width, m * bytes);
        memcpy(v + (i * (m + 1) + m) * width, own->value[p] + (i * own->m + hs_sweep_file_zero(f)) * width, bytes);
    }
    hs_sweep whole = {.n = n, .m = m + 1, .n_phi = 1, .value = &v};
    HS_TRY(hs_sweep_score(&whole, 0, width, strength, score));
out:
    free(v);
    return rc;
}

int hs_sweep_run_ends(const hs_sweep_file *f, const hs_sweep *own, hs_edit_plan plan, size_t k, double *const *null,
                      hs_sweep *seen)
{
    int rc;
    size_t n = f->sweep.n, m = f->sweep.m, zero = hs_sweep_file_zero(f);
    const hs_sweep_ends g = hs_sweep_ends_of(f);
    hs_sweep s = {0};
    double *score = NULL;
    plan.m = g.m;
    plan.strength = g.strength;
    HS_TRY(hs_sweep_run(&plan, n, f->job->x_T, f->n_phi, f->phi, NULL, &s));
    HS_TRY(hs_alloc(n * (g.m + 1), sizeof *score, &score));
    for (size_t p = 0; p < f->n_phi; p++) {
        HS_TRY(score_null(f, own, &s, p, &g, score));
        for (size_t i = 0; i < n; i++) {
            double *row = null[p] + (k * n + i) * m;
            row[zero] = score[i * (g.m + 1) + g.m];
            for (size_t j = 0; j < g.m; j++) {
                row[g.column[j]] = score[i * (g.m + 1) + j];
            }
        }
    }
    if (seen != NULL) {
        *seen = s;
        s = (hs_sweep){0};
    }
out:
    free(score);
    hs_sweep_free(&s);
    return rc;
}

/* *out <- [n_phi] (K, n, m) of NaN. */
HS_CHECKED static int make_null(const hs_sweep_file *f, size_t K, double ***out)
{
    int rc;
    size_t cells;
    HS_TRY(hs_calloc(f->n_phi, sizeof **out, out));
    HS_TRY(hs_size_mul(K, f->sweep.n * f->sweep.m, &cells));
    for (size_t p = 0; p < f->n_phi; p++) {
        HS_TRY(hs_alloc(cells, sizeof ***out, &(*out)[p]));
        for (size_t i = 0; i < cells; i++) {
            (*out)[p][i] = NAN;
        }
    }
out:
    return rc;
}

int hs_sweep_file_null(hs_sweep_file *f, size_t K, uint64_t seed)
{
    int rc = HS_OK;
    if (K == 0) {
        return HS_OK;
    }
    HS_TRY(make_null(f, K, &f->null));
    for (size_t p = 0; f->terms != NULL && p < f->n_phi; p++) {
        HS_TRY(hs_line_terms_random(&f->terms[p], K));
    }
    HS_TRY(hs_sweep_run_random(f, &f->sweep, &f->job->plan, K, seed, f->null, f->terms));
    f->K = K;
out:
    return rc;
}

/* ---- Controls ---- */

void hs_sweep_control_free(size_t n_phi, hs_sweep_control *o)
{
    for (size_t p = 0; p < n_phi; p++) {
        free(o->score != NULL ? o->score[p] : NULL);
        free(o->null != NULL ? o->null[p] : NULL);
    }
    free(o->score);
    free(o->null);
    free(o->spread);
    free(o->noise_floor);
    memset(o, 0, sizeof *o);
}

/* out <- the sweep of x_T + s v, strength by strength. */
HS_CHECKED static int sweep_x_T(const hs_sweep_file *f, uint64_t seed, hs_sweep *out)
{
    static const double zero = 0;
    int rc;
    const hs_edit_job *job = f->job;
    size_t n = f->sweep.n, m = f->sweep.m;
    float *shift = NULL, *x = NULL;
    hs_edit_plan plan = job->plan;
    plan.m = 1;
    plan.strength = &zero;
    out->n = n;
    out->m = m;
    out->n_phi = f->n_phi;
    HS_TRY(hs_calloc(f->n_phi, sizeof *out->value, &out->value));
    HS_TRY(hs_calloc(f->n_phi, sizeof *out->noise_floor, &out->noise_floor));
    for (size_t p = 0; p < f->n_phi; p++) {
        HS_TRY(hs_alloc(n * m, f->phi[p].features * sizeof(float), &out->value[p]));
    }
    HS_TRY(hs_alloc(n, hs_chw_size(job->source.image) * sizeof *x, &x));
    HS_TRY(hs_control_shift(job, smallest(m, job->plan.strength), seed, &shift));
    for (size_t j = 0; j < m; j++) {
        hs_sweep s = {0};
        hs_control_shifted(job, shift, job->plan.strength[j], x);
        HS_TRY(hs_sweep_run(&plan, n, x, f->n_phi, f->phi, NULL, &s));
        for (size_t p = 0; p < f->n_phi; p++) {
            size_t width = f->phi[p].features;
            for (size_t i = 0; i < n; i++) {
                memcpy(out->value[p] + (i * m + j) * width, s.value[p] + i * width, width * sizeof(float));
            }
            out->noise_floor[p] = s.noise_floor[p];
        }
        hs_sweep_free(&s);
    }
out:
    free(shift);
    free(x);
    return rc;
}

/* The control's sweep as scores. */
HS_CHECKED static int score_control(const hs_sweep_file *f, const hs_sweep *s, hs_sweep_control *out)
{
    int rc;
    const double *strength = f->job->plan.strength;
    HS_TRY(hs_calloc(f->n_phi, sizeof *out->score, &out->score));
    HS_TRY(hs_alloc(f->n_phi, sizeof *out->spread, &out->spread));
    HS_TRY(hs_alloc(f->n_phi, sizeof *out->noise_floor, &out->noise_floor));
    for (size_t p = 0; p < f->n_phi; p++) {
        out->noise_floor[p] = s->noise_floor[p];
        HS_TRY(hs_alloc(s->n * s->m, sizeof **out->score, &out->score[p]));
        HS_TRY(hs_sweep_score(s, p, f->phi[p].features, strength, out->score[p]));
        HS_TRY(hs_sweep_spread(s, p, f->phi[p].features, strength, &out->spread[p]));
    }
out:
    return rc;
}

/* The null of a control: its other twins; in the untrained network the direction's twins or, where there are none,
 * random directions. */
HS_CHECKED static int run_control_null(hs_cmd *c, const hs_sweep_file *f, const hs_controls *cs, hs_control_kind kind,
                                       const hs_sweep *own, hs_sweep_control *out)
{
    int rc = HS_OK;
    const int unet = kind == HS_CONTROL_UNET;
    const hs_control_kind twins = unet ? hs_controls_twins(cs) : kind;
    const hs_control *o = &cs->of[twins];
    size_t first = unet ? 0 : 1, random = f->K < HS_CONTROL_NULLS ? f->K : HS_CONTROL_NULLS;
    out->K = o->n > first ? o->n - first : unet ? random : 0;
    HS_TRY(out->K > 0 ? make_null(f, out->K, &out->null) : HS_OK);
    if (unet && o->n == 0 && out->K > 0) {
        const hs_edit_plan plan = hs_control_plan(&cs->of[kind], kind, 0, f->job);
        HS_TRY(hs_sweep_run_random(f, own, &plan, out->K, hs_cmd_seed(c), out->null, NULL));
    }
    for (size_t k = 0; o->n > first && k < out->K; k++) {
        hs_edit_plan plan = hs_control_plan(o, twins, k + first, f->job);
        plan.model = unet ? &cs->of[kind].model : plan.model;
        HS_TRY(hs_sweep_run_ends(f, own, plan, k, out->null, NULL));
    }
out:
    return rc;
}

/* Draws from the covariance of h, at the ends of the sweep. */
HS_CHECKED static int run_draws(const hs_sweep_file *f, const hs_controls *cs, hs_sweep_control *out)
{
    int rc;
    const hs_control *o = &cs->of[HS_CONTROL_COVARIANCE];
    out->K = o->n;
    HS_TRY(make_null(f, o->n, &out->null));
    for (size_t k = 0; k < o->n; k++) {
        const hs_edit_plan plan = hs_control_plan(o, HS_CONTROL_COVARIANCE, k, f->job);
        HS_TRY(hs_sweep_run_ends(f, &f->sweep, plan, k, out->null, NULL));
    }
out:
    return rc;
}

/* Sweeps one control, and what is its null. */
HS_CHECKED static int run_control(hs_cmd *c, const hs_sweep_file *f, const hs_controls *cs, hs_control_kind kind,
                                  hs_sweep_control *out)
{
    int rc;
    hs_sweep s = {0};
    const hs_edit_plan plan = hs_control_plan(&cs->of[kind], kind, 0, f->job);
    HS_TRY(kind == HS_CONTROL_X_T ? sweep_x_T(f, hs_cmd_seed(c), &s)
                                  : hs_sweep_run(&plan, f->sweep.n, f->job->x_T, f->n_phi, f->phi, NULL, &s));
    HS_TRY(score_control(f, &s, out));
    HS_TRY(kind != HS_CONTROL_X_T ? run_control_null(c, f, cs, kind, &s, out) : HS_OK);
out:
    hs_sweep_free(&s);
    return rc;
}

int hs_sweep_file_controls(hs_cmd *c, hs_sweep_file *f)
{
    int rc;
    hs_controls cs = {0};
    HS_TRY(hs_controls_open(c, f->job, &cs));
    f->controls = cs.wanted;
    for (int k = 0; k < HS_CONTROLS; k++) {
        snprintf(f->control[k].missing, sizeof f->control[k].missing, "%s", cs.of[k].missing);
        if (cs.wanted && cs.of[k].missing[0] == '\0') {
            HS_TRY(k == HS_CONTROL_COVARIANCE ? run_draws(f, &cs, &f->control[k])
                                              : run_control(c, f, &cs, (hs_control_kind)k, &f->control[k]));
        }
    }
    if (cs.of[HS_CONTROL_UNET].model.unet != NULL) {
        f->beside = hs_unet_work_of(cs.of[HS_CONTROL_UNET].model.unet);
    }
out:
    hs_controls_free(&cs);
    return rc;
}
