/* Delta networks side by side: planted starts, and the authors' eight networks. */
#include "analysis/compare/networks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "tests/support/golden.h"
#include "tests/support/shared_stats.h"

enum { C = 64, SIDE = 4, MEMBERS = 4 };
static const hs_chw small = {C, SIDE, SIDE};

static float *noise(size_t n, uint64_t index)
{
    float *x;
    assert_ok(hs_alloc(n, sizeof *x, &x));
    hs_rng_normal((hs_rng){31, HS_RNG_TEST, index}, 0, n, x);
    return x;
}

/* One start and independent small updates: alike as they stand, unrelated once the start is taken off. */
static void test_a_shared_start(void **state)
{
    (void)state;
    hs_deltablock *net[MEMBERS];
    float *h = noise(3 * C * SIDE * SIDE, 0);
    hs_networks r;
    for (size_t a = 0; a < MEMBERS; a++) {
        size_t count;
        assert_ok(hs_deltablock_random(C, C, 32, 5, 0, &net[a]));
        float *theta = hs_deltablock_theta(net[a], &count), *update = noise(count, 1 + a);
        for (size_t i = 0; i < count; i++) {
            theta[i] += .01F * update[i];
        }
        free(update);
    }
    assert_ok(hs_networks_compare(MEMBERS, net, 3, small, h, NULL, &r));
    assert_near(r.null, -1. / 3, 1e-12);
    assert_true(r.mean[0] > .8);
    assert_near(r.mean[1], -1. / 3, .02);
    assert_near(r.mean[2], -1. / 3, .05);
    assert_true(r.mean[3] > .9);
    assert_near(r.mean[4], -1. / 3, .01);
    assert_near(r.raw[1], r.raw[MEMBERS], 1e-12);
    assert_near(r.raw[MEMBERS + 1], 1, 1e-12);
    hs_networks_free(&r);
    /* The network that was asked for the start is as it was. */
    hs_networks again;
    assert_ok(hs_networks_compare(2, net, 3, small, h, NULL, &again));
    assert_true(isnan(again.null) && isnan(again.mean[1]) && isnan(again.updates[1]));
    assert_true(again.mean[0] > .8);
    hs_networks_free(&again);
    for (size_t a = 0; a < MEMBERS; a++) {
        hs_deltablock_free(net[a]);
    }
    free(h);
}

static void test_errors(void **state)
{
    (void)state;
    hs_deltablock *net[3];
    float *h = noise(2 * C * SIDE * SIDE, 0);
    hs_networks r = {.K = 77};
    for (size_t a = 0; a < 3; a++) {
        assert_ok(hs_deltablock_random(C, C, 32, 5, 0, &net[a]));
    }
    assert_code(hs_networks_compare(1, net, 1, small, h, NULL, &r), HS_ERANGE);
    assert_code(hs_networks_compare(2, net, 0, small, h, NULL, &r), HS_ERANGE);
    assert_code(hs_networks_compare(2, net, 1, (hs_chw){32, 4, 4}, h, NULL, &r), HS_ESHAPE);
    assert_code(hs_networks_compare(3, net, 1, small, h, NULL, &r), HS_EDEGENERATE); /* three times the same */
    assert_int_equal(r.K, 77);
    for (size_t a = 0; a < 3; a++) {
        hs_deltablock_free(net[a]);
    }
    free(h);
}

static void test_the_authors_networks(void **state)
{
    (void)state;
    static const char *const name[8] = {"smiling_LC_CelebA_HQ", "angry_LC_CelebA_HQ",
                                        "man_LC_CelebA_HQ",     "pixar_LC_CelebA_HQ",
                                        "young_LC_CelebA_HQ",   "church_gothic_LC_church_outdoor",
                                        "dog_happy_LC_dog",     "metface_smiling_LC_metfaces"};
    need_shared("golden-stats/ft.json");
    need_shared("asyrp-dh/dog_happy_LC_dog.pth");
    hs_deltablock *net[8];
    char path[96];
    hs_tensors *ts = golden_open("anime64/golden_h.npy");
    float *all = golden_f32(ts, hs_tensors_at(ts, 0)->name, NULL);
    hs_networks r;
    hs_tensors_free(ts);
    for (size_t a = 0; a < 8; a++) {
        snprintf(path, sizeof path, "asyrp-dh/%s.pth", name[a]);
        ts = golden_open(path);
        assert_ok(hs_deltablock_load(ts, "0.", &net[a]));
        hs_tensors_free(ts);
    }
    /* the h of the reference values: step 1, image 0 of 4 */
    assert_ok(hs_networks_compare(8, net, 1, (hs_chw){512, 8, 8}, all + 4 * 512 * 64, NULL, &r));
    for (size_t a = 0; a < 6; a++) {
        for (size_t b = 0; b < 6; b++) {
            snprintf(path, sizeof path, "cosine_raw/none/%zu/%zu", a, b);
            assert_near(r.raw[a * 8 + b], shared_number("golden-stats/ft.json", path), 2e-6);
            snprintf(path, sizeof path, "cosine_minus_mean/none/%zu/%zu", a, b);
            assert_near(r.minus_mean[a * 8 + b], shared_number("golden-stats/ft.json", path), 1e-5);
            snprintf(path, sizeof path, "cosine_weights/all/%zu/%zu", a, b);
            assert_near(r.weights[a * 8 + b], shared_number("golden-stats/ft.json", path), 1e-6);
            snprintf(path, sizeof path, "cosine_weights/all_minus_mean/%zu/%zu", a, b);
            assert_near(r.updates[a * 8 + b], shared_number("golden-stats/ft.json", path), 1e-5);
        }
    }
    assert_near(r.null, -.2, 1e-12);
    const double table[5] = {.815, -.168, -.165, .992, -.180}; /* docs/compare.md */
    for (size_t k = 0; k < 5; k++) {
        assert_near(r.mean[k], table[k], .001);
    }
    assert_true(r.raw[5] > .8 && r.minus_mean[5] < -.2); /* smiling faces and gothic churches */
    assert_true(isnan(r.minus_mean[6 * 8 + 7]) && isnan(r.weights[7]) && r.weights[6 * 8 + 7] > .9);
    hs_networks_free(&r);
    for (size_t a = 0; a < 8; a++) {
        hs_deltablock_free(net[a]);
    }
    free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_shared_start),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_the_authors_networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
