/* Random numbers: counter-based streams.  Any element of any stream is reproducible alone, in any
 * order, on any thread: nothing is stateful.
 *
 * Philox4x32-10 (Salmon et al., SC 2011) from Random123; key = user seed, counter = (element / 4,
 * purpose, index low, index high).  Normals by Box-Muller in double, two per pair of uniforms. */
#ifndef HS_BASE_RNG_H
#define HS_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

/* What the numbers are for; part of the key, so that two purposes never share a stream.  Append
 * only: a changed number changes every result. */
typedef enum {
    HS_RNG_X_T = 1,          /* starting noise; index = sample id */
    HS_RNG_STEP_NOISE = 2,   /* z of a stochastic step; index = sample id << 16 | step */
    HS_RNG_DIRECTION = 3,    /* random directions; index = direction */
    HS_RNG_BOOTSTRAP = 4,    /* resampling; index = replicate */
    HS_RNG_RANGE_FINDER = 5, /* start block of svds; index = row */
    HS_RNG_WEIGHTS = 6,      /* random network weights; index = parameter */
    HS_RNG_TEST = 7,         /* tests and benchmarks */
    HS_RNG_TRAIN_T = 8,      /* timesteps of an update; index = update << 16 | image */
    HS_RNG_TRAIN_NOISE = 9,  /* noise of an update; index = update << 16 | image */
    HS_RNG_TRAIN_DATA = 10,  /* which images, and flips; index = update << 16 | image */
    HS_RNG_FACES = 11,       /* factors of a face; index = face */
    HS_RNG_PROBE = 12,       /* folds of a probe, index = 0; shuffled labels, index = shuffle << 32 | fold */
    HS_RNG_CAPTION = 13,     /* captions of faces; index = caption, in training update << 16 | image */
    HS_RNG_AUGMENT = 14,     /* what is done to an image of an update; index = update << 16 | image */
    HS_RNG_PERMUTE = 15,     /* permutations of a null; index = permutation */
    HS_RNG_PERTURB = 16,     /* noise of robustness; index = sample id << 20 | step << 4 | space */
    HS_RNG_GEOMETRY = 17     /* index = hs_rng_geometry << 48 | draw */
} hs_rng_purpose;

/* What geometry draws. */
typedef enum {
    HS_RNG_CLOUD = 1, /* clouds of a given spectrum */
    HS_RNG_QUADRUPLE = 2,
    HS_RNG_FORWARD = 3,     /* noise of q(x_t | x_0); draw = noise */
    HS_RNG_PROBE_TRACE = 4, /* Hutchinson's probes; draw = sample << 24 | timestep << 16 | probe */
    HS_RNG_SUBSPACE = 5,    /* random subspaces; draw = row */
    HS_RNG_PATH = 6         /* random ends of paths; draw = pair */
} hs_rng_geometry;

/* A stream; by value, owns nothing. */
typedef struct {
    uint64_t seed;
    hs_rng_purpose purpose;
    uint64_t index;
} hs_rng;

/* out (n) <- elements first ... first + n - 1 of the stream; first < 2^33. */
void hs_rng_u32(hs_rng stream, uint64_t first, size_t n, uint32_t *out);
/* The same as standard normals: float32 rounded from double. */
void hs_rng_normal(hs_rng stream, uint64_t first, size_t n, float *out);
/* Element i of the stream as a double in [0, 1), 53 bits. */
double hs_rng_uniform(hs_rng stream, uint64_t i);
/* Element i of the stream as a whole number in [0, bound), unbiased to 2^-32; bound >= 1. */
uint32_t hs_rng_below(hs_rng stream, uint64_t i, uint32_t bound);

#endif
