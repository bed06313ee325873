/* The small arithmetic of cutting things into parts. */
#ifndef HS_BASE_SIZES_H
#define HS_BASE_SIZES_H

#include <stddef.h>

static inline size_t hs_size_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The next multiple of step. */
static inline size_t hs_size_round_up(size_t n, size_t step)
{
    return (n + step - 1) / step * step;
}

#endif
