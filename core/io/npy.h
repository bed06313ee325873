/* numpy's .npy (one array) and .npz (a zip of them).  Source: the format's description in
 * numpy.lib.format, versions 1.0, 2.0, 3.0.
 *
 * A subset of what numpy reads: the header is exactly the three keys descr, fortran_order, shape with
 * plain values; element types float16/32/64, integers, bool; both byte orders; at most 16 dimensions;
 * header at most 10,000 bytes; the data end with the file.  Never an object array. */
#ifndef HS_IO_NPY_H
#define HS_IO_NPY_H

#include "core/io/tensors.h"
#include "core/io/zipdir.h"

/* *out <- the array of an .npy file in memory as the one tensor NAME; C order, little-endian.  The
 * bytes are borrowed if they are that already, else copied.  HS_EFORMAT, HS_ENOMEM. */
HS_CHECKED int hs_npy_parse(const unsigned char *bytes, size_t len, const char *name, hs_tensors **out);

/* *out <- the arrays of an .npz, NAME.npy as NAME; bytes borrowed from the archive's as above.
 * HS_EFORMAT also for other entries and wrong checksums. */
HS_CHECKED int hs_npz_read(hs_zip *z, hs_tensors **out);

/* *out (free()) <- the file's one array, rounded to float32, C order; dim[0..*rank).
 * HS_EFORMAT, HS_EIO, HS_ELIMIT, HS_ENOMEM; messages start with the path. */
HS_CHECKED int hs_npy_read_f32(const char *path, size_t *rank, uint64_t dim[HS_RANK_MAX], float **out);

/* PATH <- t (its name is not used), version 1.0, C order, little-endian; written atomically.
 * HS_ERANGE: exists and force is 0, or bfloat16, which numpy hasn't; HS_EIO, HS_ENOMEM. */
HS_CHECKED int hs_npy_write(const char *path, const hs_tensor *t, int force);
HS_CHECKED int hs_npy_write_f32(const char *path, size_t rank, const uint64_t *dim, const float *data, int force);

/* PATH <- tensor[i] as NAME[i].npy, stored.  Errors as hs_npy_write. */
HS_CHECKED int hs_npz_write(const char *path, size_t n, const char *const *name, const hs_tensor *tensor, int force);

#endif
