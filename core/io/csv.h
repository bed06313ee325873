/* A table of text: a header, then rows of as many cells, separated by commas. */
#ifndef HS_IO_CSV_H
#define HS_IO_CSV_H

#include <stddef.h>

#include "core/base/error.h"

enum { HS_CSV_CELLS_MAX = 1024 };

typedef struct {
    char *text;   /* the file; lines and cells ended in place */
    char **row;   /* (n) the first cell of each row; the others follow it; may be put in another order */
    size_t n;     /* rows below the header */
    size_t cells; /* of every row */
    const char *head[HS_CSV_CELLS_MAX];
} hs_csv;

/* *out <- the file: at least two columns, no two of a name, empty lines left out, lines ended by \n or \r\n.  A
 * cell may stand in quotation marks, "" in it for one; it may hold commas then, but no end of line.  HS_EFORMAT
 * names the line; HS_EIO, HS_ELIMIT (above 1 GiB), HS_ENOMEM. */
HS_CHECKED int hs_csv_read(const char *path, hs_csv *out);
void hs_csv_free(hs_csv *t);
/* Cell c of a row; c < cells. */
const char *hs_csv_cell(const char *row, size_t c);
/* *c <- the column of that name; HS_EFORMAT without one. */
HS_CHECKED int hs_csv_column(const hs_csv *t, const char *name, size_t *c);

#endif
