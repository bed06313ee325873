#include "analysis/directions/dir_pca.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

/* A run: the rows of the scope at hand, the fits, and all directions at strength 1. */
typedef struct {
    const hs_store *store;
    const hs_dir_pca_options *o;
    hs_result *r;
    size_t S, d, k; /* timesteps, size of one h, components */
    size_t step;    /* scope step: the one being read */
    float *delta;   /* (k, slots, d), slots = 1 (pooled) or S */
    hs_dir_pca out;
} run_state;

static size_t slots(const run_state *s)
{
    return s->o->scope == HS_SCOPE_POOLED ? 1 : s->S;
}

/* ---- Rows of the three scopes ---- */

static int read_step(void *ctx, size_t first, size_t count, float *out)
{
    const run_state *s = ctx;
    return hs_space_read(s->store, s->o->space, s->step, first, count, out);
}

/* Row i S + k is h of image i at step k. */
static int read_pooled(void *ctx, size_t first, size_t count, float *out)
{
    const run_state *s = ctx;
    int rc = HS_OK;
    for (size_t row = first; row < first + count; row++) {
        HS_TRY(hs_space_read(s->store, s->o->space, row % s->S, row / s->S, 1, out + (row - first) * s->d));
    }
out:
    return rc;
}

static int read_trajectory(void *ctx, size_t first, size_t count, float *out)
{
    return read_pooled(ctx, first * ((const run_state *)ctx)->S, count * ((const run_state *)ctx)->S, out);
}

static hs_rows rows_of(run_state *s)
{
    size_t n = hs_store_n(s->store);
    switch (s->o->scope) {
    case HS_SCOPE_STEP: return (hs_rows){n, s->d, 1, read_step, s};
    case HS_SCOPE_POOLED: return (hs_rows){n * s->S, s->d, s->o->grand ? 1 : s->S, read_pooled, s};
    case HS_SCOPE_TRAJECTORY: break;
    }
    return (hs_rows){n, s->d * s->S, 1, read_trajectory, s};
}

/* ---- Directions ---- */

static double dot(size_t n, const float *a, const float *b)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}

/* delta_h of component j from a fit: one slot of d numbers for step and pooled, all of them for trajectory. */
static void place(run_state *s, const hs_pca *p, size_t slot)
{
    size_t width = s->o->scope == HS_SCOPE_TRAJECTORY ? s->S * s->d : s->d;
    for (size_t j = 0; j < s->k && j < p->k; j++) {
        float *to = s->delta + (j * slots(s) + slot) * s->d;
        const float *v = p->component + j * width;
        double sigma = sqrt(p->explained_variance[j]);
        if (slot > 0 && dot(s->d, to - s->d, v) < 0) {
            sigma = -sigma;
        }
        for (size_t i = 0; i < width; i++) {
            to[i] = (float)(sigma * (double)v[i]);
        }
    }
}

HS_CHECKED static int put_directions(run_state *s)
{
    int rc;
    char(*text)[24] = NULL;
    const char **name = NULL;
    const char *tap = hs_store_attr(s->store, "tap"), *sha = hs_store_attr(s->store, "model_sha256");
    HS_TRY(hs_alloc(s->k, sizeof *text, &text));
    HS_TRY(hs_alloc(s->k, sizeof *name, &name));
    for (size_t j = 0; j < s->k; j++) {
        snprintf(text[j], sizeof text[j], "pc%zu", j);
        name[j] = text[j];
    }
    hs_direction_set set = {.method = "pca",
                            .tap = tap != NULL ? tap : "",
                            .model_sha256 = sha != NULL ? sha : "",
                            .space = s->o->space,
                            .shape = hs_space_shape(s->store, s->o->space),
                            .n = s->k,
                            .name = name,
                            .S = s->o->scope == HS_SCOPE_POOLED ? 0 : s->S,
                            .t = hs_store_timesteps(s->store)};
    HS_TRY(hs_direction_put(s->r, &set));
    HS_TRY(hs_result_put_rows(s->r, hs_direction_array(s->o->space), 0, s->k, s->delta));
out:
    free(text);
    free(name);
    return rc;
}

/* ---- Spectra ---- */

static const double *column_of(const hs_pca *p, size_t which)
{
    const double *const column[] = {p->explained_variance, p->explained_variance_ratio, p->singular_value, p->residual};
    return column[which];
}

HS_CHECKED static int put_spectra(run_state *s)
{
    static const char *const name[] = {"explained_variance", "explained_variance_ratio", "singular_value", "residual"};
    int rc = HS_OK, per_step = s->o->scope == HS_SCOPE_STEP;
    double *v = NULL;
    size_t dim[2] = {s->out.n, s->k};
    HS_TRY(hs_alloc(s->out.n, s->k * sizeof *v, &v));
    for (size_t which = 0; which < 4; which++) {
        for (size_t f = 0; f < s->out.n; f++) {
            memcpy(v + f * s->k, column_of(s->out.fit[f], which), s->k * sizeof *v);
        }
        HS_TRY(hs_result_put_f64(s->r, name[which], per_step ? "timestep,pc" : "pc", per_step ? 2 : 1,
                                 per_step ? dim : dim + 1, v));
    }
out:
    free(v);
    return rc;
}

/* Arrays of components and means, to be filled as fits come. */
HS_CHECKED static int define_arrays(run_state *s)
{
    int rc;
    size_t step[3] = {s->S, s->k, s->d}, pooled[2] = {s->k, s->d}, trajectory[3] = {s->k, s->S, s->d};
    size_t mean[2] = {s->S, s->d};
    switch (s->o->scope) {
    case HS_SCOPE_STEP: rc = hs_result_define_f32(s->r, "component", "timestep,pc,feature", 3, step); break;
    case HS_SCOPE_POOLED: rc = hs_result_define_f32(s->r, "component", "pc,feature", 2, pooled); break;
    default: rc = hs_result_define_f32(s->r, "component", "pc,timestep,feature", 3, trajectory); break;
    }
    if (rc == HS_OK && s->o->scope == HS_SCOPE_POOLED && s->o->grand) {
        rc = hs_result_define_f32(s->r, "mean", "feature", 1, &s->d);
    } else if (rc == HS_OK) {
        rc = hs_result_define_f32(s->r, "mean", "timestep,feature", 2, mean);
    }
    return rc;
}

HS_CHECKED static int put_mean(run_state *s, const hs_pca *p, size_t slot)
{
    int rc;
    float *v = NULL;
    int one = s->o->scope == HS_SCOPE_POOLED && s->o->grand;
    size_t count = p->groups * p->d;
    HS_TRY(hs_alloc(count, sizeof *v, &v));
    for (size_t i = 0; i < count; i++) {
        v[i] = (float)p->mean[i];
    }
    HS_TRY(hs_result_put_rows(s->r, "mean", one ? 0 : slot, one ? s->d : count / s->d, v));
out:
    free(v);
    return rc;
}

HS_CHECKED static int put_fit(run_state *s, const hs_pca *p, size_t slot)
{
    int rc, per_step = s->o->scope == HS_SCOPE_STEP;
    HS_TRY(hs_result_put_rows(s->r, "component", per_step ? slot : 0, per_step ? 1 : s->k, p->component));
    HS_TRY(put_mean(s, p, slot));
out:
    return rc;
}

/* One fit: its arrays into the file, its directions into their slot. */
HS_CHECKED static int fit_one(run_state *s, size_t slot)
{
    int rc;
    hs_pca_options opt = s->o->pca;
    hs_rows rows = rows_of(s);
    hs_pca *p = NULL;
    opt.k = s->k;
    HS_TRY(hs_pca_fit(&rows, &opt, &p));
    place(s, p, slot);
    if (s->r != NULL) {
        HS_TRY(put_fit(s, p, slot));
    }
    s->out.fit[s->out.n++] = p;
    p = NULL;
out:
    hs_pca_free(p);
    return rc;
}

HS_CHECKED static int put_attributes(const run_state *s)
{
    static const char *const scope[] = {"step", "pooled", "trajectory"};
    int rc;
    HS_TRY(hs_result_attr_str(s->r, NULL, "scope", scope[s->o->scope]));
    HS_TRY(hs_result_attr_str(s->r, NULL, "center", s->o->grand ? "grand" : "step"));
    HS_TRY(hs_result_attr_str(s->r, NULL, "solver", hs_pca_solver_name(s->out.fit[0]->solver)));
    HS_TRY(hs_result_attr_i64(s->r, NULL, "n", (int64_t)hs_store_n(s->store)));
out:
    return rc;
}

HS_CHECKED static int put_all(run_state *s)
{
    int rc;
    HS_TRY(put_directions(s));
    HS_TRY(put_spectra(s));
    HS_TRY(put_attributes(s));
out:
    return rc;
}

int hs_dir_pca_put(const hs_store *store, const hs_dir_pca_options *o, hs_result *r, hs_dir_pca *out)
{
    int rc;
    run_state s = {
        .store = store, .o = o, .r = r, .S = hs_store_S(store), .d = hs_chw_size(hs_space_shape(store, o->space))};
    size_t n = hs_store_n(store), fits = o->scope == HS_SCOPE_STEP ? s.S : 1, cells;
    size_t most = o->scope == HS_SCOPE_POOLED ? n * s.S - (o->grand ? 1 : s.S) : n - 1;
    if (n < 2) {
        rc = hs_fail(HS_ERANGE, "pca: the store has %zu sample; wanted at least 2", n);
        goto out;
    }
    s.k = o->pca.k < most ? o->pca.k : most;
    s.k = s.k < s.d ? s.k : s.d;
    HS_TRY(hs_size_mul(s.k, slots(&s), &cells));
    HS_TRY(hs_calloc(cells, s.d * sizeof *s.delta, &s.delta));
    HS_TRY(hs_calloc(fits, sizeof *s.out.fit, &s.out.fit));
    HS_TRY(r != NULL ? define_arrays(&s) : HS_OK);
    for (s.step = 0; s.step < fits; s.step++) {
        HS_TRY(hs_progress_tell(o->pca.progress, "pca", s.step, fits));
        HS_TRY(fit_one(&s, s.step));
    }
    HS_TRY(r != NULL ? put_all(&s) : HS_OK);
    *out = s.out;
    memset(&s.out, 0, sizeof s.out);
out:
    free(s.delta);
    hs_dir_pca_free(&s.out);
    return rc;
}

void hs_dir_pca_free(hs_dir_pca *p)
{
    for (size_t i = 0; i < p->n; i++) {
        hs_pca_free(p->fit[i]);
    }
    free(p->fit);
    memset(p, 0, sizeof *p);
}
