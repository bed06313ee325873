/* The store: what its protocol costs against plain sequential writing of the same bytes. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/bench/bench.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/io/store.h"

enum { C = 512, SIDE = 8, UNIT = 8 };

HS_CHECKED static int write_plain(const char *path, size_t units, const float *h, size_t bytes, double *seconds)
{
    int rc = HS_OK, fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    double t0 = hs_clock();
    for (size_t u = 0; u < units && fd >= 0 && rc == HS_OK; u++) {
        for (size_t done = 0; done < bytes && rc == HS_OK;) {
            ssize_t w = write(fd, (const char *)h + done, bytes - done);
            rc = w > 0 ? HS_OK : hs_fail_errno(path, "write");
            done += w > 0 ? (size_t)w : 0;
        }
    }
    if (fd < 0 || (rc == HS_OK && fdatasync(fd) != 0)) {
        rc = hs_fail_errno(path, "write");
    }
    *seconds = hs_clock() - t0;
    if (fd >= 0) {
        close(fd);
    }
    unlink(path);
    return rc;
}

/* The columns of a store of n samples and S steps. */
HS_CHECKED static int columns(hs_arena *arena, size_t n, size_t S, hs_store_spec *spec)
{
    int rc, *t;
    int64_t *sample;
    uint64_t *seed;
    double *alpha_bar;
    const char **source;
    HS_TRY(hs_arena_alloc(arena, n, sizeof *sample, &sample));
    HS_TRY(hs_arena_alloc(arena, n, sizeof *seed, &seed));
    HS_TRY(hs_arena_alloc(arena, n, sizeof *source, &source));
    HS_TRY(hs_arena_alloc(arena, S, sizeof *t, &t));
    HS_TRY(hs_arena_alloc(arena, S, sizeof *alpha_bar, &alpha_bar));
    for (size_t i = 0; i < n; i++) {
        sample[i] = (int64_t)i;
        seed[i] = 0;
        source[i] = "prior";
    }
    for (size_t k = 0; k < S; k++) {
        t[k] = (int)(S - 1 - k);
        alpha_bar[k] = 0.5;
    }
    *spec = (hs_store_spec){.n = n,
                            .S = S,
                            .h = {C, SIDE, SIDE},
                            .image = {3, 8, 8},
                            .dtype = HS_F32,
                            .sample = sample,
                            .timestep = t,
                            .alpha_bar = alpha_bar,
                            .seed = seed,
                            .source = source,
                            .unit = UNIT,
                            .model_config = "{}",
                            .scheduler_config = "{}"};
out:
    return rc;
}

HS_CHECKED static int write_store(const char *path, const hs_store_spec *spec, const float *h, double *seconds)
{
    int rc, sealed = 0;
    hs_store_writer *w = NULL;
    double t0 = hs_clock();
    HS_TRY(hs_store_begin(path, spec, 1, &sealed, &w));
    for (size_t u = 0; u < hs_store_units(w); u++) {
        HS_TRY(hs_store_put(w, u, h, NULL, NULL, NULL));
    }
    HS_TRY(hs_store_seal(w));
    *seconds = hs_clock() - t0;
out:
    hs_store_writer_free(w);
    unlink(path);
    return rc;
}

int hs_bench_store(const hs_bench_options *o, const char *folder, size_t n, size_t S, json_t **out)
{
    int rc;
    hs_arena arena = {0};
    hs_store_spec spec;
    float *h = NULL;
    double *v[3] = {NULL};
    char plain[512], store[512];
    size_t cells = (size_t)UNIT * S * C * SIDE * SIDE, units = n / UNIT;
    snprintf(plain, sizeof plain, "%.400s/hspace-bench-plain", folder);
    snprintf(store, sizeof store, "%.400s/hspace-bench-store.h5", folder);
    HS_TRY(columns(&arena, units * UNIT, S, &spec));
    HS_TRY(hs_alloc(cells, sizeof *h, &h));
    hs_rng_normal((hs_rng){0, HS_RNG_TEST, 0}, 0, cells, h);
    for (size_t i = 0; i < 3; i++) {
        HS_TRY(hs_alloc(o->rounds, sizeof **v, &v[i]));
    }
    for (size_t r = 0; r < o->rounds; r++) {
        HS_TRY(hs_progress_tell(o->progress, "store", r, o->rounds));
        HS_TRY(write_plain(plain, units, h, cells * sizeof *h, &v[0][r]));
        HS_TRY(write_store(store, &spec, h, &v[1][r]));
        v[2][r] = v[0][r] / v[1][r];
    }
    *out = json_pack("{s:s, s:I, s:f, s:f, s:f}", "work", "store", "bytes", (json_int_t)(units * cells * sizeof *h),
                     "plain_s", hs_bench_median(o->rounds, v[0]), "store_s", hs_bench_median(o->rounds, v[1]), "ratio",
                     hs_bench_median(o->rounds, v[2]));
out:
    for (size_t i = 0; i < 3; i++) {
        free(v[i]);
    }
    free(h);
    hs_arena_free(&arena);
    return rc;
}
