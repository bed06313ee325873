/* core/geom/interp against closed forms in the plane. */
#include <math.h>

#include "core/geom/interp.h"
#include "tests/support/support.h"

static const float A[2] = {2, 0}, DB[2] = {-2, 4}; /* a = (2, 0), b = (0, 4): a right angle */

static void test_ends_are_the_vectors(void **state)
{
    (void)state;
    void (*const path[])(size_t, double, const float *, const float *, float *) = {hs_interp_lerp, hs_interp_slerp,
                                                                                   hs_interp_norm};
    for (size_t k = 0; k < 3; k++) {
        float o[2];
        path[k](2, 0, A, DB, o);
        assert_near(o[0], 2, 1e-6);
        assert_near(o[1], 0, 1e-6);
        path[k](2, 1, A, DB, o);
        assert_near(o[0], 0, 1e-6);
        assert_near(o[1], 4, 1e-6);
    }
}

/* Half way: lerp (1, 2); slerp norm 3 at 45 degrees; norm-matched length 3 towards (1, 2). */
static void test_half_way(void **state)
{
    (void)state;
    float o[2];
    hs_interp_lerp(2, 0.5, A, DB, o);
    assert_near(o[0], 1, 1e-6);
    assert_near(o[1], 2, 1e-6);
    hs_interp_slerp(2, 0.5, A, DB, o);
    assert_near(o[0], 3 / sqrt(2), 1e-6);
    assert_near(o[1], 3 / sqrt(2), 1e-6);
    hs_interp_norm(2, 0.5, A, DB, o);
    assert_near(o[0], 3 / sqrt(5), 1e-6);
    assert_near(o[1], 6 / sqrt(5), 1e-6);
}

static void test_degenerate_pairs_are_lerped(void **state)
{
    (void)state;
    const float same[2] = {0, 0}, opposite[2] = {-4, 0};
    float o[2];
    hs_interp_slerp(2, 0.3, A, same, o);
    assert_near(o[0], 2, 1e-6);
    hs_interp_slerp(2, 0.25, A, opposite, o);
    assert_near(o[0], 1, 1e-6);
    hs_interp_norm(2, 0.5, A, opposite, o); /* passes through 0: stays finite */
    assert_true(isfinite(o[0]) && isfinite(o[1]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ends_are_the_vectors),
        cmocka_unit_test(test_half_way),
        cmocka_unit_test(test_degenerate_pairs_are_lerped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
