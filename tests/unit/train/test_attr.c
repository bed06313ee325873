/* The attribute task: its loss against central differences, and what a short training finds. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "analysis/train/task_attr.h"
#include "core/base/rng.h"
#include "tests/support/support.h"

static void test_loss_and_gradient(void **state)
{
    (void)state;
    enum { N = 5, K = 3 };
    const hs_attr_factor factor[K] = {{"age", 0, 2, 0.5}, {"hat", 1, 0, 1}, {"yaw", 0, -1, 3}};
    float out[N * K], d[N * K], other[N * K];
    double value[N * K], want = 0;
    hs_rng_normal((hs_rng){1, HS_RNG_TEST, 0}, 0, N * K, out);
    for (size_t i = 0; i < N * K; i++) {
        value[i] = i % K == 1 ? (double)(i % 2) : (double)i / 7;
        double z = (value[i] - factor[i % K].mean) / factor[i % K].sd, o = out[i], p = 1 / (1 + exp(-o));
        want += (i % K == 1 ? -value[i] * log(p) - (1 - value[i]) * log(1 - p) : (o - z) * (o - z)) / (N * K);
    }
    assert_near(hs_attr_loss(N, K, factor, out, value, d), want, 1e-12);
    for (size_t i = 0; i < N * K; i++) {
        float was = out[i], step = 0x1p-6f; /* exact in float: the loss is summed in double */
        out[i] = was + step;
        double up = hs_attr_loss(N, K, factor, out, value, other);
        double above = out[i];
        out[i] = was - step;
        double down = hs_attr_loss(N, K, factor, out, value, other);
        assert_near(d[i], (up - down) / (above - (double)out[i]), 2e-6); /* step^2 / 6 times a third derivative */
        out[i] = was;
    }
    for (size_t i = 0; i < N * K; i++) { /* certain answers neither overflow nor vanish */
        out[i] = i % 2 == 0 ? 1000 : -1000;
    }
    assert_true(isfinite(hs_attr_loss(N, K, factor, out, value, d)));
}

static hs_data faces(size_t first, size_t n)
{
    hs_data d;
    const hs_data_options o = {.image = {3, 16, 16}, .factors = 1, .seed = 4, .first = first, .images = n};
    assert_ok(hs_data_open("faces", &o, &d));
    return d;
}

static size_t factor_of(const hs_data *d, const char *name)
{
    size_t f = 0;
    while (f < d->n_factors && strcmp(d->factor[f].name, name) != 0) {
        f++;
    }
    assert_true(f < d->n_factors);
    return f;
}

static hs_attr_options options_of(void)
{
    return (hs_attr_options){
        .seed = 3, .batch = 32, .levels = 3, .ch = {16, 32, 64}, .groups = 8, .features = 64, .conv = HS_CONV_AUTO};
}

static void test_reads_factors_of_unseen_faces(void **state)
{
    (void)state;
    hs_data seen = faces(0, 3000), unseen = faces(3000, 500);
    const hs_attr_options o = options_of();
    const hs_train_options loop = {.adam = {.beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8},
                                   .rate = {.rate = 3e-3, .flat = 0.5, .last = 0.02, .warmup = 20, .total = 400},
                                   .clip = 1,
                                   .ema = 0.98,
                                   .save_seconds = 1e9,
                                   .table_every = 50};
    hs_attr_score score[HS_ATTR_FACTORS_MAX];
    hs_attr_task *a;
    hs_attrnet *net;
    hs_train_result r;
    const char *dir = temp_path("attr");
    mkdir(dir, 0777);
    assert_ok(hs_attr_task_create(&seen, &o, dir, &a));
    const hs_task t = hs_attr_task_of(a);
    assert_ok(hs_train(&t, &loop, dir, &r));
    assert_ok(hs_attrnet_open(dir, &net));
    assert_ok(hs_attr_score_on(net, HS_CONV_AUTO, &unseen, score));
    for (size_t f = 0; f < unseen.n_factors; f++) {
        print_message("%s %.3f %.3f\n", unseen.factor[f].name, score[f].r2, score[f].accuracy);
    }
    assert_true(score[factor_of(&unseen, "yaw")].r2 > 0.8);
    assert_true(score[factor_of(&unseen, "background")].r2 > 0.8);
    assert_true(score[factor_of(&unseen, "glasses")].accuracy > 0.85);
    unseen.n_factors--;
    assert_code(hs_attr_score_on(net, HS_CONV_AUTO, &unseen, score), HS_ESHAPE);
    hs_attrnet_free(net);
    hs_attr_task_free(a);
    hs_data_free(&seen);
    hs_data_free(&unseen);
}

static void test_refusals(void **state)
{
    (void)state;
    hs_data d = faces(0, 2);
    hs_attr_options o = options_of();
    hs_attr_task *a;
    o.batch = 0;
    assert_code(hs_attr_task_create(&d, &o, temp_path("refused"), &a), HS_ERANGE);
    o = options_of();
    d.n_factors = 0;
    assert_code(hs_attr_task_create(&d, &o, temp_path("refused"), &a), HS_ESHAPE);
    hs_data_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loss_and_gradient),
        cmocka_unit_test(test_reads_factors_of_unseen_faces),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
