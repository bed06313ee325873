/* hspace similarity: how alike two sets of activations, or two directions, are. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/similarity.h"
#include "core/base/alloc.h"
#include "core/geom/angle.h"

static const hs_opt options[] = {
    {"metric", 0, HS_OPT_STR, "cka", 0, 0, "cosine|cka|cca|svcca|pwcca|procrustes|rsa", "NAME", "Statistics",
     "what is computed"},
    {"t", 0, HS_OPT_INT, NULL, 0, 0x1p30, NULL, "T", "Statistics", "this timestep only; all common ones when left out"},
    {"split", 0, HS_OPT_INT, "1", 1, 1000, NULL, "S", "Statistics",
     "also on each of S interleaved parts of the images"},
    {"keep", 0, HS_OPT_NUM, "1", 0, 1, NULL, "P", "Statistics",
     "cca, svcca, pwcca: share of the variance kept; 0.99 of svcca, and when there are too few images for all"},
    {0}};
static const hs_opt *const tables[] = {options, NULL};

/* Pairs (ka[i], kb[i]) of timestep indices that are compared; t -1 where the data don't say. */
typedef struct {
    size_t n, *ka, *kb;
    int *t;
} pairs;

static void pairs_free(pairs *p)
{
    free(p->ka);
    free(p->kb);
    free(p->t);
}

static void add_pair(pairs *p, size_t ka, size_t kb, int t)
{
    p->ka[p->n] = ka;
    p->kb[p->n] = kb;
    p->t[p->n++] = t;
}

HS_CHECKED static int match(hs_cmd *c, const hs_side *A, const hs_side *B, pairs *p)
{
    size_t most = A->S > B->S ? A->S : B->S;
    int rc = HS_OK, only = hs_cmd_given(c, "t");
    HS_TRY(hs_alloc(most, sizeof *p->ka, &p->ka));
    HS_TRY(hs_alloc(most, sizeof *p->kb, &p->kb));
    HS_TRY(hs_alloc(most, sizeof *p->t, &p->t));
    for (size_t i = 0; i < A->S; i++) {
        for (size_t j = 0; j < B->S; j++) {
            int ta = A->t != NULL ? A->t[i] : -1, tb = B->t != NULL ? B->t[j] : -1, t = ta >= 0 ? ta : tb;
            /* a side without timesteps goes with every step of the other */
            int same = ta == tb || ta < 0 || tb < 0;
            if (same && (!only || t < 0 || t == hs_cmd_int(c, "t"))) {
                add_pair(p, i, j, t);
            }
        }
    }
    if (p->n == 0) {
        rc = only ? hs_fail(HS_ERANGE, "--t: the two have no timestep %lld in common", (long long)hs_cmd_int(c, "t"))
                  : hs_fail(HS_ESHAPE, "similarity: the two have no timestep in common");
    }
out:
    return rc;
}

/* Rows first, first + step, ... of A, as a view. */
static hs_mat part_of(hs_mat A, size_t first, size_t step)
{
    return (hs_mat){A.data + first * A.ld, (A.rows - first + step - 1) / step, A.cols, A.ld * step};
}

/* Two sides at a pair of timesteps: a, b (n, d), or NULL for a metric that reads rows as it needs them. */
typedef struct {
    const hs_side *A, *B;
    size_t ka, kb;
    float *a, *b;
} at_pair;

/* The metric of rows first, first + every, ... */
HS_CHECKED static int measure(hs_cmd *c, const at_pair *p, size_t first, size_t every, json_t *statistics,
                              double *value)
{
    if (p->a != NULL) {
        return hs_similarity(c, part_of(hs_mat_of(p->a, p->A->n, p->A->d), first, every),
                             part_of(hs_mat_of(p->b, p->B->n, p->B->d), first, every), statistics, value);
    }
    hs_side_part x = {p->A, p->ka, first, every}, y = {p->B, p->kb, first, every};
    const hs_rows X = hs_side_rows(&x), Y = hs_side_rows(&y);
    return hs_similarity_cka(c, &X, &Y, statistics, value);
}

HS_CHECKED static int compare_parts(hs_cmd *c, const at_pair *p, json_t *step)
{
    size_t S = (size_t)hs_cmd_int(c, "split");
    json_t *list = json_array(), *ignored = json_array();
    int rc = HS_OK;
    if (S > 1 && p->A->n < 2 * S) {
        rc = hs_fail(HS_ERANGE, "--split: %zu rows for %zu parts; wanted at least 2 a part", p->A->n, S);
    }
    for (size_t s = 0; s < S && S > 1 && rc == HS_OK; s++) {
        double v = NAN;
        rc = measure(c, p, s, S, ignored, &v);
        json_array_append_new(list, hs_json_num(v));
    }
    json_decref(ignored);
    if (S > 1) {
        json_object_set_new(step, "splits", list);
    } else {
        json_decref(list);
    }
    return rc;
}

HS_CHECKED static int compare_pair(hs_cmd *c, const at_pair *p, int t, json_t *steps, double *value)
{
    json_t *step = json_object(), *statistics = json_array();
    int rc = HS_OK;
    if (p->a != NULL) {
        HS_TRY(hs_side_read(p->A, p->ka, p->a));
        HS_TRY(hs_side_read(p->B, p->kb, p->b));
    }
    HS_TRY(measure(c, p, 0, 1, statistics, value));
    HS_TRY(compare_parts(c, p, step));
    json_object_set_new(step, "t", t >= 0 ? json_integer(t) : json_null());
    json_object_set_new(step, "value", hs_json_num(*value));
    if (!isfinite(*value)) {
        json_object_set_new(step, "reason", json_string("undefined; see statistics"));
    }
    json_object_set(step, "statistics", statistics);
    json_array_append(steps, step);
    if (t >= 0) {
        hs_cmd_say(c, "t = %4d  ", t);
    }
    hs_cmd_say(c, "%s  %.6g\n", hs_cmd_str(c, "metric"), *value);
out:
    json_decref(step);
    json_decref(statistics);
    return rc;
}

HS_CHECKED static int compare(hs_cmd *c, const hs_side *A, const hs_side *B, const pairs *p, double *value)
{
    at_pair at = {.A = A, .B = B};
    size_t na = 0, nb = 0;
    int rc = HS_OK;
    json_t *steps = json_array();
    if (strcmp(hs_cmd_str(c, "metric"), "cka") != 0) {
        HS_TRY(hs_size_mul(A->n, A->d, &na));
        HS_TRY(hs_size_mul(B->n, B->d, &nb));
        HS_TRY(hs_alloc(na, sizeof *at.a, &at.a));
        HS_TRY(hs_alloc(nb, sizeof *at.b, &at.b));
    }
    for (size_t i = 0; i < p->n; i++) {
        HS_TRY(hs_progress_tell(hs_cmd_progress(c), "similarity", i, p->n));
        at.ka = p->ka[i];
        at.kb = p->kb[i];
        HS_TRY(compare_pair(c, &at, p->t[i], steps, &value[i]));
    }
    json_object_set(hs_cmd_results(c), "steps", steps);
out:
    json_decref(steps);
    free(at.a);
    free(at.b);
    return rc;
}

/* The mean over the timesteps that are defined; one step: its statistics too. */
static double summarise(hs_cmd *c, const pairs *p, const double *value, size_t n)
{
    double sum = 0;
    size_t defined = 0;
    for (size_t i = 0; i < p->n; i++) {
        if (isfinite(value[i])) {
            sum += value[i];
            defined++;
        }
    }
    double mean = defined > 0 ? sum / (double)defined : NAN;
    json_t *r = hs_cmd_results(c);
    json_object_set_new(r, "metric", json_string(hs_cmd_str(c, "metric")));
    json_object_set_new(r, "n", json_integer((json_int_t)n));
    json_object_set_new(r, "value", hs_json_num(mean));
    if (defined == 0) {
        json_object_set_new(r, "reason", json_string("undefined at every timestep"));
    }
    if (p->n == 1) {
        json_t *step = json_array_get(json_object_get(r, "steps"), 0);
        json_object_set(r, "statistics", json_object_get(step, "statistics"));
        if (json_object_get(step, "splits") != NULL) {
            json_object_set(r, "splits", json_object_get(step, "splits"));
        }
    }
    return mean;
}

/* cos of every step of A with every step of B: what two directions share over time. */
HS_CHECKED static int put_matrix(hs_result *r, const hs_side *A, const hs_side *B)
{
    const size_t dim[2] = {A->S, B->S};
    double *C = NULL;
    int64_t *ta = NULL, *tb = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(A->S * B->S, sizeof *C, &C));
    HS_TRY(hs_alloc(A->S, sizeof *ta, &ta));
    HS_TRY(hs_alloc(B->S, sizeof *tb, &tb));
    for (size_t k = 0; k < A->S; k++) {
        ta[k] = A->t != NULL ? A->t[k] : -1;
    }
    for (size_t k = 0; k < B->S; k++) {
        tb[k] = B->t != NULL ? B->t[k] : -1;
    }
    HS_TRY(hs_cosine_matrix(hs_mat_of(A->dir.dh, A->S, A->d), hs_mat_of(B->dir.dh, B->S, B->d), C));
    HS_TRY(hs_result_put_f64(r, "similarity", "row,column", 2, dim, C));
    HS_TRY(hs_result_put_i64(r, "row", "row", 1, &A->S, ta));
    HS_TRY(hs_result_put_i64(r, "column", "column", 1, &B->S, tb));
out:
    free(C);
    free(ta);
    free(tb);
    return rc;
}

/* One row a timestep, one column. */
HS_CHECKED static int put_steps(hs_result *r, const char *metric, const pairs *p, const double *value)
{
    const size_t dim[2] = {p->n, 1};
    int64_t *t = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(p->n, sizeof *t, &t));
    for (size_t i = 0; i < p->n; i++) {
        t[i] = p->t[i];
    }
    HS_TRY(hs_result_put_f64(r, "similarity", "row,column", 2, dim, value));
    HS_TRY(hs_result_put_i64(r, "row", "row", 1, &p->n, t));
    HS_TRY(hs_result_put_strings(r, "column", "column", 1, &metric));
out:
    free(t);
    return rc;
}

HS_CHECKED static int write_file(hs_cmd *c, const hs_side *A, const hs_side *B, const pairs *p, const double *value)
{
    hs_result *r = NULL;
    const char *metric = hs_cmd_str(c, "metric");
    int matrix = A->dir.dh != NULL && B->dir.dh != NULL && strcmp(metric, "cosine") == 0, rc = HS_OK;
    HS_TRY(hs_result_create(hs_cmd_out(c), "similarity", hs_cmd_force(c), &r));
    HS_TRY(hs_common_provenance(c, r));
    HS_TRY(hs_result_attr_str(r, NULL, "metric", metric));
    HS_TRY(hs_result_attr_i64(r, NULL, "n", (int64_t)A->n));
    HS_TRY(matrix ? put_matrix(r, A, B) : put_steps(r, metric, p, value));
    HS_TRY(hs_result_commit(r));
out:
    hs_result_free(r);
    return rc;
}

static int run(hs_cmd *c)
{
    const char *const *spec;
    hs_side A = {0}, B = {0};
    pairs p = {0};
    double *value = NULL;
    int rc = HS_OK;
    hs_cmd_inputs(c, &spec);
    HS_TRY(hs_cmd_check_file(c, hs_cmd_out(c)));
    HS_TRY(hs_side_open(c, spec[0], &A));
    HS_TRY(hs_side_open(c, spec[1], &B));
    HS_TRY(match(c, &A, &B, &p));
    if (hs_cmd_dry_run(c)) {
        hs_cmd_say(c, "%s of %zu rows at %zu timesteps\n", hs_cmd_str(c, "metric"), A.n, p.n);
        goto out;
    }
    HS_TRY(hs_alloc(p.n, sizeof *value, &value));
    HS_TRY(compare(c, &A, &B, &p, value));
    double mean = summarise(c, &p, value, A.n);
    if (p.n > 1) {
        hs_cmd_say(c, "mean      %s  %.6g\n", hs_cmd_str(c, "metric"), mean);
    }
    if (hs_cmd_out(c) != NULL) {
        HS_TRY(write_file(c, &A, &B, &p, value));
    }
out:
    free(value);
    pairs_free(&p);
    hs_side_free(&A);
    hs_side_free(&B);
    return rc;
}

const hs_command hs_cmd_similarity = {
    .name = "similarity",
    .usage = "A B --metric cosine|cka|cca|procrustes|rsa [--t T] [--split S] [-o R.h5]",
    .purpose = "Compares two stores, directions or arrays (n, d) whose rows are the same images.",
    .examples = "hspace similarity a.h5 b.h5 --metric cka --t 500\n"
                "hspace similarity pca.h5:pc0 pca.h5:pc1 --metric cosine -o cosines.h5\n"
                "hspace similarity x.npy y.npy --metric procrustes --json | jq .results.value",
    .options = tables,
    .min_inputs = 2,
    .max_inputs = 2,
    .run = run,
};
