/* --t-edit auto, --t-boost auto and `hspace curves`: the editing interval from distance curves. */
#ifndef HS_CLI_INTERVAL_H
#define HS_CLI_INTERVAL_H

#include "analysis/cli/common.h"
#include "analysis/sweep/curves.h"

extern const hs_opt hs_opts_interval[];       /* --curves --distance --auto-samples --cosine */
extern const hs_opt hs_opts_interval_texts[]; /* --source --target, read by the CLIP of --clip-model */

/* *out <- the timestep of an option (t-edit, t-boost), which goes into params; HS_T_AUTO where it is to be found.
 * HS_ERANGE: no number of 0 to T. */
enum { HS_T_AUTO = -1 };
HS_CHECKED int hs_interval_threshold(hs_cmd *c, const char *opt, size_t T, int *out);
/* *cosine <- that of the texts --source and --target, which goes into params, else --cosine.  wanted: t_edit is to be
 * found.  HS_ERANGE: one text without the other, texts where they aren't wanted or beside --cosine; as
 * hs_clip_text_cosine; HS_EDEGENERATE: the texts' cosine isn't above 0; HS_EIO, HS_EFORMAT: the CLIP. */
HS_CHECKED int hs_interval_cosine(hs_cmd *c, int wanted, double *cosine);

/* What was found, and by what. */
typedef struct {
    hs_curves curves;     /* measured ones; S 0 when --curves gives them */
    const char *distance; /* "features", "pixels" or "LPIPS" */
    double cosine;        /* of source and reference text; the edit's threshold is proportional to it */
    double edit, boost;   /* thresholds */
    double p_end, x_end;  /* the curves' values at their ends */
    int t_edit, t_boost;
} hs_interval_found;
void hs_interval_free(hs_interval_found *f);

/* The two curves of --curves: the paper's thresholds, 0.33 times the cosine and 1.2, decide. */
HS_CHECKED int hs_interval_given(hs_cmd *c, double cosine, hs_interval_found *out);
/* Curves of the model over the first --auto-samples of n images: thresholds as analysis/sweep/curves.h calibrates them.
 */
HS_CHECKED int hs_interval_measure(hs_cmd *c, const hs_model *m, const hs_steps *steps, size_t n, const float *x_T,
                                   double cosine, hs_interval_found *out);
/* Prints it and puts results.interval. */
void hs_interval_say(hs_cmd *c, const hs_interval_found *f);

#endif
