#include "analysis/cli/interval.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/shipped.h"
#include "core/base/text.h"
#include "core/diffusion/editing.h"
#include "core/model/clip_loss.h"

const hs_opt hs_opts_interval[] = {
    {"curves", 0, HS_OPT_LIST, NULL, 0, 0, NULL, "P.tsv,X.tsv", "Edit",
     "auto: LPIPS(x, P_t) and LPIPS(x, x_t), lines of t and value, instead of curves of the model"},
    {"distance", 0, HS_OPT_STR, "auto", 0, 0, "auto|feat|pixels", "KIND", "Edit",
     "auto: features of --attr, pixels, or features where --attr is for images of the model's size"},
    {"auto-samples", 0, HS_OPT_INT, "16", 1, 4096, NULL, "N", "Edit",
     "auto: the curves are means over the first N images"},
    {"cosine", 0, HS_OPT_NUM, "1", 0, 1, NULL, "X", "Edit",
     "auto: cosine of the source and the reference text, which lowers the threshold of the edit"},
    {0}};

const hs_opt hs_opts_interval_texts[] = {
    {"source", 0, HS_OPT_STR, NULL, 0, 0, NULL, "TEXT", "Edit",
     "auto: what the images are, \"a face\"; with --target instead of --cosine, which CLIP then finds"},
    {"target", 0, HS_OPT_STR, NULL, 0, 0, NULL, "TEXT", "Edit", "auto: what they become, \"a smiling face\""},
    {0}};

int hs_interval_threshold(hs_cmd *c, const char *opt, size_t T, int *out)
{
    int64_t t = 0;
    const char *text = hs_cmd_str(c, opt);
    if (strcmp(text, "auto") == 0) {
        *out = HS_T_AUTO;
        return HS_OK;
    }
    int rc = hs_text_i64(text, 0, (int64_t)T, &t);
    if (rc != HS_OK) {
        char where[32];
        snprintf(where, sizeof where, "--%s", opt);
        return hs_fail_in(rc, where);
    }
    json_object_set_new(hs_cmd_params(c), opt, json_integer(t));
    *out = (int)t;
    return HS_OK;
}

int hs_interval_cosine(hs_cmd *c, int wanted, double *cosine)
{
    const char *source = hs_cmd_str(c, "source"), *target = hs_cmd_str(c, "target");
    hs_clip_reader *clip = NULL;
    int rc = HS_OK;
    *cosine = hs_cmd_num(c, "cosine");
    if (source == NULL && target == NULL) {
        return HS_OK;
    }
    if (source == NULL || target == NULL || hs_cmd_given(c, "cosine")) {
        return hs_fail(HS_ERANGE, "--source, --target: wanted both, and no --cosine, which they give");
    }
    if (!wanted) {
        return hs_fail(HS_ERANGE, "--source, --target: they say where an edit ends; wanted --t-edit auto");
    }
    HS_TRY(hs_common_clip(c, "clip-model", &clip));
    HS_TRY(hs_clip_text_cosine(hs_clip_reader_clip(clip), source, target, cosine));
    if (*cosine <= 0) {
        rc = hs_fail(HS_EDEGENERATE, "--source, --target: their cosine is %.3g; the threshold is a multiple of it",
                     *cosine);
        goto out;
    }
    json_object_set_new(hs_cmd_params(c), "cosine", hs_json_num(*cosine));
out:
    hs_clip_reader_free(clip);
    return rc;
}

void hs_interval_free(hs_interval_found *f)
{
    hs_curves_free(&f->curves);
}

/* *t <- the crossing of a given curve, *end <- its last value. */
HS_CHECKED static int cross_file(hs_cmd *c, const char *path, double threshold, int *t_cross, double *end)
{
    int rc;
    size_t n = 0;
    int *t = NULL;
    double *v = NULL;
    HS_TRY(hs_curve_read(path, &n, &t, &v));
    HS_TRY(hs_cmd_input(c, path));
    HS_TRY(hs_fail_in(hs_curve_crossing(n, t, v, threshold, t_cross), path));
    *end = v[n - 1];
out:
    free(t);
    free(v);
    return rc;
}

int hs_interval_given(hs_cmd *c, double cosine, hs_interval_found *f)
{
    int rc;
    const char *const *path;
    size_t n = hs_cmd_list(c, "curves", &path);
    memset(f, 0, sizeof *f);
    if (n != 2) {
        return hs_fail(HS_ERANGE, "--curves: %zu files; wanted two, of distance(x, P_t) and distance(x, x_t)", n);
    }
    f->distance = "LPIPS";
    f->cosine = cosine;
    f->edit = HS_LPIPS_T_EDIT * cosine;
    f->boost = HS_LPIPS_T_BOOST;
    HS_TRY(cross_file(c, path[0], f->edit, &f->t_edit, &f->p_end));
    HS_TRY(cross_file(c, path[1], f->boost, &f->t_boost, &f->x_end));
out:
    return rc;
}

/* *out <- the network whose features are compared, or NULL for pixels. */
HS_CHECKED static int open_scorer(hs_cmd *c, hs_chw image, hs_scorer **out)
{
    char path[HS_SHIPPED_PATH];
    const char *kind = hs_cmd_str(c, "distance");
    hs_attrnet *net = NULL;
    *out = NULL;
    if (kind[0] == 'p') {
        return HS_OK;
    }
    if (kind[0] == 'f') {
        return hs_common_scorer(c, hs_common_conv(c), out);
    }
    if (hs_attrnet_open(hs_shipped_or(hs_cmd_str(c, "attr"), path), &net) != HS_OK) {
        return HS_OK; /* auto: without a network there are still pixels */
    }
    size_t side = hs_attrnet_config_of(net)->image_size;
    hs_attrnet_free(net);
    int fits = image.h == side && image.w == side && (image.c == 1 || image.c == 3);
    return fits ? hs_common_scorer(c, hs_common_conv(c), out) : HS_OK;
}

int hs_interval_measure(hs_cmd *c, const hs_model *m, const hs_steps *steps, size_t n, const float *x_T, double cosine,
                        hs_interval_found *f)
{
    int rc;
    size_t most = (size_t)hs_cmd_int(c, "auto-samples");
    hs_scorer *scorer = NULL;
    memset(f, 0, sizeof *f);
    n = n < most ? n : most;
    HS_TRY(open_scorer(c, hs_unet_image_shape(hs_unet_config_of(m->unet)), &scorer));
    const hs_curves_plan plan = {.model = m,
                                 .steps = steps,
                                 .batch = hs_common_batch(c, n),
                                 .conv = hs_common_conv(c),
                                 .scorer = scorer,
                                 .progress = hs_cmd_progress(c)};
    HS_TRY(hs_curves_measure(&plan, n, x_T, &f->curves));
    const hs_curves *k = &f->curves;
    f->distance = scorer != NULL ? "features" : "pixels";
    f->p_end = k->p[k->S - 1];
    f->x_end = k->x[k->S - 1];
    f->cosine = cosine;
    hs_curves_thresholds(k, cosine, &f->edit, &f->boost);
    HS_TRY(hs_fail_in(hs_curve_crossing(k->S, k->t, k->p, f->edit, &f->t_edit), "auto: distance(x, P_t)"));
    HS_TRY(hs_fail_in(hs_curve_crossing(k->S, k->t, k->x, f->boost, &f->t_boost), "auto: distance(x, x_t)"));
out:
    hs_scorer_free(scorer);
    if (rc != HS_OK) {
        hs_interval_free(f);
    }
    return rc;
}

void hs_interval_say(hs_cmd *c, const hs_interval_found *f)
{
    json_t *r = json_pack("{s:s, s:i, s:i, s:o, s:o, s:o, s:o, s:o}", "distance", f->distance, "t_edit", f->t_edit,
                          "t_boost", f->t_boost, "cosine", hs_json_num(f->cosine), "threshold_edit",
                          hs_json_num(f->edit), "threshold_boost", hs_json_num(f->boost), "end_p",
                          hs_json_num(f->p_end), "end_x", hs_json_num(f->x_end));
    hs_cmd_say(c, "t_edit %d: %s(x, P_t) reaches %.4g", f->t_edit, f->distance, f->edit);
    if (f->curves.S > 0) {
        json_object_set_new(r, "n", json_integer((json_int_t)f->curves.n));
        json_object_set_new(r, "fraction_edit", hs_json_num(HS_CURVE_EDIT_FRACTION));
        json_object_set_new(r, "noise_boost", hs_json_num(HS_CURVE_BOOST_NOISE));
        hs_cmd_say(c, " = %g x cosine %g x %.4g, its value at t = %d (as 0.33 of LPIPS lies in the authors' curves)",
                   HS_CURVE_EDIT_FRACTION, f->cosine, f->p_end, f->curves.t[f->curves.S - 1]);
    }
    hs_cmd_say(c, "\nt_boost %d: %s(x, x_t) reaches %.4g", f->t_boost, f->distance, f->boost);
    if (f->curves.S > 0) {
        hs_cmd_say(c, ", its value at 1 - alpha_bar = %g (where LPIPS reaches 1.2); means over %zu images",
                   HS_CURVE_BOOST_NOISE, f->curves.n);
    }
    hs_cmd_say(c, "\n");
    json_object_set_new(hs_cmd_results(c), "interval", r);
}
