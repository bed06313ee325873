#include "core/nn/norm.h"

#include <assert.h>
#include <math.h>
#include <omp.h>

#include "core/base/simd.h"
#include "core/nn/expf.h"

enum {
    SPAN = 512,      /* channels handled at once: sums and factors of a span live on the stack */
    SPAN_MIN = 16,   /* one cache line */
    PIXEL_BLOCK = 32 /* pixels summed in float before they enter the double sums */
};

typedef struct {
    size_t hw, c, c2;
    const float *x, *x2;
    float *y;
} maps;

/* Adds to the sums of n channels those of `pixels` pixels: sum of x - pivot and of its square. */
HS_SIMD static void add_block(size_t pixels, size_t ld, size_t n, const float *x, const float *pivot, double *sum,
                              double *square)
{
    enum { LANES = 16 };
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
    for (size_t p = 0; p < hw; p += PIXEL_BLOCK) {
        add_block(hw - p < PIXEL_BLOCK ? hw - p : PIXEL_BLOCK, ld, n, x + p * ld, x, sum, square);
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

/* The part of channels [c0, c0 + n) that lies in one source: its first channel's address, its row
 * length, and how many channels there are before the source ends. */
static const float *source(const maps *m, size_t c0, size_t *ld, size_t *left)
{
    if (c0 < m->c) {
        *ld = m->c;
        *left = m->c - c0;
        return m->x + c0;
    }
    *ld = m->c2;
    *left = m->c + m->c2 - c0;
    return m->x2 + (c0 - m->c);
}

typedef struct {
    double sum[SPAN], square[SPAN];
    float pivot[SPAN], a[SPAN], b[SPAN];
} span_stats;

static void span_sums(const maps *m, size_t c0, size_t n, span_stats *st)
{
    for (size_t j = 0, ld, left; j < n; j += left) {
        const float *x = source(m, c0 + j, &ld, &left);
        left = left < n - j ? left : n - j;
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
        const float *x = source(m, c0 + j, &ld, &left);
        left = left < n - j ? left : n - j;
        (silu ? affine_silu_rows : affine_rows)(m->hw, left, ld, x, st->a + j, st->b + j, ldy, m->y + c0 + j);
    }
}

void hs_groupnorm_forward(const hs_groupnorm *gn, size_t n, size_t hw, size_t c, const float *x, size_t c2,
                          const float *x2, const float *scale, const float *shift, size_t ss_ld, float *y, float *stats)
{
    size_t channels = c + c2, per_group = channels / gn->groups;
    assert(per_group * gn->groups == channels && per_group <= SPAN);
    /* Spans of whole groups: as wide as still gives every thread one. */
    size_t threads = (size_t)omp_get_max_threads(), wanted = channels * n / threads;
    wanted = wanted > SPAN ? SPAN : wanted < SPAN_MIN ? SPAN_MIN : wanted;
    size_t groups = wanted / per_group > 0 ? wanted / per_group : 1;
    size_t spans = (gn->groups + groups - 1) / groups;
#pragma omp parallel for schedule(static)
    for (size_t u = 0; u < n * spans; u++) {
        size_t i = u / spans, g0 = u % spans * groups, gs = gn->groups - g0 < groups ? gn->groups - g0 : groups;
        maps m = {hw, c, c2, x + i * hw * c, x2 != NULL ? x2 + i * hw * c2 : NULL, y + i * hw * channels};
        span_stats st;
        span_sums(&m, g0 * per_group, gs * per_group, &st);
        span_factors(gn, hw, g0 * per_group, gs * per_group, per_group, scale != NULL ? scale + i * ss_ld : NULL,
                     shift != NULL ? shift + i * ss_ld : NULL, stats != NULL ? stats + 2 * i * gn->groups : NULL, &st);
        span_apply(&m, gn->silu, g0 * per_group, gs * per_group, &st);
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
