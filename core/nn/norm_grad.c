#include "core/base/simd.h"
#include "core/nn/expf.h"
#include "core/nn/norm.h"
#include "core/nn/norm_span.h"

/* With d = x - mean, a = gamma rstd (1 + scale) and b = beta (1 + scale) + shift: y = act(a d + b).
 * Both derivatives pass twice over a span: sums over the pixels of each channel, then one expression
 * in d, the incoming u and act' with factors p, q, r.  Mean and rstd are taken as the statistics
 * give them, so that jvp and vjp are adjoint to rounding whatever the statistics' own rounding. */
typedef struct {
    double first[HS_NORM_SPAN], second[HS_NORM_SPAN]; /* sums over pixels of w and of w d */
    float mean[HS_NORM_SPAN], a[HS_NORM_SPAN], b[HS_NORM_SPAN];
    float p[HS_NORM_SPAN], q[HS_NORM_SPAN], r[HS_NORM_SPAN];
    double rstd[HS_NORM_SPAN];
} span_point;

/* One state of a row. */
typedef struct {
    const float *x[2], *scale, *shift, *stats;
} state_point;

static state_point state_of(const hs_groupnorm *gn, const hs_groupnorm_at *p, size_t s)
{
    return (state_point){{p->x + s * p->hw * p->c, p->x2 != NULL ? p->x2 + s * p->hw * p->c2 : NULL},
                         p->scale != NULL ? p->scale + s * p->ss_ld : NULL,
                         p->shift != NULL ? p->shift + s * p->ss_ld : NULL,
                         p->stats + s * 2 * gn->groups};
}

static double scale_at(const state_point *s, size_t j)
{
    return s->scale != NULL ? 1 + (double)s->scale[j] : 1;
}

static void span_start(const hs_groupnorm *gn, const state_point *s, size_t per_group, size_t c0, size_t n,
                       span_point *st)
{
    for (size_t j = 0; j < n; j++) {
        const float *stats = s->stats + (c0 + j) / per_group * 2;
        double scale = scale_at(s, c0 + j);
        st->first[j] = st->second[j] = 0;
        st->mean[j] = stats[0];
        st->rstd[j] = (double)stats[1];
        st->a[j] = (float)((double)gn->gamma[c0 + j] * st->rstd[j] * scale);
        st->b[j] = (float)((double)gn->beta[c0 + j] * scale + (s->shift != NULL ? (double)s->shift[c0 + j] : 0));
    }
}

/* One block of pixels of n channels; kept, laid out as x: where w = slope u goes, or NULL. */
typedef struct {
    size_t pixels, n, ldx, ldu;
    const float *x, *u;
    float *kept;
} block;

/* What is summed: u itself, slope u, or slope u that is kept as well. */
typedef enum { PLAIN, SLOPE, SLOPE_KEPT } summand;

/* Adds the sums of w and w d of 16 channels. */
__attribute__((always_inline)) static inline void sums(const block *k, summand kind, const float *mean, const float *a,
                                                       const float *b, double *first, double *second)
{
    float s[HS_NORM_LANES] = {0}, t[HS_NORM_LANES] = {0};
    for (size_t p = 0; p < k->pixels; p++) {
        const float *x = k->x + p * k->ldx, *u = k->u + p * k->ldu;
        float *kept = kind == SLOPE_KEPT ? k->kept + p * k->ldx : NULL;
#pragma omp simd
        for (size_t l = 0; l < HS_NORM_LANES; l++) {
            float d = x[l] - mean[l], w = kind == PLAIN ? u[l] : u[l] * hs_silu_slope(a[l] * d + b[l]);
            s[l] += w;
            t[l] += w * d;
            if (kind == SLOPE_KEPT) {
                kept[l] = w;
            }
        }
    }
    for (size_t l = 0; l < HS_NORM_LANES; l++) {
        first[l] += (double)s[l];
        second[l] += (double)t[l];
    }
}

HS_SIMD static void sums_plain(const block *k, const float *mean, double *first, double *second)
{
    sums(k, PLAIN, mean, mean, mean, first, second);
}

HS_SIMD static void sums_slope(const block *k, const float *mean, const float *a, const float *b, double *first,
                               double *second)
{
    sums(k, SLOPE, mean, a, b, first, second);
}

HS_SIMD static void sums_slope_kept(const block *k, const float *mean, const float *a, const float *b, double *first,
                                    double *second)
{
    sums(k, SLOPE_KEPT, mean, a, b, first, second);
}

/* The last channels of a part, fewer than a vector of them. */
static void sums_rest(const block *k, int silu, const float *mean, const float *a, const float *b, double *first,
                      double *second)
{
    for (size_t l = 0; l < k->n; l++) {
        float s = 0, t = 0;
        for (size_t p = 0; p < k->pixels; p++) {
            float d = k->x[p * k->ldx + l] - mean[l], w = k->u[p * k->ldu + l];
            w = silu ? w * hs_silu_slope(a[l] * d + b[l]) : w;
            s += w;
            t += w * d;
            if (k->kept != NULL) {
                k->kept[p * k->ldx + l] = w;
            }
        }
        first[l] += (double)s;
        second[l] += (double)t;
    }
}

/* Adds to st->first and second those of channels j ... j + k.n - 1 of the span, over all pixels. */
static void channel_sums(block k, int silu, size_t j, span_point *st)
{
    for (size_t e = 0, steps = (k.n + HS_NORM_LANES - 1) / HS_NORM_LANES; e < k.pixels; e += HS_NORM_BLOCK) {
        for (size_t i = 0; i < steps; i++) {
            size_t l = i * HS_NORM_LANES, left = k.pixels - e;
            const float *mean = st->mean + j + l, *a = st->a + j + l, *b = st->b + j + l;
            double *first = st->first + j + l, *second = st->second + j + l;
            block part = {left < HS_NORM_BLOCK ? left : HS_NORM_BLOCK,
                          k.n - l,
                          k.ldx,
                          k.ldu,
                          k.x + e * k.ldx + l,
                          k.u + e * k.ldu + l,
                          k.kept != NULL ? k.kept + e * k.ldx + l : NULL};
            if (part.n < HS_NORM_LANES) {
                sums_rest(&part, silu, mean, a, b, first, second);
            } else if (!silu) {
                sums_plain(&part, mean, first, second);
            } else {
                (k.kept != NULL ? sums_slope_kept : sums_slope)(&part, mean, a, b, first, second);
            }
        }
    }
}

/* Mean over a group, which begins at channel j of the span, of the weighted first sums, and that of the
 * second times rstd^2. */
static void group_means(const span_point *st, size_t j, size_t per_group, size_t hw, const double *weight, double *f,
                        double *s)
{
    double count = (double)(hw * per_group);
    *f = *s = 0;
    for (size_t l = j; l < j + per_group; l++) {
        *f += weight[l] * st->first[l];
        *s += weight[l] * st->second[l];
    }
    *f /= count;
    *s *= st->rstd[j] * st->rstd[j] / count;
}

/* The second pass over n channels of a row, from channel j of the span on. */
typedef struct {
    size_t pixels, n, ldx, ldu, ldy;
    const float *x, *u, *add; /* add: laid out as out */
    float *out;
} pass;

__attribute__((always_inline)) static inline void apply(const pass *k, const span_point *st, size_t j, int adjoint,
                                                        int silu, int added)
{
    const float *mean = st->mean + j, *a = st->a + j, *b = st->b + j, *p = st->p + j, *q = st->q + j, *r = st->r + j;
    for (size_t i = 0; i < k->pixels; i++) {
        const float *x = k->x + i * k->ldx, *u = k->u + i * k->ldu, *add = added ? k->add + i * k->ldy : NULL;
        float *out = k->out + i * k->ldy;
#pragma omp simd
        for (size_t l = 0; l < k->n; l++) {
            float d = x[l] - mean[l], slope = silu ? hs_silu_slope(a[l] * d + b[l]) : 1;
            float v = adjoint ? p[l] * (slope * u[l]) + (q[l] * d + r[l]) : slope * (p[l] * u[l] + (q[l] * d + r[l]));
            out[l] = added ? v + add[l] : v;
        }
    }
}

HS_SIMD static void apply_jvp(const pass *k, const span_point *st, size_t j)
{
    apply(k, st, j, 0, 0, 0);
}

HS_SIMD static void apply_jvp_silu(const pass *k, const span_point *st, size_t j)
{
    apply(k, st, j, 0, 1, 0);
}

HS_SIMD static void apply_vjp(const pass *k, const span_point *st, size_t j)
{
    apply(k, st, j, 1, 0, 0);
}

HS_SIMD static void apply_vjp_add(const pass *k, const span_point *st, size_t j)
{
    apply(k, st, j, 1, 0, 1);
}

HS_SIMD static void apply_vjp_silu_add(const pass *k, const span_point *st, size_t j)
{
    apply(k, st, j, 1, 1, 1);
}

/* p, q, r of the jvp: dy = slope (a (dx - f - s d) + (gamma rstd d + beta) dscale + dshift). */
static void jvp_factors(const hs_groupnorm *gn, size_t hw, size_t per_group, size_t c0, size_t n, const float *dscale,
                        const float *dshift, span_point *st)
{
    double ones[HS_NORM_SPAN], f, s;
    for (size_t j = 0; j < n; j++) {
        ones[j] = 1;
    }
    for (size_t j = 0; j < n; j += per_group) {
        group_means(st, j, per_group, hw, ones, &f, &s);
        for (size_t l = j; l < j + per_group; l++) {
            double ds = dscale != NULL ? (double)dscale[c0 + l] : 0, dt = dshift != NULL ? (double)dshift[c0 + l] : 0;
            double a = (double)st->a[l];
            st->p[l] = st->a[l];
            st->q[l] = (float)((double)gn->gamma[c0 + l] * st->rstd[l] * ds - a * s);
            st->r[l] = (float)((double)gn->beta[c0 + l] * ds + dt - a * f);
        }
    }
}

static void jvp_span(const hs_groupnorm *gn, const hs_groupnorm_at *at, const state_point *s, const hs_norm_cut *cut,
                     size_t c0, size_t n, const float *const dx[2], const float *dscale, const float *dshift, float *dy)
{
    span_point st;
    size_t left, place, ld;
    span_start(gn, s, cut->per_group, c0, n, &st);
    for (size_t j = 0; j < n; j += left) {
        left = n - j;
        int part = hs_norm_part(at->c, at->c2, c0 + j, &left, &place, &ld);
        if (dx[part] != NULL) {
            channel_sums((block){at->hw, left, ld, ld, s->x[part] + place, dx[part] + place, NULL}, 0, j, &st);
        }
    }
    jvp_factors(gn, at->hw, cut->per_group, c0, n, dscale, dshift, &st);
    for (size_t j = 0; j < n; j += left) {
        left = n - j;
        int part = hs_norm_part(at->c, at->c2, c0 + j, &left, &place, &ld);
        const float *u = dx[part];
        for (size_t l = j; u == NULL && l < j + left; l++) {
            st.p[l] = 0; /* a tangent of zeros: x stands in for it */
        }
        pass k = {at->hw, left,       ld, ld, cut->channels, s->x[part] + place, (u != NULL ? u : s->x[part]) + place,
                  NULL,   dy + c0 + j};
        (gn->silu ? apply_jvp_silu : apply_jvp)(&k, &st, j);
    }
}

void hs_groupnorm_jvp(const hs_groupnorm *gn, const hs_groupnorm_at *p, size_t rows, const size_t *at, const float *dx,
                      const float *dx2, const float *dscale, const float *dshift, size_t dss_ld, float *dy)
{
    hs_norm_cut cut = hs_norm_cut_of(gn->groups, p->c + p->c2, rows);
#pragma omp parallel for schedule(static)
    for (size_t u = 0; u < rows * cut.spans; u++) {
        size_t i = u / cut.spans, n, c0 = hs_norm_span_at(&cut, u, &n);
        state_point s = state_of(gn, p, at != NULL ? at[i] : i);
        const float *tangent[2] = {dx + i * p->hw * p->c, dx2 != NULL ? dx2 + i * p->hw * p->c2 : NULL};
        jvp_span(gn, p, &s, &cut, c0, n, tangent, dscale != NULL ? dscale + i * dss_ld : NULL,
                 dshift != NULL ? dshift + i * dss_ld : NULL, dy + i * p->hw * cut.channels);
    }
}

/* p, q, r of the adjoint: dx = a w - rstd (f + s d), w = slope dy, f and s of gamma (1 + scale) w. */
static void vjp_factors(const hs_groupnorm *gn, const state_point *sp, size_t hw, size_t per_group, size_t c0, size_t n,
                        span_point *st)
{
    double weight[HS_NORM_SPAN], f, s;
    for (size_t j = 0; j < n; j++) {
        weight[j] = (double)gn->gamma[c0 + j] * scale_at(sp, c0 + j);
    }
    for (size_t j = 0; j < n; j += per_group) {
        group_means(st, j, per_group, hw, weight, &f, &s);
        for (size_t l = j; l < j + per_group; l++) {
            st->p[l] = st->a[l];
            st->q[l] = (float)(-st->rstd[l] * s);
            st->r[l] = (float)(-st->rstd[l] * f);
        }
    }
}

/* What the sums give to the parameters: of scale and shift at once, of gamma and beta as this row's
 * part, (c + c2) of gamma and then as many of beta. */
static void vjp_parameters(const hs_groupnorm *gn, const state_point *sp, size_t channels, size_t c0, size_t n,
                           const span_point *st, float *dscale, float *dshift, double *part)
{
    for (size_t j = 0; j < n; j++) {
        double along = st->second[j] * st->rstd[j]; /* the sum of w times the normalised x */
        if (dscale != NULL) {
            dscale[c0 + j] = (float)((double)gn->gamma[c0 + j] * along + (double)gn->beta[c0 + j] * st->first[j]);
        }
        if (dshift != NULL) {
            dshift[c0 + j] = (float)st->first[j];
        }
        if (part != NULL) {
            part[c0 + j] = along * scale_at(sp, c0 + j);
            part[channels + c0 + j] = st->first[j] * scale_at(sp, c0 + j);
        }
    }
}

/* One row of what hs_groupnorm_vjp reads and writes. */
typedef struct {
    const float *dy, *add[2];
    float *dx[2], *dscale, *dshift;
    double *part;
} vjp_row;

static vjp_row row_of(const hs_groupnorm_at *p, const float *dy, const hs_groupnorm_grads *g, size_t i, double *scratch)
{
    size_t first = i * p->hw * p->c, second = i * p->hw * p->c2, channels = p->c + p->c2;
    return (vjp_row){dy + first + second,
                     {g->add != NULL ? g->add + first : NULL, g->add2 != NULL ? g->add2 + second : NULL},
                     {g->dx + first, g->dx2 != NULL ? g->dx2 + second : NULL},
                     g->dscale != NULL ? g->dscale + i * g->dss_ld : NULL,
                     g->dshift != NULL ? g->dshift + i * g->dss_ld : NULL,
                     g->dgamma != NULL ? scratch + i * 2 * channels : NULL};
}

/* slope dy of a part is kept in its dx between the passes, unless dx holds what is to be added. */
static int keeps(const hs_groupnorm *gn, const vjp_row *row, int part)
{
    return gn->silu && row->dx[part] != NULL && row->dx[part] != row->add[part];
}

static void vjp_apply(const hs_groupnorm *gn, const hs_groupnorm_at *at, const state_point *s, size_t c0, size_t n,
                      const vjp_row *row, const span_point *st)
{
    size_t left, place, ld, channels = at->c + at->c2;
    for (size_t j = 0; j < n; j += left) {
        left = n - j;
        int part = hs_norm_part(at->c, at->c2, c0 + j, &left, &place, &ld), kept = keeps(gn, row, part);
        if (row->dx[part] == NULL) {
            continue;
        }
        float *dx = row->dx[part] + place;
        const float *add = row->add[part] != NULL ? row->add[part] + place : NULL;
        pass k = {at->hw, left, ld, kept ? ld : channels, ld, s->x[part] + place, kept ? dx : row->dy + c0 + j,
                  add,    dx};
        if (add == NULL) {
            apply_vjp(&k, st, j);
        } else {
            (gn->silu && !kept ? apply_vjp_silu_add : apply_vjp_add)(&k, st, j);
        }
    }
}

static void vjp_span(const hs_groupnorm *gn, const hs_groupnorm_at *at, const state_point *s, const hs_norm_cut *cut,
                     size_t c0, size_t n, const vjp_row *row)
{
    span_point st;
    size_t left, place, ld;
    span_start(gn, s, cut->per_group, c0, n, &st);
    for (size_t j = 0; j < n; j += left) {
        left = n - j;
        int part = hs_norm_part(at->c, at->c2, c0 + j, &left, &place, &ld);
        block k = {at->hw,
                   left,
                   ld,
                   cut->channels,
                   s->x[part] + place,
                   row->dy + c0 + j,
                   keeps(gn, row, part) ? row->dx[part] + place : NULL};
        channel_sums(k, gn->silu, j, &st);
    }
    vjp_parameters(gn, s, cut->channels, c0, n, &st, row->dscale, row->dshift, row->part);
    vjp_factors(gn, s, at->hw, cut->per_group, c0, n, &st);
    vjp_apply(gn, at, s, c0, n, row, &st);
}

size_t hs_groupnorm_vjp_scratch(const hs_groupnorm *gn, size_t rows, size_t channels)
{
    (void)gn;
    return rows * 2 * channels * sizeof(double);
}

void hs_groupnorm_vjp(const hs_groupnorm *gn, const hs_groupnorm_at *p, size_t rows, const size_t *at, const float *dy,
                      const hs_groupnorm_grads *g, void *scratch)
{
    size_t channels = p->c + p->c2;
    hs_norm_cut cut = hs_norm_cut_of(gn->groups, channels, rows);
#pragma omp parallel for schedule(static)
    for (size_t u = 0; u < rows * cut.spans; u++) {
        size_t i = u / cut.spans, n, c0 = hs_norm_span_at(&cut, u, &n);
        state_point s = state_of(gn, p, at != NULL ? at[i] : i);
        vjp_row row = row_of(p, dy, g, i, scratch);
        vjp_span(gn, p, &s, &cut, c0, n, &row);
    }
    for (size_t j = 0; g->dgamma != NULL && j < channels; j++) {
        double dgamma = 0, dbeta = 0;
        for (size_t i = 0; i < rows; i++) {
            const double *part = (const double *)scratch + i * 2 * channels;
            dgamma += part[j];
            dbeta += part[channels + j];
        }
        g->dgamma[j] = (float)((double)g->dgamma[j] + dgamma);
        g->dbeta[j] = (float)((double)g->dbeta[j] + dbeta);
    }
}
