#include "analysis/cli/deltas_in.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

void hs_deltas_in_close(hs_deltas_in *in)
{
    hs_result_close(in->h5);
    hs_tensors_free(in->tensors);
    hs_xxh3_free(in->mark);
    free(in->t);
    memset(in, 0, sizeof *in);
}

HS_CHECKED static int read_h5(void *ctx, size_t first, size_t n, float *room, const float **v)
{
    hs_deltas_in *in = ctx;
    *v = room;
    return hs_result_get_rows(in->h5, "delta_h", first, n, room);
}

/* Pages of a mapping count as memory: those far behind byte `from` go, a piece at a time.  Whoever still works there
 * gets them again. */
static void drop_behind(const hs_deltas_in *in, size_t from, size_t len)
{
    const size_t behind = (size_t)64 << 20, piece = (size_t)16 << 20;
    size_t first = from / piece * piece, end = (from + len) / piece * piece;
    if (first < end && end > behind) {
        first = first > behind ? first - behind : 0;
        hs_tensors_drop_part(in->tensors, in->array, first, end - behind - first);
    }
}

HS_CHECKED static int read_npy(void *ctx, size_t first, size_t n, float *room, const float **v)
{
    int rc;
    const hs_deltas_in *in = ctx;
    const hs_tensor *t = in->array;
    size_t per = in->source.S * in->source.d, size = per * hs_dtype_size(t->dtype);
    int as_it_is = t->dtype == HS_F32 && (uintptr_t)t->bytes % _Alignof(float) == 0;
    const unsigned char *bytes;
    HS_TRY(hs_tensors_lend(in->tensors, t, first * size, n * size, as_it_is ? room : NULL, &bytes));
    drop_behind(in, first * size, n * size);
    *v = as_it_is ? (const float *)(const void *)bytes : room;
    if (!as_it_is) {
        hs_to_f32(t->dtype, bytes, n * per, room);
    }
out:
    return rc;
}

static void mark_rows(void *ctx, size_t first, size_t n, const float *v)
{
    const hs_deltas_in *in = ctx;
    (void)first;
    hs_xxh3_add(in->mark, v, n * in->source.S * in->source.d * sizeof *v);
}

/* Large files of float32 get their fingerprint from the pass that measures them. */
HS_CHECKED static int begin_mark(hs_deltas_in *in)
{
    int rc = HS_OK;
    uint64_t offset, size;
    if (in->array->dtype != HS_F32 || !hs_tensors_place(in->tensors, in->array, &offset, &size) ||
        size < HS_DELTAS_MARKED) {
        return HS_OK;
    }
    HS_TRY(hs_xxh3_new(&in->mark));
    hs_xxh3_add(in->mark, in->array->bytes - offset, (size_t)offset);
    in->source.seen = mark_rows;
out:
    return rc;
}

HS_CHECKED static int set_shape(const char *path, size_t rank, const uint64_t *dim, hs_deltas_in *in)
{
    int rc = HS_OK;
    if (rank < 3) {
        return hs_fail(HS_ESHAPE, "%s: deltas of %zu dimensions; wanted (sample, timestep, ...)", path, rank);
    }
    in->source.n = dim[0];
    in->source.S = dim[1];
    HS_TRY(hs_size_product(rank - 2, dim + 2, &in->source.d));
    if (in->source.n == 0 || in->source.S == 0 || in->source.d == 0) {
        rc = hs_fail(HS_ESHAPE, "%s: deltas of %zu samples x %zu steps x %zu numbers; none may be 0", path,
                     in->source.n, in->source.S, in->source.d);
    }
out:
    return rc;
}

HS_CHECKED static int open_npy(const char *path, hs_deltas_in *in)
{
    int rc;
    HS_TRY(hs_tensors_map(path, &in->tensors));
    if (hs_tensors_count(in->tensors) != 1) {
        rc = hs_fail(HS_EFORMAT, "%s: %zu arrays; wanted one of (sample, timestep, ...)", path,
                     hs_tensors_count(in->tensors));
        goto out;
    }
    in->array = hs_tensors_at(in->tensors, 0);
    HS_TRY(set_shape(path, in->array->rank, in->array->dim, in));
    in->source.read = read_npy;
    in->source.parallel = 1;
    HS_TRY(begin_mark(in));
out:
    return rc;
}

/* The timesteps, where the file has as many as the deltas. */
HS_CHECKED static int read_timesteps(hs_deltas_in *in)
{
    int rc = HS_OK;
    size_t rank, dim[8];
    double *t = NULL;
    if (!hs_result_has(in->h5, "timestep") || hs_result_shape(in->h5, "timestep", &rank, dim) != HS_OK || rank != 1 ||
        dim[0] != in->source.S || hs_result_get_f64(in->h5, "timestep", &t) != HS_OK) {
        return HS_OK;
    }
    HS_TRY(hs_alloc(in->source.S, sizeof *in->t, &in->t));
    for (size_t k = 0; k < in->source.S; k++) {
        in->t[k] = t[k] > -1e9 && t[k] < 1e9 ? (int)t[k] : 0;
    }
    in->source.t = in->t;
out:
    free(t);
    return rc;
}

HS_CHECKED static int open_h5(const char *path, hs_deltas_in *in)
{
    int rc;
    size_t rank, dim[8];
    uint64_t wide[8];
    char *frozen = NULL;
    double untrained = 0;
    HS_TRY(hs_result_open(path, &in->h5));
    if (!hs_result_has(in->h5, "delta_h")) {
        rc = hs_fail(HS_EFORMAT, "%s: no /delta_h; wanted per-sample deltas (sample, timestep, ...)", path);
        goto out;
    }
    HS_TRY(hs_result_shape(in->h5, "delta_h", &rank, dim));
    for (size_t i = 0; i < rank; i++) {
        wide[i] = dim[i];
    }
    HS_TRY(set_shape(path, rank, wide, in));
    HS_TRY(read_timesteps(in));
    if (hs_result_attr_get_str(in->h5, NULL, "frozen", &frozen) == HS_OK) {
        snprintf(in->direction, sizeof in->direction, "%s", frozen);
    }
    in->untrained = hs_result_attr_get_f64(in->h5, NULL, "untrained", &untrained) == HS_OK && untrained != 0;
    in->source.read = read_h5;
out:
    free(frozen);
    return rc;
}

static int ends_in(const char *path, const char *ending)
{
    size_t n = strlen(path), k = strlen(ending);
    return n > k && strcmp(path + n - k, ending) == 0;
}

int hs_deltas_in_open(hs_cmd *c, const char *path, hs_deltas_in *out)
{
    int rc;
    memset(out, 0, sizeof *out);
    HS_TRY(ends_in(path, ".npy") || ends_in(path, ".npz") ? open_npy(path, out) : open_h5(path, out));
    HS_TRY(out->mark == NULL ? hs_cmd_input(c, path) : HS_OK);
    snprintf(out->path, sizeof out->path, "%s", path);
    out->source.ctx = out;
out:
    if (rc != HS_OK) {
        hs_deltas_in_close(out);
    }
    return rc;
}

/* The fingerprint of what was read, once; the file is as it was. */
HS_CHECKED static int end_mark(hs_cmd *c, hs_deltas_in *in)
{
    int rc = HS_OK;
    char hex[HS_XXH3_HEX];
    uint64_t offset, size;
    if (in->mark == NULL || !hs_tensors_place(in->tensors, in->array, &offset, &size)) {
        return HS_OK;
    }
    size_t before = (size_t)offset + in->array->count * sizeof(float);
    hs_xxh3_add(in->mark, in->array->bytes - offset + before, (size_t)size - before);
    hs_xxh3_hex(in->mark, hex);
    HS_TRY(hs_cmd_input_mark(c, in->path, "xxh3", hex));
    hs_xxh3_free(in->mark);
    in->mark = NULL;
    in->source.seen = NULL;
out:
    return rc;
}

int hs_deltas_in_reduce(hs_cmd *c, hs_deltas_in *in, int pairs, hs_deltas *out)
{
    int rc;
    hs_deltas_limits limits = HS_DELTAS_LIMITS_INIT;
    hs_deltas x = {0};
    limits.pairs = pairs;
    HS_TRY(hs_deltas_reduce(&in->source, &limits, hs_cmd_progress(c), &x));
    HS_TRY(hs_tensors_check(in->tensors));
    HS_TRY(end_mark(c, in));
    *out = x;
    memset(&x, 0, sizeof x);
out:
    hs_deltas_free(&x);
    return rc;
}

int hs_deltas_in_without(hs_cmd *c, hs_deltas_in *in, const hs_deltas *mode, hs_deltas *out)
{
    int rc;
    float *mean = NULL;
    if (mode->S != in->source.S || mode->d != in->source.d) {
        return hs_fail(HS_ESHAPE, "--null-deltas: %zu steps x %zu numbers; the deltas are %zu x %zu", mode->S, mode->d,
                       in->source.S, in->source.d);
    }
    HS_TRY(hs_alloc(mode->S, mode->d * sizeof *mean, &mean));
    hs_deltas_mean(mode, mean);
    HS_TRY(hs_deltas_reduce_without(&in->source, mean, hs_cmd_progress(c), out));
out:
    free(mean);
    return rc;
}
