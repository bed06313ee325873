/* PCA directions of an activation store, in three scopes that are three different objects:
 *   step        one PCA per timestep of {h_i,t}; a direction joins component j of all timesteps, the
 *               sign of each flipped so that it goes along with the one before
 *   pooled      one PCA of all (image, timestep) rows, each timestep centred on its own mean (or all on
 *               one, grand): directions constant in t
 *   trajectory  one PCA of whole trajectories, (n, S d): a direction has its own part at each timestep
 * Strength 1 is one standard deviation: delta_h = sqrt(explained_variance) * component.
 * (Haas et al. arXiv:2303.11073 use step and trajectory, with singular values that grow with n.) */
#ifndef HS_DIRECTIONS_DIR_PCA_H
#define HS_DIRECTIONS_DIR_PCA_H

#include "analysis/directions/direction.h"
#include "core/geom/pca.h"
#include "core/io/result.h"
#include "core/io/store.h"

typedef enum { HS_SCOPE_STEP, HS_SCOPE_POOLED, HS_SCOPE_TRAJECTORY } hs_scope;

typedef struct {
    hs_scope scope;
    hs_space space;     /* of h, or of the stored eps */
    int grand;          /* pooled: one mean for all timesteps */
    hs_pca_options pca; /* k is cut to what the rows allow: min(n, d) - 1 */
} hs_dir_pca_options;

/* The fits of a run: one per timestep for step, else one. */
typedef struct {
    size_t n;
    hs_pca **fit;
} hs_dir_pca;
void hs_dir_pca_free(hs_dir_pca *p);

/* Fits and puts into r (NULL: only fits): what hs_direction_put does (names pc0, pc1, ...), and
 *   /mean (timestep, feature), /component ([timestep,] pc[, timestep], feature),
 *   /explained_variance, /explained_variance_ratio, /singular_value, /residual ([timestep,] pc);
 *   attributes scope, center, solver.
 * Memory: that of hs_pca_fit, and k S d float32.  HS_ERANGE: fewer than 2 samples; else as hs_pca_fit
 * (HS_ENOCONV: nothing is written). */
HS_CHECKED int hs_dir_pca_put(const hs_store *store, const hs_dir_pca_options *o, hs_result *r, hs_dir_pca *out);

#endif
