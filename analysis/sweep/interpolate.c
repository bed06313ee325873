#include "analysis/sweep/interpolate.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/geom/interp.h"

typedef struct {
    float *h; /* (n, S, d) */
    size_t S, d;
} h_record;

HS_CHECKED static int record_h(void *ctx, size_t step, size_t image, size_t strength, const float *h)
{
    const h_record *r = ctx;
    (void)strength;
    memcpy(r->h + (image * r->S + step) * r->d, h, r->d * sizeof *h);
    return HS_OK;
}

/* r->h <- h of the plain trajectories of x_T. */
HS_CHECKED static int record_trajectories(const hs_edit_plan *plan, size_t n, const float *x_T, size_t d_x, h_record *r)
{
    int rc;
    static const double zero = 0;
    float *x_0 = NULL;
    size_t cells;
    hs_edit_plan plain = *plan;
    plain.m = 1;
    plain.strength = &zero;
    plain.n_dir = 0;
    hs_edit_watch watch = {.h = record_h, .ctx = r};
    HS_TRY(hs_size_mul(n, r->S, &cells));
    HS_TRY(hs_alloc(cells, r->d * sizeof *r->h, &r->h));
    HS_TRY(hs_alloc(n, d_x * sizeof *x_0, &x_0));
    HS_TRY(hs_edit_run(&plain, n, x_T, &watch, x_0));
out:
    free(x_0);
    return rc;
}

int hs_interpolate_run(const hs_edit_plan *plan, hs_path_kind kind, size_t n, const float *from, const float *to,
                       size_t n_phi, const hs_readout *phi, float *x_0, hs_sweep *out)
{
    static const hs_path path[] = {hs_interp_lerp, hs_interp_slerp, hs_interp_norm};
    int rc;
    const hs_unet_config *cfg = hs_unet_config_of(plan->model->unet);
    h_record target = {.S = plan->steps->S, .d = hs_chw_size(hs_unet_h_shape(cfg))};
    hs_edit_plan towards = *plan;
    HS_TRY(record_trajectories(plan, n, to, hs_chw_size(hs_unet_image_shape(cfg)), &target));
    towards.n_dir = 0;
    towards.target = target.h;
    towards.path = path[kind];
    HS_TRY(hs_sweep_run(&towards, n, from, n_phi, phi, x_0, out));
out:
    free(target.h);
    return rc;
}
