/* analysis/train/clip_match, clip_augment: the loss of pairs that are not one to one, and what images suffer. */
#include <math.h>
#include <string.h>

#include "analysis/train/task_clip.h"
#include "core/base/rng.h"
#include "tests/support/support.h"

enum { N = 5, M = 7, P = 6 };

static void fill(uint64_t index, size_t n, float *x)
{
    hs_rng_normal((hs_rng){41, HS_RNG_TEST, index}, 0, n, x);
}

/* Truths in [0, 1]; caption j is surely true of image j % N. */
static void fill_truth(double *t)
{
    for (size_t i = 0; i < (size_t)N * M; i++) {
        double v = hs_rng_uniform((hs_rng){42, HS_RNG_TEST, 0}, i);
        t[i] = i % M % N == i / M ? 1 : v < 0.5 ? 0 : v;
    }
}

/* The formula of the header, term by term. */
static double oracle(const float *u, const float *w, const double *t, double scale)
{
    double l[N][M], p[N][M], loss = 0;
    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < M; j++) {
            double uu = 0, ww = 0, uw = 0, column = 0;
            for (size_t k = 0; k < P; k++) {
                uu += (double)u[i * P + k] * (double)u[i * P + k];
                ww += (double)w[j * P + k] * (double)w[j * P + k];
                uw += (double)u[i * P + k] * (double)w[j * P + k];
            }
            for (size_t q = 0; q < N; q++) {
                column += t[q * M + j];
            }
            l[i][j] = exp(scale) * uw / sqrt(uu * ww);
            p[i][j] = t[i * M + j] / column;
        }
    }
    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < M; j++) {
            double down = 0, across = 0, r = 0;
            for (size_t q = 0; q < N; q++) {
                down += exp(l[q][j]);
            }
            for (size_t q = 0; q < M; q++) {
                across += exp(l[i][q]);
                r += p[i][q];
            }
            if (p[i][j] > 0) {
                loss += p[i][j] * (log(p[i][j]) - log(exp(l[i][j]) / down));
                loss += p[i][j] * (log(p[i][j] / r) - log(exp(l[i][j]) / across));
            }
        }
    }
    return loss / (2 * M);
}

static void test_loss_and_gradients_are_the_formulas(void **state)
{
    (void)state;
    float u[N * P], w[M * P], du[N * P], dw[M * P];
    double t[N * M], loss = 0, dscale = 0, scale = 1.3, h = 1e-3;
    fill(1, N * P, u);
    fill(2, M * P, w);
    fill_truth(t);
    assert_ok(hs_clip_match(N, M, P, u, w, t, scale, &loss, du, dw, &dscale));
    assert_near(loss, oracle(u, w, t, scale), 1e-12);
    assert_true(loss > 0.01);
    assert_near(dscale, (oracle(u, w, t, scale + h) - oracle(u, w, t, scale - h)) / (2 * h), 1e-6);
    for (size_t i = 0; i < (size_t)(N + M) * P; i++) {
        float *at = i < N * P ? u + i : w + (i - N * P), kept = *at;
        float up = kept + (float)h, down = kept - (float)h;
        *at = up;
        double a = oracle(u, w, t, scale);
        *at = down;
        double b = oracle(u, w, t, scale);
        *at = kept;
        /* Second order in h, and the float steps are not exactly 2 h apart. */
        assert_near(i < N * P ? du[i] : dw[i - N * P], (a - b) / ((double)up - (double)down), 2e-6);
    }
}

/* What nothing tells apart has no loss where nothing is to be told apart, and one to one pairs far apart none either.
 */
static void test_the_loss_is_0_where_both_distributions_are_met(void **state)
{
    (void)state;
    float same[N * P], du[N * P], dw[N * P], apart[N * P] = {0};
    double all[N * N], one[N * N], loss = 1, dscale;
    for (size_t i = 0; i < (size_t)N * P; i++) {
        same[i] = 1.0f + (float)(i % P);
        apart[i] = i % P == i / P;
    }
    for (size_t i = 0; i < (size_t)N * N; i++) {
        all[i] = 1;
        one[i] = i % N == i / N;
    }
    assert_ok(hs_clip_match(N, N, P, same, same, all, 2, &loss, du, dw, &dscale));
    assert_near(loss, 0, 1e-14);
    assert_ok(hs_clip_match(N, N, P, apart, apart, one, log(100), &loss, du, dw, &dscale));
    assert_near(loss, 0, 1e-14);
    /* The usual symmetric cross-entropy of pairs: log(1 + (N - 1) exp(-scale)). */
    assert_ok(hs_clip_match(N, N, P, apart, apart, one, 0, &loss, du, dw, &dscale));
    assert_near(loss, log(1 + (N - 1) * exp(-1)), 1e-14);
}

static void test_what_cannot_be_matched_is_refused(void **state)
{
    (void)state;
    float u[N * P], w[M * P], du[N * P], dw[M * P];
    double t[N * M], loss = 7, dscale = 7;
    fill(1, N * P, u);
    fill(2, M * P, w);
    fill_truth(t);
    for (size_t i = 0; i < N; i++) {
        t[i * M + 3] = 0;
    }
    assert_code(hs_clip_match(N, M, P, u, w, t, 0, &loss, du, dw, &dscale), HS_EDEGENERATE);
    fill_truth(t);
    memset(u, 0, P * sizeof *u);
    assert_code(hs_clip_match(N, M, P, u, w, t, 0, &loss, du, dw, &dscale), HS_EDEGENERATE);
    assert_true(loss == 7 && dscale == 7);
}

enum { K = 3 };

/* The guide of the header, in double. */
static double guide_oracle(const float *u, const double *z, const float *head, double weight)
{
    double loss = 0;
    for (size_t i = 0; i < N; i++) {
        double square = 0;
        for (size_t k = 0; k < P; k++) {
            square += (double)u[i * P + k] * (double)u[i * P + k];
        }
        for (size_t f = 0; f < K; f++) {
            double e = (double)head[f * (P + 1) + P] - z[i * K + f];
            for (size_t k = 0; k < P; k++) {
                e += (double)head[f * (P + 1) + k] * (double)u[i * P + k] * sqrt(P / square);
            }
            loss += weight * e * e / (N * K);
        }
    }
    return loss;
}

static void test_the_guide_and_its_gradients(void **state)
{
    (void)state;
    enum { HEAD = K * (P + 1) };
    float u[N * P], head[HEAD], du[N * P], dhead[HEAD], none[P] = {0}, dnone[P] = {0};
    double z[N * K], weight = 0.7;
    const float h = 0x1p-8f;
    fill(3, N * P, u);
    fill(4, HEAD, head);
    for (size_t i = 0; i < (size_t)N * K; i++) {
        z[i] = hs_rng_uniform((hs_rng){43, HS_RNG_TEST, 0}, i) * 4 - 2;
    }
    for (size_t i = 0; i < (size_t)N * P; i++) {
        du[i] = 1; /* gradients are added */
    }
    for (size_t i = 0; i < HEAD; i++) {
        dhead[i] = -1;
    }
    assert_near(hs_clip_guide(N, P, K, u, z, head, weight, du, dhead), guide_oracle(u, z, head, weight), 1e-12);
    for (size_t i = 0; i < N * P + HEAD; i++) {
        float *at = i < N * P ? u + i : head + (i - N * P), kept = *at;
        *at = kept + h;
        double up = guide_oracle(u, z, head, weight), above = *at;
        *at = kept - h;
        double slope = (up - guide_oracle(u, z, head, weight)) / (above - (double)*at);
        *at = kept;
        /* h^2 / 6 times a third derivative */
        assert_near(i < N * P ? du[i] - 1 : dhead[i - N * P] + 1, slope, 1e-4 * (1 + fabs(slope)));
    }
    assert_true(hs_clip_guide(1, P, K, none, z, head, weight, dnone, dhead) > 0);
    assert_memory_equal(none, dnone, sizeof none);
}

enum { SIDE = 16, PIXELS = 3 * SIDE * SIDE };

/* A blob far from the border, of mean 0 around it. */
static void blob(float *x)
{
    for (size_t i = 0; i < PIXELS; i++) {
        float dy = (float)(i / SIDE % SIDE) - 7, dx = (float)(i % SIDE) - 8;
        x[i] = expf(-(dx * dx + dy * dy) / 8);
    }
}

/* Over many numbers: every shift occurs, the mean moves little, pixels move; the same number gives the same bits. */
static void test_augmentation_shifts_by_a_pixel_at_most_and_is_keyed(void **state)
{
    (void)state;
    float x[PIXELS], y[PIXELS], z[PIXELS];
    size_t at[3][3] = {{0}}, strange = 0, sharp = 0;
    for (uint64_t k = 0; k < 400; k++) {
        double sum = 0, cx = 0, cy = 0;
        blob(x);
        memcpy(y, x, sizeof y);
        memcpy(z, x, sizeof z);
        hs_clip_augment(5, k, SIDE, y);
        hs_clip_augment(5, k, SIDE, z);
        assert_memory_equal(y, z, sizeof y);
        float least = y[0];
        for (size_t i = 0; i < PIXELS; i++) {
            least = y[i] < least ? y[i] : least;
        }
        /* The brightest 3 x 3 neighbourhood stands for the blob's middle. */
        double best = -1e9;
        for (size_t r = 2; r < SIDE - 2; r++) {
            for (size_t c = 2; c < SIDE - 2; c++) {
                sum = 0;
                for (size_t p = 0; p < 3 * 9; p++) {
                    sum += (double)y[p / 9 * SIDE * SIDE + (r + p / 3 % 3 - 1) * SIDE + c + p % 3 - 1];
                }
                if (sum > best) {
                    best = sum;
                    cx = (double)c - 8;
                    cy = (double)r - 7;
                }
            }
        }
        if (fabs(cx) <= 1 && fabs(cy) <= 1) {
            at[(size_t)(cy + 1)][(size_t)(cx + 1)]++;
        } else {
            strange++;
        }
        sharp += fabs(best / 27 - 0.79) < 0.2;
    }
    for (size_t i = 0; i < 9; i++) {
        assert_in_range(at[i / 3][i % 3], 400 / 9 / 2, 400 / 9 * 2);
    }
    assert_true(strange <= 4); /* noise can hide the middle */
    assert_true(sharp > 300);
    hs_clip_augment(6, 0, SIDE, x);
    blob(y);
    hs_clip_augment(5, 0, SIDE, y);
    assert_memory_not_equal(x, y, sizeof x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loss_and_gradients_are_the_formulas),
        cmocka_unit_test(test_the_loss_is_0_where_both_distributions_are_met),
        cmocka_unit_test(test_what_cannot_be_matched_is_refused),
        cmocka_unit_test(test_the_guide_and_its_gradients),
        cmocka_unit_test(test_augmentation_shifts_by_a_pixel_at_most_and_is_keyed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
