/* Images: PNG and JPEG in, PNG out, and their way to and from the networks' float scale.
 *
 * A file is judged by its first bytes, never by its name.  Width, height and pixels are checked in
 * the header before anything is allocated (JPEG: jpeg.h); every chunk's length and CRC before libpng sees the
 * file; text, colour profiles and other ancillary chunks are never inflated.  Gamma is ignored and
 * 16 bits are cut to 8, as Pillow does, so that pixels equal those of Python users.
 *
 * Scale: v/127.5 - 1 of an 8-bit value v; back: clamp to [-1, 1], (x + 1) 127.5, round to nearest. */
#ifndef HS_IO_IMAGE_H
#define HS_IO_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/tensor/view.h"

/* 8-bit pixels, rows from the top: px[(y * w + x) * c + k], c = 1 (grey) or 3 (RGB). */
typedef struct {
    size_t w, h, c;
    uint8_t *px; /* owned */
} hs_image;

void hs_image_free(hs_image *im); /* legal on a zeroed struct */

typedef struct {
    size_t side;   /* largest width and height, pixels */
    size_t pixels; /* largest width x height */
    size_t bytes;  /* largest file */
    size_t chunks; /* most chunks in one file */
} hs_image_limits;

#define HS_IMAGE_LIMITS ((hs_image_limits){16384, (size_t)64 << 20, (size_t)256 << 20, 100000})

/* *out <- the image in the len bytes.  channels 1: grey (of RGB, ITU-R 601-2 luma as Pillow's "L":
 * (19595 R + 38470 G + 7471 B + 32768) >> 16), 3: RGB, 0: as the file has it (alpha is dropped,
 * palettes are expanded).  limits NULL: HS_IMAGE_LIMITS.
 * HS_EFORMAT: malformed, or another format (named); HS_ELIMIT: over budget; HS_ENOMEM. */
HS_CHECKED int hs_image_decode(const void *bytes, size_t len, size_t channels, const hs_image_limits *limits,
                               hs_image *out);

/* The same from a regular file; messages start with path.  Also HS_EIO. */
HS_CHECKED int hs_image_read(const char *path, size_t channels, const hs_image_limits *limits, hs_image *out);

/* Writes PNG, complete or not at all.  HS_ERANGE: exists and force is 0; HS_EIO, HS_ENOMEM. */
HS_CHECKED int hs_image_write(const char *path, const hs_image *im, int force);

/* x (c, h, w) float32 in [-1, 1] <- v/127.5 - 1. */
void hs_image_to_float(const hs_image *im, float *x);

/* px (h, w, c) <- x (c, h, w) in [-1, 1], as hs_image_from_float rounds. */
void hs_image_bytes(const float *x, hs_chw s, uint8_t *px);

/* *out <- x of shape s (s.c = 1 or 3), clamped and rounded; NaN gives 0.  HS_ESHAPE for other
 * channel counts, HS_ENOMEM. */
HS_CHECKED int hs_image_from_float(const float *x, hs_chw s, hs_image *out);

/* *out <- rows x cols images of shape s, image (i, j) at x + (i * cols + j) * s.c s.h s.w, gap white
 * pixels between neighbours.  HS_ESHAPE (channels, or no image), HS_ELIMIT, HS_ENOMEM. */
HS_CHECKED int hs_image_grid(const float *x, size_t rows, size_t cols, hs_chw s, size_t gap, hs_image *out);

/* *list (n; each and the list by free()) <- the paths DIR/NAME of the folder's files named *.png, *.jpg
 * and *.jpeg (any case), sorted bytewise by name; other entries are counted in a warning of the log.
 * HS_EFORMAT: none; HS_ELIMIT: more than max entries of any kind; HS_EIO, HS_ENOMEM. */
HS_CHECKED int hs_image_list(const char *dir, size_t max, char ***list, size_t *n);
void hs_image_list_free(char **list, size_t n);

#endif
