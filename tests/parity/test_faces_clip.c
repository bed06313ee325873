/* The CLIP that ships against transformers' CLIPModel on its folder (tests/support/shipped_clip.py): tokens exactly,
 * embeddings within 2e-5 of the largest number (float32 sums in another order). */
#include <math.h>
#include <stdlib.h>

#include "core/io/tensors.h"
#include "core/model/clip.h"
#include "datasets/faces.h"
#include "tests/support/golden.h"

enum { IMAGES = 4, TEXTS = 5, SIDE = 32, PIXELS = 3 * SIDE * SIDE, P = 64, CONTEXT = 32, FACES = 64 };

static const char *const texts[TEXTS] = {"a face", "a smiling face",
                                         "an old smiling face with glasses and long red hair looking left",
                                         "A Photo of a man's face!", "a face without glasses on a blue background"};

typedef struct {
    hs_clip *c;
    hs_tensors *ts;
} setup;

static setup begin(void)
{
    setup s;
    assert_ok(hs_clip_open("datasets/models/faces-clip", &s.c));
    assert_ok(hs_tensors_open("tests/support/faces-clip.npz", &s.ts));
    assert_int_equal(hs_clip_config_of(s.c)->image_size, SIDE);
    assert_int_equal(hs_clip_config_of(s.c)->projection, P);
    assert_int_equal(hs_clip_config_of(s.c)->context, CONTEXT);
    return s;
}

static void end(setup s)
{
    hs_clip_free(s.c);
    hs_tensors_free(s.ts);
}

static void test_texts_embed_as_transformers_has_it(void **state)
{
    (void)state;
    setup s = begin();
    int32_t ids[TEXTS * CONTEXT];
    float e[TEXTS * P];
    size_t n;
    int *want = golden_int(s.ts, "ids", &n);
    assert_int_equal(n, TEXTS * CONTEXT);
    assert_ok(hs_clip_tokens(s.c, TEXTS, texts, 0, ids));
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(ids[i], want[i]);
    }
    assert_ok(hs_clip_embed_texts(s.c, TEXTS, texts, 0, e));
    golden_check(s.ts, "text", 0, TEXTS * P, e, 2e-5);
    free(want);
    end(s);
}

/* The bytes of a face through CLIP's preprocessing, and as the trainers hand them over: both are v / 127.5 - 1. */
static void test_faces_embed_as_transformers_has_it(void **state)
{
    (void)state;
    setup s = begin();
    hs_clip_image_ws *ws;
    float x[IMAGES * PIXELS], e[IMAGES * P];
    uint8_t px[PIXELS];
    size_t n;
    float *pixels = golden_f32(s.ts, "pixels", &n);
    assert_int_equal(n, IMAGES * PIXELS);
    for (size_t i = 0; i < IMAGES; i++) {
        for (size_t k = 0; k < PIXELS; k++) { /* planes to pixels */
            px[k] = (uint8_t)pixels[i * PIXELS + k % 3 * SIDE * SIDE + k / 3];
        }
        const hs_image im = {.w = SIDE, .h = SIDE, .c = 3, .px = px};
        assert_ok(hs_clip_preprocess(hs_clip_config_of(s.c), &im, x + i * PIXELS));
        for (size_t k = 0; k < PIXELS; k++) {
            assert_near(x[i * PIXELS + k], pixels[i * PIXELS + k] / 127.5 - 1, 1e-6);
        }
    }
    assert_ok(hs_clip_image_ws_create(s.c, IMAGES, 0, &ws));
    assert_ok(hs_clip_image_forward(ws, IMAGES, x, e));
    golden_check(s.ts, "image", 0, IMAGES * P, e, 2e-5);
    hs_clip_image_ws_free(ws);
    free(pixels);
    end(s);
}

/* What the card promises, on a few faces: who smiles is nearer to "a smiling face" than to "a sad face". */
static void test_a_text_names_what_is_there(void **state)
{
    (void)state;
    setup s = begin();
    const char *const two[2] = {"a sad face", "a smiling face"};
    hs_clip_image_ws *ws;
    float w[2 * P], *x = malloc(FACES * PIXELS * sizeof *x), *e = malloc(FACES * P * sizeof *e);
    size_t of = 0, right = 0;
    assert_true(x != NULL && e != NULL);
    for (size_t i = 0; i < FACES; i++) {
        double f[HS_FACE_FACTORS_MAX];
        hs_face_draw(123, i, f);
        assert_ok(hs_face_render(0, f, SIDE, x + i * PIXELS));
    }
    assert_ok(hs_clip_embed_texts(s.c, 2, two, 0, w));
    assert_ok(hs_clip_image_ws_create(s.c, FACES, 0, &ws));
    assert_ok(hs_clip_image_forward(ws, FACES, x, e));
    for (size_t i = 0; i < FACES; i++) {
        double f[HS_FACE_FACTORS_MAX], dot[2] = {0}, square[2] = {0};
        hs_face_draw(123, i, f);
        double smile = f[hs_face_factor_find("smile")];
        for (size_t k = 0; k < 2 * P; k++) {
            dot[k / P] += (double)w[k] * (double)e[i * P + k % P];
            square[k / P] += (double)w[k] * (double)w[k];
        }
        int says = dot[1] / sqrt(square[1]) > dot[0] / sqrt(square[0]);
        of += fabs(smile) > 0.4;
        right += fabs(smile) > 0.4 && says == (smile > 0);
    }
    print_message("%zu of %zu\n", right, of);
    assert_true(of > 20 && right >= of - of / 20);
    hs_clip_image_ws_free(ws);
    free(x);
    free(e);
    end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_embed_as_transformers_has_it),
        cmocka_unit_test(test_faces_embed_as_transformers_has_it),
        cmocka_unit_test(test_a_text_names_what_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
