/* Result files: every HDF5 file hspace writes besides the activation store.  Named arrays and
 * attributes under one kind; written under a temporary name, fsynced, renamed. */
#ifndef HS_IO_RESULT_H
#define HS_IO_RESULT_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

typedef struct hs_result hs_result;

/* Begins PATH (kind e.g. "pca", "directions", "sweep", "linearity").  force: replace an existing
 * file, else HS_ERANGE "exists; use -f". */
HS_CHECKED int hs_result_create(const char *path, const char *kind, int force, hs_result **out);

/* Arrays; dims names the dimensions ("direction,timestep,channel,y,x"), each with a coordinate
 * variable of its own when one is put under that name; others get 0, 1, 2, ... */
HS_CHECKED int hs_result_put_f32(hs_result *r, const char *name, const char *dims, size_t rank, const size_t *dim,
                                 const float *v);
HS_CHECKED int hs_result_put_f64(hs_result *r, const char *name, const char *dims, size_t rank, const size_t *dim,
                                 const double *v);
HS_CHECKED int hs_result_put_i64(hs_result *r, const char *name, const char *dims, size_t rank, const size_t *dim,
                                 const int64_t *v);
HS_CHECKED int hs_result_put_strings(hs_result *r, const char *name, const char *dims, size_t n, const char *const *v);
/* Begins an array without data and fills rows [first, first + n) of its first dimension later. */
HS_CHECKED int hs_result_define_f32(hs_result *r, const char *name, const char *dims, size_t rank, const size_t *dim);
HS_CHECKED int hs_result_put_rows(hs_result *r, const char *name, size_t first, size_t n, const float *v);
/* Attributes: of the file (on = NULL) or of an array. */
HS_CHECKED int hs_result_attr_str(hs_result *r, const char *on, const char *name, const char *v);
HS_CHECKED int hs_result_attr_f64(hs_result *r, const char *on, const char *name, double v);
HS_CHECKED int hs_result_attr_i64(hs_result *r, const char *on, const char *name, int64_t v);
/* Writes, fsyncs, renames.  Without it hs_result_free removes the temporary file. */
HS_CHECKED int hs_result_commit(hs_result *r);
void hs_result_free(hs_result *r);

/* Reading.  Any kind, ours or plain HDF5; parsed first in a jailed child (io/h5jail). */
typedef struct hs_result_in hs_result_in;
HS_CHECKED int hs_result_open(const char *path, hs_result_in **out);
const char *hs_result_kind(const hs_result_in *r); /* "" for a file that isn't ours */
int hs_result_has(const hs_result_in *r, const char *name);
int hs_result_has_texts(const hs_result_in *r, const char *name); /* and it is a list of texts */
/* Rank and dim (up to 8) of an array; HS_EFORMAT when absent. */
HS_CHECKED int hs_result_shape(hs_result_in *r, const char *name, size_t *rank, size_t dim[8]);
/* *out (free()) <- the whole array, converted. */
HS_CHECKED int hs_result_get_f32(hs_result_in *r, const char *name, float **out);
HS_CHECKED int hs_result_get_f64(hs_result_in *r, const char *name, double **out);
/* v <- rows [first, first + n) of the first dimension. */
HS_CHECKED int hs_result_get_rows(hs_result_in *r, const char *name, size_t first, size_t n, float *v);
/* *out (free each and the list) <- n strings. */
HS_CHECKED int hs_result_get_strings(hs_result_in *r, const char *name, size_t *n, char ***out);
/* Attribute of the file or of an array; HS_EFORMAT when absent. *out: free(). */
HS_CHECKED int hs_result_attr_get_str(hs_result_in *r, const char *on, const char *name, char **out);
HS_CHECKED int hs_result_attr_get_f64(hs_result_in *r, const char *on, const char *name, double *out);
void hs_result_close(hs_result_in *r);

#endif
