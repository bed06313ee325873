/* coverage [SETS [ONLY]]: coverage of intervals and rates of verdicts, as two tables in Markdown. */
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
    return 0;
}
