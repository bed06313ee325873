/* Columns of a result file that a table of the report is made of. */
#ifndef HS_REPORT_COLUMNS_H
#define HS_REPORT_COLUMNS_H

#include "core/io/result.h"

/* *out (hs_strings_free) <- the n texts of an array.  HS_EFORMAT: another number of them; messages start with path. */
HS_CHECKED int hs_report_texts(hs_result_in *r, const char *path, const char *array, size_t n, char ***out);
/* v[k] (free()) <- the n numbers of each of count arrays.  Errors as above. */
HS_CHECKED int hs_report_numbers(hs_result_in *r, const char *path, size_t count, const char *const *array, size_t n,
                                 double **v);

#endif
