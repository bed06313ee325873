/* Noise schedules and the timesteps a sampler visits.  Everything in double.
 *
 *   beta_t, t = 0 ... T-1;  alpha_bar_t = prod_{s <= t} (1 - beta_s).  DDIM's alpha_t is Ho's
 *   alpha_bar_t; here it is always alpha_bar.  Ho et al. arXiv:2006.11239, Song et al.
 *   arXiv:2010.02502, Nichol and Dhariwal arXiv:2102.09672 (cosine). */
#ifndef HS_DIFFUSION_SCHEDULE_H
#define HS_DIFFUSION_SCHEDULE_H

#include <stddef.h>

#include "core/base/error.h"

typedef enum { HS_SCHEDULE_LINEAR, HS_SCHEDULE_SCALED_LINEAR, HS_SCHEDULE_COSINE, HS_SCHEDULE_TABLE } hs_schedule_kind;

/* How a schedule is described in a model's configuration. */
typedef struct {
    hs_schedule_kind kind;
    size_t T;                    /* number of training timesteps */
    double beta_start, beta_end; /* linear: ends of linspace; scaled_linear: of its square root */
    double cosine_s;             /* cosine: 0.008 */
    double beta_min, beta_max;   /* cosine: beta is clipped to this range (0, 0.999; anime64 1e-4, 0.9999) */
    const double *table;         /* kind TABLE: T betas; borrowed */
} hs_schedule_spec;

typedef struct {
    size_t T;
    double *beta, *alpha_bar; /* (T); owned */
} hs_schedule;

/* HS_ERANGE: T outside 1 ... 10^6, a beta outside (0, 1), alpha_bar below 1e-300. */
HS_CHECKED int hs_schedule_create(const hs_schedule_spec *spec, hs_schedule *out);
void hs_schedule_free(hs_schedule *s);

/* sqrt(alpha_bar_T): what x_T keeps of x_0. */
double hs_schedule_kept(const hs_schedule *s);
/* How far x_T = sqrt(alpha_bar_T) x_0 + sqrt(1 - alpha_bar_T) eps, which a network is trained on, stands from the N(0,
 * I) where samplers begin, along the brightness of images of d values and this mean: in standard deviations,
 *   sqrt(alpha_bar_T / (1 - alpha_bar_T)) |mean| sqrt(d).
 * The network takes what is missing for a property of the image: from about 1 on samples have other means than the
 * data, however long it is trained (Lin et al., WACV 2024, arXiv:2305.08891, on schedules that don't end in noise). */
double hs_schedule_offset(const hs_schedule *s, double mean, size_t d);

/* asyrp: int(linspace(0, 1, S) (T - 1) + 1e-6), includes 0 and T - 1; leading, trailing, linspace as
 * diffusers' DDIMScheduler. */
typedef enum { HS_SPACING_ASYRP, HS_SPACING_LEADING, HS_SPACING_TRAILING, HS_SPACING_LINSPACE } hs_spacing;

/* One visit of a sampler: at timestep t with alpha_bar, towards alpha_bar_next at t_next
 * (t_next = -1, alpha_bar_next = 1 at the end). */
typedef struct {
    int t, t_next;
    double alpha_bar, alpha_bar_next;
} hs_step;

typedef struct {
    size_t S;
    hs_step *step; /* (S), t descending; owned */
} hs_steps;

/* The S steps of a spacing.  leading/trailing/linspace follow diffusers: the previous timestep is
 * t - T / S, not the next of the list; below 0 the end is alpha_bar = 1 (set_alpha_to_one) or
 * alpha_bar_0.  HS_ERANGE: S = 0 or S > T (or a negative t). */
typedef struct {
    hs_spacing spacing;
    size_t S;
    int steps_offset;     /* diffusers' leading: added to each t */
    int set_alpha_to_one; /* 1: alpha_bar_next = 1 at the end */
} hs_steps_spec;
HS_CHECKED int hs_steps_create(const hs_schedule *s, const hs_steps_spec *spec, hs_steps *out);

/* The steps of an explicit list of timesteps, strictly descending, 0 <= t < T; the next of each is
 * its neighbour, of the last alpha_bar = 1. */
HS_CHECKED int hs_steps_from_list(const hs_schedule *s, size_t S, const int *t, hs_steps *out);

/* guided-diffusion's timestep_respacing: "ddimN": every i-th timestep from 0, i the least that gives N; "N" or
 * "A,B,...": T cut into as many sections of nearly one length, that many timesteps evenly in each, both its ends among
 * them.  alpha_bar is the full process's, of the last step 1.  HS_ERANGE: another text, a count that a section hasn't
 * or no i gives. */
HS_CHECKED int hs_steps_respaced(const hs_schedule *s, const char *respacing, hs_steps *out);
void hs_steps_free(hs_steps *s);

#endif
