/* hspace direction mean-diff: the difference of two groups' means. */
#include <math.h>
#include <stdlib.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/common.h"
#include "analysis/directions/dir_mean.h"
#include "core/base/alloc.h"
#include "core/stats/bca.h"

static const hs_opt options[] = {
    {"labels", 0, HS_OPT_STR, NULL, 0, 0, NULL, "L.csv", "Input",
     "a table with a row a sample, in the store's order (as `hspace score` or attributes.csv)"},
    {"attr", 0, HS_OPT_LIST, NULL, 0, 0, NULL, "A,B,...", "Input", "the columns; one direction each"},
    {"fraction", 0, HS_OPT_NUM, "0.25", 0, 0.5, NULL, "F", "Statistics",
     "of the samples in either group, where a column isn't 0 and 1"},
    {"ends", 0, HS_OPT_INT, NULL, 1, 0x1p31, NULL, "N", "Statistics",
     "instead: the N samples of the largest values against the N of the smallest"},
    {"shuffles", 0, HS_OPT_INT, "4", 0, 1000, NULL, "R", "Statistics",
     "twins from shuffled labels, stored beside each direction as its control"},
    HS_OPT_SPACE,
    {0}};
static const hs_opt *const tables[] = {options, NULL};

/* Of each direction: its groups, its norms and how well they are told apart. */
typedef struct {
    hs_store *store;
    hs_csv csv;
    size_t n, S;
    hs_space space;
    const char *const *attr; /* (n) */
    hs_labels *labels;       /* (n) */
    double *norm, *d_prime;  /* (n, S) */
} job;

static void job_free(job *j)
{
    for (size_t i = 0; j->labels != NULL && i < j->n; i++) {
        hs_labels_free(&j->labels[i]);
    }
    free(j->labels);
    free(j->norm);
    free(j->d_prime);
    hs_csv_free(&j->csv);
    hs_store_close(j->store);
}

HS_CHECKED static int open_job(hs_cmd *c, job *j)
{
    int rc = HS_OK;
    const char *const *in, *table = hs_cmd_str(c, "labels");
    hs_cmd_inputs(c, &in);
    j->n = hs_cmd_list(c, "attr", &j->attr);
    if (table == NULL || j->n == 0) {
        return hs_fail(HS_ERANGE, "direction mean-diff: wanted --labels L.csv and --attr A, its columns");
    }
    HS_TRY(hs_cmd_need_out(c));
    HS_TRY(hs_cmd_check_file(c, hs_cmd_out(c)));
    HS_TRY(hs_store_open(in[0], &j->store));
    HS_TRY(hs_cmd_input(c, in[0]));
    HS_TRY(hs_csv_read(table, &j->csv));
    HS_TRY(hs_cmd_input(c, table));
    j->S = hs_store_S(j->store);
    j->space = hs_common_space(c);
    HS_TRY(hs_calloc(j->n, sizeof *j->labels, &j->labels));
    HS_TRY(hs_alloc(j->n, j->S * sizeof *j->norm, &j->norm));
    HS_TRY(hs_alloc(j->n, j->S * sizeof *j->d_prime, &j->d_prime));
    size_t n = hs_store_n(j->store), ends = hs_cmd_given(c, "ends") ? (size_t)hs_cmd_int(c, "ends") : 0;
    if (ends > 0 && hs_cmd_given(c, "fraction")) {
        rc = hs_fail(HS_ERANGE, "--ends, --fraction: wanted one of them");
        goto out;
    }
    for (size_t i = 0; i < j->n; i++) {
        HS_TRY(hs_fail_in(hs_labels_of(&j->csv, j->attr[i], n, hs_cmd_num(c, "fraction"), ends, &j->labels[i]), table));
    }
out:
    return rc;
}

HS_CHECKED static int put_statistics(const job *j, hs_result *r)
{
    int rc = HS_OK;
    const size_t dim[2] = {j->n, j->S};
    int64_t *count = NULL;
    const char **rule = NULL;
    HS_TRY(hs_alloc(j->n, 2 * sizeof *count, &count));
    HS_TRY(hs_alloc(j->n, sizeof *rule, &rule));
    for (size_t i = 0; i < j->n; i++) {
        count[i] = (int64_t)j->labels[i].plus;
        count[j->n + i] = (int64_t)j->labels[i].minus;
        rule[i] = j->labels[i].rule;
    }
    HS_TRY(hs_result_put_f64(r, "norm", "direction,timestep", 2, dim, j->norm));
    HS_TRY(hs_result_put_f64(r, "d_prime", "direction,timestep", 2, dim, j->d_prime));
    HS_TRY(hs_result_put_i64(r, "n_plus", "direction", 1, dim, count));
    HS_TRY(hs_result_put_i64(r, "n_minus", "direction", 1, dim, count + j->n));
    HS_TRY(hs_result_put_strings(r, "groups", "direction", j->n, rule));
out:
    free(count);
    free(rule);
    return rc;
}

/* The twins of direction i, into its row. */
HS_CHECKED static int add_shuffled(hs_cmd *c, const job *j, size_t i, hs_result *r)
{
    int rc = HS_OK;
    size_t n = hs_store_n(j->store), R = (size_t)hs_cmd_int(c, "shuffles"), d;
    size_t *order = NULL;
    double *norm = NULL;
    float *twins = NULL;
    hs_labels l = j->labels[i];
    l.side = NULL;
    HS_TRY(hs_size_mul(R * j->S, hs_chw_size(hs_space_shape(j->store, j->space)), &d));
    HS_TRY(hs_alloc(d, sizeof *twins, &twins));
    HS_TRY(hs_alloc(n, sizeof *order, &order));
    HS_TRY(hs_alloc(j->S, sizeof *norm, &norm));
    HS_TRY(hs_alloc(n, sizeof *l.side, &l.side));
    for (size_t q = 0; q < R; q++) {
        hs_permutation(hs_cmd_seed(c), q, n, order);
        for (size_t s = 0; s < n; s++) {
            l.side[s] = j->labels[i].side[order[s]];
        }
        HS_TRY(hs_dir_mean(j->store, j->space, &l, hs_cmd_progress(c), twins + q * (d / R), norm, NULL));
    }
    HS_TRY(hs_result_put_rows(r, hs_direction_shuffled_array(j->space), i, 1, twins));
out:
    free(l.side);
    free(order);
    free(norm);
    free(twins);
    return rc;
}

/* r NULL: nothing is written. */
HS_CHECKED static int compute(hs_cmd *c, job *j, hs_result *r)
{
    int rc = HS_OK;
    const char *tap = hs_store_attr(j->store, "tap"), *sha = hs_store_attr(j->store, "model_sha256");
    float *dh = NULL;
    const hs_direction_set set = {.method = "mean-diff",
                                  .tap = tap != NULL ? tap : "",
                                  .model_sha256 = sha != NULL ? sha : "",
                                  .space = j->space,
                                  .shape = hs_space_shape(j->store, j->space),
                                  .n = j->n,
                                  .name = j->attr,
                                  .S = j->S,
                                  .t = hs_store_timesteps(j->store)};
    HS_TRY(hs_alloc(j->S, hs_chw_size(set.shape) * sizeof *dh, &dh));
    const size_t shuffles = r != NULL ? (size_t)hs_cmd_int(c, "shuffles") : 0;
    HS_TRY(r != NULL ? hs_direction_put(r, &set) : HS_OK);
    HS_TRY(shuffles > 0 ? hs_direction_put_shuffled(r, &set, shuffles) : HS_OK);
    for (size_t i = 0; i < j->n; i++) {
        HS_TRY(hs_dir_mean(j->store, j->space, &j->labels[i], hs_cmd_progress(c), dh, j->norm + i * j->S,
                           j->d_prime + i * j->S));
        HS_TRY(r != NULL ? hs_result_put_rows(r, hs_direction_array(j->space), i, 1, dh) : HS_OK);
        HS_TRY(shuffles > 0 ? add_shuffled(c, j, i, r) : HS_OK);
    }
out:
    free(dh);
    return rc;
}

static void answer(hs_cmd *c, const job *j)
{
    json_t *list = json_array();
    const int *t = hs_store_timesteps(j->store);
    for (size_t i = 0; i < j->n; i++) {
        const hs_labels *l = &j->labels[i];
        const double *d = j->d_prime + i * j->S;
        json_t *steps = json_array();
        size_t best = 0;
        for (size_t k = 0; k < j->S; k++) {
            best = d[k] > d[best] ? k : best;
            json_array_append_new(steps, json_pack("{s:i, s:o, s:o}", "t", t[k], "norm",
                                                   hs_json_num(j->norm[i * j->S + k]), "d_prime", hs_json_num(d[k])));
        }
        json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:I, s:o}", "name", l->name, "groups", l->rule, "n_plus",
                                              (json_int_t)l->plus, "n_minus", (json_int_t)l->minus, "steps", steps));
        hs_cmd_say(c, "%-14s %zu against %zu samples (%s)", l->name, l->plus, l->minus, l->rule);
        if (isfinite(d[best])) {
            hs_cmd_say(c, "; d' held out: %.2f at t = %d, %.2f at best, t = %d", d[0], t[0], d[best], t[best]);
        }
        hs_cmd_say(c, "\n");
    }
    json_object_set_new(hs_cmd_results(c), "directions", list);
}

static int run(hs_cmd *c)
{
    int rc;
    job j = {0};
    hs_result *r = NULL;
    HS_TRY(open_job(c, &j));
    if (hs_cmd_dry_run(c)) {
        hs_cmd_say(c, "%zu direction%s from %zu samples x %zu timesteps\n", j.n, j.n == 1 ? "" : "s",
                   hs_store_n(j.store), j.S);
        goto out;
    }
    if (hs_cmd_out(c) != NULL) {
        HS_TRY(hs_result_create(hs_cmd_out(c), "directions", hs_cmd_force(c), &r));
        HS_TRY(hs_common_provenance(c, r));
    }
    HS_TRY(compute(c, &j, r));
    if (r != NULL) {
        HS_TRY(put_statistics(&j, r));
        HS_TRY(hs_result_commit(r));
    }
    answer(c, &j);
out:
    hs_result_free(r);
    job_free(&j);
    return rc;
}

const hs_command hs_cmd_direction_mean = {
    .name = "direction mean-diff",
    .usage = "ACTS.h5 --labels L.csv --attr A,... -o D.h5",
    .purpose =
        "Mean differences of h between two groups of samples, a direction an attribute; with the separation d' of "
        "the groups along each, on samples it was not made from.",
    .examples = "hspace direction mean-diff acts.h5 --labels scores.csv --attr smile,age -o means.h5\n"
                "hspace direction mean-diff acts.h5 --labels attributes.csv --attr glasses -o glasses.h5",
    .options = tables,
    .min_inputs = 1,
    .max_inputs = 1,
    .run = run,
};
