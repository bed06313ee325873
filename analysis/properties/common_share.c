#include "analysis/properties/common_share.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/linalg/blas.h"
#include "core/stats/bca.h"

int hs_common_gram(size_t n, size_t d, const float *h, double *gram)
{
    int rc;
    size_t count;
    double *wide = NULL;
    hs_blas_serial guard = hs_blas_serial_begin();
    HS_TRY(hs_size_mul(n, d, &count));
    HS_TRY(hs_alloc(count, sizeof *wide, &wide));
    for (size_t q = 0; q < count; q++) {
        wide[q] = (double)h[q];
    }
    HS_TRY(hs_syrk_f64(n, d, 1, wide, d, 0, gram, n));
out:
    hs_blas_serial_end(guard);
    free(wide);
    return rc;
}

typedef struct {
    size_t n, S;
    const double *gram; /* (S, n, n) */
} steps_gram;

/* theta (1 + S) <- over steps, then of each. */
static void evaluate(const void *ctx, const double *w, double *theta, void *scratch)
{
    const steps_gram *g = ctx;
    double weight = 0, pairs = 0, common = 0, whole = 0;
    (void)scratch;
    for (size_t i = 0; i < g->n; i++) {
        weight += w[i];
        pairs -= w[i] * w[i];
    }
    pairs += weight * weight;
    for (size_t k = 0; k < g->S; k++) {
        const double *gram = g->gram + k * g->n * g->n;
        double between = 0, own = 0;
        for (size_t i = 0; i < g->n; i++) {
            double sum = 0;
            for (size_t j = 0; w[i] > 0 && j < g->n; j++) {
                sum += j != i ? w[j] * gram[i * g->n + j] : 0;
            }
            between += w[i] * sum;
            own += w[i] * gram[i * g->n + i];
        }
        between = pairs > 0 ? between / pairs : NAN;
        own /= weight;
        theta[1 + k] = between / own;
        common += between;
        whole += own;
    }
    theta[0] = common / whole;
}

int hs_common_put(size_t n, size_t S, const double *gram, const hs_bootstrap_options *o, hs_measurement *m)
{
    int rc = HS_OK;
    static const char *const how = "share of E|h|^2 that is one vector common to all images, from pairs of different "
                                   "images; BCa over images";
    const steps_gram g = {.n = n, .S = S, .gram = gram};
    const hs_statistic st = {.n = n, .q = S + 1, .eval = evaluate, .ctx = &g};
    hs_interval *ci = NULL;
    char name[64];
    HS_TRY(hs_alloc(S + 1, sizeof *ci, &ci));
    for (size_t k = 0; k <= S; k++) {
        ci[k] = (hs_interval){NAN, NAN, NAN, "needs 2 images"};
    }
    HS_TRY(gram != NULL ? hs_bootstrap_bca(&st, o, ci) : HS_OK);
    for (size_t k = 0; k <= S; k++) {
        snprintf(name, sizeof name, k == 0 ? "common_share_h" : "common_share_h[%zu]", k - 1);
        hs_estimate e = hs_estimate_of(name, ci[k], n, how);
        HS_TRY(hs_measurement_put(m, &e));
    }
out:
    free(ci);
    return rc;
}
