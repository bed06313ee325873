/* Small matrix products against weights packed once into panels: what Winograd's 36 products per
 * layer need.  A library's sgemm repacks the weights at every call, which at 16 to 64 rows costs
 * as much as the product itself. */
#ifndef HS_NN_PANEL_H
#define HS_NN_PANEL_H

#include <stddef.h>

#include "core/base/error.h"

/* A kernel: C (m, width) <- A (m, k) panel (k, width), row lengths lda and ldc, panel contiguous
 * and 64-byte aligned, as is every row of C. */
typedef struct {
    const char *name; /* the instruction set */
    size_t width;     /* columns of a panel */
    void (*run)(size_t m, size_t k, const float *A, size_t lda, const float *panel, float *C, size_t ldc);
} hs_panel_kernel;

/* The kernel for this processor; NULL where only a library's product is at hand. */
const hs_panel_kernel *hs_panel_best(void);
/* The kernel of that name ("avx512", "avx2"); NULL where the processor can't run it. */
const hs_panel_kernel *hs_panel_named(const char *name);

#endif
