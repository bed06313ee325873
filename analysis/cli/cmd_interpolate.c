/* hspace interpolate: one image's h on the way to another's. */
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/edit_common.h"
#include "analysis/cli/interval.h"
#include "analysis/cli/strip_out.h"
#include "analysis/cli/sweep_file.h"
#include "analysis/sweep/interpolate.h"
#include "core/base/alloc.h"

static const hs_opt options[] = {
    {"from", 0, HS_OPT_STR, NULL, 0, 0, NULL, "X.npy", "Input", "x_T of the images A (N, C, H, W)"},
    {"to", 0, HS_OPT_STR, NULL, 0, 0, NULL, "Y.npy", "Input", "x_T of the images B, as many"},
    {"path", 0, HS_OPT_STR, "lerp", 0, 0, "lerp|slerp|norm", "PATH", "Edit", "way from h_A to h_B"},
    {"positions", 0, HS_OPT_INT, "11", 2, 1001, NULL, "N", "Edit", "positions from 0 (A's own h) to 1 (B's)"},
    {"strip", 0, HS_OPT_STR, NULL, 0, 0, NULL, "STRIP.png|.pdf", "Output", "the images: a row per pair"},
    {0}};
static const hs_opt *const tables[] = {
    hs_opts_model, hs_opts_sampler, hs_opts_edit, hs_opts_interval, hs_opts_interval_texts, hs_opts_readout,
    hs_opts_strip, options,         NULL};

HS_CHECKED static int run_pairs(hs_cmd *c, hs_edit_job *job, const float *to)
{
    int rc;
    size_t rows, n = job->source.n;
    float *x_0 = NULL;
    hs_sweep_file f = {.job = job, .kind = "interpolation"};
    const char *path = hs_cmd_str(c, "path");
    hs_path_kind kind = path[0] == 'l' ? HS_PATH_LERP : path[0] == 's' ? HS_PATH_SLERP : HS_PATH_NORM;
    HS_TRY(hs_edit_readouts(c, &job->model, &f.n_phi, &f.phi));
    HS_TRY(hs_size_mul(n, job->plan.m, &rows));
    HS_TRY(hs_alloc(rows, hs_chw_size(job->source.image) * sizeof *x_0, &x_0));
    HS_TRY(hs_interpolate_run(&job->plan, kind, n, job->x_T, to, f.n_phi, f.phi, x_0, &f.sweep));
    HS_TRY(hs_sweep_file_finish(c, &f, x_0));
out:
    free(x_0);
    hs_sweep_file_free(&f);
    return rc;
}

static int run(hs_cmd *c)
{
    int rc;
    hs_edit_job job = {0};
    hs_array to = {0};
    double *position = NULL;
    size_t m = (size_t)hs_cmd_int(c, "positions"), n_to = 0;
    HS_TRY(hs_cmd_need_out(c));
    HS_TRY(hs_cmd_check_file(c, hs_cmd_out(c)));
    HS_TRY(hs_strip_check(c, hs_cmd_str(c, "strip")));
    if (hs_cmd_str(c, "from") == NULL || hs_cmd_str(c, "to") == NULL) {
        rc = hs_fail(HS_ERANGE, "interpolate: wanted --from X.npy and --to Y.npy");
        goto out;
    }
    HS_TRY(hs_edit_job_open(c, 0, &job));
    HS_TRY(hs_common_batch_of(c, hs_cmd_str(c, "to"), job.source.image, &to, &n_to));
    if (n_to != job.source.n) {
        rc = hs_fail(HS_ESHAPE, "--to: %zu images; --from has %zu", n_to, job.source.n);
        goto out;
    }
    HS_TRY(hs_alloc(m, sizeof *position, &position));
    for (size_t j = 0; j < m; j++) {
        position[j] = (double)j / (double)(m - 1);
    }
    if (hs_cmd_dry_run(c)) {
        hs_cmd_say(c, "%zu pairs x %zu positions x %zu steps\n", n_to, m, job.steps.S);
        goto out;
    }
    job.plan.m = m;
    job.plan.strength = position;
    HS_TRY(run_pairs(c, &job, to.v));
out:
    free(position);
    hs_array_free(&to);
    hs_edit_job_free(&job);
    return rc;
}

const hs_command hs_cmd_interpolate = {
    .name = "interpolate",
    .usage = "--model M --from X.npy --to Y.npy -o SWEEP.h5 [--strip STRIP.png]",
    .purpose = "Render image A with its h on the way to image B's h, in the asymmetric process.",
    .examples = "hspace sample --model M -N 2 -o x0.npy   # or any two x_T\n"
                "hspace interpolate --model M --from a.npy --to b.npy --path slerp -o ab.h5 --strip ab.png",
    .options = tables,
    .run = run,
};
