/* Per-sample deltas from a file: /delta_h (sample, timestep, ...) of any HDF5 file, or .npy (N, S, d). */
#ifndef HS_CLI_DELTAS_IN_H
#define HS_CLI_DELTAS_IN_H

#include "analysis/cli/command.h"
#include "analysis/properties/deltas.h"
#include "core/base/xxh3.h"
#include "core/io/result.h"
#include "core/io/tensors.h"

typedef struct {
    hs_deltas_source source; /* valid while this is where it was opened */
    hs_result_in *h5;
    hs_tensors *tensors;
    const hs_tensor *array;
    int *t;              /* (S), or NULL */
    char direction[128]; /* what was frozen, where the file says; "" */
    int untrained;
    char path[1024];
    hs_xxh3 *mark; /* of what was seen of the file; NULL: the file has its SHA-256 */
} hs_deltas_in;

/* .npy files of float32 from this size on are read once: `inputs` has their XXH3 (core/base/xxh3.h) for the SHA-256,
 * which alone would take longer than the statistics. */
#define HS_DELTAS_MARKED ((uint64_t)1 << 28)

/* Opens path; dimensions beyond the second are flattened.  HS_EFORMAT: neither; HS_ESHAPE: fewer than three dimensions,
 * or one that is 0. */
HS_CHECKED int hs_deltas_in_open(hs_cmd *c, const char *path, hs_deltas_in *out);
void hs_deltas_in_close(hs_deltas_in *in);

/* *out <- the whole file reduced, for statistics of pairs of steps or without.  HS_EIO: it was changed meanwhile. */
HS_CHECKED int hs_deltas_in_reduce(hs_cmd *c, hs_deltas_in *in, int pairs, hs_deltas *out);

/* *out <- the deltas less the means over images, per step, of `mode`: without what another network does alike.
 * HS_ESHAPE: other steps or sizes. */
HS_CHECKED int hs_deltas_in_without(hs_cmd *c, hs_deltas_in *in, const hs_deltas *mode, hs_deltas *out);

#endif
