/* A sweep as edit-success judges it: every factor in order of strength, the change of the images, their naturalness. */
#ifndef HS_CLI_JUDGED_SWEEP_H
#define HS_CLI_JUDGED_SWEEP_H

#include "analysis/cli/command.h"
#include "analysis/cli/sweep_in.h"
#include "analysis/properties/naturalness.h"
#include "core/model/attrnet.h"

/* Clean images' features; n 0: none were given. */
typedef struct {
    size_t n, F;
    float *feat; /* (n, F) */
} hs_clean_set;

/* One sweep with what is read of it. */
typedef struct {
    hs_sweep_in in;
    size_t n, factors;
    char (*factor)[32]; /* (factors) */
    size_t *order;      /* (m) columns of the file by ascending strength */
    double *strength, *value, *sd, *change, *null;
    size_t K;
    hs_naturalness natural; /* columns in order, as the others */
    int is_natural;         /* naturalness was measured */
    size_t target;
    int binary;
} hs_judged_sweep;

/* out <- the columns feat0 ... of --clean, as many as the network has features; nothing without --clean.
 * HS_EFORMAT: a column is missing. */
HS_CHECKED int hs_clean_read(hs_cmd *c, const hs_attrnet_config *cfg, hs_clean_set *out);

/* *s <- the sweep at path, target one of its attr read-outs (NULL: the first); *zero: where strength 0 stands.  Freed
 * by the caller, also after an error.  Too few images to judge naturalness: a warning.  HS_ERANGE: no such target, a
 * factor net does not have, no strength 0; HS_ESHAPE: read-outs of unequal images, features of another network. */
HS_CHECKED int hs_judged_sweep_read(hs_cmd *c, const char *path, const char *target, const hs_attrnet *net,
                                    const hs_clean_set *clean, size_t *zero, hs_judged_sweep *s);
void hs_judged_sweep_free(hs_judged_sweep *s);

#endif
