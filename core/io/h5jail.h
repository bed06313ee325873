/* Strangers' HDF5 files: parsed in a jailed child first, then under the same rules here.
 *
 * The HDF5 library isn't written for hostile files: some make it crash or loop.  So the plan of
 * calls that this process is about to make on a file is made first by a forked child that may
 * only read: limits on memory, CPU time and core dumps; no plugins; and, on x86-64 and arm64 Linux,
 * a system call filter that lets it open nothing but for reading, nothing at all once the file is
 * open, and write to its report pipe and stderr only.  The child reports its status and message; death by a
 * signal or without a report is HS_EFORMAT "the HDF5 library crashed on this file".  When the
 * child came through, the same calls on the same bytes come through here.
 *
 * The child runs no OpenMP and leaves by _exit.  The file is the caller's path, symbolic links
 * followed; it must be a regular file.  Cost: about 3 ms plus what the plan reads.
 *
 * Rules for every object (checked by the child and again here): each component of a name is a hard
 * link (external and soft links refused); no external storage; no virtual data; filters only
 * deflate, shuffle and fletcher32; decoded chunks of at most 64 MiB; an extent of at most 1000
 * times the stored bytes (HS_ELIMIT); rank at most 8. */
#ifndef HS_IO_H5JAIL_H
#define HS_IO_H5JAIL_H

#include <hdf5.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/tensor/dtype.h"

enum { HS_H5_RANK = 8 };

/* *file <- PATH open for reading (H5Fclose), after plan(file, ctx) came back HS_OK from the jailed
 * child.  HS_EIO: absent or unreadable; HS_EFORMAT: not HDF5, or it crashed or outran the child;
 * else what plan returned. */
HS_CHECKED int hs_h5jail_open(const char *path, int (*plan)(hid_t file, void *ctx), void *ctx, hid_t *file);

/* A plan: every object within 8 levels and 10,000 links is opened, every attribute read, and every
 * chunked array decoded.  Objects that break a rule are passed over (naming one later fails). */
HS_CHECKED int hs_h5_walk(hid_t file, void *unused);

typedef struct {
    size_t rank, dim[HS_H5_RANK];
    size_t count;    /* product of dim */
    int is_text;     /* strings, fixed or variable */
    hs_dtype dtype;  /* where not text */
    int contiguous;  /* stored as one run of bytes at offset */
    uint64_t offset; /* in the file, where contiguous and not empty */
} hs_h5_array;

/* *out <- the array NAME ("a/b"; H5Dclose) and, where info isn't NULL, what it is.  HS_EFORMAT:
 * absent or against the rules, HS_ELIMIT: extent bomb. */
HS_CHECKED int hs_h5_array_open(hid_t file, const char *name, hid_t *out, hs_h5_array *info);
/* 1 when the whole name exists and consists of hard links. */
int hs_h5_has(hid_t file, const char *name);
/* bytes <- rows [first, first + n) of the first dimension as stored (little-endian); numbers only. */
HS_CHECKED int hs_h5_read_rows(hid_t array, const hs_h5_array *info, size_t first, size_t n, void *bytes);
/* *out (free each, and the list) <- the strings of a text array of rank 0 or 1. */
HS_CHECKED int hs_h5_read_texts(hid_t array, const hs_h5_array *info, char ***out);
/* *out (free()) <- text attribute; *value <- scalar numeric attribute.  HS_EFORMAT when absent or of another type. */
HS_CHECKED int hs_h5_attr_get_text(hid_t object, const char *name, char **out);
HS_CHECKED int hs_h5_attr_get_f64(hid_t object, const char *name, double *value);

#endif
