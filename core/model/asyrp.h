/* What makes a U-Net a predictor (core/diffusion/ddim.h): the plain one, and the edit in h-space.
 *
 * Asymmetric reverse process (Kwon, Jeong, Uh, arXiv:2210.10960, eq. 5): where t >= t_edit,
 *   eps_p = eps(x_t | h + s dh) + s de,  eps_d = eps(x_t | h);
 * symmetric: both are eps_p.  Elsewhere both are eps(x_t).  dh comes from the unedited
 * h of the same state.
 *
 * Rows: n images x m strengths, row i m + j is image i at strength j.  While the rows of an image
 * still are one state (no edited step so far) it is encoded once and decoded for the strengths and
 * once unedited, k strengths cost one encode and k + 1 decodes; afterwards each row is a state of its
 * own, one encode and two decodes.  A strength of exactly 0 is never decoded twice. */
#ifndef HS_MODEL_ASYRP_H
#define HS_MODEL_ASYRP_H

#include <stddef.h>

#include "core/base/error.h"
#include "core/diffusion/ddim.h"
#include "core/model/unet.h"

/* What is added to h (or to eps): dh (states, C H W) at strength 1 <- f(h, temb) at timestep t.
 *   image (states) which of the n images each state belongs to
 *   h (states, C H W), or eps (states, c R R), unedited; temb (states, temb_dim) as hs_unet_temb */
typedef struct {
    HS_CHECKED int (*dh)(void *ctx, int t, size_t states, const size_t *image, const float *h, const float *temb,
                         float *dh);
    void *ctx;
} hs_delta;

/* The edited h (d) of strength s on the way from h to h + dh; hs_path_add is h + s dh. */
typedef void (*hs_path)(size_t d, double s, const float *h, const float *dh, float *out);
void hs_path_add(size_t d, double s, const float *h, const float *dh, float *out);

typedef struct {
    hs_delta delta;         /* of h; dh NULL: h is not edited */
    hs_delta delta_eps;     /* added to eps(x_t | h + s dh) at the same strengths: the rival of h; dh NULL: nothing */
    hs_path path;           /* hs_path_add, or a curve (interpolation) */
    size_t m;               /* strengths */
    const double *strength; /* (m), borrowed */
    int t_edit;             /* edited where t >= t_edit; 0: everywhere */
    int symmetric;
    /* Called with the unedited h (C H W) of every row at every step; NULL: not. */
    HS_CHECKED int (*observe_h)(void *ctx, size_t step, size_t row, const float *h);
    void *observe_ctx;
} hs_edit;

typedef struct hs_asyrp hs_asyrp;

/* *out <- a predictor for up to n images on u; edit NULL: plain, m = 1.  edit is copied; u, ws and what
 * edit points to are borrowed and must outlive it.  States beyond hs_unet_ws_states(ws) are cut into
 * batches by index; image i has the class of the network's image hs_unet_ws_first + i.
 * HS_ERANGE (m = 0), HS_ENOMEM. */
HS_CHECKED int hs_asyrp_create(const hs_unet *u, hs_unet_ws *ws, const hs_edit *edit, size_t n, hs_asyrp **out);
void hs_asyrp_free(hs_asyrp *a);

/* The predictor, for n m rows in the order above; the rows of one image must start alike (the same
 * x_T, and the same noise in stochastic steps before the first edited one). */
hs_predictor hs_asyrp_predictor(hs_asyrp *a);

#endif
