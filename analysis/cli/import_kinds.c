/* hspace import: activations, per-sample deltas. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/import.h"
#include "core/base/alloc.h"
#include "core/io/store.h"

/* ---- Activations ---- */

/* Arrays of a store's spec that the rows alone decide. */
typedef struct {
    int64_t *sample;
    uint64_t *seed;
    double *alpha_bar;
    int *t;
} labels;

static void labels_free(labels *l)
{
    free(l->sample);
    free(l->seed);
    free(l->alpha_bar);
    free(l->t);
}

HS_CHECKED static int label(hs_cmd *c, const hs_imported *r, labels *l)
{
    size_t S = r->S > 0 ? r->S : 1;
    int rc = HS_OK;
    HS_TRY(hs_alloc(r->n, sizeof *l->sample, &l->sample));
    HS_TRY(hs_calloc(r->n, sizeof *l->seed, &l->seed));
    HS_TRY(hs_alloc(S, sizeof *l->alpha_bar, &l->alpha_bar));
    HS_TRY(hs_import_times(c, r, &l->t));
    for (size_t i = 0; i < r->n; i++) {
        l->sample[i] = (int64_t)i;
    }
    for (size_t k = 0; k < S; k++) {
        l->alpha_bar[k] = NAN; /* the arrays don't say */
    }
out:
    return rc;
}

HS_CHECKED static int write_store(hs_cmd *c, const hs_store_spec *spec, const float *h)
{
    hs_store_writer *w = NULL;
    size_t d = hs_chw_size(spec->h) * spec->S;
    int sealed = 0, rc = HS_OK;
    HS_TRY(hs_store_begin(hs_cmd_out(c), spec, hs_cmd_force(c), &sealed, &w));
    for (size_t u = 0; !sealed && u < hs_store_units(w); u++) {
        size_t count = 0, first = hs_store_unit_first(w, u, &count);
        if (!hs_store_has(w, u)) {
            HS_TRY(hs_store_put(w, u, h + first * d, NULL, NULL, NULL));
        }
    }
    if (!sealed) {
        HS_TRY(hs_store_seal(w));
    }
out:
    hs_store_writer_free(w);
    return rc;
}

int hs_import_activations(hs_cmd *c)
{
    hs_imported r = {0};
    labels l = {0};
    int rc = HS_OK;
    HS_TRY(hs_import_rows(c, 0, &r));
    HS_TRY(label(c, &r, &l));
    const hs_attr attr[] = {{"tap", hs_cmd_str(c, "tap")}, {"model_sha256", ""}, {"method", "import"}};
    const hs_attr info[] = {{"command_line", hs_cmd_line(c)}};
    hs_store_spec spec = {.n = r.n,
                          .S = r.S > 0 ? r.S : 1,
                          .h = r.h,
                          .image = {1, 1, 1},
                          .dtype = HS_F32,
                          .sample = l.sample,
                          .timestep = l.t,
                          .alpha_bar = l.alpha_bar,
                          .seed = l.seed,
                          .source = (const char *const *)r.source,
                          .unit = 64,
                          .n_attr = 3,
                          .attr = attr,
                          .n_info = 1,
                          .info = info,
                          .model_config = "{}",
                          .scheduler_config = "{}"};
    HS_TRY(write_store(c, &spec, r.v));
    json_object_set_new(hs_cmd_results(c), "n", json_integer((json_int_t)r.n));
    hs_cmd_say(c, "%zu samples x %zu timesteps of %zu x %zu x %zu in %s\n", r.n, spec.S, r.h.c, r.h.h, r.h.w,
               hs_cmd_out(c));
out:
    labels_free(&l);
    hs_import_free(&r);
    return rc;
}

/* ---- Deltas ---- */

int hs_import_deltas(hs_cmd *c)
{
    hs_imported r = {0};
    hs_result *out = NULL;
    int *t = NULL, rc = HS_OK;
    int64_t *t64 = NULL;
    HS_TRY(hs_import_rows(c, 0, &r));
    size_t S = r.S > 0 ? r.S : 1;
    HS_TRY(hs_import_times(c, &r, &t));
    HS_TRY(hs_alloc(S, sizeof *t64, &t64));
    for (size_t k = 0; k < S; k++) {
        t64[k] = t[k];
    }
    const size_t dim[5] = {r.n, S, r.h.c, r.h.h, r.h.w};
    HS_TRY(hs_result_create(hs_cmd_out(c), "deltas", hs_cmd_force(c), &out));
    HS_TRY(hs_result_put_i64(out, "timestep", "timestep", 1, &S, t64));
    HS_TRY(hs_result_put_f32(out, "delta_h", "sample,timestep,channel,y,x", 5, dim, r.v));
    HS_TRY(hs_result_attr_str(out, NULL, "tap", hs_cmd_str(c, "tap")));
    HS_TRY(hs_common_provenance(c, out));
    HS_TRY(hs_result_commit(out));
    json_object_set_new(hs_cmd_results(c), "n", json_integer((json_int_t)r.n));
    hs_cmd_say(c, "deltas of %zu samples x %zu timesteps in %s\n", r.n, S, hs_cmd_out(c));
out:
    free(t);
    free(t64);
    hs_result_free(out);
    hs_import_free(&r);
    return rc;
}
