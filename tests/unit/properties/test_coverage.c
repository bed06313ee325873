/* `make coverage` in small: a few planted data sets of each kind.  The full tables stand in docs/statistics.md. */
#include <math.h>
#include <string.h>

#include "tests/coverage/coverage.h"
#include "tests/support/support.h"

/* 24 sets: a share of .95 has a standard error of .044, so that .75 is 4.5 of them away; a mean is off by more than 12
 * % of the truth where an estimator is wrong, not by chance.  Where the tables name a shortfall, more is allowed. */
static void test_intervals(void **state)
{
    (void)state;
    enum { SETS = 24, FEW = 20 };
    for (size_t s = 0; s < coverage_studies_n; s++) {
        coverage_row row[COVERAGE_NUMBERS];
        size_t numbers = coverage_measure(&coverage_studies[s], 32, SETS, row);
        assert_true(numbers > 0);
        for (size_t r = 0; r < numbers; r++) {
            size_t with = SETS - row[r].undefined - row[r].without;
            double least = strcmp(coverage_studies[s].family, "skewed effects") == 0 ? 0.65 : 0.75;
            if (with >= FEW && coverage_share(&row[r]) < least) {
                fail_msg("%s of %s: %.3f", row[r].name, coverage_studies[s].family, coverage_share(&row[r]));
            }
            if (fabs(coverage_bias(&row[r])) > 0.12) {
                fail_msg("%s of %s: off by %.3f", row[r].name, coverage_studies[s].family, coverage_bias(&row[r]));
            }
        }
    }
}

/* None of 20 negatives holds, nearly all clear ones are told. */
static void test_verdicts(void **state)
{
    (void)state;
    static const char *const property[] = {"homogeneity", "linearity", "robustness", "consistency"};
    for (size_t p = 0; p < 4; p++) {
        verdict_row positive, negative, nothing;
        verdicts_measure(property[p], VERDICT_POSITIVE, 48, 10, &positive, NULL);
        verdicts_measure(property[p], VERDICT_NEGATIVE, 48, 12, &negative, NULL);
        verdicts_measure(property[p], VERDICT_NOTHING, 48, 8, &nothing, NULL);
        print_message("%s: %zu of %zu clear positives hold, %zu of %zu clear negatives fail\n", property[p],
                      positive.certain[HS_VERDICT_HOLDS], positive.clear, negative.certain[HS_VERDICT_FAILS],
                      negative.clear);
        assert_true(negative.verdict[HS_VERDICT_HOLDS] + nothing.verdict[HS_VERDICT_HOLDS] == 0);
        assert_int_equal(positive.verdict[HS_VERDICT_FAILS], 0);
        assert_true(10 * positive.certain[HS_VERDICT_HOLDS] >= 9 * positive.clear);
        assert_true(10 * negative.certain[HS_VERDICT_FAILS] >= 9 * negative.clear);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_intervals), cmocka_unit_test(test_verdicts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
