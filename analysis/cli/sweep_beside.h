/* What a sweep's companions share: runs at its ends, random directions like its own, its directions one by one. */
#ifndef HS_CLI_SWEEP_BESIDE_H
#define HS_CLI_SWEEP_BESIDE_H

#include "analysis/cli/sweep_file.h"

/* The strengths of a null run and their columns in the sweep: the largest (natural) of each sign. */
typedef struct {
    size_t m, column[2];
    double strength[2];
} hs_sweep_ends;
hs_sweep_ends hs_sweep_ends_of(const hs_sweep_file *f);
/* The positive of two. */
size_t hs_sweep_far_end(const hs_sweep_ends *g);

/* Null k of K: the plan at the ends of the sweep; its scores into their columns of null[p] (K, n, m).  seen: NULL, or
 * what was read at them, freed by the caller. */
HS_CHECKED int hs_sweep_run_ends(const hs_sweep_file *f, const hs_sweep *own, hs_edit_plan plan, size_t k,
                                 double *const *null, hs_sweep *seen);

/* null[p] (K, n, m) <- K random directions like the job's, under a plan of its directions: of one its length at every
 * step, of several their lengths and angles (hs_direction_random_set); a network's are means over the images.  terms:
 * NULL, or (n_phi), to which what each of a set does alone is added. */
HS_CHECKED int hs_sweep_run_random(const hs_sweep_file *f, const hs_sweep *own, const hs_edit_plan *of, size_t K,
                                   uint64_t seed, double *const *null, hs_line_terms *terms);

/* Set k of the terms' random ones, of which `whole` was read at the ends. */
HS_CHECKED int hs_sweep_add_random_terms(const hs_sweep_file *f, const hs_edit_plan *plan, const hs_sweep *whole,
                                         size_t k, hs_line_terms *terms);

#endif
