/* CLIP as a task of hs_train: both towers (core/model/clip.h) learn to match faces with captions
 * (datasets/captions.h).
 *
 * Update k sees n images x_i of the data, each augmented, and m = n captions captions c_j, as many drawn of each
 * image's factors.  Since captions leave factors free, c_j may be true of other images as well; how true is known, t_ij
 * in [0, 1], 1 where c_j was drawn of x_i.  Whoever sees images and captions apart can only say that c_j was drawn of
 * image i with probability
 *   p_ij = t_ij / sum_i t_ij
 * which takes the place of the pairing in the symmetric cross-entropy of l_ij = exp(scale) <u_i, w_j>:
 *   loss = 1 / (2 m) sum_ij p_ij (log p_ij - log softmax_i l_ij  +  log(p_ij / r_i) - log softmax_j l_ij)
 * r_i = sum_j p_ij: the mean of two Kullback-Leibler divergences, 0 where both are met; no true pair is pushed apart.
 * At its least l_ij is log p(c_j | x_i) / p(c_j) up to a constant: an embedding grades how much a caption says.
 * Small things, a mouth of a few pixels, move this loss so little that an image tower beginning at random doesn't find
 * them. So it is guided: sqrt(P) u_i / |u_i| through a linear map of its own, which is not published, should give the
 * factors, z_if = (value - mean) / sd:
 *   guide = weight / (n K) sum_if (<a_f, sqrt(P) u_i / |u_i|> + b_f - z_if)^2
 * which is added to the loss.
 *
 * scale is kept at most ln 100.  The positions of the image tower begin as waves of both coordinates. */
#ifndef HS_TRAIN_TASK_CLIP_H
#define HS_TRAIN_TASK_CLIP_H

#include <stddef.h>
#include <stdint.h>

#include "analysis/train/data.h"
#include "analysis/train/train.h"
#include "core/io/safetensors.h"
#include "core/model/clip.h"

typedef struct {
    uint64_t seed;    /* of the first weights, the choice of images, captions and augmentations */
    size_t batch;     /* n */
    size_t captions;  /* of each image */
    const char *arch; /* hs_clip_arch_named */
    double guide;     /* its weight; 0: none */
    int augment;      /* images of updates are augmented */
    int half;         /* publish float16 weights */
    size_t n_meta;    /* for the weights' metadata; borrowed */
    const hs_pair *meta;
} hs_clip_train_options;

/* The architecture by name: "faces-clip" (ships) or "faces-clip-tiny" (tests); vocab, begin and end are left 0.
 * HS_ERANGE: another name. */
HS_CHECKED int hs_clip_arch_named(const char *name, hs_clip_config *out);
/* *out <- a tokenizer learnt of the captions: every word of theirs is one token. */
HS_CHECKED int hs_clip_caption_tokens(hs_bpe **out);

/* HS_ESHAPE: d's factors aren't those of datasets/faces.h, or its images not 3 x R x R. */
HS_CHECKED int hs_clip_task_check(const hs_data *d, const hs_clip_config *cfg);

typedef struct hs_clip_task hs_clip_task;

/* *out <- the task on the data, whose factors must be those of datasets/faces.h; published into folder; data, folder
 * and meta are borrowed.  HS_ESHAPE: other factors, or not the architecture's 3 x R x R; HS_ERANGE: batch outside 2 ...
 * 1024, captions outside 1 ... 16, guide below 0, an unknown architecture; HS_ENOMEM. */
HS_CHECKED int hs_clip_task_create(const hs_data *data, const hs_clip_train_options *o, const char *folder,
                                   hs_clip_task **out);
void hs_clip_task_free(hs_clip_task *a);
hs_task hs_clip_task_of(hs_clip_task *a);

/* x (3, size, size), size at most 64, <- itself as a denoiser might see it, number index of the seed (HS_RNG_AUGMENT):
 * shifted by up to a pixel in each direction (the border repeats), blurred, contrast and brightness changed, noise
 * added. */
void hs_clip_augment(uint64_t seed, uint64_t index, size_t size, float *x);

/* *loss as above of raw embeddings u (n, P), w (m, P) and truth t (n, m); du (n, P), dw (m, P) <- its gradients in
 * them, *dscale in scale.  Cost O(n m P).  HS_EDEGENERATE: an embedding of length 0, or a caption true of no image;
 * HS_ENOMEM. */
HS_CHECKED int hs_clip_match(size_t n, size_t m, size_t P, const float *u, const float *w, const double *truth,
                             double scale, double *loss, float *du, float *dw, double *dscale);

enum { HS_CLIP_GUIDE_MAX = 1024 };
/* The guide as above of raw embeddings u (n, P), P at most HS_CLIP_GUIDE_MAX, z (n, K) and head (K, P + 1), b_f last;
 * du (n, P) and dhead += its gradients.  An embedding of length 0 counts as it is and has no gradient. */
double hs_clip_guide(size_t n, size_t P, size_t K, const float *u, const double *z, const float *head, double weight,
                     float *du, float *dhead);

#endif
