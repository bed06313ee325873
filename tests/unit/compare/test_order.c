/* Clustering order: planted groups come out together, like beside like. */
#include "analysis/compare/order.h"

#include <math.h>

#include "tests/support/support.h"

static void test_groups(void **state)
{
    (void)state;
    /* 0, 3, 4 alike (3 and 4 most), 1, 2 alike, 5 near the second group through 1. */
    double s[36];
    const size_t group[6] = {0, 1, 1, 0, 0, 1};
    size_t order[6], at[6];
    for (size_t i = 0; i < 36; i++) {
        s[i] = i / 6 == i % 6 ? 1 : group[i / 6] == group[i % 6] ? .8 : .1;
    }
    s[3 * 6 + 4] = s[4 * 6 + 3] = .9;
    s[2 * 6 + 5] = s[5 * 6 + 2] = .6;
    assert_ok(hs_cluster_order(6, s, order));
    for (size_t i = 0; i < 6; i++) {
        at[order[i]] = i;
    }
    for (size_t i = 0; i < 6; i++) { /* a permutation, the group of 0 first */
        assert_true(order[at[i]] == i && (at[i] < 3) == (group[i] == 0));
    }
    assert_true(at[3] + 1 == at[4] || at[4] + 1 == at[3]);
    assert_true(at[1] == 4); /* between the two that are less alike */
}

static void test_edges(void **state)
{
    (void)state;
    const double one = 1, two[4] = {1, NAN, NAN, 1};
    size_t order[2] = {7, 7};
    assert_ok(hs_cluster_order(1, &one, order));
    assert_int_equal(order[0], 0);
    assert_ok(hs_cluster_order(2, two, order));
    assert_true(order[0] == 0 && order[1] == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_groups), cmocka_unit_test(test_edges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
