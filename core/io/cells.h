/* Finished cells of a long computation, kept beside its output until that is whole: rows of doubles under a key.
 *
 * The file: "HSCELLS1", the length of a text (u64) and the text, the plan that the cells are of, and the CRC-32C of all
 * that (u32); then records, each {magic u32, kind u32, key u64, count u64, CRC of the row u32, CRC of these 28 bytes
 * u32} and the row.  A record counts when both its CRCs hold and those of all before it: what a crash tore is cut off
 * at the next opening.  One writer at a time: the file is locked while it is open.  All little-endian. */
#ifndef HS_IO_CELLS_H
#define HS_IO_CELLS_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

typedef struct hs_cells hs_cells;

/* *out <- the cells at PATH, made where absent or torn before the first record.  plan: lines "name value", what a row
 * depends on.  HS_ERANGE: cells of another plan (the first line that differs is named) or no file of cells, which then
 * stays as it is, or with force is begun anew; HS_ELOCKED: another process has it open; HS_EIO, HS_ENOMEM. */
HS_CHECKED int hs_cells_open(const char *path, const char *plan, int force, hs_cells **out);
size_t hs_cells_count(const hs_cells *c);
/* *found <- whether the cell is there with so many numbers; row (count) <- it.  HS_EIO,
 * HS_ECHECKSUM. */
HS_CHECKED int hs_cells_get(hs_cells *c, uint32_t kind, uint64_t key, size_t count, double *row, int *found);
/* Appends a cell, which must not be there yet.  A killed process loses none; a power cut those of the last five
 * seconds.  HS_EIO. */
HS_CHECKED int hs_cells_put(hs_cells *c, uint32_t kind, uint64_t key, size_t count, const double *row);
/* done: the output is whole, the file goes.  NULL is legal. */
void hs_cells_close(hs_cells *c, int done);

#endif
