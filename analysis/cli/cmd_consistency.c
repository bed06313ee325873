/* hspace consistency: does the same change of h do the same at every timestep? */
#include <stdlib.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/consistency_model.h"
#include "analysis/cli/consistency_store.h"
#include "analysis/cli/edit_common.h"
#include "analysis/cli/interval.h"
#include "analysis/cli/measurement_out.h"
#include "analysis/cli/plot.h"
#include "analysis/cli/property.h"
#include "analysis/properties/consistency.h"
#include "core/base/alloc.h"

static const hs_opt options[] = {
    {"deltas", 0, HS_OPT_STR, NULL, 0, 0, NULL, "DELTAS", "Input",
     "/delta_h (sample, timestep, ...) or .npy (N, S, d)"},
    {"null-deltas", 0, HS_OPT_STR, NULL, 0, 0, NULL, "F", "Statistics", "the same of an untrained network"},
    HS_OPTS_CONSISTENCY_STORE,
    {"bootstrap", 0, HS_OPT_INT, "2000", 1, 1000000, NULL, "B", "Statistics", "resamples of the images"},
    {"ci", 0, HS_OPT_NUM, "95", 1, 99.999, NULL, "P", "Statistics", "confidence level of the intervals, percent"},
    {"standard", 0, HS_OPT_NUM, "0.5", -1e6, 1, NULL, "C", "Statistics", "share or ratio that must be reached"},
    {"plot", 0, HS_OPT_STR, NULL, 0, 0, NULL, "F.pdf", "Output", "the figure (.pdf, .svg or .png); needs -o"},
    {0}};
static const hs_opt *const tables[] = {options,
                                       hs_opts_consistency_model,
                                       hs_opts_model,
                                       hs_opts_source,
                                       hs_opts_sampler,
                                       hs_opts_readout,
                                       hs_opts_edit,
                                       hs_opts_interval,
                                       hs_opts_interval_texts,
                                       NULL};

static hs_consistency_options options_of(const hs_cmd *c)
{
    hs_consistency_options o = HS_CONSISTENCY_OPTIONS_INIT;
    o.bootstrap = hs_property_bootstrap(c);
    o.standard = hs_cmd_num(c, "standard");
    o.progress = hs_cmd_progress(c);
    return o;
}

HS_CHECKED static int put_matrix(hs_result *r, const char *name, const char *dims, size_t S, const double *v)
{
    const size_t dim[2] = {S, S};
    return v != NULL ? hs_result_put_f64(r, name, dims, 2, dim, v) : HS_OK;
}

HS_CHECKED static int write_file(hs_cmd *c, const hs_property_deltas *d, const hs_consistency_store *store,
                                 const hs_consistency *q)
{
    int rc;
    hs_result *r = NULL;
    const char *path = hs_cmd_out(c);
    char caption[160];
    snprintf(caption, sizeof caption, "C*: cosine of the mean deltas of two steps, without the noise of %zu samples.",
             d->deltas.n);
    const char *axis = d->in.t != NULL ? "t" : "step position";
    const hs_property_table t = {
        "cosine between steps, disattenuated", axis, axis, caption, q->S, q->S, q->disattenuated, d->in.t, d->in.t};
    HS_TRY(hs_property_begin(c, path, &q->result, "", d->in.untrained, &t, &r));
    HS_TRY(put_matrix(r, "cosine", "step,step_l", q->S, q->cosine));
    HS_TRY(put_matrix(r, "cosine_disattenuated", "step,step_l", q->S, q->disattenuated));
    HS_TRY(hs_consistency_store_put(r, store));
    HS_TRY(hs_result_commit(r));
out:
    hs_result_free(r);
    return rc;
}

HS_CHECKED static int of_deltas(hs_cmd *c, const hs_consistency_store *store)
{
    int rc;
    hs_property_deltas d;
    hs_consistency q = {0};
    hs_consistency_options o = options_of(c);
    const char *out = hs_cmd_out(c);
    HS_TRY(hs_property_deltas_open(c, 0, &d));
    if (hs_cmd_dry_run(c)) {
        goto out;
    }
    o.null_deltas = d.has_null ? &d.null : NULL;
    HS_TRY(hs_consistency_measure(&d.deltas, &o, &q));
    HS_TRY(hs_step_spaces_statistics(&store->spaces, &q.result));
    snprintf(q.result.direction, sizeof q.result.direction, "%s", d.in.direction);
    hs_property_answer(c, &q.result, NULL);
    hs_consistency_store_say(c, store);
    if (out != NULL) {
        HS_TRY(write_file(c, &d, store, &q));
        HS_TRY(hs_cmd_str(c, "plot") != NULL ? hs_plot_files(c, &out, 1, hs_cmd_str(c, "plot")) : HS_OK);
    }
out:
    hs_consistency_free(&q);
    hs_property_deltas_close(&d);
    return rc;
}

static int run(hs_cmd *c)
{
    static const char *const input[] = {"model", "deltas"};
    int rc;
    hs_consistency_options o = options_of(c);
    hs_consistency_store store = {0};
    HS_TRY(hs_property_check(c, hs_cmd_consistency.usage, 2, input));
    HS_TRY(hs_consistency_store_of(c, &store));
    HS_TRY(hs_cmd_str(c, "deltas") != NULL ? of_deltas(c, &store) : hs_consistency_model(c, &o, &store));
out:
    hs_consistency_store_free(&store);
    return rc;
}

const hs_command hs_cmd_consistency = {
    .name = "consistency",
    .usage = "(--model M --direction D -N n | --deltas DELTAS.h5|.npy [--null-deltas F]) [--store ACTS.h5] -o R.h5",
    .purpose =
        "Measures whether a change of h is the same at every timestep and does the same there. Stopped or killed, "
        "the same command with --model goes on where it stood (R.h5.journal).",
    .examples =
        "hspace consistency --deltas frozen.h5 --null-deltas untrained.h5 --json | jq .results.verdict\n"
        "hspace consistency --model faces-a --direction f.h5 --t-edit 300 --readout attr:smile -N 32 -o smile.h5\n"
        "hspace consistency --deltas frozen.h5 --store acts.h5 --rank 5 -o spaces.h5\n"
        "hspace consistency --deltas deltas.npy -o consistency.h5 --plot consistency.pdf",
    .options = tables,
    .run = run,
};
