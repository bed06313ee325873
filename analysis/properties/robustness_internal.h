/* Shared by the files of robustness on a model. */
#ifndef HS_PROPERTIES_ROBUSTNESS_INTERNAL_H
#define HS_PROPERTIES_ROBUSTNESS_INTERNAL_H

#include "analysis/properties/robustness_run.h"
#include "core/geom/pca.h"

enum { HS_ROBUST_PCS = 8, HS_ROBUST_PC_IMAGES = 64, HS_ROBUST_BYTES = 256 << 20 }; /* of plain h */

/* What a column of the main run is: an arm at a level; or noise inside (0) or outside (1) of the PCs, or h replaced by
 * the vector common to all images (2). */
typedef struct {
    int arm;   /* -1: a part */
    size_t at; /* level 1 ... m - 1, or which part */
} hs_robust_column;

/* A run at work; everything owned but p and r. */
typedef struct {
    const hs_robust_plan *p;
    hs_robust_run *r;
    hs_perturb_plan perturb;
    hs_chw image;
    size_t d_h, d_x, S, F, factors;
    size_t mid, kick;             /* steps */
    size_t n_pc;                  /* plain images whose h is kept at all steps */
    float *h_plain;               /* (S, n_pc, d_h) */
    float *basis;                 /* (S, k, d_h) */
    float *common;                /* (S, d_h) mean of the plain h of all images */
    double *sum;                  /* (S, d_h) */
    float *plain, *at_kick;       /* (n, d_x) ends, x at step kick */
    float *mid_plain, *mid_fresh; /* (n, d_h) h at step mid */
    hs_pca *model;                /* of mid_fresh */
    double *reference;            /* (n) distances of mid_plain, sorted */
    size_t columns;
    hs_perturbation *column;
    hs_robust_column *meaning;
    double *damage[HS_DAMAGES];     /* (columns, n) */
    double *percentile;             /* (columns, n) */
    float *feat_plain, *feat_fresh; /* (n, F) */
    float *feat;                    /* (columns, n, F) */
    double *value_plain, *sd;       /* (n, factors); (factors) */
} hs_robust_work;

/* robustness_columns.c: which columns there are. */
HS_CHECKED int hs_robust_columns(const hs_robust_plan *p, int parts, size_t *count, hs_perturbation **column,
                                 hs_robust_column **meaning);
size_t hs_robust_middle(const hs_robust_plan *p); /* index of the middle level */
/* Steps at which the kick comes and h is compared. */
size_t hs_robust_kick_step(size_t S);

/* robustness_cells.c: what a run that stopped had finished, and what this one finishes; nothing without plan->cells. */
/* The scales; *found: they were there. */
HS_CHECKED int hs_robust_cells_scale(const hs_robust_plan *p, hs_noise_scale *s, int *found);
HS_CHECKED int hs_robust_cells_keep_scale(const hs_robust_plan *p, const hs_noise_scale *s);
/* Fills in the perturbed images, or the kicks, that were finished: images 0 ... *count - 1. */
HS_CHECKED int hs_robust_cells_arms(hs_robust_work *w, size_t *count);
HS_CHECKED int hs_robust_cells_kicks(hs_robust_work *w, size_t *count);
/* Keeps those of images [first, first + count). */
HS_CHECKED int hs_robust_cells_keep_arms(const hs_robust_work *w, size_t first, size_t count);
HS_CHECKED int hs_robust_cells_keep_kicks(const hs_robust_work *w, size_t first, size_t count);

/* robustness_clean.c: plain and fresh images, the models of h. */
HS_CHECKED int hs_robust_clean(hs_robust_work *w);
/* Mahalanobis distance of h (d_h) in the model. */
double hs_robust_distance(const hs_robust_work *w, const float *h);
/* Clamps rows of images to [-1, 1]. */
void hs_robust_clamp(size_t n, float *x);

#endif
