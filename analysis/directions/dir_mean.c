#include "analysis/directions/dir_mean.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/stats/moments.h"

enum { FOLDS = 5, TILE = 64 };

/* A run: sums of h at one timestep, by fold and group. */
typedef struct {
    const hs_store *store;
    hs_space space;
    const hs_labels *l;
    size_t n, d, folds;
    int *fold;         /* (n) of the grouped samples */
    double *sum;       /* (folds, 2, d) */
    size_t *count;     /* (folds, 2) */
    double *direction; /* (folds, d) unit, without the fold */
    float *rows;       /* (TILE, d) */
    double *p[2];      /* projections of either group, (plus) and (minus) */
} job;

static int group_of(const hs_labels *l, size_t i)
{
    return l->side[i] > 0 ? 0 : 1;
}

HS_CHECKED static int prepare(job *j)
{
    int rc = HS_OK;
    size_t seen[2] = {0, 0}, least = j->l->plus < j->l->minus ? j->l->plus : j->l->minus;
    j->folds = least < FOLDS ? least : FOLDS;
    HS_TRY(hs_calloc(j->n, sizeof *j->fold, &j->fold));
    HS_TRY(hs_calloc(j->folds * 2, sizeof *j->count, &j->count));
    HS_TRY(hs_alloc(j->folds * 2, j->d * sizeof *j->sum, &j->sum));
    HS_TRY(hs_alloc(j->folds, j->d * sizeof *j->direction, &j->direction));
    HS_TRY(hs_alloc(TILE, j->d * sizeof *j->rows, &j->rows));
    HS_TRY(hs_alloc(j->l->plus, sizeof *j->p[0], &j->p[0]));
    HS_TRY(hs_alloc(j->l->minus, sizeof *j->p[1], &j->p[1]));
    for (size_t i = 0; i < j->n; i++) {
        if (j->l->side[i] != 0) {
            int g = group_of(j->l, i);
            j->fold[i] = (int)(seen[g]++ % j->folds);
            j->count[(size_t)j->fold[i] * 2 + (size_t)g]++;
        }
    }
out:
    return rc;
}

static void release(job *j)
{
    free(j->fold);
    free(j->count);
    free(j->sum);
    free(j->direction);
    free(j->rows);
    free(j->p[0]);
    free(j->p[1]);
}

/* What is done with each grouped sample's h. */
typedef void (*each)(job *j, size_t i, const float *h);

static void add(job *j, size_t i, const float *h)
{
    double *to = j->sum + ((size_t)j->fold[i] * 2 + (size_t)group_of(j->l, i)) * j->d;
    for (size_t k = 0; k < j->d; k++) {
        to[k] += (double)h[k];
    }
}

static void project(job *j, size_t i, const float *h)
{
    int g = group_of(j->l, i);
    const double *along = j->direction + (size_t)j->fold[i] * j->d;
    double sum = 0;
    for (size_t k = 0; k < j->d; k++) {
        sum += (double)h[k] * along[k];
    }
    *j->p[g]++ = sum;
}

HS_CHECKED static int pass(job *j, size_t step, each what)
{
    int rc = HS_OK;
    for (size_t first = 0; first < j->n; first += TILE) {
        size_t count = j->n - first < TILE ? j->n - first : TILE;
        HS_TRY(hs_space_read(j->store, j->space, step, first, count, j->rows));
        for (size_t i = first; i < first + count; i++) {
            if (j->l->side[i] != 0) {
                what(j, i, j->rows + (i - first) * j->d);
            }
        }
    }
out:
    return rc;
}

/* out (d) <- the mean difference without fold `without` (folds: of all). */
static void difference(const job *j, size_t without, double *out)
{
    memset(out, 0, j->d * sizeof *out);
    for (size_t g = 0; g < 2; g++) {
        size_t n = 0;
        for (size_t f = 0; f < j->folds; f++) {
            n += f == without ? 0 : j->count[f * 2 + g];
        }
        double w = (g == 0 ? 1 : -1) / (double)n;
        for (size_t f = 0; f < j->folds; f++) {
            const double *sum = j->sum + (f * 2 + g) * j->d;
            for (size_t k = 0; f != without && k < j->d; k++) {
                out[k] += w * sum[k];
            }
        }
    }
}

static double norm_of(size_t n, const double *v)
{
    return sqrt((double)n) * hs_rms(n, v, NULL);
}

/* d' of held-out projections; NaN with a single sample in a group. */
HS_CHECKED static int separation(job *j, size_t step, double *d_prime)
{
    int rc = HS_OK;
    double *start[2] = {j->p[0], j->p[1]};
    size_t n[2] = {j->l->plus, j->l->minus};
    *d_prime = NAN;
    if (j->folds < 2) {
        return HS_OK;
    }
    for (size_t f = 0; f < j->folds; f++) {
        double *v = j->direction + f * j->d;
        difference(j, f, v);
        double length = norm_of(j->d, v);
        for (size_t k = 0; k < j->d; k++) {
            v[k] /= length > 0 ? length : 1;
        }
    }
    rc = pass(j, step, project);
    j->p[0] = start[0];
    j->p[1] = start[1];
    if (rc == HS_OK) {
        double sd[2] = {hs_sd(n[0], j->p[0], NULL), hs_sd(n[1], j->p[1], NULL)};
        *d_prime =
            (hs_mean(n[0], j->p[0], NULL) - hs_mean(n[1], j->p[1], NULL)) / sqrt((sd[0] * sd[0] + sd[1] * sd[1]) / 2);
    }
    return rc;
}

int hs_dir_mean(const hs_store *store, hs_space space, const hs_labels *l, const hs_progress *progress, float *dh,
                double *norm, double *d_prime)
{
    int rc = HS_OK;
    size_t S = hs_store_S(store);
    job j = {
        .store = store, .space = space, .l = l, .n = hs_store_n(store), .d = hs_chw_size(hs_space_shape(store, space))};
    double *all = NULL;
    HS_TRY(prepare(&j));
    HS_TRY(hs_alloc(j.d, sizeof *all, &all));
    for (size_t k = 0; k < S; k++) {
        HS_TRY(hs_progress_tell(progress, l->name, k, S));
        memset(j.sum, 0, j.folds * 2 * j.d * sizeof *j.sum);
        HS_TRY(pass(&j, k, add));
        difference(&j, j.folds, all);
        norm[k] = norm_of(j.d, all);
        if (!(norm[k] > 0)) {
            rc = hs_fail(HS_EDEGENERATE, "%s: the groups' means coincide at t = %d", l->name,
                         hs_store_timesteps(store)[k]);
            goto out;
        }
        for (size_t i = 0; i < j.d; i++) {
            dh[k * j.d + i] = (float)all[i];
        }
        HS_TRY(d_prime != NULL ? separation(&j, k, &d_prime[k]) : HS_OK);
    }
out:
    free(all);
    release(&j);
    return rc;
}
