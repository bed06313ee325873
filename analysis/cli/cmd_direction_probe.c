/* hspace direction probe: the normals of regularised linear probes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/common.h"
#include "analysis/directions/dir_probe.h"
#include "analysis/directions/direction.h"
#include "analysis/directions/labels.h"
#include "core/base/alloc.h"
#include "core/stats/bca.h"

static const hs_opt options[] = {
    {"labels", 0, HS_OPT_STR, NULL, 0, 0, NULL, "L.csv", "Input",
     "a table with a row a sample, in the store's order (as `hspace score` or attributes.csv)"},
    {"attr", 0, HS_OPT_LIST, NULL, 0, 0, NULL, "A,B,...", "Input",
     "the columns; one direction each: logistic where all values are 0 or 1, else ridge"},
    {"folds", 0, HS_OPT_INT, "5", 3, 100, NULL, "K", "Statistics", "of the cross-validation"},
    {"strengths-grid", 0, HS_OPT_GRID, "1e-5,1e-4,1e-3,1e-2,1e-1,1,10,100", 0, 0, NULL, "P,...", "Statistics",
     "penalties to choose from, in units of the mean of |h - mean|^2"},
    {"shuffles", 0, HS_OPT_INT, "4", 0, 1000, NULL, "N", "Statistics",
     "controls with shuffled labels: their scores, and twins stored beside each direction"},
    {"bootstrap", 0, HS_OPT_INT, "2000", 400, 1000000, NULL, "B", "Statistics", "resamples for the intervals"},
    {0}};
static const hs_opt *const tables[] = {options, NULL};

typedef struct {
    hs_store *store;
    hs_csv csv;
    hs_probe_options o;
    size_t n, S;
    const char *const *attr; /* (n) */
    hs_probe *probe;         /* (n) */
} job;

static void job_free(job *j)
{
    for (size_t i = 0; j->probe != NULL && i < j->n; i++) {
        hs_probe_free(&j->probe[i]);
    }
    free(j->probe);
    hs_csv_free(&j->csv);
    hs_store_close(j->store);
}

HS_CHECKED static int new_probes(job *j)
{
    int rc = HS_OK, binary;
    size_t n = hs_store_n(j->store);
    double *value = NULL;
    HS_TRY(hs_alloc(n, sizeof *value, &value));
    HS_TRY(hs_calloc(j->n, sizeof *j->probe, &j->probe));
    for (size_t i = 0; i < j->n; i++) {
        HS_TRY(hs_labels_column(&j->csv, j->attr[i], n, value, &binary));
        HS_TRY(hs_probe_new(j->attr[i], n, value, binary, j->store, &j->o, &j->probe[i]));
    }
out:
    free(value);
    return rc;
}

HS_CHECKED static int open_job(hs_cmd *c, job *j)
{
    int rc = HS_OK;
    const char *const *in, *table = hs_cmd_str(c, "labels");
    hs_cmd_inputs(c, &in);
    j->n = hs_cmd_list(c, "attr", &j->attr);
    if (table == NULL || j->n == 0) {
        return hs_fail(HS_ERANGE, "direction probe: wanted --labels L.csv and --attr A, its columns");
    }
    HS_TRY(hs_cmd_need_out(c));
    HS_TRY(hs_cmd_check_file(c, hs_cmd_out(c)));
    j->o = (hs_probe_options){.folds = (size_t)hs_cmd_int(c, "folds"),
                              .shuffles = (size_t)hs_cmd_int(c, "shuffles"),
                              .seed = hs_cmd_seed(c),
                              .B = (size_t)hs_cmd_int(c, "bootstrap"),
                              .progress = hs_cmd_progress(c)};
    j->o.n_strength = hs_cmd_grid(c, "strengths-grid", &j->o.strength);
    HS_TRY(hs_store_open(in[0], &j->store));
    HS_TRY(hs_cmd_input(c, in[0]));
    HS_TRY(hs_csv_read(table, &j->csv));
    HS_TRY(hs_cmd_input(c, table));
    j->S = hs_store_S(j->store);
    HS_TRY(hs_fail_in(new_probes(j), table));
out:
    return rc;
}

/* ---- The file ---- */

enum { NUMBERS = 10 };
static const char *const number_name[NUMBERS] = {"norm",     "strength", "penalty",  "intercept",   "score",
                                                 "score_lo", "score_hi", "accuracy", "accuracy_lo", "accuracy_hi"};

static void numbers_of(const hs_probe_step *s, double v[NUMBERS])
{
    const double all[NUMBERS] = {s->norm,     s->strength, s->penalty,        s->intercept,   s->score.value,
                                 s->score.lo, s->score.hi, s->accuracy.value, s->accuracy.lo, s->accuracy.hi};
    for (size_t i = 0; i < NUMBERS; i++) {
        v[i] = all[i];
    }
}

HS_CHECKED static int put_numbers(const job *j, hs_result *r)
{
    int rc = HS_OK;
    const size_t dim[3] = {j->n, j->S, j->o.shuffles};
    double *v = NULL, one[NUMBERS], *shuffled = NULL;
    HS_TRY(hs_alloc(j->n * j->S, NUMBERS * sizeof *v, &v));
    HS_TRY(hs_alloc(j->n * j->S, j->o.shuffles * sizeof *shuffled, &shuffled));
    for (size_t at = 0; at < j->n * j->S; at++) {
        const hs_probe_step *s = &j->probe[at / j->S].step[at % j->S];
        numbers_of(s, one);
        for (size_t i = 0; i < NUMBERS; i++) {
            v[i * j->n * j->S + at] = one[i];
        }
        for (size_t i = 0; i < j->o.shuffles; i++) {
            shuffled[at * j->o.shuffles + i] = s->shuffled[i];
        }
    }
    for (size_t i = 0; i < NUMBERS; i++) {
        HS_TRY(hs_result_put_f64(r, number_name[i], "direction,timestep", 2, dim, v + i * j->n * j->S));
    }
    if (j->o.shuffles > 0) {
        HS_TRY(hs_result_put_f64(r, "score_shuffled", "direction,timestep,shuffle", 3, dim, shuffled));
    }
out:
    free(v);
    free(shuffled);
    return rc;
}

static const char *kind_of(const hs_probe *p)
{
    return p->binary ? "logistic" : "ridge";
}

HS_CHECKED static int put_columns(const job *j, hs_result *r)
{
    int rc = HS_OK;
    size_t n = hs_store_n(j->store);
    const size_t dim[2] = {j->n, n};
    int64_t *fold = NULL, *ones = NULL;
    double *unit = NULL;
    const char **kind = NULL;
    HS_TRY(hs_alloc(j->n, n * sizeof *fold, &fold));
    HS_TRY(hs_alloc(j->n, sizeof *ones, &ones));
    HS_TRY(hs_alloc(j->n, sizeof *unit, &unit));
    HS_TRY(hs_alloc(j->n, sizeof *kind, &kind));
    for (size_t i = 0; i < j->n; i++) {
        const hs_probe *p = &j->probe[i];
        kind[i] = kind_of(p);
        unit[i] = p->unit;
        ones[i] = p->binary ? (int64_t)p->ones : -1;
        for (size_t s = 0; s < n; s++) {
            fold[i * n + s] = p->fold[s];
        }
    }
    HS_TRY(hs_result_put_strings(r, "probe", "direction", j->n, kind));
    HS_TRY(hs_result_put_f64(r, "unit", "direction", 1, dim, unit));
    HS_TRY(hs_result_put_i64(r, "n_ones", "direction", 1, dim, ones));
    HS_TRY(hs_result_put_i64(r, "fold", "direction,sample", 2, dim, fold));
out:
    free(fold);
    free(ones);
    free(unit);
    free(kind);
    return rc;
}

/* probe (shuffles) <- probes of the labels of p in other orders. */
HS_CHECKED static int new_twins(const job *j, const hs_probe *p, const hs_probe_options *o, hs_probe *probe)
{
    int rc = HS_OK;
    size_t *order = NULL;
    double *value = NULL;
    HS_TRY(hs_alloc(p->n, sizeof *order, &order));
    HS_TRY(hs_alloc(p->n, sizeof *value, &value));
    for (size_t q = 0; q < j->o.shuffles; q++) {
        hs_permutation(o->seed, q, p->n, order);
        for (size_t s = 0; s < p->n; s++) {
            value[s] = p->value[order[s]];
        }
        HS_TRY(hs_probe_new(p->name, p->n, value, p->binary, j->store, o, &probe[q]));
    }
out:
    free(order);
    free(value);
    return rc;
}

/* Fits the twins of all probes in one pass over the store and puts them into the file. */
HS_CHECKED static int put_twins(const job *j, const hs_direction_set *set, hs_result *r)
{
    int rc = HS_OK;
    size_t R = j->o.shuffles, size = j->S * hs_chw_size(set->shape);
    hs_probe *probe = NULL;
    float *row = NULL;
    hs_probe_options o = j->o;
    o.shuffles = 0;
    HS_TRY(hs_calloc(j->n * R, sizeof *probe, &probe));
    HS_TRY(hs_alloc(R, size * sizeof *row, &row));
    for (size_t i = 0; i < j->n; i++) {
        HS_TRY(new_twins(j, &j->probe[i], &o, probe + i * R));
    }
    HS_TRY(hs_dir_probe(j->store, &o, j->n * R, probe));
    HS_TRY(hs_direction_put_shuffled(r, set, R));
    for (size_t i = 0; i < j->n; i++) {
        for (size_t q = 0; q < R; q++) {
            memcpy(row + q * size, probe[i * R + q].dh, size * sizeof *row);
        }
        HS_TRY(hs_result_put_rows(r, hs_direction_shuffled_array(set->space), i, 1, row));
    }
out:
    for (size_t i = 0; probe != NULL && i < j->n * R; i++) {
        hs_probe_free(&probe[i]);
    }
    free(probe);
    free(row);
    return rc;
}

HS_CHECKED static int write_file(hs_cmd *c, const job *j)
{
    int rc = HS_OK;
    hs_result *r = NULL;
    const char *tap = hs_store_attr(j->store, "tap"), *sha = hs_store_attr(j->store, "model_sha256");
    const hs_direction_set set = {.method = "probe",
                                  .tap = tap != NULL ? tap : "",
                                  .model_sha256 = sha != NULL ? sha : "",
                                  .shape = hs_store_h(j->store),
                                  .n = j->n,
                                  .name = j->attr,
                                  .S = j->S,
                                  .t = hs_store_timesteps(j->store)};
    HS_TRY(hs_result_create(hs_cmd_out(c), "directions", hs_cmd_force(c), &r));
    HS_TRY(hs_common_provenance(c, r));
    HS_TRY(hs_direction_put(r, &set));
    for (size_t i = 0; i < j->n; i++) {
        HS_TRY(hs_result_put_rows(r, "delta_h", i, 1, j->probe[i].dh));
    }
    HS_TRY(j->o.shuffles > 0 ? put_twins(j, &set, r) : HS_OK);
    HS_TRY(put_numbers(j, r));
    HS_TRY(put_columns(j, r));
    HS_TRY(hs_result_commit(r));
out:
    hs_result_free(r);
    return rc;
}

/* ---- The answer ---- */

static json_t *estimate(const char *name, const char *estimator, size_t n, const hs_interval *i)
{
    return hs_json_estimate(name, i->value, i->lo, i->hi, n, estimator, i->reason);
}

static json_t *step_object(const job *j, const hs_probe *p, size_t k)
{
    const hs_probe_step *s = &p->step[k];
    json_t *list = json_array(), *shuffled = json_array();
    if (p->binary) {
        json_array_append_new(list, estimate("auc", "held out, pairs of one fold", p->n, &s->score));
        json_array_append_new(list, estimate("accuracy", "held out", p->n, &s->accuracy));
    } else {
        json_array_append_new(list, estimate("r2", "held out, against the training mean", p->n, &s->score));
    }
    for (size_t i = 0; i < j->o.shuffles; i++) {
        json_array_append_new(shuffled, hs_json_num(s->shuffled[i]));
    }
    return json_pack("{s:i, s:o, s:o, s:o, s:o, s:o}", "t", hs_store_timesteps(j->store)[k], "norm",
                     hs_json_num(s->norm), "strength", hs_json_num(s->strength), "penalty", hs_json_num(s->penalty),
                     "statistics", list, "shuffled", shuffled);
}

static void say_step(hs_cmd *c, const job *j, const hs_probe *p, size_t k)
{
    const hs_probe_step *s = &p->step[k];
    hs_cmd_say(c, "  t = %-4d %s %.3f [%.3f, %.3f]", hs_store_timesteps(j->store)[k], p->binary ? "AUC" : "R^2",
               s->score.value, s->score.lo, s->score.hi);
    if (p->binary) {
        hs_cmd_say(c, ", accuracy %.3f [%.3f, %.3f]", s->accuracy.value, s->accuracy.lo, s->accuracy.hi);
    }
    if (j->o.shuffles > 0) {
        double most = s->shuffled[0];
        for (size_t i = 1; i < j->o.shuffles; i++) {
            most = fmax(most, s->shuffled[i]);
        }
        hs_cmd_say(c, ", shuffled at most %.3f", most);
    }
    hs_cmd_say(c, "; strength %g\n", s->strength);
}

/* Says where the best of the grid is one of its ends: a better one may lie beyond. */
static void warn_of_ends(hs_cmd *c, const job *j, const hs_probe *p)
{
    double least = INFINITY, most = 0;
    size_t ends = 0;
    for (size_t i = 0; i < j->o.n_strength; i++) {
        least = fmin(least, j->o.strength[i]);
        most = fmax(most, j->o.strength[i]);
    }
    for (size_t k = 0; k < j->S; k++) {
        ends += p->step[k].strength <= least || p->step[k].strength >= most;
    }
    if (ends > 0 && j->o.n_strength > 1) {
        hs_cmd_warn(c,
                    "%s: at %zu of %zu timesteps the best strength is an end of the grid, %g or %g; a wider "
                    "--strengths-grid may find a better one",
                    p->name, ends, j->S, least, most);
    }
}

static void answer(hs_cmd *c, const job *j)
{
    json_t *list = json_array();
    for (size_t i = 0; i < j->n; i++) {
        const hs_probe *p = &j->probe[i];
        json_t *steps = json_array();
        hs_cmd_say(c, "%s: %s probe of %zu samples", p->name, kind_of(p), p->n);
        if (p->binary) {
            hs_cmd_say(c, ", %zu of them 1", p->ones);
        }
        hs_cmd_say(c, "; held out, in %zu folds:\n", j->o.folds);
        warn_of_ends(c, j, p);
        for (size_t k = 0; k < j->S; k++) {
            say_step(c, j, p, k);
            json_array_append_new(steps, step_object(j, p, k));
        }
        json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:o, s:o, s:o}", "name", p->name, "probe", kind_of(p),
                                              "n", (json_int_t)p->n, "n_ones",
                                              p->binary ? json_integer((json_int_t)p->ones) : json_null(), "unit",
                                              hs_json_num(p->unit), "steps", steps));
    }
    json_object_set_new(hs_cmd_results(c), "directions", list);
}

static int run(hs_cmd *c)
{
    int rc;
    job j = {0};
    HS_TRY(open_job(c, &j));
    if (hs_cmd_dry_run(c)) {
        hs_cmd_say(c, "%zu direction%s from %zu samples x %zu timesteps; %zu probes each\n", j.n, j.n == 1 ? "" : "s",
                   hs_store_n(j.store), j.S,
                   (1 + j.o.shuffles) * j.o.n_strength * j.o.folds * (j.o.folds + 1) / 2 * j.S);
        goto out;
    }
    HS_TRY(hs_dir_probe(j.store, &j.o, j.n, j.probe));
    if (hs_cmd_out(c) != NULL) {
        HS_TRY(write_file(c, &j));
    }
    answer(c, &j);
out:
    job_free(&j);
    return rc;
}

const hs_command hs_cmd_direction_probe = {
    .name = "direction probe",
    .usage = "ACTS.h5 --labels L.csv --attr A,... -o D.h5",
    .purpose =
        "Normals of linear probes of h, a direction an attribute: ridge for numbers, logistic for 0 and 1; with how "
        "well each answers for samples it was not made from, beside probes of shuffled labels. Strength 1 moves "
        "the probe's answer by one standard deviation of the labels, or its logit by 1.",
    .examples = "hspace direction probe acts.h5 --labels scores.csv --attr smile,age -o probes.h5\n"
                "hspace direction probe acts.h5 --labels attributes.csv --attr glasses --folds 10 -o glasses.h5",
    .options = tables,
    .min_inputs = 1,
    .max_inputs = 1,
    .run = run,
};
