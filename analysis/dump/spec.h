/* What a store says about itself: the parameters that decide its bytes, as attributes. */
#ifndef HS_DUMP_SPEC_H
#define HS_DUMP_SPEC_H

#include <stdint.h>

#include "core/base/alloc.h"
#include "core/base/error.h"
#include "core/io/store.h"
#include "core/model/model.h"

/* The choices of a dump besides the model. */
typedef struct {
    size_t n;
    const hs_steps *steps;
    const char *spacing; /* "asyrp", ..., "list" */
    uint64_t seed;
    const char *const *source; /* (n) file of each sample, NULL: "prior" */
    int inverted;              /* x_T came from inverting images */
    int clip, keep_x_T, keep_x_0, keep_eps;
    hs_dtype dtype;
    size_t batch;
    const char *conv;           /* "auto", ... */
    const char *backend, *blas; /* libraries that compute, with versions: parameters, since others give other bits */
    const char *x_T_sha256;     /* of the file x_T was read from, NULL: drawn from seed */
    /* information only */
    const char *command_line, *source_version;
    size_t threads;
} hs_dump_choice;

/* *list (n) <- created, history, hostname and threads: what a store says without being bound by it. */
HS_CHECKED int hs_dump_information(const char *command_line, size_t threads, hs_arena *arena, const hs_attr **list,
                                   size_t *n);

/* spec <- the store of these choices; everything it points to lives in arena. */
HS_CHECKED int hs_dump_spec(const hs_model *m, const hs_dump_choice *choice, hs_arena *arena, hs_store_spec *spec);

#endif
