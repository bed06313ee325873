/* What hspace geometry found, as JSON, as text, in a result file and as strips. */
#ifndef HS_CLI_GEOMETRY_OUT_H
#define HS_CLI_GEOMETRY_OUT_H

#include "analysis/cli/common.h"
#include "analysis/geometry/flatness.h"
#include "analysis/geometry/noise.h"
#include "analysis/geometry/pullback.h"
#include "analysis/geometry/skips.h"

/* The results of a run; a section that didn't run has S = 0. */
typedef struct {
    const hs_geometry_run *run;
    const hs_geometry_statistics *statistics;
    const char *paragraph;
    size_t n; /* samples */
    hs_chw image;
    int untrained;
    hs_geometry_noise noise;
    hs_geometry_pullback pullback;
    hs_geometry_flatness flatness;
    hs_geometry_skips skips;
} hs_geometry_results;
void hs_geometry_results_free(hs_geometry_results *g);

/* results.paragraph, timesteps, n and statistics, each an estimate with "null": {"value", "ci", "what"}, or null and
 * "null_reason". */
void hs_geometry_json(hs_cmd *c, const hs_geometry_results *g);
/* The means over timesteps with their nulls, and the paragraph. */
void hs_geometry_say(hs_cmd *c, const hs_geometry_results *g);
/* Kind geometry: /statistic, /statistic_value, _low, _high, _reason, _n, _estimator, _null, _null_low, _null_high,
 * _null_what; of the sections that ran /share, /share_low, /share_high, /share_x (timestep, part), /distance (timestep,
 * pair), /sigma, /trace, /trace_low, /trace_high, /rank, /residual (map, timestep, sample[, singular]), /spectrum
 * (map, timestep, singular: mean over samples of sigma over the first), /skip_rms, /skip_cosine (timestep, skip),
 * /h_rms, and /gromov_delta and /midpoint_deviation with _low, _high, _null, _null_low, _null_high (timestep). */
HS_CHECKED int hs_geometry_write(hs_cmd *c, const hs_geometry_results *g, const char *path);
/* x0hat along the paths: a row straight, a row relaxed, for every pair. */
HS_CHECKED int hs_geometry_strip(hs_cmd *c, const hs_geometry_results *g, const char *path);

#endif
