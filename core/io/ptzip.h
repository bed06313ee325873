/* PyTorch's zip files (.pth .pt .ckpt .bin): an archive of one folder with data.pkl, version, and one
 * entry data/KEY for each storage.  The pickle is read by pickle.h, which runs nothing. */
#ifndef HS_IO_PTZIP_H
#define HS_IO_PTZIP_H

#include "core/io/tensors.h"
#include "core/io/zipdir.h"

/* True when the archive has an entry data.pkl in a folder. */
int hs_ptzip_is(const hs_zip *z);

/* *out <- the file's tensors.  Bytes point into the archive's (borrowed) where a tensor is
 * contiguous; others are copied into C order, all together at most 4 times file_bytes + 16 MiB
 * (HS_ELIMIT).
 * HS_EFORMAT also for TorchScript, big-endian files, storages whose entry is missing or of another
 * size, entries failing their checksum. */
HS_CHECKED int hs_ptzip_read(hs_zip *z, size_t file_bytes, hs_tensors **out);

#endif
