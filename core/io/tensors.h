/* Named tensors: what a weight file holds, whatever its format.  Filled by safetensors, ptzip
 * (.pth/.pt/.ckpt/.bin) and npy (.npy/.npz); read by the checkpoint loader and the importers. */
#ifndef HS_IO_TENSORS_H
#define HS_IO_TENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/tensor/dtype.h"

enum { HS_RANK_MAX = 16 };

/* One tensor: C order, little-endian, contiguous, any alignment.  Borrowed from its collection. */
typedef struct {
    const char *name; /* 1 to 4096 bytes, no NUL; else anything a file may say: escape before printing */
    hs_dtype dtype;
    size_t rank;
    uint64_t dim[HS_RANK_MAX];
    size_t count; /* elements = product of dim */
    const unsigned char *bytes;
} hs_tensor;

typedef struct hs_tensors hs_tensors; /* owns the names and the bytes */

size_t hs_tensors_count(const hs_tensors *ts);
const hs_tensor *hs_tensors_at(const hs_tensors *ts, size_t i);           /* in name order */
const hs_tensor *hs_tensors_find(const hs_tensors *ts, const char *name); /* NULL if absent */
/* The value a safetensors file's __metadata__ gives to key; NULL if none. */
const char *hs_tensors_metadata(const hs_tensors *ts, const char *key);
void hs_tensors_free(hs_tensors *ts);

/* out <- "(3, 32, 32)". */
enum { HS_SHAPE_TEXT = 160 };
void hs_tensor_shape_text(size_t rank, const uint64_t *dim, char out[HS_SHAPE_TEXT]);
/* A network's tensor: t (NULL: not there), found under name where (rank, dim) is wanted; fits: whether its shape will
 * do.  HS_EFORMAT, with the name and both shapes: missing, misshapen, or not floating point. */
HS_CHECKED int hs_tensor_check(const hs_tensor *t, const char *name, size_t rank, const size_t *dim, int fits);
/* True when t has exactly this shape. */
int hs_tensor_has_shape(const hs_tensor *t, size_t rank, const size_t *dim);
/* HS_EFORMAT: the configuration has no place for a tensor of that name. */
HS_CHECKED int hs_tensor_extra(const char *name);

/* *out <- all tensors of the file, told apart by its first bytes: safetensors, a sharded
 * .safetensors.index.json, a PyTorch zip (.pth .pt .ckpt .bin), .npy or .npz.  Of a PyTorch file
 * with nested dicts the names are joined by '.', of a list by its index ("0.conv_in.weight").
 * Of a lone .npy the one tensor is called "array".  The file is read once into memory: what
 * happens to it afterwards doesn't matter (hs_tensors_map is the other way).
 * HS_EFORMAT (malformed, unsafe, unknown), HS_ELIMIT, HS_EIO, HS_ENOMEM; messages start with path. */
HS_CHECKED int hs_tensors_open(const char *path, hs_tensors **out);

/* The same, but files of 1 MiB and more stay where they are, mapped: nothing is read before it is
 * used, and what was used can be dropped.  The price is that the file must stay as it is: after
 * use of the bytes, hs_tensors_check says whether it did; cut short, it raises SIGBUS where a lost byte is
 * touched (core/io/mapping.h; a program that must end in order handles that signal).
 * Replacing the file by rename or deleting it does no harm. */
HS_CHECKED int hs_tensors_map(const char *path, hs_tensors **out);
/* HS_EIO when a mapped file was changed since it was opened: then nothing that was computed from ts
 * since the last check counts.  HS_OK for NULL or what isn't mapped.  One fstat a file. */
HS_CHECKED int hs_tensors_check(const hs_tensors *ts);
/* *bytes <- len bytes of t from byte `first` of its own: where they lie, or, of a mapped file that a disk would have to
 * bring, read into room (len; NULL: never).  HS_EIO. */
HS_CHECKED int hs_tensors_lend(const hs_tensors *ts, const hs_tensor *t, size_t first, size_t len, void *room,
                               const unsigned char **bytes);
/* Where t begins in the file it was mapped from, and that file's size; 0 where it isn't mapped. */
int hs_tensors_place(const hs_tensors *ts, const hs_tensor *t, uint64_t *offset, uint64_t *size);
/* Gives the memory of mapped files back; the bytes stay valid and come again when touched. */
void hs_tensors_drop(const hs_tensors *ts);
/* The same for len bytes of t from byte `first` of its own, but for the last 2 MiB; calls in a row leave nothing out.
 */
void hs_tensors_drop_part(const hs_tensors *ts, const hs_tensor *t, size_t first, size_t len);

#endif
