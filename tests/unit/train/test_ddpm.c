/* The U-Net's task: it learns the score of a distribution whose score is known, learns a few images by heart,
 * and what it publishes is the model. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "analysis/train/task_ddpm.h"
#include "core/base/rng.h"
#include "core/model/model.h"
#include "tests/support/support.h"

enum { SIDE = 8, D = SIDE * SIDE };

/* One channel, SIDE x SIDE. */
static void small_arch(hs_unet_config *c)
{
    assert_ok(hs_arch_builtin("tiny", c));
    c->names = HS_NAMES_DIFFUSERS;
    c->in_ch = c->out_ch = 1;
    c->image_size = SIDE;
    c->levels = 2;
    c->ch[0] = 16;
    c->ch[1] = 32;
    memset(c->attn_down, 0, sizeof c->attn_down);
    memset(c->attn_up, 0, sizeof c->attn_up);
}

static hs_train_options loop_of(uint64_t total, double rate)
{
    return (hs_train_options){.adam = {.beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8},
                              .rate = {.rate = rate, .flat = 0.5, .last = 0.02, .warmup = 20, .total = total},
                              .clip = 1,
                              .ema = 0.99,
                              .save_seconds = 1e9,
                              .table_every = 50};
}

static hs_ddpm_options options_of(size_t batch)
{
    return (hs_ddpm_options){.seed = 7, .batch = batch, .pictures = 4, .picture_steps = 20};
}

/* Trains and gives the published model back. */
static void train(const hs_unet_config *cfg, const hs_data *data, const hs_ddpm_options *o,
                  const hs_train_options *loop, const char *dir, hs_train_result *r, hs_model *m)
{
    hs_ddpm *d;
    mkdir(dir, 0777);
    assert_ok(hs_ddpm_create(cfg, data, o, dir, &d));
    const hs_task t = hs_ddpm_task(d);
    assert_ok(hs_train(&t, loop, dir, r));
    hs_ddpm_free(d);
    assert_ok(hs_model_open(dir, NULL, NULL, m));
}

/* ---- Two Gaussians ------------------------------------------------------------------------------- */

/* x_0 = +-mu + SPREAD z, mu being 0.4 or -0.4 in stripes. */
static const double SPREAD = 0.1;
static double mu_of(size_t p)
{
    return p % SIDE % 4 < 2 ? 0.4 : -0.4;
}

static void draw(uint64_t index, float *x)
{
    hs_rng stream = {21, HS_RNG_TEST, index};
    double sign = hs_rng_below(stream, 1000, 2) == 0 ? 1 : -1;
    hs_rng_normal(stream, 0, D, x);
    for (size_t p = 0; p < D; p++) {
        x[p] = (float)(sign * mu_of(p) + SPREAD * (double)x[p]);
    }
}

/* eps(x_t) = -sqrt(1 - ab) times the score of the mixture at t:
 * sqrt(1 - ab) / V (x - a mu tanh(a <mu, x> / V)), a = sqrt(ab), V = ab SPREAD^2 + 1 - ab. */
static void known_eps(double ab, const float *x, double *eps)
{
    double a = sqrt(ab), V = ab * SPREAD * SPREAD + 1 - ab, dot = 0;
    for (size_t p = 0; p < D; p++) {
        dot += mu_of(p) * (double)x[p];
    }
    for (size_t p = 0; p < D; p++) {
        eps[p] = sqrt(1 - ab) / V * ((double)x[p] - a * mu_of(p) * tanh(a * dot / V));
    }
}

/* log of the density of x_t but for a constant: of the two Gaussians' sum. */
static double log_density(double ab, const double *x)
{
    double V = ab * SPREAD * SPREAD + 1 - ab, q[2] = {0, 0};
    for (int k = 0; k < 2; k++) {
        for (size_t p = 0; p < D; p++) {
            double e = x[p] - (k == 0 ? 1 : -1) * sqrt(ab) * mu_of(p);
            q[k] -= e * e / (2 * V);
        }
    }
    return fmax(q[0], q[1]) + log1p(exp(-fabs(q[0] - q[1])));
}

static void test_the_known_score_is_the_derivative(void **state)
{
    (void)state;
    const double ab = 0.02; /* both Gaussians matter here */
    float x[D];
    double eps[D], y[D];
    hs_rng_normal((hs_rng){23, HS_RNG_TEST, 0}, 0, D, x);
    known_eps(ab, x, eps);
    for (size_t p = 0; p < D; p++) {
        for (size_t q = 0; q < D; q++) {
            y[q] = x[q];
        }
        y[p] += 1e-5;
        double up = log_density(ab, y);
        y[p] -= 2e-5;
        double score = (up - log_density(ab, y)) / 2e-5;
        assert_near(eps[p], -sqrt(1 - ab) * score, 1e-7); /* of a difference of sums of about 30 */
    }
}

/* The best linear predictor of eps: of a Gaussian with the mixture's covariance ab mu mu' + V, by Sherman and
 * Morrison. */
static void linear_eps(double ab, const float *x, double *eps)
{
    double V = ab * SPREAD * SPREAD + 1 - ab, dot = 0, square = 0;
    for (size_t p = 0; p < D; p++) {
        dot += mu_of(p) * (double)x[p];
        square += mu_of(p) * mu_of(p);
    }
    for (size_t p = 0; p < D; p++) {
        eps[p] = sqrt(1 - ab) / V * ((double)x[p] - ab * mu_of(p) * dot / (V + ab * square));
    }
}

/* Mean squared difference from the known eps over n fresh x_t: of the model's eps, of the best linear one. */
static void compare(const hs_model *m, int t, size_t n, double *model, double *linear)
{
    double ab = m->schedule.alpha_bar[t], want[D], line[D];
    float x[D], z[D], eps[D];
    float h[2048];
    hs_unet_ws *ws;
    assert_ok(hs_unet_ws_create(m->unet, 1, 1, HS_CONV_AUTO, &ws));
    *model = *linear = 0;
    for (size_t i = 0; i < n; i++) {
        draw(1000000 + i, x);
        hs_rng_normal((hs_rng){22, HS_RNG_TEST, i}, 0, D, z);
        for (size_t p = 0; p < D; p++) {
            x[p] = (float)(sqrt(ab) * (double)x[p] + sqrt(1 - ab) * (double)z[p]);
        }
        known_eps(ab, x, want);
        linear_eps(ab, x, line);
        assert_ok(hs_unet_encode(m->unet, ws, 1, x, &t, h));
        assert_ok(hs_unet_decode(m->unet, ws, 1, NULL, h, eps));
        for (size_t p = 0; p < D; p++) {
            double e = (double)eps[p] - want[p], l = line[p] - want[p];
            *model += e * e / (double)(n * D);
            *linear += l * l / (double)(n * D);
        }
    }
    hs_unet_ws_free(ws);
}

static void test_learns_the_score_of_two_gaussians(void **state)
{
    (void)state;
    enum { IMAGES = 4096 };
    static uint8_t px[IMAGES * D];
    static const int at[] = {100, 200, 300}; /* later noise hides which Gaussian it was: linear is nearly right */
    hs_data data = {.n = IMAGES, .image = {1, SIDE, SIDE}, .px = px, .text = "two Gaussians"};
    hs_unet_config cfg;
    hs_model m;
    hs_train_result r;
    float x[D];
    for (size_t i = 0; i < IMAGES; i++) {
        draw(i, x);
        for (size_t p = 0; p < D; p++) {
            px[i * D + p] = (uint8_t)lrint((fmin(1, fmax(-1, (double)x[p])) + 1) * 127.5);
        }
    }
    small_arch(&cfg);
    const hs_ddpm_options o = options_of(32);
    const hs_train_options loop = loop_of(700, 4e-3);
    train(&cfg, &data, &o, &loop, temp_path("gaussians"), &r, &m);
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        double learnt, linear;
        compare(&m, at[i], 64, &learnt, &linear);
        print_message("t = %d: error %.4f, of the best linear predictor %.4f\n", at[i], learnt, linear);
        assert_true(learnt < 0.7 * linear);
    }
    hs_model_free(&m);
}

/* ---- Few images by heart ------------------------------------------------------------------------- */

/* Mean squared error of the model's eps over the images of data, each with four noises. */
static double error_on(const hs_model *m, const hs_data *data, int t)
{
    double ab = m->schedule.alpha_bar[t], sum = 0;
    size_t n = 4 * data->n;
    float x[D], z[D], eps[D], h[32 * D / 4];
    hs_unet_ws *ws;
    assert_ok(hs_unet_ws_create(m->unet, 1, 1, HS_CONV_AUTO, &ws));
    for (size_t i = 0; i < n; i++) {
        hs_rng_normal((hs_rng){24, HS_RNG_TEST, i}, 0, D, z);
        for (size_t p = 0; p < D; p++) {
            double x_0 = (double)data->px[i / 4 * D + p] / 127.5 - 1;
            x[p] = (float)(sqrt(ab) * x_0 + sqrt(1 - ab) * (double)z[p]);
        }
        assert_ok(hs_unet_encode(m->unet, ws, 1, x, &t, h));
        assert_ok(hs_unet_decode(m->unet, ws, 1, NULL, h, eps));
        for (size_t p = 0; p < D; p++) {
            sum += ((double)eps[p] - (double)z[p]) * ((double)eps[p] - (double)z[p]);
        }
    }
    hs_unet_ws_free(ws);
    return sum / (double)(n * D);
}

/* Sixteen images of black and white cells, four pixels each: 2^16 are as likely, so what is known of some
 * says nothing of others. */
static hs_data sixteen(uint64_t first, uint8_t px[16 * D])
{
    for (size_t i = 0; i < 16 * D; i++) {
        size_t cell = i % D / SIDE / 2 * (SIDE / 2) + i % SIDE / 2;
        px[i] = hs_rng_below((hs_rng){25, HS_RNG_TEST, first + i / D}, cell, 2) == 0 ? 0 : 255;
    }
    return (hs_data){.n = 16, .image = {1, SIDE, SIDE}, .px = px, .text = "black and white cells"};
}

static void test_learns_sixteen_images_by_heart(void **state)
{
    (void)state;
    static uint8_t px[2][16 * D];
    const hs_data seen = sixteen(0, px[0]), unseen = sixteen(16, px[1]);
    hs_unet_config cfg;
    hs_model m;
    hs_train_result r;
    small_arch(&cfg);
    const hs_ddpm_options o = options_of(32);
    const hs_train_options loop = loop_of(1000, 4e-3);
    train(&cfg, &seen, &o, &loop, temp_path("heart"), &r, &m);
    print_message("loss %.4f\n", r.loss);
    assert_true(r.loss < 0.05);            /* a network that knows nothing has 1 */
    for (int t = 150; t <= 300; t += 50) { /* too noisy to read off, not too noisy to recognise */
        double known = error_on(&m, &seen, t), strange = error_on(&m, &unseen, t);
        print_message("t = %d: error %.4f on images learnt, %.4f on others\n", t, known, strange);
        assert_true(known < 0.25 * strange);
    }
    hs_model_free(&m);
}

static void test_refusals(void **state)
{
    (void)state;
    hs_unet_config cfg;
    hs_ddpm_options o = options_of(2);
    hs_ddpm *d;
    static uint8_t px[2 * D];
    hs_data data = {.n = 2, .image = {1, SIDE, SIDE}, .px = px};
    small_arch(&cfg);
    o.batch = 0;
    assert_code(hs_ddpm_create(&cfg, &data, &o, "x", &d), HS_ERANGE);
    o.batch = 2;
    o.pictures = 257;
    assert_code(hs_ddpm_create(&cfg, &data, &o, "x", &d), HS_ERANGE);
    o.pictures = 1;
    cfg.out_ch = 2; /* a variance too */
    assert_code(hs_ddpm_create(&cfg, &data, &o, "x", &d), HS_ERANGE);
    cfg.out_ch = 1;
    data.image.c = 3;
    assert_code(hs_ddpm_create(&cfg, &data, &o, "x", &d), HS_ESHAPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_known_score_is_the_derivative),
        cmocka_unit_test(test_learns_the_score_of_two_gaussians),
        cmocka_unit_test(test_learns_sixteen_images_by_heart),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
