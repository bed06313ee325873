/* Class-conditional networks: an embedding of the class is added to that of t, behind the second dense layer. */
#include <stdlib.h>
#include <string.h>

#include "core/model/unet_net.h"

int hs_unet_set_classes(hs_unet *u, size_t n, const int *y)
{
    size_t classes = u->cfg.classes;
    int *copy = NULL, rc = HS_OK;
    if (classes == 0) {
        return hs_fail(HS_ERANGE, "a class was given, and the network isn't class-conditional");
    }
    for (size_t i = 0; i < n; i++) {
        if (y[i] < 0 || (size_t)y[i] >= classes) {
            return hs_fail(HS_ERANGE, "class %d: the network has classes 0 to %zu", y[i], classes - 1);
        }
    }
    if (n == 0) {
        return hs_fail(HS_ERANGE, "no class was given: wanted one of 0 to %zu", classes - 1);
    }
    HS_TRY(hs_alloc(n, sizeof *copy, &copy));
    memcpy(copy, y, n * sizeof *copy);
    free(u->class_of);
    u->class_of = copy;
    u->n_class = n;
out:
    return rc;
}

int hs_unet_class_of(const hs_unet *u, size_t image)
{
    return u->n_class == 1 ? u->class_of[0] : image < u->n_class ? u->class_of[image] : -1;
}

void hs_unet_ws_first(hs_unet_ws *ws, size_t first)
{
    ws->first = first;
}

int hs_class_room(hs_unet_ws *ws)
{
    return ws->u->class_w != NULL ? hs_arena_alloc(&ws->arena, ws->states, sizeof *ws->class_of, &ws->class_of) : HS_OK;
}

int hs_class_keep(hs_unet_ws *ws, size_t n, const size_t *image)
{
    const hs_unet *u = ws->u;
    if (ws->class_of == NULL) {
        return HS_OK;
    }
    if (u->n_class == 0) {
        return hs_fail(HS_ERANGE, "the network is class-conditional, of %zu classes: a class must be given",
                       u->cfg.classes);
    }
    for (size_t i = 0; i < n; i++) {
        size_t at = u->n_class == 1 ? 0 : ws->first + (image != NULL ? image[i] : i);
        if (at >= u->n_class) {
            return hs_fail(HS_EBUG, "encode: image %zu, classes of %zu", at, u->n_class);
        }
        ws->class_of[i] = u->class_of[at];
    }
    return HS_OK;
}

void hs_class_add(const hs_unet_ws *ws, size_t n, float *temb)
{
    size_t dim = ws->u->cfg.temb_dim;
    for (size_t i = 0; ws->class_of != NULL && i < n; i++) {
        const float *row = ws->u->class_w + (size_t)ws->class_of[i] * dim;
        for (size_t k = 0; k < dim; k++) {
            temb[i * dim + k] += row[k];
        }
    }
}

void hs_class_vjp(const hs_unet_ws *ws, size_t n, const float *dtemb, float *grad_w)
{
    size_t dim = ws->u->cfg.temb_dim;
    for (size_t i = 0; ws->class_of != NULL && i < n; i++) {
        float *row = grad_w + (size_t)ws->class_of[i] * dim;
        for (size_t k = 0; k < dim; k++) {
            row[k] += dtemb[i * dim + k];
        }
    }
}
