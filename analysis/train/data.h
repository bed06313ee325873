/* What a network is trained on: images of one size, in memory as bytes, and what is known of each.
 *
 * Sources
 *   faces[:STYLE]   renders number first ... first + images - 1 of datasets/faces.h, with their factors
 *   a folder        its *.png, *.jpg, *.jpeg in the order of their names; with factors: its attributes.csv
 *   an idx file     images.idx3-ubyte of MNIST and its kin, or gzipped; grey is spread over the channels
 * A name that exists as a file or folder is that; images of another size need `fit` (a central square,
 * resized bicubically).
 *
 * attributes.csv: a header, then a row an image: its file name first (with or without its ending), then numbers.
 * A column of nothing but 0 and 1 is binary. */
#ifndef HS_TRAIN_DATA_H
#define HS_TRAIN_DATA_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/sha256.h"
#include "core/model/attrnet.h"
#include "core/tensor/view.h"

typedef struct {
    size_t n;
    hs_chw image;
    uint8_t *px; /* (n, c, h, w), planes: as a float v / 127.5 - 1 */
    size_t n_factors;
    hs_attr_factor factor[HS_ATTR_FACTORS_MAX]; /* mean and sd of this data; binary: 0 and 1 */
    double *value;                              /* (n, n_factors), NULL without factors */
    size_t skipped;                             /* unreadable images left out */
    char text[160];                             /* "faces:paint, seed 0, 50000 images of 3 x 32 x 32" */
    char sha256[HS_SHA256_HEX];                 /* of px, then value */
} hs_data;

typedef struct {
    hs_chw image;                  /* wanted; c 1 or 3, h = w */
    int fit;                       /* resize what has another size */
    int skip_bad;                  /* leave unreadable images out instead of refusing the folder */
    int factors;                   /* wanted too */
    size_t n_attributes;           /* of a CSV: these columns alone; 0: all */
    const char *const *attributes; /* (n_attributes) */
    uint64_t seed;                 /* of a generator */
    size_t first, images;          /* of a generator: renders first ... first + images - 1 */
    const hs_progress *progress;
} hs_data_options;

/* HS_ERANGE: an unknown style or generator, channels other than 1 or 3, no factors in this source.
 * HS_ESHAPE: another size without fit.  HS_EFORMAT: unreadable images (how many, and the first by name), a
 * malformed CSV or idx file, a column or a row missing.  HS_ELIMIT: more than the memory holds.  HS_EIO,
 * HS_ENOMEM, HS_ESTOPPED. */
HS_CHECKED int hs_data_open(const char *source, const hs_data_options *o, hs_data *out);
void hs_data_free(hs_data *d);
/* True when the source is a generator, not a folder or file. */
int hs_data_is_generated(const char *source);

/* The mean of all values of all images, as floats in [-1, 1]. */
double hs_data_mean(const hs_data *d);

/* x (n, c, h, w) and index (n) <- the images of update k, drawn with replacement: stream (seed,
 * HS_RNG_TRAIN_DATA, k << 16 | image), element 0 which image, element 1 whether it is mirrored (flip). */
void hs_data_batch(const hs_data *d, uint64_t seed, uint64_t k, int flip, size_t n, float *x, size_t *index);

#endif
