/* The table of directions in a comparison of two models, as the report shows it. */
#ifndef HS_REPORT_COMPARE_H
#define HS_REPORT_COMPARE_H

#include "analysis/report/page.h"

/* Appends the table, a row each direction: what it does in either model, and carried into the other, beside carried
 * random ones; of a comparison without effects, nothing.  HS_EFORMAT: arrays that don't fit. */
HS_CHECKED int hs_report_compare(hs_page *page, const char *path);

#endif
