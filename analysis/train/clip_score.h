/* How well a CLIP tells faces: retrieval, and what directions between texts measure. */
#ifndef HS_TRAIN_CLIP_SCORE_H
#define HS_TRAIN_CLIP_SCORE_H

#include <stddef.h>
#include <stdint.h>

#include "analysis/train/data.h"
#include "core/model/clip.h"

enum { HS_CLIP_POOL = 100, HS_CLIP_PAIRS = 20 };

/* A pair of prompts and the factor that tells them apart. */
typedef struct {
    const char *factor, *source, *target;
    int opposite; /* source says the contrary, so that a face is one or the other; else it says nothing */
} hs_clip_pair;
extern const hs_clip_pair hs_clip_pairs[HS_CLIP_PAIRS];

typedef struct {
    /* Pearson correlation of <E_I / |E_I|, T>, T the difference of the texts' unit embeddings, with the factor; and the
     * largest with a factor that the data don't correlate with this one. */
    double pearson, stray;
    size_t stray_factor;
    /* Opposites: share of faces nearer to the right text, of those in the outer thirds of the factor's range (binary:
     * all); else NaN. */
    double accuracy;
} hs_clip_pair_score;

typedef struct {
    size_t n, pools; /* images; groups of HS_CLIP_POOL of them */
    /* Share of images whose own caption, saying as much as it can, is the nearest of its pool's; and of captions. */
    double image_to_caption, caption_to_image;
    hs_clip_pair_score pair[HS_CLIP_PAIRS];
} hs_clip_scores;

/* *out <- net's scores on held-out faces, with their factors; captions are number 0, 1, ... of seed; augment: on images
 * as hs_clip_augment makes them.  HS_ESHAPE: other images than it reads or other factors; HS_ERANGE: fewer than a pool
 * of images, or no tokenizer; HS_EDEGENERATE: two texts embed alike. */
HS_CHECKED int hs_clip_score_on(const hs_clip *net, const hs_data *held_out, uint64_t seed, int augment,
                                hs_clip_scores *out);

#endif
