#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/properties/effects.h"
#include "analysis/properties/verdict.h"
#include "tests/support/support.h"

static int parse(const char *text, hs_effects_set *out)
{
    hs_effects_limits limits = HS_EFFECTS_LIMITS_INIT;
    return hs_effects_parse(text, strlen(text), &limits, out);
}

static void test_a_table(void **state)
{
    (void)state;
    hs_effects_set s;
    assert_ok(parse("image,strength,value\na,1,5\na,0,3\nb,0,7\na,-1,1\nb,-1,6e0\nb,1,8.5\n", &s));
    const hs_effects *e = &s.table[0];
    const double want[] = {1, 3, 5, 6, 7, 8.5}, strength[] = {-1, 0, 1};
    assert_int_equal(s.n, 1);
    assert_true(e->n == 2 && e->m == 3 && e->K == 0 && e->zero == 1);
    assert_memory_equal(e->value, want, sizeof want);
    assert_memory_equal(e->strength, strength, sizeof strength);
    assert_true(e->null == NULL && e->rival == NULL);
    assert_string_equal(e->direction, "");
    hs_effects_set_free(&s);
    hs_effects_set_free(NULL);
    hs_effects_free(NULL);
}

/* Columns in any order, several directions, CR LF, a byte order mark, no newline at the end. */
static void test_all_columns(void **state)
{
    (void)state;
    hs_effects_set s;
    assert_ok(parse("\xef\xbb\xbf"
                    "direction,null_2,value,image,rival,strength,null\r\n"
                    "smile,.1,1,0,9,0,.2\r\nsmile,.3,2,0,8,1,.4\r\nage,.5,3,0,7,0,.6\r\nage,.7,4,0,6,-2,.8",
                    &s));
    assert_int_equal(s.n, 2);
    assert_string_equal(s.table[0].direction, "age");
    assert_string_equal(s.table[1].direction, "smile");
    const hs_effects *a = &s.table[0], *b = &s.table[1];
    assert_true(a->K == 2 && a->n == 1 && a->m == 2 && a->zero == 1 && b->zero == 0);
    const double null_a[] = {.8, .6, .7, .5}, rival_b[] = {9, 8};
    assert_memory_equal(a->null, null_a, sizeof null_a);
    assert_memory_equal(b->rival, rival_b, sizeof rival_b);
    hs_effects_set_free(&s);
}

static void test_order_of_rows_changes_nothing(void **state)
{
    (void)state;
    hs_effects_set s, t;
    assert_ok(parse("image,strength,value\nx,0,1\nx,1,2\ny,0,3\ny,1,4\n", &s));
    assert_ok(parse("image,strength,value\ny,1,4\nx,1,2\ny,0,3\nx,0,1\n", &t));
    assert_memory_equal(s.table[0].value, t.table[0].value, 4 * sizeof(double));
    hs_effects_set_free(&s);
    hs_effects_set_free(&t);
}

static void test_malformed(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int code;
        const char *says;
    } bad[] = {
        {"", HS_EFORMAT, "line 1"},
        {"image,strength,value", HS_EFORMAT, "no rows"},
        {"image,strength,value\n", HS_EFORMAT, "no rows"},
        {"image,strength\na,0\n", HS_EFORMAT, "needed"},
        {"image,strength,value,value\na,0,1,1\n", HS_EFORMAT, "twice"},
        {"image,image,strength,value\na,a,0,1\n", HS_EFORMAT, "twice"},
        {"image,strength,value,colour\na,0,1,2\n", HS_EFORMAT, "colour"},
        {"image,strength,value,null_2\na,0,1,2\n", HS_EFORMAT, "null columns"},
        {"image,strength,value,null,null\na,0,1,2,2\n", HS_EFORMAT, "null columns"},
        {"image,strength,value,null,null_02\na,0,1,2,2\n", HS_EFORMAT, "null_02"},
        {"image,strength,value\na,0,1\na,1\n", HS_EFORMAT, "line 3"},
        {"image,strength,value\na,0,1\na,1,2,3\n", HS_EFORMAT, "line 3"},
        {"image,strength,value\na,0,1\n\na,1,3\n", HS_EFORMAT, "line 3"},
        {"image,strength,value\na,0,1\na,1,\n", HS_EFORMAT, "line 3"},
        {"image,strength,value\na,0,1\na,1,nan\n", HS_EFORMAT, "line 3"},
        {"image,strength,value\na,0,1\na,1,0x1p3\n", HS_EFORMAT, "line 3"},
        {"image,strength,value\na,0,1\na,1, 2\n", HS_EFORMAT, "line 3"},
        {"image,strength,value\na,0,1\na,1e999,2\n", HS_EFORMAT, "line 3"},
        {"image,strength,value\n\"a\",0,1\na,1,2\n", HS_EFORMAT, "line 2"},
        {"image,strength,value\n\xff,0,1\na,1,2\n", HS_EFORMAT, "line 2"},
        {"image,strength,value\n,0,1\na,1,2\n", HS_EFORMAT, "line 2"},
        {"image,strength,value\na,0,1\na,1,2\na,1,3\n", HS_EFORMAT, "as in line"},
        {"image,strength,value\na,0,1\na,1,2\nb,0,3\n", HS_EFORMAT, "image b"},
        {"image,strength,value\na,0,1\na,1,2\nb,0,3\nb,2,3\n", HS_EFORMAT, "image b"},
        {"image,strength,value\na,0,1\na,1,2\nb,1,3\nc,0,1\nc,1,2\n", HS_EFORMAT, "image b"},
        {"image,strength,value\na,0,1\na,1,2\nb,0,1\nb,1,3\nb,2,3\n", HS_EFORMAT, "image b"},
        {"image,strength,value\na,1,1\na,2,2\n", HS_ERANGE, "0 is not among them"},
        {"image,strength,value\na,0,1\nb,0,2\n", HS_ERANGE, "only 0"},
        {"image,strength,value,direction\na,0,1,d\na,1,2,d\na,1,1,e\na,2,3,e\n", HS_ERANGE, "e: "},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        hs_effects_set s = {7, NULL};
        int rc = parse(bad[i].text, &s);
        if (rc != bad[i].code || strstr(hs_error_message(), bad[i].says) == NULL || s.n != 7) {
            fail_msg("row %zu: %d, %s", i, rc, hs_error_message());
        }
    }
    hs_effects_set s;
    hs_effects_limits limits = HS_EFFECTS_LIMITS_INIT;
    assert_code(hs_effects_parse("image,strength\0,value", 21, &limits, &s), HS_EFORMAT);
}

static void test_limits(void **state)
{
    (void)state;
    const char *text = "image,strength,value,null\na,0,1,2\na,1,2,3\n";
    hs_effects_set s;
    hs_effects_limits l = {.bytes = strlen(text) - 1, .rows = 100, .nulls = 10};
    assert_code(hs_effects_parse(text, strlen(text), &l, &s), HS_ELIMIT);
    l = (hs_effects_limits){.bytes = 1000, .rows = 1, .nulls = 10};
    assert_code(hs_effects_parse(text, strlen(text), &l, &s), HS_ELIMIT);
    l = (hs_effects_limits){.bytes = 1000, .rows = 100, .nulls = 0};
    const char *wide = "image,strength,value,null,rival,direction,x\n";
    assert_code(hs_effects_parse(wide, strlen(wide), &l, &s), HS_ELIMIT);
}

/* Every cut of a good text is refused or is a smaller table, never a fault (run under ASan too). */
static void test_truncations(void **state)
{
    (void)state;
    const char *text =
        "image,strength,value,null,rival,direction\na,0,1,2,3,d\na,1,2,3,4,d\nb,0,5,6,7,d\nb,1,8,9,1,d\n";
    hs_effects_limits limits = HS_EFFECTS_LIMITS_INIT;
    int whole = 0;
    for (size_t len = 0; len <= strlen(text); len++) {
        hs_effects_set s;
        int rc = hs_effects_parse(text, len, &limits, &s);
        assert_true(rc == HS_OK || rc == HS_EFORMAT || rc == HS_ERANGE);
        if (rc == HS_OK) {
            whole++;
            hs_effects_set_free(&s);
        }
    }
    assert_int_equal(whole, 4); /* one or two images, each with and without the last line's end */
}

static void test_files(void **state)
{
    (void)state;
    hs_effects_set s;
    hs_effects_limits limits = HS_EFFECTS_LIMITS_INIT;
    const char *path = temp_path("E.csv");
    assert_code(hs_effects_read(path, &limits, &s), HS_EIO);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("image,strength,value\na,0,1\na,1,2\n", f);
    (void)fclose(f);
    assert_ok(hs_effects_read(path, &limits, &s));
    hs_effects_set_free(&s);
    f = fopen(path, "a");
    assert_non_null(f);
    fputs("b,0,x\n", f);
    (void)fclose(f);
    assert_code(hs_effects_read(path, &limits, &s), HS_EFORMAT);
    assert_non_null(strstr(hs_error_message(), "E.csv: line 4"));
}

static void test_arrays(void **state)
{
    (void)state;
    const double s[] = {1, 0}, twice[] = {0, 0}, v[] = {2, 1}, bad[] = {NAN, 1};
    hs_effects e;
    assert_ok(hs_effects_create("x", 1, 2, s, v, 1, v, v, &e));
    assert_near(e.value[0], 1, 0);
    assert_near(e.null[1], 2, 0);
    hs_effects_free(&e);
    assert_code(hs_effects_create("", 1, 2, twice, v, 0, NULL, NULL, &e), HS_ERANGE);
    assert_code(hs_effects_create("", 1, 2, bad, v, 0, NULL, NULL, &e), HS_ERANGE);
    assert_code(hs_effects_create("", 1, 1, s + 1, v, 0, NULL, NULL, &e), HS_ERANGE);
    assert_code(hs_effects_create("", 0, 2, s, v, 0, NULL, NULL, &e), HS_ERANGE);
    assert_code(hs_effects_create("", 1, 2, s, bad, 0, NULL, NULL, &e), HS_EDEGENERATE);
}

/* mean + t_{7,.975} sd sqrt(9/8) of 1 ... 8 = 4.5 + 2.364624 * 2.449490 * 1.060660; 3 x the larger of two. */
/* A null run at 0 and the ends only is enough; a gap at an end, or in the values, is not. */
static void test_nulls_may_have_gaps_inside(void **state)
{
    (void)state;
    static const double strength[] = {-2, -1, 0, 1, 2}, value[] = {-2, -1, 0, 1, 2};
    double null[] = {-0.1, NAN, 0, NAN, 0.1};
    hs_effects e;
    assert_ok(hs_effects_create("d", 1, 5, strength, value, 1, null, NULL, &e));
    assert_true(isnan(e.null[1]));
    hs_effects_free(&e);
    null[4] = NAN;
    assert_code(hs_effects_create("d", 1, 5, strength, value, 1, null, NULL, &e), HS_EDEGENERATE);
    assert_code(hs_effects_create("d", 1, 5, strength, null, 0, NULL, NULL, &e), HS_EDEGENERATE);
}

static void test_null_limit(void **state)
{
    (void)state;
    const double e[] = {1, 2, 3, 4, 5, 6, 7, 8}, two[] = {2, 1};
    assert_near(hs_null_limit(8, e), 4.5 + 2.364624251592784 * sqrt(6.0) * sqrt(9.0 / 8.0), 1e-12);
    assert_near(hs_null_limit(3, e), 2 + .95 / sqrt(2 * .975 * .025) * sqrt(4.0 / 3.0),
                1e-12); /* t with 2 df is closed */
    assert_near(hs_null_limit(2, two), 6, 0);
    assert_near(hs_null_limit(1, two), 6, 0);
    assert_true(isnan(hs_null_limit(0, NULL)));
}

/* The order of the rules, one by one, on numbers set by hand. */
static void test_rules(void **state)
{
    (void)state;
    hs_verdict_rules r = {.noise_floor = 0, .spread = 1, .undecided = NULL, .needs_null = "ask"};
    hs_measurement m = {.standard = .85, .has_null = 1};
    m.effect = hs_estimate_of("effect", (hs_interval){2, 1.5, 2.5, NULL}, 9, "");
    m.null = hs_estimate_plain("null", 1, 8, "", NULL);
    m.primary = hs_estimate_of("p", (hs_interval){.9, .85, .95, NULL}, 9, "");
    hs_decide(&m, &r);
    assert_int_equal(m.verdict, HS_VERDICT_HOLDS); /* at the standard is enough */
    m.primary.lo = .8;
    hs_decide(&m, &r);
    assert_int_equal(m.verdict, HS_VERDICT_INCONCLUSIVE);
    m.primary.hi = .84;
    hs_decide(&m, &r);
    assert_int_equal(m.verdict, HS_VERDICT_FAILS);
    m.primary = hs_estimate_plain("p", NAN, 9, "", "undefined");
    hs_decide(&m, &r);
    assert_int_equal(m.verdict, HS_VERDICT_INCONCLUSIVE);
    assert_string_equal(m.reason, "p has no value: undefined");
    r.undecided = "grid";
    hs_decide(&m, &r);
    assert_string_equal(m.reason, "grid");
    r.spread = 2.1;
    hs_decide(&m, &r);
    assert_non_null(strstr(m.reason, "range too small"));
    m.effect.lo = NAN;
    m.effect.reason = "one image";
    hs_decide(&m, &r);
    assert_string_equal(m.reason, "the effect has no interval: one image");
    m.has_null = 0;
    hs_decide(&m, &r);
    assert_string_equal(m.reason, "null missing: ask");
    m.has_null = 1;
    m.effect.lo = 1; /* must exceed, not meet */
    hs_decide(&m, &r);
    assert_int_equal(m.verdict, HS_VERDICT_NO_EFFECT);
    m.has_null = 0;
    r.noise_floor = 2;
    hs_decide(&m, &r);
    assert_int_equal(m.verdict, HS_VERDICT_NO_EFFECT);
    assert_string_equal(hs_verdict_name(m.verdict), "no effect");
}

static void test_specific_and_notes(void **state)
{
    (void)state;
    hs_measurement m = {.has_rival = 0};
    m.difference_rival = hs_estimate_of("d", (hs_interval){.1, .05, .2, NULL}, 9, "");
    hs_decide_specific(&m);
    assert_string_equal(hs_specific_name(m.specific), "not tested");
    m.has_rival = 1;
    hs_decide_specific(&m);
    assert_string_equal(hs_specific_name(m.specific), "yes");
    m.difference_rival.lo = -.05;
    hs_decide_specific(&m);
    assert_string_equal(hs_specific_name(m.specific), "unclear");
    m.difference_rival.hi = -.01;
    hs_decide_specific(&m);
    assert_string_equal(hs_specific_name(m.specific), "no");
    for (int i = 0; i < HS_NOTES_MAX; i++) {
        assert_ok(hs_measurement_note(&m, "x"));
    }
    assert_code(hs_measurement_note(&m, "x"), HS_EBUG);
    for (int i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "s%d", i);
        hs_estimate e = hs_estimate_plain(name, i, 1, "", NULL);
        assert_ok(hs_measurement_put(&m, &e));
    }
    assert_near(hs_measurement_find(&m, "s77")->value, 77, 0);
    assert_null(hs_measurement_find(&m, "s100"));
    hs_measurement_free(&m);
    hs_measurement_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_table),
        cmocka_unit_test(test_all_columns),
        cmocka_unit_test(test_order_of_rows_changes_nothing),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_truncations),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_arrays),
        cmocka_unit_test(test_nulls_may_have_gaps_inside),
        cmocka_unit_test(test_null_limit),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_specific_and_notes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
