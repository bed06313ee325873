/* What homogeneity and consistency share as commands: options, the deltas they read, the file they write. */
#ifndef HS_CLI_PROPERTY_H
#define HS_CLI_PROPERTY_H

#include "analysis/cli/common.h"
#include "analysis/cli/deltas_in.h"
#include "analysis/properties/measurement.h"
#include "core/stats/bootstrap.h"

/* The deltas of --deltas, those of --null-deltas, and the first without the mean of the second. */
typedef struct {
    hs_deltas_in in;
    hs_deltas deltas, null, removed;
    int has_null;
} hs_property_deltas;
/* removed is filled where wanted and --null-deltas fits. */
HS_CHECKED int hs_property_deltas_open(hs_cmd *c, int removed, hs_property_deltas *out);
void hs_property_deltas_close(hs_property_deltas *d);

/* --bootstrap, --ci and the seed. */
hs_bootstrap_options hs_property_bootstrap(const hs_cmd *c);

/* Exactly one of the n options of `names` is given; -o or --json; --plot with -o.  HS_ERANGE with the usage. */
HS_CHECKED int hs_property_check(hs_cmd *c, const char *usage, size_t n, const char *const *names);

/* *path (hs_strings_free) <- the files of n measurements: R.h5, R.1.h5, R.2.h5 ... of -o R.h5, each of which may be
 * written (hs_cmd_check_file): asked before the first is measured.  NULL without -o. */
HS_CHECKED int hs_property_paths(const hs_cmd *c, size_t n, char ***path);

/* Says a measurement; json (taken over; NULL: its own) becomes the results, its verdict the exit code. */
void hs_property_answer(hs_cmd *c, const hs_measurement *m, json_t *json);
/* Of several read-outs the first decides, the others are listed under "exploratory": one (ctx, p) measures and says
 * read-out p. */
typedef int (*hs_property_one)(void *ctx, size_t p, json_t **json, hs_verdict *verdict);
HS_CHECKED int hs_property_readouts(hs_cmd *c, size_t n, hs_property_one one, void *ctx);

/* A table shown as a heat map. */
typedef struct {
    const char *title, *row_axis, *column_axis, *caption;
    size_t rows, cols;
    const double *v;         /* (rows, cols) */
    const int *row, *column; /* labels, or NULL: 0, 1, ... */
} hs_property_table;

/* Begins the result file of a measurement: provenance, the measurement, /shown of the table (NULL: none).  The caller
 * adds arrays and commits. */
HS_CHECKED int hs_property_begin(hs_cmd *c, const char *path, const hs_measurement *m, const char *readout,
                                 int untrained, const hs_property_table *table, hs_result **out);

#endif
