#include "analysis/compare/directions.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/compare/context.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/linalg/blas.h"
#include "core/stats/bca.h"
#include "core/stats/moments.h"

enum { RANDOM = 200, GROUPS = 20 };

/* What steps add up: each a mean over steps and folds, all in one run of numbers. */
typedef struct {
    double *v;                      /* owns the others */
    double *cosine[2], *ceiling[2]; /* (D) */
    double *less[2];                /* (D, GROUPS) of the cosine without a group */
    double *random[2];              /* (D, RANDOM) */
    double *shuffled[2];            /* (D, nulls) */
    double *raw, *raw_control;      /* (D) */
} sums;

struct hs_carrier {
    const hs_compare_side *side[2];
    size_t D;
    const hs_direction_pair *pair;
    const hs_compare_options *o;
    double share;      /* of one fold of one step in a mean */
    double *q[2];      /* (D, n) products of the images with the directions, of the step at hand */
    double *norm[2];   /* (D) at that step */
    float *v[2];       /* (D, d) */
    sums step, all;    /* of the step at hand, and over steps */
    size_t kept;       /* random directions that are carried, too */
    double *weight[2]; /* (S, D + kept, n) carried ones as sums of the other side's images, or NULL */
};

static size_t sums_count(size_t D, size_t nulls)
{
    return 2 * D * (3 + GROUPS + RANDOM + nulls);
}

HS_CHECKED static int sums_new(size_t D, size_t nulls, sums *s)
{
    int rc;
    HS_TRY(hs_calloc(sums_count(D, nulls), sizeof *s->v, &s->v));
    double *v = s->v;
    for (size_t way = 0; way < 2; way++) {
        s->cosine[way] = v;
        s->ceiling[way] = s->cosine[way] + D;
        s->less[way] = s->ceiling[way] + D;
        s->random[way] = s->less[way] + D * GROUPS;
        s->shuffled[way] = s->random[way] + D * RANDOM;
        v = s->shuffled[way] + D * nulls;
    }
    s->raw = v;
    s->raw_control = v + D;
out:
    return rc;
}

void hs_carrier_free(hs_carrier *c)
{
    for (size_t s = 0; c != NULL && s < 2; s++) {
        free(c->q[s]);
        free(c->norm[s]);
        free(c->v[s]);
        free(c->weight[s]);
    }
    if (c != NULL) {
        free(c->step.v);
        free(c->all.v);
        free(c);
    }
}

static const float *direction(const hs_carrier *c, size_t j, size_t s)
{
    return s == 0 ? c->pair[j].a : c->pair[j].b;
}

HS_CHECKED static int check(const hs_carrier *c)
{
    for (size_t j = 0; j < c->D; j++) {
        for (size_t s = 0; s < 2; s++) {
            for (size_t k = 0; k < c->side[s]->S; k++) {
                double norm = hs_nrm2_f32(c->side[s]->d, direction(c, j, s) + k * c->side[s]->d);
                if (!(norm > 0) || !isfinite(norm)) {
                    return hs_fail(HS_EDEGENERATE, "direction %s is %s at step %zu",
                                   s == 0 ? c->pair[j].name_a : c->pair[j].name_b, norm > 0 ? "not finite" : "0", k);
                }
            }
        }
    }
    return HS_OK;
}

int hs_carrier_new(const hs_compare_side *a, const hs_compare_side *b, size_t D, const hs_direction_pair *pair,
                   const hs_compare_options *o, hs_carrier **out)
{
    hs_carrier *c = NULL;
    int rc = HS_OK;
    HS_TRY(hs_calloc(1, sizeof *c, &c));
    *c = (hs_carrier){.side = {a, b}, .D = D, .pair = pair, .o = o};
    c->share = 1 / (double)(o->fold.folds * a->S);
    HS_TRY(check(c));
    for (size_t s = 0; s < 2; s++) {
        HS_TRY(hs_alloc(D * a->n, sizeof(double), &c->q[s]));
        HS_TRY(hs_alloc(D, sizeof(double), &c->norm[s]));
        HS_TRY(hs_alloc(D * c->side[s]->d, sizeof(float), &c->v[s]));
    }
    HS_TRY(sums_new(D, o->nulls, &c->step));
    HS_TRY(sums_new(D, o->nulls, &c->all));
    *out = c;
    c = NULL;
out:
    hs_carrier_free(c);
    return rc;
}

/* ---- A step ---- */

/* Cosines of the directions of the step as they stand: each with its own, and with the others. */
static void add_raw(hs_carrier *c)
{
    size_t d = c->side[0]->d;
    for (size_t i = 0; i < c->D; i++) {
        for (size_t j = 0; j < c->D; j++) {
            double cosine = hs_dot_f32(d, c->v[0] + i * d, c->v[1] + j * d) / (c->norm[0][i] * c->norm[1][j]);
            if (i == j) {
                c->step.raw[i] += cosine / (double)c->side[0]->S;
            } else {
                c->step.raw_control[i] += fabs(cosine) / (double)(c->side[0]->S * (c->D - 1));
            }
        }
    }
}

HS_CHECKED static int begin_step(hs_carrier *c, size_t k)
{
    int rc = HS_OK;
    for (size_t s = 0; s < 2; s++) {
        size_t d = c->side[s]->d;
        for (size_t j = 0; j < c->D; j++) {
            memcpy(c->v[s] + j * d, direction(c, j, s) + k * d, d * sizeof(float));
            c->norm[s][j] = hs_nrm2_f32(d, c->v[s] + j * d);
        }
        HS_TRY(hs_side_products(c->side[s], k, c->D, c->v[s], c->q[s]));
    }
    if (c->side[0]->d == c->side[1]->d) {
        add_raw(c);
    }
out:
    return rc;
}

/* ---- A fold ---- */

/* Coordinates of one thing of each side, and room for a mapped one. */
typedef struct {
    double *c[2], *to;
} work;

static void work_free(work *w)
{
    free(w->c[0]);
    free(w->c[1]);
    free(w->to);
}

HS_CHECKED static int work_new(const hs_fold *f, work *w)
{
    int rc;
    *w = (work){{NULL, NULL}, NULL};
    HS_TRY(hs_alloc(f->a.r, sizeof(double), &w->c[0]));
    HS_TRY(hs_alloc(f->b.r, sizeof(double), &w->c[1]));
    HS_TRY(hs_alloc(f->a.r + f->b.r, sizeof(double), &w->to));
out:
    return rc;
}

/* cos(mapped from, target of full norm): way 0 a to b, 1 back. */
static double mapped_cosine(const hs_align *fit, size_t rank, size_t way, const double *from, const double *target,
                            double norm, double *to)
{
    size_t r = way == 0 ? fit->rb : fit->ra;
    (way == 0 ? hs_align_map : hs_align_map_back)(fit, rank < fit->rank ? rank : fit->rank, from, to);
    double length = hs_nrm2_f64(r, to);
    return length > 0 && norm > 0 ? hs_dot_f64(r, to, target) / length / norm : 0;
}

static void coordinates(const hs_carrier *c, const hs_fold *f, size_t j, work *w)
{
    hs_coords_of_products(&f->a, c->q[0] + j * c->side[0]->n, w->c[0]);
    hs_coords_of_products(&f->b, c->q[1] + j * c->side[0]->n, w->c[1]);
}

/* The cosines of every direction under a fit, times the share, added to to[way][j * stride + at]. */
HS_CHECKED static int add_cosines(const hs_carrier *c, const hs_fold *f, const hs_align *fit, double *const to[2],
                                  size_t stride, size_t at)
{
    int rc;
    work w;
    HS_TRY(work_new(f, &w));
    for (size_t j = 0; j < c->D; j++) {
        coordinates(c, f, j, &w);
        for (size_t way = 0; way < 2; way++) {
            to[way][j * stride + at] +=
                c->share * mapped_cosine(fit, f->rank, way, w.c[way], w.c[1 - way], c->norm[1 - way][j], w.to);
        }
    }
out:
    work_free(&w);
    return rc;
}

HS_CHECKED static int add_ceilings(hs_carrier *c, const hs_fold *f)
{
    int rc;
    work w;
    HS_TRY(work_new(f, &w));
    for (size_t j = 0; j < c->D; j++) {
        coordinates(c, f, j, &w);
        c->step.ceiling[0][j] += c->share * fmin(1, hs_nrm2_f64(f->b.r, w.c[1]) / c->norm[1][j]);
        c->step.ceiling[1][j] += c->share * fmin(1, hs_nrm2_f64(f->a.r, w.c[0]) / c->norm[0][j]);
    }
out:
    work_free(&w);
    return rc;
}

static size_t group_of(const hs_carrier *c, size_t image)
{
    return image / c->o->fold.folds % GROUPS;
}

/* The fit without the images of a group: their rows count for nothing in the cross products. */
HS_CHECKED static int refit(const hs_carrier *c, const hs_fold *f, size_t group, hs_align *out)
{
    int rc;
    hs_coords a = {0};
    HS_TRY(hs_coords_leading(&f->a, f->a.r, &a));
    for (size_t i = 0; i < a.m; i++) {
        if (group_of(c, a.fit[i]) == group) {
            memset(a.z + a.fit[i] * a.r, 0, a.r * sizeof *a.z);
        }
    }
    HS_TRY(hs_align_fit(&a, &f->b, 0, NULL, out));
out:
    hs_coords_free(&a);
    return rc;
}

/* w->c <- random direction b of either side: one mixture of images at every step, with the covariance of the fit
 * images, or isotropic in their axes. */
HS_CHECKED static int draw(const hs_carrier *c, const hs_fold *f, size_t b, int isotropic, work *w)
{
    int rc;
    float *g = NULL;
    HS_TRY(hs_alloc(f->a.n, sizeof *g, &g));
    hs_rng_normal((hs_rng){c->o->bootstrap.seed, HS_RNG_DIRECTION, b}, 0, f->a.n, g);
    for (size_t s = 0; s < 2; s++) {
        const hs_coords *x = s == 0 ? &f->a : &f->b;
        memset(w->c[s], 0, x->r * sizeof(double));
        for (size_t i = 0; i < x->m; i++) {
            for (size_t l = 0; l < x->r; l++) {
                w->c[s][l] += (double)g[x->fit[i]] * x->z[x->fit[i] * x->r + l] / (isotropic ? x->sigma[l] : 1);
            }
        }
    }
out:
    free(g);
    return rc;
}

HS_CHECKED static int add_random(hs_carrier *c, const hs_fold *f)
{
    int rc;
    work w, own = {{NULL, NULL}, NULL};
    HS_TRY(work_new(f, &w));
    HS_TRY(work_new(f, &own));
    for (size_t b = 0; b < RANDOM; b++) {
        HS_TRY(draw(c, f, b, 0, &w));
        for (size_t j = 0; j < c->D; j++) {
            coordinates(c, f, j, &own);
            for (size_t way = 0; way < 2; way++) {
                c->step.random[way][j * RANDOM + b] +=
                    c->share *
                    mapped_cosine(&f->align, f->rank, way, w.c[way], own.c[1 - way], c->norm[1 - way][j], w.to);
            }
        }
    }
out:
    work_free(&w);
    work_free(&own);
    return rc;
}

/* ---- Carried directions ---- */

int hs_carrier_keep(hs_carrier *c, size_t random)
{
    int rc = HS_OK;
    c->kept = random;
    for (size_t way = 0; way < 2; way++) {
        HS_TRY(hs_calloc(c->side[0]->S * (c->D + random), c->side[0]->n * sizeof(double), &c->weight[way]));
    }
out:
    return rc;
}

/* The maps of a fold, as weights of images. */
HS_CHECKED static int keep_maps(hs_carrier *c, size_t k, const hs_fold *f)
{
    int rc;
    size_t n = f->a.n, all = c->D + c->kept;
    work w;
    HS_TRY(work_new(f, &w));
    for (size_t j = 0; j < all; j++) {
        if (j < c->D) {
            coordinates(c, f, j, &w);
        } else {
            HS_TRY(draw(c, f, j - c->D, 1, &w));
        }
        for (size_t way = 0; way < 2; way++) {
            (way == 0 ? hs_align_map : hs_align_map_back)(&f->align, f->rank, w.c[way], w.to);
            hs_coords_weights(way == 0 ? &f->b : &f->a, w.to, c->weight[way] + (k * all + j) * n);
        }
    }
out:
    work_free(&w);
    return rc;
}

int hs_carrier_carry(const hs_carrier *c, size_t way, size_t k, float *out)
{
    int rc;
    const hs_compare_side *to = c->side[1 - way];
    size_t all = c->D + c->kept;
    HS_TRY(hs_side_combine(to, k, all, c->weight[way] + k * all * to->n, out));
    for (size_t j = 0; j < all; j++) {
        float *v = out + j * to->d;
        double norm = hs_nrm2_f32(to->d, v);
        for (size_t l = 0; l < to->d && norm > 0; l++) {
            v[l] = (float)((double)v[l] / norm);
        }
    }
out:
    return rc;
}

static int see(void *ctx, size_t k, size_t fold, const hs_fold *f)
{
    hs_carrier *c = ctx;
    int rc = HS_OK;
    hs_align less = {0};
    HS_TRY(fold == 0 ? begin_step(c, k) : HS_OK);
    HS_TRY(add_cosines(c, f, &f->align, c->step.cosine, 1, 0));
    HS_TRY(add_ceilings(c, f));
    for (size_t g = 0; g < GROUPS; g++) {
        HS_TRY(refit(c, f, g, &less));
        HS_TRY(add_cosines(c, f, &less, c->step.less, GROUPS, g));
        hs_align_free(&less);
    }
    HS_TRY(add_random(c, f));
    HS_TRY(fold == 0 && c->weight[0] != NULL ? keep_maps(c, k, f) : HS_OK);
out:
    hs_align_free(&less);
    return rc;
}

static int see_shuffled(void *ctx, size_t k, const hs_fold *f, size_t b, const hs_align *fit)
{
    hs_carrier *c = ctx;
    (void)k;
    return add_cosines(c, f, fit, c->step.shuffled, c->o->nulls, b);
}

hs_compare_watch hs_carrier_watch(hs_carrier *c)
{
    return (hs_compare_watch){see, see_shuffled, c, sums_count(c->D, c->o->nulls), c->step.v, c->all.v};
}

/* ---- The answer ---- */

/* Quantile of |v|; v is overwritten. */
static double null_of(size_t n, double *v)
{
    for (size_t i = 0; i < n; i++) {
        v[i] = fabs(v[i]);
    }
    return hs_null_quantile(n, v);
}

/* The ratio, its interval from the fits without a group each; lower: of both ways. */
static void intervals(const hs_carrier *c, size_t j, hs_direction_answer *r)
{
    size_t used = c->side[0]->n / c->o->fold.folds < GROUPS ? c->side[0]->n / c->o->fold.folds : GROUPS;
    double less[2][GROUPS], low[GROUPS], over[2];
    for (size_t way = 0; way < 2; way++) {
        over[way] = r->ceiling[way] > 0 ? r->cosine[way] / r->ceiling[way] : (double)NAN;
        for (size_t g = 0; g < used; g++) {
            less[way][g] = r->ceiling[way] > 0 ? c->all.less[way][j * GROUPS + g] / r->ceiling[way] : (double)NAN;
        }
        r->over[way] = hs_jackknife_interval(over[way], used, less[way], c->o->bootstrap.level);
    }
    for (size_t g = 0; g < used; g++) {
        low[g] = fmin(less[0][g], less[1][g]);
    }
    r->lower = hs_jackknife_interval(fmin(over[0], over[1]), used, low, c->o->bootstrap.level);
}

static void decide(const hs_carrier *c, hs_direction_answer *r)
{
    const size_t way = r->over[0].value <= r->over[1].value ? 0U : 1U;
    double gate = fmax(r->random[way], r->shuffled[way]), least = fmin(r->ceiling[0], r->ceiling[1]);
    double standard = c->o->standard;
    const hs_interval *p = &r->lower;
    int above = r->cosine[way] > gate;
    r->verdict = HS_VERDICT_INCONCLUSIVE;
    if (least * least < 0.1) {
        snprintf(r->reason, sizeof r->reason,
                 "only %.1f %% of the direction lies in the axes of these images: more images, or --components",
                 100 * least * least);
    } else if (isnan(p->lo)) {
        snprintf(r->reason, sizeof r->reason, "no interval: %s", p->reason);
    } else {
        r->verdict = p->hi < standard             ? HS_VERDICT_FAILS
                     : p->lo >= standard && above ? HS_VERDICT_HOLDS
                                                  : HS_VERDICT_INCONCLUSIVE;
        snprintf(
            r->reason, sizeof r->reason,
            "aligned cosine over its ceiling %.3f [%.3f, %.3f] %s the standard, %g; unscaled %.3f is %s %.3f of random "
            "directions and shuffled pairs",
            p->value, p->lo, p->hi,
            p->hi < standard    ? "lies below"
            : p->lo >= standard ? "lies at or above"
                                : "contains",
            standard, r->cosine[way], above ? "above" : "not above", gate);
    }
}

int hs_carrier_judge(const hs_carrier *c, hs_direction_answer *answer)
{
    int rc = HS_OK;
    size_t B = c->o->nulls, most = RANDOM > B ? RANDOM : B;
    double *v = NULL;
    HS_TRY(hs_alloc(most, sizeof *v, &v));
    for (size_t j = 0; j < c->D; j++) {
        hs_direction_answer *r = &answer[j];
        int same = c->side[0]->d == c->side[1]->d;
        *r = (hs_direction_answer){.raw = same ? c->all.raw[j] : (double)NAN,
                                   .raw_control = same && c->D > 1 ? c->all.raw_control[j] : (double)NAN};
        for (size_t way = 0; way < 2; way++) {
            r->cosine[way] = c->all.cosine[way][j];
            r->ceiling[way] = c->all.ceiling[way][j];
            memcpy(v, c->all.random[way] + j * RANDOM, RANDOM * sizeof *v);
            r->random[way] = null_of(RANDOM, v);
            memcpy(v, c->all.shuffled[way] + j * B, B * sizeof *v);
            r->shuffled[way] = null_of(B, v);
        }
        intervals(c, j, r);
        decide(c, r);
    }
out:
    free(v);
    return rc;
}

hs_verdict hs_directions_verdict(size_t D, const hs_direction_answer *answer)
{
    hs_verdict v = HS_VERDICT_HOLDS;
    for (size_t j = 0; j < D; j++) {
        if (answer[j].verdict == HS_VERDICT_FAILS) {
            return HS_VERDICT_FAILS;
        }
        v = answer[j].verdict == HS_VERDICT_INCONCLUSIVE ? HS_VERDICT_INCONCLUSIVE : v;
    }
    return v;
}
