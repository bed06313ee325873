/* What every test shares: cmocka, tolerant comparisons, the shared real data. */
#ifndef HS_TESTS_SUPPORT_H
#define HS_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/base/error.h"

/* rc is HS_OK, else the test fails with the message. */
#define assert_ok(call)                                                 \
    do {                                                                \
        int rc_ = (call);                                               \
        if (rc_ != HS_OK) {                                             \
            fail_msg("%s gave %d: %s", #call, rc_, hs_error_message()); \
        }                                                               \
    } while (0)

/* The call fails with this code. */
#define assert_code(call, code)                                                           \
    do {                                                                                  \
        int rc_ = (call);                                                                 \
        if (rc_ != (code)) {                                                              \
            fail_msg("%s gave %d (%s), wanted %d", #call, rc_, hs_error_message(), code); \
        }                                                                                 \
    } while (0)

/* |a - b| <= tol (absolute). */
#define assert_near(a, b, tol)                                                                        \
    do {                                                                                              \
        double a_ = (a), b_ = (b);                                                                    \
        double d_ = a_ > b_ ? a_ - b_ : b_ - a_;                                                      \
        if (!(d_ <= (tol))) {                                                                         \
            fail_msg("%s = %.17g, %s = %.17g: differ by %g > %g", #a, a_, #b, b_, d_, (double)(tol)); \
        }                                                                                             \
    } while (0)

/* max |a - b| / max |b| over n elements (infinite where a is not finite). */
double max_rel_f32(const float *a, const float *b, size_t n);
double max_rel_f64(const double *a, const double *b, size_t n);

/* Path of a file of the shared real data, found at ../shared/data from the repository root; NULL
 * (after printing "SKIP: ..." once) where it is absent.  Valid until the next call. */
const char *shared_data(const char *file);

/* Skips the running test when the shared file is absent. */
#define need_shared(file)                \
    do {                                 \
        if (shared_data(file) == NULL) { \
            skip();                      \
        }                                \
    } while (0)

/* The whole file as a string; free(). */
char *read_text(const char *path);

/* A path inside a fresh temporary folder of this process (removed at exit). */
const char *temp_path(const char *name);

#endif
