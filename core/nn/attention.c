#include "core/nn/attention.h"

#include <assert.h>
#include <math.h>
#include <omp.h>

#include "core/base/simd.h"
#include "core/linalg/sgemm.h"
#include "core/nn/expf.h"

enum { QUERY_BLOCK = 128 }; /* rows of the score matrix that exist at once, per thread */

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t query_blocks(size_t hw)
{
    return (hw + QUERY_BLOCK - 1) / QUERY_BLOCK;
}

/* Threads that can be at work at once: fixed by the machine, so that scratch asked for earlier is
 * enough whatever the number of threads is now. */
static size_t slots(size_t units)
{
    return min_size(units, (size_t)omp_get_num_procs());
}

size_t hs_attention_scratch(size_t n, size_t hw, size_t c, size_t heads)
{
    (void)c;
    return slots(n * heads * query_blocks(hw)) * min_size(hw, QUERY_BLOCK) * hw * sizeof(float);
}

/* s (n) <- exp(s - max s); returns 1 / their sum. */
HS_SIMD static float softmax_numerators(size_t n, float *s)
{
    enum { LANES = 16 };
    float max[LANES], sum[LANES] = {0};
    for (size_t l = 0; l < LANES; l++) {
        max[l] = s[0];
    }
    size_t whole = n / LANES * LANES;
    for (size_t i = 0; i < whole; i += LANES) {
        for (size_t l = 0; l < LANES; l++) {
            max[l] = s[i + l] > max[l] ? s[i + l] : max[l];
        }
    }
    float top = max[0];
    for (size_t l = 1; l < LANES; l++) {
        top = max[l] > top ? max[l] : top;
    }
    for (size_t i = whole; i < n; i++) {
        top = s[i] > top ? s[i] : top;
    }
    for (size_t i = 0; i < whole; i += LANES) {
        for (size_t l = 0; l < LANES; l++) {
            s[i + l] = hs_expf(s[i + l] - top);
            sum[l] += s[i + l];
        }
    }
    double total = 0;
    for (size_t l = 0; l < LANES; l++) {
        total += (double)sum[l];
    }
    for (size_t i = whole; i < n; i++) {
        s[i] = hs_expf(s[i] - top);
        total += (double)s[i];
    }
    return (float)(1 / total);
}

HS_SIMD static void scale_row(size_t n, float a, float *y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] *= a;
    }
}

/* One block of queries of one head: scores, softmax, mix of the values. */
static void attend(size_t hw, size_t c, size_t d, size_t q0, const float *qkv, float *y, float *scores)
{
    size_t rows = min_size(QUERY_BLOCK, hw - q0);
    float inverse[QUERY_BLOCK];
    hs_sgemm(0, 1, rows, hw, d, 1 / sqrtf((float)d), qkv + q0 * 3 * c, 3 * c, qkv + c, 3 * c, 0, scores, hw);
    for (size_t r = 0; r < rows; r++) {
        inverse[r] = softmax_numerators(hw, scores + r * hw);
    }
    hs_sgemm(0, 0, rows, d, hw, 1, scores, hw, qkv + 2 * c, 3 * c, 0, y + q0 * c, c);
    for (size_t r = 0; r < rows; r++) {
        scale_row(d, inverse[r], y + (q0 + r) * c);
    }
}

void hs_attention_forward(size_t n, size_t hw, size_t c, size_t heads, const float *qkv, float *y, void *scratch)
{
    size_t d = c / heads, blocks = query_blocks(hw), units = n * heads * blocks;
    size_t per_slot = min_size(hw, QUERY_BLOCK) * hw;
    size_t team = min_size(slots(units), (size_t)omp_get_max_threads());
    assert(d * heads == c);
#pragma omp parallel for schedule(static) num_threads((int)team)
    for (size_t u = 0; u < units; u++) {
        size_t i = u / (heads * blocks), head = u / blocks % heads, q0 = u % blocks * QUERY_BLOCK;
        float *scores = (float *)scratch + (size_t)omp_get_thread_num() * per_slot;
        attend(hw, c, d, q0, qkv + i * hw * 3 * c + head * d, y + i * hw * c + head * d, scores);
    }
}
