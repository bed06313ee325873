/* Edits: images x strengths through the asymmetric (or symmetric) process along directions.
 *
 *   dh(t) = scale * sum_i coef_i dir_i(h, t);   row (image, strength s) uses h + s dh where t >= t_edit.
 * Directions of the space eps are added to eps instead, in the same way.  Every f_t sees the unedited h, or eps. Theory
 * and cost: core/model/asyrp.h.  Columns of strength 0 are plain samples to the bit: they run by themselves, once, in
 * batches cut as `sample` cuts them. */
#ifndef HS_SWEEP_EDIT_H
#define HS_SWEEP_EDIT_H

#include <stddef.h>

#include "analysis/directions/direction.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/io/cells.h"
#include "core/model/asyrp.h"
#include "core/model/model.h"

/* z of sampler step `step` for images [first, first + n): fills z (n, c R R). */
typedef struct {
    HS_CHECKED int (*fill)(void *ctx, size_t first, size_t n, size_t step, float *z);
    void *ctx;
} hs_image_noise;

/* Cells of a command that makes several runs, always in one order. */
typedef struct {
    hs_cells *cells;
    uint64_t runs; /* begun until now */
    size_t images; /* of all of them, */
    size_t had;    /* and those of them that were there */
} hs_run_cells;

typedef struct {
    const hs_model *model;
    const hs_steps *steps;
    size_t n_dir;
    const hs_direction *dir; /* (n_dir), checked with hs_direction_fits */
    const double *coef;      /* (n_dir) */
    double scale;            /* step-count factor */
    const double *factor;    /* (S) multiplies the directions at each sampler step, too; NULL: 1 */
    const float *target;     /* instead of directions: (n, S, C H W), h to move towards, dh = target - h */
    const float *given;      /* instead of directions: (rows, given_S, C H W), dh at sampler steps 0 ... given_S - 1 */
    const size_t *given_row; /* (n) the row of given that each image takes; NULL: its own number */
    size_t given_S;
    hs_path path; /* NULL: hs_path_add */
    size_t m;
    const double *strength; /* (m) */
    int t_edit, t_boost;    /* edited where t >= t_edit; eta = 1 where t < t_boost */
    double eta;
    int symmetric, clip;
    hs_image_noise noise; /* read where eta > 0 */
    size_t batch;         /* states encoded at once */
    hs_conv_mode conv;
    const hs_progress *progress; /* in rows x steps */
    hs_run_cells *cells;         /* NULL, or where hs_sweep_run keeps and finds images that are through */
} hs_edit_plan;

/* What a run may look at on its way, one row (image, strength) at a time; each may be NULL.  The columns of strength 0
 * run for all images, then (edited) the others: had is asked before, and *count images from the first on need not run,
 * their columns of x_0 are there; ended is told of images [first, first + count) when theirs are. */
typedef struct {
    HS_CHECKED int (*h)(void *ctx, size_t step, size_t image, size_t strength, const float *h);
    HS_CHECKED int (*eps)(void *ctx, size_t step, size_t image, size_t strength, const float *x_t, const float *eps_p);
    HS_CHECKED int (*had)(void *ctx, int edited, float *x_0, size_t *count);
    HS_CHECKED int (*ended)(void *ctx, int edited, size_t first, size_t count, float *x_0);
    void *ctx;
} hs_edit_watch;

/* x_0 (n, m, c R R) <- the final images from x_T (n, c R R).  watch: NULL, or what to look at.
 * Errors of the network; HS_EDEGENERATE when an image is not finite (names image and strength);
 * HS_ESTOPPED. */
HS_CHECKED int hs_edit_run(const hs_edit_plan *plan, size_t n, const float *x_T, const hs_edit_watch *watch,
                           float *x_0);

/* size (S) <- mean over the images of |eps_p - eps| / |s| at strength s, every state on the unedited trajectory: the
 * first-order effect of the plan's directions for a small s.  The strengths of the plan play no part; E |dP_t| is this
 * times sqrt(1 - ab) / sqrt(ab).  Cost: one encode and two decodes an image and step. */
HS_CHECKED int hs_edit_first_order(const hs_edit_plan *plan, size_t n, const float *x_T, double s, double *size);

/* factor (S) <- what brings the rival's plan to the first-order effect of plan at every sampler step (0 where the
 * rival has none): equal E |dP_t|.  HS_EDEGENERATE: the rival has no effect at a step where plan has. */
HS_CHECKED int hs_edit_match(const hs_edit_plan *plan, const hs_edit_plan *rival, size_t n, const float *x_T, double s,
                             double *factor);

#endif
