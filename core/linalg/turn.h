/* Matrices the other way round, as products want them. */
#ifndef HS_LINALG_TURN_H
#define HS_LINALG_TURN_H

#include <stddef.h>

/* to (rows, cols) <- fromᵀ, from (cols, rows); row lengths ld and to_ld.  They must not overlap. */
void hs_turn_f32(size_t rows, size_t cols, const float *from, size_t ld, float *to, size_t to_ld);

#endif
