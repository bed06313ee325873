/* The gradient of 3x3 stride 1 weights in Winograd's domain, the adjoint of F(4x4,3x3): with a tile's
 * input V = B^T d B and its output's cotangent M = A dy A^T, each of the 36 points has
 * dU (in_ch, out_ch) = sum over tiles of V^T M, a quarter of the plain sum's multiplications; then
 * dw = G^T dU G.
 *
 * Points are cut in halves, the upper and the lower three rows of a tile's 6x6: each half needs half
 * of either transform and nothing of the other.  So a thread that owns a half (with many threads, of
 * some channels) transforms for itself, from cache to cache, and shares no sum.  Tiles are worked off
 * in blocks of a planned size, in order, whatever the threads. */
#include <omp.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/simd.h"
#include "core/base/sizes.h"
#include "core/linalg/panel.h"
#include "core/nn/conv_impl.h"
#include "core/nn/conv_tiles.h"

enum {
    HALVES = 2,
    HALF_ROWS = PATCH / HALVES,
    HALF = HALF_ROWS * PATCH, /* points */
    BLOCK_BYTES = 768 << 10,  /* of V and M: beside the sums in a second level cache */
    BLOCK_MOST = 128,         /* tiles */
    BLOCK_LEAST = 16
};

/* One call; of the plan's shape alone with a NULL. */
typedef struct {
    const hs_conv *c;
    const hs_conv_weight_args *a;
    const hs_panel_kernel *kernel;
    size_t panels, in_ld, out_ld;           /* padded channels */
    size_t oh, ow, tiles_y, tiles_x, tiles; /* of the whole batch */
    size_t block;                           /* tiles at once */
    size_t in_parts, out_parts;             /* what the team cuts the channels into */
    size_t in_part, out_part;               /* 16s and panels of a part */
    float *zeros, *sums, *work;             /* sums: (36, in_ld, out_ld) */
} job;

/* A part's V (18, tiles, in_ld) and M (18, panels, tiles, width). */
static size_t v_step(const job *j)
{
    return hs_conv_point_step(j->block, j->in_part * LANES);
}
static size_t m_step(const job *j)
{
    return hs_conv_point_step(j->block, j->out_part * j->kernel->width);
}

/* Blocks of one size, chosen by the shape alone: where a block ends decides the bits. */
static size_t choose_block(const job *j, size_t tiles)
{
    size_t most = BLOCK_BYTES / (HALF * (j->in_ld + j->out_ld) * sizeof(float));
    most = most > BLOCK_MOST ? BLOCK_MOST : most < BLOCK_LEAST ? BLOCK_LEAST : most;
    size_t rounds = (tiles + most - 1) / most;
    return hs_size_round_up((tiles + rounds - 1) / rounds, 4);
}

static void make_job(const hs_conv *c, size_t n, job *j)
{
    const hs_conv_shape *s = &c->shape;
    *j = (job){.c = c, .kernel = hs_panel_best()};
    j->panels = (s->out_ch + j->kernel->width - 1) / j->kernel->width;
    j->in_ld = hs_size_round_up(s->in_ch, LANES);
    j->out_ld = j->panels * j->kernel->width;
    j->oh = hs_conv_out_h(c, c->h);
    j->ow = hs_conv_out_w(c, c->w);
    j->tiles_y = (j->oh + TILE - 1) / TILE;
    j->tiles_x = (j->ow + TILE - 1) / TILE;
    j->block = choose_block(j, n * j->tiles_y * j->tiles_x);
    size_t each = ((size_t)c->threads + HALVES - 1) / HALVES; /* parts per half that keep the team busy */
    j->out_parts = each < j->panels ? each : j->panels;
    j->out_part = (j->panels + j->out_parts - 1) / j->out_parts;
    j->out_parts = (j->panels + j->out_part - 1) / j->out_part;
    size_t in_most = j->in_ld / LANES, in_parts = (each + j->out_parts - 1) / j->out_parts;
    j->in_parts = in_parts < in_most ? in_parts : in_most;
    j->in_part = (in_most + j->in_parts - 1) / j->in_parts;
    j->in_parts = (in_most + j->in_part - 1) / j->in_part;
}

static int plan(const hs_conv *c, size_t n, size_t *scratch_bytes)
{
    const hs_conv_shape *s = &c->shape;
    job j;
    size_t tiles, sums, work, floats;
    int rc = HS_OK;
    if (s->kernel != 3 || s->stride != 1) {
        return hs_fail(HS_ERANGE, "Winograd's gradient of the weights: kernel %zu, stride %zu", s->kernel, s->stride);
    }
    make_job(c, n, &j);
    const uint64_t tile_dims[3] = {n, j.tiles_y, j.tiles_x}, sum_dims[3] = {POINTS, j.in_ld, j.out_ld};
    const uint64_t work_dims[3] = {(uint64_t)c->threads, HALF, v_step(&j) + m_step(&j)};
    HS_TRY(hs_size_product(3, tile_dims, &tiles));
    HS_TRY(hs_size_product(3, sum_dims, &sums));
    HS_TRY(hs_size_product(3, work_dims, &work));
    HS_TRY(hs_size_add(sums, work, &floats));
    HS_TRY(hs_size_add(floats, j.in_ld > j.out_ld ? j.in_ld : j.out_ld, &floats));
    HS_TRY(hs_size_mul(floats, sizeof(float), scratch_bytes));
out:
    return rc;
}

/* Three of the six rows of B^T d, then all of B^T (that)^T: half of what conv_winograd.c does. */
#define INPUT_UPPER(d0, d1, d2, d3, d4, o0, o1, o2)                \
    do {                                                           \
        lanes e_ = (d4)-2.0f * (d2), f_ = A1 * ((d3)-2.0f * (d1)); \
        (o0) = ((d0) + (d4)) - 2.5f * (d2);                        \
        (o1) = e_ + f_;                                            \
        (o2) = e_ - f_;                                            \
    } while (0)
#define INPUT_LOWER(d1, d2, d3, d4, d5, o3, o4, o5)                \
    do {                                                           \
        lanes e_ = (d4)-0.5f * (d2), f_ = B1 * ((d3)-0.5f * (d1)); \
        (o3) = e_ + f_;                                            \
        (o4) = e_ - f_;                                            \
        (o5) = ((d1) + (d5)) - 2.5f * (d3);                        \
    } while (0)

/* The same of A, which takes four values to six. */
#define COTANGENT_UPPER(y0, y1, y2, y3, o0, o1, o2)                    \
    do {                                                               \
        lanes e_ = (y0) + 0.5f * (y2), f_ = A1 * ((y1) + 0.5f * (y3)); \
        (o0) = (y0);                                                   \
        (o1) = e_ + f_;                                                \
        (o2) = e_ - f_;                                                \
    } while (0)
#define COTANGENT_LOWER(y0, y1, y2, y3, o3, o4, o5)                    \
    do {                                                               \
        lanes e_ = (y0) + 2.0f * (y2), f_ = B1 * ((y1) + 2.0f * (y3)); \
        (o3) = e_ + f_;                                                \
        (o4) = e_ - f_;                                                \
        (o5) = (y3);                                                   \
    } while (0)

/* Up to 16 channels, zeros for the rest. */
#define LOAD(v, from, bytes)                     \
    do {                                         \
        if ((bytes) == sizeof(lanes)) {          \
            memcpy(&(v), (from), sizeof(lanes)); \
        } else {                                 \
            memset(&(v), 0, sizeof(lanes));      \
            memcpy(&(v), (from), (bytes));       \
        }                                        \
    } while (0)

/* V[q] (step floats apart) <- one half of B^T d B of a tile; n channels; d[q] points at each pixel. */
HS_SIMD static void transform_input(size_t n, size_t half, const float *const d[POINTS], float *V, size_t step)
{
    for (size_t j = 0; j < n; j += LANES) {
        lanes t[HALF_ROWS][PATCH];
        size_t bytes = (n - j < LANES ? n - j : LANES) * sizeof(float);
        for (size_t x = 0; x < PATCH; x++) {
            lanes v[PATCH - 1];
            for (size_t y = 0; y < PATCH - 1; y++) {
                LOAD(v[y], d[(y + half) * PATCH + x] + j, bytes);
            }
            if (half == 0) {
                INPUT_UPPER(v[0], v[1], v[2], v[3], v[4], t[0][x], t[1][x], t[2][x]);
            } else {
                INPUT_LOWER(v[0], v[1], v[2], v[3], v[4], t[0][x], t[1][x], t[2][x]);
            }
        }
        for (size_t y = 0; y < HALF_ROWS; y++) {
            lanes o[PATCH];
            INPUT_UPPER(t[y][0], t[y][1], t[y][2], t[y][3], t[y][4], o[0], o[1], o[2]);
            INPUT_LOWER(t[y][1], t[y][2], t[y][3], t[y][4], t[y][5], o[3], o[4], o[5]);
            for (size_t x = 0; x < PATCH; x++) {
                memcpy(V + (y * PATCH + x) * step + j, &o[x], sizeof(lanes));
            }
        }
    }
}

/* M[q] <- one half of A dy A^T of a tile; channel j goes to panel j / width, panel_step floats apart. */
HS_SIMD static void transform_cotangent(size_t n, size_t half, const float *const dy[TILE * TILE], float *M,
                                        size_t step, size_t width, size_t panel_step)
{
    for (size_t j = 0; j < n; j += LANES) {
        lanes t[HALF_ROWS][TILE];
        size_t bytes = (n - j < LANES ? n - j : LANES) * sizeof(float);
        float *to = M + j / width * panel_step + j % width;
        for (size_t x = 0; x < TILE; x++) {
            lanes v[TILE];
            for (size_t y = 0; y < TILE; y++) {
                LOAD(v[y], dy[y * TILE + x] + j, bytes);
            }
            if (half == 0) {
                COTANGENT_UPPER(v[0], v[1], v[2], v[3], t[0][x], t[1][x], t[2][x]);
            } else {
                COTANGENT_LOWER(v[0], v[1], v[2], v[3], t[0][x], t[1][x], t[2][x]);
            }
        }
        for (size_t y = 0; y < HALF_ROWS; y++) {
            lanes o[PATCH];
            COTANGENT_UPPER(t[y][0], t[y][1], t[y][2], t[y][3], o[0], o[1], o[2]);
            COTANGENT_LOWER(t[y][0], t[y][1], t[y][2], t[y][3], o[3], o[4], o[5]);
            for (size_t x = 0; x < PATCH; x++) {
                memcpy(to + (y * PATCH + x) * step, &o[x], sizeof(lanes));
            }
        }
    }
}

/* What one thread owns: a half of the points, channels [in, in + ins) by panels [panel, panel + panels). */
typedef struct {
    size_t half, in, ins, panel, panels;
    float *V, *M;
} part;

static part make_part(const job *j, size_t p, float *work)
{
    part own = {.half = p % HALVES, .V = work, .M = work + HALF * v_step(j)};
    size_t in = p / HALVES % j->in_parts * j->in_part, in_most = j->in_ld / LANES;
    own.in = in * LANES;
    own.ins = (in_most - in < j->in_part ? in_most - in : j->in_part) * LANES;
    own.panel = p / HALVES / j->in_parts * j->out_part;
    own.panels = j->panels - own.panel < j->out_part ? j->panels - own.panel : j->out_part;
    return own;
}

static void transform_tile(const job *j, const part *p, size_t t, size_t slot)
{
    const hs_conv_shape *s = &j->c->shape;
    const float *d[POINTS], *dy[TILE * TILE];
    size_t per_image = j->tiles_y * j->tiles_x, i = t / per_image, h = j->c->h, w = j->c->w;
    size_t oy = t % per_image / j->tiles_x * TILE, ox = t % j->tiles_x * TILE, width = j->kernel->width;
    size_t ins = s->in_ch - p->in < p->ins ? s->in_ch - p->in : p->ins, out = p->panel * width;
    size_t outs = s->out_ch - out < p->panels * width ? s->out_ch - out : p->panels * width;
    for (size_t q = 0; q < POINTS; q++) {
        /* Unsigned: above or left of the map wraps to a huge coordinate. */
        size_t y = oy + q / PATCH - s->pad_top, x = ox + q % PATCH - s->pad_left;
        d[q] = y < h && x < w ? j->a->x + ((i * h + y) * w + x) * s->in_ch + p->in : j->zeros;
    }
    for (size_t q = 0; q < TILE * TILE; q++) {
        size_t y = oy + q / TILE, x = ox + q % TILE;
        dy[q] = y < j->oh && x < j->ow ? j->a->dy + ((i * j->oh + y) * j->ow + x) * s->out_ch + out : j->zeros;
    }
    transform_input(ins, p->half, d, p->V + slot * j->in_part * LANES, v_step(j));
    transform_cotangent(outs, p->half, dy, p->M + slot * width, m_step(j), width, j->block * width);
}

static float *sums_of(const job *j, const part *p, size_t q)
{
    return j->sums + ((p->half * HALF + q) * j->in_ld + p->in) * j->out_ld + p->panel * j->kernel->width;
}

static void add_products(const job *j, const part *p, size_t tiles)
{
    size_t width = j->kernel->width, lda = j->in_part * LANES;
    for (size_t q = 0; q < HALF; q++) {
        for (size_t k = 0; k < p->panels; k++) {
            hs_panel_pixels s = {
                1, tiles, p->V + q * v_step(j), 0, lda, p->M + q * m_step(j) + k * j->block * width, 0, width, width};
            j->kernel->add(p->ins, &s, sums_of(j, p, q) + k * width, j->out_ld);
        }
    }
}

static void run_part(const job *j, const part *p)
{
    size_t width = j->kernel->width;
    for (size_t q = 0; q < HALF; q++) {
        for (size_t i = 0; i < p->ins; i++) {
            memset(sums_of(j, p, q) + i * j->out_ld, 0, p->panels * width * sizeof(float));
        }
    }
    /* Columns beyond out_ch are never transformed: they must be numbers, whatever scratch held. */
    memset(p->M, 0, HALF * m_step(j) * sizeof *p->M);
    for (size_t first = 0; first < j->tiles; first += j->block) {
        size_t now = j->tiles - first < j->block ? j->tiles - first : j->block;
        for (size_t t = 0; t < now; t++) {
            transform_tile(j, p, first + t, t);
        }
        add_products(j, p, now);
    }
}

/* dw (9, 16 output channels) <- G^T dU G of one input channel. */
HS_SIMD static void untransform(const float *sums, size_t step, const float G[PATCH][3], float *dw)
{
    lanes t[3][PATCH];
    for (int x = 0; x < PATCH; x++) {
        lanes u[PATCH];
        for (int y = 0; y < PATCH; y++) {
            memcpy(&u[y], sums + (size_t)(y * PATCH + x) * step, sizeof(lanes));
        }
        for (int k = 0; k < 3; k++) {
            t[k][x] = G[0][k] * u[0];
            for (int y = 1; y < PATCH; y++) {
                t[k][x] += G[y][k] * u[y];
            }
        }
    }
    for (int k = 0; k < 9; k++) {
        lanes sum = G[0][k % 3] * t[k / 3][0];
        for (int x = 1; x < PATCH; x++) {
            sum += G[x][k % 3] * t[k / 3][x];
        }
        memcpy(dw + k * LANES, &sum, sizeof(lanes));
    }
}

static void add_to_weights(const job *j)
{
    const hs_conv_shape *s = &j->c->shape;
    double exact[PATCH][3];
    float G[PATCH][3];
    hs_conv_kernel_transform(exact);
    for (size_t e = 0; e < POINTS / 2; e++) {
        G[e / 3][e % 3] = (float)exact[e / 3][e % 3];
    }
#pragma omp parallel for schedule(static) num_threads(j->c->threads)
    for (size_t i = 0; i < s->in_ch; i++) {
        for (size_t o = 0; o < s->out_ch; o += LANES) {
            float dw[9 * LANES];
            untransform(j->sums + i * j->out_ld + o, j->in_ld * j->out_ld, (const float(*)[3])G, dw);
            for (size_t l = 0; l < LANES && o + l < s->out_ch; l++) {
                for (size_t k = 0; k < 9; k++) {
                    j->a->dweight[((o + l) * s->in_ch + i) * 9 + k] += dw[k * LANES + l];
                }
            }
        }
    }
}

static int run(const hs_conv *c, const hs_conv_weight_args *a)
{
    job j;
    make_job(c, c->dw_n, &j);
    j.a = a;
    j.tiles = a->n * j.tiles_y * j.tiles_x;
    size_t zeros = j.in_ld > j.out_ld ? j.in_ld : j.out_ld, parts = HALVES * j.in_parts * j.out_parts;
    size_t floats = HALF * (v_step(&j) + m_step(&j));
    j.sums = a->scratch;
    j.zeros = j.sums + POINTS * j.in_ld * j.out_ld;
    j.work = j.zeros + zeros;
    memset(j.zeros, 0, zeros * sizeof *j.zeros);
#pragma omp parallel for schedule(static, 1) num_threads(c->threads)
    for (size_t p = 0; p < parts; p++) {
        part own = make_part(&j, p, j.work + (size_t)omp_get_thread_num() * floats);
        run_part(&j, &own);
    }
    add_to_weights(&j);
    return HS_OK;
}

const hs_conv_weight_backend hs_conv_weight_winograd = {"winograd4x4", plan, run};
