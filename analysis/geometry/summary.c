#include "analysis/geometry/summary.h"

#include <math.h>

/* "0.23 [0.21, 0.25]". */
static void add_number(hs_str *out, const hs_geometry_statistic *s)
{
    hs_str_addf(out, "%.3g", s->ci.value);
    if (isfinite(s->ci.lo)) {
        hs_str_addf(out, " [%.3g, %.3g]", s->ci.lo, s->ci.hi);
    }
}

static void add_null(hs_str *out, const hs_geometry_statistic *s, const char *what)
{
    if (isfinite(s->null)) {
        hs_str_addf(out, " (%s: %.3g)", what, s->null);
    }
}

static void curved(const hs_geometry_statistics *s, hs_str *out)
{
    const hs_geometry_statistic *mid = hs_geometry_find(s, "midpoint_deviation");
    const hs_geometry_statistic *energy = hs_geometry_find(s, "path_energy");
    const hs_geometry_statistic *relaxed = hs_geometry_find(s, "path_energy_relaxed");
    if (mid == NULL) {
        return;
    }
    hs_str_add(out, "Seen through the decoder, h-space is curved by ");
    add_number(out, mid);
    hs_str_add(out,
               ": so far, in units of their distance, the image of the midpoint of two samples lies from the middle "
               "of their images");
    add_null(out, mid, "along random directions of the same length");
    if (energy != NULL) {
        hs_str_add(out, "; the straight path spends ");
        add_number(out, energy);
        hs_str_add(out, " of what a straight line of images would");
        add_null(out, energy, "random directions");
    }
    if (relaxed != NULL) {
        hs_str_addf(out, ", relaxed %.3g, down from %.3g between the same samples", relaxed->ci.value, relaxed->null);
    }
    hs_str_add(out, "; ");
}

static void linear_within(const hs_geometry_statistics *s, double standard, hs_str *out)
{
    const hs_geometry_statistic *range = hs_geometry_find(s, "linear_range");
    if (range == NULL || isnan(range->ci.value)) {
        return;
    }
    if (range->ci.value == 0) {
        hs_str_addf(out,
                    "and not linear even within an eighth of the distance between two samples: the deviation is not "
                    "below %g there. ",
                    standard);
    } else {
        hs_str_addf(
            out, "yet linear within %g of the distance between two samples, up to which the deviation stays below %g",
            range->ci.value, standard);
        add_null(out, range, "random directions");
        hs_str_add(out, ". ");
    }
}

static void tangents(const hs_geometry_statistics *s, hs_str *out)
{
    const hs_geometry_statistic *samples = hs_geometry_find(s, "tangent_samples");
    const hs_geometry_statistic *steps = hs_geometry_find(s, "tangent_steps");
    if (samples == NULL) {
        return;
    }
    hs_str_add(out, "Tangent spaces turn by ");
    add_number(out, samples);
    hs_str_add(out, " of a right angle from sample to sample");
    add_null(out, samples, "spaces drawn from the covariance of h");
    if (steps != NULL) {
        hs_str_add(out, " and by ");
        add_number(out, steps);
        hs_str_add(out, " from step to step");
    }
    hs_str_add(out, ". ");
}

static void stretching(const hs_geometry_statistics *s, hs_str *out)
{
    const hs_geometry_statistic *in = hs_geometry_find(s, "pullback_rank_h_x");
    const hs_geometry_statistic *to = hs_geometry_find(s, "pullback_rank_x0_h");
    if (in == NULL || to == NULL) {
        return;
    }
    hs_str_add(out, "The derivative of x_t to h has ");
    add_number(out, in);
    hs_str_add(out, " effective directions");
    add_null(out, in, "null");
    hs_str_add(out, ", that of h to x0hat ");
    add_number(out, to);
    add_null(out, to, "null");
    hs_str_add(out, ". ");
}

static void cloud(const hs_geometry_statistics *s, hs_str *out)
{
    const hs_geometry_statistic *near = hs_geometry_find(s, "dimension_twonn");
    const hs_geometry_statistic *mle = hs_geometry_find(s, "dimension_mle");
    const hs_geometry_statistic *delta = hs_geometry_find(s, "gromov_delta");
    if (near == NULL || mle == NULL || delta == NULL) {
        return;
    }
    hs_str_add(out, "The samples have dimension ");
    add_number(out, near);
    add_null(out, near, "Gaussian clouds of their spectrum");
    hs_str_add(out, " by TwoNN, ");
    add_number(out, mle);
    add_null(out, mle, "Gaussian");
    hs_str_add(out, " by the MLE; their hyperbolicity is ");
    add_number(out, delta);
    hs_str_add(out, " of the diameter");
    add_null(out, delta, "Gaussian");
    hs_str_add(out, ". ");
}

static void noise(const hs_geometry_statistics *s, hs_str *out)
{
    const hs_geometry_statistic *image = hs_geometry_find(s, "share_image");
    const hs_geometry_statistic *eps = hs_geometry_find(s, "share_noise");
    const hs_geometry_statistic *rest = hs_geometry_find(s, "share_interaction");
    const hs_geometry_statistic *x = hs_geometry_find(s, "share_image_x");
    const hs_geometry_statistic *ratio = hs_geometry_find(s, "distance_ratio");
    if (image == NULL || eps == NULL || rest == NULL || x == NULL || ratio == NULL) {
        return;
    }
    hs_str_add(out, "Of the variance of h, mean over timesteps, the image makes up ");
    add_number(out, image);
    hs_str_addf(out, " (of x_t itself: %.3g), the noise ", x->ci.value);
    add_number(out, eps);
    hs_str_add(out, ", and their interaction ");
    add_number(out, rest);
    hs_str_addf(out, "; two h of one image lie %.3g times as far apart as h of two images. ", ratio->ci.value);
}

void hs_geometry_paragraph(const hs_geometry_statistics *s, double standard, hs_str *out)
{
    curved(s, out);
    linear_within(s, standard, out);
    tangents(s, out);
    stretching(s, out);
    cloud(s, out);
    noise(s, out);
    while (out->len > 0 && out->s[out->len - 1] == ' ') {
        out->s[--out->len] = '\0';
    }
}
