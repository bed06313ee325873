/* analysis/directions/dir_orthogonal.h: what may be held against what, and small closed forms. */
#include <math.h>
#include <string.h>

#include "analysis/directions/dir_orthogonal.h"
#include "tests/support/support.h"

static char file[] = "f.h5", name[] = "a", none[] = "", sha[] = "aaaa", other_sha[] = "bbbb";
static int t[2] = {900, 100}, other_t[2] = {900, 200};

static hs_direction direction(size_t S, int *steps, float *dh)
{
    return (hs_direction){.file = file,
                          .name = name,
                          .shape = {1, 1, 3},
                          .S = S,
                          .t = steps,
                          .dh = dh,
                          .model_sha256 = none,
                          .tap = none};
}

static void test_fits(void **state)
{
    (void)state;
    hs_direction v = direction(2, t, NULL), o = direction(2, t, NULL), constant = direction(0, NULL, NULL);
    assert_ok(hs_orthogonal_fits(&v, &o, 0));
    assert_ok(hs_orthogonal_fits(&v, &constant, 0));
    assert_ok(hs_orthogonal_fits(&constant, &constant, 0));
    assert_code(hs_orthogonal_fits(&constant, &v, 0), HS_ESHAPE);
    o.t = other_t;
    assert_code(hs_orthogonal_fits(&v, &o, 1), HS_ESHAPE);
    o = direction(2, t, NULL);
    o.shape.w = 4;
    assert_code(hs_orthogonal_fits(&v, &o, 1), HS_ESHAPE);
    o = direction(2, t, NULL);
    o.model_sha256 = sha;
    assert_ok(hs_orthogonal_fits(&v, &o, 0)); /* v's file doesn't say */
    v.model_sha256 = other_sha;
    assert_code(hs_orthogonal_fits(&v, &o, 0), HS_ESHAPE);
    assert_ok(hs_orthogonal_fits(&v, &o, 1));
    v.model_sha256 = none;
    v.tap = sha;
    o.tap = other_sha;
    assert_code(hs_orthogonal_fits(&v, &o, 0), HS_ESHAPE);
    union {
        char *bytes;
        hs_deltablock *net;
    } some = {file};
    o.net = some.net; /* only looked at */
    assert_code(hs_orthogonal_fits(&v, &o, 0), HS_ERANGE);
    assert_code(hs_orthogonal_fits(&o, &v, 0), HS_ERANGE);
}

static void test_steps_apart(void **state)
{
    (void)state;
    float dv[6] = {3, 4, 0, 0, 0, 0}, da[6] = {1, 0, 0, 1, 0, 0}, db[3] = {0, 0, 7}, dh[6];
    hs_direction v = direction(2, t, dv), others[2] = {direction(2, t, da), direction(0, NULL, db)};
    double norm[2], left[2];
    int64_t rank[2];
    assert_ok(hs_orthogonalize(&v, 2, others, dh, norm, left, rank));
    assert_near((double)dh[0], 0, 1e-7);
    assert_near((double)dh[1], 4, 1e-7);
    assert_near(norm[0], 5, 1e-15);
    assert_near(left[0], 0.8, 1e-15);
    assert_true(norm[1] == 0 && isnan(left[1]) && dh[3] == 0 && dh[4] == 0 && rank[0] == 2 && rank[1] == 2);
    memset(da, 0, sizeof da); /* zero others take nothing out */
    assert_ok(hs_orthogonalize(&v, 1, others, dh, norm, left, rank));
    assert_true(rank[0] == 0 && left[0] == 1 && dh[0] == 3);
    dv[1] = 0;
    da[0] = -2;
    assert_code(hs_orthogonalize(&v, 2, others, dh, norm, left, rank), HS_EDEGENERATE);
    assert_non_null(strstr(hs_error_message(), "t = 900"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fits),
        cmocka_unit_test(test_steps_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
