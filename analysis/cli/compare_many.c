#include "analysis/cli/compare_many.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/measurement_out.h"
#include "analysis/compare/order.h"
#include "core/base/alloc.h"

typedef struct {
    hs_cmd *c;
    size_t count;
    const hs_compared *list;
    const hs_compare_options *o;
    double *v; /* (count, count) */
    hs_verdict verdict;
} work;

HS_CHECKED static int judge(work *w, size_t i, size_t j, const hs_comparison *x, json_t *pairs)
{
    int rc;
    const double none[2] = {NAN, NAN};
    hs_measurement m = {0};
    HS_TRY(hs_compare_judge(x, w->o, none, &m));
    w->v[i * w->count + j] = w->v[j * w->count + i] = m.primary.value;
    w->verdict = m.verdict == HS_VERDICT_FAILS || w->verdict == HS_VERDICT_FAILS ? HS_VERDICT_FAILS
                 : m.verdict == HS_VERDICT_HOLDS                                 ? w->verdict
                                                                                 : HS_VERDICT_INCONCLUSIVE;
    json_t *o = json_pack("{s:s, s:s, s:s, s:s}", "a", w->list[i].name, "b", w->list[j].name, "verdict",
                          hs_measurement_verdict(&m), "reason", m.reason);
    json_object_set_new(o, "over_ceiling",
                        hs_json_estimate("over_ceiling", m.primary.value, m.primary.lo, m.primary.hi, m.primary.n,
                                         m.primary.estimator, m.primary.reason));
    json_array_append_new(pairs, o);
    hs_cmd_say(w->c, "%s and %s: %s\n  %s\n", w->list[i].name, w->list[j].name, hs_measurement_verdict(&m), m.reason);
out:
    hs_measurement_free(&m);
    return rc;
}

HS_CHECKED static int one_pair(work *w, size_t i, size_t j, json_t *pairs)
{
    int rc;
    hs_comparison x = {0};
    HS_TRY(hs_compare_run(&w->list[i].view, &w->list[j].view, w->o, NULL, &x));
    HS_TRY(hs_team_agree(w->o->team, hs_team_leads(w->o->team) ? judge(w, i, j, &x, pairs) : HS_OK));
out:
    hs_comparison_free(&x);
    return rc;
}

static void put_results(const work *w, const size_t *order, json_t *pairs)
{
    json_t *models = json_array(), *sorted = json_array(), *matrix = json_array(), *r = hs_cmd_results(w->c);
    const hs_measurement all = {.property = "compare", .verdict = w->verdict};
    for (size_t i = 0; i < w->count; i++) {
        json_t *row = json_array();
        for (size_t j = 0; j < w->count; j++) {
            json_array_append_new(row, hs_json_num(w->v[i * w->count + j]));
        }
        json_array_append_new(matrix, row);
        json_array_append_new(models, json_string(w->list[i].name));
        json_array_append_new(sorted, json_integer((json_int_t)order[i]));
    }
    json_object_set_new(r, "property", json_string("compare"));
    json_object_set_new(r, "verdict", json_string(hs_measurement_verdict(&all)));
    json_object_set_new(r, "reason", json_string("over all pairs of models"));
    json_object_set_new(r, "standard", hs_json_num(w->o->standard));
    json_object_set_new(r, "models", models);
    json_object_set_new(r, "order", sorted);
    json_object_set_new(r, "matrix", matrix);
    json_object_set(r, "pairs", pairs);
}

HS_CHECKED static int write_file(const work *w, const size_t *order)
{
    int rc = HS_OK, untrained = 0;
    const size_t dim[2] = {w->count, w->count};
    const char **name = NULL;
    double *v = NULL;
    hs_result *r = NULL;
    HS_TRY(hs_alloc(w->count, sizeof *name, &name));
    HS_TRY(hs_alloc(w->count, w->count * sizeof *v, &v));
    for (size_t i = 0; i < w->count; i++) {
        name[i] = w->list[order[i]].name;
        untrained |= w->list[i].untrained;
        for (size_t j = 0; j < w->count; j++) {
            v[i * w->count + j] = w->v[order[i] * w->count + order[j]];
        }
    }
    HS_TRY(hs_result_create(hs_cmd_out(w->c), "similarity", hs_cmd_force(w->c), &r));
    HS_TRY(hs_common_provenance(w->c, r));
    HS_TRY(hs_result_put_f64(r, "similarity", "row,column", 2, dim, v));
    HS_TRY(hs_result_put_strings(r, "row", "row", w->count, name));
    HS_TRY(hs_result_put_strings(r, "column", "column", w->count, name));
    HS_TRY(hs_result_attr_str(r, NULL, "metric", "aligned cosine over its ceiling"));
    HS_TRY(hs_result_attr_i64(r, NULL, "n", (int64_t)w->list[0].n));
    HS_TRY(hs_result_attr_i64(r, NULL, "untrained", untrained));
    HS_TRY(hs_result_commit(r));
out:
    hs_result_free(r);
    free(name);
    free(v);
    return rc;
}

/* Tells and writes what was found. */
HS_CHECKED static int answer(work *w, json_t *pairs)
{
    int rc;
    size_t *order = NULL;
    HS_TRY(hs_alloc(w->count, sizeof *order, &order));
    HS_TRY(hs_cluster_order(w->count, w->v, order));
    put_results(w, order, pairs);
    hs_cmd_exit(w->c, hs_verdict_exit(w->verdict));
    HS_TRY(hs_cmd_out(w->c) != NULL ? write_file(w, order) : HS_OK);
out:
    free(order);
    return rc;
}

int hs_compare_many(hs_cmd *c, size_t count, const hs_compared *list, const hs_compare_options *o)
{
    int rc;
    work w = {.c = c, .count = count, .list = list, .o = o, .verdict = HS_VERDICT_HOLDS};
    json_t *pairs = json_array();
    HS_TRY(hs_alloc(count, count * sizeof *w.v, &w.v));
    for (size_t i = 0; i < count; i++) {
        w.v[i * count + i] = 1;
        for (size_t j = i + 1; j < count; j++) {
            HS_TRY(one_pair(&w, i, j, pairs));
        }
    }
    HS_TRY(hs_team_agree(o->team, hs_team_leads(o->team) ? answer(&w, pairs) : HS_OK));
out:
    json_decref(pairs);
    free(w.v);
    return rc;
}
