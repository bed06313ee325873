/* Losses over CLIP's space.
 *
 * Directional (Gal et al., arXiv:2108.00946; Kim et al., arXiv:2110.02711), t a direction between texts:
 *   L_i = 1 - cos(E(a_i) - E(b_i), t)       E as it is (PLAIN) or scaled to unit length (UNIT)
 *   total = mean of L, or -log((2 - mean of L) / 2), as f_t's training uses it
 * An image that moves by less than rounding, |E(a_i) - E(b_i)| <= 4e-6 |E(a_i)|, has cosine 0 and no gradient.
 *
 * Contrastive, over n pairs and l = exp(scale) <u_i, w_j> of unit embeddings: the mean of the cross-entropies of rows
 * and columns of l, the diagonal being right. */
#ifndef HS_MODEL_CLIP_LOSS_H
#define HS_MODEL_CLIP_LOSS_H

#include "core/model/clip.h"
#include "core/tensor/view.h"

typedef enum { HS_CLIP_PLAIN, HS_CLIP_UNIT } hs_clip_form;

/* t (P) <- the direction from `source` to `target`: PLAIN E_T(target) - E_T(source); UNIT the mean over the templates
 * (each with one {} where the text goes; n_templates 0: the text alone) of the differences of unit embeddings, itself
 * scaled to unit length.  HS_ERANGE: as hs_clip_tokens, or a template without {}; PLAIN takes no templates;
 * HS_EDEGENERATE: the two embed alike. */
HS_CHECKED int hs_clip_text_direction(const hs_clip *c, hs_clip_form form, const char *source, const char *target,
                                      size_t n_templates, const char *const *templates, float *t);
/* The cosine of two texts' embeddings. HS_ERANGE as hs_clip_tokens. */
HS_CHECKED int hs_clip_text_cosine(const hs_clip *c, const char *a, const char *b, double *cosine);

/* *lines (n; free each and the list) <- the templates of a file, one a line; empty lines and those that start with #
 * are skipped.  HS_EFORMAT: no template, one without {} or with two, not UTF-8; HS_ELIMIT: more than 1000; HS_EIO. */
HS_CHECKED int hs_clip_templates_read(const char *path, char ***lines, size_t *n);

/* The loss over up to n images of shape (3, H, W) in [-1, 1], resized to CLIP's size by antialiased cubic
 * (core/nn/cubic.h) where they differ.  t (P) is copied.  Nothing is allocated later.  HS_ESHAPE: not 3 channels, not
 * square; HS_EDEGENERATE: t is 0; HS_ERANGE as hs_clip_image_ws_create. */
typedef struct hs_clip_loss hs_clip_loss;
HS_CHECKED int hs_clip_loss_create(const hs_clip *c, size_t n, hs_chw shape, hs_clip_form form, int logarithm,
                                   const float *t, hs_clip_loss **out);
void hs_clip_loss_free(hs_clip_loss *l);

/* e (n, P) <- E of images b (n, 3, H, W): raw, as hs_clip_loss_at wants it. HS_ERANGE: more than there is room for. */
HS_CHECKED int hs_clip_loss_embed(hs_clip_loss *l, size_t n, const float *b, float *e);
/* *total and each (n; NULL: not wanted) <- the loss of images a against references of embeddings e; da (n, 3, H, W;
 * NULL: not wanted) <- weight times the gradient of the total in a. */
HS_CHECKED int hs_clip_loss_at(hs_clip_loss *l, size_t n, const float *a, const float *e, double weight, double *total,
                               double *each, float *da);

/* *loss <- the contrastive loss of embeddings u, w (n, P), raw; du, dw (n, P) <- its gradients in them, *dscale in
 * scale. work: 2 n (n + 1) doubles.  HS_EDEGENERATE: an embedding of length 0. */
HS_CHECKED int hs_clip_contrastive(size_t n, size_t P, const float *u, const float *w, double scale, double *work,
                                   double *loss, float *du, float *dw, double *dscale);

/* log sum exp of n numbers, stride apart. */
double hs_log_sum_exp(size_t n, size_t stride, const double *v);

#endif
