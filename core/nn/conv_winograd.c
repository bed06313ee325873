/* Winograd F(4x4,3x3) (Lavin and Gray, arXiv:1509.09308) for 3x3 stride 1: a 6x6 input tile gives a
 * 4x4 output tile with 36 multiplications per channel pair instead of 144.
 *
 * Interpolation points 0, +-a, +-b, infinity with a = 1/sqrt(2), b = sqrt(2) in place of the usual
 * +-1, +-2: a b = 1 keeps the transforms balanced and halves the rounding error (rms 1.5e-6 against
 * 3.2e-6 relative, direct 0.9e-6, at 256 channels).
 *
 * Weights become 36 matrices (in_ch, out_ch), packed in panels, once at plan.  Tiles are worked off
 * in blocks: input transform V (36, tiles, in_ch), 36 products M = V U, output transform with bias,
 * time term and residual folded in.  With many tiles each thread takes blocks of its own; with few
 * the team shares one block, cut by tiles, then by panels, then by tiles. */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/simd.h"
#include "core/base/sizes.h"
#include "core/linalg/panel.h"
#include "core/nn/conv_impl.h"
#include "core/nn/conv_tiles.h"

enum {
    BLOCK_MOST = 64,       /* tiles: enough for a panel, read once a block, to cost little */
    BLOCK_BYTES = 8 << 20, /* of V and M, where channels are many */
    OWN_LEAST = 32         /* tiles per thread from which each takes its own blocks */
};

typedef struct {
    const hs_panel_kernel *kernel;
    size_t width, panels; /* of a panel; panels a matrix */
    size_t in_ld, out_ld; /* padded channels of V and M */
    size_t block;         /* tiles at once */
    int shared;           /* the team shares blocks */
    float *U;             /* (36, panels, in_ch, width) */
} winograd;

/* One forward call, with what every step needs. */
typedef struct {
    const hs_conv *c;
    const hs_conv_args *a;
    const winograd *w;
    size_t oh, ow, tiles_y, tiles_x, tiles; /* of the whole batch */
} job;

void hs_conv_kernel_transform(double G[PATCH][3])
{
    const double a2 = 0.5, b2 = 2, p[5] = {0, (double)A1, -(double)A1, (double)B1, -(double)B1};
    memset(G, 0, PATCH * sizeof *G);
    G[0][0] = 1;
    for (int i = 1; i < 5; i++) {
        double x2 = i < 3 ? a2 : b2, norm = 2 * x2 * (i < 3 ? a2 - b2 : b2 - a2);
        G[i][0] = 1 / norm;
        G[i][1] = p[i] / norm;
        G[i][2] = x2 / norm;
    }
    G[5][2] = 1;
}

/* u[q] (step floats apart; n <= LANES outputs each) <- G g G^T of the kernels of n outputs and one input,
 * in double, rounded once; the first kernel at g, ld floats to the next. */
HS_SIMD static void transform_kernels(const double G[PATCH][3], size_t n, const float *g, size_t ld, float *u,
                                      size_t step)
{
    double k[9][LANES] = {{0}}, t[PATCH][3][LANES];
    for (size_t l = 0; l < n; l++) {
        for (size_t e = 0; e < 9; e++) {
            k[e][l] = (double)g[l * ld + e];
        }
    }
    for (int i = 0; i < PATCH; i++) {
        for (int x = 0; x < 3; x++) {
            for (int l = 0; l < LANES; l++) {
                t[i][x][l] = G[i][0] * k[x][l] + G[i][1] * k[3 + x][l] + G[i][2] * k[6 + x][l];
            }
        }
    }
    for (size_t q = 0; q < POINTS; q++) {
        const double *c = G[q % PATCH];
        float v[LANES];
        for (int l = 0; l < LANES; l++) {
            v[l] = (float)(t[q / PATCH][0][l] * c[0] + t[q / PATCH][1][l] * c[1] + t[q / PATCH][2][l] * c[2]);
        }
        memcpy(u + q * step, v, n * sizeof *v);
    }
}

static void transform_weights(const hs_conv_shape *s, const float *weight, const winograd *w)
{
    size_t panel = s->in_ch * w->width, matrix = w->panels * panel;
    double G[PATCH][3];
    hs_conv_kernel_transform(G);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < s->in_ch; i++) {
        for (size_t o = 0; o < s->out_ch; o += LANES) {
            float *at = w->U + o / w->width * panel + o % w->width + i * w->width;
            transform_kernels((const double(*)[3])G, s->out_ch - o < LANES ? s->out_ch - o : LANES,
                              weight + (o * s->in_ch + i) * 9, s->in_ch * 9, at, matrix);
        }
    }
}

/* B^T of six values, each a vector of channels. */
#define INPUT_ROW(d0, d1, d2, d3, d4, d5, o0, o1, o2, o3, o4, o5)  \
    do {                                                           \
        lanes e1 = (d4)-2.0f * (d2), f1 = A1 * ((d3)-2.0f * (d1)); \
        lanes e2 = (d4)-0.5f * (d2), f2 = B1 * ((d3)-0.5f * (d1)); \
        (o0) = ((d0) + (d4)) - 2.5f * (d2);                        \
        (o5) = ((d1) + (d5)) - 2.5f * (d3);                        \
        (o1) = e1 + f1;                                            \
        (o2) = e1 - f1;                                            \
        (o3) = e2 + f2;                                            \
        (o4) = e2 - f2;                                            \
    } while (0)

/* V[q] (step floats apart) <- B^T d B of one tile, n channels; d[q] points at each input pixel. */
HS_SIMD static void transform_tile(size_t n, const float *const d[POINTS], float *V, size_t step)
{
    for (size_t j = 0; j < n; j += LANES) {
        lanes t[PATCH][PATCH];
        size_t bytes = (n - j < LANES ? n - j : LANES) * sizeof(float);
        for (int x = 0; x < PATCH; x++) {
            lanes v[PATCH];
            for (int y = 0; y < PATCH; y++) {
                if (bytes == sizeof(lanes)) {
                    memcpy(&v[y], d[y * PATCH + x] + j, sizeof(lanes));
                } else {
                    memset(&v[y], 0, sizeof(lanes));
                    memcpy(&v[y], d[y * PATCH + x] + j, bytes);
                }
            }
            INPUT_ROW(v[0], v[1], v[2], v[3], v[4], v[5], t[0][x], t[1][x], t[2][x], t[3][x], t[4][x], t[5][x]);
        }
        for (int y = 0; y < PATCH; y++) {
            lanes o[PATCH];
            INPUT_ROW(t[y][0], t[y][1], t[y][2], t[y][3], t[y][4], t[y][5], o[0], o[1], o[2], o[3], o[4], o[5]);
            for (int x = 0; x < PATCH; x++) {
                memcpy(V + (size_t)(y * PATCH + x) * step + j, &o[x], sizeof(lanes));
            }
        }
    }
}

/* A^T of six values. */
#define OUTPUT_ROW(m0, m1, m2, m3, m4, m5, o0, o1, o2, o3)                                          \
    do {                                                                                            \
        lanes s1 = (m1) + (m2), s2 = (m3) + (m4), f1 = A1 * ((m1) - (m2)), f2 = B1 * ((m3) - (m4)); \
        (o0) = (m0) + (s1 + s2);                                                                    \
        (o1) = f1 + f2;                                                                             \
        (o2) = 0.5f * s1 + 2.0f * s2;                                                               \
        (o3) = (0.5f * f1 + 2.0f * f2) + (m5);                                                      \
    } while (0)

/* y[q] <- A^T m A + bias + add + residual[q] for the outputs of one tile that exist (y[q] not
 * NULL); n channels.  bias, add and residual may be NULL. */
HS_SIMD static void untransform_tile(size_t n, const float *M, size_t step, const float *bias, const float *add,
                                     const float *const residual[TILE * TILE], float *const y[TILE * TILE])
{
    for (size_t j = 0; j < n; j += LANES) {
        lanes t[TILE][PATCH], base = {0}, term = {0};
        size_t bytes = (n - j < LANES ? n - j : LANES) * sizeof(float);
        if (bias != NULL) {
            memcpy(&base, bias + j, bytes);
        }
        if (add != NULL) {
            memcpy(&term, add + j, bytes);
        }
        base += term;
        for (int x = 0; x < PATCH; x++) {
            lanes m[PATCH];
            for (int i = 0; i < PATCH; i++) {
                memcpy(&m[i], M + (size_t)(i * PATCH + x) * step + j, sizeof(lanes));
            }
            OUTPUT_ROW(m[0], m[1], m[2], m[3], m[4], m[5], t[0][x], t[1][x], t[2][x], t[3][x]);
        }
        for (int i = 0; i < TILE; i++) {
            lanes o[TILE];
            OUTPUT_ROW(t[i][0], t[i][1], t[i][2], t[i][3], t[i][4], t[i][5], o[0], o[1], o[2], o[3]);
            for (int x = 0; x < TILE; x++) {
                if (y[i * TILE + x] == NULL) {
                    continue;
                }
                lanes r = {0};
                if (residual[i * TILE + x] != NULL) {
                    if (bytes == sizeof(lanes)) {
                        memcpy(&r, residual[i * TILE + x] + j, sizeof(lanes));
                    } else {
                        memcpy(&r, residual[i * TILE + x] + j, bytes);
                    }
                }
                o[x] += base + r;
                if (bytes == sizeof(lanes)) {
                    memcpy(y[i * TILE + x] + j, &o[x], sizeof(lanes));
                } else {
                    memcpy(y[i * TILE + x] + j, &o[x], bytes);
                }
            }
        }
    }
}

/* Where tile t lies: its image and its first output pixel. */
static size_t locate(const job *b, size_t t, size_t *oy, size_t *ox)
{
    size_t per_image = b->tiles_y * b->tiles_x;
    *oy = t % per_image / b->tiles_x * TILE;
    *ox = t % b->tiles_x * TILE;
    return t / per_image;
}

static void input_tile(const job *b, size_t t, const float *zeros, float *V, size_t step)
{
    const hs_conv_shape *s = &b->c->shape;
    const float *d[POINTS];
    size_t oy, ox, i = locate(b, t, &oy, &ox);
    for (size_t q = 0; q < POINTS; q++) {
        /* Unsigned: above or left of the map wraps to a huge coordinate. */
        size_t y = oy + q / PATCH - s->pad_top, x = ox + q % PATCH - s->pad_left;
        d[q] = y < b->a->h && x < b->a->w ? b->a->x + ((i * b->a->h + y) * b->a->w + x) * s->in_ch : zeros;
    }
    transform_tile(s->in_ch, d, V, step);
}

static void output_tile(const job *b, size_t t, const float *M, size_t step)
{
    const hs_conv_shape *s = &b->c->shape;
    const float *residual[TILE * TILE];
    float *y[TILE * TILE];
    size_t oy, ox, i = locate(b, t, &oy, &ox);
    for (size_t q = 0; q < TILE * TILE; q++) {
        size_t py = oy + q / TILE, px = ox + q % TILE, at = ((i * b->oh + py) * b->ow + px) * s->out_ch;
        int inside = py < b->oh && px < b->ow;
        y[q] = inside ? b->a->y + at : NULL;
        residual[q] = inside && b->a->residual != NULL ? b->a->residual + at : NULL;
    }
    untransform_tile(s->out_ch, M, step, b->a->bias, b->a->add != NULL ? b->a->add + i * s->out_ch : NULL, residual, y);
}

/* Panel p of the 36 * panels: its columns of M. */
static void multiply(const job *b, size_t tiles, size_t p, const float *V, size_t v_step, float *M, size_t m_step)
{
    const winograd *w = b->w;
    size_t in = b->c->shape.in_ch, q = p / w->panels, column = p % w->panels * w->width;
    const float *panel = w->U + p * in * w->width;
    w->kernel->run(tiles, in, V + q * v_step, w->in_ld, panel, 0, M + q * m_step + column, w->out_ld);
}

static size_t block_floats(const winograd *w)
{
    return POINTS * (hs_conv_point_step(w->block, w->in_ld) + hs_conv_point_step(w->block, w->out_ld));
}

/* A thread's own block, done alone. */
static void own_block(const job *b, size_t first, size_t now, const float *zeros, float *V)
{
    const winograd *w = b->w;
    size_t v_step = hs_conv_point_step(w->block, w->in_ld), m_step = hs_conv_point_step(w->block, w->out_ld);
    float *M = V + POINTS * v_step;
    for (size_t t = 0; t < now; t++) {
        input_tile(b, first + t, zeros, V + t * w->in_ld, v_step);
    }
    for (size_t p = 0; p < POINTS * w->panels; p++) {
        multiply(b, now, p, V, v_step, M, m_step);
    }
    for (size_t t = 0; t < now; t++) {
        output_tile(b, first + t, M + t * w->out_ld, m_step);
    }
}

/* The same by the whole team; called from inside the parallel region by every thread. */
static void shared_block(const job *b, size_t first, size_t now, const float *zeros, float *V)
{
    const winograd *w = b->w;
    size_t v_step = hs_conv_point_step(w->block, w->in_ld), m_step = hs_conv_point_step(w->block, w->out_ld);
    float *M = V + POINTS * v_step;
#pragma omp for schedule(static)
    for (size_t t = 0; t < now; t++) {
        input_tile(b, first + t, zeros, V + t * w->in_ld, v_step);
    }
#pragma omp for schedule(static)
    for (size_t p = 0; p < POINTS * w->panels; p++) {
        multiply(b, now, p, V, v_step, M, m_step);
    }
#pragma omp for schedule(static)
    for (size_t t = 0; t < now; t++) {
        output_tile(b, first + t, M + t * w->out_ld, m_step);
    }
}

static size_t block_tiles(const job *b, size_t k)
{
    size_t left = b->tiles - k * b->w->block;
    return left < b->w->block ? left : b->w->block;
}

static int forward(const hs_conv *c, const hs_conv_args *a)
{
    const winograd *w = c->state;
    job b = {c, a, w, hs_conv_out_h(c, a->h), hs_conv_out_w(c, a->w), 0, 0, 0};
    b.tiles_y = (b.oh + TILE - 1) / TILE;
    b.tiles_x = (b.ow + TILE - 1) / TILE;
    b.tiles = a->n * b.tiles_y * b.tiles_x;
    size_t blocks = (b.tiles + w->block - 1) / w->block;
    float *zeros = a->scratch, *work = zeros + w->in_ld;
    memset(zeros, 0, w->in_ld * sizeof *zeros);
#pragma omp parallel num_threads(c->threads)
    {
        float *V = work + (w->shared ? 0 : (size_t)omp_get_thread_num()) * block_floats(w);
        if (w->shared) {
            for (size_t k = 0; k < blocks; k++) {
                shared_block(&b, k * w->block, block_tiles(&b, k), zeros, V);
            }
        } else {
#pragma omp for schedule(static)
            for (size_t k = 0; k < blocks; k++) {
                own_block(&b, k * w->block, block_tiles(&b, k), zeros, V);
            }
        }
    }
    return HS_OK;
}

/* Tiles at once: as many as keep V and M in cache, cut evenly over the threads. */
static void choose_block(winograd *w, size_t tiles, size_t threads)
{
    size_t most = BLOCK_BYTES / (POINTS * (w->in_ld + w->out_ld) * sizeof(float));
    most = most > BLOCK_MOST ? BLOCK_MOST : most < LANES ? LANES : most;
    w->shared = tiles < threads * OWN_LEAST;
    size_t team = w->shared ? 1 : threads, rounds = (tiles + most * team - 1) / (most * team);
    w->block = hs_size_round_up((tiles + rounds * team - 1) / (rounds * team), 4); /* the kernels' rows */
}

static void release(void *state)
{
    winograd *w = state;
    if (w != NULL) {
        free(w->U);
        free(w);
    }
}

static int plan(hs_conv *c, size_t n, size_t h, size_t w_in, size_t *scratch_bytes)
{
    const hs_conv_shape *s = &c->shape;
    size_t tiles_y = (hs_conv_out_h(c, h) + TILE - 1) / TILE, tiles_x = (hs_conv_out_w(c, w_in) + TILE - 1) / TILE;
    size_t tiles, floats, weights;
    winograd *w = NULL;
    if (s->kernel != 3 || s->stride != 1) {
        return hs_fail(HS_ERANGE, "Winograd: kernel %zu, stride %zu", s->kernel, s->stride);
    }
    int rc = HS_OK;
    const uint64_t tile_dims[3] = {n, tiles_y, tiles_x};
    HS_TRY(hs_size_product(3, tile_dims, &tiles));
    HS_TRY(hs_calloc(1, sizeof *w, &w));
    w->kernel = hs_panel_best();
    w->width = w->kernel->width;
    w->panels = (s->out_ch + w->width - 1) / w->width;
    w->in_ld = hs_size_round_up(s->in_ch, LANES);
    w->out_ld = hs_size_round_up(w->panels * w->width, LANES);
    choose_block(w, tiles, (size_t)c->threads);
    HS_TRY(hs_size_mul(block_floats(w), w->shared ? 1 : (size_t)c->threads, &floats));
    HS_TRY(hs_size_mul(floats + w->in_ld, sizeof(float), scratch_bytes));
    const uint64_t weight_dims[4] = {POINTS, w->panels, s->in_ch, w->width};
    HS_TRY(hs_size_product(4, weight_dims, &weights));
    HS_TRY(hs_calloc(weights, sizeof(float), &w->U));
    transform_weights(s, c->weight, w);
    snprintf(c->algorithm, sizeof c->algorithm, "winograd4x4:%s", w->kernel->name);
    c->state = w;
    w = NULL;
out:
    release(w);
    return rc;
}

static int refresh(hs_conv *c)
{
    transform_weights(&c->shape, c->weight, c->state);
    return HS_OK;
}

const hs_conv_backend hs_conv_winograd = {plan, forward, refresh, release};
