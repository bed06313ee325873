/* Perturbed sampling on a small random network: every arm against steps written out by hand; the matching at first
 * order against exact derivatives. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/sweep/perturb.h"
#include "core/base/rng.h"
#include "core/diffusion/ddim.h"
#include "core/model/unet_grad.h"
#include "tests/support/support.h"

enum { N = 3, S = 4, SEED = 5 };

typedef struct {
    hs_model model;
    hs_steps steps;
    size_t dh, dx;
    float *x_T, *x_0, *one;
    hs_noise_scale scale;
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    assert_ok(hs_model_open("random:tiny:3", NULL, NULL, &f->model));
    assert_ok(hs_steps_create(&f->model.schedule, &(hs_steps_spec){HS_SPACING_ASYRP, S, 0, 1}, &f->steps));
    const hs_unet_config *cfg = hs_unet_config_of(f->model.unet);
    f->dh = hs_chw_size(hs_unet_h_shape(cfg));
    f->dx = hs_chw_size(hs_unet_image_shape(cfg));
    f->x_T = malloc(N * f->dx * sizeof(float));
    f->x_0 = malloc(N * 8 * f->dx * sizeof(float));
    f->one = malloc(f->dx * sizeof(float));
    f->scale.S = S;
    for (int k = 0; k < HS_NOISE_SPACES; k++) {
        f->scale.scale[k] = malloc(S * sizeof(double));
        for (size_t s = 0; s < S; s++) {
            f->scale.scale[k][s] = 0.5 + 0.1 * (double)s + 0.2 * k;
        }
    }
    hs_rng_normal((hs_rng){1, HS_RNG_TEST, 1}, 0, N * f->dx, f->x_T);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    hs_noise_scale_free(&f->scale);
    free(f->x_T);
    free(f->x_0);
    free(f->one);
    hs_steps_free(&f->steps);
    hs_model_free(&f->model);
    free(f);
    return 0;
}

static hs_perturb_plan plan_of(const fixture *f, size_t batch)
{
    return (hs_perturb_plan){.model = &f->model, .steps = &f->steps, .batch = batch, .seed = SEED, .scale = &f->scale};
}

static void xi(size_t sample, size_t step, hs_noise_space s, size_t d, float *out)
{
    hs_rng_normal((hs_rng){SEED, HS_RNG_PERTURB, (uint64_t)sample << 20 | step << 4 | (uint64_t)s}, 0, d, out);
}

/* to (d) <- v + noise of the sample at the step. */
static void add(const fixture *f, size_t sample, size_t step, const hs_perturbation *c, size_t d, const float *v,
                float *to)
{
    float *z = malloc(d * sizeof *z);
    xi(sample, step, c->space, d, z);
    for (size_t q = 0; q < d; q++) {
        to[q] = v[q] + (float)(c->level * f->scale.scale[c->space][step]) * z[q];
    }
    free(z);
}

/* One trajectory of image i from step `from`, each step written out. */
static void by_hand(const fixture *f, size_t i, const hs_perturbation *c, size_t from, float *x)
{
    hs_unet_ws *ws = NULL;
    float *h = malloc(f->dh * sizeof *h), *eps = malloc(f->dx * sizeof *eps), *changed = malloc(f->dx * sizeof *eps);
    assert_ok(hs_unet_ws_create(f->model.unet, 1, 1, HS_CONV_AUTO, &ws));
    memcpy(x, f->x_T + i * f->dx, f->dx * sizeof *x);
    for (size_t k = from; k < S; k++) {
        const hs_step *st = &f->steps.step[k];
        int now = !c->once || k == from;
        if (c->space == HS_NOISE_X && now) {
            add(f, i, k, c, f->dx, x, x);
        }
        assert_ok(hs_unet_encode(f->model.unet, ws, 1, x, &st->t, h));
        assert_ok(hs_unet_decode(f->model.unet, ws, 1, NULL, h, eps));
        memcpy(changed, eps, f->dx * sizeof *eps);
        if (c->space == HS_NOISE_H && now) {
            add(f, i, k, c, f->dh, h, h);
            assert_ok(hs_unet_decode(f->model.unet, ws, 1, NULL, h, changed));
        } else if (c->space == HS_NOISE_EPS && now) {
            add(f, i, k, c, f->dx, eps, changed);
        }
        hs_ddim_step(st, 0, 0, f->dx, x, changed, c->both ? changed : eps, NULL, x, NULL);
    }
    hs_unet_ws_free(ws);
    free(h);
    free(eps);
    free(changed);
}

static const hs_perturbation column[] = {
    {.space = HS_NOISE_EPS},
    {.space = HS_NOISE_H, .level = 0.3},
    {.space = HS_NOISE_EPS, .level = 0.3},
    {.space = HS_NOISE_H, .level = 0.2, .both = 1},
    {.space = HS_NOISE_EPS, .level = 0.2, .both = 1},
    {.space = HS_NOISE_H, .level = 0.4, .once = 1},
    {.space = HS_NOISE_X, .level = 0.1, .both = 1},
    {.space = HS_NOISE_X, .level = 0.3, .both = 1, .once = 1},
};
enum { M = sizeof column / sizeof *column };

/* Batches of one state differ from larger ones by float32 rounding that a few layers let grow: 1e-4 of the image. */
static void test_by_hand(void **state)
{
    fixture *f = *state;
    for (size_t batch = 1; batch <= 64; batch *= 8) {
        const hs_perturb_plan p = plan_of(f, batch);
        for (size_t from = 0; from < 2; from++) {
            assert_ok(hs_perturb_run(&p, 0, N, f->x_T, &(hs_perturb_span){.from = from}, M, column, NULL, f->x_0));
            for (size_t row = 0; row < N * M; row++) {
                by_hand(f, row / M, &column[row % M], from, f->one);
                assert_true(max_rel_f32(f->x_0 + row * f->dx, f->one, f->dx) < 1e-4);
            }
        }
    }
}

/* Each column does something of its own, and level 0 is the plain sample. */
static void test_distinct(void **state)
{
    fixture *f = *state;
    const hs_perturb_plan p = plan_of(f, 16);
    assert_ok(hs_perturb_run(&p, 0, 1, f->x_T, &(hs_perturb_span){0}, M, column, NULL, f->x_0));
    for (size_t a = 0; a < M; a++) {
        for (size_t b = 0; b < a; b++) {
            assert_true(max_rel_f32(f->x_0 + a * f->dx, f->x_0 + b * f->dx, f->dx) > 1e-3);
        }
    }
}

static void test_seen(void **state)
{
    fixture *f = *state;
    const hs_perturb_plan p = plan_of(f, 16);
    float *seen = malloc(N * f->dx * sizeof *seen), *rest = malloc(N * f->dx * sizeof *rest);
    assert_ok(hs_perturb_run(&p, 0, N, f->x_T, &(hs_perturb_span){.seen = 2, .x_seen = seen}, 1, column, NULL, f->x_0));
    assert_ok(hs_perturb_run(&p, 0, N, seen, &(hs_perturb_span){.from = 2}, 1, column, NULL, rest));
    assert_memory_equal(rest, f->x_0, N * f->dx * sizeof *rest);
    free(seen);
    free(rest);
}

/* Noise inside a basis of the first coordinates leaves the others alone, outside does the contrary; both are as long as
 * the whole, which the decoder can't tell: seen at eps of a step through the changed h. */
static void test_parts(void **state)
{
    fixture *f = *state;
    enum { K = 2 };
    hs_perturb_plan p = plan_of(f, 16);
    float *basis = calloc(S * K * f->dh, sizeof *basis), *h = malloc(f->dh * sizeof *h), *z = malloc(f->dh * sizeof *z);
    const hs_perturbation c[] = {{.space = HS_NOISE_EPS},
                                 {.space = HS_NOISE_H, .level = 0.3, .part = HS_PART_INSIDE},
                                 {.space = HS_NOISE_H, .level = 0.3, .part = HS_PART_OUTSIDE}};
    for (size_t s = 0; s < S; s++) {
        for (size_t k = 0; k < K; k++) {
            basis[(s * K + k) * f->dh + k] = 1;
        }
    }
    p.k = K;
    p.basis = basis;
    assert_ok(hs_perturb_run(&p, 0, 1, f->x_T, &(hs_perturb_span){.from = S - 1}, 3, c, NULL, f->x_0));
    hs_unet_ws *ws = NULL;
    float *eps = malloc(f->dx * sizeof *eps), *changed = malloc(f->dx * sizeof *eps);
    assert_ok(hs_unet_ws_create(f->model.unet, 1, 1, HS_CONV_AUTO, &ws));
    const hs_step *st = &f->steps.step[S - 1];
    assert_ok(hs_unet_encode(f->model.unet, ws, 1, f->x_T, &st->t, h));
    assert_ok(hs_unet_decode(f->model.unet, ws, 1, NULL, h, eps));
    xi(0, S - 1, HS_NOISE_H, f->dh, z);
    double whole = 0, in = 0;
    for (size_t q = 0; q < f->dh; q++) {
        whole += (double)z[q] * (double)z[q];
        in += q < K ? (double)z[q] * (double)z[q] : 0;
    }
    for (int part = 0; part < 2; part++) {
        float *to = malloc(f->dh * sizeof *to);
        double a = 0.3 * f->scale.scale[HS_NOISE_H][S - 1] * sqrt(whole / (part == 0 ? in : whole - in));
        for (size_t q = 0; q < f->dh; q++) {
            to[q] = h[q] + ((q < K) == (part == 0) ? (float)(a * (double)z[q]) : 0);
        }
        assert_ok(hs_unet_decode(f->model.unet, ws, 1, NULL, to, changed));
        memcpy(f->one, f->x_T, f->dx * sizeof(float));
        hs_ddim_step(st, 0, 0, f->dx, f->one, changed, eps, NULL, f->one, NULL);
        assert_true(max_rel_f32(f->x_0 + (size_t)(1 + part) * f->dx, f->one, f->dx) < 1e-4);
        free(to);
    }
    hs_unet_ws_free(ws);
    free(eps);
    free(changed);
    free(basis);
    free(h);
    free(z);
}

/* At the last step: P takes the decoder's answer to the common vector, D that to h. */
static void test_common(void **state)
{
    fixture *f = *state;
    hs_perturb_plan p = plan_of(f, 16);
    const hs_perturbation c[] = {{.space = HS_NOISE_EPS}, {.space = HS_NOISE_H, .level = 1, .part = HS_PART_COMMON}};
    float *common = malloc(S * f->dh * sizeof *common), *h = malloc(f->dh * sizeof *h);
    float *eps = malloc(f->dx * sizeof *eps), *changed = malloc(f->dx * sizeof *eps);
    hs_unet_ws *ws = NULL;
    const hs_step *st = &f->steps.step[S - 1];
    hs_rng_normal((hs_rng){1, HS_RNG_TEST, 3}, 0, S * f->dh, common);
    p.common = common;
    p.scale = NULL;
    assert_ok(hs_perturb_run(&p, 0, N, f->x_T, &(hs_perturb_span){.from = S - 1}, 2, c, NULL, f->x_0));
    assert_ok(hs_unet_ws_create(f->model.unet, 1, 1, HS_CONV_AUTO, &ws));
    for (size_t i = 0; i < N; i++) {
        memcpy(f->one, f->x_T + i * f->dx, f->dx * sizeof(float));
        assert_ok(hs_unet_encode(f->model.unet, ws, 1, f->one, &st->t, h));
        assert_ok(hs_unet_decode(f->model.unet, ws, 1, NULL, h, eps));
        assert_ok(hs_unet_decode(f->model.unet, ws, 1, NULL, common + (S - 1) * f->dh, changed));
        hs_ddim_step(st, 0, 0, f->dx, f->one, changed, eps, NULL, f->one, NULL);
        assert_true(max_rel_f32(f->x_0 + (2 * i + 1) * f->dx, f->one, f->dx) < 1e-4);
        assert_true(max_rel_f32(f->x_0 + 2 * i * f->dx, f->one, f->dx) > 1e-3);
    }
    hs_unet_ws_free(ws);
    free(common);
    free(h);
    free(eps);
    free(changed);
}

static double length(size_t d, const float *v)
{
    double sum = 0;
    for (size_t q = 0; q < d; q++) {
        sum += (double)v[q] * (double)v[q];
    }
    return sqrt(sum / (double)d);
}

/* At the first step: gain of h and of x by exact derivatives along the same noise; differences at 1 % leave 1 % out. */
static void test_first_order(void **state)
{
    fixture *f = *state;
    hs_noise_scale s;
    hs_perturb_plan p = plan_of(f, 16);
    assert_ok(hs_noise_scale_measure(&p, HS_MATCH_FIRST_ORDER, 0, 1, f->x_T, &s));
    hs_unet_grad *g = NULL;
    float *h = malloc(f->dh * sizeof *h), *zh = malloc(f->dh * sizeof *h), *zx = malloc(f->dx * sizeof *zx);
    float *eps = malloc(f->dx * sizeof *eps);
    const hs_step *st = &f->steps.step[0];
    double noise = sqrt(1 - st->alpha_bar);
    assert_ok(hs_unet_grad_create(f->model.unet, 1, 1, 0, HS_CONV_AUTO, &g));
    assert_ok(hs_unet_grad_encode(g, 1, f->x_T, &st->t, h));
    assert_ok(hs_unet_grad_decode(g, h, eps));
    xi(0, 0, HS_NOISE_H, f->dh, zh);
    assert_ok(hs_unet_jvp_decode(g, 1, NULL, HS_SKIPS_FIXED, zh, eps));
    assert_near(s.scale[HS_NOISE_H][0] * length(f->dx, eps), 1, 0.01);
    assert_near(s.scale[HS_NOISE_EPS][0], 1, 0);
    xi(0, 0, HS_NOISE_X, f->dx, zx);
    assert_ok(hs_unet_jvp_encode(g, 1, NULL, zx, zh));
    assert_ok(hs_unet_jvp_decode(g, 1, NULL, HS_SKIPS_CARRIED, zh, eps));
    for (size_t q = 0; q < f->dx; q++) {
        eps[q] = zx[q] - (float)noise * eps[q];
    }
    assert_near(s.scale[HS_NOISE_X][0] * length(f->dx, eps) / noise, 1, 0.01);
    hs_unet_grad_free(g);
    hs_noise_scale_free(&s);
    free(h);
    free(zh);
    free(zx);
    free(eps);
}

static void test_other_matchings(void **state)
{
    fixture *f = *state;
    hs_noise_scale s;
    hs_perturb_plan p = plan_of(f, 16);
    assert_ok(hs_noise_scale_measure(&p, HS_MATCH_NORM, 0, N, f->x_T, &s));
    assert_near(s.scale[HS_NOISE_H][1], sqrt((double)f->dx / (double)f->dh), 1e-12);
    assert_near(s.scale[HS_NOISE_X][1], 1, 0);
    hs_noise_scale_free(&s);
    assert_ok(hs_noise_scale_measure(&p, HS_MATCH_RELATIVE, 0, 1, f->x_T, &s));
    assert_near(s.scale[HS_NOISE_X][0], length(f->dx, f->x_T), 1e-9);
    assert_true(isnan(s.spread[HS_NOISE_X][0]));
    hs_noise_scale_free(&s);
}

/* Of x_T itself: half the squared distances of all pairs, over n (n - 1), per coordinate; the other matchings know it.
 */
static void test_spread(void **state)
{
    fixture *f = *state;
    hs_noise_scale s, other;
    hs_perturb_plan p = plan_of(f, 16);
    double square = 0;
    float *v = malloc(f->dx * sizeof *v);
    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < N; j++) {
            for (size_t q = 0; q < f->dx; q++) {
                v[q] = f->x_T[i * f->dx + q] - f->x_T[j * f->dx + q];
            }
            square += pow(length(f->dx, v), 2) / (2.0 * N * (N - 1));
        }
    }
    assert_ok(hs_noise_scale_measure(&p, HS_MATCH_SPREAD, 0, N, f->x_T, &s));
    assert_ok(hs_noise_scale_measure(&p, HS_MATCH_NORM, 0, N, f->x_T, &other));
    assert_near(s.scale[HS_NOISE_X][0], sqrt(square), 1e-6);
    for (int k = 0; k < HS_NOISE_SPACES; k++) {
        assert_near(s.scale[k][1], s.spread[k][1], 0);
        assert_near(s.scale[k][1], other.spread[k][1], 0);
    }
    hs_noise_scale_free(&s);
    hs_noise_scale_free(&other);
    assert_code(hs_noise_scale_measure(&p, HS_MATCH_SPREAD, 0, 1, f->x_T, &s), HS_EDEGENERATE);
    free(v);
}

static void test_errors(void **state)
{
    fixture *f = *state;
    const hs_perturb_plan p = plan_of(f, 16);
    const hs_perturbation wrong[] = {{.space = HS_NOISE_X, .level = 1}, {.space = HS_NOISE_H, .level = 1}};
    const hs_perturbation wild = {.space = HS_NOISE_EPS, .level = 1e38};
    assert_code(hs_perturb_run(&p, 0, 1, f->x_T, &(hs_perturb_span){0}, 2, wrong, NULL, f->x_0), HS_ERANGE);
    assert_code(hs_perturb_run(&p, 0, 1, f->x_T, &(hs_perturb_span){0}, 0, wrong, NULL, f->x_0), HS_ERANGE);
    assert_code(hs_perturb_run(&p, 0, 1, f->x_T, &(hs_perturb_span){0}, 1, &wild, NULL, f->x_0), HS_EDEGENERATE);
    hs_noise_scale s;
    hs_perturb_plan still = plan_of(f, 16);
    float *zero = calloc(f->dx, sizeof *zero);
    assert_code(hs_noise_scale_measure(&still, HS_MATCH_RELATIVE, 0, 1, zero, &s), HS_EDEGENERATE);
    free(zero);
}

static void test_cost(void **state)
{
    (void)state;
    double encodes, decodes;
    /* plain, h_p, eps_p share a state at the first of 3 steps: 1 + 2 x 3 encodes; 1 + 1 decodes, then 1 + 2 + 1 */
    hs_perturb_cost(3, 2, 3, column, &encodes, &decodes);
    assert_near(encodes, 2 * (1 + 2 * 3), 0);
    assert_near(decodes, 2 * (2 + 2 * 4), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_distinct),
        cmocka_unit_test(test_seen),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_common),
        cmocka_unit_test(test_first_order),
        cmocka_unit_test(test_other_matchings),
        cmocka_unit_test(test_spread),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_cost),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
