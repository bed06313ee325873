/* CLIP against transformers 5.23's CLIPModel and Pillow: tokens and resized images exactly, embeddings within 2e-5 and
 * gradients within 5e-5 of the largest number (float32 sums in another order). */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/io/resize.h"
#include "core/model/clip_loss.h"
#include "core/nn/cubic.h"
#include "tests/support/golden.h"

enum { TEXTS = 32, CONTEXT = 77, P = 32, R = 32, IMAGES = 3, PIXELS = 3 * R * R };

static const char *const templates[] = {"a photo of a {}.", "a drawing of the {}.", "a small {} in the dark"};

typedef struct {
    hs_clip *c;
    hs_tensors *ts;
    json_t *tokens;
} setup;

static void begin(setup *s)
{
    assert_ok(hs_clip_open(shared_data("parity/clip_tiny/model"), &s->c));
    s->ts = golden_open("parity/clip_tiny/golden.safetensors");
    s->tokens = json_load_file(shared_data("parity/clip_tiny/tokens.json"), 0, NULL);
    assert_int_equal(json_array_size(json_object_get(s->tokens, "cases")), TEXTS);
}

static void end(setup *s)
{
    hs_clip_free(s->c);
    hs_tensors_free(s->ts);
    json_decref(s->tokens);
}

static const json_t *text_case(const setup *s, size_t i)
{
    return json_array_get(json_object_get(s->tokens, "cases"), i);
}

static void test_tokens(void **state)
{
    (void)state;
    need_shared("parity/clip_tiny/case.json");
    setup s;
    begin(&s);
    const hs_bpe *t = hs_clip_tokenizer(s.c);
    assert_int_equal(hs_bpe_begin(t), json_integer_value(json_object_get(s.tokens, "bos")));
    assert_int_equal(hs_bpe_end(t), json_integer_value(json_object_get(s.tokens, "eos")));
    size_t longest = 0;
    for (size_t i = 0; i < TEXTS; i++) {
        const char *text = json_string_value(json_object_get(text_case(&s, i), "text"));
        const json_t *want = json_object_get(text_case(&s, i), "ids");
        const size_t full = (size_t)json_integer_value(json_object_get(text_case(&s, i), "full_length"));
        int32_t ids[CONTEXT], all[1024];
        size_t n, m;
        assert_ok(hs_bpe_encode(t, text, CONTEXT, 1, ids, &n));
        assert_ok(hs_bpe_encode(t, text, 1024, 0, all, &m));
        assert_int_equal(n, json_array_size(want));
        assert_int_equal(m, full);
        longest = full > longest ? full : longest;
        for (size_t j = 0; j < CONTEXT; j++) {
            const json_int_t id = j < n ? json_integer_value(json_array_get(want, j)) : hs_bpe_end(t);
            if (ids[j] != id) {
                fail_msg("text %zu, token %zu: %d, wanted %d", i, j, ids[j], (int)id);
            }
        }
        if (full > CONTEXT) {
            assert_code(hs_bpe_encode(t, text, CONTEXT, 0, ids, &n), HS_ERANGE);
        }
    }
    assert_true(longest > CONTEXT);
    end(&s);
}

/* Images of several sizes, whose every byte is Pillow's. */
static void test_preprocessing(void **state)
{
    (void)state;
    need_shared("parity/clip_tiny/case.json");
    static const char *const names[IMAGES] = {"45x61", "100x37", "32x33"};
    setup s;
    begin(&s);
    const hs_clip_config *cfg = hs_clip_config_of(s.c);
    float *x = malloc(IMAGES * PIXELS * sizeof *x);
    for (size_t i = 0; i < IMAGES; i++) {
        char file[80];
        hs_image im, small;
        snprintf(file, sizeof file, "parity/clip_tiny/image_%s.png", names[i]);
        assert_ok(hs_image_read(shared_data(file), 3, NULL, &im));
        snprintf(file, sizeof file, "resized/%s", names[i]);
        const hs_tensor *want = hs_tensors_find(s.ts, file);
        assert_non_null(want);
        assert_ok(hs_image_resize(&im, want->dim[1], want->dim[0], HS_RESIZE_BICUBIC, NULL, &small));
        assert_memory_equal(small.px, want->bytes, want->count);
        assert_ok(hs_clip_preprocess(cfg, &im, x + i * PIXELS));
        hs_image_free(&im);
        hs_image_free(&small);
    }
    for (size_t i = 0; i < IMAGES * PIXELS; i++) {
        const size_t k = i / (R * R) % 3;
        x[i] = (float)((((double)x[i] + 1) / 2 - cfg->mean[k]) / cfg->std[k]);
    }
    golden_check(s.ts, "pixel_values", 0, IMAGES * PIXELS, x, 1e-6);
    free(x);
    end(&s);
}

/* x in [-1, 1] of the golden pixel values. */
static float *golden_pixels(const setup *s)
{
    const hs_clip_config *cfg = hs_clip_config_of(s->c);
    float *x = golden_f32(s->ts, "pixel_values", NULL);
    for (size_t i = 0; i < IMAGES * PIXELS; i++) {
        const size_t k = i / (R * R) % 3;
        x[i] = (float)(2 * ((double)x[i] * cfg->std[k] + cfg->mean[k]) - 1);
    }
    return x;
}

static double length_of(const float *e)
{
    double sum = 0;
    for (size_t j = 0; j < P; j++) {
        sum += (double)e[j] * (double)e[j];
    }
    return sqrt(sum);
}

static void test_embeddings(void **state)
{
    (void)state;
    need_shared("parity/clip_tiny/case.json");
    setup s;
    begin(&s);
    const char *texts[TEXTS];
    float text[TEXTS * P], image[IMAGES * P], logits[IMAGES * TEXTS], *x = golden_pixels(&s);
    int32_t ids[TEXTS * CONTEXT];
    for (size_t i = 0; i < TEXTS; i++) {
        texts[i] = json_string_value(json_object_get(text_case(&s, i), "text"));
    }
    assert_ok(hs_clip_tokens(s.c, TEXTS, texts, 1, ids));
    hs_clip_text_ws *tw;
    hs_clip_image_ws *iw;
    assert_ok(hs_clip_text_ws_create(s.c, TEXTS, 0, &tw));
    assert_ok(hs_clip_image_ws_create(s.c, IMAGES, 0, &iw));
    assert_ok(hs_clip_text_forward(tw, TEXTS, ids, text));
    golden_check(s.ts, "text_embeds", 0, TEXTS * P, text, 2e-5);
    assert_ok(hs_clip_image_forward(iw, IMAGES, x, image));
    golden_check(s.ts, "image_embeds", 0, IMAGES * P, image, 2e-5);
    size_t count;
    const float scale = expf(hs_clip_theta(s.c, &count)[0]);
    for (size_t i = 0; i < IMAGES * TEXTS; i++) {
        const float *a = image + i / TEXTS * P, *b = text + i % TEXTS * P;
        double dot = 0;
        for (size_t j = 0; j < P; j++) {
            dot += (double)a[j] * (double)b[j];
        }
        logits[i] = (float)((double)scale * dot / length_of(a) / length_of(b));
    }
    golden_check(s.ts, "logits_per_image", 0, IMAGES * TEXTS, logits, 2e-5);
    /* each text alone: nothing depends on what is beside it */
    assert_ok(hs_clip_embed_texts(s.c, TEXTS, texts, 1, text));
    golden_check(s.ts, "text_embeds", 0, TEXTS * P, text, 2e-5);
    hs_clip_text_ws_free(tw);
    hs_clip_image_ws_free(iw);
    free(x);
    end(&s);
}

/* One form of the directional loss: each image's value and the gradient of `times` the total. */
static void check_loss(const setup *s, hs_clip_form form, int logarithm, const float *t, const char *name, double times)
{
    enum { N = 2 };
    char what[40];
    double total, each[N];
    float e[N * P], loss[N], *a = golden_f32(s->ts, "dir/a", NULL), *b = golden_f32(s->ts, "dir/b", NULL);
    float *da = malloc(N * PIXELS * sizeof *da);
    hs_clip_loss *l;
    assert_ok(hs_clip_loss_create(s->c, N, (hs_chw){3, R, R}, form, logarithm, t, &l));
    assert_ok(hs_clip_loss_embed(l, N, b, e));
    assert_ok(hs_clip_loss_at(l, N, a, e, times, &total, each, da));
    loss[0] = (float)(logarithm ? total : each[0]);
    loss[1] = (float)each[1];
    assert_near(total, logarithm ? -log((2 - (each[0] + each[1]) / 2) / 2) : (each[0] + each[1]) / 2, 1e-12);
    snprintf(what, sizeof what, "dir/%s_loss", name);
    golden_check(s->ts, what, 0, logarithm ? 1 : N, loss, 2e-5);
    snprintf(what, sizeof what, "dir/%s_grad", name);
    golden_check(s->ts, what, 0, N * PIXELS, da, 5e-5);
    hs_clip_loss_free(l);
    free(a), free(b), free(da);
}

static void test_directional_losses(void **state)
{
    (void)state;
    need_shared("parity/clip_tiny/case.json");
    setup s;
    float t[P];
    begin(&s);
    assert_ok(hs_clip_text_direction(s.c, HS_CLIP_PLAIN, "face", "smiling face", 0, NULL, t));
    check_loss(&s, HS_CLIP_PLAIN, 0, t, "raw", 2); /* theirs is the gradient of the sum, ours of the mean */
    assert_ok(hs_clip_text_direction(s.c, HS_CLIP_UNIT, "face", "smiling face", 0, NULL, t));
    check_loss(&s, HS_CLIP_UNIT, 0, t, "unit", 2);
    assert_ok(hs_clip_text_direction(s.c, HS_CLIP_UNIT, "face", "smiling face", 3, templates, t));
    golden_check(s.ts, "dir/template_text_direction", 0, P, t, 2e-5);
    check_loss(&s, HS_CLIP_UNIT, 0, t, "template", 2);
    check_loss(&s, HS_CLIP_UNIT, 1, t, "log", 1);
    end(&s);
}

static void test_tensor_resize(void **state)
{
    (void)state;
    need_shared("parity/clip_tiny/case.json");
    enum { IN = 48 };
    hs_tensors *ts = golden_open("parity/clip_tiny/golden.safetensors");
    float *x = golden_f32(ts, "resize_tensor/in", NULL), *u = golden_f32(ts, "resize_tensor/u", NULL);
    for (int antialias = 0; antialias < 2; antialias++) {
        hs_cubic *r;
        assert_ok(hs_cubic_create(IN, IN, R, R, antialias, &r));
        float *y = malloc(PIXELS * sizeof *y), *dx = malloc(3 * IN * IN * sizeof *dx);
        float *scratch = malloc(3 * hs_cubic_scratch(r) * sizeof *scratch);
        hs_cubic_forward(r, 3, x, y, scratch);
        golden_check(ts, antialias ? "resize_tensor/antialias" : "resize_tensor/plain", 0, PIXELS, y, 1e-6);
        hs_cubic_vjp(r, 3, u, dx, scratch);
        golden_check(ts, antialias ? "resize_tensor/antialias_vjp" : "resize_tensor/plain_vjp", 0, 3 * IN * IN, dx,
                     1e-6);
        free(y), free(dx), free(scratch);
        hs_cubic_free(r);
    }
    free(x), free(u);
    hs_tensors_free(ts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens),        cmocka_unit_test(test_preprocessing),
        cmocka_unit_test(test_embeddings),    cmocka_unit_test(test_directional_losses),
        cmocka_unit_test(test_tensor_resize),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
