#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/properties/robustness_internal.h"
#include "core/base/alloc.h"

enum { SCALE = 1, ARMS = 2, KICK = 3 }; /* kinds of cells; their keys are images */

/* ---- The scales: scale and spread of each space, then what is said of eps ---- */

static double *scale_row(const hs_noise_scale *s, int k)
{
    return k < HS_NOISE_SPACES ? s->scale[k] : s->spread[k - HS_NOISE_SPACES];
}

int hs_robust_cells_scale(const hs_robust_plan *p, hs_noise_scale *s, int *found)
{
    int rc = HS_OK;
    size_t S = p->perturb.steps->S, count = 2 * HS_NOISE_SPACES * S + 1;
    hs_noise_scale read = {.S = S};
    double *row = NULL;
    *found = 0;
    if (p->cells == NULL) {
        return HS_OK;
    }
    HS_TRY(hs_alloc(count, sizeof *row, &row));
    HS_TRY(hs_cells_get(p->cells, SCALE, 0, count, row, found));
    if (!*found) {
        goto out;
    }
    for (int k = 0; k < 2 * HS_NOISE_SPACES; k++) {
        double **to = k < HS_NOISE_SPACES ? &read.scale[k] : &read.spread[k - HS_NOISE_SPACES];
        HS_TRY(hs_alloc(S, sizeof **to, to));
        memcpy(*to, row + (size_t)k * S, S * sizeof **to);
    }
    read.denoises = row[count - 1];
    *s = read;
    read = (hs_noise_scale){0};
out:
    hs_noise_scale_free(&read);
    free(row);
    return rc;
}

int hs_robust_cells_keep_scale(const hs_robust_plan *p, const hs_noise_scale *s)
{
    int rc = HS_OK;
    size_t count = 2 * HS_NOISE_SPACES * s->S + 1;
    double *row = NULL;
    if (p->cells == NULL) {
        return HS_OK;
    }
    HS_TRY(hs_alloc(count, sizeof *row, &row));
    for (int k = 0; k < 2 * HS_NOISE_SPACES; k++) {
        memcpy(row + (size_t)k * s->S, scale_row(s, k), s->S * sizeof *row);
    }
    row[count - 1] = s->denoises;
    HS_TRY(hs_cells_put(p->cells, SCALE, 0, count, row));
out:
    free(row);
    return rc;
}

/* ---- An image's perturbed twins: for each column its damages, percentile and features ---- */

static size_t arms_count(const hs_robust_work *w)
{
    return w->columns * (HS_DAMAGES + 1 + w->F);
}

/* Between row and the work's arrays, of image i; NaN for what isn't measured. */
static void copy_arms(const hs_robust_work *w, size_t i, int into_work, double *row)
{
    for (size_t c = 0; c < w->columns; c++) {
        size_t at = c * w->p->n + i;
        for (int k = 0; k <= HS_DAMAGES; k++, row++) {
            double *v = k < HS_DAMAGES ? w->damage[k] : w->model != NULL ? w->percentile : NULL;
            if (into_work && v != NULL) {
                v[at] = *row;
            } else if (!into_work) {
                *row = v != NULL ? v[at] : NAN;
            }
        }
        for (size_t k = 0; k < w->F; k++, row++) {
            if (into_work) {
                w->feat[at * w->F + k] = (float)*row;
            } else {
                *row = (double)w->feat[at * w->F + k];
            }
        }
    }
}

static void copy_kick(const hs_robust_work *w, size_t i, int into_work, double *row)
{
    for (int c = 0; c < 2; c++) {
        double *v = &w->r->contraction[c][i];
        *(into_work ? v : row + c) = into_work ? row[c] : *v;
    }
}

typedef void (*copy)(const hs_robust_work *w, size_t i, int into_work, double *row);

/* The first images that are there, in order. */
HS_CHECKED static int find(const hs_robust_work *w, uint32_t kind, size_t numbers, copy one, size_t *count)
{
    int rc = HS_OK, found = w->p->cells != NULL;
    double *row = NULL;
    *count = 0;
    HS_TRY(hs_alloc(numbers, sizeof *row, &row));
    while (found && *count < w->p->n) {
        HS_TRY(hs_cells_get(w->p->cells, kind, *count, numbers, row, &found));
        if (found) {
            one(w, (*count)++, 1, row);
        }
    }
out:
    free(row);
    return rc;
}

HS_CHECKED static int keep(const hs_robust_work *w, uint32_t kind, size_t numbers, copy one, size_t first, size_t count)
{
    int rc = HS_OK;
    double *row = NULL;
    HS_TRY(hs_alloc(numbers, sizeof *row, &row));
    for (size_t i = first; w->p->cells != NULL && i < first + count; i++) {
        one(w, i, 0, row);
        HS_TRY(hs_cells_put(w->p->cells, kind, i, numbers, row));
    }
out:
    free(row);
    return rc;
}

int hs_robust_cells_arms(hs_robust_work *w, size_t *count)
{
    return find(w, ARMS, arms_count(w), copy_arms, count);
}

int hs_robust_cells_kicks(hs_robust_work *w, size_t *count)
{
    return find(w, KICK, 2, copy_kick, count);
}

int hs_robust_cells_keep_arms(const hs_robust_work *w, size_t first, size_t count)
{
    return keep(w, ARMS, arms_count(w), copy_arms, first, count);
}

int hs_robust_cells_keep_kicks(const hs_robust_work *w, size_t first, size_t count)
{
    return keep(w, KICK, 2, copy_kick, first, count);
}
