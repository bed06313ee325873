/* Per-sample deltas, reduced to what the statistics of homogeneity and consistency are made of.
 *
 *   D_{i,k} in R^d           change of h of sample i at step k;  u = D / |D|
 *   M_kl                     mean of <D_ik, D_jl> over pairs of different images: free of the bias that |mean|^2 has
 *   plain_kl                 <mean_i D_ik, mean_i D_il>
 *   total, image             mean over i, k of |D_ik|^2;  mean over i of |mean_k D_ik|^2
 *   concentration_k          mean of <u_ik, u_jk> over pairs of different images, those with D_ik = 0 left out
 *
 * Resampled with counts w_i, pairs with w_i w_j for i != j.  Up to `images_max` images (and `floats_max` numbers) each
 * image is a unit of its own.  Beyond, images are pooled into units, up to 8 neighbours at a time (image i into i / 8
 * mod units); pairs are then those of images of different units, and the bootstrap draws units.  Either way the source
 * is read once, in order. An image with a value that is not finite is left out and counted. */
#ifndef HS_PROPERTIES_DELTAS_H
#define HS_PROPERTIES_DELTAS_H

#include <stddef.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/stats/bootstrap.h"

/* Where the deltas come from.  read: *v <- images [first, first + n), (n, S, d), where they lie, or in room (n, S, d);
 * each image is asked for once. */
typedef struct {
    size_t n, S, d;
    const int *t; /* (S), or NULL when unknown */
    HS_CHECKED int (*read)(void *ctx, size_t first, size_t n, float *room, const float **v);
    void *ctx;
    int parallel; /* read may be called by several threads at once; otherwise it is called in order */
    /* Where given, shown all that was read, in order, by one thread at a time. */
    void (*seen)(void *ctx, size_t first, size_t n, const float *v);
} hs_deltas_source;

typedef struct {
    size_t images_max, floats_max; /* that stay images; beyond, units */
    size_t pooled_max;             /* doubles of the units' sums (two of them) */
    size_t gram_max;               /* up to so many units x steps, resampling may go by their inner products */
    int pairs;                     /* statistics of pairs of steps will be resampled, not `diagonal` ones alone */
} hs_deltas_limits;

#define HS_DELTAS_LIMITS_INIT                                                                                 \
    {                                                                                                         \
        .images_max = 2048, .floats_max = (size_t)48 << 20, .pooled_max = (size_t)12 << 20, .gram_max = 2048, \
        .pairs = 1                                                                                            \
    }

typedef struct {
    size_t n, S, d, units;   /* n: images used */
    size_t bad, first_bad;   /* left out, and which was the first */
    int pooled;              /* a unit stands for several images */
    int *t;                  /* (S) or NULL */
    double *count;           /* (units) images */
    double *sum;             /* (units, S, d) of D */
    double *unit_sum;        /* (units, S, d) of u; NULL unless pooled: then sum / |sum| */
    double *nonzero;         /* (units, S) images with D != 0 */
    double *square;          /* (units, S) sum of |D|^2 */
    double *square_of_image; /* (units) sum of |mean_k D_ik|^2 */
    double *gram;            /* (units, S, S) <sum_k, sum_l> */
    double *gram_all;        /* (units) their sum over all k, l */
    double *unit_square;     /* (units, S) |sum of u|^2 */
    /* Inner products between units, NULL where sums themselves are resampled, which is cheaper for many units: */
    double *step_gram;  /* (S, units, units) of the sums at a step */
    double *whole_gram; /* (units, units) of the sums over all steps */
    double *alike;      /* (S, units, units) of the units' sums of u */
    double *all_gram;   /* (units S, units S) of all sums; NULL also without `pairs` */
} hs_deltas;

/* *out <- the reduction, in one pass.  HS_ERANGE: n, S or d is 0; HS_EDEGENERATE: no image is finite; errors of read;
 * HS_ELIMIT, HS_ENOMEM.  Memory: n S d doubles, or 2 units S d when pooled, and some images a thread: 4 MiB or eight,
 * 128 MiB in all (one thread may take more).  The number of threads changes no bit. */
HS_CHECKED int hs_deltas_reduce(const hs_deltas_source *source, const hs_deltas_limits *limits,
                                const hs_progress *progress, hs_deltas *out);
void hs_deltas_free(hs_deltas *x);
/* mean (S, d) <- over images. */
void hs_deltas_mean(const hs_deltas *x, float *mean);
/* The same reduction of the deltas less mean (S, d), all of them read, for statistics that are no pairs of steps. */
HS_CHECKED int hs_deltas_reduce_without(const hs_deltas_source *source, const float *mean, const hs_progress *progress,
                                        hs_deltas *out);

/* The numbers above, of all images or of a resample; borrowed by who evaluates them. */
typedef struct {
    size_t S;
    const double *M, *plain;     /* (S, S); of a diagonal statistic the diagonal only */
    double M_all, plain_all;     /* their means over all k, l */
    const double *concentration; /* (S); NaN with fewer than two images */
    double total, image;
} hs_deltas_moments;

/* theta (q) <- statistics of the moments; NaN where undefined.  work: `scratch` bytes of its own. */
typedef struct {
    size_t q, scratch;
    void (*eval)(const void *ctx, const hs_deltas_moments *m, double *theta, void *work);
    const void *ctx;
    int diagonal; /* reads the diagonals and means of M and plain alone, which is less work */
} hs_deltas_statistic;

/* value (q) <- of all images, in double. */
HS_CHECKED int hs_deltas_eval(const hs_deltas *x, const hs_deltas_statistic *st, double *value);

/* out (q) <- values and BCa intervals over units, at the level expanded for few of them (hs_expanded_level).  plain_kl
 * of a resample is that of as many images as there are: made of its M_kl and its mean <D_ik, D_il>, so that copies
 * don't pass for agreement.  HS_ERANGE as hs_bootstrap. Cost: (B + units) x the less of S d (2 units + S) and (units
 * S)^2 multiplications, units^2 S of a diagonal one.  */
HS_CHECKED int hs_deltas_bootstrap(const hs_deltas *x, const hs_bootstrap_options *o, const hs_deltas_statistic *st,
                                   const hs_progress *progress, hs_interval *out);

typedef enum { HS_DELTAS_IDENTITY, HS_DELTAS_COVARIANCE } hs_deltas_null;

/* out (n) <- the mean over steps of the concentration of random directions, as many as there are units, drawn n times
 * (streams (seed, HS_RNG_DIRECTION, i)): normal with covariance identity, the same for all steps, or the covariance
 * over images of D_k (from at most 256 units; fewer vary more, so the null is the wider for it).  NaN where D doesn't
 * vary. */
HS_CHECKED int hs_deltas_random(const hs_deltas *x, hs_deltas_null kind, uint64_t seed, size_t n, double *out);

#endif
