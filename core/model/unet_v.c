/* Networks whose output is v: eps = sqrt(ab) v + sqrt(1 - ab) x_t, and its derivatives. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/model/unet_grad_impl.h"

int hs_unet_predicts_v(hs_unet *u, size_t T, const double *alpha_bar)
{
    double *copy = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(T, sizeof *copy, &copy));
    memcpy(copy, alpha_bar, T * sizeof *copy);
    free(u->v_alpha_bar);
    u->v_alpha_bar = copy;
    u->v_T = T;
out:
    return rc;
}

int hs_v_room(hs_unet_ws *ws)
{
    size_t d = hs_chw_size(hs_unet_image_shape(&ws->u->cfg));
    int rc = HS_OK;
    if (ws->u->v_alpha_bar != NULL) {
        HS_TRY(hs_arena_alloc(&ws->arena, ws->states, d * sizeof(float), &ws->v_x));
        HS_TRY(hs_arena_alloc(&ws->arena, ws->states, 2 * sizeof(float), &ws->v_mix));
    }
out:
    return rc;
}

int hs_v_keep(hs_unet_ws *ws, size_t n, const float *x, const int *t)
{
    const hs_unet *u = ws->u;
    if (ws->v_x == NULL) {
        return HS_OK;
    }
    for (size_t i = 0; i < n; i++) {
        if (t[i] < 0 || (size_t)t[i] >= u->v_T) {
            return hs_fail(HS_ERANGE, "t = %d: must be 0 to %zu, since the network predicts v", t[i], u->v_T - 1);
        }
        ws->v_mix[2 * i] = (float)sqrt(u->v_alpha_bar[t[i]]);
        ws->v_mix[2 * i + 1] = (float)sqrt(1 - u->v_alpha_bar[t[i]]);
    }
    memcpy(ws->v_x, x, n * hs_chw_size(hs_unet_image_shape(&u->cfg)) * sizeof *x);
    return HS_OK;
}

static size_t state_of(const size_t *state, size_t row)
{
    return state != NULL ? state[row] : row;
}

void hs_v_to_eps(const hs_unet_ws *ws, size_t rows, const size_t *state, const float *x, float *y)
{
    size_t d = hs_chw_size(hs_unet_image_shape(&ws->u->cfg));
    for (size_t r = 0; ws->v_x != NULL && r < rows; r++) {
        size_t s = state_of(state, r);
        float a = ws->v_mix[2 * s], b = ws->v_mix[2 * s + 1];
        const float *of = x != NULL ? x + r * d : ws->v_x + s * d;
        float *to = y + r * d;
        for (size_t i = 0; i < d; i++) {
            to[i] = a * to[i] + b * of[i];
        }
    }
}

void hs_v_scale(const hs_unet_ws *ws, size_t rows, const size_t *state, int of_x, const float *from, float *to)
{
    size_t d = hs_chw_size(hs_unet_image_shape(&ws->u->cfg));
    for (size_t r = 0; ws->v_x != NULL && r < rows; r++) {
        float f = ws->v_mix[2 * state_of(state, r) + (of_x ? 1 : 0)];
        for (size_t i = 0; i < d; i++) {
            to[r * d + i] = f * from[r * d + i];
        }
    }
}
