/* The result files that one picture is made from, and what was read of them. */
#ifndef HS_FIGURES_SOURCES_H
#define HS_FIGURES_SOURCES_H

#include <stddef.h>

#include "core/base/alloc.h"
#include "core/base/error.h"
#include "core/io/result.h"

/* All that is read of them lives as long as it. */
typedef struct {
    hs_arena arena;
    size_t n;
    const char *const *path;
    hs_result_in **file;
} hs_sources;

HS_CHECKED int hs_sources_open(const char *const *path, size_t n, hs_sources *s);
void hs_sources_close(hs_sources *s);

/* *out <- the array of file i with rank dimensions; dim is checked where not 0, and set.  HS_ESHAPE, with the path. */
HS_CHECKED int hs_sources_array(hs_sources *s, size_t i, const char *name, size_t rank, size_t *dim, double **out);
/* The same of m values; NULL where the array is absent. */
HS_CHECKED int hs_sources_optional(hs_sources *s, size_t i, const char *name, size_t m, const double **out);
/* *out <- a copy of text. */
HS_CHECKED int hs_sources_keep_text(hs_sources *s, const char *text, const char **out);
/* *out <- the file's attribute, or other where it is absent or empty. */
HS_CHECKED int hs_sources_text(hs_sources *s, size_t i, const char *name, const char *other, const char **out);
/* The file's attribute; NaN where it is absent. */
double hs_sources_number(hs_sources *s, size_t i, const char *name);
/* The same as a count; 0 where it is none. */
size_t hs_sources_count(hs_sources *s, size_t i, const char *name);
/* *out (n) <- labels: the texts or numbers of the first file's array, else 0, 1, ...  HS_ESHAPE: it has not n. */
HS_CHECKED int hs_sources_labels(hs_sources *s, const char *name, size_t n, const char *const **out);

#endif
