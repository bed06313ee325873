/* Files as hspace reads and writes them: regular files only, whole or not at all.
 *
 * Reading goes through pread into own memory: a file that another process truncates meanwhile is then
 * HS_EIO and not a SIGBUS.  Sizes are taken once, at open.  Only weights are mapped (mapping.h).
 * Symbolic links given by the user are followed; names that come out of files are not
 * (hs_file_open_beside).  Messages start with the path. */
#ifndef HS_IO_FILE_H
#define HS_IO_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/sha256.h"

typedef struct {
    int fd;
    uint64_t size; /* bytes, at open */
} hs_file;

/* *out <- path opened for reading; never blocks.  HS_EIO (absent, not permitted), HS_EFORMAT for
 * what isn't a regular file (folder, FIFO, device, socket). */
HS_CHECKED int hs_file_open(const char *path, hs_file *out);
/* The same for NAME in the folder of PATH.  name must be a plain base name (no separator of any
 * system, not "." or "..") and not a symbolic link, else HS_EFORMAT. */
HS_CHECKED int hs_file_open_beside(const char *path, const char *name, hs_file *out);
/* buf <- len bytes from offset; HS_EIO when the file ends before. */
HS_CHECKED int hs_file_read_at(const hs_file *f, const char *path, uint64_t offset, void *buf, size_t len);
void hs_file_close(hs_file *f);

/* *bytes (free()) <- the whole file, len bytes.  Above max bytes: HS_ELIMIT, nothing read. */
HS_CHECKED int hs_file_read(const char *path, size_t max, unsigned char **bytes, size_t *len);

/* HS_ELIMIT when bytes is more than this machine's memory, else HS_OK: what a file claims and
 * does hold (a sparse file holds anything) must still fit. */
HS_CHECKED int hs_file_fits_memory(uint64_t bytes);

/* hex <- SHA-256 of the file's bytes, read in blocks.  Errors as hs_file_open. */
HS_CHECKED int hs_file_sha256(const char *path, char hex[HS_SHA256_HEX]);

/* A file being written under a temporary name beside its final one.  commit flushes it to the disk,
 * renames it and flushes the folder; free without commit removes it. */
typedef struct hs_outfile hs_outfile;

/* HS_ERANGE when path exists and force is 0 ("exists; use -f"), or is no regular file; HS_EIO. */
HS_CHECKED int hs_outfile_begin(const char *path, int force, hs_outfile **out);
HS_CHECKED int hs_outfile_write(hs_outfile *f, const void *bytes, size_t len);
/* HS_ERANGE when path has come to exist since begin (force 0); HS_EIO. */
HS_CHECKED int hs_outfile_commit(hs_outfile *f);
void hs_outfile_free(hs_outfile *f);

/* True for the name of a file that a killed process left half written: NAME.PID.N.tmp, or a figure's of gnuplot. */
int hs_outfile_is_left(const char *name);

/* All of it in one call. */
HS_CHECKED int hs_file_write_atomic(const char *path, const void *bytes, size_t len, int force);

#endif
