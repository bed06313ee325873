#include "analysis/properties/effects.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/stats/moments.h"

void hs_effects_free(hs_effects *e)
{
    if (e != NULL) {
        free(e->strength);
        free(e->value);
        free(e->null);
        free(e->rival);
        *e = (hs_effects){.n = 0};
    }
}

size_t hs_effects_far(const hs_effects *e)
{
    return e->strength[e->m - 1] >= -e->strength[0] ? e->m - 1 : 0;
}

void hs_effects_set_free(hs_effects_set *s)
{
    if (s != NULL) {
        for (size_t i = 0; i < s->n; i++) {
            hs_effects_free(&s->table[i]);
        }
        free(s->table);
        *s = (hs_effects_set){0, NULL};
    }
}

/* strength sorted, distinct, with 0 at *zero. */
static int check_strengths(size_t m, const double *strength, size_t *zero)
{
    size_t at = m;
    for (size_t j = 0; j < m; j++) {
        if (!isfinite(strength[j]) || (j > 0 && strength[j] <= strength[j - 1])) {
            return hs_fail(HS_ERANGE, "strengths: %g; finite numbers, each once", strength[j]);
        }
        at = fabs(strength[j]) > 0 ? at : j;
    }
    if (at == m) {
        return hs_fail(HS_ERANGE, "strengths: 0 is not among them; increments are against the unedited images");
    }
    if (m < 2) {
        return hs_fail(HS_ERANGE, "strengths: only 0; at least one more");
    }
    *zero = at;
    return HS_OK;
}

/* True where a null must have been measured: at strength 0 and at the largest magnitude of either sign. */
static int decides(size_t m, const size_t *perm, const double *strength, size_t j)
{
    double most = fmax(fabs(strength[perm[0]]), fabs(strength[perm[m - 1]])), s = fabs(strength[perm[j]]);
    return !(s > 0) || s >= most;
}

/* *out <- rows of m values with the columns in the order of perm, all finite; with gaps, a column that
 * decides nothing may be NaN. */
static int copy_sorted(size_t rows, size_t m, const size_t *perm, const double *strength, int gaps, const double *v,
                       double **out)
{
    int rc = HS_OK;
    double *p = NULL;
    size_t count;
    HS_TRY(hs_size_mul(rows, m, &count));
    HS_TRY(hs_alloc(count, sizeof *p, &p));
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < m; j++) {
            double x = v[i * m + perm[j]];
            if (!isfinite(x) && !(gaps && isnan(x) && !decides(m, perm, strength, j))) {
                HS_TRY(hs_fail(HS_EDEGENERATE, "effects: row %zu, column %zu is not finite", i, perm[j]));
            }
            p[i * m + j] = x;
        }
    }
    *out = p;
    return HS_OK;
out:
    free(p);
    return rc;
}

int hs_effects_create(const char *direction, size_t n, size_t m, const double *strength, const double *value, size_t K,
                      const double *null, const double *rival, hs_effects *out)
{
    int rc = HS_OK;
    hs_effects e = {.n = n, .m = m, .K = K};
    size_t *perm = NULL, rows;
    double *rank = NULL;
    if (n < 1 || m < 1) {
        return hs_fail(HS_ERANGE, "effects: %zu images x %zu strengths; at least 1 x 2", n, m);
    }
    snprintf(e.direction, sizeof e.direction, "%s", direction);
    HS_TRY(hs_alloc(m, sizeof *perm, &perm));
    HS_TRY(hs_alloc(m, sizeof *rank, &rank));
    HS_TRY(hs_alloc(m, sizeof *e.strength, &e.strength));
    hs_ranks(m, strength, perm, rank);
    for (size_t j = 0; j < m; j++) {
        e.strength[j] = strength[perm[j]];
    }
    HS_TRY(check_strengths(m, e.strength, &e.zero));
    HS_TRY(copy_sorted(n, m, perm, strength, 0, value, &e.value));
    if (K > 0) {
        HS_TRY(hs_size_mul(K, n, &rows));
        HS_TRY(copy_sorted(rows, m, perm, strength, 1, null, &e.null));
    }
    if (rival != NULL) {
        HS_TRY(copy_sorted(n, m, perm, strength, 0, rival, &e.rival));
    }
    *out = e;
    e = (hs_effects){.n = 0};
out:
    hs_effects_free(&e);
    free(perm);
    free(rank);
    return rc;
}
