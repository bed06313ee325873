/* Images as a denoiser might see them. */
#include <stdlib.h>
#include <string.h>

#include "analysis/train/task_clip.h"
#include "core/base/rng.h"

enum { SIDE_MAX = 64, FIRST_NOISE = 64 };

static size_t clamp(ptrdiff_t i, size_t n)
{
    return i < 0 ? 0 : (size_t)i < n ? (size_t)i : n - 1;
}

/* to (n, n) <- from shifted by (dx, dy); the border repeats. */
static void shift(size_t n, ptrdiff_t dx, ptrdiff_t dy, const float *from, float *to)
{
    for (size_t y = 0; y < n; y++) {
        for (size_t x = 0; x < n; x++) {
            to[y * n + x] = from[clamp((ptrdiff_t)y - dy, n) * n + clamp((ptrdiff_t)x - dx, n)];
        }
    }
}

/* Along one axis: (1 - 2 b) of the pixel, b of each neighbour. */
static void blur_line(size_t n, size_t stride, float b, float *x)
{
    float before = x[0];
    for (size_t i = 0; i < n; i++) {
        float here = x[i * stride], after = x[(i + 1 < n ? i + 1 : i) * stride];
        x[i * stride] = here + b * (before + after - 2 * here);
        before = here;
    }
}

static void blur(size_t n, float b, float *x)
{
    for (size_t i = 0; i < n; i++) {
        blur_line(n, 1, b, x + i * n);
    }
    for (size_t i = 0; i < n; i++) {
        blur_line(n, n, b, x + i);
    }
}

void hs_clip_augment(uint64_t seed, uint64_t index, size_t size, float *x)
{
    hs_rng s = {seed, HS_RNG_AUGMENT, index};
    ptrdiff_t dx = (ptrdiff_t)hs_rng_below(s, 0, 3) - 1, dy = (ptrdiff_t)hs_rng_below(s, 1, 3) - 1;
    int blurred = hs_rng_below(s, 2, 2) == 0, noisy = hs_rng_below(s, 3, 2) == 0;
    float b = (float)hs_rng_uniform(s, 4) * 0.3f, sd = (float)hs_rng_uniform(s, 5) * 0.12f;
    float gain = 1 + 0.2f * ((float)hs_rng_uniform(s, 6) - 0.5f), offset = 0.2f * ((float)hs_rng_uniform(s, 7) - 0.5f);
    float plane[SIDE_MAX * SIDE_MAX], noise[SIDE_MAX * SIDE_MAX];
    size_t n = size * size;
    for (size_t c = 0; c < 3; c++) {
        float *px = x + c * n;
        shift(size, dx, dy, px, plane);
        if (blurred) {
            blur(size, b, plane);
        }
        if (noisy) {
            hs_rng_normal(s, FIRST_NOISE + c * n, n, noise);
        }
        for (size_t i = 0; i < n; i++) {
            px[i] = gain * plane[i] + offset + (noisy ? sd * noise[i] : 0);
        }
    }
}
