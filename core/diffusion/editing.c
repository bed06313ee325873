#include "core/diffusion/editing.h"

#include <math.h>

int hs_curve_crossing(size_t n, const int *t, const double *value, double threshold, int *t_cross)
{
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && t[i] <= t[i - 1]) {
            return hs_fail(HS_ERANGE, "curve: t = %d follows %d; ascending", t[i], t[i - 1]);
        }
        if (value[i] >= threshold) {
            *t_cross = t[i];
            return HS_OK;
        }
    }
    return hs_fail(HS_EDEGENERATE, "curve: none of %zu values reaches %g", n, threshold);
}

void hs_theorem1(const hs_step *step, double *symmetric, double *asymmetric)
{
    double p = -sqrt(1.0 - step->alpha_bar) * sqrt(step->alpha_bar_next / step->alpha_bar);
    *asymmetric = p;
    *symmetric = sqrt(1.0 - step->alpha_bar_next) + p;
}

static double edited_weight(hs_rescale rule, const hs_steps *s, int t_edit)
{
    double sum = 0.0;
    for (size_t k = 0; k < s->S; k++) {
        if (s->step[k].t >= t_edit) {
            double sym, asym;
            hs_theorem1(&s->step[k], &sym, &asym);
            sum += rule == HS_RESCALE_ALPHA ? -asym : 1.0;
        }
    }
    return sum;
}

int hs_rescale_factor(hs_rescale rule, const hs_steps *found, const hs_steps *used, int t_edit, double *factor)
{
    if (rule == HS_RESCALE_NONE) {
        *factor = 1.0;
        return HS_OK;
    }
    double to = edited_weight(rule, used, t_edit);
    if (!(to > 0.0)) {
        return hs_fail(HS_EDEGENERATE, "rescale: none of %zu steps has t >= t_edit = %d", used->S, t_edit);
    }
    *factor = edited_weight(rule, found, t_edit) / to;
    return HS_OK;
}
