/* What the store and the result files share: HDF5 without surprises, and files that appear whole.
 *
 * HDF5 is told to be silent (its errors become ours) and to load no filter plugins.  No HDF5 call
 * of this library is made from two threads at once: callers keep the HDF5 rooms to one thread. */
#ifndef HS_IO_H5FILE_H
#define HS_IO_H5FILE_H

#include <hdf5.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/tensor/dtype.h"

/* Silences HDF5's own error printing, switches plugins off, and makes a write beyond RLIMIT_FSIZE
 * an error (EFBIG) rather than a signal.  Cheap; called at every entry. */
void hs_h5_begin(void);

/* An access list: format bounds 1.10; no locks of HDF5's own, which some file systems refuse and which
 * protect nothing here (who writes has a lock of ours).  H5Pclose. */
hid_t hs_h5_access(void);
/* Creates (truncates) PATH: format bounds 1.10, creation order tracked, no times.  HS_EIO. */
HS_CHECKED int hs_h5_create(const char *path, hid_t *file);
/* A dataset or group creation list: creation order tracked, no times, attributes kept in the object header. */
hid_t hs_h5_plist(hid_t class_id);
/* The file type of t, little-endian; H5Tclose.  HS_F16 is IEEE half as h5py writes '<f2'.  < 0 for HS_BF16. */
hid_t hs_h5_type(hs_dtype t);
/* *out <- which of our types this is exactly; HS_EFORMAT for any other (big-endian, enum, compound ...). */
HS_CHECKED int hs_h5_dtype(hid_t type, hs_dtype *out);
/* *out (free()) <- text as UTF-8: bytes that aren't are escaped. */
HS_CHECKED int hs_h5_utf8(const char *text, char **out);
/* A text attribute, UTF-8.  slot = 0: of variable length, which h5py, h5netcdf and netCDF-C all give
 * back as text.  slot > 0: of fixed length (h5py gives bytes), zero-filled, cut to fit, so that the
 * layout of the file doesn't depend on it.  An existing one is replaced. */
HS_CHECKED int hs_h5_attr_text(hid_t object, const char *name, const char *text, size_t slot);
HS_CHECKED int hs_h5_attr_f64(hid_t object, const char *name, double v);
HS_CHECKED int hs_h5_attr_i64(hid_t object, const char *name, int64_t v);

/* Whole transfers at an offset, repeated over short counts and EINTR.  HS_EIO naming PATH; reading
 * past the end is HS_ECHECKSUM ("cut off"). */
HS_CHECKED int hs_pwrite_all(int fd, const void *bytes, size_t len, uint64_t offset, const char *path);
HS_CHECKED int hs_pread_all(int fd, void *bytes, size_t len, uint64_t offset, const char *path);
/* fsync of the folder that holds PATH, so that a name made or removed there survives a power cut. */
HS_CHECKED int hs_sync_folder(const char *path);
/* fsync FROM, rename it to TO, fsync the folder. */
HS_CHECKED int hs_publish(const char *from, const char *to);

#endif
