/* The store's file: what it consists of, how it is laid out, and how it is read back.  Private to
 * the store. */
#ifndef HS_IO_STORE_FILE_H
#define HS_IO_STORE_FILE_H

#include <hdf5.h>

#include "core/io/store.h"

/* A part: one array cut into cells, each with a CRC in an array beside it.  Sample i holds `cells`
 * cells of `cell` bytes at offset + i * cells * cell, their CRCs at crc_offset + 4 * i * cells. */
enum { HS_PART_H, HS_PART_XT, HS_PART_X0, HS_PART_EPS, HS_PARTS };
typedef struct {
    int present;
    const char *name, *crc_name;
    hs_dtype dtype;
    size_t cells, cell;
    uint64_t offset, crc_offset;
} hs_store_part;

typedef struct {
    size_t n, S, unit;
    hs_chw h, image;
    hs_dtype dtype;
    hs_store_part part[HS_PARTS];
    int sealed;
    uint64_t file_size;
    char store_id[HS_SHA256_HEX];
    char *params; /* the parameter record */
    int *timestep;
    double *alpha_bar;
    int64_t *sample; /* (n) */
    uint64_t *seed;  /* (n) */
    char **source;   /* (n) */
    char *model_config, *scheduler_config;
    char **shard; /* of an index: the names of its files, relative to its folder */
    size_t shards;
    char **attr; /* name, text, name, text ...: text attributes of the root */
    size_t n_attr;
} hs_store_file;

/* *out (free()) <- the parameter record of spec: one "key value" a line, all that decides the bytes
 * of the store; its SHA-256 is the store id.  HS_ERANGE for a spec that makes no sense. */
HS_CHECKED int hs_store_params(const hs_store_spec *spec, char **out);
/* Parses the numbers of a record into f (n, S, unit, h, image, dtype, parts).  HS_EFORMAT. */
HS_CHECKED int hs_store_params_parse(const char *params, hs_store_file *f);
/* HS_OK when equal, else HS_ERANGE naming the first parameter that differs, with both values. */
HS_CHECKED int hs_store_params_compare(const char *there, const char *here);
/* The value of a key in a record, *len long; NULL when absent. */
const char *hs_store_params_get(const char *params, const char *key, size_t *len);
/* The digest lines of the arrays that are as long as the samples. */
HS_CHECKED int hs_store_digest_bytes(const void *bytes, size_t len, char hex[HS_SHA256_HEX]);
HS_CHECKED int hs_store_digest_texts(const char *const *text, size_t n, char hex[HS_SHA256_HEX]);

/* Where an index finds its arrays: rows first ... first + count - 1 of them in the file of this name. */
typedef struct {
    const char *name;
    size_t first, count;
} hs_store_link;

/* Creates PATH, sealed, with everything but the cells, which are virtual. */
HS_CHECKED int hs_store_index_create(const char *path, const hs_store_spec *spec, const char *params, size_t n,
                                     const hs_store_link *link);
/* Creates PATH with everything but the cells, reserves its full size, and syncs it. */
HS_CHECKED int hs_store_file_create(const char *path, const hs_store_spec *spec, const char *params);
/* f <- what PATH, a store or an index, says it is, parsed in the jail first.  HS_EFORMAT: not a store; HS_ECHECKSUM:
 * its record or coordinates fail their digests. */
HS_CHECKED int hs_store_file_load(const char *path, hs_store_file *f);
/* The text of a root attribute, or NULL. */
const char *hs_store_file_attr(const hs_store_file *f, const char *name);
void hs_store_file_clear(hs_store_file *f);

/* The one write that seals: PATH's metadata with finished and sealed set, as HDF5 itself would
 * leave them, differ from the present ones in `len` bytes at `offset` only, all in one 512-byte
 * sector; patch (512 bytes) holds the new ones.  Works on a copy of the metadata at PATH.seal, which it removes. */
HS_CHECKED int hs_store_file_seal_patch(const char *path, const hs_store_file *f, const char *finished,
                                        uint64_t *offset, size_t *len, unsigned char patch[512]);

#endif
