/* Directions: one file format for all of them, whatever found them.
 *
 * A direction is a change of h, dh, for each timestep it was found at, or one for all of them, or a
 * network f_t(h, temb).  Files hold several under names:
 *   /direction (direction) strings, /timestep (timestep),
 *   /delta_h (direction, timestep, channel, y, x) or (direction, channel, y, x) when constant in t,
 *   or, where a file holds directions of several forms (or deltas beside them), NAME.delta_h ([timestep,] channel, y,
 *   x) each, with NAME.timestep;
 *   or, for delta networks, the arrays NAME.conv1.weight, NAME.conv1.bias ... ;
 *   attributes method, tap, model_sha256 ("" when unknown), space ("eps", or absent); of the array: match (below),
 *   linear when left out.
 * Beside directions of labels, /shuffled_delta_h (direction, shuffle, timestep, channel, y, x): the same recipe on
 * shuffled labels, their control.
 * In the space "eps" it is a change of the predicted noise, the rival of h: delta_eps of the image's shape, or a
 * network on patches of eps (hs_patches) as large as what one pixel of h stands for, so on the grid of h.
 * Strength 1 adds the stored dh.  Per-sample deltas are another kind of file and refused here, but for the
 * directions that `direction freeze` puts beside them. */
#ifndef HS_DIRECTIONS_DIRECTION_H
#define HS_DIRECTIONS_DIRECTION_H

#include <stddef.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/diffusion/editing.h"
#include "core/io/result.h"
#include "core/io/store.h"
#include "core/model/deltablock.h"
#include "core/model/unet_config.h"
#include "core/tensor/view.h"

/* What is taken at a timestep that isn't stored. */
typedef enum {
    HS_MATCH_LINEAR,  /* between the stored neighbours, beyond them the end */
    HS_MATCH_NEAREST, /* the nearest; of two as near the larger t */
    HS_MATCH_EXACT    /* nothing: hs_direction_covers refuses */
} hs_match;
/* *out <- "linear", "nearest", "exact".  HS_ERANGE. */
HS_CHECKED int hs_match_of(const char *text, hs_match *out);
const char *hs_match_name(hs_match m);

typedef enum { HS_SPACE_H, HS_SPACE_EPS } hs_space;
const char *hs_direction_array(hs_space space); /* "delta_h", "delta_eps" */
/* The shape of one h or one eps of a store; out (count, d) <- those of samples [first, first + count) at step index k.
 */
hs_chw hs_space_shape(const hs_store *store, hs_space space);
HS_CHECKED int hs_space_read(const hs_store *store, hs_space space, size_t k, size_t first, size_t count, float *out);

typedef struct {
    char *file, *name;
    hs_space space;
    hs_chw shape; /* of dh; of a network only the channels */
    size_t S;     /* stored timesteps; 0: constant in t, or a network */
    int *t;       /* (S) descending, NULL when S is 0 */
    float *dh;    /* (max(S, 1), C H W), NULL for a network */
    hs_match match;
    unsigned long long seed; /* of the run that found it; 0 where the file doesn't say */
    size_t found_steps; /* of one without timesteps: of the sampler it was found with (asyrp spacing); 0: unknown */
    int found_t_edit;   /* of one without timesteps: it was found at steps with t at or above this; 0: unknown */
    hs_deltablock *net; /* f_t, or NULL */
    char *model_sha256, *tap; /* "" when the file doesn't say */
} hs_direction;

/* *file, *name (free() both) <- the halves of FILE.h5[:NAME]: the whole string if it exists as a file, else split at
 * the last colon; *name is NULL without one. */
HS_CHECKED int hs_direction_split(const char *spec, char **file, char **name);

/* Opens FILE.h5[:NAME], split as hs_direction_split does.  NAME
 * matches a stored name first, then a 0-based index.  Several directions and no NAME: HS_ERANGE with
 * their list.  HS_EFORMAT: no directions in the file, or not what the format says. */
HS_CHECKED int hs_direction_open(const char *spec, hs_direction *out);
void hs_direction_free(hs_direction *d);

/* *out (owned, *n of them) <- the twins of d that its file holds: the same recipe on shuffled labels, each as long as d
 * at every timestep.  *n <- 0: it holds none.  HS_EFORMAT: not of d's shape, or one that is 0 or not finite. */
HS_CHECKED int hs_direction_shuffled(const hs_direction *d, size_t *n, hs_direction **out);

/* *n, *names <- the names stored in a file (free each and the list). */
HS_CHECKED int hs_direction_names(const char *path, size_t *n, char ***names);

/* *spec, emptied first, <- what opens the i-th of them: FILE:NAME, or FILE:INDEX of a name with a colon,
 * which can't be asked for by name. */
HS_CHECKED int hs_direction_spec(const char *path, size_t i, const char *name, hs_str *spec);

/* HS_ESHAPE unless the direction, of either space, fits a network: the same (C, H, W) of h or of the image; where the
 * file names them, the same weights and the middle block's output as its tap (force: only the shape); a network f_t:
 * the same channels and embedding width. */
HS_CHECKED int hs_direction_fits(const hs_direction *d, const hs_unet_config *cfg, const char *model_sha256, int force);

/* Pixels of the image along a side for one of h: what a network on eps takes together. */
size_t hs_direction_patch(const hs_unet_config *cfg);

/* out (of d's shape) <- dh at timestep t: the stored one, else what d->match says (exact: as nearest, for who didn't
 * ask hs_direction_covers).  Not for networks. */
void hs_direction_at(const hs_direction *d, int t, float *out);

/* HS_ESHAPE, naming the first, when d->match is exact and a timestep of steps at or above t_edit is not stored. */
HS_CHECKED int hs_direction_covers(const hs_direction *d, const hs_steps *steps, int t_edit);

/* *factor <- hs_rescale_factor of the direction's own timesteps and steps, over t >= t_edit: 1 for
 * HS_RESCALE_NONE.  A direction without timesteps was found with found_steps of them, spaced as Asyrp does.
 * HS_ERANGE: another rule for a direction that doesn't know its steps, or whose timesteps
 * are not of this schedule; HS_EDEGENERATE: no step at or above t_edit. */
HS_CHECKED int hs_direction_rescale(const hs_direction *d, const hs_schedule *schedule, const hs_steps *steps,
                                    int t_edit, hs_rescale rule, double *factor);

/* ---- Writing ---- */

typedef struct {
    const char *method;             /* "pca", "random", "import" */
    const char *tap, *model_sha256; /* "" when unknown */
    hs_space space;
    hs_chw shape;
    size_t n;
    const char *const *name; /* (n) */
    size_t S;                /* 0: constant in t */
    const int *t;            /* (S) */
} hs_direction_set;

/* Puts names, timesteps, an empty hs_direction_array and the attributes into r; the caller fills the array row by
 * row (hs_result_put_rows) and commits. */
HS_CHECKED int hs_direction_put(hs_result *r, const hs_direction_set *set);

/* Puts twins of a set's directions, n each, empty: /shuffled_delta_h (direction, shuffle, timestep, ...), filled row by
 * row; the name of the array is hs_direction_shuffled_array. */
HS_CHECKED int hs_direction_put_shuffled(hs_result *r, const hs_direction_set *set, size_t n);
const char *hs_direction_shuffled_array(hs_space space);

/* Puts one direction of its own form, NAME.delta_h (or NAME.delta_eps): dh (max(S, 1), C H W) at t (S), S = 0: constant
 * in t.  The caller puts /direction with all names and the origin (hs_direction_put_origin).  HS_ERANGE: a name of more
 * than 50 bytes, or one that can't be a name of arrays. */
HS_CHECKED int hs_direction_put_named(hs_result *r, hs_space space, const char *name, hs_chw shape, size_t S,
                                      const int *t, hs_match match, const float *dh);
/* Says in r that its directions are of eps; of h nothing is said. */
HS_CHECKED int hs_direction_put_space(hs_result *r, hs_space space);
HS_CHECKED int hs_direction_put_origin(hs_result *r, const char *method, const char *tap, const char *model_sha256);

/* Copies direction NAME of the file `spec` was opened from into r as `as`: dh in its own form, or a network's arrays
 * with their origin left to the caller.  HS_EFORMAT, HS_ERANGE. */
HS_CHECKED int hs_direction_copy(const hs_direction *d, hs_result *r, const char *as);

/* *n <- how many delta networks named tensors hold, prefix[i] "" or "0." ...; at most HS_DIRECTION_NETWORKS. */
enum { HS_DIRECTION_NETWORKS = 64 };
size_t hs_direction_networks(const hs_tensors *ts, char prefix[HS_DIRECTION_NETWORKS][8]);
/* Puts one of them as NAME.conv1.weight ...; names and origin are the caller's.  HS_EFORMAT. */
HS_CHECKED int hs_direction_put_network(hs_result *r, const hs_tensors *ts, const char *prefix, const char *name);

/* Puts the delta networks of named tensors (released Asyrp form: "0.conv1.weight" ..., or without the
 * number) into r as directions name, name_1 ...; *count <- how many.  method "import", "asyrp"; model_sha256 "" when
 * unknown.  HS_EFORMAT when there are none. */
HS_CHECKED int hs_direction_put_networks(hs_result *r, const hs_tensors *ts, const char *name, const char *method,
                                         const char *model_sha256, size_t *count);

#endif
