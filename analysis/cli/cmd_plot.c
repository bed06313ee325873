/* hspace plot: the figure of result files. */
#include <string.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/common.h"
#include "analysis/cli/plot.h"
#include "analysis/figures/from_result.h"

static const hs_opt options[] = {
    {"kind", 0, HS_OPT_STR, NULL, 0, 0,
     "homogeneity|linearity|crosstalk|robustness|consistency|sweep|interpolation|"
     "pca|similarity|compare|curves|geometry|theorem1",
     "KIND", "Output", "which figure; what the file says when left out"},
    {"width", 0, HS_OPT_NUM, "0", 0, 20, NULL, "IN", "Output", "width in inches, from 2; 0: what suits the figure"},
    {"mark", 0, HS_OPT_STR, NULL, 0, 0, NULL, "WORD", "Output", "a word stamped on the picture"},
    {0}};
static const hs_opt *const tables[] = {options, NULL};

int hs_plot_check(const hs_cmd *c, const char *path)
{
    return hs_arrays_check(c, path, "pdf|svg|png");
}

int hs_plot_check_outputs(hs_cmd *c)
{
    int rc;
    HS_TRY(hs_cmd_need_out(c));
    HS_TRY(hs_cmd_check_file(c, hs_cmd_out(c)));
    HS_TRY(hs_plot_check(c, hs_cmd_str(c, "plot")));
    if (hs_cmd_str(c, "plot") != NULL && hs_cmd_out(c) == NULL) {
        rc = hs_fail(HS_ERANGE, "--plot: drawn from the result file, but there is no -o");
    }
out:
    return rc;
}

int hs_plot_files(hs_cmd *c, const char *const *path, size_t n, const char *out)
{
    return hs_plot_as(c, NULL, path, n, out);
}

int hs_plot_as(hs_cmd *c, const char *kind, const char *const *path, size_t n, const char *out)
{
    hs_figure_options o = {.out = out, .force = hs_cmd_force(c)};
    int drawn = 0, rc = hs_figure_from_results(path, n, kind, &o, &drawn);
    if (rc == HS_OK && !drawn) {
        hs_cmd_warn(c, "gnuplot is missing: %s was not drawn, its script and data were written", out);
    }
    return rc;
}

static int run(hs_cmd *c)
{
    const char *const *path;
    size_t n = hs_cmd_inputs(c, &path);
    hs_figure_options o = {
        .out = hs_cmd_out(c), .width = hs_cmd_num(c, "width"), .mark = hs_cmd_str(c, "mark"), .force = hs_cmd_force(c)};
    int drawn = 0, rc = HS_OK;
    HS_TRY(hs_cmd_need(c, "output"));
    HS_TRY(hs_plot_check(c, hs_cmd_out(c)));
    for (size_t i = 0; i < n; i++) {
        HS_TRY(hs_cmd_input(c, path[i]));
    }
    if (hs_cmd_dry_run(c)) {
        hs_cmd_say(c, "would draw %zu file%s into %s\n", n, n == 1 ? "" : "s", hs_cmd_out(c));
        goto out;
    }
    HS_TRY(hs_figure_from_results(path, n, hs_cmd_str(c, "kind"), &o, &drawn));
    if (!drawn) {
        hs_cmd_warn(c, "gnuplot is missing: the script and its data were written, the picture was not");
    }
    json_object_set_new(hs_cmd_results(c), "drawn", json_boolean(drawn));
    hs_cmd_say(c, "%s%s\n", hs_cmd_out(c), drawn ? "" : " (script and data only)");
out:
    return rc;
}

const hs_command hs_cmd_plot = {
    .name = "plot",
    .usage = "R.h5... [--kind KIND] -o F.pdf|.svg|.png",
    .purpose = "Draws the figure of result files; keeps its gnuplot script and data beside it.",
    .examples = "hspace plot linearity.h5 -o linearity.pdf\nhspace plot pc0.h5 pc1.h5 random0.h5 -o sweeps.svg",
    .options = tables,
    .min_inputs = 1,
    .max_inputs = 64,
    .run = run,
};
