/* The dump: a model's h over samples x timesteps, into an activation store.
 *
 * Each sample is denoised by deterministic DDIM from its x_T; at every visited timestep the output of
 * the middle block is recorded.  Work is cut into units of `batch` samples by sample index: the same
 * unit gives the same bits whatever happened before it, so an interrupted dump continues by the
 * same call (core/io/store.h). */
#ifndef HS_DUMP_DUMP_H
#define HS_DUMP_DUMP_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/diffusion/ddim.h"
#include "core/io/store.h"
#include "core/model/model.h"

/* Where x_T of samples [first, first + n) comes from: fills x (n, c R R). */
typedef struct {
    HS_CHECKED int (*x_T)(void *ctx, size_t first, size_t n, float *x);
    void *ctx;
} hs_dump_source;

typedef struct {
    const hs_store_spec *spec; /* n, S, shapes, keep_*, unit = batch: what the store holds */
    size_t first;              /* of its samples in the source: not 0 for a shard */
    const hs_steps *steps;     /* spec->S of them */
    hs_conv_mode conv;
    int clip;                    /* clip P_t to [-1, 1] */
    int force;                   /* replace a finished store of other parameters */
    const hs_progress *progress; /* in samples x timesteps */
} hs_dump_options;

/* What a dump did: seconds in the network, in the store, and in all; samples computed now. */
typedef struct {
    size_t computed, already;
    double network_s, store_s, total_s;
} hs_dump_report;

/* Runs or continues the dump to PATH.  Errors of the store (HS_ELOCKED, HS_ERANGE, HS_EIO ...) and of the
 * network; HS_EDEGENERATE when an activation is not finite, naming sample and timestep; HS_ESTOPPED when
 * the progress sink asked: everything finished so far is committed. */
HS_CHECKED int hs_dump_run(const char *path, const hs_model *m, const hs_dump_source *source, const hs_dump_options *o,
                           hs_dump_report *report);

#endif
