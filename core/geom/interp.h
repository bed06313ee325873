/* Ways from one vector to another, for s in [0, 1] (and beyond, where that makes sense).
 *
 *   lerp   a + s (b - a)
 *   slerp  great circle between the directions of a and b, the norm going linearly from |a| to |b|:
 *          (|a| + s (|b| - |a|)) (sin((1 - s) w) a/|a| + sin(s w) b/|b|) / sin w,  cos w = <a, b>/(|a||b|);
 *          lerp where w < 1e-6 or either is zero; antiparallel vectors (pi - w < 1e-6) have no great
 *          circle of their own and are lerped too (Shoemake, SIGGRAPH 1985)
 *   norm   the direction of lerp, the norm going linearly from |a| to |b| ("norm-matched"); lerp itself
 *          where it passes through 0
 *
 * b is given as the difference db = b - a, as an edit gives it.  All sums in double; out may be a. */
#ifndef HS_GEOM_INTERP_H
#define HS_GEOM_INTERP_H

#include <stddef.h>

/* out (d) <- the point at s between a and a + db (d float32 each). */
void hs_interp_lerp(size_t d, double s, const float *a, const float *db, float *out);
void hs_interp_slerp(size_t d, double s, const float *a, const float *db, float *out);
void hs_interp_norm(size_t d, double s, const float *a, const float *db, float *out);

#endif
