/* What measurements answered: cards at the top of the report, tables of statistics further down. */
#ifndef HS_REPORT_VERDICTS_H
#define HS_REPORT_VERDICTS_H

#include <stddef.h>

#include "analysis/report/page.h"

/* The measurements among n result files, each read once; files without a verdict are passed over.  Directions named
 * among the controls are marked so. */
typedef struct hs_verdicts hs_verdicts;
HS_CHECKED int hs_verdicts_read(size_t n, const char *const *path, size_t n_controls, const char *const *control,
                                hs_verdicts **out);
void hs_verdicts_free(hs_verdicts *v);

/* Appends the verdicts, a row of cards a direction in the order of the files, controls last; nothing without any. */
HS_CHECKED int hs_report_verdicts(hs_page *page, hs_verdicts *v);

/* Appends the statistics of each: name, value, interval, or why there is none; those of one step or pair (NAME[k],
 * NAME[k,l]) are left to the figures and the file.  Notes under each. */
HS_CHECKED int hs_report_statistics(hs_page *page, const hs_verdicts *v);

#endif
