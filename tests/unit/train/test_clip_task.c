/* The CLIP task: its tokens, its gradient against differences, resuming, and what a short training finds. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "analysis/train/clip_score.h"
#include "analysis/train/task_clip.h"
#include "core/base/rng.h"
#include "datasets/captions.h"
#include "datasets/faces.h"
#include "tests/support/support.h"

static hs_data faces(size_t first, size_t n)
{
    hs_data d;
    const hs_data_options o = {.image = {3, 16, 16}, .factors = 1, .seed = 4, .first = first, .images = n};
    assert_ok(hs_data_open("faces", &o, &d));
    return d;
}

static hs_clip_train_options options_of(void)
{
    return (hs_clip_train_options){
        .seed = 3, .batch = 16, .captions = 4, .arch = "faces-clip-tiny", .guide = 1, .augment = 1};
}

static const char *fresh(const char *name)
{
    const char *dir = temp_path(name);
    mkdir(dir, 0777);
    return dir;
}

/* Every word that captions are made of is one token, every caption fits the context. */
static void test_a_word_is_a_token(void **state)
{
    (void)state;
    hs_bpe *t, *again;
    int32_t ids[64], other[64];
    size_t length;
    assert_ok(hs_clip_caption_tokens(&t));
    assert_ok(hs_clip_caption_tokens(&again));
    assert_in_range(hs_bpe_vocab(t), 600, 1200);
    assert_int_equal(hs_bpe_vocab(t), hs_bpe_vocab(again));
    for (size_t i = 0; hs_caption_phrase(i) != NULL; i++) {
        size_t words = 1;
        for (const char *c = hs_caption_phrase(i); *c != '\0'; c++) {
            words += *c == ' ';
        }
        assert_ok(hs_bpe_encode(t, hs_caption_phrase(i), 64, 0, ids, &length));
        assert_int_equal(length, words + 2);
        assert_ok(hs_bpe_encode(again, hs_caption_phrase(i), 64, 0, other, &length));
        assert_memory_equal(ids, other, sizeof ids);
    }
    for (size_t i = 0; i < 500; i++) {
        double f[HS_FACE_FACTORS_MAX];
        hs_caption c;
        hs_face_draw(2, i, f);
        hs_caption_draw(f, 2, i, HS_CAPTION_MENTIONS, &c);
        assert_ok(hs_bpe_encode(t, c.text, HS_CAPTION_WORDS + 2, 0, ids, &length));
    }
    hs_bpe_free(t);
    hs_bpe_free(again);
}

/* The loss of update 7 at theta + h d, along a random d of unit length. */
static double moved(const hs_task *t, const float *theta, const float *d, double h)
{
    double loss;
    for (size_t i = 0; i < t->n; i++) {
        t->theta[i] = theta[i] + (float)h * d[i];
    }
    assert_ok(t->refresh(t->ctx));
    memset(t->grad, 0, t->n * sizeof *t->grad);
    assert_ok(t->loss(t->ctx, 7, &loss));
    return loss;
}

static void test_the_gradient_is_that_of_the_loss(void **state)
{
    (void)state;
    hs_data d = faces(0, 100);
    const hs_clip_train_options o = options_of();
    hs_clip_task *a;
    assert_ok(hs_clip_task_create(&d, &o, "nowhere", &a));
    const hs_task t = hs_clip_task_of(a);
    float *theta = malloc(t.n * sizeof *theta), *grad = malloc(t.n * sizeof *grad), *way = malloc(t.n * sizeof *way);
    assert_true(theta != NULL && grad != NULL && way != NULL);
    memcpy(theta, t.theta, t.n * sizeof *theta);
    assert_true(moved(&t, theta, theta, 0) > 0.01);
    memcpy(grad, t.grad, t.n * sizeof *grad);
    double norm = 0;
    for (size_t i = 0; i < t.n; i++) {
        norm += (double)grad[i] * (double)grad[i];
    }
    for (size_t k = 0; k < 4; k++) { /* along itself, and with noise of the same size */
        double slope = 0, h = 4e-5;
        hs_rng_normal((hs_rng){9, HS_RNG_TEST, k}, 0, t.n, way);
        for (size_t i = 0; i < t.n; i++) {
            way[i] = (k == 0 ? 0 : way[i] / sqrtf((float)t.n)) + grad[i] / (float)sqrt(norm);
            slope += (double)way[i] * (double)grad[i];
        }
        double want = (moved(&t, theta, way, h) - moved(&t, theta, way, -h)) / (2 * h);
        print_message("slope %.6f, differences %.6f\n", slope, want);
        assert_near(slope, want,
                    1e-2 * fabs(want)); /* float32 forward, 1e-6 of the loss, over 2 h, and tokens of size 0.02 curve */
    }
    free(theta);
    free(grad);
    free(way);
    hs_clip_task_free(a);
    hs_data_free(&d);
}

static hs_train_options loop_of(uint64_t total)
{
    return (hs_train_options){.adam = {.beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .decay = 0.01},
                              .rate = {.rate = 4e-3, .flat = 0.5, .last = 0.02, .warmup = 20, .total = total},
                              .clip = 1,
                              .ema = 0.97,
                              .save_seconds = 1e9,
                              .table_every = 50};
}

static int stop_at(void *ctx, const char *what, size_t done, size_t total)
{
    (void)what;
    (void)total;
    return done == *(const size_t *)ctx;
}

/* theta <- the parameters after a run (or a part of it, up to update stop); its count. */
static size_t run(const hs_data *d, const char *dir, size_t stop, int resume, float **theta)
{
    const hs_clip_train_options o = options_of();
    hs_train_options loop = loop_of(12);
    const hs_progress p = {stop_at, &stop};
    hs_train_result r;
    hs_clip_task *a;
    loop.progress = stop > 0 ? &p : NULL;
    loop.resume = resume;
    assert_ok(hs_clip_task_create(d, &o, dir, &a));
    const hs_task t = hs_clip_task_of(a);
    assert_code(hs_train(&t, &loop, dir, &r), stop > 0 ? HS_ESTOPPED : HS_OK);
    *theta = malloc(t.n * sizeof **theta);
    assert_non_null(*theta);
    memcpy(*theta, t.theta, t.n * sizeof **theta);
    hs_clip_task_free(a);
    return t.n;
}

static void test_resumed_is_the_same_bits(void **state)
{
    (void)state;
    hs_data d = faces(0, 200);
    float *whole, *part, *resumed;
    const char *dir = fresh("clip-parts");
    size_t n = run(&d, fresh("clip-whole"), 0, 0, &whole);
    run(&d, dir, 5, 0, &part);
    run(&d, dir, 0, 1, &resumed);
    assert_memory_not_equal(part, whole, n * sizeof *whole);
    assert_memory_equal(resumed, whole, n * sizeof *whole);
    free(whole);
    free(part);
    free(resumed);
    hs_data_free(&d);
}

static double pearson_of(const hs_clip_scores *s, const char *target)
{
    for (size_t k = 0; k < HS_CLIP_PAIRS; k++) {
        if (strcmp(hs_clip_pairs[k].target, target) == 0) {
            return s->pair[k].pearson;
        }
    }
    fail_msg("no pair %s", target);
    return 0;
}

static void test_finds_what_captions_speak_of(void **state)
{
    (void)state;
    hs_data seen = faces(0, 2000), unseen = faces(2000, 400);
    hs_clip_train_options o = options_of();
    const hs_train_options loop = loop_of(400);
    hs_clip_scores before, after;
    hs_train_result r;
    hs_clip_task *a;
    hs_clip *net;
    const char *dir = fresh("clip-learns");
    o.augment = 0;
    o.half = 1;
    assert_ok(hs_clip_task_create(&seen, &o, dir, &a));
    const hs_task t = hs_clip_task_of(a);
    assert_ok(t.publish(t.ctx, t.theta, 0));
    assert_ok(hs_clip_open(dir, &net));
    assert_ok(hs_clip_score_on(net, &unseen, 4, 0, &before));
    hs_clip_free(net);
    assert_ok(hs_train(&t, &loop, dir, &r));
    assert_ok(hs_clip_open(dir, &net));
    assert_ok(hs_clip_score_on(net, &unseen, 4, 0, &after));
    for (size_t k = 0; k < HS_CLIP_PAIRS; k++) {
        print_message("%s: %.3f, was %.3f\n", hs_clip_pairs[k].target, after.pair[k].pearson, before.pair[k].pearson);
    }
    print_message("loss %.3f, retrieval %.3f %.3f\n", r.loss, after.image_to_caption, after.caption_to_image);
    assert_int_equal(after.pools, 4);
    assert_true(pearson_of(&after, "a face with dark skin") > 0.7 &&
                pearson_of(&before, "a face with dark skin") < 0.6);
    assert_true(pearson_of(&after, "a face on a blue background") > 0.7);
    assert_true(before.image_to_caption < 0.05 && after.image_to_caption > 0.08); /* chance: 0.01 */
    assert_true(before.caption_to_image < 0.05 && after.caption_to_image > 0.08);
    unseen.n = HS_CLIP_POOL - 1;
    assert_code(hs_clip_score_on(net, &unseen, 4, 0, &after), HS_ERANGE);
    unseen.n_factors--;
    assert_code(hs_clip_score_on(net, &unseen, 4, 0, &after), HS_ESHAPE);
    hs_clip_free(net);
    hs_clip_task_free(a);
    hs_data_free(&seen);
    hs_data_free(&unseen);
}

static void test_refusals(void **state)
{
    (void)state;
    hs_data d = faces(0, 2);
    hs_clip_train_options o = options_of();
    hs_clip_config cfg;
    hs_clip_task *a;
    o.batch = 1;
    assert_code(hs_clip_task_create(&d, &o, "nowhere", &a), HS_ERANGE);
    o = options_of();
    o.captions = 17;
    assert_code(hs_clip_task_create(&d, &o, "nowhere", &a), HS_ERANGE);
    o = options_of();
    o.arch = "faces-32";
    assert_code(hs_clip_task_create(&d, &o, "nowhere", &a), HS_ERANGE);
    o.arch = "faces-clip"; /* 32 x 32 */
    assert_code(hs_clip_task_create(&d, &o, "nowhere", &a), HS_ESHAPE);
    o = options_of();
    d.factor[2].name[0] = 'x';
    assert_code(hs_clip_task_create(&d, &o, "nowhere", &a), HS_ESHAPE);
    assert_ok(hs_clip_arch_named("faces-clip", &cfg));
    assert_int_equal(cfg.context, HS_CAPTION_WORDS + 2);
    hs_data_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_word_is_a_token),
        cmocka_unit_test(test_the_gradient_is_that_of_the_loss),
        cmocka_unit_test(test_resumed_is_the_same_bits),
        cmocka_unit_test(test_finds_what_captions_speak_of),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
