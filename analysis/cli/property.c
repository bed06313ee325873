#include "analysis/cli/property.h"

#include <stdlib.h>
#include <string.h>

#include "analysis/cli/measurement_out.h"
#include "analysis/cli/plot.h"
#include "core/base/alloc.h"
#include "core/base/text.h"

hs_bootstrap_options hs_property_bootstrap(const hs_cmd *c)
{
    return (hs_bootstrap_options){
        .B = (size_t)hs_cmd_int(c, "bootstrap"), .seed = hs_cmd_seed(c), .level = hs_cmd_num(c, "ci") / 100};
}

int hs_property_check(hs_cmd *c, const char *usage, size_t n, const char *const *names)
{
    int rc = HS_OK;
    size_t given = 0;
    hs_str list = {0};
    for (size_t i = 0; i < n; i++) {
        given += hs_cmd_str(c, names[i]) != NULL;
        hs_str_addf(&list, "%s--%s", i == 0 ? "" : ", ", names[i]);
    }
    HS_TRY(hs_str_ok(&list));
    if (given != 1) {
        rc = hs_fail(HS_ERANGE, "%s: %s given; wanted one of them; usage: %s", list.s, given == 0 ? "none" : "several",
                     usage);
        goto out;
    }
    HS_TRY(hs_plot_check_outputs(c));
out:
    hs_str_free(&list);
    return rc;
}

int hs_property_deltas_open(hs_cmd *c, int removed, hs_property_deltas *out)
{
    int rc, pairs = !removed;
    hs_deltas_in null = {0};
    memset(out, 0, sizeof *out);
    HS_TRY(hs_deltas_in_open(c, hs_cmd_str(c, "deltas"), &out->in));
    if (hs_cmd_str(c, "null-deltas") != NULL) {
        HS_TRY(hs_deltas_in_open(c, hs_cmd_str(c, "null-deltas"), &null));
        if (null.source.S != out->in.source.S || null.source.d != out->in.source.d) {
            rc = hs_fail(HS_ESHAPE, "--null-deltas: %zu steps x %zu numbers; --deltas has %zu x %zu", null.source.S,
                         null.source.d, out->in.source.S, out->in.source.d);
            goto out;
        }
    }
    if (hs_cmd_dry_run(c)) {
        hs_cmd_say(c, "%zu samples x %zu steps x %zu numbers, read once\n", out->in.source.n, out->in.source.S,
                   out->in.source.d);
        goto out;
    }
    HS_TRY(hs_deltas_in_reduce(c, &out->in, pairs, &out->deltas));
    if (null.source.n > 0) {
        out->has_null = 1;
        HS_TRY(hs_deltas_in_reduce(c, &null, pairs, &out->null));
        HS_TRY(removed ? hs_deltas_in_without(c, &out->in, &out->null, &out->removed) : HS_OK);
    }
out:
    hs_deltas_in_close(&null);
    if (rc != HS_OK) {
        hs_property_deltas_close(out);
    }
    return rc;
}

void hs_property_deltas_close(hs_property_deltas *d)
{
    hs_deltas_in_close(&d->in);
    hs_deltas_free(&d->deltas);
    hs_deltas_free(&d->null);
    hs_deltas_free(&d->removed);
    d->has_null = 0;
}

/* *path (free()) <- R.h5 for i = 0, then R.1.h5, R.2.h5 ... */
HS_CHECKED static int path_of(const char *out, size_t i, char **path)
{
    const char *dot = strrchr(out, '.');
    size_t stem = dot != NULL && strchr(dot, '/') == NULL ? (size_t)(dot - out) : strlen(out);
    hs_str text = {0};
    hs_str_add_bytes(&text, out, stem);
    if (i > 0) {
        hs_str_addf(&text, ".%zu", i);
    }
    hs_str_add(&text, out + stem);
    int rc = hs_str_ok(&text);
    if (rc == HS_OK) {
        rc = hs_strdup(text.s, path);
    }
    hs_str_free(&text);
    return rc;
}

int hs_property_paths(const hs_cmd *c, size_t n, char ***path)
{
    int rc = HS_OK;
    *path = NULL;
    if (hs_cmd_out(c) == NULL) {
        return HS_OK;
    }
    HS_TRY(hs_calloc(n, sizeof **path, path));
    for (size_t i = 0; i < n; i++) {
        HS_TRY(path_of(hs_cmd_out(c), i, &(*path)[i]));
        HS_TRY(hs_cmd_check_file(c, (*path)[i]));
    }
out:
    if (rc != HS_OK) {
        hs_strings_free(n, *path);
        *path = NULL;
    }
    return rc;
}

void hs_property_answer(hs_cmd *c, const hs_measurement *m, json_t *json)
{
    json = json != NULL ? json : hs_measurement_json(m);
    json_object_update(hs_cmd_results(c), json);
    json_decref(json);
    hs_measurement_say(c, "", m);
    hs_cmd_exit(c, hs_verdict_exit(m->verdict));
}

int hs_property_readouts(hs_cmd *c, size_t n, hs_property_one one, void *ctx)
{
    int rc = HS_OK;
    json_t *others = json_array();
    for (size_t p = 0; p < n; p++) {
        json_t *json = NULL;
        hs_verdict verdict;
        HS_TRY(one(ctx, p, &json, &verdict));
        if (p == 0) {
            json_object_update(hs_cmd_results(c), json);
            json_decref(json);
            hs_cmd_exit(c, hs_verdict_exit(verdict));
        } else {
            json_array_append_new(others, json);
        }
    }
    json_object_set(hs_cmd_results(c), "exploratory", others);
out:
    json_decref(others);
    return rc;
}

HS_CHECKED static int put_labels(hs_result *r, const char *name, size_t n, const int *v)
{
    int rc = HS_OK;
    int64_t *wide = NULL;
    HS_TRY(hs_alloc(n, sizeof *wide, &wide));
    for (size_t i = 0; i < n; i++) {
        wide[i] = v != NULL ? v[i] : (int64_t)i;
    }
    HS_TRY(hs_result_put_i64(r, name, name, 1, &n, wide));
out:
    free(wide);
    return rc;
}

HS_CHECKED static int put_table(hs_result *r, const hs_property_table *t)
{
    int rc;
    const size_t dim[2] = {t->rows, t->cols};
    HS_TRY(put_labels(r, "row", t->rows, t->row));
    HS_TRY(put_labels(r, "column", t->cols, t->column));
    HS_TRY(hs_result_put_f64(r, "shown", "row,column", 2, dim, t->v));
    HS_TRY(hs_result_attr_str(r, NULL, "shown_title", t->title));
    HS_TRY(hs_result_attr_str(r, NULL, "shown_caption", t->caption));
    HS_TRY(hs_result_attr_str(r, NULL, "row_axis", t->row_axis));
    HS_TRY(hs_result_attr_str(r, NULL, "column_axis", t->column_axis));
out:
    return rc;
}

int hs_property_begin(hs_cmd *c, const char *path, const hs_measurement *m, const char *readout, int untrained,
                      const hs_property_table *table, hs_result **out)
{
    int rc;
    hs_result *r = NULL;
    HS_TRY(hs_result_create(path, m->property, hs_cmd_force(c), &r));
    HS_TRY(hs_common_provenance(c, r));
    HS_TRY(hs_measurement_put_file(r, m));
    HS_TRY(hs_result_attr_str(r, NULL, "readout", readout));
    HS_TRY(hs_result_attr_i64(r, NULL, "n", (int64_t)m->effect.n));
    HS_TRY(hs_result_attr_i64(r, NULL, "bootstrap", hs_cmd_int(c, "bootstrap")));
    HS_TRY(hs_result_attr_f64(r, NULL, "ci", hs_cmd_num(c, "ci")));
    HS_TRY(hs_result_attr_i64(r, NULL, "untrained", untrained));
    if (table != NULL) {
        HS_TRY(put_table(r, table));
    }
    *out = r;
    r = NULL;
out:
    hs_result_free(r);
    return rc;
}
