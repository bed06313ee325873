/* The directions of one side of hspace compare: stored ones, or delta networks by their mean over the images. */
#ifndef HS_CLI_SIDE_DIRS_H
#define HS_CLI_SIDE_DIRS_H

#include "analysis/cli/command.h"
#include "analysis/directions/direction.h"
#include "core/model/unet.h"

typedef struct {
    size_t n;
    hs_direction *d; /* (n) as stored */
    double **sum;    /* [n] (S, d) of a delta network: its dh, summed over the images seen; NULL of a stored one */
    float **at;      /* [n] (steps, d) at the steps compared; NULL until hs_side_dirs_at */
    double *own;     /* (n, factors, images, strengths) read-outs in its own model, NULL until they are run */
} hs_side_dirs;

/* Where they belong. */
typedef struct {
    const char *spec, *sha256; /* "" when unknown */
    const hs_unet *unet;       /* NULL: a store or an array */
    size_t S, d;
} hs_side_home;

/* Opens D.h5 (all of them) or D.h5:NAME.  HS_ERANGE: of eps, or a delta network of a side that is no model (freeze it
 * first); HS_ESHAPE: of another shape, or, unless forced, of other weights. */
HS_CHECKED int hs_side_dirs_open(hs_cmd *c, const char *spec, const hs_side_home *home, hs_side_dirs *out);
void hs_side_dirs_free(hs_side_dirs *s);

/* Adds what delta networks say of n states h (n, d) at step k of S; temb[i] is that of hs_unet_temb(ws, i). */
HS_CHECKED int hs_side_dirs_see(hs_side_dirs *s, const hs_unet *unet, const hs_unet_ws *ws, size_t k, size_t n,
                                const float *h);
/* at <- (count, d) at `count` steps, step[i] of the side's own, at timesteps t (NULL: one that says none); delta
 * networks: their mean over `images` seen. */
HS_CHECKED int hs_side_dirs_at(hs_side_dirs *s, size_t d, size_t count, const size_t *step, const int *t,
                               size_t images);
/* Before hs_side_dirs_at: keeps D of them, which[j] becoming the j-th; each at most once. */
HS_CHECKED int hs_side_dirs_pick(hs_side_dirs *s, size_t D, const size_t *which);

#endif
