/* hspace report: result files and strips as one page. */
#include <stdio.h>

#include "analysis/cli/commands.h"
#include "analysis/report/report.h"

static const hs_opt options[] = {
    {"title", 0, HS_OPT_STR, NULL, 0, 0, NULL, "TEXT", "Output", "title of the page"},
    {"control", 0, HS_OPT_LIST, NULL, 0, 0, NULL, "NAME,...", "Output", "directions that are controls: shown as such"},
    {"mark", 0, HS_OPT_STR, NULL, 0, 0, NULL, "WORD", "Output", "stamp a word on every picture"},
    {0}};
static const hs_opt *const tables[] = {options, NULL};

static int run(hs_cmd *c)
{
    int rc;
    const char *const *in;
    size_t n = hs_cmd_inputs(c, &in), undrawn = 0;
    char lead[128];
    snprintf(lead, sizeof lead, "Made by hspace %.40s from %zu file%s.", hs_version(), n, n > 1 ? "s" : "");
    hs_report_options o = {
        .title = hs_cmd_str(c, "title"), .lead = lead, .mark = hs_cmd_str(c, "mark"), .force = hs_cmd_force(c)};
    o.n_controls = hs_cmd_list(c, "control", &o.control);
    if (hs_cmd_out(c) == NULL) {
        rc = hs_fail(HS_ERANGE, "report: no output; give -o report.html");
        goto out;
    }
    for (size_t i = 0; i < n; i++) {
        HS_TRY(hs_cmd_input(c, in[i]));
    }
    if (hs_cmd_dry_run(c)) {
        hs_cmd_say(c, "%s from %zu file%s\n", hs_cmd_out(c), n, n > 1 ? "s" : "");
        goto out;
    }
    HS_TRY(hs_report_write(in, n, &o, hs_cmd_out(c), &undrawn));
    if (undrawn > 0) {
        hs_cmd_warn(c, "%zu figures were left out: gnuplot is missing", undrawn);
    }
    json_object_set_new(hs_cmd_results(c), "report", json_string(hs_cmd_out(c)));
    hs_cmd_say(c, "%s\n", hs_cmd_out(c));
out:
    return rc;
}

const hs_command hs_cmd_report = {
    .name = "report",
    .usage = "R.h5... [STRIP.png...] -o report.html",
    .purpose = "Write one self-contained HTML page of result files and picture strips.",
    .examples = "hspace report acts.h5 pca.h5 pc0.h5 pc0-lin.h5 pc0.png -o report.html\n"
                "hspace report *.h5 *.png --title 'Directions of my model' -o report.html",
    .options = tables,
    .min_inputs = 1,
    .max_inputs = 1000,
    .run = run,
};
