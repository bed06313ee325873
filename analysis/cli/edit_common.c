#include "analysis/cli/edit_common.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/interval.h"
#include "analysis/cli/shipped.h"
#include "core/base/alloc.h"
#include "core/base/text.h"

const hs_opt hs_opts_edit[] = {
    {"mode", 0, HS_OPT_STR, "asymmetric", 0, 0, "asymmetric|symmetric", "MODE", "Edit",
     "asymmetric: the edit enters the predicted x_0 only (Asyrp)"},
    {"t-edit", 0, HS_OPT_STR, "0", 0, 0, NULL, "T|auto", "Edit",
     "edit where t >= T; 0: at every step; auto: by curves of the model (hspace curves)"},
    {"t-boost", 0, HS_OPT_STR, "0", 0, 0, NULL, "T|auto", "Edit",
     "eta = 1 where t < T (quality boosting); 0: nowhere; auto: by curves of the model"},
    {"combine", 0, HS_OPT_STR, "sum", 0, 0, "sum|sqrt", "RULE", "Edit",
     "several directions: their sum, or the sum over the root of their number"},
    {"match", 0, HS_OPT_STR, NULL, 0, 0, "exact|nearest|linear", "HOW", "Edit",
     "what a direction gives at a timestep it doesn't store; as its file says when left out"},
    {"rescale", 0, HS_OPT_STR, "none", 0, 0, "none|count|alpha", "RULE", "Edit",
     "scale a direction found with another number of steps"},
    {"found-steps", 0, HS_OPT_INT, NULL, 1, 1000000, NULL, "S", "Edit",
     "--rescale: steps that a network or a constant direction was found with, where its file doesn't say"},
    {0}};

const hs_opt hs_opts_readout[] = {
    {"readout", 0, HS_OPT_LIST, "x0,brightness", 0, 0, NULL, "PHI", "Statistics",
     "x0, x0hat[:k], eps[:k], h_later:m, brightness[:x0,y0,x1,y1], probe:FILE.npy, attr:NAME, feat, clip:A|B"},
    HS_OPT_ATTR,
    HS_OPT_CLIP("clip-model"),
    {0}};

/* Numbers for what is HS_T_AUTO.  A dry run measures nothing: then the whole trajectory stands for it. */
HS_CHECKED static int find_interval(hs_cmd *c, hs_edit_job *job)
{
    int rc = HS_OK, *t_edit = &job->plan.t_edit, *t_boost = &job->plan.t_boost;
    double cosine;
    hs_interval_found f = {0};
    HS_TRY(hs_interval_cosine(c, *t_edit == HS_T_AUTO, &cosine));
    if (*t_edit != HS_T_AUTO && *t_boost != HS_T_AUTO) {
        return HS_OK;
    }
    if (hs_cmd_list(c, "curves", NULL) > 0) {
        HS_TRY(hs_interval_given(c, cosine, &f));
    } else if (!hs_cmd_dry_run(c)) {
        HS_TRY(hs_interval_measure(c, &job->model, &job->steps, job->source.n, job->x_T, cosine, &f));
    }
    if (f.distance != NULL) {
        hs_interval_say(c, &f);
    }
    *t_edit = *t_edit == HS_T_AUTO ? f.t_edit : *t_edit;
    *t_boost = *t_boost == HS_T_AUTO ? f.t_boost : *t_boost;
    if (f.distance != NULL) {
        json_object_set_new(hs_cmd_params(c), "t-edit", json_integer(*t_edit));
        json_object_set_new(hs_cmd_params(c), "t-boost", json_integer(*t_boost));
    }
out:
    hs_interval_free(&f);
    return rc;
}

HS_CHECKED static int open_directions(hs_cmd *c, size_t n_max, hs_edit_job *job)
{
    int rc = HS_OK;
    const char *const *spec;
    const hs_unet_config *cfg = hs_unet_config_of(job->model.unet);
    size_t n = hs_cmd_list(c, "direction", &spec);
    if (n == 0 || n > n_max) {
        rc = hs_fail(HS_ERANGE, "--direction: %zu given; wanted %s", n,
                     n_max == 1 ? "one FILE.h5[:NAME]" : "at least one");
        goto out;
    }
    HS_TRY(hs_calloc(n, sizeof *job->dir, &job->dir));
    HS_TRY(hs_alloc(n, sizeof *job->coef, &job->coef));
    for (size_t i = 0; i < n; i++) {
        hs_direction *d = &job->dir[i];
        HS_TRY(hs_direction_open(spec[i], d));
        job->n_dir++; /* from here on the job frees it */
        job->coef[i] = 1;
        HS_TRY(hs_direction_fits(d, cfg, job->model.sha256, hs_cmd_force(c)));
        if (hs_cmd_str(c, "match") != NULL) {
            HS_TRY(hs_match_of(hs_cmd_str(c, "match"), &d->match));
        }
        HS_TRY(hs_cmd_input(c, d->file));
    }
out:
    return rc;
}

/* Says of directions without timesteps, networks above all, that they are used where they weren't found. */
static void warn_below(hs_cmd *c, const hs_edit_job *job)
{
    for (size_t i = 0; i < job->n_dir; i++) {
        const hs_direction *d = &job->dir[i];
        size_t below = 0;
        for (size_t k = 0; k < job->steps.S && d->S == 0; k++) {
            int t = job->steps.step[k].t;
            below += t >= job->plan.t_edit && t < d->found_t_edit;
        }
        if (below > 0) {
            hs_cmd_warn(c, "%s:%s was found at t >= %d; %zu steps below are edited too (--t-edit %d)", d->file, d->name,
                        d->found_t_edit, below, job->plan.t_edit);
        }
    }
}

/* Coefficients for these steps, of directions that say something at each edited one. */
HS_CHECKED static int rescale(hs_cmd *c, hs_edit_job *job)
{
    int rc = HS_OK;
    const char *rule = hs_cmd_str(c, "rescale");
    hs_rescale r = rule[0] == 'n' ? HS_RESCALE_NONE : rule[0] == 'c' ? HS_RESCALE_COUNT : HS_RESCALE_ALPHA;
    for (size_t i = 0; i < job->n_dir; i++) {
        double factor = 1;
        if (hs_cmd_given(c, "found-steps")) {
            job->dir[i].found_steps = (size_t)hs_cmd_int(c, "found-steps");
        }
        HS_TRY(hs_direction_covers(&job->dir[i], &job->steps, job->plan.t_edit));
        HS_TRY(hs_direction_rescale(&job->dir[i], &job->model.schedule, &job->steps, job->plan.t_edit, r, &factor));
        job->coef[i] *= factor / (hs_cmd_str(c, "combine")[1] == 'q' ? sqrt((double)job->n_dir) : 1);
    }
out:
    return rc;
}

HS_CHECKED static int read_x_T(hs_edit_job *job)
{
    int rc;
    size_t d = hs_chw_size(job->source.image);
    HS_TRY(hs_alloc(job->source.n, d * sizeof *job->x_T, &job->x_T));
    HS_TRY(hs_source_x_T(&job->source, 0, job->source.n, job->x_T));
out:
    return rc;
}

int hs_edit_check_strengths(size_t m, const double *s)
{
    int zero = 0;
    for (size_t j = 0; j < m; j++) {
        zero |= s[j] == 0;
        for (size_t k = 0; k < j; k++) {
            if (s[k] == s[j]) {
                return hs_fail(HS_ERANGE, "--strengths: %g is there twice", s[j]);
            }
        }
    }
    if (!zero || m < 2) {
        return hs_fail(HS_ERANGE, "--strengths: %s",
                       zero ? "only 0; at least one more"
                            : "strength 0 is not among them; effects are measured against it");
    }
    return HS_OK;
}

int hs_edit_job_open(hs_cmd *c, size_t n_max, hs_edit_job *job)
{
    int rc;
    memset(job, 0, sizeof *job);
    hs_edit_plan *p = &job->plan;
    HS_TRY(hs_common_model(c, &job->model));
    HS_TRY(hs_common_steps(c, &job->model.schedule, &job->steps));
    HS_TRY(hs_interval_threshold(c, "t-edit", job->model.schedule.T, &p->t_edit));
    HS_TRY(hs_interval_threshold(c, "t-boost", job->model.schedule.T, &p->t_boost));
    HS_TRY(n_max > 0 ? open_directions(c, n_max, job) : HS_OK);
    HS_TRY(n_max > 0 ? hs_source_open(c, &job->model, &job->steps, &job->source)
                     : hs_source_open_array(c, "from", &job->model, &job->source));
    HS_TRY(hs_step_noise_open(c, job->steps.S, job->source.n, job->source.image, &job->noise));
    if (!hs_cmd_dry_run(c)) {
        HS_TRY(read_x_T(job));
    }
    HS_TRY(find_interval(c, job));
    warn_below(c, job);
    HS_TRY(rescale(c, job));
    p->model = &job->model;
    p->steps = &job->steps;
    p->n_dir = job->n_dir;
    p->dir = job->dir;
    p->coef = job->coef;
    p->scale = 1;
    p->eta = hs_cmd_num(c, "eta");
    p->symmetric = strcmp(hs_cmd_str(c, "mode"), "symmetric") == 0;
    p->clip = hs_common_clipping(c, &job->model);
    p->noise = (hs_image_noise){hs_step_noise_fill, &job->noise};
    p->batch = (size_t)hs_cmd_int(c, "batch");
    p->conv = hs_common_conv(c);
    p->progress = hs_cmd_progress(c);
out:
    if (rc != HS_OK) {
        hs_edit_job_free(job);
    }
    return rc;
}

void hs_edit_job_free(hs_edit_job *job)
{
    for (size_t i = 0; i < job->n_dir; i++) {
        hs_direction_free(&job->dir[i]);
    }
    free(job->dir);
    free(job->coef);
    free(job->x_T);
    hs_step_noise_free(&job->noise);
    hs_source_free(&job->source);
    hs_steps_free(&job->steps);
    hs_model_free(&job->model);
    memset(job, 0, sizeof *job);
}

int hs_rival_open(hs_cmd *c, const hs_edit_job *job, const char *spec, hs_direction *out)
{
    int rc;
    hs_direction d = {0};
    HS_TRY(hs_direction_open(spec, &d));
    HS_TRY(hs_cmd_input(c, d.file));
    if (d.space != HS_SPACE_EPS) {
        rc = hs_fail(HS_ERANGE, "--rival %s: a direction of h; wanted one of eps (--space eps)", spec);
        goto out;
    }
    HS_TRY(hs_direction_fits(&d, hs_unet_config_of(job->model.unet), job->model.sha256, hs_cmd_force(c)));
    *out = d;
    d = (hs_direction){0};
out:
    hs_direction_free(&d);
    return rc;
}

int hs_edit_reconstruction(hs_cmd *c, const hs_edit_job *job, const float *x_0, size_t columns, size_t plain)
{
    int rc = HS_OK;
    size_t d = hs_chw_size(job->source.image), n = job->source.n;
    float *image = NULL;
    json_t *psnr = json_array(), *l1 = json_array();
    double squares = 0, absolute = 0;
    if (job->source.kind != HS_SOURCE_IMAGES) {
        goto out;
    }
    HS_TRY(hs_alloc(d, sizeof *image, &image));
    for (size_t i = 0; i < n; i++) {
        double s = 0, a = 0;
        const float *x = x_0 + (i * columns + plain) * d;
        HS_TRY(hs_source_x_0(&job->source, i, 1, image));
        for (size_t k = 0; k < d; k++) {
            double v = (double)x[k] - (double)image[k];
            s += v * v;
            a += fabs(v);
        }
        json_array_append_new(psnr, hs_json_num(10 * log10(4 * (double)d / s)));
        json_array_append_new(l1, hs_json_num(a / (double)d));
        squares += s;
        absolute += a;
    }
    double all = (double)d * (double)n, db = 10 * log10(4 * all / squares);
    json_t *r = json_pack("{s:o, s:o, s:O, s:O}", "psnr", hs_json_num(db), "l1", hs_json_num(absolute / all),
                          "psnr_each", psnr, "l1_each", l1);
    if (!isfinite(db)) {
        json_object_set_new(r, "reason", json_string("the reconstruction is exact"));
    }
    json_object_set_new(hs_cmd_results(c), "reconstruction", r);
    hs_cmd_say(c, "reconstruction without edit: PSNR %.2f dB, mean |error| %.3g of a range of 2\n", db, absolute / all);
out:
    json_decref(psnr);
    json_decref(l1);
    free(image);
    return rc;
}

/* *out <- the attribute network, where one of the read-outs needs it; else NULL. */
HS_CHECKED static int scorer_for(hs_cmd *c, size_t n, const char *const *item, hs_scorer **out)
{
    *out = NULL;
    for (size_t i = 0; i < n; i++) {
        if (hs_readout_needs_scorer(item[i])) {
            return hs_common_scorer(c, hs_common_conv(c), out);
        }
    }
    return HS_OK;
}

/* *out <- the CLIP, where one of the read-outs needs it; else NULL. */
HS_CHECKED static int clip_for(hs_cmd *c, size_t n, const char *const *item, hs_clip_reader **out)
{
    *out = NULL;
    for (size_t i = 0; i < n; i++) {
        if (hs_readout_needs_clip(item[i])) {
            return hs_common_clip(c, "clip-model", out);
        }
    }
    return HS_OK;
}

int hs_edit_readouts(hs_cmd *c, const hs_model *m, size_t *n, hs_readout **out)
{
    int rc;
    const char *const *item;
    size_t items = hs_cmd_list(c, "readout", &item), count = 0;
    hs_readout *r = NULL;
    hs_scorer *scorer = NULL;
    hs_clip_reader *clip = NULL;
    const hs_unet_config *cfg = hs_unet_config_of(m->unet);
    HS_TRY(hs_calloc(items, sizeof *r, &r));
    HS_TRY(scorer_for(c, items, item, &scorer));
    HS_TRY(clip_for(c, items, item, &clip));
    while (count < items) {
        HS_TRY(hs_readout_parse(item[count], hs_unet_image_shape(cfg), hs_unet_h_shape(cfg), scorer, clip, &r[count]));
        count++;
        if (strncmp(item[count - 1], "probe:", 6) == 0) {
            HS_TRY(hs_cmd_input(c, item[count - 1] + 6));
        }
    }
    if (count == 0) {
        rc = hs_fail(HS_ERANGE, "--readout: none given");
        goto out;
    }
    *n = count;
    *out = r;
    r = NULL;
out:
    hs_scorer_free(scorer);
    hs_clip_reader_free(clip);
    if (r != NULL) {
        hs_edit_readouts_free(count, r);
    }
    return rc;
}

void hs_edit_readouts_free(size_t n, hs_readout *r)
{
    for (size_t i = 0; i < n; i++) {
        hs_readout_free(&r[i]);
    }
    free(r);
}
