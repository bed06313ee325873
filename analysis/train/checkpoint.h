/* The state of a training run on disk: checkpoint.safetensors in the run's folder.
 *
 * Tensors theta, m, v, average (n), float32; metadata update, seconds, fingerprint, and the sums of the
 * table's unfinished row.  Numbers are written so that they are read back to the same bits. */
#ifndef HS_TRAIN_CHECKPOINT_H
#define HS_TRAIN_CHECKPOINT_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

/* What an unfinished row has summed over its updates. */
typedef struct {
    uint64_t updates;
    double loss, grad_norm, seconds;
} hs_row_sums;

typedef struct {
    size_t n;
    float *theta, *m, *v, *average; /* (n) each, borrowed */
    const char *fingerprint;        /* lines "KEY VALUE\n" */
    uint64_t update;                /* done so far */
    double seconds;                 /* in all runs together */
    hs_row_sums row;
} hs_train_state;

int hs_checkpoint_there(const char *folder);
/* Removes what killed runs left half written in the folder (hs_outfile_is_left). */
void hs_checkpoint_sweep(const char *folder);
/* HS_EDEGENERATE when a parameter is not finite: to be asked before anything is written. */
HS_CHECKED int hs_checkpoint_finite(const hs_train_state *s);
/* Replaces the checkpoint atomically.  HS_EIO: the former one stays. */
HS_CHECKED int hs_checkpoint_write(const char *folder, const hs_train_state *s);
/* Fills theta ... average, update, seconds and row.  HS_ERANGE: no checkpoint, or one of another
 * fingerprint (what differs is named, both values); HS_EFORMAT: damaged; HS_EIO.  s is untouched on error. */
HS_CHECKED int hs_checkpoint_read(const char *folder, hs_train_state *s);

#endif
