/* Robustness on a model: what perturbations do to its images, for hs_robustness_measure to judge.
 *
 * Every arm at every level, at every step of the sampler, noise independent for each step and image
 * (analysis/sweep/perturb.h); damage against the same sample's plain image, so that level 0 is 0 by construction.
 * Images are clamped to [-1, 1] first, as a screen shows them.
 *
 *   l2, ssim, hf  image_damage.h
 *   attr          root mean square over factors of their change, each in its sd over the plain images
 *   feat          Euclidean distance of the attribute network's features
 *
 * Beside it, where possible (else NaN):
 *   frechet       of features, n perturbed against n fresh plain images; frechet_clean: the n plain ones against the
 *                 same fresh ones, the same n and the same bias, about frechet_bias = tr S1 / n + tr S2 / n
 *   percentile    of the perturbed h at the middle step, by Mahalanobis distance in the k-PC model of the fresh
 *                 samples, among the distances of the plain ones (0 ... 1)
 *   contraction   mean over images of the change of log |dh| per step after noise at step S / 3 alone (P-only, middle
 *                 level), against the same sample without: below 0 the perturbation heals
 *   anisotropy    log of the damage of P-only noise in h at the middle level inside the top k PCs of the plain h of
 *                 each step over that of noise outside, equally long
 *   ablation      damage where h is the mean of the plain h of its step, P-only: what tells the images apart is gone
 *   common        how much of h is one vector common to all images (common_share.h), of the plain images whose h
 *                 is kept
 *   idle          eps hardly looks like x_t at a first step that is nearly all noise (cosine below .5): an untrained
 *                 network, whose images no noise in h can break */
#ifndef HS_PROPERTIES_ROBUSTNESS_RUN_H
#define HS_PROPERTIES_ROBUSTNESS_RUN_H

#include "analysis/properties/damage.h"
#include "analysis/properties/robustness.h"
#include "analysis/sweep/perturb.h"
#include "analysis/sweep/scorer.h"
#include "core/io/cells.h"

typedef enum { HS_DAMAGE_L2, HS_DAMAGE_SSIM, HS_DAMAGE_HF, HS_DAMAGE_ATTR, HS_DAMAGE_FEAT, HS_DAMAGES } hs_damage_kind;
/* "l2", "ssim", "hf", "attr", "feat". */
const char *hs_damage_kind_name(hs_damage_kind kind);

enum { HS_ROBUST_INSIDE, HS_ROBUST_OUTSIDE, HS_ROBUST_COMMON, HS_ROBUST_PARTS };

typedef struct {
    hs_perturb_plan perturb; /* scale and basis are found here */
    hs_matching matching;
    int arm[HS_ARMS]; /* wanted */
    size_t m;
    const double *level; /* (m) ascending, above 0 */
    hs_scorer *scorer;   /* NULL: no attr, no feat, no naturalness */
    hs_cells *cells;     /* NULL, or where images that are through are kept and found: a stopped run goes on there */
    size_t n, n_fresh, n_match;
    const float *x_T;     /* (n, c R R) */
    const float *x_fresh; /* (n_fresh, c R R) samples n ... 2 n - 1: n or none */
    const float *x_match; /* (n_match, c R R) samples 2 n ...: what the matching is measured on */
} hs_robust_plan;

/* Owned; m counts level 0 too. */
typedef struct {
    size_t n, m, k;                                        /* k: PCs of the two models, 0 where n is too small */
    hs_damage damage[HS_DAMAGES];                          /* n 0: not measured */
    double *frechet[HS_ARMS], frechet_clean, frechet_bias; /* (m); NULL for arms not run */
    double *percentile[HS_ARMS];                           /* (n, m), or NULL */
    double *contraction[2];                                /* (n): h, eps; NULL with too few steps */
    double *part[HS_ROBUST_PARTS][HS_DAMAGES];             /* (n): inside, outside, common; NULL where not measured */
    size_t resumed;                                        /* images whose perturbed twins were found in cells */
    size_t S, n_h;                                         /* steps; plain images whose h was kept */
    double *gram;                                          /* (S, n_h, n_h) of h, or NULL with fewer than two */
    double kick_level;
    int idle;
    hs_noise_scale scale;
} hs_robust_run;

/* A run that goes on from cells has the same bits; the plain and fresh images are made again, which is the work of two
 * columns.  HS_ERANGE: no level, levels not ascending above 0; HS_EDEGENERATE: an image that is not finite, no matching
 * scale; errors of the networks; HS_ESTOPPED. */
HS_CHECKED int hs_robust_run_model(const hs_robust_plan *plan, hs_robust_run *out);
void hs_robust_run_free(hs_robust_run *r);

/* Appends frechet[arm,level], frechet_clean, frechet_bias, percentile[arm,level], contraction, contraction_eps,
 * anisotropy, ablation, common_share_h and, of every damage but `kind`, log_ratio_sigma50[damage]; with BCa intervals
 * over images. */
HS_CHECKED int hs_robust_put(const hs_robust_run *r, hs_damage_kind kind, const hs_bootstrap_options *o,
                             hs_measurement *m);

/* From this common share on |h| is more than 3.2 times the spread between images, as far as a level of the default grid
 * from its neighbour: an image bears or doesn't bear noise of a share of |h| for reasons that no image has in h. */
#define HS_COMMON_LARGE 0.9

/* What the common share, already among the statistics, means for the answer.  A control: the primary with both noises
 * in units of their own spread between images, sqrt(E|v - E v|^2), translated by the geometric mean over steps of
 * (scale / spread) of h over that of eps, which is exact where this factor is the same at all steps.  From
 * HS_COMMON_LARGE on the reason and a note say it, and `holds` is withheld where the control does not hold too, and
 * where h replaced by its mean (`ablation`) breaks images less than half: what hardly depends on h is not robust in it.
 */
HS_CHECKED int hs_robust_judge_common(const hs_robust_run *r, hs_robustness *m);

/* Encodes and decodes it takes. */
void hs_robust_cost(const hs_robust_plan *plan, double *encodes, double *decodes);

#endif
