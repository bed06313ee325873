/* The sweeps of a sum's terms, beside the sweep of the sum. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "analysis/cli/line_data.h"
#include "analysis/cli/sweep_in.h"
#include "core/base/alloc.h"

/* HS_ERANGE: not among the file's strengths. */
HS_CHECKED static int column_of(const hs_sweep_in *in, double s, size_t *j)
{
    for (*j = 0; *j < in->m; ++*j) {
        if (fabs(in->strength[*j] - s) <= 1e-9 * fabs(s)) {
            return HS_OK;
        }
    }
    return hs_fail(HS_ERANGE, "%s: strength %g is not there", in->path, s);
}

/* Increments (n, f) of a read-out at strength s, and the read-outs at 0. */
typedef struct {
    size_t n, f;
    double *effect, *plain;
} increments;

static void increments_free(increments *x)
{
    free(x->effect);
    free(x->plain);
}

HS_CHECKED static int read_increments(hs_sweep_in *in, const char *readout, double s, increments *x)
{
    int rc = HS_OK;
    hs_sweep_readout r = {0};
    size_t zero, far;
    if (!hs_sweep_in_has(in, readout)) {
        return hs_fail(HS_ERANGE, "%s: no read-out %s", in->path, readout);
    }
    HS_TRY(column_of(in, 0, &zero));
    HS_TRY(column_of(in, s, &far));
    HS_TRY(hs_sweep_in_read(in, readout, &r));
    x->n = r.n;
    x->f = r.f;
    HS_TRY(hs_alloc(r.n, r.f * sizeof *x->effect, &x->effect));
    HS_TRY(hs_alloc(r.n, r.f * sizeof *x->plain, &x->plain));
    for (size_t i = 0; i < r.n; i++) {
        for (size_t q = 0; q < r.f; q++) {
            const float *v = r.value + i * in->m * r.f + q;
            x->plain[i * r.f + q] = (double)v[zero * r.f];
            x->effect[i * r.f + q] = (double)v[far * r.f] - (double)v[zero * r.f];
        }
    }
out:
    hs_sweep_readout_free(&r);
    return rc;
}

/* The same images give the same read-outs at strength 0, up to rounding. */
HS_CHECKED static int check_images(const increments *a, const increments *b, const char *path)
{
    double apart = 0, size = 0;
    if (a->n != b->n || a->f != b->f) {
        return hs_fail(HS_ESHAPE, "%s: %zu images x %zu numbers; the sum has %zu x %zu", path, b->n, b->f, a->n, a->f);
    }
    for (size_t i = 0; i < a->n * a->f; i++) {
        double x = a->plain[i] - b->plain[i];
        apart += x * x;
        size += a->plain[i] * a->plain[i];
    }
    return apart <= 1e-6 * size
               ? HS_OK
               : hs_fail(HS_ERANGE, "%s: other images than the sum's: read-outs at strength 0 differ", path);
}

/* *share <- the strength of a term alone that is in the sum at strength 1; 1 where a file doesn't say what its
 * directions count.  HS_ERANGE: the sum says that it isn't one of its T terms. */
HS_CHECKED static int share_of(const hs_sweep_in *sum, size_t T, const hs_sweep_in *term, double *share)
{
    size_t t = 0;
    *share = 1;
    if (sum->n_terms == 0 || term->n_terms == 0) {
        return HS_OK;
    }
    while (t < sum->n_terms && strcmp(sum->term[t], term->term[0]) != 0) {
        t++;
    }
    if (sum->n_terms != T || term->n_terms != 1 || t == sum->n_terms) {
        return hs_fail(HS_ERANGE, "%s: a sweep along %s; %s is one along %s, each of which --terms must give",
                       term->path, term->direction, sum->path, sum->direction);
    }
    if (!(fabs(term->coef[0]) > 0)) {
        return hs_fail(HS_ERANGE, "%s: its direction counts 0", term->path);
    }
    *share = sum->coef[t] / term->coef[0];
    return HS_OK;
}

/* Copies of one sweep have the same effects to the bit; no effect at all says nothing. */
static int is_copy(size_t n, const double *a, const double *b)
{
    double size = 0;
    for (size_t i = 0; i < n; i++) {
        if (a[i] != b[i]) {
            return 0;
        }
        size += fabs(a[i]);
    }
    return size > 0;
}

/* all (k + 1, size): the effects of the first k + 1 terms, the last of which must be its own. */
HS_CHECKED static int check_own(const hs_sweep_in *sum, const double *whole, const hs_sweep_in *term, size_t k,
                                size_t size, const double *all)
{
    const double *own = all + k * size;
    if (is_copy(size, whole, own)) {
        return hs_fail(HS_ERANGE, "%s: the same effects as %s, the sweep of the sum", term[k].path, sum->path);
    }
    for (size_t j = 0; j < k; j++) {
        if (is_copy(size, all + j * size, own)) {
            return hs_fail(HS_ERANGE, "%s: the same effects as %s, another term", term[k].path, term[j].path);
        }
    }
    return HS_OK;
}

HS_CHECKED static int add_one(hs_sweep_in *sum, size_t T, hs_sweep_in *term, hs_line_case *item)
{
    int rc = HS_OK;
    const hs_effects *e = &item->effects;
    double s = e->strength[hs_effects_far(e)], *all = NULL, share;
    const char **name = NULL;
    increments whole = {0}, part = {0};
    HS_TRY(read_increments(sum, item->readout, s, &whole));
    HS_TRY(hs_alloc(T, whole.n * whole.f * sizeof *all, &all));
    HS_TRY(hs_alloc(T, sizeof *name, &name));
    for (size_t k = 0; k < T; k++) {
        HS_TRY(share_of(sum, T, &term[k], &share));
        HS_TRY(read_increments(&term[k], item->readout, s * share, &part));
        HS_TRY(check_images(&whole, &part, term[k].path));
        memcpy(all + k * whole.n * whole.f, part.effect, whole.n * whole.f * sizeof *all);
        HS_TRY(check_own(sum, whole.effect, term, k, whole.n * whole.f, all));
        name[k] = term[k].direction;
        increments_free(&part);
        part = (increments){0};
    }
    HS_TRY(hs_line_terms_create(T, whole.n, whole.f, name, whole.effect, all, &item->terms));
out:
    increments_free(&whole);
    increments_free(&part);
    free(all);
    free(name);
    return rc;
}

/* One file under one name or several. */
static int is_same_file(const char *a, const char *b)
{
    struct stat of_a, of_b;
    return strcmp(a, b) == 0 ||
           (stat(a, &of_a) == 0 && stat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino);
}

HS_CHECKED static int check_files(const char *sum, size_t n, const char *const *path)
{
    if (n < 2) {
        return hs_fail(HS_ERANGE, "--terms: one sweep; wanted those of two directions or more");
    }
    for (size_t k = 0; k < n; k++) {
        if (is_same_file(sum, path[k])) {
            return hs_fail(HS_ERANGE, "--terms: %s is --sweep, the sweep of the sum itself", path[k]);
        }
        for (size_t j = 0; j < k; j++) {
            if (is_same_file(path[j], path[k])) {
                return hs_fail(HS_ERANGE, "--terms: %s is there twice", path[k]);
            }
        }
    }
    return HS_OK;
}

int hs_line_add_terms(hs_cmd *c, hs_sweep_in *sum, size_t n, const char *const *path, hs_line_data *d)
{
    int rc = HS_OK;
    hs_sweep_in *term = NULL;
    size_t open = 0;
    HS_TRY(check_files(sum->path, n, path));
    HS_TRY(hs_calloc(n, sizeof *term, &term));
    for (; open < n; open++) {
        HS_TRY(hs_sweep_in_open(path[open], &term[open]));
        HS_TRY(hs_cmd_input(c, path[open]));
    }
    for (size_t p = 0; p < d->n; p++) {
        HS_TRY(add_one(sum, n, term, &d->item[p]));
    }
out:
    for (size_t k = 0; k < open; k++) {
        hs_sweep_in_close(&term[k]);
    }
    free(term);
    return rc;
}
