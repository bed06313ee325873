/* Benchmarks: medians over rounds in which ours and the peers take turns, and ratios within a round,
 * which hold on a noisy machine where times do not. */
#ifndef HS_BENCH_BENCH_H
#define HS_BENCH_BENCH_H

#include <jansson.h>
#include <stddef.h>

#include "analysis/bench/peer.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/model/clip.h"
#include "core/model/model.h"

typedef struct {
    size_t rounds;
    hs_peer *peer;               /* NULL: ours alone */
    const char *python, *script; /* for peers in processes of their own; NULL: none */
    hs_conv_mode conv;
    int threads;
    const hs_progress *progress;
} hs_bench_options;

double hs_bench_median(size_t n, double *v); /* sorts v */
double hs_bench_peak_rss(void);              /* bytes, of this process so far, or since the next */
double hs_bench_reset_rss(void);             /* the peak begins anew, where the system allows it; what is in use now */

/* peers gets {name: median seconds, or null where it isn't ok}; *ratio <- the median over rounds of (the best peer's
 * seconds / ours), the best by its median; NaN where no peer is ok.  peer (modes, rounds). */
HS_CHECKED int hs_bench_compare(size_t rounds, const double *ours, size_t modes, const char *const *name,
                                const double *peer, const int *ok, json_t *peers, double *ratio);
json_t *hs_bench_number(double v); /* null for NaN */

/* *out <- {"work": "unet", "config", "batch", "seconds", "peers": {mode: seconds}, "ratio": best peer / ours,
 * "h_error_direct": max |h - h direct| / max |h direct|, "by_kind": {kind: share of the time},
 * "peak_rss_bytes", "convolutions": [text]}.  config "cifar10" or "ddpm256": random weights. */
HS_CHECKED int hs_bench_unet(const hs_bench_options *o, const char *config, size_t batch, json_t **out);

/* {"work": "strengths", "strengths": k, "seconds", "encode_s", "decode_s", "ratio": seconds / (encode + (k + 1)
 * decodes)}: one asymmetric step of k strengths on one state of model m. */
HS_CHECKED int hs_bench_strengths(const hs_bench_options *o, const hs_model *m, size_t k, json_t **out);

/* {"work": "train", "arch", "batch", "parameters", "seconds", "images_per_second", "peers": {mode: seconds},
 * "ratio": best peer / ours, "peak_rss_bytes", "grown_rss_bytes", "peers_rss_bytes", "peers_grown_rss_bytes",
 * "rss_ratio", "rss_ratio_grown": ours / the least of the peers}: one update of a built-in architecture, from drawn
 * timesteps and noise to moved and averaged parameters (Adam, clipped gradient).  The peers train the same network, of
 * diffusers, each in a process of its own.  Grown: since the libraries are loaded.  HS_EIO: a peer's network has
 * another number of parameters. */
HS_CHECKED int hs_bench_train(const hs_bench_options *o, const char *arch, size_t batch, json_t **out);

/* {"work": "asyrp", "model", "clip", "batch", "parameters" (of f_t), "seconds", "peers": {mode: seconds}, "ratio": best
 * peer / ours, "peak_rss_bytes", "peers_rss_bytes"}: a timestep's update of f_t as Asyrp's program makes it: the plain
 * step of the unedited trajectory, the edited step decoded twice, the directional loss against the image through an
 * image tower of random weights, the L1 term, both derivatives, gradient descent.  The peers' U-Net is diffusers',
 * run in two halves; their tower and f_t are plain modules.  HS_EIO: a peer's networks have another number of
 * parameters. */
typedef struct {
    const char *name, *clip_name;
    const char *model; /* a folder, or NULL: */
    const char *arch;  /* a built-in architecture of random weights, written to a file in folder and opened */
    const char *folder;
    const hs_clip_config *clip;
    size_t batch;
} hs_bench_asyrp_case;
HS_CHECKED int hs_bench_asyrp(const hs_bench_options *o, const hs_bench_asyrp_case *c, json_t **out);

/* {"work": "jvp", "arch", "tangents": k, "seconds", "decodes_s", "single_decodes_s", "ratio": seconds / decodes_s,
 * "ratio_single"}: deps/dh of k tangents at one state, against k rows decoded at once and one after the other. */
HS_CHECKED int hs_bench_jvp(const hs_bench_options *o, const char *arch, size_t k, json_t **out);

/* {"work": "clip", "model", "batch", "seconds", "images_per_second", "peers": {"sdpa", "eager": seconds}, "ratio": best
 * peer / ours, "peak_rss_bytes"}: embeddings of images and the gradient in their pixels, random weights of a model that
 * hs_clip_config_named knows; the peers are transformers with either attention. */
HS_CHECKED int hs_bench_clip(const hs_bench_options *o, const char *model, size_t batch, json_t **out);

/* {"work": "pca", "n", "d", "k", "seconds", "peers", "ratio_randomized", "ratio_incremental", "worst_residual",
 * "solver_bytes"}: rows of 60 factors of falling strength over white noise, from a file in folder. */
HS_CHECKED int hs_bench_pca(const hs_bench_options *o, const char *folder, size_t n, size_t d, size_t k, json_t **out);

/* {"work": "cka", "n", "d", "seconds", "two_ssyrk_s", "ratio": seconds / two_ssyrk_s, the median over rounds,
 * "peak_rss_bytes", "debiased"}: CKA of n rows of d features and the n from the next one on, from a file in folder,
 * against two cblas_ssyrk of the same rows in memory, which are its symmetric products. */
HS_CHECKED int hs_bench_cka(const hs_bench_options *o, const char *folder, size_t n, size_t d, json_t **out);

/* {"work": "store", "bytes", "store_s", "plain_s", "ratio": plain / store}: h of n x S cells into a store, against
 * the same bytes written one after the other and synced. */
HS_CHECKED int hs_bench_store(const hs_bench_options *o, const char *folder, size_t n, size_t S, json_t **out);

#endif
