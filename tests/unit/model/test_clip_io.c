/* CLIP's folder written and read again, its tokenizer, its texts and templates.  What is wrong with a folder is tried
 * from outside, in tests/cli/clip.bats. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/io/file.h"
#include "core/model/clip_loss.h"
#include "core/tensor/dtype.h"
#include "tests/support/support.h"

static const char *const captions[] = {"a smiling face", "an old face with glasses", "a young face",
                                       "a face with a hat"};

static hs_bpe *tokenizer(void)
{
    hs_bpe *t = NULL;
    assert_ok(hs_bpe_learn(4, captions, 20, &t));
    return t;
}

static hs_clip_config config_for(const hs_bpe *t)
{
    hs_clip_config c = {.vision = {12, 1, 3, 20, HS_GELU_EXACT, 1e-6},
                        .text = {8, 2, 2, 18, HS_GELU_QUICK, 1e-5},
                        .image_size = 12,
                        .patch_size = 4,
                        .vocab = hs_bpe_vocab(t),
                        .context = 24,
                        .begin = hs_bpe_begin(t),
                        .end = hs_bpe_end(t),
                        .projection = 5,
                        .mean = {0.5, 0.25, 0.125},
                        .std = {0.5, 0.25, 1},
                        .resize = 14};
    return c;
}

static hs_clip *with_tokenizer(void)
{
    hs_bpe *t = tokenizer();
    const hs_clip_config cfg = config_for(t);
    hs_clip *c = NULL;
    assert_ok(hs_clip_random(&cfg, 1, &c));
    assert_ok(hs_clip_set_tokenizer(c, t));
    return c;
}

static void same_tower(const hs_clip_tower_config *a, const hs_clip_tower_config *b)
{
    assert_true(a->hidden == b->hidden && a->layers == b->layers && a->heads == b->heads && a->mlp == b->mlp);
    assert_true(a->act == b->act && a->eps == b->eps);
}

static void same_config(const hs_clip_config *a, const hs_clip_config *b)
{
    same_tower(&a->vision, &b->vision);
    same_tower(&a->text, &b->text);
    assert_true(a->image_size == b->image_size && a->patch_size == b->patch_size && a->resize == b->resize);
    assert_true(a->vocab == b->vocab && a->context == b->context && a->projection == b->projection);
    assert_true(a->begin == b->begin && a->end == b->end);
    for (size_t k = 0; k < 3; k++) {
        assert_true(a->mean[k] == b->mean[k] && a->std[k] == b->std[k]);
    }
}

static void test_round_trip(void **state)
{
    (void)state;
    char folder[4096];
    snprintf(folder, sizeof folder, "%s", temp_path("clip"));
    mkdir(folder, 0700);
    hs_clip *a = with_tokenizer();
    size_t count, n;
    float *theta = hs_clip_theta(a, &count), ea[4 * 5], eb[4 * 5];
    const hs_pair meta = {"trained", "no"};
    assert_ok(hs_clip_embed_texts(a, 4, captions, 0, ea));
    for (int half = 0; half < 2; half++) {
        hs_clip *b = NULL;
        assert_ok(hs_clip_save(a, theta, half, 1, &meta, folder));
        assert_ok(hs_clip_open(folder, &b));
        same_config(hs_clip_config_of(a), hs_clip_config_of(b));
        const float *v = hs_clip_theta(b, &n);
        assert_int_equal(n, count);
        assert_ok(hs_clip_embed_texts(b, 4, captions, 0, eb));
        for (size_t i = 0; i < count; i++) {
            uint16_t h = 0;
            float want = theta[i];
            hs_f32_to_f16(&theta[i], 1, &h);
            if (half) {
                hs_to_f32(HS_F16, (const unsigned char *)&h, 1, &want);
            }
            assert_true(v[i] == want);
        }
        for (size_t i = 0; i < 20; i++) {
            assert_near((double)eb[i], (double)ea[i], half ? 2e-2 : 0);
        }
        hs_clip_free(b);
    }
    assert_code(hs_clip_save(a, theta, 0, 0, NULL, "/nowhere/at/all"), HS_EIO);
    hs_clip *none = NULL;
    assert_code(hs_clip_open("/nowhere/at/all", &none), HS_EIO);
    assert_null(none);
    hs_clip_free(a);
}

static void test_tokenizer_must_fit(void **state)
{
    (void)state;
    hs_bpe *t = tokenizer();
    hs_clip_config cfg = config_for(t);
    hs_clip *c;
    cfg.vocab -= 1;
    cfg.begin = cfg.end = 0;
    assert_ok(hs_clip_random(&cfg, 1, &c));
    assert_code(hs_clip_set_tokenizer(c, t), HS_ESHAPE);
    assert_null(hs_clip_tokenizer(c));
    hs_clip_free(c);
    cfg = config_for(t);
    cfg.vocab += 7; /* rows that no token has are fine */
    assert_ok(hs_clip_random(&cfg, 1, &c));
    assert_ok(hs_clip_set_tokenizer(c, t));
    assert_ok(hs_clip_set_tokenizer(c, tokenizer())); /* in place of it */
    hs_clip_free(c);
}

static void test_texts(void **state)
{
    (void)state;
    static const char *const frames[] = {"a {}", "a {} with a hat"}, *const hollow[] = {"a face"};
    const char *lengthy = "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", *two[2] = {"a", "a face"};
    hs_clip *c = with_tokenizer();
    float t[5], u[5], e[10];
    double cosine;
    assert_code(hs_clip_embed_texts(c, 1, &lengthy, 0, e), HS_ERANGE);
    assert_non_null(strstr(hs_error_message(), "zzzz"));
    assert_ok(hs_clip_embed_texts(c, 1, &lengthy, 1, e));
    /* plain: the difference; unit without templates is unit with the template {} */
    const char *const bare[] = {"{}"};
    assert_ok(hs_clip_embed_texts(c, 2, two, 0, e));
    assert_ok(hs_clip_text_direction(c, HS_CLIP_PLAIN, "a", "a face", 0, NULL, t));
    for (size_t j = 0; j < 5; j++) {
        assert_near((double)t[j], (double)e[5 + j] - (double)e[j], 1e-6);
    }
    assert_ok(hs_clip_text_direction(c, HS_CLIP_UNIT, "a", "a face", 0, NULL, t));
    assert_ok(hs_clip_text_direction(c, HS_CLIP_UNIT, "a", "a face", 1, bare, u));
    assert_memory_equal(t, u, sizeof t);
    assert_ok(hs_clip_text_direction(c, HS_CLIP_UNIT, "face", "smiling face", 2, frames, t));
    double length = 0, dot = 0, na = 0, nb = 0;
    for (size_t j = 0; j < 5; j++) {
        length += (double)t[j] * (double)t[j];
        dot += (double)e[j] * (double)e[5 + j];
        na += (double)e[j] * (double)e[j];
        nb += (double)e[5 + j] * (double)e[5 + j];
    }
    assert_near(length, 1, 1e-6);
    assert_ok(hs_clip_text_cosine(c, "a", "a face", &cosine));
    assert_near(cosine, dot / sqrt(na * nb), 1e-6);
    assert_code(hs_clip_text_direction(c, HS_CLIP_PLAIN, "a", "a face", 2, frames, t), HS_ERANGE);
    assert_code(hs_clip_text_direction(c, HS_CLIP_UNIT, "a", "a face", 1, hollow, t), HS_ERANGE);
    assert_code(hs_clip_text_direction(c, HS_CLIP_UNIT, "a face", "A  Face", 0, NULL, t), HS_EDEGENERATE);
    assert_code(hs_clip_text_direction(c, HS_CLIP_UNIT, "a face", lengthy, 0, NULL, t), HS_ERANGE);
    assert_code(hs_clip_text_cosine(c, "a", lengthy, &cosine), HS_ERANGE);
    hs_clip_free(c);
}

static const char *file_of(const char *text)
{
    const char *path = temp_path("templates.txt");
    assert_ok(hs_file_write_atomic(path, text, strlen(text), 1));
    return path;
}

static void test_templates(void **state)
{
    (void)state;
    char **lines = NULL;
    size_t n = 0;
    assert_ok(hs_clip_templates_read(file_of("# of faces\na {}.\r\n\nthe {} in the dark"), &lines, &n));
    assert_int_equal(n, 2);
    assert_string_equal(lines[0], "a {}.");
    assert_string_equal(lines[1], "the {} in the dark");
    free(lines[0]), free(lines[1]), free(lines);
    static const char *const bad[] = {"", "# nothing\n", "a {}\na face\n", "a {} and a {}\n", "a \xff {}\n"};
    for (size_t i = 0; i < 5; i++) {
        assert_code(hs_clip_templates_read(file_of(bad[i]), &lines, &n), HS_EFORMAT);
    }
    char many[3 * 1001 + 1] = "";
    for (size_t i = 0; i < 1001; i++) {
        memcpy(many + 3 * i, "{}\n", 4);
    }
    assert_code(hs_clip_templates_read(file_of(many), &lines, &n), HS_ELIMIT);
    assert_code(hs_clip_templates_read("/nowhere.txt", &lines, &n), HS_EIO);
}

/* Preprocessing: the longer side is cut, the crop is central, grey is spread. */
static void test_preprocessing(void **state)
{
    (void)state;
    hs_bpe *t = tokenizer();
    hs_clip_config cfg = config_for(t);
    cfg.resize = cfg.image_size;
    uint8_t px[12 * 16];
    float x[3 * 144];
    for (size_t i = 0; i < sizeof px; i++) {
        px[i] = (uint8_t)(10 * (i % 16)); /* columns 0 ... 15, of which 2 ... 13 stay */
    }
    const hs_image im = {16, 12, 1, px};
    assert_ok(hs_clip_preprocess(&cfg, &im, x));
    for (size_t i = 0; i < 3 * 144; i++) {
        assert_near((double)x[i], 10 * (2 + (double)(i % 12)) / 127.5 - 1, 1e-6);
    }
    hs_bpe_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_tokenizer_must_fit), cmocka_unit_test(test_texts),
        cmocka_unit_test(test_templates),  cmocka_unit_test(test_preprocessing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
