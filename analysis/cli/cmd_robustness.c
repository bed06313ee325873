/* hspace robustness: does noise in h leave images whole where noise in eps does not? */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/measurement_out.h"
#include "analysis/cli/plot.h"
#include "analysis/cli/property.h"
#include "analysis/cli/robustness.h"
#include "core/base/alloc.h"

static const hs_opt options[] = {
    {"curves", 0, HS_OPT_STR, NULL, 0, 0, NULL, "C.csv", "Input", "a table: image,arm,level,damage; level 0 is clean"},
    {"bootstrap", 0, HS_OPT_INT, "2000", 1, 1000000, NULL, "B", "Statistics", "resamples of the images"},
    {"ci", 0, HS_OPT_NUM, "95", 1, 99.999, NULL, "P", "Statistics", "confidence level of the intervals, percent"},
    {"standard", 0, HS_OPT_NUM, "0.22314355131420976", -1e6, 1e6, NULL, "R", "Statistics",
     "log(sigma50 of h / sigma50 of eps) that must be reached: log 1.25"},
    {"plot", 0, HS_OPT_STR, NULL, 0, 0, NULL, "F.pdf", "Output", "the figure (.pdf, .svg or .png); needs -o"},
    {0}};
static const hs_opt *const tables[] = {options, hs_opts_model, hs_opts_source, hs_opts_steps, hs_opts_robust, NULL};

/* ---- The file: arms are rows, filled up with NaN to the longest ---- */

/* The arms that were run. */
static size_t arms_of(const hs_robustness *r, int arm[HS_ARMS], size_t *most)
{
    size_t n = 0;
    *most = 0;
    for (int a = 0; a < HS_ARMS; a++) {
        if (r->m[a] > 0) {
            arm[n++] = a;
            *most = r->m[a] > *most ? r->m[a] : *most;
        }
    }
    return n;
}

/* rows[a] (r->m[a]) of each arm as one array. */
HS_CHECKED static int put_rows(hs_result *file, const hs_robustness *r, const char *name, double *const *rows)
{
    int rc, arm[HS_ARMS];
    size_t most, n = arms_of(r, arm, &most), dim[2] = {n, most};
    double *v = NULL;
    HS_TRY(hs_alloc(n * most, sizeof *v, &v));
    for (size_t k = 0; k < n; k++) {
        for (size_t j = 0; j < most; j++) {
            v[k * most + j] = j < r->m[arm[k]] && rows[arm[k]] != NULL ? rows[arm[k]][j] : NAN;
        }
    }
    HS_TRY(hs_result_put_f64(file, name, "arm,position", 2, dim, v));
out:
    free(v);
    return rc;
}

HS_CHECKED static int put_curves(hs_result *file, const hs_robustness *r)
{
    int rc, arm[HS_ARMS];
    size_t most, n = arms_of(r, arm, &most);
    double sigma[HS_ARMS], bound[HS_ARMS];
    const char *name[HS_ARMS];
    for (size_t k = 0; k < n; k++) {
        name[k] = hs_arm_name((hs_arm)arm[k]);
        sigma[k] = r->sigma50[arm[k]];
        bound[k] = r->cross[arm[k]] == HS_CROSS_BEYOND || r->cross[arm[k]] == HS_CROSS_BEFORE;
    }
    HS_TRY(hs_result_put_strings(file, "arm", "arm", n, name));
    HS_TRY(put_rows(file, r, "level", r->level));
    HS_TRY(put_rows(file, r, "damage_mean", r->mean));
    HS_TRY(put_rows(file, r, "ci_low", r->lo));
    HS_TRY(put_rows(file, r, "ci_high", r->hi));
    HS_TRY(hs_result_put_f64(file, "sigma50", "arm", 1, &n, sigma));
    HS_TRY(hs_result_put_f64(file, "sigma50_bound", "arm", 1, &n, bound));
    HS_TRY(hs_result_attr_f64(file, NULL, "threshold", r->threshold));
    HS_TRY(hs_result_attr_f64(file, NULL, "plateau", r->plateau));
out:
    return rc;
}

/* Per image, so that statistics can be made again: damage_KIND (arm, sample, level); the scales of the noise. */
HS_CHECKED static int put_run(hs_result *file, const hs_robustness *m, const hs_robust_run *r)
{
    static const char *const space[] = {"scale_h", "scale_eps", "scale_x_t"};
    static const char *const spread[] = {"spread_h", "spread_eps", "spread_x_t"};
    int rc = HS_OK, arm[HS_ARMS];
    size_t most, n = arms_of(m, arm, &most), dim[3] = {n, r->n, r->m};
    double *v = NULL;
    HS_TRY(hs_alloc(n * r->n, r->m * sizeof *v, &v));
    for (int k = 0; k < HS_DAMAGES; k++) {
        char name[32];
        for (size_t a = 0; a < n && r->damage[k].n > 0; a++) {
            memcpy(v + a * r->n * r->m, r->damage[k].damage[arm[a]], r->n * r->m * sizeof *v);
        }
        snprintf(name, sizeof name, "damage_%s", hs_damage_kind_name((hs_damage_kind)k));
        HS_TRY(r->damage[k].n > 0 ? hs_result_put_f64(file, name, "arm,sample,position", 3, dim, v) : HS_OK);
    }
    HS_TRY(put_rows(file, m, "frechet", r->frechet));
    for (int k = 0; k < HS_NOISE_SPACES; k++) {
        HS_TRY(hs_result_put_f64(file, space[k], "step", 1, &r->scale.S, r->scale.scale[k]));
        HS_TRY(hs_result_put_f64(file, spread[k], "step", 1, &r->scale.S, r->scale.spread[k]));
    }
out:
    free(v);
    return rc;
}

HS_CHECKED static int write_file(hs_cmd *c, const hs_robust_case *k, const hs_robustness *r)
{
    hs_result *file = NULL;
    int rc = HS_OK;
    HS_TRY(hs_property_begin(c, hs_cmd_out(c), &r->result, "", k->untrained, NULL, &file));
    HS_TRY(put_curves(file, r));
    HS_TRY(hs_result_attr_str(file, NULL, "damage", k->has_run ? hs_damage_kind_name(k->kind) : "damage"));
    if (k->has_run) {
        HS_TRY(hs_result_attr_str(file, NULL, "matching", k->matching));
        HS_TRY(hs_result_attr_str(file, NULL, "model_sha256", k->model_sha256));
        HS_TRY(put_run(file, r, &k->run));
    }
    HS_TRY(hs_result_commit(file));
out:
    hs_result_free(file);
    return rc;
}

/* ---- The answer ---- */

/* Statistics that need a model, where there is none. */
HS_CHECKED static int put_missing(hs_measurement *m)
{
    int rc = HS_OK;
    static const char *const name[] = {"contraction", "anisotropy", "common_share_h", "frechet_clean"};
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        hs_estimate e = hs_estimate_plain(name[i], NAN, 0, "not computed", "needs a model");
        HS_TRY(hs_measurement_put(m, &e));
    }
out:
    return rc;
}

HS_CHECKED static int answer(hs_cmd *c, const hs_robust_case *k)
{
    hs_robustness r = {0};
    hs_robustness_options o = HS_ROBUSTNESS_OPTIONS_INIT;
    const char *out = hs_cmd_out(c);
    int rc = HS_OK;
    o.bootstrap = hs_property_bootstrap(c);
    o.standard = hs_cmd_num(c, "standard");
    o.naturalness = k->has_run && isfinite(k->run.frechet_clean);
    o.undecided =
        k->has_run && k->run.idle ? "the network does not predict noise: untrained, it has nothing to break" : NULL;
    HS_TRY(hs_robustness_measure(hs_robust_decides(k), &o, &r));
    HS_TRY(k->has_run ? hs_robust_put(&k->run, k->kind, &o.bootstrap, &r.result) : put_missing(&r.result));
    HS_TRY(k->has_run ? hs_robust_judge_common(&k->run, &r) : HS_OK);
    if (k->has_run && strcmp(k->matching, "first-order") != 0) {
        HS_TRY(hs_measurement_note(&r.result, "not the fair matching: the verdict is of --matching as given"));
    }
    json_t *json = hs_measurement_json(&r.result);
    json_object_set_new(json, "damage", json_string(k->has_run ? hs_damage_kind_name(k->kind) : "damage"));
    hs_property_answer(c, &r.result, json);
    if (out != NULL) {
        HS_TRY(write_file(c, k, &r));
        HS_TRY(hs_cmd_str(c, "plot") != NULL ? hs_plot_files(c, &out, 1, hs_cmd_str(c, "plot")) : HS_OK);
    }
out:
    hs_robustness_free(&r);
    return rc;
}

static int run(hs_cmd *c)
{
    static const char *const input[] = {"model", "curves"};
    hs_robust_case k = {0};
    int rc = HS_OK;
    HS_TRY(hs_property_check(c, hs_cmd_robustness.usage, 2, input));
    if (hs_cmd_str(c, "curves") != NULL) {
        HS_TRY(hs_damage_read(hs_cmd_str(c, "curves"), &k.table));
        HS_TRY(hs_cmd_input(c, hs_cmd_str(c, "curves")));
    } else {
        HS_TRY(hs_robust_of_model(c, &k));
    }
    if (!hs_cmd_dry_run(c)) {
        HS_TRY(answer(c, &k));
    }
out:
    hs_robust_case_free(&k, rc);
    return rc;
}

const hs_command hs_cmd_robustness = {
    .name = "robustness",
    .usage = "(--model M (-N n | --images PATH... | --x-T X.npy) [--arms A,B] [--levels L1,L2,...] | --curves C.csv) "
             "-o R.h5",
    .purpose = "Measures at which level random noise in h breaks images, against noise in eps of equal first-order "
               "effect. Stopped or killed, the same command goes on where it stood (R.h5.journal).",
    .examples = "hspace robustness --model faces-a -N 16 --steps 12 -o robustness.h5 --plot robustness.pdf\n"
                "hspace robustness --model faces-a -N 16 --steps 12 --arms h_p,eps_p --dry-run --json\n"
                "hspace robustness --curves curves.csv --json | jq .results.verdict",
    .options = tables,
    .run = run,
};
