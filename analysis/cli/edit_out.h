/* What `hspace edit` says and writes: effects, reconstruction, images, strips. */
#ifndef HS_CLI_EDIT_OUT_H
#define HS_CLI_EDIT_OUT_H

#include "analysis/cli/edit_common.h"

/* The edited images of a run, and the unedited ones behind them. */
typedef struct {
    const hs_edit_job *job;
    size_t m1, m2;         /* strengths of the first and of the second direction; m2 is 0 when there is no grid */
    const double *s1, *s2; /* (m1), (m2); of a sum of directions s1 is 1 */
    const char *title;     /* names of the directions */
    size_t cells;          /* m1, or m1 m2: the first's strengths run fastest */
    float *x_0;            /* (n, cells + 1, C H W), the last column unedited; owned */
    double noise_floor;
} hs_edit_out;

/* results.effect, .strengths, .no_effect, .noise_floor; warns of cells without an effect. */
void hs_edit_out_report(hs_cmd *c, const hs_edit_out *e);
/* Writes -o; x_0 is no longer what it was. */
HS_CHECKED int hs_edit_out_write(const hs_cmd *c, hs_edit_out *e);

#endif
