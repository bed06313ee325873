/* What `hspace geometry` found, as the report shows it: cards, the paragraph, and every number with its null. */
#ifndef HS_REPORT_GEOMETRY_H
#define HS_REPORT_GEOMETRY_H

#include "analysis/report/page.h"

/* Appends the cards, the paragraph and the table of a geometry file; numbers of one timestep are left to the file.
 * HS_EFORMAT: an array is missing or of another length; else as hs_result_open. */
HS_CHECKED int hs_report_geometry(hs_page *page, const char *path);

#endif
