/* Resizing equal to Pillow (<= 11.3) bit for bit: separable, antialiased (the filter widens with the
 * reduction), horizontal pass first, coefficients in 22-bit fixed point, each pass rounded and
 * clipped to 0..255.  Filters: triangle (support 1), cubic with a = -0.5 (2), Lanczos (3). */
#ifndef HS_IO_RESIZE_H
#define HS_IO_RESIZE_H

#include "core/io/image.h"

typedef enum { HS_RESIZE_BILINEAR, HS_RESIZE_BICUBIC, HS_RESIZE_LANCZOS } hs_resize_filter;

/* A part of the image in pixels, left and top inclusive; fractions allowed.  float, as in Pillow. */
typedef struct {
    float x0, y0, x1, y1;
} hs_box;

/* *out <- the box of im (NULL: all of it) as w x h pixels of the same channels.
 * Work O(pixels x taps); one intermediate image.  HS_ERANGE: w or h is 0, or the box is empty or
 * outside the image; HS_ELIMIT, HS_ENOMEM. */
HS_CHECKED int hs_image_resize(const hs_image *im, size_t w, size_t h, hs_resize_filter filter, const hs_box *box,
                               hs_image *out);

/* *out <- the central square of im (offsets rounded down), resized to side x side (bicubic when it
 * shrinks or grows; a copy when it already fits).  Errors as above. */
HS_CHECKED int hs_image_fit(const hs_image *im, size_t side, hs_image *out);

#endif
