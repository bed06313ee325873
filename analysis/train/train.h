/* The training loop, which knows no network: a task computes a loss and its gradient, the loop moves the
 * parameters, averages them, keeps the books and the checkpoints.
 *
 * Everything random is drawn from streams keyed (seed, purpose, update), so that a run resumed from a
 * checkpoint gives the bits of one that was never stopped. */
#ifndef HS_TRAIN_TRAIN_H
#define HS_TRAIN_TRAIN_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/nn/optim.h"

/* What is trained.  theta and grad are blocks of n floats that the task owns. */
typedef struct {
    size_t n;
    size_t parameters; /* of what publish writes; theta may hold more: copies, a head that only trains */
    float *theta, *grad;
    /* grad (all zero before) <- the gradient of the loss of update k = 1, 2, ... at theta. */
    HS_CHECKED int (*loss)(void *ctx, uint64_t k, double *loss);
    /* The block of theta that update k moves, and how many updates have moved it by then, k included; NULL: all of
     * it, k.  Nothing else is touched: what an optimizer remembers of the rest stays. */
    void (*span)(void *ctx, uint64_t k, size_t *first, size_t *count, uint64_t *visit);
    /* theta was changed. */
    HS_CHECKED int (*refresh)(void *ctx);
    /* Writes weights (n; the average) as what a user opens, atomically, over what is there. */
    HS_CHECKED int (*publish)(void *ctx, const float *weights, uint64_t k);
    /* Pictures of what weights can do (a grid of samples), beside the model; NULL: none. */
    HS_CHECKED int (*show)(void *ctx, const float *weights, uint64_t k);
    const char *fingerprint; /* everything that a resumed run must share: architecture, data, options */
    size_t images;           /* an update looks at: for images a second */
    void *ctx;
} hs_task;

typedef struct {
    int sgd;      /* plain gradient descent instead of Adam */
    hs_adam adam; /* its rate is set by the rate below */
    hs_rate rate;
    double clip, ema;                  /* 0: no clipping */
    double save_seconds, show_seconds; /* between checkpoints; between pictures (0: at the end only) */
    uint64_t whole;                    /* checkpoints, stops and pictures after multiples of so many updates; 0: any */
    uint64_t table_every;              /* updates a row of the table averages */
    int resume;                        /* continue from the checkpoint in folder */
    int force;                         /* begin anew over a checkpoint that is there */
    const hs_progress *progress;
} hs_train_options;

typedef struct {
    uint64_t updates;
    double loss, grad_norm, images_per_second; /* of the last row */
    double seconds;                            /* in all runs together */
} hs_train_result;

/* *out gets what a resumed run must share: the task's fingerprint and the options that move parameters,
 * but for the number of updates, which may be raised (the rate then follows the new one).  HS_ENOMEM. */
HS_CHECKED int hs_train_fingerprint(const hs_task *task, const hs_train_options *o, hs_str *out);

/* Trains until update options.rate.total.  In folder: checkpoint.safetensors (theta, m, v, average as
 * float32; update, seconds, fingerprint as metadata), replaced atomically, the first before any update, and loss.csv
 * (update, loss, grad_norm, rate, images_per_second, seconds), cut back to the checkpoint on resume. The loss curve,
 * loss.png, and the task's pictures are drawn along the way and at the end. HS_ESTOPPED: asked to stop; a checkpoint
 * was written.  HS_EDEGENERATE: the loss or the gradient is no longer finite; the last checkpoint stays.  HS_ERANGE:
 * resume without a checkpoint, or a checkpoint of another fingerprint (both are named); a checkpoint without resume or
 * force.  HS_ELOCKED: another run in the folder.  HS_EIO: not written, the former checkpoint stays.  What the task
 * fails with is passed on. */
HS_CHECKED int hs_train(const hs_task *task, const hs_train_options *o, const char *folder, hs_train_result *out);

#endif
