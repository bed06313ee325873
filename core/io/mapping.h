/* Files mapped read-only, and how one notices that they change meanwhile.
 *
 * A mapping shows the file, not a copy: pages come when touched and the system may drop them again.
 * Two things follow.  Whoever writes into the file changes what is read; hs_mapping_check finds that
 * by size and time of modification, and whatever was computed since the last check is then worthless.
 * Whoever cuts the file makes a touch of the lost pages raise SIGBUS.  A library can't own that signal:
 * checking before the touch leaves a window of the touch's own length, and a program closes it with
 * a handler that ends it (analysis/cli does, exit code 5).  A file replaced by rename, or deleted, goes
 * on as it was. */
#ifndef HS_IO_MAPPING_H
#define HS_IO_MAPPING_H

#include <time.h>

#include "core/io/file.h"

typedef struct {
    const unsigned char *bytes;
    size_t len;
    int fd;
    struct timespec modified;
} hs_mapping;

enum { HS_MAP_MIN = 1 << 20 }; /* below this, reading is as cheap and has no conditions */

/* *out <- all of f, which may be closed then.  HS_EIO, also when f has changed its size since it was
 * opened; HS_ELIMIT when it is larger than the machine's memory; HS_ERANGE when it is empty. */
HS_CHECKED int hs_mapping_open(const hs_file *f, const char *path, hs_mapping *out);
/* HS_EIO when the file's size or time of modification isn't what it was at open.  One fstat. */
HS_CHECKED int hs_mapping_check(const hs_mapping *m);
/* 1 when byte `at` of the file is in memory, as far as the system tells without a disk. */
int hs_mapping_cached(const hs_mapping *m, size_t at);
enum { HS_MAP_WINDOW = 2 << 20 }; /* bytes: what parts are rounded to */
/* Maps bytes [first, first + len) at once, whole windows of HS_MAP_WINDOW: where the system keeps the file in pages of
 * that size, as Linux does from 6.16 on with ext4, that costs next to nothing; copying costs more than either.  For
 * what is in memory: from a disk, reading is faster, and leaves larger pages. */
void hs_mapping_fetch(const hs_mapping *m, size_t first, size_t len);
/* Gives the pages back to the system; the next touch brings them again. */
void hs_mapping_drop(const hs_mapping *m);
/* Those of the windows from the one of byte `first` on up to that of byte first + len, which stays. */
void hs_mapping_drop_part(const hs_mapping *m, size_t first, size_t len);
void hs_mapping_close(hs_mapping *m); /* of a zeroed mapping: nothing */

#endif
