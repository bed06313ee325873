/* safetensors: 8 bytes little-endian N, N bytes of JSON, the data.  The JSON maps each name to
 * {"dtype", "shape", "data_offsets": [begin, end)} relative to the data; "__metadata__" maps strings
 * to strings.  Source: the format's description at huggingface/safetensors.
 *
 * A subset of what the reference reads: no 8-bit or smaller floats, shapes below 2^63 whose product
 * fits even without its zero factors, at most 16 dimensions, names of 1 to 4096 bytes without NUL,
 * at most a million JSON values, unknown keys refused. */
#ifndef HS_IO_SAFETENSORS_H
#define HS_IO_SAFETENSORS_H

#include "core/io/tensors.h"

enum { HS_SAFETENSORS_HEADER_MAX = 100000000 };

/* N of the first 8 bytes of a file of size bytes; HS_EFORMAT when it can't be right. */
HS_CHECKED int hs_safetensors_header_size(const unsigned char first[8], uint64_t size, size_t *out);

/* *out <- the tensors that the JSON text describes, over data_len bytes at data (borrowed, not looked
 * at); each dtype, shape and range checked, the ranges disjoint and covering the data.
 * HS_EFORMAT, HS_ELIMIT, HS_ENOMEM.  Cost O(len + n log n). */
HS_CHECKED int hs_safetensors_parse(const char *json, size_t len, const unsigned char *data, size_t data_len,
                                    hs_tensors **out);

/* The whole file in memory: both steps. */
HS_CHECKED int hs_safetensors_from_memory(const unsigned char *bytes, size_t len, hs_tensors **out);

/* A file, read or (from 1 MiB up, hs_tensors_map) mapped, and a sharded one, mapped or not, by its
 * *.safetensors.index.json; messages start with the path. */
HS_CHECKED int hs_safetensors_open(const char *path, hs_tensors **out);
HS_CHECKED int hs_safetensors_map(const char *path, hs_tensors **out);
HS_CHECKED int hs_safetensors_open_index(const char *path, int mapped, hs_tensors **out);

typedef struct {
    const char *key, *value;
} hs_pair;

/* PATH <- n tensors (name, dtype, rank, dim, bytes; count is computed) and n_meta metadata pairs,
 * laid out as the reference does: larger element types first, then by name; header padded to 8
 * bytes.  Written atomically (file.h): HS_ERANGE when it exists and force is 0, or for names that
 * are doubled, empty, "__metadata__" or not UTF-8; HS_EIO, HS_ELIMIT, HS_ENOMEM. */
HS_CHECKED int hs_safetensors_write(const char *path, size_t n, const hs_tensor *tensor, size_t n_meta,
                                    const hs_pair *meta, int force);

#endif
