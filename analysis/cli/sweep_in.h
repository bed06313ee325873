/* A sweep read back: what sweep_file.h writes, and files from elsewhere that only have /strength and /effect. */
#ifndef HS_CLI_SWEEP_IN_H
#define HS_CLI_SWEEP_IN_H

#include <stddef.h>

#include "analysis/cli/controls.h"
#include "core/base/error.h"
#include "core/io/result.h"

typedef struct hs_sweep_in {
    const char *path; /* borrowed */
    hs_result_in *r;
    char *direction; /* "" when the file names none */
    size_t n_terms;  /* the directions that were swept together; 0: the file doesn't say */
    char **term;
    double *coef; /* (n_terms) what each counts */
    size_t n_readouts;
    char **readout; /* (n_readouts) "effect" alone when the file names none */
    size_t m;
    double *strength;               /* (m) in the file's order */
    double natural;                 /* the largest magnitude up to which images are natural; NaN when nothing judged */
    char missing[HS_CONTROLS][160]; /* why one was not; "" */
} hs_sweep_in;

/* HS_EFORMAT: no /strength or /effect; HS_ESHAPE: strengths that are no list. */
HS_CHECKED int hs_sweep_in_open(const char *path, hs_sweep_in *out);
void hs_sweep_in_close(hs_sweep_in *in);

int hs_sweep_in_has(const hs_sweep_in *in, const char *readout);

/* A control of one read-out; score NULL: it wasn't run, or (K > 0) is draws alone. */
typedef struct {
    size_t K;
    double *score, *null; /* (n, m); (K, n, m) */
    double noise_floor, spread;
} hs_control_scores;

/* One read-out as it stands in the file; owned. */
typedef struct {
    size_t n, f, K; /* images, features (1 of a scalar), random directions */
    float *value;   /* (n, m, f) */
    double *score;  /* (n, m) its scalar (hs_sweep_score) */
    double *null;   /* (K, n, m), NaN where not measured; NULL for K = 0 */
    double *rival;  /* (n, m) under the rival; NULL: none */
    double noise_floor, spread;
    hs_control_scores control[HS_CONTROLS];
} hs_sweep_readout;

/* HS_ESHAPE: arrays that don't fit each other. */
HS_CHECKED int hs_sweep_in_read(hs_sweep_in *in, const char *readout, hs_sweep_readout *out);
void hs_sweep_readout_free(hs_sweep_readout *s);

#endif
