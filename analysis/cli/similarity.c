/* The sides and the metrics of hspace similarity. */
#include "analysis/cli/similarity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/geom/angle.h"
#include "core/geom/cca.h"
#include "core/geom/cka.h"
#include "core/geom/procrustes.h"
#include "core/geom/rsa.h"
#include "core/stats/special.h"

/* ---- Sides ---- */

void hs_side_free(hs_side *s)
{
    hs_store_close(s->store);
    hs_direction_free(&s->dir);
    hs_array_free(&s->array);
    memset(s, 0, sizeof *s);
}

static int names_hdf5(const char *spec)
{
    const char *dot = strstr(spec, ".h5");
    return dot != NULL || strstr(spec, ".hdf5") != NULL;
}

HS_CHECKED static int open_array(hs_cmd *c, const char *path, hs_side *s)
{
    int rc = hs_common_array(c, path, &s->array);
    if (rc != HS_OK) {
        return rc;
    }
    if (s->array.rank == 0 || s->array.count == 0) {
        return hs_fail(HS_ESHAPE, "%s: a single number or nothing; wanted (n, d)", path);
    }
    s->n = s->array.rank == 1 ? 1 : s->array.dim[0];
    s->d = s->array.count / s->n;
    s->S = 1;
    return HS_OK;
}

HS_CHECKED static int open_direction(hs_cmd *c, const char *spec, hs_side *s)
{
    int rc = HS_OK;
    HS_TRY(hs_direction_open(spec, &s->dir));
    HS_TRY(hs_cmd_input(c, s->dir.file));
    if (s->dir.net != NULL) {
        rc = hs_fail(HS_ERANGE, "%s: a delta network: its dh depends on h and t; wanted a stored direction", spec);
        goto out;
    }
    s->n = 1;
    s->S = s->dir.S > 0 ? s->dir.S : 1;
    s->t = s->dir.t;
    s->d = hs_chw_size(s->dir.shape);
out:
    return rc;
}

HS_CHECKED static int open_store(hs_cmd *c, const char *path, hs_side *s)
{
    int rc = HS_OK;
    HS_TRY(hs_store_open(path, &s->store));
    HS_TRY(hs_cmd_input(c, path));
    s->n = hs_store_n(s->store);
    s->S = hs_store_S(s->store);
    s->t = hs_store_timesteps(s->store);
    s->d = hs_chw_size(hs_store_h(s->store));
out:
    return rc;
}

int hs_side_open(hs_cmd *c, const char *spec, hs_side *out)
{
    hs_side s = {0};
    hs_result_in *r = NULL;
    int is_store = 0, rc = HS_OK;
    if (!names_hdf5(spec)) {
        HS_TRY(open_array(c, spec, &s));
    } else {
        if (hs_result_open(spec, &r) == HS_OK) {
            is_store = hs_store_kind(hs_result_kind(r));
        }
        hs_result_close(r); /* HDF5 is not asked for one file twice at a time */
        r = NULL;
        HS_TRY(is_store ? open_store(c, spec, &s) : open_direction(c, spec, &s));
    }
    *out = s;
    s = (hs_side){0};
out:
    hs_result_close(r);
    hs_side_free(&s);
    return rc;
}

int hs_side_read(const hs_side *s, size_t k, float *out)
{
    if (s->store != NULL) {
        return hs_store_read_h(s->store, k, 0, s->n, out);
    }
    memcpy(out, s->array.v != NULL ? s->array.v : s->dir.dh + k * s->d, s->n * s->d * sizeof *out);
    return HS_OK;
}

static int read_rows(void *ctx, size_t first, size_t count, float *out)
{
    const hs_side_part *p = ctx;
    const hs_side *s = p->side;
    int rc = HS_OK;
    if (s->store != NULL && p->every == 1) {
        return hs_store_read_h(s->store, p->k, p->first + first, count, out);
    }
    for (size_t i = 0; i < count && rc == HS_OK; i++) {
        size_t row = p->first + (first + i) * p->every;
        if (s->store != NULL) {
            rc = hs_store_read_h(s->store, p->k, row, 1, out + i * s->d);
        } else {
            const float *from = s->array.v != NULL ? s->array.v + row * s->d : s->dir.dh + p->k * s->d;
            memcpy(out + i * s->d, from, s->d * sizeof *out);
        }
    }
    return rc;
}

hs_rows hs_side_rows(hs_side_part *part)
{
    size_t n = (part->side->n - part->first + part->every - 1) / part->every;
    return (hs_rows){n, part->side->d, 1, read_rows, part};
}

/* ---- Metrics ---- */

static void put(json_t *list, const char *name, double value, double half, size_t n, const char *estimator)
{
    json_array_append_new(list, hs_json_estimate(name, value, value - half, value + half, n, estimator,
                                                 isnan(half) ? "no interval" : NULL));
}

HS_CHECKED static int cosine(hs_mat A, hs_mat B, json_t *list, double *value)
{
    double sum = 0;
    if (A.cols != B.cols) {
        return hs_fail(HS_ESHAPE, "similarity: %zu and %zu features; a cosine needs the same", A.cols, B.cols);
    }
    for (size_t i = 0; i < A.rows; i++) {
        double one = 0;
        int rc = hs_cosine(A.cols, hs_mat_row(A, i), hs_mat_row(B, i), &one);
        if (rc != HS_OK) {
            return rc;
        }
        sum += one;
    }
    *value = sum / (double)A.rows;
    put(list, "cosine", *value, NAN, A.rows, "mean over rows of cos(a_i, b_i)");
    return HS_OK;
}

/* metric: cca, svcca (99 % of the variance unless --keep says otherwise) or pwcca (weighted by what explains A). */
HS_CHECKED static int cca(hs_cmd *c, const char *metric, hs_mat A, hs_mat B, json_t *list, double *value)
{
    double keep = hs_cmd_num(c, "keep");
    if (!hs_cmd_given(c, "keep") && (A.rows <= A.cols + B.cols || metric[0] == 's')) {
        keep = 0.99;
    }
    json_object_set_new(hs_cmd_params(c), "keep", hs_json_num(keep));
    hs_cca r;
    int rc = hs_cca_compare(A, B, keep, &r);
    if (rc == HS_OK) {
        const char *how =
            keep < 1 ? "mean canonical correlation of the leading components (SVCCA)" : "mean canonical correlation";
        *value = metric[0] == 'p' ? r.pwcca_x : r.mean;
        put(list, "cca_mean", r.mean, NAN, A.rows, how);
        put(list, "pwcca_a", r.pwcca_x, NAN, A.rows, "weighted by how much of A each variate explains");
        put(list, "pwcca_b", r.pwcca_y, NAN, A.rows, "weighted by how much of B each variate explains");
        put(list, "cca_first", r.count > 0 ? r.correlation[0] : NAN, NAN, A.rows, "largest canonical correlation");
        hs_cca_free(&r);
    }
    return rc;
}

HS_CHECKED static int procrustes(hs_mat A, hs_mat B, json_t *list, double *value)
{
    hs_procrustes r;
    int rc = hs_procrustes_compare(A, B, &r);
    if (rc == HS_OK) {
        *value = r.similarity;
        put(list, "procrustes", r.similarity, NAN, A.rows, "sum of singular values of A^T B; 1 = equal up to rotation");
        put(list, "procrustes_squared_distance", r.squared_distance, NAN, A.rows, "2 - 2 similarity; 0 = equal");
        put(list, "procrustes_angle", r.angle, NAN, A.rows, "arccos similarity, radians");
        put(list, "procrustes_disparity", r.disparity, NAN, A.rows, "1 - similarity^2");
    }
    return rc;
}

HS_CHECKED static int rsa(hs_mat A, hs_mat B, json_t *list, double *value)
{
    int rc = hs_rsa_compare(A, B, HS_RSA_SQEUCLIDEAN, value);
    if (rc == HS_OK) {
        put(list, "rsa", *value, NAN, A.rows, "Spearman correlation of squared distances over pairs of images");
    }
    return rc;
}

HS_CHECKED static int same_rows(size_t a, size_t b)
{
    return a == b ? HS_OK
                  : hs_fail(HS_ESHAPE, "similarity: %zu and %zu rows; wanted the same images on both sides", a, b);
}

/* rc, or for what is undefined HS_OK, with its reason among the statistics. */
HS_CHECKED static int settle(hs_cmd *c, int rc, size_t n, json_t *statistics, double *value)
{
    const char *metric = hs_cmd_str(c, "metric");
    if (rc == HS_EDEGENERATE) {
        *value = NAN;
        json_array_append_new(statistics, hs_json_estimate(metric, NAN, NAN, NAN, n, metric, hs_error_message()));
        hs_cmd_warn(c, "%s is undefined: %s", metric, hs_error_message());
        return HS_OK;
    }
    return rc;
}

int hs_similarity_cka(hs_cmd *c, const hs_rows *A, const hs_rows *B, json_t *statistics, double *value)
{
    int rc;
    hs_cka r;
    *value = NAN;
    HS_TRY(same_rows(A->n, B->n));
    rc = hs_cka_linear(A, B, hs_cmd_progress(c), &r);
    if (rc == HS_OK) {
        double half = r.n > 1 ? hs_student_quantile(0.975, (double)r.n - 1) * r.jackknife_se : NAN;
        *value = r.debiased;
        put(statistics, "cka_debiased", r.debiased, half, r.n, "U-statistic; delete-one jackknife, t interval");
        put(statistics, "cka_biased", r.biased, NAN, r.n, "plug-in; near 1 for unrelated data when d >> n");
    }
    rc = settle(c, rc, A->n, statistics, value);
out:
    return rc;
}

int hs_similarity(hs_cmd *c, hs_mat A, hs_mat B, json_t *statistics, double *value)
{
    const char *metric = hs_cmd_str(c, "metric");
    int rc = HS_OK;
    *value = NAN;
    HS_TRY(same_rows(A.rows, B.rows));
    if (strcmp(metric, "cosine") == 0) {
        rc = cosine(A, B, statistics, value);
    } else if (strstr(metric, "cca") != NULL) {
        rc = cca(c, metric, A, B, statistics, value);
    } else if (strcmp(metric, "procrustes") == 0) {
        rc = procrustes(A, B, statistics, value);
    } else {
        rc = rsa(A, B, statistics, value);
    }
    rc = settle(c, rc, A.rows, statistics, value);
out:
    return rc;
}
