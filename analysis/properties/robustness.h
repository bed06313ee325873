/* Robustness: random perturbations of h leave images whole at levels where those of eps do not.
 *
 * D_a(l) = mean over images of the damage of arm a at level l, less the same image's at level 0.
 *
 *   plateau          D of eps_p at its largest level; no plateau (the last two levels differ by more than 10 % of it):
 *                    inconclusive
 *   threshold        half the plateau, common to all arms: half of each arm's own would score a space that barely
 *                    breaks worst
 *   sigma50[arm]     the first level where D reaches the threshold, linear in log level between grid points.  Where
 *                    none does it is the largest level, a lower bound; where the smallest above 0 does already it is
 *                    that one, an upper bound; both are said
 *   log_ratio_sigma50       log(sigma50[h_p] / sigma50[eps_p]); _both: h_both against eps_both
 *
 * A lower bound can hold but never fail, an upper bound fail but never hold.  Intervals: BCa over images, which are
 * the same in all arms; threshold and plateau are found anew in every resample.  The statistic is paired by itself:
 * scaling the damage of all arms changes no sigma50.  Its rival, eps, is in the primary: specific is not tested. */
#ifndef HS_PROPERTIES_ROBUSTNESS_H
#define HS_PROPERTIES_ROBUSTNESS_H

#include "analysis/properties/damage.h"
#include "analysis/properties/measurement.h"
#include "core/stats/bootstrap.h"

typedef struct {
    hs_bootstrap_options bootstrap;
    double standard;       /* log 1.25: what log_ratio_sigma50 must reach */
    double noise_floor;    /* of the damage; 0 */
    const char *undecided; /* NULL, or why no answer can be given */
    int naturalness;       /* measured beside it */
} hs_robustness_options;

#define HS_ROBUSTNESS_STANDARD 0.22314355131420976 /* log 1.25 */
#define HS_ROBUSTNESS_OPTIONS_INIT                                                                      \
    {                                                                                                   \
        .bootstrap = HS_BOOTSTRAP_OPTIONS_INIT, .standard = HS_ROBUSTNESS_STANDARD, .noise_floor = 0.0, \
        .naturalness = 0                                                                                \
    }

typedef enum { HS_CROSS_NONE, HS_CROSS_AT, HS_CROSS_BEYOND, HS_CROSS_BEFORE } hs_cross;

/* The measurement, and what its figure shows; owned. */
typedef struct {
    hs_measurement result;
    double threshold, plateau;
    double sigma50[HS_ARMS];
    hs_cross cross[HS_ARMS];
    int decided; /* the primary's interval had its say */
    size_t m[HS_ARMS];
    double *level[HS_ARMS], *mean[HS_ARMS], *lo[HS_ARMS], *hi[HS_ARMS]; /* (m) */
} hs_robustness;

/* Where D (m) at levels (m) ascending from 0 first reaches the threshold. */
hs_cross hs_damage_crossing(size_t m, const double *level, const double *D, double threshold, double *sigma50);

/* *out <- statistics and verdict.  effect: the plateau; its null the clean floor, 0.  HS_ERANGE: h_p or eps_p missing,
 * bad bootstrap options, a standard that is not finite.  Cost: (B + n) x n x levels. */
HS_CHECKED int hs_robustness_measure(const hs_damage *d, const hs_robustness_options *o, hs_robustness *out);
void hs_robustness_free(hs_robustness *r);

/* *m <- r's measurement in other units of noise: the primary `shift` further, decided anew where it was decided, the
 * reason begun with `units` ("in units of ...,").  Owned by r. */
void hs_robustness_in_units(const hs_robustness *r, double shift, const char *units, hs_measurement *m);

#endif
