/* The table of an edit-success file, as the report shows it. */
#ifndef HS_REPORT_EDITS_H
#define HS_REPORT_EDITS_H

#include "analysis/report/page.h"

/* Appends the table; a row each sweep of the file.  HS_EFORMAT: an array is missing. */
HS_CHECKED int hs_report_edits(hs_page *page, const char *path);

#endif
