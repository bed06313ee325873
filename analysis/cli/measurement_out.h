/* A measurement as JSON, as text, and in a result file: the same for every property. */
#ifndef HS_CLI_MEASUREMENT_OUT_H
#define HS_CLI_MEASUREMENT_OUT_H

#include "analysis/cli/command.h"
#include "analysis/properties/measurement.h"
#include "core/io/result.h"

/* New object with the keys of a measurement's results: property, direction, verdict, specific, reason,
 * primary, standard, effect, null, rival, difference_rival, notes, statistics; where controls were planned,
 * controls_run {name, verdict, reason, primary, effect, null} and controls_not_run {name, reason}. */
json_t *hs_measurement_json(const hs_measurement *m);
/* The verdict and its numbers as text. */
void hs_measurement_say(hs_cmd *c, const char *readout, const hs_measurement *m);
/* Attributes property, direction, verdict, specific, reason, standard, and the arrays /statistic (names),
 * /statistic_value, /statistic_low, /statistic_high, /statistic_reason (why one has no value); primary (its name),
 * primary_value, primary_low, primary_high, images, effect_value, null_value, and notes, controls_run and
 * controls_not_run, a line each. */
HS_CHECKED int hs_measurement_put_file(hs_result *r, const hs_measurement *m);
/* The exit code of several measurements: 10 if any fails, else 11 if any doesn't hold, else 0. */
int hs_measurements_exit(size_t n, const hs_verdict *verdict);

#endif
