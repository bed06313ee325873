#include "tests/support/measured.h"

#include <math.h>

#include "tests/support/support.h"

double statistic_of(const hs_measurement *m, const char *name)
{
    const hs_estimate *e = hs_measurement_find(m, name);
    if (e == NULL) {
        fail_msg("no statistic %s", name);
        return NAN;
    }
    return e->value;
}
