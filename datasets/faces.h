/* Procedural faces whose truth is known: named factors, a documented joint distribution, two styles.
 *
 * Everything is a function of (seed, index): factors are drawn from stream (seed, HS_RNG_FACES, index),
 * and a face of given factors is drawn the same at any resolution, antialiased. */
#ifndef HS_DATASETS_FACES_H
#define HS_DATASETS_FACES_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

enum { HS_FACE_FACTORS_MAX = 24 };

typedef enum { HS_FACE_CONTINUOUS, HS_FACE_BINARY } hs_face_kind;

/* One factor: its name as users write it (attr:NAME, the CSV's column), range, and how it is drawn. */
typedef struct {
    const char *name; /* "smile", "mouth_open", "eye_open", "brow", "face_width", "age", ... */
    hs_face_kind kind;
    double lo, hi;       /* range of the value; binary: 0, 1 */
    const char *meaning; /* what the ends look like */
} hs_face_factor;

size_t hs_face_factor_count(void);
const hs_face_factor *hs_face_factor_at(size_t i);
/* Index of the factor, or -1. */
int hs_face_factor_find(const char *name);

/* The planted correlation of two factors (by index) in the joint distribution: Pearson, 0 unless stated
 * in the table of faces.c and of datasets/README.md. */
double hs_face_correlation(size_t i, size_t j);

/* factor (hs_face_factor_count()) <- draw number index. */
void hs_face_draw(uint64_t seed, uint64_t index, double *factor);

size_t hs_face_style_count(void);
const char *hs_face_style_name(size_t i); /* "paint", "lines" */

/* rgb (3, size, size), values in [-1, 1], planes red, green, blue <- the face.  style: index; factors
 * outside their range are clamped.  Cost O(size^2).  HS_ERANGE: size outside 8 ... 1024 or an unknown
 * style. */
HS_CHECKED int hs_face_render(size_t style, const double *factor, size_t size, float *rgb);

#endif
