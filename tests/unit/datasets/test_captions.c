/* datasets/captions: what is said of a face is true of it. */
#include <string.h>

#include "datasets/captions.h"
#include "datasets/faces.h"
#include "tests/support/support.h"

enum { FACES = 4000 };

static double factor_of(const double *f, const char *name)
{
    return f[hs_face_factor_find(name)];
}

static void test_what_a_caption_mentions_is_true(void **state)
{
    (void)state;
    double f[HS_FACE_FACTORS_MAX];
    hs_caption c;
    for (size_t i = 0; i < FACES; i++) {
        hs_face_draw(3, i, f);
        hs_caption_draw(f, 3, i, HS_CAPTION_ANY, &c);
        assert_true(hs_caption_truth(&c, f) == 1);
        for (size_t k = 0; k < c.n; k++) {
            for (size_t m = 0; m < k; m++) {
                assert_int_not_equal(hs_caption_term_at(c.term[k])->factor, hs_caption_term_at(c.term[m])->factor);
            }
        }
    }
}

static int says(const char *text, const char *what)
{
    return strstr(text, what) != NULL;
}

/* The words alone, read without the table, against the factors. */
static void test_words_mean_what_they_say(void **state)
{
    (void)state;
    double f[HS_FACE_FACTORS_MAX];
    hs_caption c;
    size_t glasses = 0, smiling = 0, left = 0, old = 0;
    for (size_t i = 0; i < FACES; i++) {
        hs_face_draw(4, i, f);
        hs_caption_draw(f, 4, i, HS_CAPTION_ANY, &c);
        if (says(c.text, "glasses")) {
            int none = says(c.text, "no glasses") || says(c.text, "without glasses") || says(c.text, "not wearing gl");
            assert_true(factor_of(f, "glasses") == !none);
            glasses++;
        }
        if (says(c.text, " smiling") && !says(c.text, "not smiling")) {
            assert_true(factor_of(f, "smile") >= 0.15);
            smiling++;
        }
        if (says(c.text, " sad ") || says(c.text, "frown")) {
            assert_true(factor_of(f, "smile") <= -0.2);
        }
        if (says(c.text, "looking left") || says(c.text, "facing left")) {
            assert_true(factor_of(f, "yaw") <= -0.3);
            left++;
        }
        if (says(c.text, " old ") || says(c.text, "elderly")) {
            assert_true(factor_of(f, "age") >= 0.65);
            old++;
        }
        if (says(c.text, "blue background")) {
            assert_true(factor_of(f, "background") >= 0.82);
        }
    }
    assert_true(glasses > 300 && smiling > 50 && left > 50 && old > 50);
}

static void test_a_caption_is_a_function_of_seed_and_index(void **state)
{
    (void)state;
    double f[HS_FACE_FACTORS_MAX];
    hs_caption a, b;
    size_t differ = 0;
    hs_face_draw(1, 0, f);
    for (size_t i = 0; i < 50; i++) {
        hs_caption_draw(f, 8, i, 5, &a);
        hs_caption_draw(f, 8, i, 5, &b);
        assert_string_equal(a.text, b.text);
        hs_caption_draw(f, 9, i, 5, &b);
        differ += strcmp(a.text, b.text) != 0;
        hs_caption_draw(f, 8, i + 1, 5, &b);
        differ += strcmp(a.text, b.text) != 0;
    }
    assert_true(differ >= 98);
}

static size_t words_of(const char *text)
{
    size_t n = 1;
    for (; *text != '\0'; text++) {
        n += *text == ' ' || *text == ',';
    }
    return n;
}

static void test_many_mentions_keep_within_the_words(void **state)
{
    (void)state;
    double f[HS_FACE_FACTORS_MAX];
    hs_caption c;
    size_t least = HS_CAPTION_MENTIONS, most = 0;
    for (size_t i = 0; i < FACES; i++) {
        hs_face_draw(5, i, f);
        hs_caption_draw(f, 5, i, HS_CAPTION_MENTIONS, &c);
        assert_in_range(words_of(c.text), 5, HS_CAPTION_WORDS);
        least = c.n < least ? c.n : least;
        most = c.n > most ? c.n : most;
    }
    assert_true(least >= 4 && most >= 10 && most <= hs_face_factor_count());
}

/* The prompts that people write are among the captions. */
static void test_plain_prompts_occur(void **state)
{
    (void)state;
    const char *const wanted[] = {"a face", "face", "a person", "a smiling face", "an old face", "a face with glasses"};
    size_t seen[6] = {0};
    double f[HS_FACE_FACTORS_MAX];
    hs_caption c;
    for (size_t i = 0; i < 10 * FACES; i++) {
        hs_face_draw(6, i, f);
        hs_caption_draw(f, 6, i, HS_CAPTION_ANY, &c);
        for (size_t k = 0; k < 6; k++) {
            seen[k] += strcmp(c.text, wanted[k]) == 0;
        }
        if (strcmp(c.text, "a face") == 0) {
            assert_int_equal(c.n, 0);
        }
    }
    for (size_t k = 0; k < 6; k++) {
        assert_true(seen[k] > 0);
    }
}

static void test_truth_falls_linearly_beyond_an_interval(void **state)
{
    (void)state;
    const hs_caption_term t = {.factor = 0, .lo = -0.2, .hi = 0.2, .ramp = 0.4};
    assert_near(hs_caption_term_truth(&t, -0.2), 1, 0);
    assert_near(hs_caption_term_truth(&t, 0.1), 1, 0);
    assert_near(hs_caption_term_truth(&t, 0.3), 0.75, 1e-15);
    assert_near(hs_caption_term_truth(&t, -0.5), 0.25, 1e-15);
    assert_near(hs_caption_term_truth(&t, 0.7), 0, 0);
}

static int has_a_form(const hs_caption_term *t)
{
    return t->adjective[0] != NULL || t->with[0] != NULL || t->tail[0] != NULL || t->hair[0] != NULL;
}

/* Every factor can be spoken of at both ends of its range, and every phrase is found in the lexicon. */
static void test_the_table_covers_both_ends_of_every_factor(void **state)
{
    (void)state;
    size_t phrases = 0;
    for (size_t q = 0; q < hs_face_factor_count(); q++) {
        const hs_face_factor *a = hs_face_factor_at(q);
        size_t low = 0, high = 0;
        for (size_t i = 0; i < hs_caption_term_count(); i++) {
            const hs_caption_term *t = hs_caption_term_at(i);
            assert_true(has_a_form(t) && t->ramp > 0 && t->lo <= t->hi);
            low += (size_t)t->factor == q && hs_caption_term_truth(t, a->lo) == 1;
            high += (size_t)t->factor == q && hs_caption_term_truth(t, a->hi) == 1;
        }
        assert_true(low > 0 && high > 0);
    }
    while (hs_caption_phrase(phrases) != NULL) {
        assert_true(strlen(hs_caption_phrase(phrases++)) > 0);
    }
    assert_true(phrases > 120);
    assert_null(hs_caption_term_at(hs_caption_term_count()));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_caption_mentions_is_true),
        cmocka_unit_test(test_words_mean_what_they_say),
        cmocka_unit_test(test_a_caption_is_a_function_of_seed_and_index),
        cmocka_unit_test(test_many_mentions_keep_within_the_words),
        cmocka_unit_test(test_plain_prompts_occur),
        cmocka_unit_test(test_truth_falls_linearly_beyond_an_interval),
        cmocka_unit_test(test_the_table_covers_both_ends_of_every_factor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
