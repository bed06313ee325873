/* How often intervals hold the truth, and verdicts tell it: planted data sets through the library's own functions.
 *
 * A study draws data set number `set` of n images and answers what it measured beside what was planted.  Same set, same
 * bits. */
#ifndef HS_TESTS_COVERAGE_H
#define HS_TESTS_COVERAGE_H

#include <stddef.h>
#include <stdint.h>

#include "analysis/properties/measurement.h"

enum { COVERAGE_NUMBERS = 16 };

typedef struct {
    const char *name;
    double truth, value, lo, hi; /* lo, hi NaN: no interval */
} coverage_number;

typedef struct {
    const char *family;
    size_t (*run)(size_t n, uint64_t set, coverage_number *out); /* how many numbers, at most COVERAGE_NUMBERS */
} coverage_study;

extern const coverage_study coverage_studies[];
extern const size_t coverage_studies_n;

/* Of one number over the sets of a study. */
typedef struct {
    const char *name;
    double truth, sum, width;
    size_t sets, undefined, without, inside, above, below; /* truth above, below the interval */
} coverage_row;

/* row <- the numbers of a study over `sets` data sets of n images; how many. */
size_t coverage_measure(const coverage_study *study, size_t n, size_t sets, coverage_row row[COVERAGE_NUMBERS]);
double coverage_share(const coverage_row *row); /* inside / those with an interval */
double coverage_bias(const coverage_row *row);  /* (mean - truth) / truth */

/* Fills out from a measurement's statistic of that name. */
void coverage_take(const hs_measurement *m, const char *name, double truth, coverage_number *out);

/* ---- Verdicts ---- */

typedef enum { VERDICT_POSITIVE, VERDICT_NEGATIVE, VERDICT_NOTHING } verdict_truth;

typedef struct {
    const char *property, *kind;
    verdict_truth truth; /* NOTHING: no answer but `no effect` or `inconclusive` is right */
    int clear;           /* at least .15 from the standard */
    hs_verdict (*run)(size_t n, uint64_t set);
} verdict_case;

extern const verdict_case verdict_cases[];
extern const size_t verdict_cases_n;

/* Verdicts of the planted sets of one property that have one truth, all their kinds in turn. */
typedef struct {
    size_t sets, clear;            /* of which clear */
    size_t verdict[4], certain[4]; /* of all, and of the clear ones; by hs_verdict */
} verdict_row;

/* row <- of `sets` data sets of n images; kind (verdict_cases_n), or NULL: adds the same by kind. */
void verdicts_measure(const char *property, verdict_truth truth, size_t n, size_t sets, verdict_row *row,
                      size_t (*kind)[4]);

#endif
