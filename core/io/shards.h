/* One dump in several files, each a complete store made on its own, and the index that reads as one.
 *
 * Shard i of N of a store of U units of work holds its units [i U / N, (i + 1) U / N), so that every batch is
 * cut as in the whole dump and gives the same bits.  For acts.h5 it lies at
 *   acts.shards/5f2a77e1-00003-of-00008.h5
 * whose first 8 digits are those of the id of the whole store: the HDF5 library also looks in the current
 * folder for a file that an index names, and would take another of the same name there.  Its parameter
 * record is that of the whole, with its own samples, and the attributes shard, shards, shard_first,
 * whole_n and whole_store_id.
 *
 * The index acts.h5 (hspace_kind "index") has the parameter record, the id and the coordinates of the whole, the
 * names of the shards relative to its folder in /provenance/shards, and virtual arrays for other readers: where a
 * shard is missing they show NaN, and 0 for a CRC.  hs_store_open reads the shards themselves. */
#ifndef HS_IO_SHARDS_H
#define HS_IO_SHARDS_H

#include "core/base/alloc.h"
#include "core/base/log.h"
#include "core/io/store.h"

enum { HS_SHARDS_MOST = 1000 }; /* each is a file kept open by a reader */

/* *out <- shard i of N of whole, *first <- the sample it begins with.  What it points to lives in arena and
 * in whole.  HS_ERANGE: i >= N, or more shards than units or HS_SHARDS_MOST. */
HS_CHECKED int hs_shard_spec(const hs_store_spec *whole, size_t i, size_t N, hs_arena *arena, hs_store_spec *out,
                             size_t *first);

/* *out (free()) <- where shard i of N of the store at path lies. */
HS_CHECKED int hs_shard_path(const char *path, const hs_store_spec *whole, size_t i, size_t N, char **out);

/* Before a shard is begun: makes the folder.  HS_ERANGE, and nothing is made or changed: path exists and isn't
 * the index of this store, or the folder holds shards of another store or number; force passes over both. */
HS_CHECKED int hs_shard_prepare(const char *path, const hs_store_spec *whole, size_t N, int force);

/* *written <- 1 when all N shards are sealed, and the index is at path; written now where it wasn't there.  Another
 * process that is writing it counts as well.  info: of whole.  HS_ERANGE: something else is at path, without
 * force. */
HS_CHECKED int hs_shards_finish(const char *path, const hs_store_spec *whole, size_t N, int force, int *written);

/* *list (hs_strings_free) <- the shards beside path, in order of their names.  HS_ERANGE: none, or those of several
 * dumps. */
HS_CHECKED int hs_shards_beside(const char *path, size_t *n, char ***list);

/* *out <- the store that n shards, in any order, make up.  HS_ERANGE: one is missing, twice there, of another
 * dump, or still being written; else as hs_store_open. */
HS_CHECKED int hs_shards_open(size_t n, const char *const *path, hs_store **out);

/* *spec <- what made s, but for info; it lives in arena and in s. */
HS_CHECKED int hs_store_spec_of(const hs_store *s, hs_arena *arena, hs_store_spec *spec);

/* Writes the index of the n shards of s (opened from path[] by hs_shards_open) at out, whose folder must be the one
 * that the shards' folder lies in, unless it is there.  HS_ERANGE: they lie elsewhere; something else is at out,
 * without force; HS_ELOCKED; HS_EIO. */
HS_CHECKED int hs_shards_index(const hs_store *s, const char *out, size_t n_info, const hs_attr *info, int force);

/* Copies s into one file at out, as hs_store_begin writes it: the same command again continues. */
HS_CHECKED int hs_shards_merge(const hs_store *s, const char *out, size_t n_info, const hs_attr *info, int force,
                               const hs_progress *progress);

#endif
