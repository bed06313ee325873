/* The activation store: h of N samples x S timesteps in one HDF5 file, written once and crash-safe.
 *
 * Layout (names, attributes) as README "The store" says; protocol: the full extent is laid out and
 * reserved first, cells are written by position, each unit counts only when its record (with CRC)
 * is in the journal PATH.journal; the last unit seals.  The same call continues after any crash. */
#ifndef HS_IO_STORE_H
#define HS_IO_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/sha256.h"
#include "core/tensor/dtype.h"
#include "core/tensor/view.h"

typedef struct {
    const char *name, *value;
} hs_attr; /* a provenance attribute, text */

/* Everything that decides the bytes of the store, but for created, finished, history, hostname and
 * threads, which are information only. */
typedef struct {
    size_t n, S; /* samples, timesteps */
    hs_chw h, image;
    hs_dtype dtype;            /* of h: HS_F32 or HS_F16 */
    const int64_t *sample;     /* (n) global ids */
    const int *timestep;       /* (S) descending */
    const double *alpha_bar;   /* (S) */
    const uint64_t *seed;      /* (n) */
    const char *const *source; /* (n) file name or "prior" */
    int keep_x_T, keep_x_0, keep_eps;
    size_t unit; /* samples per unit of work and of commit; cut by sample index */
    size_t n_attr;
    const hs_attr *attr; /* fixed parameters: tap, model_name, model_sha256, schedule, spacing, seed, ... */
    size_t n_info;
    const hs_attr *info;                         /* informative: command_line, hostname, threads, cpu_isa, ... */
    const char *model_config, *scheduler_config; /* JSON text for /provenance */
} hs_store_spec;

typedef struct hs_store_writer hs_store_writer;

/* Creates PATH or continues it.  Already sealed with these parameters: HS_OK, *sealed = 1, *out =
 * NULL.  HS_ELOCKED: another writer; HS_ERANGE: PATH exists with other parameters (the first that
 * differs is named, with both values) or is something else, and stays untouched; with force such a
 * file is replaced, an unfinished store of the same parameters is continued all the same.  HS_EIO: the disk has
 * no room for the whole store (the message says how much; nothing is left behind).
 * The parameters are everything in spec but info; info is kept as it was when the store was created.
 * After an unclean end every committed unit is read and checked; one that fails is made again. */
HS_CHECKED int hs_store_begin(const char *path, const hs_store_spec *spec, int force, int *sealed,
                              hs_store_writer **out);
size_t hs_store_units(const hs_store_writer *w);
size_t hs_store_unit_first(const hs_store_writer *w, size_t unit, size_t *count); /* first sample, count */
int hs_store_has(const hs_store_writer *w, size_t unit);
size_t hs_store_committed(const hs_store_writer *w); /* units that survive a power cut now */
/* Writes one unit, which hs_store_has then reports; it is committed (its record synced after its data)
 * at the latest 5 s or 64 MiB of further puts later, or by hs_store_commit, seal or free.  A crash
 * before that costs the unit, never the store.  After HS_EIO or HS_ELOCKED the writer is dead: free it
 * and begin again.  HS_ERANGE: written already, or a kept array is NULL.  The unit: h (count, S, C, H, W) float32; x_T
 * (count, c, R, R), x_0 (count, R, R, c) uint8 and eps (count, S, c, R, R) where kept, else NULL. */
HS_CHECKED int hs_store_put(hs_store_writer *w, size_t unit, const float *h, const float *x_T, const uint8_t *x_0,
                            const float *eps);
/* Commits what is written. */
HS_CHECKED int hs_store_commit(hs_store_writer *w);
/* All units written: commits, verifies every CRC, sets the attributes finished and sealed by one write
 * within one disk sector (so that the file opens at any instant), removes the journal; the writer
 * can then only be freed.  HS_ERANGE: a unit is missing; HS_ECHECKSUM: the disk changed one (the
 * next begin finds out which and has it made again). */
HS_CHECKED int hs_store_seal(hs_store_writer *w);
/* Commits what is written (a failure goes to the log) and releases the lock; the files stay. */
void hs_store_writer_free(hs_store_writer *w);

typedef struct hs_store hs_store; /* a sealed store, or the index of one in shards (io/shards.h), open for reading */

/* Whether a file's hspace_kind is one that hs_store_open takes: "activations" or "index". */
int hs_store_kind(const char *kind);

/* Parsed in a jailed child first (io/h5jail).  HS_ERANGE: "still being written: k of n units";
 * HS_EFORMAT: not a store, cut off or damaged in its description; HS_ECHECKSUM: its parameter
 * record or coordinates fail their digests.  An index is refused with HS_EFORMAT unless every shard that it names
 * is there, sealed, and the part of it that it should be.  Reading takes no lock and is safe from any thread. */
HS_CHECKED int hs_store_open(const char *path, hs_store **out);
void hs_store_close(hs_store *s);
size_t hs_store_n(const hs_store *s);
size_t hs_store_S(const hs_store *s);
size_t hs_store_shards(const hs_store *s); /* 0: one file */
hs_chw hs_store_h(const hs_store *s);
hs_chw hs_store_image(const hs_store *s);
const int *hs_store_timesteps(const hs_store *s);
const double *hs_store_alpha_bar(const hs_store *s);
const char *hs_store_attr(const hs_store *s, const char *name); /* text of a root attribute or NULL */
/* hex <- digest of what each sample starts from: sample ids, seeds and the x_T drawn from them, the digest of given
 * x_T, or the names of inverted images.  Equal for the dumps of two models whose samples pair; "" of a store made of
 * arrays, which don't say. */
HS_CHECKED int hs_store_pairing(const hs_store *s, char hex[HS_SHA256_HEX]);
/* Every cell read is checked against its CRC-32C: HS_ECHECKSUM naming it; outputs before it may be
 * filled.  out (count, d) float32 <- h of samples [first, first + count) at step index k. */
HS_CHECKED int hs_store_read_h(const hs_store *s, size_t k, size_t first, size_t count, float *out);
/* The same of eps, (count, c R R); HS_ERANGE when it wasn't kept. */
HS_CHECKED int hs_store_read_eps(const hs_store *s, size_t k, size_t first, size_t count, float *out);
/* name "x_T", "eps" ... : whole rows of a kept array; HS_ERANGE when it wasn't kept. */
HS_CHECKED int hs_store_read(const hs_store *s, const char *name, size_t first, size_t count, float *out);

/* What `hspace info` prints, also of an unfinished store.
 * content_sha256 is the SHA-256 of the parameter record (the text of /provenance/parameters, which
 * holds every fixed parameter and the digests of sample, seed, source and the configurations), then,
 * for each of h, x_T, x_0, eps that is kept, its name with the NUL and its bytes in C order.  So it
 * is the same for the same parameters however often the dump was interrupted, whatever info said.
 * Cost: reads the whole store. */
typedef struct {
    size_t n, S, units_committed, units_total;
    hs_chw h;
    hs_dtype dtype;
    int sealed;
    size_t shards;                      /* of an index, else 0 */
    char content_sha256[HS_SHA256_HEX]; /* "" while unsealed */
    char store_id[HS_SHA256_HEX];
    char tap[64], model_sha256[HS_SHA256_HEX];
    int *timestep; /* (S); free() */
} hs_store_info;
HS_CHECKED int hs_store_inspect(const char *path, hs_store_info *out);

#endif
