/* What an attribute network says of the predicted x_0, as a map of h (or of x_t): d phi(x0hat)/dh at one recorded
 * state, phi being all K answers before their units (hs_attrnet_forward's out). */
#ifndef HS_MODEL_ATTR_MAP_H
#define HS_MODEL_ATTR_MAP_H

#include "core/linalg/linop.h"
#include "core/model/attrnet.h"
#include "core/model/unet_grad.h"

typedef struct hs_attr_map hs_attr_map;

/* *out <- the map behind j, which is HS_MAP_X0HAT_H or HS_MAP_X0HAT_X; x0hat (3, R, R) is the prediction at j's state.
 * rows tangents or cotangents go through phi at once (1 to 65536, else HS_ERANGE).  Borrows j and phi; nothing is
 * allocated later.  HS_ERANGE: another map; HS_ESHAPE: phi sees images of another size. */
HS_CHECKED int hs_attr_map_create(hs_unet_jacobian *j, const hs_attrnet *phi, const float *x0hat, size_t rows,
                                  hs_conv_mode mode, hs_attr_map **out);
void hs_attr_map_free(hs_attr_map *a);
/* m = K, n as j's; any number of rows at once.  a is the operator's ctx and must outlive it. */
hs_linop hs_attr_map_linop(hs_attr_map *a);

#endif
