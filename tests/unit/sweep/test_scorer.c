/* attr:NAME and feat: the scorer against the network itself (which tests/unit/model/test_attrnet.c checks), and as
 * read-outs of a sweep against the sweep's own images. */
#include "analysis/sweep/scorer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "analysis/sweep/sweep.h"
#include "core/base/rng.h"
#include "core/diffusion/ddim.h"
#include "core/io/resize.h"
#include "tests/support/support.h"

enum { R = 16, D = 3 * R * R, K = 3, F = 10 };

static char folder[300];
static hs_attrnet *net;

static int set_up(void **state)
{
    (void)state;
    const hs_attrnet_config cfg = {.image_size = R,
                                   .levels = 2,
                                   .ch = {8, 16},
                                   .groups = 4,
                                   .features = F,
                                   .n_factors = K,
                                   .factor = {{"smile", 0, 1, 2}, {"hat", 1, 0, 1}, {"age", 0, 0, 1}}};
    size_t count;
    snprintf(folder, sizeof folder, "%s", temp_path("attr"));
    assert_int_equal(mkdir(folder, 0777), 0);
    assert_ok(hs_attrnet_random(&cfg, 1, &net));
    const float *theta = hs_attrnet_theta(net, &count);
    assert_ok(hs_attrnet_save(net, theta, 0, 0, NULL, folder));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hs_attrnet_free(net);
    return 0;
}

/* What the network says of one image (3, R, R). */
static void ask(const float *x, double *value, float *feature)
{
    hs_attrnet_ws *ws = NULL;
    float out[K];
    assert_ok(hs_attrnet_ws_create(net, 1, 0, HS_CONV_AUTO, &ws));
    assert_ok(hs_attrnet_forward(ws, 1, x, out, feature));
    hs_attrnet_values(net, 1, out, value);
    hs_attrnet_ws_free(ws);
}

/* float32 sums in another order for another batch. */
static void same(const double *value, const float *feature, const double *want, const float *want_f)
{
    for (size_t k = 0; k < K; k++) {
        assert_near(value[k], want[k], 1e-5);
    }
    assert_true(max_rel_f32(feature, want_f, F) < 1e-5);
}

static void test_images_of_its_size_go_in_as_they_are(void **state)
{
    (void)state;
    enum { N = 20 }; /* more than a batch */
    static float x[N * D];
    hs_scorer *s = NULL;
    double value[N * K], want[K];
    float feature[N * F], want_f[F];
    hs_rng_normal((hs_rng){3, HS_RNG_TEST, 0}, 0, N * D, x); /* beyond [-1, 1] too */
    assert_ok(hs_scorer_open(folder, HS_CONV_AUTO, &s));
    assert_ok(hs_scorer_eval(s, (hs_chw){3, R, R}, N, x, value, feature));
    for (size_t i = 0; i < N; i++) {
        ask(x + i * D, want, want_f);
        same(value + i * K, feature + i * F, want, want_f);
    }
    assert_ok(hs_scorer_eval(s, (hs_chw){3, R, R}, 1, x, value, NULL));
    hs_scorer_free(s);
}

static void test_others_are_cut_resized_and_spread(void **state)
{
    (void)state;
    enum { H = 20, W = 25 };
    float grey[H * W], x[D], want_f[F], feature[F];
    double value[K], want[K];
    hs_scorer *s = NULL;
    hs_image im = {0}, fitted = {0};
    for (size_t i = 0; i < H * W; i++) {
        grey[i] = (float)hs_rng_uniform((hs_rng){3, HS_RNG_TEST, 1}, i) * 2 - 1;
    }
    assert_ok(hs_image_from_float(grey, (hs_chw){1, H, W}, &im));
    assert_ok(hs_image_fit(&im, R, &fitted));
    hs_image_to_float(&fitted, x);
    memcpy(x + R * R, x, R * R * sizeof *x);
    memcpy(x + 2 * R * R, x, R * R * sizeof *x);
    ask(x, want, want_f);
    assert_ok(hs_scorer_open(folder, HS_CONV_AUTO, &s));
    assert_ok(hs_scorer_eval(s, (hs_chw){1, H, W}, 1, grey, value, feature));
    same(value, feature, want, want_f);
    assert_code(hs_scorer_eval(s, (hs_chw){2, R, R}, 1, x, value, feature), HS_ESHAPE);
    hs_scorer_free(s);
    hs_image_free(&im);
    hs_image_free(&fitted);
}

static void test_factors_are_found_by_name(void **state)
{
    (void)state;
    hs_scorer *s = NULL;
    size_t k = 9;
    assert_ok(hs_scorer_open(folder, HS_CONV_AUTO, &s));
    assert_ok(hs_scorer_find(s, "hat", &k));
    assert_int_equal(k, 1);
    assert_code(hs_scorer_find(s, "hats", &k), HS_ERANGE);
    assert_non_null(strstr(hs_error_message(), "smile, hat, age"));
    hs_scorer_free(s);
    hs_scorer_free(NULL);
    assert_code(hs_scorer_open("/nowhere", HS_CONV_AUTO, &s), HS_EIO);
}

static void test_readouts_read_the_images_of_a_sweep(void **state)
{
    (void)state;
    enum { N = 2, M = 3, P = 4 };
    static const double strength[M] = {-1, 0, 1}, one = 1;
    static const char *const names[P] = {"attr:hat", "feat", "brightness", "attr:smile"};
    static float x_T[N * D], x_0[N * M * D];
    float dh[64 * 4 * 4], want_f[F];
    double want[K];
    hs_model model = {0};
    hs_steps steps = {0};
    hs_scorer *scorer = NULL;
    hs_readout phi[P];
    hs_sweep s = {0};
    assert_ok(hs_model_open("random:tiny:3", NULL, NULL, &model));
    const hs_unet_config *cfg = hs_unet_config_of(model.unet);
    hs_chw image = hs_unet_image_shape(cfg), h = hs_unet_h_shape(cfg);
    assert_int_equal(hs_chw_size(image), D);
    assert_int_equal(hs_chw_size(h), sizeof dh / sizeof *dh);
    assert_ok(hs_steps_create(&model.schedule, &(hs_steps_spec){HS_SPACING_ASYRP, 4, 0, 1}, &steps));
    hs_direction dir = {.shape = h, .dh = dh};
    hs_rng_normal((hs_rng){4, HS_RNG_TEST, 0}, 0, hs_chw_size(h), dh);
    hs_rng_normal((hs_rng){4, HS_RNG_TEST, 1}, 0, N * D, x_T);
    assert_ok(hs_scorer_open(folder, HS_CONV_AUTO, &scorer));
    for (size_t p = 0; p < P; p++) {
        assert_ok(hs_readout_parse(names[p], image, h, scorer, NULL, &phi[p]));
    }
    hs_scorer_free(scorer); /* the read-outs keep it */
    assert_int_equal(phi[0].features, 1);
    assert_int_equal(phi[1].features, F);
    assert_false(hs_readout_is_vector(&phi[3]));
    assert_true(hs_readout_is_vector(&phi[1]));
    hs_edit_plan plan = {.model = &model,
                         .steps = &steps,
                         .n_dir = 1,
                         .dir = &dir,
                         .coef = &one,
                         .scale = 1,
                         .m = M,
                         .strength = strength,
                         .batch = 8};
    assert_ok(hs_sweep_run(&plan, N, x_T, P, phi, x_0, &s));
    for (size_t r = 0; r < N * M; r++) {
        ask(x_0 + r * D, want, want_f);
        assert_near((double)s.value[0][r], want[1], 1e-5);
        assert_near((double)s.value[3][r], want[0], 1e-5);
        assert_true(max_rel_f32(s.value[1] + r * F, want_f, F) < 1e-5);
    }
    assert_true(hs_sweep_effect(&s, 3, 1, 2, 1) > 20 * s.noise_floor[3]);
    hs_sweep_free(&s);
    for (size_t p = 0; p < P; p++) {
        hs_readout_free(&phi[p]);
    }
    hs_steps_free(&steps);
    hs_model_free(&model);
}

static void refused(const char *text, hs_scorer *s, const char *needle)
{
    hs_readout r;
    assert_code(hs_readout_parse(text, (hs_chw){3, R, R}, (hs_chw){8, 4, 4}, s, NULL, &r), HS_ERANGE);
    assert_non_null(strstr(hs_error_message(), needle));
}

static void test_malformed_readouts_are_refused(void **state)
{
    (void)state;
    hs_scorer *s = NULL;
    assert_ok(hs_scorer_open(folder, HS_CONV_AUTO, &s));
    refused("attr:nose", s, "smile, hat, age");
    refused("attr", s, "attr:NAME");
    refused("feat:3", s, "feat alone");
    refused("attr:smile", NULL, "no attribute network");
    assert_true(hs_readout_needs_scorer("attr:smile"));
    assert_true(hs_readout_needs_scorer("feat"));
    assert_false(hs_readout_needs_scorer("x0"));
    hs_scorer_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_images_of_its_size_go_in_as_they_are),
        cmocka_unit_test(test_others_are_cut_resized_and_spread),
        cmocka_unit_test(test_factors_are_found_by_name),
        cmocka_unit_test(test_readouts_read_the_images_of_a_sweep),
        cmocka_unit_test(test_malformed_readouts_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
