/* How far an image is from another, in pixels: all 0 for the same image and larger for more damage.
 *
 *   l2     sqrt(mean (x - y)^2), values -1 ... 1
 *   ssim   1 - SSIM (Wang, Bovik, Sheikh and Simoncelli, IEEE Trans. Image Processing 13, 2004): per channel,
 *          ((2 mx my + c1) (2 sxy + c2)) / ((mx^2 + my^2 + c1) (sx^2 + sy^2 + c2)) with c1 = (.01 L)^2, c2 = (.03 L)^2,
 *          L = 2, moments under a Gaussian window of sd 1.5 cut at 5 pixels, averaged where the window fits; a smaller
 *          image has the largest odd window that fits
 *   hf     |ln(E(x) / E(y))|, E the mean square of the image less its blur by [1 2 1]/4 in both directions, inside the
 *          border, plus the variance of 8-bit rounding (2/255)^2/12: new speckle and lost detail both count
 *
 * Images are (c, h, w), clamped to [-1, 1] by the caller as a screen would. */
#ifndef HS_PROPERTIES_IMAGE_DAMAGE_H
#define HS_PROPERTIES_IMAGE_DAMAGE_H

#include <stddef.h>

#include "core/base/error.h"
#include "core/tensor/view.h"

double hs_image_l2(hs_chw shape, const float *x, const float *y);
double hs_image_hf(hs_chw shape, const float *x, const float *y);
/* *out <- 1 - SSIM.  HS_ENOMEM. */
HS_CHECKED int hs_image_dssim(hs_chw shape, const float *x, const float *y, double *out);
/* E of one image; NaN below 3 x 3. */
double hs_image_hf_energy(hs_chw shape, const float *x);

#endif
