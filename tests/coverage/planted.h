/* Planted data of known truth, drawn anew for every set. */
#ifndef HS_TESTS_PLANTED_H
#define HS_TESTS_PLANTED_H

#include <stddef.h>
#include <stdint.h>

#include "analysis/properties/damage.h"
#include "analysis/properties/deltas.h"
#include "analysis/properties/effects.h"

/* Standard normal numbers first ... of a stream of a data set. */
void planted_normals(uint64_t set, uint64_t stream, size_t first, size_t n, float *z);
double planted_normal(uint64_t set, uint64_t stream, size_t i);
/* -1 for a share `flip` of the images, by chance. */
double planted_sign_of(double flip, uint64_t set, size_t i);

/* Deltas D_ik = a_i (sqrt(g) e + sqrt(tau) e_k + noise) as deltas_planted (tests/support/delta_sample.h), a_i normal
 * about 1; some images flipped, image 0 larger. */
typedef struct {
    double g, tau, gain_sd; /* of a_i; 0: all alike */
    double flip;            /* share of the images with a_i < 0, chosen by chance */
    double outlier;         /* a_0, or 0: like the others */
} deltas_plan;

enum { PLANTED_STEPS = 4, PLANTED_D = 24 };
/* (n, PLANTED_STEPS, PLANTED_D), free(). */
float *planted_values(const deltas_plan *p, size_t n, uint64_t set);
hs_deltas planted_deltas(const deltas_plan *p, size_t n, uint64_t set);
/* Means with cosines exp(-|t_k - t_l| / 200) at 5 steps, noise of this sd an axis. */
hs_deltas planted_decay(double noise, size_t n, uint64_t set);

/* A sweep: phi_i(s) = N(0, spread) + a_i g(s) + noise_i z on an even grid of m strengths to +-reach, 8 nulls; of that
 * grid, as where images are unnatural below, the strengths from -below on. */
typedef struct {
    double (*g)(double s);
    size_t m;
    double reach, scale, gain_sd; /* a_i = scale (1 + gain_sd z) */
    double below;                 /* 0: all of it */
    double skew;                  /* or scale (1 - skew + skew times an exponential) where above 0 */
    double flip, outlier;         /* as above; a_0 = scale outlier */
    double noise, unequal;        /* noise_i = noise exp(unequal z), of mean square noise^2 */
    double spread, null;          /* rms effect of nulls at reach about null reach */
} sweep_plan;

hs_effects planted_sweep(const sweep_plan *p, size_t n, uint64_t set);

double planted_line(double s);
double planted_tanh(double s);      /* index .80 on -2:2 */
double planted_saturated(double s); /* tanh 4 s */
double planted_bent(double s);      /* s + .15 s^2 */
double planted_square(double s);
double planted_sign(double s);
double planted_turning(double s);   /* s - .25 s^3: no line, falls at the ends */
double planted_returning(double s); /* s - .35 s^3: the other way at the ends */
double planted_soft(double s);      /* s - .02 s^3: nearly a line */

/* Damage floor_i + a_i l^4 / (l^4 + s^4) + noise, a_i = exp(spread z) of mean 1, levels 0 and half octaves from 1/16 to
 * `top` or so; a s of 0: no such arm. */
typedef struct {
    double s[HS_ARMS], noise, spread, outlier; /* a_0 is this where above 0 */
    size_t m;                                  /* levels, 14 reach 4 */
} damage_plan;

hs_damage planted_damage(const damage_plan *p, size_t n, uint64_t set);

#endif
