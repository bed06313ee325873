/* Perturbed sampling: Gaussian noise in h, in eps or in x_t at every step, many levels and places at a time.
 *
 *   h     eps(x_t | h + a)      P takes it, D the unperturbed one; or both
 *   eps   eps(x_t | h) + a      the same
 *   x     x_t + a, from which the step starts and which the network sees
 *
 * a = level x scale_k x xi, xi ~ N(0, I) of the space, independent for every sample and step: stream (seed,
 * HS_RNG_PERTURB, sample << 20 | step << 4 | space).  Levels and places of one space share xi (common random
 * numbers: they differ by what is compared and not by luck).  scale_k is the rms of a coordinate at level 1:
 *
 *   norm         |a| = level x sqrt(d_x) in all spaces
 *   relative     |a| = level x E|v| of the space's own vectors at step k
 *   spread       |a| = level x sqrt(E|v - E v|^2), E over images: what is common to all images counts for nothing
 *   first order  E|dP_t| = level x sqrt((1 - ab) / ab) x sqrt(d_x) to first order: what noise of root mean square
 *                `level` in eps does; by differences at 1 % of the space's own length, on clean trajectories
 *
 * The process is deterministic (eta = 0).  While the columns of an image still share its state (the first step of all
 * that leave x_t alone) it is encoded once and decoded for all; later each row is a state of its own: one encode, and
 * one decode more where P and D take different h. */
#ifndef HS_SWEEP_PERTURB_H
#define HS_SWEEP_PERTURB_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/diffusion/schedule.h"
#include "core/model/model.h"

typedef enum { HS_NOISE_H, HS_NOISE_EPS, HS_NOISE_X, HS_NOISE_SPACES } hs_noise_space;
typedef enum { HS_MATCH_NORM, HS_MATCH_RELATIVE, HS_MATCH_FIRST_ORDER, HS_MATCH_SPREAD } hs_matching;
typedef enum { HS_PART_ALL, HS_PART_INSIDE, HS_PART_OUTSIDE, HS_PART_COMMON } hs_noise_part;

/* One column of a run.  part: of the noise in h, what lies in the basis of the step or outside it, at the length of
 * the whole; or no noise, h moved by `level` (1: all the way) to the plan's common vector of the step. */
typedef struct {
    hs_noise_space space;
    int both; /* D takes it too (x: always) */
    double level;
    hs_noise_part part;
    int once; /* at the first step of the run only */
} hs_perturbation;

/* Per step; owned. */
typedef struct {
    size_t S;
    double *scale[HS_NOISE_SPACES];  /* (S) */
    double *spread[HS_NOISE_SPACES]; /* (S) that of the matching `spread`, whichever was wanted; NaN for n = 1 */
    double denoises; /* mean cosine of eps and x_t at the first step: near 1 of a trained network where x_t is noise */
} hs_noise_scale;
void hs_noise_scale_free(hs_noise_scale *s);

typedef struct {
    const hs_model *model;
    const hs_steps *steps;
    size_t batch; /* states encoded at once */
    hs_conv_mode conv;
    int clip;
    uint64_t seed;
    const hs_noise_scale *scale; /* NULL where all levels are 0 */
    size_t k;                    /* rows of the basis */
    const float *basis;          /* (S, k, d_h) orthonormal rows of each step; NULL where no column needs it */
    const float *common;         /* (S, d_h); NULL where no column needs it */
    const char *what;            /* of the progress */
    const hs_progress *progress;
} hs_perturb_plan;

/* What a run may look at; each may be NULL.  h: the unperturbed h of every row at every step, before the noise of that
 * step.  ended: x_0 (count, m, c R R) of images [image, image + count), which it may change; all images in turn. */
typedef struct {
    HS_CHECKED int (*h)(void *ctx, size_t step, size_t image, size_t column, const float *h);
    void *ctx;
    HS_CHECKED int (*ended)(void *ctx, size_t image, size_t count, float *x_0);
} hs_perturb_watch;

/* out <- the scales of a matching, from n plain trajectories of x_T (n, c R R), samples first ... first + n - 1.
 * HS_EDEGENERATE: noise in h does not reach eps, or the space is 0; `spread` of one image; errors of the network. Cost:
 * S n (2 encodes + 3 decodes), for the others than first order less. */
HS_CHECKED int hs_noise_scale_measure(const hs_perturb_plan *plan, hs_matching matching, size_t first, size_t n,
                                      const float *x_T, hs_noise_scale *out);

/* x_0 (n, m, c R R) <- the ends of samples first ... first + n - 1, from x (n, c R R) at step `from` on, perturbed in m
 * ways, those of x last; NULL: only watched.  span->x_seen <- the first column's x_t at step `seen`.  HS_ERANGE: m = 0,
 * a column of x before another; HS_EDEGENERATE: an image is not finite; errors of the network; HS_ESTOPPED. */
typedef struct {
    size_t from, seen;
    float *x_seen; /* (n, c R R) or NULL */
} hs_perturb_span;
HS_CHECKED int hs_perturb_run(const hs_perturb_plan *plan, size_t first, size_t n, const float *x,
                              const hs_perturb_span *span, size_t m, const hs_perturbation *column,
                              const hs_perturb_watch *watch, float *x_0);

/* Encodes and decodes that a run of n images over S steps takes. */
void hs_perturb_cost(size_t S, size_t n, size_t m, const hs_perturbation *column, double *encodes, double *decodes);

#endif
