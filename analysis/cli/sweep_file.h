/* A sweep as a result file and as JSON: what sweep, interpolate and linearity have in common. */
#ifndef HS_CLI_SWEEP_FILE_H
#define HS_CLI_SWEEP_FILE_H

#include "analysis/cli/controls.h"
#include "analysis/cli/edit_common.h"
#include "analysis/properties/linearity.h"
#include "analysis/properties/naturalness.h"
#include "analysis/sweep/sweep.h"
#include "core/base/text.h"

/* A control swept as the direction is (controls.h); score NULL: it wasn't run, or (K > 0) is draws alone, its null. */
typedef struct {
    char missing[160];            /* why not */
    size_t K;                     /* its own null, at the largest strengths only */
    double **score, **null;       /* [n_phi] (n, m); (K, n, m) */
    double *spread, *noise_floor; /* [n_phi] */
} hs_sweep_control;

typedef struct {
    const hs_edit_job *job; /* plan.m and plan.strength are the sweep's */
    size_t n_phi;
    hs_readout *phi; /* (n_phi) owned: hs_edit_readouts */
    hs_sweep sweep;
    double **score;       /* [n_phi] (n, m): the scalar of each read-out (hs_sweep_score) */
    size_t K;             /* random directions of equal norm, at the largest strengths only */
    double **null;        /* [n_phi] (K, n, m) scores, NaN at the strengths that weren't run; NULL when K is 0 */
    double **rival;       /* [n_phi] (n, m) scores under --rival; NULL: none */
    double *rival_factor; /* (S) what it was scaled by */
    char rival_name[128];
    int controls; /* any were wanted */
    hs_sweep_control control[HS_CONTROLS];
    hs_unet_work beside;    /* in the untrained network */
    hs_line_terms *terms;   /* (n_phi) of hs_sweep_file_terms, or NULL */
    hs_naturalness natural; /* where hs_sweep_file_natural judged; n 0: nothing did */
    const char *kind;       /* "sweep", "interpolation" */
} hs_sweep_file;

/* Fills score from sweep. */
HS_CHECKED int hs_sweep_file_score(hs_sweep_file *f);
/* Judges the images' naturalness where feat is among the read-outs and there are 16 images or more (naturalness.h). */
HS_CHECKED int hs_sweep_file_natural(hs_sweep_file *f);
/* Runs the direction of --rival, where given, at the same strengths, scaled at every step to the first-order effect of
 * the job's own (equal E |dP_t|): fills rival, rival_factor, rival_name.  HS_ERANGE: it is no direction of eps. */
HS_CHECKED int hs_sweep_file_rival(hs_cmd *c, hs_sweep_file *f);
/* Of a job with several directions: runs each alone at the largest magnitude that is natural (the positive of two) and
 * fills terms.  Before hs_sweep_file_null, which then does the same with its random sets. */
HS_CHECKED int hs_sweep_file_terms(hs_sweep_file *f);
/* HS_ERANGE: several directions that random ones cannot be like together, of h and of eps, or networks of eps. */
HS_CHECKED int hs_sweep_check_set(const hs_edit_job *job);
/* Fills K and null: runs random directions 0 ... K - 1 like the job's (stream (seed, HS_RNG_DIRECTION, k)), of several
 * directions sets with their lengths and angles, at the largest magnitude that is natural (where that was judged and
 * isn't 0), both signs where both are swept.  Of a network f_t they have the mean norms of what it says on the images.
 */
HS_CHECKED int hs_sweep_file_null(hs_sweep_file *f, size_t K, uint64_t seed);
/* Runs the controls of --controls at the same strengths; after the null, which says how many random directions. */
HS_CHECKED int hs_sweep_file_controls(hs_cmd *c, hs_sweep_file *f);
void hs_sweep_control_free(size_t n_phi, hs_sweep_control *o);
/* out += "smile", "smile + age". */
HS_CHECKED int hs_sweep_name_directions(const hs_edit_job *job, hs_str *out);
/* Index of strength 0 (of position 0). */
size_t hs_sweep_file_zero(const hs_sweep_file *f);
void hs_sweep_file_free(hs_sweep_file *f); /* what it owns: phi, sweep, score, null, rival, natural */

/* results.strengths[], results.readouts[] {"name", "mean", "ci", "n", "noise_floor", "vector"} and the text
 * table; warns of read-outs without any effect. */
HS_CHECKED int hs_sweep_file_report(hs_cmd *c, const hs_sweep_file *f);

/* Writes -o:
 *   /strength (strength); /term, /coefficient (term): the directions swept, what each counts at strength 1
 *   /effect (sample, strength[, feature]): phi of the first read-out; /effect_NAME: of each read-out
 *   /score_NAME (sample, strength) its scalar, /null_score_NAME (null, sample, strength) of the nulls
 *   /rival_score_NAME (sample, strength) under the rival, /rival_factor (timestep), attribute rival
 *   /control_KEY_score_NAME (sample, strength), /control_KEY_null_NAME (null_KEY, sample, strength) of the controls
 * that were run (of h_covariance the draws alone, its null), attributes control_KEY_spread_NAME and
 * control_KEY_noise_floor_NAME; control_KEY_missing: why one was not attributes readout, readouts, direction,
 * model_sha256, t_edit, noise_floor_NAME, spread_NAME (hs_sweep_spread); where naturalness was judged, /naturalness and
 * /unnatural_share (strength), and the attributes naturalness_limit and natural_strength, the largest magnitude up to
 * which images are natural NAME: the read-out with every character besides letters, digits and '_' as '_'. */
HS_CHECKED int hs_sweep_file_write(hs_cmd *c, const hs_sweep_file *f);
/* out <- prefix + NAME of a read-out. */
void hs_sweep_array_name(const char *prefix, const char *readout, char out[128]);

/* Scores (where not scored yet), reports, and writes -o and the --strip of x_0 (n, m, c R R) where given. */
HS_CHECKED int hs_sweep_file_finish(hs_cmd *c, hs_sweep_file *f, const float *x_0);

#endif
