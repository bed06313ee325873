#include "core/nn/attention.h"

#include <assert.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#include "core/base/simd.h"
#include "core/base/sizes.h"
#include "core/linalg/sgemm.h"
#include "core/nn/expf.h"

enum { QUERY_BLOCK = 128 }; /* rows of the score matrix that exist at once, per thread */

static size_t query_blocks(size_t hw)
{
    return (hw + QUERY_BLOCK - 1) / QUERY_BLOCK;
}

/* Threads that can be at work at once: fixed by the machine, so that scratch asked for earlier is
 * enough whatever the number of threads is now. */
static size_t slots(size_t units)
{
    return hs_size_min(units, (size_t)omp_get_num_procs());
}

size_t hs_attention_scratch(size_t n, size_t hw, size_t c, size_t heads)
{
    (void)c;
    return slots(n * heads * query_blocks(hw)) * hs_size_min(hw, QUERY_BLOCK) * hw * sizeof(float);
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

/* scores (rows, keys) of queries q0 ... -> exp(score - max), 0 where a causal query must not look. */
static float numerators(int causal, size_t q, size_t keys, float *scores)
{
    size_t seen = causal ? q + 1 : keys;
    for (size_t j = seen; j < keys; j++) {
        scores[j] = 0;
    }
    return softmax_numerators(seen, scores);
}

/* One block of queries of one head: scores, softmax, mix of the values. */
static void attend(int causal, size_t hw, size_t c, size_t d, size_t q0, const float *qkv, float *y, float *scores)
{
    size_t rows = hs_size_min(QUERY_BLOCK, hw - q0), keys = causal ? q0 + rows : hw;
    float inverse[QUERY_BLOCK];
    hs_sgemm(0, 1, rows, keys, d, 1 / sqrtf((float)d), qkv + q0 * 3 * c, 3 * c, qkv + c, 3 * c, 0, scores, keys);
    for (size_t r = 0; r < rows; r++) {
        inverse[r] = numerators(causal, q0 + r, keys, scores + r * keys);
    }
    hs_sgemm(0, 0, rows, d, keys, 1, scores, keys, qkv + 2 * c, 3 * c, 0, y + q0 * c, c);
    for (size_t r = 0; r < rows; r++) {
        scale_row(d, inverse[r], y + (q0 + r) * c);
    }
}

/* ---- Units of work ------------------------------------------------------------------------------------- */

/* What the three passes share: tensors (rows, hw, 3 c) or (rows, hw, c), of which a unit sees one row and head. */
typedef struct {
    int causal;
    size_t hw, c, heads;
    const size_t *at; /* the state in qkv of each row; NULL: its own */
    const float *qkv, *in;
    float *out, *scratch;
    size_t per_slot; /* floats of scratch */
} work;

/* Unit u of them, with the scratch of a slot. */
typedef void unit_of(const work *w, size_t u, float *scratch);

/* All units, each by one thread.  A single one is done outside of parallel regions, so that hs_sgemm has all threads;
 * the team is whole otherwise, since a smaller one would end threads that the next begins again. */
static void each(const work *w, size_t units, unit_of *one)
{
    if (units == 1) {
        one(w, 0, w->scratch);
        return;
    }
#pragma omp parallel
    {
        size_t me = (size_t)omp_get_thread_num(), team = hs_size_min(slots(units), (size_t)omp_get_num_threads());
        for (size_t u = units * me / team; me < team && u < units * (me + 1) / team; u++) {
            one(w, u, w->scratch + me * w->per_slot);
        }
    }
}

static void forward_unit(const work *w, size_t u, float *scratch)
{
    size_t blocks = query_blocks(w->hw), d = w->c / w->heads, from = u / blocks % w->heads * d;
    size_t i = u / (w->heads * blocks), q0 = u % blocks * QUERY_BLOCK;
    attend(w->causal, w->hw, w->c, d, q0, w->qkv + i * w->hw * 3 * w->c + from, w->out + i * w->hw * w->c + from,
           scratch);
}

static void forward(int causal, size_t n, size_t hw, size_t c, size_t heads, const float *qkv, float *y, void *scratch)
{
    const work w = {causal, hw, c, heads, NULL, qkv, NULL, y, scratch, hs_size_min(hw, QUERY_BLOCK) * hw};
    assert(c % heads == 0);
    each(&w, n * heads * query_blocks(hw), forward_unit);
}

void hs_attention_forward(size_t n, size_t hw, size_t c, size_t heads, const float *qkv, float *y, void *scratch)
{
    forward(0, n, hw, c, heads, qkv, y, scratch);
}

void hs_attention_causal_forward(size_t n, size_t hw, size_t c, size_t heads, const float *qkv, float *y, void *scratch)
{
    forward(1, n, hw, c, heads, qkv, y, scratch);
}

/* Sums of products along a row, in double over lanes of floats. */
HS_SIMD static float dot_row(size_t n, const float *a, const float *b)
{
    enum { LANES = 16 };
    float sum[LANES] = {0};
    double total = 0;
    size_t whole = n / LANES * LANES;
    for (size_t i = 0; i < whole; i += LANES) {
        for (size_t l = 0; l < LANES; l++) {
            sum[l] += a[i + l] * b[i + l];
        }
    }
    for (size_t l = 0; l < LANES; l++) {
        total += (double)sum[l];
    }
    for (size_t i = whole; i < n; i++) {
        total += (double)(a[i] * b[i]);
    }
    return (float)total;
}

/* g <- p (g - mean), mean = sum of p g: softmax's derivative, which is its own adjoint. */
HS_SIMD static void softmax_slope_row(size_t n, const float *p, float mean, float *g)
{
    for (size_t i = 0; i < n; i++) {
        g[i] = p[i] * (g[i] - mean);
    }
}

static void softmax_slope(size_t rows, size_t n, const float *p, float *g)
{
    for (size_t r = 0; r < rows; r++) {
        softmax_slope_row(n, p + r * n, dot_row(n, p + r * n, g + r * n), g + r * n);
    }
}

/* Where q, k and v of one head are: rows 3 c apart. */
typedef struct {
    int causal;
    size_t hw, c, d;
    float scale;
    const float *q, *k, *v;
} head_point;

static head_point head_at(const work *w, size_t row, size_t head)
{
    size_t d = w->c / w->heads, state = w->at != NULL ? w->at[row] : row;
    const float *q = w->qkv + state * w->hw * 3 * w->c + head * d;
    return (head_point){w->causal, w->hw, w->c, d, 1 / sqrtf((float)d), q, q + w->c, q + 2 * w->c};
}

/* p (rows, keys) <- the probabilities of a block of queries. */
static void probabilities(const head_point *h, size_t q0, size_t rows, size_t keys, float *p)
{
    size_t ld = 3 * h->c;
    hs_sgemm(0, 1, rows, keys, h->d, h->scale, h->q + q0 * ld, ld, h->k, ld, 0, p, keys);
    for (size_t r = 0; r < rows; r++) {
        scale_row(keys, numerators(h->causal, q0 + r, keys, p + r * keys), p + r * keys);
    }
}

size_t hs_attention_grad_scratch(size_t rows, size_t hw, size_t c, size_t heads)
{
    return 2 * hs_attention_scratch(rows, hw, c, heads);
}

/* One block of queries: dP = P (dS - P . dS), dS = (dQ K^T + Q dK^T) / sqrt(d); dY = dP V + P dV. */
static void jvp_block(const head_point *h, size_t q0, const float *dq, float *dy, float *p)
{
    size_t rows = hs_size_min(QUERY_BLOCK, h->hw - q0), ld = 3 * h->c, keys = h->causal ? q0 + rows : h->hw;
    float *ds = p + rows * keys;
    probabilities(h, q0, rows, keys, p);
    hs_sgemm(0, 1, rows, keys, h->d, h->scale, dq + q0 * ld, ld, h->k, ld, 0, ds, keys);
    hs_sgemm(0, 1, rows, keys, h->d, h->scale, h->q + q0 * ld, ld, dq + h->c, ld, 1, ds, keys);
    softmax_slope(rows, keys, p, ds);
    hs_sgemm(0, 0, rows, h->d, keys, 1, ds, keys, h->v, ld, 0, dy + q0 * h->c, h->c);
    hs_sgemm(0, 0, rows, h->d, keys, 1, p, keys, dq + 2 * h->c, ld, 1, dy + q0 * h->c, h->c);
}

static void jvp_unit(const work *w, size_t u, float *scratch)
{
    size_t blocks = query_blocks(w->hw), head = u / blocks % w->heads, from = head * (w->c / w->heads);
    size_t i = u / (w->heads * blocks), q0 = u % blocks * QUERY_BLOCK;
    head_point h = head_at(w, i, head);
    jvp_block(&h, q0, w->in + i * w->hw * 3 * w->c + from, w->out + i * w->hw * w->c + from, scratch);
}

static void jvp(int causal, size_t rows, const size_t *at, size_t hw, size_t c, size_t heads, const float *qkv,
                const float *dqkv, float *dy, void *scratch)
{
    const work w = {causal, hw, c, heads, at, qkv, dqkv, dy, scratch, 2 * hs_size_min(hw, QUERY_BLOCK) * hw};
    assert(c % heads == 0);
    each(&w, rows * heads * query_blocks(hw), jvp_unit);
}

void hs_attention_jvp(size_t rows, const size_t *at, size_t hw, size_t c, size_t heads, const float *qkv,
                      const float *dqkv, float *dy, void *scratch)
{
    jvp(0, rows, at, hw, c, heads, qkv, dqkv, dy, scratch);
}

void hs_attention_causal_jvp(size_t rows, size_t hw, size_t c, size_t heads, const float *qkv, const float *dqkv,
                             float *dy, void *scratch)
{
    jvp(1, rows, NULL, hw, c, heads, qkv, dqkv, dy, scratch);
}

/* One block of queries: dV += P^T dY; dS = P (dY V^T - P . dY V^T) / sqrt(d); dQ = dS K; dK += dS^T Q. */
static void vjp_block(const head_point *h, size_t q0, const float *dy, float *dq, float *p)
{
    size_t rows = hs_size_min(QUERY_BLOCK, h->hw - q0), ld = 3 * h->c, keys = h->causal ? q0 + rows : h->hw;
    float *ds = p + rows * keys;
    dy += q0 * h->c;
    probabilities(h, q0, rows, keys, p);
    hs_sgemm(1, 0, keys, h->d, rows, 1, p, keys, dy, h->c, 1, dq + 2 * h->c, ld);
    hs_sgemm(0, 1, rows, keys, h->d, 1, dy, h->c, h->v, ld, 0, ds, keys);
    softmax_slope(rows, keys, p, ds);
    hs_sgemm(0, 0, rows, h->d, keys, h->scale, ds, keys, h->k, ld, 0, dq + q0 * ld, ld);
    hs_sgemm(1, 0, keys, h->d, rows, h->scale, ds, keys, h->q + q0 * ld, ld, 1, dq + h->c, ld);
}

static void clear_rows(size_t rows, size_t ld, size_t d, float *x)
{
    for (size_t i = 0; i < rows; i++) {
        memset(x + i * ld, 0, d * sizeof *x);
    }
}

static void vjp_unit(const work *w, size_t u, float *scratch)
{
    size_t i = u / w->heads, head = u % w->heads, d = w->c / w->heads;
    head_point h = head_at(w, i, head);
    float *dq = w->out + i * w->hw * 3 * w->c + head * d;
    clear_rows(w->hw, 3 * w->c, d, dq + w->c);
    clear_rows(w->hw, 3 * w->c, d, dq + 2 * w->c);
    for (size_t q0 = 0; q0 < w->hw; q0 += QUERY_BLOCK) {
        vjp_block(&h, q0, w->in + i * w->hw * w->c + head * d, dq, scratch);
    }
}

static void vjp(int causal, size_t rows, const size_t *at, size_t hw, size_t c, size_t heads, const float *qkv,
                const float *dy, float *dqkv, void *scratch)
{
    const work w = {causal, hw, c, heads, at, qkv, dy, dqkv, scratch, 2 * hs_size_min(hw, QUERY_BLOCK) * hw};
    assert(c % heads == 0);
    each(&w, rows * heads, vjp_unit);
}

void hs_attention_vjp(size_t rows, const size_t *at, size_t hw, size_t c, size_t heads, const float *qkv,
                      const float *dy, float *dqkv, void *scratch)
{
    vjp(0, rows, at, hw, c, heads, qkv, dy, dqkv, scratch);
}

void hs_attention_causal_vjp(size_t rows, size_t hw, size_t c, size_t heads, const float *qkv, const float *dy,
                             float *dqkv, void *scratch)
{
    vjp(1, rows, NULL, hw, c, heads, qkv, dy, dqkv, scratch);
}
