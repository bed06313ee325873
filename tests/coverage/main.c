/* coverage [SETS [ONLY]]: coverage of intervals on SETS data sets and verdicts on a fifth of that of each kind of
 * truth, as tables in Markdown.  ONLY: part of a family's name, a property, or `verdicts`. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/coverage/coverage.h"

static void print_study(const coverage_study *study, size_t sets)
{
    static const size_t n[] = {32, 128};
    coverage_row row[2][COVERAGE_NUMBERS];
    size_t numbers = 0;
    for (size_t k = 0; k < 2; k++) {
        numbers = coverage_measure(study, n[k], sets, row[k]);
    }
    for (size_t r = 0; r < numbers; r++) {
        printf("| %s | %s | %.4g", study->family, row[0][r].name, row[0][r].truth);
        for (size_t k = 0; k < 2; k++) {
            const coverage_row *x = &row[k][r];
            size_t with = x->sets - x->undefined - x->without;
            if (with == 0) {
                printf(" | – | %+.1f %% | –", 100 * coverage_bias(x));
            } else {
                printf(" | %.1f %% (%zu, %zu%s%.0d) | %+.1f %% | %.3g", 100 * coverage_share(x), x->above, x->below,
                       with < x->sets ? "; without " : "", (int)(x->sets - with), 100 * coverage_bias(x),
                       x->width / (double)with);
            }
        }
        printf(" |\n");
        fflush(stdout);
    }
}

static void print_verdicts(const char *property, size_t n, size_t sets, size_t (*kind)[4])
{
    static const char *const truth[] = {"positives", "negatives", "no effect, no range"};
    for (int t = VERDICT_POSITIVE; t <= VERDICT_NOTHING; t++) {
        verdict_row r;
        verdicts_measure(property, (verdict_truth)t, n, sets, &r, kind);
        printf("| %s | %s | %zu | %zu | %zu | %zu | %zu | %zu |", property, truth[t], n, r.sets,
               r.verdict[HS_VERDICT_HOLDS], r.verdict[HS_VERDICT_FAILS], r.verdict[HS_VERDICT_INCONCLUSIVE],
               r.verdict[HS_VERDICT_NO_EFFECT]);
        if (t != VERDICT_NOTHING) {
            hs_verdict right = t == VERDICT_POSITIVE ? HS_VERDICT_HOLDS : HS_VERDICT_FAILS;
            printf(" %.1f %% of %zu |\n", 100 * (double)r.certain[right] / (double)r.clear, r.clear);
        } else {
            printf(" |\n");
        }
        fflush(stdout);
    }
}

static void print_all_verdicts(size_t sets, const char *only)
{
    static const char *const property[] = {"homogeneity", "linearity", "robustness", "consistency"};
    static const char *const truth[] = {"+", "-", "0"};
    size_t(*kind)[4] = calloc(verdict_cases_n, sizeof *kind);
    printf("\n| property | planted | n | sets | holds | fails | inconclusive | no effect | clear ones told |\n"
           "|---|---|---|---|---|---|---|---|---|\n");
    for (size_t p = 0; p < 4; p++) {
        if (only[0] != 0 && strcmp(only, property[p]) != 0 && strcmp(only, "verdicts") != 0) {
            continue;
        }
        print_verdicts(property[p], 32, sets, kind);
        print_verdicts(property[p], 128, sets, kind);
    }
    printf("\n| property | kind | truth | clear | holds | fails | inconclusive | no effect "
           "|\n|---|---|---|---|---|---|---|---|\n");
    for (size_t c = 0; c < verdict_cases_n && kind != NULL; c++) {
        const verdict_case *v = &verdict_cases[c];
        printf("| %s | %s | %s | %s | %zu | %zu | %zu | %zu |\n", v->property, v->kind, truth[v->truth],
               v->clear ? "yes" : "no", kind[c][HS_VERDICT_HOLDS], kind[c][HS_VERDICT_FAILS],
               kind[c][HS_VERDICT_INCONCLUSIVE], kind[c][HS_VERDICT_NO_EFFECT]);
    }
    free(kind);
}

int main(int argc, char **argv)
{
    size_t sets = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;
    const char *only = argc > 2 ? argv[2] : "";
    printf(
        "| data | statistic | truth | n = 32: coverage (truth above, below) | bias | width | n = 128: coverage | bias "
        "| width |\n|---|---|---|---|---|---|---|---|---|\n");
    for (size_t s = 0; s < coverage_studies_n; s++) {
        if (strstr(coverage_studies[s].family, only) != NULL) {
            print_study(&coverage_studies[s], sets);
        }
    }
    print_all_verdicts(sets / 5 < 20 ? 20 : sets / 5, only);
    return 0;
}
