/* What hspace import makes of arrays from elsewhere. */
#ifndef HS_CLI_IMPORT_H
#define HS_CLI_IMPORT_H

#include "analysis/cli/common.h"

/* Arrays of the same rows-of-h kind, joined along the first dimension. */
typedef struct {
    size_t n, S; /* rows (samples or directions); timesteps, 0: the arrays had no such dimension */
    hs_chw h;
    float *v;      /* (n, max(S, 1), C H W); owned */
    char **source; /* (n) the file of each row; owned */
    int *t;        /* (S) timesteps that the first file says itself, or NULL; owned */
} hs_imported;
void hs_import_free(hs_imported *r);

/* *out <- the arrays of the files of c: the only one of a .npy, .npz, .safetensors or .pth file, or the
 * one named --what (h, or delta_h without_rows, when left out); of HDF5 files the named one.  By rank:
 *   5 (n, S, C, H, W)   4 (n, C, H, W)   3 (n, S, d)   2 (n, d): h = (d, 1, 1)
 * or, without_rows (directions), one less: 4 (S, C, H, W), 3 (C, H, W), 2 (S, d), 1 (d).
 * An array t, timestep or timesteps beside it in the first file says the timesteps.
 * HS_ESHAPE: another rank, or files that don't fit each other. */
HS_CHECKED int hs_import_rows(hs_cmd *c, int without_rows, hs_imported *out);
/* The same of these n files instead of all inputs. */
HS_CHECKED int hs_import_rows_of(hs_cmd *c, size_t n, const char *const *path, int without_rows, hs_imported *out);

/* *t (free()) <- max(S, 1) timesteps: --t, else what the file says, else the positions S - 1 ... 0 with a
 * warning.  HS_ERANGE: --t has another number, or doesn't fall. */
HS_CHECKED int hs_import_times(hs_cmd *c, const hs_imported *r, int **t);

HS_CHECKED int hs_import_activations(hs_cmd *c);
HS_CHECKED int hs_import_deltas(hs_cmd *c);
HS_CHECKED int hs_import_directions(hs_cmd *c);

#endif
