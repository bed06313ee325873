/* Reference arrays of the shared real data, compared under a stated tolerance with the error seen
 * printed (HSPACE_VERBOSE set). */
#ifndef HS_TESTS_GOLDEN_H
#define HS_TESTS_GOLDEN_H

#include "core/io/tensors.h"
#include "core/model/model.h"
#include "tests/support/support.h"

/* The tensors of a shared file; the test fails when it can't be opened. */
hs_tensors *golden_open(const char *file);
/* A float32 copy (free()) of a tensor; *n (may be NULL) <- its elements.  Fails when absent. */
float *golden_f32(const hs_tensors *ts, const char *name, size_t *n);
int *golden_int(const hs_tensors *ts, const char *name, size_t *n);
/* max |a - b| / max |b| <= tolerance, b the named tensor from element first on. */
void golden_check(const hs_tensors *ts, const char *name, size_t first, size_t n, const float *a, double tolerance);
/* Prints "WHAT: error" and fails above the tolerance. */
void golden_report(const char *what, double error, double tolerance);

/* Opens a model of the shared data. */
void golden_model(const char *file, const char *arch_file, const char *arch, hs_model *out);
/* The classes of a case (y), where it has them; u must be class-conditional then. */
void golden_classes(const char *file, hs_unet *u);
/* Forward at x, t, dh of a case: h, eps, eps_dh within 2e-5, the skips' means and norms as skips.json
 * says. */
void golden_forward(const char *folder, const hs_model *m, hs_conv_mode mode);

/* DDIM sampling from x_T over steps; every x on the way within tolerance of NAME/x (S + 1, n, ...), stored noise
 * NAME/noise where eta > 0. */
void golden_trajectory(const hs_tensors *ts, const char *name, const hs_model *m, const hs_steps *steps, double eta,
                       int clip, double tolerance);

#endif
