/* What hspace compare takes: stores and arrays of the same images, or models that are asked about the same x_T. */
#ifndef HS_CLI_COMPARE_IN_H
#define HS_CLI_COMPARE_IN_H

#include "analysis/cli/side_dirs.h"
#include "analysis/cli/similarity.h"
#include "analysis/compare/side.h"
#include "analysis/sweep/scorer.h"

/* What the user asks for of a side. */
typedef struct {
    const char *spec;       /* M, ACTS.h5 or X.npy */
    const char *directions; /* D.h5[:NAME], or NULL */
    const char *attr;       /* attribute network */
} hs_compared_spec;

typedef struct {
    const char *spec; /* as the user wrote it */
    char name[64];    /* of its model where that is known, else the file's */
    hs_side side;     /* a store or an array */
    hs_model model;   /* or a model, with its steps and what it says: */
    int is_model;
    hs_steps steps;
    hs_source source;
    float *x_T; /* (n, c R R) */
    float *h;   /* (S, n, d) */
    size_t n, S, d;
    int *t;       /* (S) or NULL */
    size_t *step; /* (view.S) where the common timesteps stand */
    char pairing[HS_SHA256_HEX], tap[64], sha256[HS_SHA256_HEX];
    int untrained;
    hs_side_dirs dirs;    /* those asked for; n = 0: none */
    hs_scorer *scorer;    /* the attribute network that reads its images, or NULL */
    hs_compare_side view; /* of the timesteps in common; valid while this stays where it is */
} hs_compared;

/* Whether a spec names weights rather than a store or an array. */
int hs_compared_is_model(const char *spec);
/* Opens one, and its directions; a model is not run.  HS_ERANGE: a direction; HS_ELIMIT: h of a model above 2 GiB (dump
 * it to a store); else as hs_side_dirs_open. */
HS_CHECKED int hs_compared_open(hs_cmd *c, const hs_compared_spec *spec, hs_compared *out);
void hs_compared_free(hs_compared *s);
/* Between models with directions: opens the attribute networks of all, one for each folder.  HS_ESHAPE: their factors
 * are not the same, or a model's images are not what they read. */
HS_CHECKED int hs_compared_readers(hs_cmd *c, size_t count, const hs_compared_spec *spec, hs_compared *list);
/* Before any work: HS_ESHAPE: another number of images, or other taps without --any-tap. */
HS_CHECKED int hs_compared_check(hs_cmd *c, size_t count, const hs_compared *list);
/* Runs a model on the images of the options (-N, --x-T or --images): its h and what delta networks say of it. */
HS_CHECKED int hs_compared_ask(hs_cmd *c, hs_compared *s);

/* Once all models are asked: fills the views, the timesteps that all have, and directions there.  HS_ESHAPE: samples
 * that don't pair (both hashes), no common timestep. */
HS_CHECKED int hs_compared_match(hs_cmd *c, size_t count, hs_compared *list);

/* hex <- digest of what stores and arrays hold: ids of the former, bytes of the latter. */
HS_CHECKED int hs_compared_data(size_t count, const hs_compared *list, char hex[HS_SHA256_HEX]);

#endif
