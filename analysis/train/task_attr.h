/* Attributes as a task of hs_train: the attribute network (core/model/attrnet.h) learns the factors of a
 * data set.
 *
 * loss = mean over images and factors of
 *   continuous  (out - (value - mean) / sd)^2
 *   binary      log(1 + exp(out)) - value out                            (cross entropy) */
#ifndef HS_TRAIN_TASK_ATTR_H
#define HS_TRAIN_TASK_ATTR_H

#include <stddef.h>
#include <stdint.h>

#include "analysis/train/data.h"
#include "analysis/train/train.h"
#include "core/io/safetensors.h"
#include "core/model/attrnet.h"

typedef struct {
    uint64_t seed; /* of the first weights and the choice of images */
    size_t batch;
    size_t levels, ch[HS_ATTR_LEVELS_MAX];
    size_t groups, features;
    int half; /* publish float16 weights */
    hs_conv_mode conv;
    size_t n_meta; /* for the weights' metadata; borrowed */
    const hs_pair *meta;
} hs_attr_options;

typedef struct hs_attr_task hs_attr_task;

/* *out <- the task on the data (with factors), published into folder; data, folder and meta are borrowed.
 * HS_ESHAPE: data without factors or not in 3 channels; HS_ERANGE: batch; else as hs_attrnet_random. */
HS_CHECKED int hs_attr_task_create(const hs_data *data, const hs_attr_options *o, const char *folder,
                                   hs_attr_task **out);
void hs_attr_task_free(hs_attr_task *a);
hs_task hs_attr_task_of(hs_attr_task *a);

/* The loss of n images from out (n, K), their values (n, K) and the K factors; dout (n K) <- its gradient. */
double hs_attr_loss(size_t n, size_t K, const hs_attr_factor *factor, const float *out, const double *value,
                    float *dout);

typedef struct {
    double r2;       /* continuous: 1 - squared error / variance about the mean of this data; NaN for binary */
    double accuracy; /* binary: share on the right side of 1/2; NaN for continuous */
} hs_attr_score;
/* score (n_factors) <- how well net does on data of the same factors and size.  HS_ESHAPE: others. */
HS_CHECKED int hs_attr_score_on(const hs_attrnet *net, hs_conv_mode conv, const hs_data *held_out,
                                hs_attr_score *score);

#endif
