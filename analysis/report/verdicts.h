/* What measurements answered: cards at the top of the report, tables of statistics further down. */
#ifndef HS_REPORT_VERDICTS_H
#define HS_REPORT_VERDICTS_H

#include <stddef.h>

#include "analysis/report/page.h"

/* Appends the verdicts of n measurement files, a row of cards a direction in the order of the files; directions named
 * among the controls come last, marked so.  Files without a verdict are passed over; nothing is appended where all are.
 * Errors of reading. */
HS_CHECKED int hs_report_verdicts(hs_page *page, size_t n, const char *const *path, size_t n_controls,
                                  const char *const *control);

/* Appends the statistics of each file: name, value, interval, or why there is none; those of one step or pair
 * (NAME[k], NAME[k,l]) are left to the figures and the file.  Notes under each. */
HS_CHECKED int hs_report_statistics(hs_page *page, size_t n, const char *const *path);

#endif
