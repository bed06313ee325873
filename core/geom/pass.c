#include "core/geom/pass.h"

#include <omp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/simd.h"
#include "core/geom/rows_sum.h"
#include "core/linalg/blas.h"

enum { SLICES = 16, MOST_ROWS = 512 };

struct hs_pass {
    const hs_centring *c;
    const hs_progress *progress;
    size_t most, tile, chunks;
    int threads;
    float *part;    /* (chunks, tile, k) X_c V_cᵀ */
    float *Y;       /* (tile, k) their sum */
    double *Yd;     /* the same before rounding */
    float *T;       /* (threads, k, chunk) YᵀX_c */
    double *energy; /* (chunks) */
    /* of the running pass */
    size_t k;
    const float *V;
    double *Z, *G;
};

HS_SIMD static double energy_of(size_t n, const float *x)
{
    double s[8] = {0};
    for (size_t j = 0; j + 8 <= n; j += 8) {
        for (size_t l = 0; l < 8; l++) {
            s[l] += (double)x[j + l] * (double)x[j + l];
        }
    }
    for (size_t j = n / 8 * 8; j < n; j++) {
        s[j % 8] += (double)x[j] * (double)x[j];
    }
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

HS_SIMD static void add_floats(size_t n, const float *from, double *to)
{
    for (size_t j = 0; j < n; j++) {
        to[j] += (double)from[j];
    }
}

/* Phase 0: centres a chunk of the tile where it lies, multiplies it with its chunk of V. */
static int forward(hs_pass *s, size_t c, const hs_tile *tile)
{
    size_t d = s->c->rows->d, at = c * HS_ROWS_CHUNK, w = hs_rows_chunk_width(d, c);
    s->energy[c] = tile->fresh ? 0 : s->energy[c];
    for (size_t r = 0; r < tile->count; r++) {
        float *x = tile->data + r * d + at;
        hs_centre_f32(s->c, tile->first + r, c, x, x);
        s->energy[c] += energy_of(w, x);
    }
    return hs_gemm_f32(HS_NO_TRANS, HS_TRANS, tile->count, s->k, w, 1, tile->data + at, d, s->V + at, d, 0,
                       s->part + c * s->tile * s->k, s->k);
}

/* Phase 1: sums a slice of the rows over the chunks. */
static int reduce(hs_pass *s, size_t slice, const hs_tile *tile)
{
    size_t per = (tile->count + SLICES - 1) / SLICES, from = slice * per * s->k, to = (slice + 1) * per * s->k;
    to = to < tile->count * s->k ? to : tile->count * s->k;
    if (from >= to) {
        return HS_OK;
    }
    memset(s->Yd + from, 0, (to - from) * sizeof *s->Yd);
    for (size_t c = 0; c < s->chunks; c++) {
        add_floats(to - from, s->part + c * s->tile * s->k + from, s->Yd + from);
    }
    for (size_t i = from; i < to; i++) {
        s->Y[i] = (float)s->Yd[i];
    }
    return HS_OK;
}

/* Phase 2: G, or a chunk of Z, gains the tile's part. */
static int backward(hs_pass *s, size_t i, const hs_tile *tile)
{
    size_t d = s->c->rows->d, k = s->k;
    if (i == 0) {
        return hs_gemm_f64(HS_TRANS, HS_NO_TRANS, k, k, tile->count, 1, s->Yd, k, s->Yd, k, !tile->fresh, s->G, k);
    }
    size_t at = (i - 1) * HS_ROWS_CHUNK, w = hs_rows_chunk_width(d, i - 1);
    float *T = s->T + (size_t)tile->thread * s->most * HS_ROWS_CHUNK;
    int rc = hs_gemm_f32(HS_TRANS, HS_NO_TRANS, k, w, tile->count, 1, s->Y, k, tile->data + at, d, 0, T, w);
    for (size_t j = 0; rc == HS_OK && j < k; j++) {
        double *z = s->Z + j * d + at;
        if (tile->fresh) {
            memset(z, 0, w * sizeof *z);
        }
        add_floats(w, T + j * w, z);
    }
    return rc;
}

static int pass_task(void *ctx, size_t phase, size_t i, const hs_tile *tile)
{
    return phase == 0 ? forward(ctx, i, tile) : (phase == 1 ? reduce(ctx, i, tile) : backward(ctx, i, tile));
}

int hs_pass_bytes(size_t d, size_t k, size_t *bytes)
{
    size_t tile = hs_rows_tile(d, MOST_ROWS), threads = (size_t)omp_get_max_threads(), part, scratch, rows, tree;
    int rc = HS_OK;
    HS_TRY(hs_size_product(3, (uint64_t[]){2 * tile, d, sizeof(float)}, &rows));
    HS_TRY(hs_size_product(4, (uint64_t[]){hs_rows_chunks(d) + 3, tile, k, sizeof(float)}, &part));
    HS_TRY(hs_size_product(4, (uint64_t[]){threads, k, HS_ROWS_CHUNK, sizeof(float)}, &scratch));
    HS_TRY(hs_size_add(rows, part, &rows));
    HS_TRY(hs_size_product(2, (uint64_t[]){k, d + k}, &tree));
    HS_TRY(hs_sum_bytes(tree + hs_rows_chunks(d), &tree));
    HS_TRY(hs_size_add(rows, tree, &rows));
    HS_TRY(hs_size_add(rows, scratch, bytes));
out:
    return rc;
}

int hs_pass_new(const hs_centring *c, size_t k, const hs_progress *progress, hs_pass **out)
{
    hs_pass *s = NULL;
    size_t bytes;
    int rc = hs_calloc(1, sizeof *s, &s);
    HS_TRY(rc);
    *s = (hs_pass){.c = c,
                   .progress = progress,
                   .most = k,
                   .tile = hs_rows_tile(c->rows->d, MOST_ROWS),
                   .chunks = hs_rows_chunks(c->rows->d),
                   .threads = omp_get_max_threads()};
    HS_TRY(hs_pass_bytes(c->rows->d, k, &bytes));
    HS_TRY(hs_alloc(s->chunks * s->tile * k, sizeof *s->part, &s->part));
    HS_TRY(hs_alloc(s->tile * k, sizeof *s->Y, &s->Y));
    HS_TRY(hs_alloc(s->tile * k, sizeof *s->Yd, &s->Yd));
    HS_TRY(hs_alloc((size_t)s->threads * k * HS_ROWS_CHUNK, sizeof *s->T, &s->T));
    HS_TRY(hs_alloc(s->chunks, sizeof *s->energy, &s->energy));
    *out = s;
    s = NULL;
out:
    hs_pass_free(s);
    return rc;
}

void hs_pass_free(hs_pass *s)
{
    if (s != NULL) {
        free(s->part);
        free(s->Y);
        free(s->Yd);
        free(s->T);
        free(s->energy);
        free(s);
    }
}

int hs_pass_apply(void *ctx, size_t k, const float *V, double *Z, double *G)
{
    hs_pass *s = ctx;
    if (k > s->most) {
        return hs_fail(HS_ERANGE, "a pass of %zu vectors, scratch is for %zu", k, s->most);
    }
    s->k = k;
    s->V = V;
    s->Z = Z;
    s->G = G;
    const hs_sum sum[] = {{Z, k * s->c->rows->d}, {G, k * k}, {s->energy, s->chunks}};
    hs_walk walk = {3, {s->chunks, SLICES, s->chunks + 1}, pass_task, s, s->threads, s->progress, "components", NULL};
    int rc = hs_rows_sum(s->c->rows, s->c->team, s->tile, &walk, 3, sum);
    for (size_t e = 0; rc == HS_OK && e < k * k; e++) { /* a product of two of anything needn't be symmetric */
        size_t i = e / k, j = e % k;
        G[e] = i < j ? G[j * k + i] : G[e];
    }
    return rc;
}

double hs_pass_energy(const hs_pass *s)
{
    double sum = 0;
    for (size_t c = 0; c < s->chunks; c++) {
        sum += s->energy[c];
    }
    return sum;
}
