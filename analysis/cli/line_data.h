/* What hspace linearity measures: read-outs over images x strengths, from a table, a sweep or a model. */
#ifndef HS_CLI_LINE_DATA_H
#define HS_CLI_LINE_DATA_H

#include "analysis/cli/common.h"
#include "analysis/cli/controls.h"
#include "analysis/properties/linearity.h"

/* A control's table; effects.n 0: it wasn't run. */
typedef struct {
    hs_effects effects;
    double noise_floor, spread;
} hs_line_control;

/* One table to be judged; owned. */
typedef struct {
    char readout[80]; /* "" of an effects table */
    hs_effects effects;
    hs_vector_shape shape; /* n 0: a scalar read-out */
    double *jacobian;      /* (n) cosine of the effect with the model's derivative, or NULL */
    hs_line_terms terms;   /* T 0: not those of a sum */
    double noise_floor, spread;
    double natural; /* the grid was cut to |s| <= natural, beyond which images are no longer; NaN: not judged */
    int controls;   /* some were wanted, or could have been */
    size_t K;       /* twins of the direction, */
    double *twin;   /* effects (K, n) at the largest strength: what it is judged beside */
    size_t Kd;      /* draws from the covariance of h, */
    double *draws;  /* theirs (Kd, n) */
    hs_line_control control[HS_CONTROLS];
    char missing[HS_CONTROLS][160]; /* why one wasn't run */
} hs_line_case;

typedef struct {
    size_t n;
    hs_line_case *item; /* owned */
    int untrained;
} hs_line_data;
void hs_line_data_free(hs_line_data *d);

/* Measures a table as item was: its verdict and numbers are out's, which the caller frees. */
typedef int (*hs_line_measure)(hs_cmd *c, const hs_line_case *item, hs_measurement *out);
/* Adds the controls of item to m, each measured by `measure`, and withholds a verdict that a control shares. */
HS_CHECKED int hs_line_controls(hs_cmd *c, const hs_line_case *item, int untrained, hs_line_measure measure,
                                hs_measurement *m);

/* One table a direction. */
HS_CHECKED int hs_line_of_effects(hs_cmd *c, const char *path, hs_line_data *out);
/* One table a read-out: those of --readout, else all; of a file that only has /strength and /effect (from
 * elsewhere) that one.  With the sweeps of n terms item->terms, too (hs_line_add_terms); n = 0: none.  HS_EFORMAT,
 * HS_ESHAPE: not a sweep; HS_ERANGE: no such read-out. */
HS_CHECKED int hs_line_of_sweep(hs_cmd *c, const char *path, size_t n, const char *const *term, hs_line_data *out);
/* item->terms <- what the sweeps of n files do at the largest strength of every item of d, which is of `sum`, the sweep
 * of their directions' sum; of a weighted sum each at the strength that it has there.  HS_ERANGE: fewer than two, the
 * sum's own or the same one twice, a read-out or a strength that one lacks, other images; HS_ESHAPE: as many or as long
 * as the sum's they are not. */
struct hs_sweep_in;
HS_CHECKED int hs_line_add_terms(hs_cmd *c, struct hs_sweep_in *sum, size_t n, const char *const *path,
                                 hs_line_data *d);
/* Runs the sweep of the options, with --null random directions; of several directions each alone, too. The caller
 * closes *cells, also after an error, when the answer is written (hs_resume_close). */
HS_CHECKED int hs_line_of_model(hs_cmd *c, hs_line_data *out, hs_run_cells *cells);

#endif
