/* What all sections of a geometry run share: the network, the timesteps, and the states of N samples at them. */
#ifndef HS_GEOMETRY_STATES_H
#define HS_GEOMETRY_STATES_H

#include "analysis/geometry/statistic.h"
#include "core/base/log.h"
#include "core/model/model.h"

typedef struct {
    const hs_model *m; /* one class, or none, for all images */
    hs_conv_mode conv;
    size_t batch; /* images or rows at once */
    size_t S;     /* timesteps */
    const int *t; /* (S) falling */
    uint64_t seed;
    size_t draws; /* K of every null that is drawn */
    hs_bootstrap_options bootstrap;
    const hs_progress *progress;
    hs_geometry_statistics *statistics; /* sections append to it */
} hs_geometry_run;

typedef struct {
    size_t n, S, d_x, d_h;
    float *x;   /* (S, n, d_x) on the trajectory of deterministic DDIM */
    float *h;   /* (S, n, d_h) */
    float *x_0; /* (n, d_x) its end */
} hs_geometry_states;
void hs_geometry_states_free(hs_geometry_states *s);

/* *out <- the states from x_T (n, d_x) over steps, which visit all of run's timesteps (else HS_ERANGE).  Errors as
 * hs_ddim_sample. Cost: an evaluation a step and image; S n (d_x + d_h) floats. */
HS_CHECKED int hs_geometry_states_of(const hs_geometry_run *run, const hs_steps *steps, size_t n, const float *x_T,
                                     hs_geometry_states *out);

/* alpha_bar at run's timestep number k. */
double hs_geometry_alpha_bar(const hs_geometry_run *run, size_t k);

#endif
