/* loss.csv: a row every so many updates, and what the loss curve is drawn from. */
#ifndef HS_TRAIN_TABLE_H
#define HS_TRAIN_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

typedef struct {
    uint64_t update;
    double loss, grad_norm;   /* means over the updates since the row before */
    double rate;              /* of the last of them */
    double images_per_second; /* of updates alone, without checkpoints and pictures */
    double seconds;           /* of the whole run */
} hs_table_row;

/* *fd <- the table in folder, open for hs_table_add; created when absent.  Rows beyond update `upto` are
 * cut off, with whatever follows them (a row half written when the process died).  Close *fd.  HS_EIO;
 * HS_EFORMAT: not such a table. */
HS_CHECKED int hs_table_open(const char *folder, uint64_t upto, int *fd);
HS_CHECKED int hs_table_add(int fd, const hs_table_row *row);
/* *row (n; free()) <- all complete rows.  Errors as hs_table_open; HS_ENOMEM. */
HS_CHECKED int hs_table_read(const char *folder, hs_table_row **row, size_t *n);

#endif
