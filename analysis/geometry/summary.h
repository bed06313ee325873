/* What the numbers say together, in one paragraph: "curved by ..., yet linear within ...". */
#ifndef HS_GEOMETRY_SUMMARY_H
#define HS_GEOMETRY_SUMMARY_H

#include "analysis/geometry/statistic.h"
#include "core/base/text.h"

/* Appends the paragraph; sentences about statistics that aren't there are left out.  standard: of linear_range. */
void hs_geometry_paragraph(const hs_geometry_statistics *s, double standard, hs_str *out);

#endif
