/* What commands say about arrays and about work ahead. */
#include <math.h>
#include <stdlib.h>

#include "analysis/cli/common.h"
#include "analysis/cli/internal.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"

int hs_common_forward_time(const hs_cmd *c, const hs_model *m, size_t n, double *seconds)
{
    const hs_unet_config *cfg = hs_unet_config_of(m->unet);
    size_t d = hs_chw_size(hs_unet_image_shape(cfg)), dh = hs_chw_size(hs_unet_h_shape(cfg));
    hs_unet_ws *ws = NULL;
    float *x = NULL, *h = NULL;
    int *t = NULL, rc = HS_OK;
    HS_TRY(hs_unet_ws_create(m->unet, n, n, hs_common_conv(c), &ws));
    HS_TRY(hs_alloc(n * d, sizeof *x, &x));
    HS_TRY(hs_alloc(n * dh, sizeof *h, &h));
    HS_TRY(hs_calloc(n, sizeof *t, &t));
    hs_rng_normal((hs_rng){0, HS_RNG_TEST, 0}, 0, n * d, x);
    for (int pass = 0; pass < 2; pass++) { /* the first one touches the memory */
        double started = hs_clock();
        HS_TRY(hs_unet_encode(m->unet, ws, n, x, t, h));
        HS_TRY(hs_unet_decode(m->unet, ws, n, NULL, h, x));
        *seconds = hs_clock() - started;
    }
out:
    free(x);
    free(h);
    free(t);
    hs_unet_ws_free(ws);
    return rc;
}

void hs_common_say_plan(hs_cmd *c, double evaluations, double seconds, double bytes)
{
    json_t *plan = json_pack("{s:o, s:o, s:o}", "evaluations", hs_json_num(evaluations), "seconds",
                             hs_json_num(seconds), "bytes", hs_json_num(bytes));
    json_object_set_new(hs_cmd_results(c), "plan", plan);
    hs_cmd_say(c,
               "work   %.0f network evaluations\ntime   about %.3g s (from one measured evaluation)\ndisk   %.2f MB\n",
               evaluations, seconds, bytes / 1e6);
}

json_t *hs_common_summary(size_t rank, const size_t *dim, const float *v)
{
    json_t *shape = json_array();
    size_t n = 1;
    double lo = INFINITY, hi = -INFINITY, sum = 0, square = 0;
    for (size_t i = 0; i < rank; i++) {
        json_array_append_new(shape, json_integer((json_int_t)dim[i]));
        n *= dim[i];
    }
    for (size_t i = 0; i < n; i++) {
        lo = v[i] < lo ? v[i] : lo;
        hi = v[i] > hi ? v[i] : hi;
        sum += v[i];
    }
    double mean = n > 0 ? sum / (double)n : NAN;
    for (size_t i = 0; i < n; i++) {
        square += (v[i] - mean) * (v[i] - mean);
    }
    json_t *all = json_pack("{s:o, s:o, s:o, s:o, s:o}", "shape", shape, "min", hs_json_num(lo), "max", hs_json_num(hi),
                            "mean", hs_json_num(mean), "std", hs_json_num(n > 0 ? sqrt(square / (double)n) : NAN));
    if (n == 0 || !isfinite(mean)) {
        json_object_set_new(all, "reason", json_string(n == 0 ? "no elements" : "not finite"));
    }
    return all;
}
