/* A measurement: what every property's command answers, before it is written down.
 *
 * One estimate decides (primary against standard); effect and null say whether anything happened at
 * all; rival says whether it is special to h.  Everything else is in `statistic`. */
#ifndef HS_PROPERTIES_MEASUREMENT_H
#define HS_PROPERTIES_MEASUREMENT_H

#include <stddef.h>

#include "core/base/error.h"
#include "core/stats/bootstrap.h"

enum { HS_NOTES_MAX = 8, HS_LOW_N = 64 };

/* Undefined numbers are NaN, with the reason; so are the limits of an estimate without interval. */
typedef struct {
    char name[64];
    double value, lo, hi;
    size_t n; /* images, or what the estimator counts */
    const char *estimator;
    const char *reason; /* NULL, or why value or interval is missing; lives for ever */
} hs_estimate;

typedef enum { HS_VERDICT_NO_EFFECT, HS_VERDICT_INCONCLUSIVE, HS_VERDICT_HOLDS, HS_VERDICT_FAILS } hs_verdict;
typedef enum { HS_SPECIFIC_NOT_TESTED, HS_SPECIFIC_YES, HS_SPECIFIC_NO, HS_SPECIFIC_UNCLEAR } hs_specific;

/* "no effect", "inconclusive", "holds", "fails"; "not tested", "yes", "no", "unclear". */
const char *hs_verdict_name(hs_verdict v);
const char *hs_specific_name(hs_specific s);
/* The program's exit code: holds 0, fails 10, inconclusive and no effect 11. */
int hs_verdict_exit(hs_verdict v);

/* A control of the same run.  One that was not run has the reason why, and nothing else. */
typedef struct {
    char name[64];
    int run;
    const char *verdict; /* what the measurement's own rule says of it, "" where it is a number only */
    char reason[512];    /* one sentence */
    int has_primary, has_effect, has_null;
    hs_estimate primary, effect, null;
} hs_control_answer;

typedef struct {
    const char *property;
    char direction[128]; /* "" when the data name none */
    hs_verdict verdict;
    hs_specific specific;
    char reason[512]; /* one sentence */
    double standard;
    hs_estimate primary, effect;
    int has_null, has_rival;
    hs_estimate null; /* value: what the effect's lower limit must exceed */
    hs_estimate rival, difference_rival;
    size_t n_notes;
    const char *note[HS_NOTES_MAX];
    size_t n_statistics, cap_statistics;
    hs_estimate *statistic; /* owned; the primary is among them */
    size_t n_controls, cap_controls;
    hs_control_answer *control; /* owned */
} hs_measurement;

void hs_measurement_free(hs_measurement *m);

/* Its verdict in the property's own words: a comparison says "shared", "not shared" for holds and fails. */
const char *hs_measurement_verdict(const hs_measurement *m);

/* Appends.  A note beyond HS_NOTES_MAX is our bug (HS_EBUG). */
HS_CHECKED int hs_measurement_note(hs_measurement *m, const char *note);
HS_CHECKED int hs_measurement_put(hs_measurement *m, const hs_estimate *e);

/* Appends a control: measured as m itself was; one number; not run, and why. */
HS_CHECKED int hs_measurement_control(hs_measurement *m, const char *name, const hs_measurement *of);
HS_CHECKED int hs_measurement_control_number(hs_measurement *m, const char *name, const hs_estimate *e,
                                             const char *reason);
HS_CHECKED int hs_measurement_control_missing(hs_measurement *m, const char *name, const char *why);
/* Appends those that the measurement itself holds: its null of random directions (has_null) and the rival (has_rival),
 * which was not run because of no_rival otherwise. */
HS_CHECKED int hs_measurement_own_controls(hs_measurement *m, const char *no_rival);

/* The statistic of that name; NULL if absent. */
const hs_estimate *hs_measurement_find(const hs_measurement *m, const char *name);

/* Estimates from the bootstrap, and of what could not be had.  The name is cut at 63 bytes. */
hs_estimate hs_estimate_of(const char *name, hs_interval ci, size_t n, const char *estimator);
hs_estimate hs_estimate_plain(const char *name, double value, size_t n, const char *estimator, const char *reason);

#endif
