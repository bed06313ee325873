/* What edit, sweep, interpolate and linearity share: directions, strengths, the editing interval. */
#ifndef HS_CLI_EDIT_COMMON_H
#define HS_CLI_EDIT_COMMON_H

#include "analysis/cli/common.h"
#include "analysis/sweep/edit.h"
#include "analysis/sweep/readout.h"

extern const hs_opt hs_opts_edit[];    /* --mode --t-edit --t-boost --combine --match --rescale */
extern const hs_opt hs_opts_readout[]; /* --readout */

#define HS_OPT_RIVAL                                                               \
    {                                                                              \
        "rival", 0, HS_OPT_STR, NULL, 0, 0, NULL, "E.h5[:NAME]", "Statistics",     \
            "a direction of eps, run beside it at equal first-order effect on P_t" \
    }

/* Everything an edit needs, opened from the options and owned. */
typedef struct {
    hs_model model;
    hs_steps steps;
    hs_source source;
    hs_step_noise noise;
    float *x_T; /* (source.n, c R R) */
    size_t n_dir;
    hs_direction *dir;
    double *coef;
    hs_edit_plan plan; /* borrows the above; m and strength are the caller's */
} hs_edit_job;

/* Opens model, steps, source, noise and the directions of --direction (n_max: at most so many; 0: the
 * command has none and starts from the array of --from), checks that they fit, reads x_T.  coef is 1 for each.  --force
 * lets a direction of another model of the same shape in. */
HS_CHECKED int hs_edit_job_open(hs_cmd *c, size_t n_max, hs_edit_job *out);
void hs_edit_job_free(hs_edit_job *job);
/* What sweep and linearity need of --strengths.  HS_ERANGE: no 0, nothing but 0, one twice. */
HS_CHECKED int hs_edit_check_strengths(size_t m, const double *s);
/* *out <- the direction of --rival, one of eps that fits the job's model (HS_ERANGE: of h). */
HS_CHECKED int hs_rival_open(hs_cmd *c, const hs_edit_job *job, const char *spec, hs_direction *out);

/* Where the images came from --images: results.reconstruction {"psnr", "l1", "psnr_each", "l1_each"} of the unedited
 * ones, column `plain` of x_0 (n, columns, c R R), against the images themselves, of a range of 2.  Nothing else
 * tells what an edit changed from what the inversion lost. */
HS_CHECKED int hs_edit_reconstruction(hs_cmd *c, const hs_edit_job *job, const float *x_0, size_t columns,
                                      size_t plain);

/* *n, *out <- the read-outs of --readout (owned). */
HS_CHECKED int hs_edit_readouts(hs_cmd *c, const hs_model *m, size_t *n, hs_readout **out);
void hs_edit_readouts_free(size_t n, hs_readout *r);

#endif
