/* What a measurement says, for tests. */
#ifndef HS_TESTS_MEASURED_H
#define HS_TESTS_MEASURED_H

#include "analysis/properties/measurement.h"

/* The value of a statistic; fails the test when it is not there. */
double statistic_of(const hs_measurement *m, const char *name);

#endif
