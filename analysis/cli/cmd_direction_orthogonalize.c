/* hspace direction orthogonalize: what of a direction is not in the span of others. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/common.h"
#include "analysis/directions/dir_orthogonal.h"
#include "core/base/alloc.h"
#include "core/base/text.h"

static const hs_opt options[] = {{"against", 0, HS_OPT_LIST, NULL, 0, 0, NULL, "E[:NAME],...", "Input",
                                  "the directions to be orthogonal to; without NAME all of the file's"},
                                 {0}};
static const hs_opt *const tables[] = {options, NULL};

/* Directions of one or several files. */
typedef struct {
    size_t n;
    hs_direction *d;
} set;

typedef struct {
    set of, against;
    size_t S, steps;     /* of each of `of`; max(S, 1) */
    double *norm, *left; /* (of.n, steps) */
    int64_t *rank;       /* (of.n, steps) */
    float *dh;           /* (of.n, steps, C H W) */
} job;

static void set_free(set *s)
{
    for (size_t i = 0; i < s->n; i++) {
        hs_direction_free(&s->d[i]);
    }
    free(s->d);
}

static void job_free(job *j)
{
    set_free(&j->of);
    set_free(&j->against);
    free(j->norm);
    free(j->left);
    free(j->rank);
    free(j->dh);
}

HS_CHECKED static int add(const char *spec, set *s)
{
    hs_direction d, *more = realloc(s->d, (s->n + 1) * sizeof *more);
    if (more == NULL) {
        return hs_fail(HS_ENOMEM, "%.200s: no memory for another direction", spec);
    }
    s->d = more;
    int rc = hs_direction_open(spec, &d);
    if (rc == HS_OK) {
        s->d[s->n++] = d;
    }
    return rc;
}

/* s <- and that direction, or all of the file. */
HS_CHECKED static int add_spec(hs_cmd *c, const char *spec, set *s)
{
    int rc;
    size_t n = 0, first = s->n;
    char **names = NULL;
    hs_str one = {0};
    if (access(spec, F_OK) != 0) {
        HS_TRY(add(spec, s));
    } else {
        HS_TRY(hs_direction_names(spec, &n, &names));
    }
    for (size_t i = 0; i < n; i++) {
        HS_TRY(hs_direction_spec(spec, i, names[i], &one));
        HS_TRY(add(one.s, s));
        if (strcmp(s->d[s->n - 1].name, names[i]) != 0) {
            rc = hs_fail(HS_ERANGE, "%.200s: direction %zu, %.60s, can't be told from %.60s", spec, i, names[i],
                         s->d[s->n - 1].name);
            goto out;
        }
    }
    HS_TRY(s->n > first ? hs_cmd_input(c, s->d[first].file) : hs_fail(HS_EFORMAT, "%.200s: no directions", spec));
out:
    for (size_t i = 0; i < n; i++) {
        free(names[i]);
    }
    free(names);
    hs_str_free(&one);
    return rc;
}

HS_CHECKED static int open_job(hs_cmd *c, job *j)
{
    int rc = HS_OK;
    const char *const *in, *const *spec;
    size_t n = hs_cmd_list(c, "against", &spec), size;
    hs_cmd_inputs(c, &in);
    if (n == 0) {
        return hs_fail(HS_ERANGE, "direction orthogonalize: wanted --against E.h5[:NAME], what to be orthogonal to");
    }
    HS_TRY(hs_cmd_need_out(c));
    HS_TRY(hs_cmd_check_file(c, hs_cmd_out(c)));
    HS_TRY(add_spec(c, in[0], &j->of));
    for (size_t i = 0; i < n; i++) {
        HS_TRY(add_spec(c, spec[i], &j->against));
    }
    for (size_t i = 0; i < j->of.n; i++) {
        for (size_t k = 0; k < j->against.n; k++) {
            HS_TRY(hs_orthogonal_fits(&j->of.d[i], &j->against.d[k], hs_cmd_force(c)));
        }
    }
    j->S = j->of.d[0].S;
    j->steps = j->S > 0 ? j->S : 1;
    HS_TRY(hs_size_mul(j->of.n, j->steps, &size));
    HS_TRY(hs_alloc(size, sizeof *j->norm, &j->norm));
    HS_TRY(hs_alloc(size, sizeof *j->left, &j->left));
    HS_TRY(hs_alloc(size, sizeof *j->rank, &j->rank));
    HS_TRY(hs_alloc(size, hs_chw_size(j->of.d[0].shape) * sizeof *j->dh, &j->dh));
out:
    return rc;
}

HS_CHECKED static int write_file(hs_cmd *c, const job *j)
{
    int rc = HS_OK;
    const hs_direction *first = &j->of.d[0];
    const size_t dim[2] = {j->of.n, j->steps}, rank = j->S > 0 ? 2 : 1;
    const char *dims = j->S > 0 ? "direction,timestep" : "direction", **name = NULL, **against = NULL;
    hs_result *r = NULL;
    HS_TRY(hs_alloc(j->of.n, sizeof *name, &name));
    HS_TRY(hs_alloc(j->against.n, sizeof *against, &against));
    for (size_t i = 0; i < j->of.n; i++) {
        name[i] = j->of.d[i].name;
    }
    for (size_t i = 0; i < j->against.n; i++) {
        against[i] = j->against.d[i].name;
    }
    const hs_direction_set stored = {.method = "orthogonalize",
                                     .tap = first->tap,
                                     .model_sha256 = first->model_sha256,
                                     .space = first->space,
                                     .shape = first->shape,
                                     .n = j->of.n,
                                     .name = name,
                                     .S = j->S,
                                     .t = first->t};
    HS_TRY(hs_result_create(hs_cmd_out(c), "directions", hs_cmd_force(c), &r));
    HS_TRY(hs_common_provenance(c, r));
    HS_TRY(hs_direction_put(r, &stored));
    HS_TRY(hs_result_put_rows(r, hs_direction_array(first->space), 0, j->of.n, j->dh));
    HS_TRY(hs_result_put_f64(r, "norm_before", dims, rank, dim, j->norm));
    HS_TRY(hs_result_put_f64(r, "norm_left", dims, rank, dim, j->left));
    HS_TRY(hs_result_put_i64(r, "rank", dims, rank, dim, j->rank));
    HS_TRY(hs_result_put_strings(r, "against", "other", j->against.n, against));
    HS_TRY(hs_result_commit(r));
out:
    hs_result_free(r);
    free(name);
    free(against);
    return rc;
}

static void answer(hs_cmd *c, const job *j)
{
    json_t *list = json_array();
    for (size_t i = 0; i < j->of.n; i++) {
        json_t *steps = json_array();
        const double *left = j->left + i * j->steps;
        double least = INFINITY, most = -INFINITY;
        for (size_t k = 0; k < j->steps; k++) {
            least = fmin(least, left[k]);
            most = fmax(most, left[k]);
            json_array_append_new(steps,
                                  json_pack("{s:o, s:o, s:o, s:I}", "t",
                                            j->S > 0 ? json_integer((json_int_t)j->of.d[i].t[k]) : json_null(),
                                            "norm_before", hs_json_num(j->norm[i * j->steps + k]), "norm_left",
                                            hs_json_num(left[k]), "rank", (json_int_t)j->rank[i * j->steps + k]));
        }
        json_array_append_new(list, json_pack("{s:s, s:o}", "name", j->of.d[i].name, "steps", steps));
        hs_cmd_say(c, "%-14s against %zu direction%s: ", j->of.d[i].name, j->against.n, j->against.n == 1 ? "" : "s");
        if (isfinite(least)) {
            hs_cmd_say(c, "%.4g to %.4g of its norm is left\n", least, most);
        } else {
            hs_cmd_say(c, "it is 0 everywhere\n");
        }
    }
    json_object_set_new(hs_cmd_results(c), "directions", list);
}

static int run(hs_cmd *c)
{
    int rc;
    job j = {0};
    HS_TRY(open_job(c, &j));
    if (hs_cmd_dry_run(c)) {
        hs_cmd_say(c, "%zu direction%s against %zu at %zu timesteps\n", j.of.n, j.of.n == 1 ? "" : "s", j.against.n,
                   j.steps);
        goto out;
    }
    size_t size = j.steps * hs_chw_size(j.of.d[0].shape);
    for (size_t i = 0; i < j.of.n; i++) {
        size_t at = i * j.steps;
        HS_TRY(hs_orthogonalize(&j.of.d[i], j.against.n, j.against.d, j.dh + i * size, j.norm + at, j.left + at,
                                j.rank + at));
    }
    if (hs_cmd_out(c) != NULL) {
        HS_TRY(write_file(c, &j));
    }
    answer(c, &j);
out:
    job_free(&j);
    return rc;
}

const hs_command hs_cmd_direction_orthogonalize = {
    .name = "direction orthogonalize",
    .usage = "D.h5[:NAME] --against E.h5[:NAME],... -o F.h5",
    .purpose =
        "Takes out of directions, at every timestep, what lies in the span of others, and says how much of the norm "
        "is left. Without NAME: every direction of the file.",
    .examples = "hspace direction orthogonalize means.h5:glasses --against means.h5:age -o glasses.h5\n"
                "hspace direction orthogonalize probes.h5:smile --against probes.h5:age,pca.h5:pc0 -o smile.h5",
    .options = tables,
    .min_inputs = 1,
    .max_inputs = 1,
    .run = run,
};
