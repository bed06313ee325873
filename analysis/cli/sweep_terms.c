/* What the directions of a sum do alone, beside the sweep of the sum. */
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/sweep_beside.h"
#include "core/base/alloc.h"

/* alone (T) <- each of the plan's directions by itself at the far end, as much of it as is in the sum. */
HS_CHECKED static int run_alone(const hs_sweep_file *f, const hs_edit_plan *of, hs_sweep *alone)
{
    int rc = HS_OK;
    const hs_sweep_ends g = hs_sweep_ends_of(f);
    const double strength = g.strength[hs_sweep_far_end(&g)];
    for (size_t t = 0; t < of->n_dir; t++) {
        hs_edit_plan plan = *of;
        plan.n_dir = 1;
        plan.dir = &of->dir[t];
        plan.coef = &of->coef[t];
        plan.m = 1;
        plan.strength = &strength;
        HS_TRY(hs_sweep_run(&plan, f->sweep.n, f->job->x_T, f->n_phi, f->phi, NULL, &alone[t]));
    }
out:
    return rc;
}

/* out (n, features) <- read-out p of a run's column less that of the unedited images. */
static void increments(const hs_sweep_file *f, size_t p, const hs_sweep *s, size_t column, double *out)
{
    size_t width = f->phi[p].features, zero = hs_sweep_file_zero(f);
    for (size_t i = 0; i < s->n; i++) {
        const float *v = s->value[p] + (i * s->m + column) * width;
        const float *plain = f->sweep.value[p] + (i * f->sweep.m + zero) * width;
        for (size_t q = 0; q < width; q++) {
            out[i * width + q] = (double)v[q] - (double)plain[q];
        }
    }
}

/* Read-out p: all ((1 + T), n, features, free()) <- increments of the sum, seen in a column of whole, and its terms. */
HS_CHECKED static int gather(const hs_sweep_file *f, size_t p, const hs_sweep *whole, size_t column, size_t T,
                             const hs_sweep *alone, double **all)
{
    int rc;
    size_t rows, size;
    HS_TRY(hs_size_mul(f->sweep.n, f->phi[p].features, &size));
    HS_TRY(hs_size_mul(1 + T, size, &rows));
    HS_TRY(hs_alloc(rows, sizeof **all, all));
    increments(f, p, whole, column, *all);
    for (size_t t = 0; t < T; t++) {
        increments(f, p, &alone[t], 0, *all + (1 + t) * size);
    }
out:
    return rc;
}

static void free_alone(size_t T, hs_sweep *alone)
{
    for (size_t t = 0; alone != NULL && t < T; t++) {
        hs_sweep_free(&alone[t]);
    }
    free(alone);
}

int hs_sweep_file_terms(hs_sweep_file *f)
{
    int rc = HS_OK;
    const hs_edit_plan *plan = &f->job->plan;
    const hs_sweep_ends g = hs_sweep_ends_of(f);
    size_t T = plan->n_dir, column = g.column[hs_sweep_far_end(&g)];
    const char **name = NULL;
    hs_sweep *alone = NULL;
    double *all = NULL;
    if (T < 2) {
        return HS_OK;
    }
    HS_TRY(hs_alloc(T, sizeof *name, &name));
    HS_TRY(hs_calloc(T, sizeof *alone, &alone));
    HS_TRY(hs_calloc(f->n_phi, sizeof *f->terms, &f->terms));
    for (size_t t = 0; t < T; t++) {
        name[t] = plan->dir[t].name;
    }
    HS_TRY(run_alone(f, plan, alone));
    for (size_t p = 0; p < f->n_phi; p++) {
        HS_TRY(gather(f, p, &f->sweep, column, T, alone, &all));
        HS_TRY(hs_line_terms_create(T, f->sweep.n, f->phi[p].features, name, all, all + f->sweep.n * f->phi[p].features,
                                    &f->terms[p]));
        free(all);
        all = NULL;
    }
out:
    free(all);
    free(name);
    free_alone(T, alone);
    return rc;
}

int hs_sweep_add_random_terms(const hs_sweep_file *f, const hs_edit_plan *plan, const hs_sweep *whole, size_t k,
                              hs_line_terms *terms)
{
    int rc;
    const hs_sweep_ends g = hs_sweep_ends_of(f);
    size_t T = plan->n_dir;
    hs_sweep *alone = NULL;
    double *all = NULL;
    HS_TRY(hs_calloc(T, sizeof *alone, &alone));
    HS_TRY(run_alone(f, plan, alone));
    for (size_t p = 0; p < f->n_phi; p++) {
        HS_TRY(gather(f, p, whole, hs_sweep_far_end(&g), T, alone, &all));
        hs_line_terms_put_random(&terms[p], k, f->phi[p].features, all, all + f->sweep.n * f->phi[p].features);
        free(all);
        all = NULL;
    }
out:
    free_alone(T, alone);
    return rc;
}
