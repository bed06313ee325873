/* Runs the models of a comparison along their own directions and along carried ones. */
#include "analysis/cli/compare_effects.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/property.h"
#include "analysis/cli/resume.h"
#include "analysis/properties/verdict.h"
#include "analysis/sweep/sweep.h"
#include "core/base/alloc.h"
#include "core/linalg/blas.h"
#include "core/stats/moments.h"

void hs_compared_effects_free(hs_compared_effects *e)
{
    free(e->factor);
    free(e->sd);
    free(e->effect);
    memset(e, 0, sizeof *e);
}

typedef struct {
    hs_cmd *c;
    hs_compared *side[2];
    const hs_compared_dirs *dirs;
    const hs_carrier *carrier;
    hs_compared_effects *e;
    hs_readout *phi[2]; /* (F) of each model */
    size_t *row;        /* (held) images that the kept maps don't know */
    float *x_T[2];      /* (held, c R R) */
    double *carried;    /* (D + nulls, held) of one way, on one factor */
    hs_run_cells *cells;
} work;

/* ---- Set-up ---- */

/* The network that reads side s. */
HS_CHECKED static int open_readouts(work *w, size_t s)
{
    int rc = HS_OK;
    hs_scorer *scorer = w->side[s]->scorer;
    const hs_attrnet_config *cfg = hs_scorer_config(scorer);
    const hs_unet_config *u = hs_unet_config_of(w->side[s]->model.unet);
    char text[48];
    HS_TRY(hs_calloc(w->e->F, sizeof **w->phi, &w->phi[s]));
    for (size_t f = 0; f < w->e->F; f++) {
        snprintf(text, sizeof text, "attr:%.31s", cfg->factor[f].name);
        HS_TRY(hs_readout_parse(text, hs_unet_image_shape(u), hs_unet_h_shape(u), scorer, NULL, &w->phi[s][f]));
    }
out:
    return rc;
}

HS_CHECKED static int open_factors(work *w)
{
    int rc;
    hs_compared_effects *e = w->e;
    const hs_attrnet_config *cfg = hs_scorer_config(w->side[0]->scorer);
    e->F = cfg->n_factors;
    HS_TRY(hs_calloc(e->F, sizeof *e->factor, &e->factor));
    HS_TRY(hs_calloc(e->F, sizeof *e->sd, &e->sd));
    for (size_t f = 0; f < e->F; f++) {
        snprintf(e->factor[f], sizeof *e->factor, "%s", cfg->factor[f].name);
    }
    HS_TRY(open_readouts(w, 0));
    HS_TRY(open_readouts(w, 1));
out:
    return rc;
}

HS_CHECKED static int choose_strengths(hs_cmd *c, hs_compared_effects *e)
{
    e->m = hs_cmd_grid(c, "strengths", &e->strength);
    e->zero = e->m;
    for (size_t j = 0; j < e->m; j++) {
        e->zero = e->strength[j] == 0 ? j : e->zero;
        e->far = e->strength[j] > e->strength[e->far] ? j : e->far;
    }
    if (e->zero == e->m || !(e->strength[e->far] > 0)) {
        return hs_fail(HS_ERANGE, "--strengths: wanted 0 and a positive one among the %zu", e->m);
    }
    return HS_OK;
}

int hs_compared_strengths_check(hs_cmd *c)
{
    hs_compared_effects e = {0};
    return choose_strengths(c, &e);
}

HS_CHECKED static int choose_images(work *w)
{
    int rc = HS_OK;
    hs_compared_effects *e = w->e;
    size_t folds = (size_t)hs_cmd_int(w->c, "folds");
    HS_TRY(hs_alloc(e->n, sizeof *w->row, &w->row));
    for (size_t i = 0; i < e->n; i += folds) {
        w->row[e->held++] = i;
    }
    for (size_t s = 0; s < 2; s++) {
        size_t d = hs_chw_size(w->side[s]->source.image);
        HS_TRY(hs_alloc(e->held, d * sizeof(float), &w->x_T[s]));
        for (size_t i = 0; i < e->held; i++) {
            memcpy(w->x_T[s] + i * d, w->side[s]->x_T + w->row[i] * d, d * sizeof(float));
        }
    }
    HS_TRY(hs_alloc((e->D + HS_CARRIED_NULLS) * e->held, sizeof *w->carried, &w->carried));
out:
    return rc;
}

int hs_compared_cells_open(hs_cmd *c, size_t count, const hs_compared *list, hs_run_cells *cells)
{
    int rc = HS_OK;
    hs_str also = {0};
    for (size_t s = 0; s < count; s++) {
        HS_TRY(hs_resume_describe(&also, &list[s].model, &list[s].steps, list[s].n, list[s].x_T));
    }
    HS_TRY(hs_resume_open(c, hs_resume_statistics, also.s, &cells->cells));
out:
    hs_str_free(&also);
    return rc;
}

/* ---- Runs ---- */

/* One model along one direction. */
HS_CHECKED static int sweep(const work *w, size_t s, const hs_direction *d, size_t m, const double *strength, size_t n,
                            const float *x_T, hs_sweep *out)
{
    static const double one = 1;
    const hs_compared *side = w->side[s];
    const hs_edit_plan plan = {.model = &side->model,
                               .steps = &side->steps,
                               .n_dir = 1,
                               .dir = d,
                               .coef = &one,
                               .scale = 1,
                               .m = m,
                               .strength = strength,
                               .t_edit = (int)hs_cmd_int(w->c, "t-edit"),
                               .symmetric = strcmp(hs_cmd_str(w->c, "mode"), "symmetric") == 0,
                               .clip = hs_common_clipping(w->c, &side->model),
                               .batch = (size_t)hs_cmd_int(w->c, "batch"),
                               .conv = hs_common_conv(w->c),
                               .progress = hs_cmd_progress(w->c),
                               .cells = w->cells->cells != NULL ? w->cells : NULL};
    return hs_sweep_run(&plan, n, x_T, w->e->F, w->phi[s], NULL, out);
}

/* Every direction in its own model, all images and strengths: once, however many it is compared with. */
HS_CHECKED static int run_own(work *w, size_t s)
{
    int rc = HS_OK;
    hs_compared_effects *e = w->e;
    hs_side_dirs *dirs = &w->side[s]->dirs;
    size_t cells = e->n * e->m;
    double *value = NULL;
    hs_sweep seen = {0};
    if (dirs->own != NULL) {
        goto out;
    }
    HS_TRY(hs_alloc(e->D * e->F, cells * sizeof *value, &value));
    for (size_t j = 0; j < e->D; j++) {
        HS_TRY(sweep(w, s, &dirs->d[j], e->m, e->strength, e->n, w->side[s]->x_T, &seen));
        for (size_t f = 0; f < e->F; f++) {
            for (size_t i = 0; i < cells; i++) {
                value[(j * e->F + f) * cells + i] = (double)seen.value[f][i];
            }
        }
        hs_sweep_free(&seen);
    }
    dirs->own = value;
    value = NULL;
out:
    e->value[s] = dirs->own;
    free(value);
    hs_sweep_free(&seen);
    return rc;
}

static const double *table(const hs_compared_effects *e, size_t s, size_t j, size_t f)
{
    return e->value[s] + (j * e->F + f) * e->n * e->m;
}

/* sd (F) <- root of the mean of both models' variances over unedited images; 0 where a factor doesn't vary. */
static void spreads(hs_compared_effects *e, double *plain)
{
    for (size_t f = 0; f < e->F; f++) {
        double square = 0;
        for (size_t s = 0; s < 2; s++) {
            for (size_t i = 0; i < e->n; i++) {
                plain[i] = table(e, s, 0, f)[i * e->m + e->zero];
            }
            double sd = hs_sd(e->n, plain, NULL);
            square += 0.5 * sd * sd;
        }
        e->sd[f] = sqrt(square);
    }
}

/* Image i's effect in sd. */
static double effect(const hs_compared_effects *e, size_t s, size_t j, size_t f, size_t i, size_t k)
{
    const double *v = table(e, s, j, f) + i * e->m;
    return e->sd[f] > 0 ? (v[k] - v[e->zero]) / e->sd[f] : 0;
}

static double mean_effect(const hs_compared_effects *e, size_t s, size_t j, size_t f, size_t k)
{
    double sum = 0;
    for (size_t i = 0; i < e->n; i++) {
        sum += effect(e, s, j, f, i, k) / (double)e->n;
    }
    return sum;
}

/* ---- Profiles ---- */

/* p (n, F (m - 1)) <- of direction j in model s. */
static void profile(const hs_compared_effects *e, size_t s, size_t j, double *p)
{
    size_t at = 0;
    for (size_t i = 0; i < e->n; i++) {
        for (size_t f = 0; f < e->F; f++) {
            for (size_t k = 0; k < e->m; k++) {
                if (k != e->zero) {
                    p[at++] = effect(e, s, j, f, i, k);
                }
            }
        }
    }
}

/* The factor called like the direction, else the one it moves most in either model. */
static size_t own_factor(const hs_compared_effects *e, const hs_direction_pair *p, size_t j)
{
    size_t best = 0;
    double most = -1;
    for (size_t f = 0; f < e->F; f++) {
        double size = fabs(mean_effect(e, 0, j, f, e->far)) + fabs(mean_effect(e, 1, j, f, e->far));
        if (strcmp(e->factor[f], p->name_a) == 0 || strcmp(e->factor[f], p->name_b) == 0) {
            return f;
        }
        if (size > most) {
            most = size;
            best = f;
        }
    }
    return best;
}

HS_CHECKED static int profiles(work *w)
{
    int rc;
    hs_compared_effects *e = w->e;
    size_t q = e->F * (e->m - 1);
    const hs_bootstrap_options o = hs_property_bootstrap(w->c), few = {1, o.seed, o.level};
    double *a = NULL, *b = NULL;
    hs_interval other;
    HS_TRY(hs_alloc(e->n, q * sizeof *a, &a));
    HS_TRY(hs_alloc(e->n, q * sizeof *b, &b));
    spreads(e, a);
    for (size_t j = 0; j < e->D; j++) {
        hs_compared_effect *r = &e->effect[j];
        profile(e, 0, j, a);
        r->profile_other = e->D > 1 ? 0 : (double)NAN;
        for (size_t l = 0; l < e->D; l++) {
            profile(e, 1, l, b);
            if (l == j) {
                HS_TRY(hs_profile_correlation(e->n, q, a, b, &o, &r->profile));
            } else {
                HS_TRY(hs_profile_correlation(e->n, q, a, b, &few, &other));
                r->profile_other += fabs(other.value) / (double)(e->D - 1);
            }
        }
        r->own = own_factor(e, &w->dirs->pair[j], j);
        for (size_t s = 0; s < 2; s++) {
            r->effect[s] = mean_effect(e, s, j, r->own, e->far);
        }
    }
out:
    free(a);
    free(b);
    return rc;
}

/* ---- Carried directions ---- */

/* *out <- a direction of model s: dh (S, d) at the steps compared. */
HS_CHECKED static int make_direction(const hs_compared *side, hs_direction *out)
{
    int rc;
    size_t S = side->view.S;
    hs_direction d = {.shape = hs_unet_h_shape(hs_unet_config_of(side->model.unet)), .S = S, .match = HS_MATCH_NEAREST};
    HS_TRY(hs_strdup("carried", &d.name));
    HS_TRY(hs_strdup("", &d.file));
    HS_TRY(hs_strdup("", &d.model_sha256));
    HS_TRY(hs_strdup("", &d.tap));
    HS_TRY(hs_alloc(S, side->d * sizeof *d.dh, &d.dh));
    HS_TRY(hs_alloc(S, sizeof *d.t, &d.t));
    memcpy(d.t, side->view.t, S * sizeof *d.t);
    *out = d;
    memset(&d, 0, sizeof d);
out:
    hs_direction_free(&d);
    return rc;
}

/* d->dh <- unit vectors (S, all, d) of one carried direction at the norms of pair j's own on that side. */
static void fill(const hs_compared *side, const float *own, const float *unit, size_t all, size_t which,
                 hs_direction *d)
{
    for (size_t k = 0; k < side->view.S; k++) {
        double norm = hs_nrm2_f32(side->d, own + k * side->d);
        for (size_t l = 0; l < side->d; l++) {
            d->dh[k * side->d + l] = (float)(norm * (double)unit[(k * all + which) * side->d + l]);
        }
    }
}

/* v (held) <- effects in sd, on the pair's own factor, of a direction put into model s. */
HS_CHECKED static int run_carried(const work *w, size_t s, size_t j, const hs_direction *d, double *v)
{
    int rc;
    const hs_compared_effects *e = w->e;
    size_t f = e->effect[j].own;
    hs_sweep seen = {0};
    HS_TRY(sweep(w, s, d, 1, &e->strength[e->far], e->held, w->x_T[s], &seen));
    for (size_t i = 0; i < e->held; i++) {
        double plain = table(e, s, j, f)[w->row[i] * e->m + e->zero];
        v[i] = e->sd[f] > 0 ? ((double)seen.value[f][i] - plain) / e->sd[f] : 0;
    }
out:
    hs_sweep_free(&seen);
    return rc;
}

/* Pair j, carried into model s, against model s's own and against random ones. */
HS_CHECKED static int judge_carried(work *w, size_t s, size_t j, const float *unit, hs_direction *d)
{
    int rc = HS_OK;
    hs_compared_effects *e = w->e;
    hs_compared_effect *r = &e->effect[j];
    size_t way = 1 - s, all = e->D + HS_CARRIED_NULLS;
    const float *own = w->side[s]->dirs.at[j];
    double *mine = NULL, *one = NULL, null[HS_CARRIED_NULLS], base;
    const hs_bootstrap_options o = hs_property_bootstrap(w->c);
    HS_TRY(hs_alloc(e->held, sizeof *mine, &mine));
    HS_TRY(hs_alloc(e->held, sizeof *one, &one));
    for (size_t i = 0; i < e->held; i++) {
        one[i] = 1;
        mine[i] = effect(e, s, j, r->own, w->row[i], e->far);
    }
    base = hs_mean(e->held, mine, NULL);
    fill(w->side[s], own, unit, all, j, d);
    HS_TRY(run_carried(w, s, j, d, w->carried));
    HS_TRY(hs_effect_ratio(e->held, w->carried, one, &o, &r->carried[way]));
    HS_TRY(hs_effect_ratio(e->held, w->carried, mine, &o, &r->ratio[way]));
    for (size_t b = 0; b < HS_CARRIED_NULLS; b++) {
        fill(w->side[s], own, unit, all, e->D + b, d);
        HS_TRY(run_carried(w, s, j, d, w->carried));
        null[b] = fabs(hs_mean(e->held, w->carried, NULL));
    }
    r->carried_null[way] = hs_null_limit(HS_CARRIED_NULLS, null);
    r->ratio_null[way] = fabs(base) > 0 ? r->carried_null[way] / fabs(base) : (double)NAN;
out:
    free(mine);
    free(one);
    return rc;
}

HS_CHECKED static int carried_into(work *w, size_t s)
{
    int rc;
    const hs_compared *side = w->side[s];
    size_t all = w->e->D + HS_CARRIED_NULLS, S = side->view.S;
    float *unit = NULL;
    hs_direction d = {0};
    HS_TRY(hs_alloc(S * all, side->d * sizeof *unit, &unit));
    for (size_t k = 0; k < S; k++) {
        HS_TRY(hs_carrier_carry(w->carrier, 1 - s, k, unit + k * all * side->d));
    }
    HS_TRY(make_direction(side, &d));
    for (size_t j = 0; j < w->e->D; j++) {
        HS_TRY(judge_carried(w, s, j, unit, &d));
    }
out:
    free(unit);
    hs_direction_free(&d);
    return rc;
}

int hs_compared_effects_run(hs_cmd *c, hs_compared *a, hs_compared *b, const hs_compared_dirs *dirs,
                            const hs_carrier *carrier, hs_run_cells *cells, hs_compared_effects *out)
{
    int rc;
    work w = {.c = c, .side = {a, b}, .dirs = dirs, .carrier = carrier, .cells = cells, .e = out};
    memset(out, 0, sizeof *out);
    out->D = dirs->D;
    out->n = a->n;
    HS_TRY(choose_strengths(w.c, out));
    HS_TRY(open_factors(&w));
    HS_TRY(hs_calloc(out->D, sizeof *out->effect, &out->effect));
    HS_TRY(choose_images(&w));
    HS_TRY(run_own(&w, 0));
    HS_TRY(run_own(&w, 1));
    HS_TRY(profiles(&w));
    HS_TRY(carried_into(&w, 1));
    HS_TRY(carried_into(&w, 0));
out:
    for (size_t s = 0; s < 2; s++) {
        for (size_t f = 0; w.phi[s] != NULL && f < out->F; f++) {
            hs_readout_free(&w.phi[s][f]);
        }
        free(w.phi[s]);
        free(w.x_T[s]);
    }
    free(w.row);
    free(w.carried);
    if (rc != HS_OK) {
        hs_compared_effects_free(out);
    }
    return rc;
}
