/* The cross-talk matrix of a sum's directions: M_ab, what direction a alone does to the scalar read-out b at the
 * largest strength, in sd of unedited images, as the statistics crosstalk(a) of each read-out have it. */
#ifndef HS_CLI_LINE_CROSSTALK_H
#define HS_CLI_LINE_CROSSTALK_H

#include "analysis/cli/line_data.h"
#include "core/io/result.h"

enum {
    HS_CROSSTALK_VALUE,
    HS_CROSSTALK_LOW, /* interval over images */
    HS_CROSSTALK_HIGH,
    HS_CROSSTALK_RANDOM_LOW, /* prediction limits of one more random direction as long */
    HS_CROSSTALK_RANDOM_HIGH,
    HS_CROSSTALK_MATRICES
};

/* T 0: not those of a sum; R 0: vector read-outs alone.  Texts are borrowed. */
typedef struct {
    size_t T, R, K, n;
    double strength;
    const char **term, **readout;     /* (T), (R) */
    double *v[HS_CROSSTALK_MATRICES]; /* (T, R) */
} hs_crosstalk;

/* *out <- of n measured read-outs. */
HS_CHECKED int hs_crosstalk_of(size_t n, const hs_line_case *item, const hs_linearity *measured, hs_crosstalk *out);
void hs_crosstalk_free(hs_crosstalk *m);

/* {"directions", "readouts", "unit", "strength", "value", "lo", "hi"} and, where random directions were run,
 * "random_lo" and "random_hi"; matrices are lists of rows, a direction each. */
json_t *hs_crosstalk_json(const hs_crosstalk *m);
void hs_crosstalk_say(hs_cmd *c, const hs_crosstalk *m);
/* Puts /crosstalk_direction, /crosstalk_readout (texts), /crosstalk, _low, _high (crosstalk_direction,
 * crosstalk_readout), _random_low and _random_high where they are, and the attribute crosstalk_strength. */
HS_CHECKED int hs_crosstalk_put(hs_result *r, const hs_crosstalk *m);

#endif
