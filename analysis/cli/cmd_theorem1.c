/* hspace theorem1: how much of a change of eps reaches the next image, and the same measured on a network. */
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/common.h"
#include "analysis/cli/plot.h"
#include "analysis/sweep/theorem1.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/diffusion/editing.h"

static const hs_opt options[] = {
    {"N", 'N', HS_OPT_INT, "4", 1, 4096, NULL, "n", "Input", "with --model: samples the identity is measured on"},
    {"plot", 0, HS_OPT_STR, NULL, 0, 0, NULL, "F.pdf", "Output",
     "the coefficients over t, as `hspace plot` draws them"},
    {0}};
static const hs_opt *const tables[] = {hs_opts_model, hs_opts_steps, options, NULL};

typedef struct {
    hs_model model; /* unet NULL: the closed form only */
    hs_unet_config cfg;
    hs_schedule own; /* of cfg, without a model */
    hs_steps steps;
    double *symmetric, *asymmetric; /* (S) */
    hs_theorem1_check check;
} job;

static void job_free(job *j)
{
    hs_theorem1_check_free(&j->check);
    free(j->symmetric);
    free(j->asymmetric);
    hs_steps_free(&j->steps);
    hs_schedule_free(&j->own);
    hs_unet_config_free(&j->cfg);
    hs_model_free(&j->model);
}

/* Without --model the schedule is that of --arch, or of Ho et al. (linear, T = 1000), or --schedule's. */
HS_CHECKED static int open_schedule(hs_cmd *c, job *j, const hs_schedule **out)
{
    int rc = HS_OK;
    const char *arch = hs_cmd_str(c, "arch");
    if (hs_cmd_str(c, "model") != NULL) {
        *out = &j->model.schedule;
        return hs_common_model(c, &j->model);
    }
    HS_TRY(hs_model_config(arch != NULL ? arch : "ddpm-256", hs_cmd_str(c, "schedule"), &j->cfg));
    HS_TRY(hs_schedule_create(&j->cfg.schedule, &j->own));
    json_object_set_new(hs_cmd_params(c), "schedule", json_string(hs_common_schedule(c, &j->cfg)));
    *out = &j->own;
out:
    return rc;
}

HS_CHECKED static int open_job(hs_cmd *c, job *j)
{
    int rc = HS_OK;
    const hs_schedule *schedule;
    HS_TRY(hs_cmd_need_out(c));
    HS_TRY(hs_cmd_check_file(c, hs_cmd_out(c)));
    HS_TRY(hs_plot_check(c, hs_cmd_str(c, "plot")));
    if (hs_cmd_str(c, "plot") != NULL && hs_cmd_out(c) == NULL) {
        HS_TRY(hs_fail(HS_ERANGE, "theorem1: --plot without -o; wanted -o T.h5, which is drawn"));
    }
    HS_TRY(open_schedule(c, j, &schedule));
    HS_TRY(hs_common_steps(c, schedule, &j->steps));
    HS_TRY(hs_alloc(j->steps.S, sizeof *j->symmetric, &j->symmetric));
    HS_TRY(hs_alloc(j->steps.S, sizeof *j->asymmetric, &j->asymmetric));
    for (size_t k = 0; k < j->steps.S; k++) {
        hs_theorem1(&j->steps.step[k], &j->symmetric[k], &j->asymmetric[k]);
    }
out:
    return rc;
}

HS_CHECKED static int measure(hs_cmd *c, job *j)
{
    int rc = HS_OK;
    size_t n = (size_t)hs_cmd_int(c, "N"), d = hs_chw_size(hs_unet_image_shape(hs_unet_config_of(j->model.unet)));
    float *x_T = NULL;
    HS_TRY(hs_common_classes_fit(c, n));
    HS_TRY(hs_alloc(n, d * sizeof *x_T, &x_T));
    for (size_t i = 0; i < n; i++) {
        hs_rng_normal((hs_rng){hs_cmd_seed(c), HS_RNG_X_T, i}, 0, d, x_T + i * d);
    }
    HS_TRY(hs_theorem1_measure(j->model.unet, hs_common_conv(c), &j->steps, n, x_T, hs_cmd_seed(c), hs_cmd_progress(c),
                               &j->check));
out:
    free(x_T);
    return rc;
}

/* ---- Out ---- */

HS_CHECKED static int put_steps(const job *j, hs_result *r)
{
    int rc = HS_OK;
    const size_t S = j->steps.S;
    int64_t *t = NULL;
    double *ab = NULL;
    HS_TRY(hs_alloc(S, 2 * sizeof *t, &t));
    HS_TRY(hs_alloc(S, 2 * sizeof *ab, &ab));
    for (size_t k = 0; k < S; k++) {
        t[k] = j->steps.step[k].t;
        t[S + k] = j->steps.step[k].t_next;
        ab[k] = j->steps.step[k].alpha_bar;
        ab[S + k] = j->steps.step[k].alpha_bar_next;
    }
    HS_TRY(hs_result_put_i64(r, "timestep", "timestep", 1, &S, t));
    HS_TRY(hs_result_put_i64(r, "t_prev", "timestep", 1, &S, t + S));
    HS_TRY(hs_result_put_f64(r, "alpha_bar", "timestep", 1, &S, ab));
    HS_TRY(hs_result_put_f64(r, "alpha_bar_prev", "timestep", 1, &S, ab + S));
    HS_TRY(hs_result_put_f64(r, "symmetric", "timestep", 1, &S, j->symmetric));
    HS_TRY(hs_result_put_f64(r, "asymmetric", "timestep", 1, &S, j->asymmetric));
out:
    free(t);
    free(ab);
    return rc;
}

HS_CHECKED static int put_check(const hs_cmd *c, const hs_theorem1_check *k, hs_result *r)
{
    int rc;
    HS_TRY(hs_result_put_f64(r, "symmetric_measured", "timestep", 1, &k->S, k->measured[HS_THEOREM1_SYMMETRIC]));
    HS_TRY(hs_result_put_f64(r, "asymmetric_measured", "timestep", 1, &k->S, k->measured[HS_THEOREM1_ASYMMETRIC]));
    HS_TRY(hs_result_put_f64(r, "symmetric_error", "timestep", 1, &k->S, k->error[HS_THEOREM1_SYMMETRIC]));
    HS_TRY(hs_result_put_f64(r, "asymmetric_error", "timestep", 1, &k->S, k->error[HS_THEOREM1_ASYMMETRIC]));
    HS_TRY(hs_result_attr_f64(r, NULL, "identity_error", k->identity_error));
    HS_TRY(hs_result_attr_f64(r, NULL, "coefficient_error", k->coefficient_error));
    HS_TRY(hs_result_attr_i64(r, NULL, "n", hs_cmd_int(c, "N")));
out:
    return rc;
}

HS_CHECKED static int write_file(hs_cmd *c, const job *j)
{
    int rc;
    hs_result *r = NULL;
    const char *schedule = json_string_value(json_object_get(hs_cmd_params(c), "schedule"));
    HS_TRY(hs_result_create(hs_cmd_out(c), "theorem1", hs_cmd_force(c), &r));
    HS_TRY(hs_common_provenance(c, r));
    HS_TRY(hs_result_attr_str(r, NULL, "schedule", schedule));
    HS_TRY(put_steps(j, r));
    HS_TRY(j->check.S > 0 ? put_check(c, &j->check, r) : HS_OK);
    HS_TRY(hs_result_commit(r));
    if (hs_cmd_str(c, "plot") != NULL) {
        HS_TRY(hs_plot_files(c, (const char *const[]){hs_cmd_out(c)}, 1, hs_cmd_str(c, "plot")));
    }
out:
    hs_result_free(r);
    return rc;
}

/* Every step into --json; at most about twenty lines of them for people. */
static void answer(hs_cmd *c, const job *j)
{
    const size_t S = j->steps.S, every = (S + 19) / 20;
    const hs_theorem1_check *k = &j->check;
    json_t *list = json_array();
    hs_cmd_say(c, "   t  t_prev  symmetric  asymmetric    ratio\n");
    for (size_t i = 0; i < S; i++) {
        const hs_step *s = &j->steps.step[i];
        json_t *o = json_pack("{s:i, s:i, s:o, s:o}", "t", s->t, "t_prev", s->t_next, "symmetric",
                              hs_json_num(j->symmetric[i]), "asymmetric", hs_json_num(j->asymmetric[i]));
        if (k->S > 0) {
            json_object_set_new(o, "symmetric_measured", hs_json_num(k->measured[HS_THEOREM1_SYMMETRIC][i]));
            json_object_set_new(o, "asymmetric_measured", hs_json_num(k->measured[HS_THEOREM1_ASYMMETRIC][i]));
        }
        json_array_append_new(list, o);
        if (i % every == 0 || i == S - 1) {
            hs_cmd_say(c, "%4d  %6d  %9.4f  %10.4f  %7.1f\n", s->t, s->t_next, j->symmetric[i], j->asymmetric[i],
                       j->asymmetric[i] / j->symmetric[i]);
        }
    }
    json_object_set_new(hs_cmd_results(c), "coefficients", list);
    if (k->S > 0) {
        json_object_set_new(hs_cmd_results(c), "identity_error", hs_json_num(k->identity_error));
        json_object_set_new(hs_cmd_results(c), "coefficient_error", hs_json_num(k->coefficient_error));
        hs_cmd_say(
            c, "measured on %lld samples: |dx - c d eps| / |c d eps| <= %.1e, coefficients within %.1e of themselves\n",
            (long long)hs_cmd_int(c, "N"), k->identity_error, k->coefficient_error);
    }
}

static int run(hs_cmd *c)
{
    int rc;
    job j = {0};
    HS_TRY(open_job(c, &j));
    if (hs_cmd_dry_run(c)) {
        hs_cmd_say(c, "coefficients of %zu steps%s\n", j.steps.S,
                   j.model.unet != NULL ? ", and the identity on the network" : "");
        goto out;
    }
    HS_TRY(j.model.unet != NULL ? measure(c, &j) : HS_OK);
    HS_TRY(hs_cmd_out(c) != NULL ? write_file(c, &j) : HS_OK);
    answer(c, &j);
out:
    job_free(&j);
    return rc;
}

const hs_command hs_cmd_theorem1 = {
    .name = "theorem1",
    .usage = "[--steps S] [--schedule S] [--model M] -o T.h5",
    .purpose = "Theorem 1 of Asyrp: how much of a change of eps reaches x_t' in the symmetric and in the asymmetric "
               "process, at every step; with a model, the same measured on it.",
    .examples = "hspace theorem1 --steps 50 -o theorem1.h5 --plot theorem1.pdf\n"
                "hspace theorem1 --schedule cosine --steps 1000 --json\n"
                "hspace theorem1 --model faces-a --steps 40 -N 4 -o faces.h5",
    .options = tables,
    .run = run,
};
