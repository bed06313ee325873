#include "tests/coverage/coverage.h"

#include <math.h>
#include <string.h>

#include "tests/support/support.h"

void coverage_take(const hs_measurement *m, const char *name, double truth, coverage_number *out)
{
    const hs_estimate *e = hs_measurement_find(m, name);
    if (e == NULL) {
        fail_msg("no statistic %s", name);
        return;
    }
    *out = (coverage_number){name, truth, e->value, e->lo, e->hi};
}

static void add(const coverage_number *x, coverage_row *row)
{
    row->name = x->name;
    row->truth = x->truth;
    row->sets++;
    if (isnan(x->value)) {
        row->undefined++;
        return;
    }
    row->sum += x->value;
    if (isnan(x->lo) || isnan(x->hi)) {
        row->without++;
        return;
    }
    row->width += x->hi - x->lo;
    row->above += x->truth > x->hi;
    row->below += x->truth < x->lo;
    row->inside += x->truth >= x->lo && x->truth <= x->hi;
}

size_t coverage_measure(const coverage_study *study, size_t n, size_t sets, coverage_row row[COVERAGE_NUMBERS])
{
    coverage_number number[COVERAGE_NUMBERS];
    size_t numbers = 0;
    for (size_t r = 0; r < COVERAGE_NUMBERS; r++) {
        row[r] = (coverage_row){0};
    }
    for (uint64_t set = 0; set < sets; set++) {
        numbers = study->run(n, 1 + set, number);
        for (size_t r = 0; r < numbers; r++) {
            add(&number[r], &row[r]);
        }
    }
    return numbers;
}

double coverage_share(const coverage_row *row)
{
    return (double)row->inside / (double)(row->sets - row->undefined - row->without);
}

double coverage_bias(const coverage_row *row)
{
    return row->sum / (double)(row->sets - row->undefined) / row->truth - 1;
}

/* The k-th case of that property and truth, around and around. */
static size_t case_number(const char *property, verdict_truth truth, size_t k)
{
    for (size_t c = 0;; c = (c + 1) % verdict_cases_n) {
        const verdict_case *v = &verdict_cases[c];
        if (v->truth == truth && strcmp(v->property, property) == 0 && k-- == 0) {
            return c;
        }
    }
}

void verdicts_measure(const char *property, verdict_truth truth, size_t n, size_t sets, verdict_row *row,
                      size_t (*kind)[4])
{
    *row = (verdict_row){0};
    for (size_t k = 0; k < sets; k++) {
        size_t c = case_number(property, truth, k);
        hs_verdict v = verdict_cases[c].run(n, 1000000 + k);
        row->sets++;
        row->verdict[v]++;
        row->clear += verdict_cases[c].clear != 0;
        row->certain[v] += verdict_cases[c].clear != 0;
        if (kind != NULL) {
            kind[c][v]++;
        }
    }
}
