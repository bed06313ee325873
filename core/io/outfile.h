/* Output files that appear under their final name only when complete. */
#ifndef HS_IO_OUTFILE_H
#define HS_IO_OUTFILE_H

#include <stdio.h>

#include "core/base/error.h"

typedef struct {
    FILE *f;           /* to write to; owned */
    char *path, *temp; /* final name; the name until commit, in the same folder */
    int force;
} hs_outfile;

/* Opens PATH.tmp.PID for writing.  HS_ERANGE: path exists and force is 0 ("exists; use -f"),
 * HS_EIO, HS_ENOMEM; *out is zeroed on error. */
HS_CHECKED int hs_outfile_begin(const char *path, int force, hs_outfile *out);

/* Flushes, fsyncs and renames (without force: links, so that a file that appeared meanwhile is
 * kept).  Frees *out also on error, when nothing is left behind.  HS_EIO, HS_ERANGE. */
HS_CHECKED int hs_outfile_commit(hs_outfile *out);

/* Removes the temporary file; legal on a zeroed or committed struct. */
void hs_outfile_abandon(hs_outfile *out);

#endif
