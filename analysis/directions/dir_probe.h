/* Probes: the normal of a linear read-out of an attribute from h_t, at every timestep.
 *
 *     answer(h) = intercept + <w, h>
 *     ridge      a column of numbers: least squares, penalty |w|^2
 *     logistic   a column of 0 and 1: the logit of 1, penalty |w|^2 / 2           (core/stats/dual.h)
 *     dh = c w / |w|^2,  so w = c dh / |dh|^2
 *
 * Strength 1 moves the probe's own answer by c: one standard deviation of the labels (ridge), 1 (logistic).  h is
 * centred on the mean of the training samples and not standardised: the numbers of h share a unit, and a normal found
 * in other units per number is no normal of the answer's level sets in h; it would lean to those that hardly vary.
 *
 * The penalty is strength x the mean of |h - mean|^2.  Folds: samples are dealt out in a random order (0 and 1 apart).
 * The answer for a sample of fold f comes from a probe of the other folds, at the strength that did best (squared
 * error, logistic loss; the largest on ties) when each of those others was left out as well: no sample has a say in how
 * it is answered.  dh itself is of all samples, at the strength that did best over all folds.
 *
 * Control: the same with labels shuffled within each fold. */
#ifndef HS_DIRECTIONS_DIR_PROBE_H
#define HS_DIRECTIONS_DIR_PROBE_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/io/store.h"
#include "core/stats/bootstrap.h"

typedef struct {
    size_t folds;           /* at least 3 */
    size_t n_strength;      /* the grid of the penalty */
    const double *strength; /* (n_strength) above 0 */
    size_t shuffles;        /* of the control; may be 0 */
    uint64_t seed;          /* of folds, shuffles and bootstrap */
    size_t B;               /* resamples */
    const hs_progress *progress;
} hs_probe_options;

/* One timestep's probe. */
typedef struct {
    double strength, penalty; /* chosen; penalty in units of h^2 */
    double intercept, norm;   /* of the probe; |dh| */
    hs_interval score;        /* held out: R^2 against the mean of the training labels, or the area under the ROC curve
                                 (over pairs of one fold: answers of one probe are compared) */
    hs_interval accuracy;     /* held out, logistic only (else NaN) */
    double *shuffled;         /* (shuffles) the same score with shuffled labels; borrowed from the set */
} hs_probe_step;

/* A column's probes. */
typedef struct {
    char name[64];
    int binary;
    size_t n, ones;      /* samples; how many are 1 */
    double unit;         /* c */
    double *value;       /* (n) */
    int *fold;           /* (n) */
    hs_probe_step *step; /* (S) */
    double *shuffled;    /* (S, shuffles) */
    float *dh;           /* (S, C H W) */
} hs_probe;

/* p <- a column to probe.  HS_EDEGENERATE: fewer samples than 2 folds, fewer zeros or ones than folds (a single
 * class among them), or all values are one; HS_ERANGE: options. value is copied. */
HS_CHECKED int hs_probe_new(const char *name, size_t n, const double *value, int binary, const hs_store *store,
                            const hs_probe_options *o, hs_probe *out);
void hs_probe_free(hs_probe *p);

/* The intervals are of the bootstrap over samples, the probes as they are.
 * Fits count probes at every timestep.  HS_EDEGENERATE: h of the samples coincide, or a probe's normal is 0;
 * HS_ENOCONV; what reading fails with; HS_ESTOPPED, HS_ENOMEM.  Cost a timestep: a Gram matrix (n^2 d flops), 2 reads
 * of h a probe, and folds (folds + 1) / 2 + 1 eigenvector problems of up to n x n; memory 4 n^2 doubles. */
HS_CHECKED int hs_dir_probe(const hs_store *store, const hs_probe_options *o, size_t count, hs_probe *probes);

#endif
