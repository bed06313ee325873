/* A comparison of two sides as JSON, text and a result file. */
#ifndef HS_CLI_COMPARE_OUT_H
#define HS_CLI_COMPARE_OUT_H

#include "analysis/cli/compare_in.h"
#include "analysis/compare/compare.h"

/* Adds to results "a" and "b" (what they are), "steps" and "cka" (the tables). */
void hs_compare_put_json(json_t *results, const hs_compared *a, const hs_compared *b, const hs_comparison *x);

/* Puts /timestep, each column NAME (timestep), spectrum_a and _b (timestep, component), cka_debiased, cka_half,
 * cka_biased (row, column) and cka_debiased_null (row), with the timesteps of the rows. */
HS_CHECKED int hs_compare_put_file(hs_result *r, const hs_compared *a, const hs_compared *b, const hs_comparison *x);

#endif
