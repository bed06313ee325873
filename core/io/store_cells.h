/* The cells of a store by position, with their CRCs.  Private to the store. */
#ifndef HS_IO_STORE_CELLS_H
#define HS_IO_STORE_CELLS_H

#include "core/io/store_file.h"

/* Writes samples first ... first + count - 1 of a part from data (float32; uint8 for x_0), and their
 * CRCs; *crc goes on over those CRCs.  half: room for one sample of h. */
HS_CHECKED int hs_store_cells_write(const hs_store_file *f, int fd, const char *path, int part, size_t first,
                                    size_t count, const void *data, void *half, uint32_t *crc);
/* HS_ECHECKSUM unless every cell of every part of these samples has its CRC, and those have crc. */
HS_CHECKED int hs_store_cells_verify(const hs_store_file *f, int fd, const char *path, size_t first, size_t count,
                                     uint32_t crc);
/* Reads and checks the cells k of a part (k = SIZE_MAX: all of a sample) of samples first ... as
 * stored, one sample at a time, each handed to use(ctx, sample - first, bytes). */
HS_CHECKED int hs_store_cells_each(const hs_store_file *f, int fd, const char *path, int part, size_t k, size_t first,
                                   size_t count, int (*use)(void *ctx, size_t i, const void *bytes), void *ctx);

#endif
