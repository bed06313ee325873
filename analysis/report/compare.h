/* The tables of a comparison, as the report shows them. */
#ifndef HS_REPORT_COMPARE_H
#define HS_REPORT_COMPARE_H

#include "analysis/report/page.h"

/* Appends the table, a row each direction: what it does in either model, and carried into the other, beside carried
 * random ones; of a comparison without effects, nothing.  HS_EFORMAT: arrays that don't fit. */
HS_CHECKED int hs_report_compare(hs_page *page, const char *path);

/* Of more than two models: appends a row for h and each direction with its verdict over all pairs, then one for each of
 * them and each pair; of a file without pairs, nothing.  HS_EFORMAT: arrays that don't fit. */
HS_CHECKED int hs_report_compare_many(hs_page *page, const char *path);

#endif
