/* The innermost matrix products, against panels: what sgemm.c is made of, and what Winograd's 36 products
 * per layer need, whose weights are packed once and not at every call. */
#ifndef HS_LINALG_PANEL_H
#define HS_LINALG_PANEL_H

#include <stddef.h>

#include "core/base/error.h"

/* Two rectangles of pixels, `rows` rows of k, each with its channels side by side: channel i of pixel
 * (r, p) is A[r a_row + p lda + i] in one and B[r b_row + p ldb + i] in the other. */
typedef struct {
    size_t rows, k;
    const float *A;
    size_t a_row, lda;
    const float *B;
    size_t b_row, ldb;
    size_t columns; /* of B that count; at most the kernel's width */
} hs_panel_pixels;

/* A kernel.
 * run: C (m, width) <- A (m, k) panel (k, width), with `onto` C + that, row lengths lda and ldc, panel contiguous
 * and 64-byte aligned.  One sum over k in order per entry: bits that don't depend on m or i.
 * add: C[i, j] += sum over the pixels of A's channel i and B's channel j, for i < m and j < columns;
 * the rest of C's width may be written, with what it holds.  One sum over the pixels in order per entry,
 * then added to C: bits that no cutting by i or j changes.
 * Products are fused into the sums by avx512 and avx2, which therefore agree in every bit. */
typedef struct {
    const char *name; /* the instruction set */
    size_t width;     /* columns of a panel */
    void (*run)(size_t m, size_t k, const float *A, size_t lda, const float *panel, int onto, float *C, size_t ldc);
    void (*add)(size_t m, const hs_panel_pixels *s, float *C, size_t ldc);
} hs_panel_kernel;

/* The kernel for this processor. */
const hs_panel_kernel *hs_panel_best(void);
/* The kernel of that name ("avx512", "avx2", "any"); NULL where the processor can't run it. */
const hs_panel_kernel *hs_panel_named(const char *name);

#endif
