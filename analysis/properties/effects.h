/* Effects tables: a scalar read-out over images x strengths, with its nulls and its rival. */
#ifndef HS_PROPERTIES_EFFECTS_H
#define HS_PROPERTIES_EFFECTS_H

#include <stddef.h>

#include "core/base/error.h"

/* phi under one direction.  Rows are images; columns are strengths, ascending, 0 among them.  Each
 * array's increments are against its own value at strength 0. */
typedef struct {
    char direction[128]; /* "" when unnamed */
    size_t n, m, K, zero;
    double *strength; /* (m) */
    double *value;    /* (n, m) */
    double *null;     /* (K, n, m): under K random directions of equal norm; NULL for K = 0 */
    int twins;        /* the nulls are twins of the direction (hs_twin_limit) */
    double *rival;    /* (n, m): the same recipe in eps-space; or NULL */
} hs_effects;

/* *out <- a table from arrays with the strengths in any order; null (K, n, m) for K > 0, NaN where it was
 * not measured (allowed but at 0 and at the largest magnitude); rival may be NULL.  All is copied.  HS_ERANGE: n = 0,
 * fewer than two strengths, a strength twice or not finite, none that is 0; HS_EDEGENERATE: a read-out that is not
 * finite. */
HS_CHECKED int hs_effects_create(const char *direction, size_t n, size_t m, const double *strength, const double *value,
                                 size_t K, const double *null, const double *rival, hs_effects *out);
void hs_effects_free(hs_effects *e);
/* The column of the strength of largest magnitude, of two the positive. */
size_t hs_effects_far(const hs_effects *e);

/* Several tables of one file, in the byte order of their directions' names. */
typedef struct {
    size_t n;
    hs_effects *table; /* owned */
} hs_effects_set;
void hs_effects_set_free(hs_effects_set *s);

typedef struct {
    size_t bytes, rows, nulls;
} hs_effects_limits;

#define HS_EFFECTS_LIMITS_INIT                                    \
    {                                                             \
        .bytes = (size_t)1 << 30, .rows = 20000000, .nulls = 1000 \
    }

/* *out <- the tables of a CSV text: a header line with the columns image, strength, value and, if
 * wanted, null, null_2 ... null_K, rival, direction, in any order; one row per image and strength, in any
 * order (images are sorted by name, so that the order of rows changes nothing).  image and direction are
 * UTF-8 names of at most 127 bytes without comma or quote; the others finite decimal numbers.  Lines end
 * in LF or CR LF; a byte order mark at the start is passed over.
 * HS_EFORMAT, with the line: anything else, a missing cell, an image and strength twice, an image that
 * lacks a strength.  HS_ERANGE: a direction without strength 0 or with no other.  HS_ELIMIT: over limits. */
HS_CHECKED int hs_effects_parse(const char *text, size_t len, const hs_effects_limits *limits, hs_effects_set *out);

/* The same of a file; messages start with path.  Also HS_EIO. */
HS_CHECKED int hs_effects_read(const char *path, const hs_effects_limits *limits, hs_effects_set *out);

#endif
