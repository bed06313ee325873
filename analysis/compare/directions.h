/* Directions of two models, carried from one to the other through the alignments of a comparison.
 *
 * In the axes of a fold a direction v has coordinates c = (⟨v, v_j⟩); that of a becomes W c_a in b's axes.  Means over
 * steps and folds of
 *
 *   cosine: ⟨W c_a, c_b⟩ / (|W c_a| |v_b|), the mapped v_a against v_b in full; and the other way round
 *
 *   ceiling: |c_b| / |v_b|, what of v_b lies in the axes that an alignment may use
 *
 *   over: their ratio; the lower of the two ways decides
 *
 *   null: 97.5 % quantile of |cosine| of random directions with the covariance of the images, mapped alike, and of v_a
 *   mapped by fits on shuffled pairs; the larger is the gate
 *
 * Interval: delete-a-group jackknife of the fits, 20 groups of images, t.  Verdicts as compare.h's; a direction of
 * which less than a tenth (of its square) lies in the axes is inconclusive. */
#ifndef HS_COMPARE_DIRECTIONS_H
#define HS_COMPARE_DIRECTIONS_H

#include "analysis/compare/compare.h"

typedef struct {
    const char *name_a, *name_b;
    const float *a, *b; /* (S, d) of each side, at the steps compared */
} hs_direction_pair;

typedef struct {
    double cosine[2], ceiling[2];  /* a to b, back */
    hs_interval over[2], lower;    /* lower: of the two */
    double random[2], shuffled[2]; /* nulls */
    double raw, raw_control;       /* features as they stand, where both sides have as many: mean over steps; of
                                      directions that don't belong together (mean |cosine|), NaN with one pair */
    hs_verdict verdict;            /* holds: shared, fails: not shared */
    char reason[256];
} hs_direction_answer;

typedef struct hs_carrier hs_carrier;

/* *out <- what carries D pairs during a comparison of a and b: pass hs_carrier_watch to hs_compare_run.  Everything is
 * borrowed.  HS_EDEGENERATE: a direction that is 0 or not finite at a step. */
HS_CHECKED int hs_carrier_new(const hs_compare_side *a, const hs_compare_side *b, size_t D,
                              const hs_direction_pair *pair, const hs_compare_options *o, hs_carrier **out);
void hs_carrier_free(hs_carrier *c);
hs_compare_watch hs_carrier_watch(hs_carrier *c);

/* Before the run, which no team may make then: the first fold's maps are kept, for the D directions and `random` random
 * ones of a's (and b's) images' covariance.  That fold's held-out images (i % folds = 0) had no part in them. */
HS_CHECKED int hs_carrier_keep(hs_carrier *c, size_t random);
/* out (D + random, d) <- at step k what they become on the other side, of unit length (0 where they are mapped to
 * nothing): way 0 those of a in b's space, 1 those of b in a's. */
HS_CHECKED int hs_carrier_carry(const hs_carrier *c, size_t way, size_t k, float *out);

/* answer (D) <- after the run (on rank 0 of a team). */
HS_CHECKED int hs_carrier_judge(const hs_carrier *c, hs_direction_answer *answer);

/* The verdict over several: shared when all are, not shared when one isn't, else inconclusive. */
hs_verdict hs_directions_verdict(size_t D, const hs_direction_answer *answer);

#endif
