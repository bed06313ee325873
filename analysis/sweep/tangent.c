#include "analysis/sweep/tangent.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/model/unet_grad.h"

/* One image: row 0 is its state, row 1 its tangent. */
typedef struct {
    const hs_edit_plan *plan;
    hs_unet_grad *g;
    size_t d_h, d_x;
    float *h, *dh, *one, *add; /* (d_h) but add (d_x) */
} tangent;

int hs_edit_has_tangent(const hs_edit_plan *p)
{
    int odd = p->clip != HS_CLIP_NONE || p->eta > 0 || p->t_boost > 0 || p->target != NULL || p->given != NULL ||
              (p->path != NULL && p->path != hs_path_add);
    for (size_t i = 0; i < p->n_dir; i++) {
        odd |= p->dir[i].space != HS_SPACE_H;
    }
    return !odd;
}

/* r->dh <- the change of h at strength 1. */
HS_CHECKED static int change_of_h(tangent *r, int t, size_t step)
{
    int rc = HS_OK;
    const hs_edit_plan *p = r->plan;
    const double scale = p->scale * (p->factor != NULL ? p->factor[step] : 1);
    memset(r->dh, 0, r->d_h * sizeof *r->dh);
    for (size_t i = 0; i < p->n_dir; i++) {
        if (p->dir[i].net != NULL) {
            HS_TRY(hs_deltablock_forward(p->dir[i].net, 1, hs_unet_h_shape(hs_unet_config_of(p->model->unet)), r->h,
                                         hs_unet_grad_temb(r->g, 0), r->one));
        } else {
            hs_direction_at(&p->dir[i], t, r->one);
        }
        for (size_t k = 0; k < r->d_h; k++) {
            r->dh[k] += (float)(scale * p->coef[i] * (double)r->one[k]);
        }
    }
out:
    return rc;
}

HS_CHECKED static int predict(void *ctx, size_t rows, const float *x, int t, size_t step, float *eps_p, float *eps_d)
{
    tangent *r = ctx;
    const hs_edit_plan *p = r->plan;
    float *tangent_p = eps_p + r->d_x, *tangent_d = eps_d + r->d_x;
    int rc = HS_OK;
    HS_TRY(hs_unet_grad_encode(r->g, rows / 2, x, &t, r->h));
    HS_TRY(hs_unet_grad_decode(r->g, r->h, eps_d));
    HS_TRY(hs_unet_jvp_encode(r->g, 1, NULL, x + r->d_x, r->one));
    HS_TRY(hs_unet_jvp_decode(r->g, 1, NULL, HS_SKIPS_CARRIED, r->one, tangent_d));
    memcpy(eps_p, eps_d, 2 * r->d_x * sizeof *eps_p);
    if (t < p->t_edit) {
        return HS_OK;
    }
    HS_TRY(change_of_h(r, t, step));
    HS_TRY(hs_unet_jvp_decode(r->g, 1, NULL, HS_SKIPS_FIXED, r->dh, r->add));
    for (size_t k = 0; k < r->d_x; k++) {
        tangent_p[k] += r->add[k];
    }
    if (p->symmetric) {
        memcpy(tangent_d, tangent_p, r->d_x * sizeof *tangent_d);
    }
out:
    return rc;
}

int hs_edit_tangent(const hs_edit_plan *p, size_t n, const float *x_T, float *dx_0)
{
    int rc;
    const hs_unet_config *cfg = hs_unet_config_of(p->model->unet);
    tangent r = {.plan = p, .d_h = hs_chw_size(hs_unet_h_shape(cfg)), .d_x = hs_chw_size(hs_unet_image_shape(cfg))};
    const hs_ddim_options ddim = HS_DDIM_OPTIONS_INIT;
    float *x = NULL;
    if (!hs_edit_has_tangent(p)) {
        return hs_fail(HS_ERANGE, "edit: its derivative is that of directions of h, without clipping or noise");
    }
    HS_TRY(hs_unet_grad_create(p->model->unet, 1, 1, 0, p->conv, &r.g));
    HS_TRY(hs_alloc(r.d_h, sizeof *r.h, &r.h));
    HS_TRY(hs_alloc(r.d_h, sizeof *r.dh, &r.dh));
    HS_TRY(hs_alloc(r.d_h, sizeof *r.one, &r.one));
    HS_TRY(hs_alloc(r.d_x, sizeof *r.add, &r.add));
    HS_TRY(hs_alloc(2, r.d_x * sizeof *x, &x));
    for (size_t i = 0; i < n; i++) {
        HS_TRY(hs_progress_tell(p->progress, "derivative", i, n));
        memcpy(x, x_T + i * r.d_x, r.d_x * sizeof *x);
        memset(x + r.d_x, 0, r.d_x * sizeof *x);
        hs_unet_grad_first(r.g, i);
        HS_TRY(hs_ddim_sample(&(hs_predictor){predict, &r}, p->steps, &ddim, 2, r.d_x, x));
        memcpy(dx_0 + i * r.d_x, x + r.d_x, r.d_x * sizeof *x);
    }
out:
    hs_unet_grad_free(r.g);
    free(r.h);
    free(r.dh);
    free(r.one);
    free(r.add);
    free(x);
    return rc;
}
