/* CKA of rows on disk against what any program of it must do: two symmetric products of that size. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/bench/bench.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/geom/cka.h"
#include "core/io/file.h"
#include "core/linalg/blas.h"

/* (n, d) float32 on disk; the second side's rows are those one further on. */
typedef struct {
    hs_file file;
    char path[512];
    size_t n, d, shift;
} row_file;

static int read_rows(void *ctx, size_t first, size_t count, float *out)
{
    const row_file *f = ctx;
    return hs_file_read_at(&f->file, f->path, (uint64_t)(first + f->shift) * f->d * sizeof *out, out,
                           count * f->d * sizeof *out);
}

/* n + 1 rows of noise. */
HS_CHECKED static int make_file(const char *path, size_t n, size_t d)
{
    int rc;
    hs_outfile *out = NULL;
    float *row = NULL;
    HS_TRY(hs_alloc(d, sizeof *row, &row));
    HS_TRY(hs_outfile_begin(path, 1, &out));
    for (size_t i = 0; i <= n; i++) {
        hs_rng_normal((hs_rng){0, HS_RNG_TEST, 1000 + i}, 0, d, row);
        HS_TRY(hs_outfile_write(out, row, d * sizeof *row));
    }
    HS_TRY(hs_outfile_commit(out));
out:
    hs_outfile_free(out);
    free(row);
    return rc;
}

/* *seconds <- two lower triangles of A A^T in float32. */
HS_CHECKED static int two_products(row_file *f, double *seconds)
{
    int rc;
    float *A = NULL, *C = NULL;
    HS_TRY(hs_alloc(f->n, f->d * sizeof *A, &A));
    HS_TRY(hs_alloc(f->n, f->n * sizeof *C, &C));
    HS_TRY(read_rows(f, 0, f->n, A));
    memset(C, 0, f->n * f->n * sizeof *C);
    double t0 = hs_clock();
    for (int k = 0; k < 2; k++) {
        HS_TRY(hs_syrk_lower_f32(f->n, f->d, A, f->d, C, f->n));
    }
    *seconds = hs_clock() - t0;
out:
    free(A);
    free(C);
    return rc;
}

HS_CHECKED static int compare(const hs_bench_options *o, row_file *x, row_file *y, json_t **out)
{
    int rc;
    const hs_rows X = {x->n, x->d, 1, read_rows, x}, Y = {y->n, y->d, 1, read_rows, y};
    hs_cka r = {0};
    double *ours = NULL, *products = NULL, *ratio = NULL, peak = 0;
    HS_TRY(hs_alloc(o->rounds, sizeof *ours, &ours));
    HS_TRY(hs_alloc(o->rounds, sizeof *products, &products));
    HS_TRY(hs_alloc(o->rounds, sizeof *ratio, &ratio));
    for (size_t i = 0; i < o->rounds; i++) {
        HS_TRY(hs_progress_tell(o->progress, "cka", i, o->rounds));
        (void)hs_bench_reset_rss();
        double t0 = hs_clock();
        HS_TRY(hs_cka_linear(&X, &Y, o->progress, &r));
        ours[i] = hs_clock() - t0;
        peak = fmax(peak, hs_bench_peak_rss());
        HS_TRY(two_products(x, &products[i]));
        ratio[i] = ours[i] / products[i];
    }
    *out = json_pack("{s:s, s:I, s:I, s:f, s:f, s:f, s:f, s:f}", "work", "cka", "n", (json_int_t)x->n, "d",
                     (json_int_t)x->d, "seconds", hs_bench_median(o->rounds, ours), "two_ssyrk_s",
                     hs_bench_median(o->rounds, products), "ratio", hs_bench_median(o->rounds, ratio), "peak_rss_bytes",
                     peak, "debiased", r.debiased);
out:
    free(ours);
    free(products);
    free(ratio);
    return rc;
}

int hs_bench_cka(const hs_bench_options *o, const char *folder, size_t n, size_t d, json_t **out)
{
    int rc;
    row_file x = {.file = {.fd = -1}, .n = n, .d = d}, y;
    snprintf(x.path, sizeof x.path, "%.400s/hspace-bench-cka-%zux%zu", folder, n, d);
    HS_TRY(make_file(x.path, n, d));
    HS_TRY(hs_file_open(x.path, &x.file));
    y = x;
    y.shift = 1;
    HS_TRY(compare(o, &x, &y, out));
out:
    if (x.file.fd >= 0) {
        hs_file_close(&x.file);
    }
    unlink(x.path);
    return rc;
}
