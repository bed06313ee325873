/* What hspace eval multiplies: the Jacobians of eps in h and of h in x, and their transposes, with
 * vectors from files.  Of N images a file holds
 *
 *   (C, H, W)           one vector, used at every image
 *   (N, C, H, W)        one an image;  N = 1: any number K of them, all at the one image
 *   (N, K, C, H, W)     K an image;  N = 1 in the file: the same K at every image
 *
 * and is answered in the like shape: (N, ...), (K, ...) at one image, or (N, K, ...). */
#ifndef HS_CLI_EVAL_PRODUCTS_H
#define HS_CLI_EVAL_PRODUCTS_H

#include "analysis/cli/common.h"
#include "core/model/unet_grad.h"

enum { HS_EVAL_PRODUCTS = 4 };

typedef struct {
    hs_array in;     /* v NULL: not asked for */
    hs_chw from, to; /* shapes of its rows and of theirs */
    size_t each;     /* K */
    int shared;      /* in holds the K of every image */
    float *out;      /* (N K, to) */
} hs_eval_product;

typedef struct {
    size_t n; /* images */
    int any;
    hs_eval_product of[HS_EVAL_PRODUCTS];
    float *row; /* (batch, the larger of the shapes) */
    size_t *state, batch;
} hs_eval_products;

/* *p <- the vectors of --jvp-h, --vjp-h, --jvp-x and --vjp-x, as far as given, at n images of a network whose
 * x and h have these shapes.  HS_ESHAPE (other shapes), HS_EFORMAT (not finite), HS_EIO. */
HS_CHECKED int hs_eval_products_read(hs_cmd *c, hs_chw image, hs_chw h, size_t n, hs_eval_products *p);
void hs_eval_products_free(hs_eval_products *p);

size_t hs_eval_products_rows(const hs_eval_products *p); /* of all, over all images */
size_t hs_eval_products_most(const hs_eval_products *p); /* of the one with most */
double hs_eval_products_bytes(const hs_eval_products *p);

/* Room for the answers, and for batch rows at once. */
HS_CHECKED int hs_eval_products_begin(hs_eval_products *p, size_t batch);
/* Images [first, first + n) are recorded in g, which has room for batch rows. */
HS_CHECKED int hs_eval_products_at(hs_eval_products *p, hs_unet_grad *g, size_t first, size_t n);
/* The answers as jvp_h, vjp_h, jvp_x, vjp_x; how many: at most 4. */
size_t hs_eval_products_out(const hs_eval_products *p, hs_out_array *out);

#endif
