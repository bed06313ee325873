/* JPEG in, by libjpeg-turbo: baseline, extended and progressive of 8 bits, grey or three components.
 *
 * Pixels are those of Pillow on the same library (slow integer DCT, smooth chroma), turned upright by the
 * EXIF orientation, as its ImageOps.exif_transpose does.  Colour profiles are ignored.  What Pillow would decode
 * around is refused: a file that ends early, bad codes, lost markers.  Bytes after the end of the
 * image are common in photographs and left alone. */
#ifndef HS_IO_JPEG_H
#define HS_IO_JPEG_H

#include "core/io/image.h"

int hs_jpeg_is(const void *bytes, size_t len); /* begins like a JPEG */

/* *out <- the image in the len bytes, c = 1 or 3 as in the file.  Width and height are held against limits when the
 * header is read, before memory for pixels is asked for; at most 100 scans are followed.
 * HS_EFORMAT: malformed, truncated, CMYK or of 12 bits; HS_ELIMIT: over budget; HS_ENOMEM. */
HS_CHECKED int hs_jpeg_decode(const void *bytes, size_t len, const hs_image_limits *limits, hs_image *out);

#endif
