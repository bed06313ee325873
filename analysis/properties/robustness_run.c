#include "analysis/properties/robustness_run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/properties/image_damage.h"
#include "analysis/properties/robustness_internal.h"
#include "core/base/alloc.h"
#include "core/stats/gaussian.h"

static const char *const kind_name[HS_DAMAGES] = {"l2", "ssim", "hf", "attr", "feat"};

const char *hs_damage_kind_name(hs_damage_kind kind)
{
    return kind_name[kind];
}

void hs_robust_run_free(hs_robust_run *r)
{
    for (int k = 0; k < HS_DAMAGES; k++) {
        hs_damage_free(&r->damage[k]);
        for (int part = 0; part < HS_ROBUST_PARTS; part++) {
            free(r->part[part][k]);
        }
    }
    for (int a = 0; a < HS_ARMS; a++) {
        free(r->frechet[a]);
        free(r->percentile[a]);
    }
    free(r->contraction[0]);
    free(r->contraction[1]);
    free(r->gram);
    hs_noise_scale_free(&r->scale);
    memset(r, 0, sizeof *r);
}

static void work_free(hs_robust_work *w)
{
    void *const owned[] = {w->h_plain,    w->basis,      w->common,    w->sum,         w->plain,   w->at_kick,
                           w->mid_plain,  w->mid_fresh,  w->reference, w->column,      w->meaning, w->percentile,
                           w->feat_plain, w->feat_fresh, w->feat,      w->value_plain, w->sd};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) {
        free(owned[i]);
    }
    for (int k = 0; k < HS_DAMAGES; k++) {
        free(w->damage[k]);
    }
    hs_pca_free(w->model);
}

/* ---- Damage of the images ---- */

/* The perturbed images on their way: (group, columns) rows at a time, of images from `first` on. */
typedef struct {
    hs_robust_work *w;
    size_t first;
    float *feat;   /* (group columns, F) */
    double *value; /* (group columns, factors) */
} arms_run;

static void score_row(const arms_run *a, size_t image, size_t column, size_t row)
{
    hs_robust_work *w = a->w;
    size_t at = column * w->p->n + image;
    double attr = 0, feat = 0;
    for (size_t k = 0; k < w->factors; k++) {
        double v = (a->value[row * w->factors + k] - w->value_plain[image * w->factors + k]) / w->sd[k];
        attr += v * v / (double)w->factors;
    }
    for (size_t k = 0; k < w->F; k++) {
        double v = (double)a->feat[row * w->F + k] - (double)w->feat_plain[image * w->F + k];
        feat += v * v;
    }
    w->damage[HS_DAMAGE_ATTR][at] = sqrt(attr);
    w->damage[HS_DAMAGE_FEAT][at] = sqrt(feat);
    memcpy(w->feat + at * w->F, a->feat + row * w->F, w->F * sizeof *w->feat);
}

HS_CHECKED static int judge(void *ctx, size_t image, size_t count, float *x_0)
{
    const arms_run *a = ctx;
    hs_robust_work *w = a->w;
    int rc = HS_OK;
    size_t rows = count * w->columns, first = a->first + image;
    hs_robust_clamp(rows * w->d_x, x_0);
    if (w->p->scorer != NULL) {
        HS_TRY(hs_scorer_eval(w->p->scorer, w->image, rows, x_0, a->value, a->feat));
    }
    for (size_t row = 0; row < rows; row++) {
        size_t i = first + row / w->columns, column = row % w->columns, at = column * w->p->n + i;
        const float *x = x_0 + row * w->d_x, *y = w->plain + i * w->d_x;
        w->damage[HS_DAMAGE_L2][at] = hs_image_l2(w->image, x, y);
        w->damage[HS_DAMAGE_HF][at] = hs_image_hf(w->image, x, y);
        HS_TRY(hs_image_dssim(w->image, x, y, &w->damage[HS_DAMAGE_SSIM][at]));
        if (w->p->scorer != NULL) {
            score_row(a, i, column, row);
        }
    }
    HS_TRY(hs_robust_cells_keep_arms(w, first, count));
out:
    return rc;
}

/* Where among the plain distances a perturbed h lies. */
HS_CHECKED static int watch_mid(void *ctx, size_t step, size_t image, size_t column, const float *h)
{
    const arms_run *a = ctx;
    hs_robust_work *w = a->w;
    if (step == w->mid) {
        double distance = hs_robust_distance(w, h);
        size_t below = 0;
        while (below < w->p->n && w->reference[below] < distance) {
            below++;
        }
        w->percentile[column * w->p->n + a->first + image] = (double)below / (double)w->p->n;
    }
    return HS_OK;
}

HS_CHECKED static int run_arms(hs_robust_work *w)
{
    int rc = HS_OK;
    const hs_robust_plan *p = w->p;
    arms_run a = {.w = w};
    size_t group = p->perturb.batch / w->columns, rows;
    group = group < 1 ? 1 : group < p->n ? group : p->n;
    rows = group * w->columns;
    HS_TRY(hs_robust_cells_arms(w, &a.first));
    w->r->resumed = a.first;
    if (a.first == p->n) {
        goto out;
    }
    HS_TRY(hs_alloc(rows, (w->factors + 1) * sizeof(double), &a.value));
    HS_TRY(hs_alloc(rows, (w->F + 1) * sizeof(float), &a.feat));
    w->perturb.what = "perturbed images";
    const hs_perturb_watch watch = {.h = w->model != NULL ? watch_mid : NULL, .ctx = &a, .ended = judge};
    HS_TRY(hs_perturb_run(&w->perturb, a.first, p->n - a.first, p->x_T + a.first * w->d_x, &(hs_perturb_span){0},
                          w->columns, w->column, &watch, NULL));
out:
    free(a.value);
    free(a.feat);
    return rc;
}

/* ---- One kick ---- */

typedef struct {
    hs_robust_work *w;
    size_t first;
    float *plain;      /* (d_h) of the image at hand: its column 0 comes first */
    double *log_first; /* (n, 2) */
} kick_watch;

HS_CHECKED static int watch_kick(void *ctx, size_t step, size_t image, size_t column, const float *h)
{
    kick_watch *k = ctx;
    const hs_robust_work *w = k->w;
    double square = 0;
    if (column == 0) {
        memcpy(k->plain, h, w->d_h * sizeof *h);
        return HS_OK;
    }
    image += k->first;
    for (size_t q = 0; q < w->d_h; q++) {
        double v = (double)h[q] - (double)k->plain[q];
        square += v * v;
    }
    if (step == w->kick + 1) {
        k->log_first[2 * image + column - 1] = log(square) / 2;
    } else if (step == w->S - 1) {
        double steps = (double)(w->S - 2 - w->kick), change = log(square) / 2 - k->log_first[2 * image + column - 1];
        w->r->contraction[column - 1][image] = isfinite(change) ? change / steps : NAN;
    }
    return HS_OK;
}

HS_CHECKED static int kicks_ended(void *ctx, size_t image, size_t count, float *x_0)
{
    const kick_watch *k = ctx;
    (void)x_0;
    return hs_robust_cells_keep_kicks(k->w, k->first + image, count);
}

HS_CHECKED static int run_kick(hs_robust_work *w)
{
    int rc = HS_OK;
    const hs_robust_plan *p = w->p;
    double level = p->level[hs_robust_middle(p)];
    const hs_perturbation column[3] = {{.space = HS_NOISE_EPS},
                                       {.space = HS_NOISE_H, .level = level, .once = 1},
                                       {.space = HS_NOISE_EPS, .level = level, .once = 1}};
    kick_watch k = {.w = w};
    w->r->kick_level = level;
    if (w->S < w->kick + 3) {
        return HS_OK;
    }
    for (int c = 0; c < 2; c++) {
        HS_TRY(hs_alloc(p->n, sizeof(double), &w->r->contraction[c]));
    }
    HS_TRY(hs_robust_cells_kicks(w, &k.first));
    if (k.first == p->n) {
        goto out;
    }
    HS_TRY(hs_alloc(w->d_h, sizeof(float), &k.plain));
    HS_TRY(hs_alloc(p->n, 2 * sizeof(double), &k.log_first));
    w->perturb.what = "one kick";
    const hs_perturb_watch watch = {.h = watch_kick, .ctx = &k, .ended = kicks_ended};
    HS_TRY(hs_perturb_run(&w->perturb, k.first, p->n - k.first, w->at_kick + k.first * w->d_x,
                          &(hs_perturb_span){.from = w->kick}, 3, column, &watch, NULL));
out:
    free(k.plain);
    free(k.log_first);
    return rc;
}

/* ---- Into the answer ---- */

/* v (n, m) <- the columns of an arm, level 0 first. */
static void gather(const hs_robust_work *w, int arm, const double *from, double zero, double *v)
{
    size_t n = w->p->n, m = w->r->m;
    for (size_t i = 0; i < n; i++) {
        v[i * m] = zero;
    }
    for (size_t c = 0; c < w->columns; c++) {
        for (size_t i = 0; w->meaning[c].arm == arm && i < n; i++) {
            v[i * m + w->meaning[c].at] = from[c * n + i];
        }
    }
}

HS_CHECKED static int file_arm(hs_robust_work *w, int arm, const double *level)
{
    int rc = HS_OK;
    size_t n = w->p->n, m = w->r->m;
    double *v = NULL;
    HS_TRY(hs_alloc(n * m, sizeof *v, &v));
    for (int k = 0; k < HS_DAMAGES; k++) {
        if (w->damage[k] != NULL) {
            gather(w, arm, w->damage[k], 0, v);
            w->r->damage[k].n = n;
            HS_TRY(hs_damage_add(&w->r->damage[k], (hs_arm)arm, m, level, v));
        }
    }
    if (w->model != NULL) {
        HS_TRY(hs_alloc(n * m, sizeof *v, &w->r->percentile[arm]));
        gather(w, arm, w->percentile, NAN, w->r->percentile[arm]);
    }
    if (w->feat_fresh != NULL && n > 1) {
        double *f;
        HS_TRY(hs_alloc(m, sizeof *f, &w->r->frechet[arm]));
        f = w->r->frechet[arm];
        f[0] = w->r->frechet_clean;
        for (size_t c = 0; c < w->columns; c++) {
            if (w->meaning[c].arm == arm) {
                HS_TRY(hs_frechet(w->F, n, w->feat + c * n * w->F, n, w->feat_fresh, &f[w->meaning[c].at]));
            }
        }
    }
out:
    free(v);
    return rc;
}

HS_CHECKED static int file_parts(hs_robust_work *w)
{
    int rc = HS_OK;
    size_t n = w->p->n;
    for (size_t c = 0; c < w->columns; c++) {
        for (int k = 0; w->meaning[c].arm < 0 && k < HS_DAMAGES; k++) {
            if (w->damage[k] != NULL) {
                double **to = &w->r->part[w->meaning[c].at][k];
                HS_TRY(hs_alloc(n, sizeof **to, to));
                memcpy(*to, w->damage[k] + c * n, n * sizeof **to);
            }
        }
    }
out:
    return rc;
}

/* tr S / n of features. */
static double bias_of(size_t n, size_t F, const float *feat)
{
    double sum = 0;
    for (size_t k = 0; k < F; k++) {
        double mean = 0, square = 0;
        for (size_t i = 0; i < n; i++) {
            mean += (double)feat[i * F + k] / (double)n;
        }
        for (size_t i = 0; i < n; i++) {
            double v = (double)feat[i * F + k] - mean;
            square += v * v;
        }
        sum += square / (double)(n - 1);
    }
    return sum / (double)n;
}

HS_CHECKED static int file_all(hs_robust_work *w)
{
    int rc = HS_OK;
    size_t n = w->p->n;
    double *level = NULL;
    HS_TRY(hs_alloc(w->r->m, sizeof *level, &level));
    level[0] = 0;
    memcpy(level + 1, w->p->level, w->p->m * sizeof *level);
    w->r->frechet_clean = w->r->frechet_bias = NAN;
    if (w->feat_fresh != NULL && n > 1) {
        HS_TRY(hs_frechet(w->F, n, w->feat_plain, n, w->feat_fresh, &w->r->frechet_clean));
        w->r->frechet_bias = bias_of(n, w->F, w->feat_plain) + bias_of(n, w->F, w->feat_fresh);
    }
    for (int a = 0; a < HS_ARMS; a++) {
        if (w->p->arm[a]) {
            HS_TRY(file_arm(w, a, level));
        }
    }
    HS_TRY(file_parts(w));
out:
    free(level);
    return rc;
}

HS_CHECKED static int make_room(hs_robust_work *w)
{
    int rc = HS_OK;
    size_t count;
    HS_TRY(hs_robust_columns(w->p, w->r->k > 0, &w->columns, &w->column, &w->meaning));
    HS_TRY(hs_size_mul(w->columns, w->p->n, &count));
    for (int k = 0; k < HS_DAMAGES; k++) {
        if (k < HS_DAMAGE_ATTR || w->p->scorer != NULL) {
            HS_TRY(hs_alloc(count, sizeof(double), &w->damage[k]));
        }
    }
    HS_TRY(hs_alloc(count, (w->F + 1) * sizeof(float), &w->feat));
    HS_TRY(hs_alloc(count, sizeof(double), &w->percentile));
out:
    return rc;
}

static int check(const hs_robust_plan *p)
{
    for (size_t j = 0; j < p->m; j++) {
        if (!(p->level[j] > (j > 0 ? p->level[j - 1] : 0)) || !isfinite(p->level[j])) {
            return hs_fail(HS_ERANGE, "noise level %g; wanted levels above 0, ascending", p->level[j]);
        }
    }
    return p->m > 0 ? HS_OK : hs_fail(HS_ERANGE, "no noise level above 0");
}

HS_CHECKED static int find_scale(const hs_robust_plan *p, hs_noise_scale *s)
{
    int rc = HS_OK, found;
    HS_TRY(hs_robust_cells_scale(p, s, &found));
    if (!found) {
        size_t first = p->n_fresh > 0 ? 2 * p->n : 0;
        HS_TRY(hs_noise_scale_measure(&p->perturb, p->matching, first, p->n_match, p->x_match, s));
        HS_TRY(hs_robust_cells_keep_scale(p, s));
    }
out:
    return rc;
}

int hs_robust_run_model(const hs_robust_plan *p, hs_robust_run *out)
{
    int rc = HS_OK;
    const hs_unet_config *cfg = hs_unet_config_of(p->perturb.model->unet);
    hs_robust_run r = {.n = p->n, .m = p->m + 1, .S = p->perturb.steps->S};
    hs_robust_work w = {.p = p,
                        .r = &r,
                        .perturb = p->perturb,
                        .image = hs_unet_image_shape(cfg),
                        .d_h = hs_chw_size(hs_unet_h_shape(cfg)),
                        .d_x = hs_chw_size(hs_unet_image_shape(cfg)),
                        .S = p->perturb.steps->S,
                        .F = p->scorer != NULL ? hs_scorer_config(p->scorer)->features : 0,
                        .factors = p->scorer != NULL ? hs_scorer_config(p->scorer)->n_factors : 0};
    w.mid = w.S / 2;
    w.kick = hs_robust_kick_step(w.S);
    HS_TRY(check(p));
    HS_TRY(find_scale(p, &r.scale));
    r.idle = p->perturb.steps->step[0].alpha_bar < 0.1 && !(r.scale.denoises >= 0.5);
    HS_TRY(hs_robust_clean(&w));
    w.perturb.scale = &r.scale;
    w.perturb.k = r.k;
    w.perturb.basis = w.basis;
    w.perturb.common = w.common;
    HS_TRY(make_room(&w));
    HS_TRY(run_arms(&w));
    HS_TRY(run_kick(&w));
    HS_TRY(file_all(&w));
    *out = r;
    memset(&r, 0, sizeof r);
out:
    work_free(&w);
    hs_robust_run_free(&r);
    return rc;
}

void hs_robust_cost(const hs_robust_plan *p, double *encodes, double *decodes)
{
    size_t count = 0, S = p->perturb.steps->S, kick = hs_robust_kick_step(S);
    hs_perturbation *column = NULL;
    hs_robust_column *meaning = NULL;
    *encodes = *decodes = NAN;
    if (hs_robust_columns(p, p->n > 1, &count, &column, &meaning) == HS_OK) {
        double plain = (double)(S * (p->n + p->n_fresh)), kicks = S < kick + 3 ? 0 : (double)p->n;
        double later = 3 * kicks * (double)(S - kick - 1); /* at the kick itself three columns are one state */
        double match = (double)(S * p->n_match);
        int first_order = p->matching == HS_MATCH_FIRST_ORDER;
        hs_perturb_cost(S, p->n, count, column, encodes, decodes);
        *encodes += plain + kicks + later + (first_order ? 2 : 1) * match;
        *decodes += plain + 2 * kicks + later + (first_order ? 3 : 1) * match;
    }
    free(column);
    free(meaning);
}
