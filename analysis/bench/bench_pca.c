/* PCA of rows on disk against scikit-learn: 60 factors of falling strength over white noise. */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/bench/bench.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/geom/pca.h"
#include "core/io/file.h"

enum { FACTORS = 60, HEADER = 128 };

/* A .npy of (n, d) float32 on disk, read by position. */
typedef struct {
    hs_file file;
    char path[512];
    size_t d;
} row_file;

static int read_rows(void *ctx, size_t first, size_t count, float *out)
{
    const row_file *f = ctx;
    return hs_file_read_at(&f->file, f->path, HEADER + (uint64_t)first * f->d * sizeof *out, out,
                           count * f->d * sizeof *out);
}

static void npy_header(size_t n, size_t d, char out[HEADER])
{
    memset(out, ' ', HEADER);
    memcpy(out, "\x93NUMPY\x01\x00\x76\x00", 10); /* 118 bytes of dictionary: 128 in all */
    int len = snprintf(out + 10, HEADER - 10, "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }", n, d);
    out[10 + len] = ' ';
    out[HEADER - 1] = '\n';
}

/* Row i: noise + sum_f strength_f z_if v_f, v_f unit.  strength_f falls from 11.5 to 1.6 times the edge of the noise's
 * own spectrum, 1 + sqrt(d / n), so that all factors can be told from it. */
static void make_row(size_t i, size_t n, size_t d, const float *v, float *row)
{
    double edge = 1 + sqrt((double)d / (double)n);
    float z[FACTORS];
    hs_rng_normal((hs_rng){0, HS_RNG_TEST, 1000 + i}, 0, d, row);
    hs_rng_normal((hs_rng){0, HS_RNG_TEST, i}, (uint64_t)1 << 32, FACTORS, z);
    for (size_t f = 0; f < FACTORS; f++) {
        float a = (float)(edge * (1.5 + 10 * pow(0.93, (double)f))) * z[f];
        for (size_t j = 0; j < d; j++) {
            row[j] += a * v[f * d + j];
        }
    }
}

HS_CHECKED static int make_file(const char *path, size_t n, size_t d)
{
    int rc;
    char header[HEADER];
    hs_outfile *out = NULL;
    float *v = NULL, *row = NULL;
    HS_TRY(hs_alloc(FACTORS, d * sizeof *v, &v));
    HS_TRY(hs_alloc(d, sizeof *row, &row));
    hs_rng_normal((hs_rng){0, HS_RNG_TEST, 999}, 0, FACTORS * d, v);
    for (size_t i = 0; i < FACTORS * d; i++) {
        v[i] /= sqrtf((float)d);
    }
    npy_header(n, d, header);
    HS_TRY(hs_outfile_begin(path, 1, &out));
    HS_TRY(hs_outfile_write(out, header, HEADER));
    for (size_t i = 0; i < n; i++) {
        make_row(i, n, d, v, row);
        HS_TRY(hs_outfile_write(out, row, d * sizeof *row));
    }
    HS_TRY(hs_outfile_commit(out));
out:
    hs_outfile_free(out);
    free(v);
    free(row);
    return rc;
}

HS_CHECKED static int ask_peer(const hs_bench_options *o, const row_file *f, size_t k, const char *mode,
                               double *seconds)
{
    *seconds = NAN;
    if (o->peer == NULL) {
        return HS_OK;
    }
    json_t *q = json_pack("{s:s, s:s, s:I, s:s}", "cmd", "pca", "file", f->path, "k", (json_int_t)k, "mode", mode);
    if (hs_peer_ask(o->peer, q, seconds) != HS_OK) {
        hs_log(HS_LOG_WARNING, "%s", hs_error_message());
        *seconds = NAN;
    }
    return HS_OK;
}

HS_CHECKED static int compare(const hs_bench_options *o, row_file *f, size_t n, size_t k, json_t **out)
{
    int rc;
    hs_rows rows = {n, f->d, 1, read_rows, f};
    hs_pca_options opt = HS_PCA_OPTIONS;
    hs_pca *p = NULL;
    size_t bytes = 0;
    double randomized = NAN, incremental = NAN, *ours = NULL;
    opt.k = k;
    HS_TRY(hs_alloc(o->rounds, sizeof *ours, &ours));
    HS_TRY(hs_pca_bytes(&rows, &opt, &bytes, NULL));
    double ratio = 0;
    for (size_t r = 0; r < o->rounds; r++) {
        hs_pca_free(p);
        p = NULL;
        HS_TRY(hs_progress_tell(o->progress, "pca", r, o->rounds));
        double t0 = hs_clock();
        HS_TRY(hs_pca_fit(&rows, &opt, &p));
        ours[r] = hs_clock() - t0;
        HS_TRY(ask_peer(o, f, k, "randomized", &randomized));
        ratio += randomized / ours[r] / (double)o->rounds;
    }
    HS_TRY(ask_peer(o, f, k, "incremental", &incremental));
    double median = hs_bench_median(o->rounds, ours);
    *out = json_pack("{s:s, s:I, s:I, s:I, s:s, s:f, s:{s:o, s:o}, s:o, s:o, s:f, s:I, s:I}", "work", "pca", "n",
                     (json_int_t)n, "d", (json_int_t)f->d, "k", (json_int_t)k, "solver", hs_pca_solver_name(p->solver),
                     "seconds", median, "peers", "randomized", hs_bench_number(randomized), "incremental",
                     hs_bench_number(incremental), "ratio_randomized", hs_bench_number(ratio), "ratio_incremental",
                     hs_bench_number(incremental / median), "worst_residual", p->worst, "sweeps", (json_int_t)p->sweeps,
                     "solver_bytes", (json_int_t)bytes);
out:
    hs_pca_free(p);
    free(ours);
    return rc;
}

int hs_bench_pca(const hs_bench_options *o, const char *folder, size_t n, size_t d, size_t k, json_t **out)
{
    int rc;
    row_file f = {.file = {.fd = -1}, .d = d};
    snprintf(f.path, sizeof f.path, "%.400s/hspace-bench-%zux%zu.npy", folder, n, d);
    HS_TRY(make_file(f.path, n, d));
    HS_TRY(hs_file_open(f.path, &f.file));
    HS_TRY(compare(o, &f, n, k, out));
out:
    if (f.file.fd >= 0) {
        hs_file_close(&f.file);
    }
    unlink(f.path);
    return rc;
}
