/* A diffusion U-Net that is a linear autoencoder, with a direction planted in its h; and an attribute network that is
 * linear, too.
 *
 * Images 3 x 4 x 4, h 12 x 1 x 1.  u_j, j < 12: quadrant j mod 4 of colour j / 4, its four pixels 1/2.
 *
 *     h = sum_j t_j <u_j, x> a_j,    eps = sum_j s_j <a_j, h> u_j,    a_j orthonormal, drawn at random
 *
 * at every timestep; t_0 = 0.4, s_0 = 1, all other t 0.1, s 0.5.  a_0 is what was planted: along it the upper left of
 * an image turns red.  Every normalisation before a SiLU sees two constants so large that it only scales, and every
 * SiLU numbers so large that it is the identity: linear to about 1e-5. */
#ifndef HS_TESTS_LINEAR_TOY_H
#define HS_TESTS_LINEAR_TOY_H

#include "core/model/attrnet.h"
#include "core/model/model.h"

enum { TOY_D_H = 12, TOY_SIDE = 4, TOY_D_X = 3 * TOY_SIDE * TOY_SIDE };

typedef struct {
    hs_model m;
    hs_attrnet *phi;           /* one factor, "red": <u_0, x> */
    float a[TOY_D_H][TOY_D_H]; /* a_j */
    float u[TOY_D_H][TOY_D_X]; /* u_j */
} linear_toy;

double toy_in(size_t j);  /* t_j */
double toy_out(size_t j); /* s_j */
void linear_toy_begin(linear_toy *toy, uint64_t seed);
void linear_toy_end(linear_toy *toy);

#endif
