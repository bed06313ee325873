#include "core/nn/norm.h"

#include <math.h>

#include "core/base/simd.h"
#include "core/nn/expf.h"
#include "core/nn/norm_span.h"

typedef struct {
    size_t hw, c, c2;
    const float *x, *x2;
    float *y;
} maps;

/* Adds to the sums of n channels those of `pixels` pixels: sum of x - pivot and of its square. */
HS_SIMD static void add_block(size_t pixels, size_t ld, size_t n, const float *x, const float *pivot, double *sum,
                              double *square)
{
    enum { LANES = HS_NORM_LANES };
    for (size_t j = 0; j < n; j += LANES) {
        float s[LANES] = {0}, q[LANES] = {0};
        size_t lanes = n - j < LANES ? n - j : LANES;
        if (lanes == LANES) {
            for (size_t p = 0; p < pixels; p++) {
                for (size_t l = 0; l < LANES; l++) {
                    float v = x[p * ld + j + l] - pivot[j + l];
                    s[l] += v;
                    q[l] += v * v;
                }
            }
        } else {
            for (size_t p = 0; p < pixels; p++) {
                for (size_t l = 0; l < lanes; l++) {
                    float v = x[p * ld + j + l] - pivot[j + l];
                    s[l] += v;
                    q[l] += v * v;
                }
            }
        }
        for (size_t l = 0; l < lanes; l++) {
            sum[j + l] += (double)s[l];
            square[j + l] += (double)q[l];
        }
    }
}

/* Sums of n channels over all pixels, about the pivot (the channel's first pixel): what the
 * variance needs never cancels, however far the mean is from zero. */
static void channel_sums(size_t hw, size_t ld, size_t n, const float *x, double *sum, double *square)
{
    for (size_t j = 0; j < n; j++) {
        sum[j] = square[j] = 0;
    }
    for (size_t p = 0; p < hw; p += HS_NORM_BLOCK) {
        add_block(hw - p < HS_NORM_BLOCK ? hw - p : HS_NORM_BLOCK, ld, n, x + p * ld, x, sum, square);
    }
}

/* Mean and 1 / sqrt(var + eps) of one group from its channels' sums about their pivots. */
static void group_moments(size_t hw, size_t n, const float *pivot, const double *sum, const double *square, double eps,
                          double *mean, double *rstd)
{
    double m = 0, within = 0, between = 0, pixels = (double)hw;
    for (size_t j = 0; j < n; j++) {
        m += (double)pivot[j] + sum[j] / pixels;
    }
    m /= (double)n;
    for (size_t j = 0; j < n; j++) {
        double off = (double)pivot[j] + sum[j] / pixels - m;
        within += square[j] - sum[j] * sum[j] / pixels;
        between += off * off;
    }
    double var = (within / pixels + between) / (double)n;
    *mean = m;
    *rstd = 1 / sqrt((var > 0 ? var : 0) + eps);
}

HS_SIMD static void affine_rows(size_t pixels, size_t n, size_t ldx, const float *x, const float *a, const float *b,
                                size_t ldy, float *y)
{
    for (size_t p = 0; p < pixels; p++) {
        for (size_t j = 0; j < n; j++) {
            y[p * ldy + j] = x[p * ldx + j] * a[j] + b[j];
        }
    }
}

HS_SIMD static void affine_silu_rows(size_t pixels, size_t n, size_t ldx, const float *x, const float *a,
                                     const float *b, size_t ldy, float *y)
{
    for (size_t p = 0; p < pixels; p++) {
        for (size_t j = 0; j < n; j++) {
            float v = x[p * ldx + j] * a[j] + b[j];
            y[p * ldy + j] = v / (1 + hs_expf(-v));
        }
    }
}

static const float *source(const maps *m, size_t c0, size_t *ld, size_t *n)
{
    size_t at;
    return hs_norm_part(m->c, m->c2, c0, n, &at, ld) ? m->x2 + at : m->x + at;
}

typedef struct {
    double sum[HS_NORM_SPAN], square[HS_NORM_SPAN];
    float pivot[HS_NORM_SPAN], a[HS_NORM_SPAN], b[HS_NORM_SPAN];
} span_stats;

static void span_sums(const maps *m, size_t c0, size_t n, span_stats *st)
{
    for (size_t j = 0, ld, left; j < n; j += left) {
        left = n - j;
        const float *x = source(m, c0 + j, &ld, &left);
        channel_sums(m->hw, ld, left, x, st->sum + j, st->square + j);
        for (size_t l = 0; l < left; l++) {
            st->pivot[j + l] = x[l];
        }
    }
}

/* y = a x + b per channel, scale-shift folded in. */
static void span_factors(const hs_groupnorm *gn, size_t hw, size_t c0, size_t n, size_t per_group, const float *scale,
                         const float *shift, float *stats, span_stats *st)
{
    for (size_t j = 0; j < n; j += per_group) {
        double mean, rstd;
        group_moments(hw, per_group, st->pivot + j, st->sum + j, st->square + j, (double)gn->eps, &mean, &rstd);
        if (stats != NULL) {
            stats[(c0 + j) / per_group * 2] = (float)mean;
            stats[(c0 + j) / per_group * 2 + 1] = (float)rstd;
        }
        for (size_t l = j; l < j + per_group; l++) {
            double a = (double)gn->gamma[c0 + l] * rstd, b = (double)gn->beta[c0 + l] - a * mean;
            if (scale != NULL) {
                a *= 1 + (double)scale[c0 + l];
                b = b * (1 + (double)scale[c0 + l]) + (double)shift[c0 + l];
            }
            st->a[l] = (float)a;
            st->b[l] = (float)b;
        }
    }
}

static void span_apply(const maps *m, int silu, size_t c0, size_t n, const span_stats *st)
{
    size_t ldy = m->c + m->c2;
    for (size_t j = 0, ld, left; j < n; j += left) {
        left = n - j;
        const float *x = source(m, c0 + j, &ld, &left);
        (silu ? affine_silu_rows : affine_rows)(m->hw, left, ld, x, st->a + j, st->b + j, ldy, m->y + c0 + j);
    }
}

void hs_groupnorm_forward(const hs_groupnorm *gn, size_t n, size_t hw, size_t c, const float *x, size_t c2,
                          const float *x2, const float *scale, const float *shift, size_t ss_ld, float *y, float *stats)
{
    hs_norm_cut cut = hs_norm_cut_of(gn->groups, c + c2, n);
#pragma omp parallel for schedule(static)
    for (size_t u = 0; u < n * cut.spans; u++) {
        size_t i = u / cut.spans, count, c0 = hs_norm_span_at(&cut, u, &count);
        maps m = {hw, c, c2, x + i * hw * c, x2 != NULL ? x2 + i * hw * c2 : NULL, y + i * hw * cut.channels};
        span_stats st;
        span_sums(&m, c0, count, &st);
        span_factors(gn, hw, c0, count, cut.per_group, scale != NULL ? scale + i * ss_ld : NULL,
                     shift != NULL ? shift + i * ss_ld : NULL, stats != NULL ? stats + 2 * i * gn->groups : NULL, &st);
        span_apply(&m, gn->silu, c0, count, &st);
    }
}

HS_SIMD static void silu_run(size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = x[i] / (1 + hs_expf(-x[i]));
    }
}

void hs_silu(size_t n, const float *x, float *y)
{
    enum { RUN = 16384 };
#pragma omp parallel for schedule(static) if (n > RUN)
    for (size_t i = 0; i < n; i += RUN) {
        silu_run(n - i < RUN ? n - i : RUN, x + i, y + i);
    }
}

HS_SIMD static void silu_slope_run(size_t n, const float *x, const float *dx, float *dy)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        dy[i] = dx[i] * hs_silu_slope(x[i]);
    }
}

void hs_silu_jvp(size_t n, const float *x, const float *dx, float *dy)
{
    enum { RUN = 16384 };
#pragma omp parallel for schedule(static) if (n > RUN)
    for (size_t i = 0; i < n; i += RUN) {
        silu_slope_run(n - i < RUN ? n - i : RUN, x + i, dx + i, dy + i);
    }
}
