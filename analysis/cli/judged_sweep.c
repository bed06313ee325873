#include "analysis/cli/judged_sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/io/csv.h"
#include "core/stats/moments.h"

void hs_judged_sweep_free(hs_judged_sweep *s)
{
    hs_sweep_in_close(&s->in);
    free(s->factor);
    free(s->order);
    free(s->strength);
    free(s->value);
    free(s->sd);
    free(s->change);
    free(s->null);
    hs_naturalness_free(&s->natural);
}

int hs_clean_read(hs_cmd *c, const hs_attrnet_config *cfg, hs_clean_set *out)
{
    const char *path = hs_cmd_str(c, "clean");
    hs_csv t = {0};
    int rc = HS_OK;
    if (path == NULL) {
        return HS_OK;
    }
    HS_TRY(hs_csv_read(path, &t));
    HS_TRY(hs_cmd_input(c, path));
    HS_TRY(hs_alloc(t.n, cfg->features * sizeof *out->feat, &out->feat));
    for (size_t k = 0; k < cfg->features; k++) {
        char name[32];
        size_t column;
        snprintf(name, sizeof name, "feat%zu", k);
        HS_TRY(hs_fail_in(hs_csv_column(&t, name, &column), path));
        for (size_t i = 0; i < t.n; i++) {
            double v;
            HS_TRY(hs_fail_in(hs_text_f64(hs_csv_cell(t.row[i], column), -1e30, 1e30, &v), path));
            out->feat[i * cfg->features + k] = (float)v;
        }
    }
    out->n = t.n;
    out->F = cfg->features;
out:
    hs_csv_free(&t);
    return rc;
}

/* ---- Reading a sweep ---- */

/* to (n, m) <- from (n, m), columns in ascending order of strength. */
static void reorder(const hs_judged_sweep *s, size_t n, const double *from, double *to)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < s->in.m; j++) {
            to[i * s->in.m + j] = from[i * s->in.m + s->order[j]];
        }
    }
}

/* Takes over one factor: its values, its sd, and its null when it is the target. */
HS_CHECKED static int add_factor(const hs_attrnet_config *cfg, int k, const char *readout, hs_judged_sweep *s)
{
    hs_sweep_readout r = {0};
    const hs_attr_factor *f = &cfg->factor[k];
    size_t at = s->factors, m = s->in.m;
    int rc = HS_OK;
    HS_TRY(hs_sweep_in_read(&s->in, readout, &r));
    if (s->factors == 0) {
        s->n = r.n;
        HS_TRY(hs_alloc(s->in.n_readouts, r.n * m * sizeof *s->value, &s->value));
    }
    if (r.n != s->n || r.f != 1) {
        rc = hs_fail(HS_ESHAPE, "%s: %s is not a number of %zu images", s->in.path, readout, s->n);
        goto out;
    }
    reorder(s, r.n, r.score, s->value + at * r.n * m);
    s->sd[at] = f->binary || !(f->sd > 0) ? r.spread : f->sd;
    snprintf(s->factor[at], sizeof *s->factor, "%s", f->name);
    s->factors++;
    if (at == s->target) {
        s->binary = f->binary;
        s->K = r.K;
        if (r.K > 0) {
            HS_TRY(hs_alloc(r.K, r.n * m * sizeof *s->null, &s->null));
            reorder(s, r.K * r.n, r.null, s->null);
        }
    }
out:
    hs_sweep_readout_free(&r);
    return rc;
}

/* Which of the sweep's attr read-outs is the target; an unknown one is an error. */
HS_CHECKED static int find_target(const char *target, hs_judged_sweep *s)
{
    size_t at = 0;
    for (size_t p = 0; p < s->in.n_readouts; p++) {
        if (strncmp(s->in.readout[p], "attr:", 5) == 0) {
            if (target == NULL || strcmp(s->in.readout[p] + 5, target) == 0) {
                s->target = at;
                return HS_OK;
            }
            at++;
        }
    }
    return hs_fail(HS_ERANGE, "%s: no read-out attr:%s in this sweep", s->in.path, target != NULL ? target : "NAME");
}

/* Mean square of the change of x0. */
HS_CHECKED static int read_change(size_t zero, hs_judged_sweep *s)
{
    hs_sweep_readout r = {0};
    size_t m = s->in.m;
    int rc = HS_OK;
    HS_TRY(hs_sweep_in_read(&s->in, "x0", &r));
    HS_TRY(hs_calloc(s->n, m * sizeof *s->change, &s->change));
    for (size_t i = 0; i < s->n && r.n == s->n; i++) {
        const float *plain = r.value + (i * m + s->order[zero]) * r.f;
        for (size_t j = 0; j < m; j++) {
            const float *x = r.value + (i * m + s->order[j]) * r.f;
            for (size_t p = 0; p < r.f; p++) {
                double apart = (double)x[p] - (double)plain[p];
                s->change[i * m + j] += apart * apart / (double)r.f;
            }
        }
    }
out:
    hs_sweep_readout_free(&r);
    return rc;
}

/* v (n, m) <- its columns in order of strength. */
HS_CHECKED static int reorder_own(const hs_judged_sweep *s, size_t n, double *v)
{
    double *copy = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(n, s->in.m * sizeof *copy, &copy));
    memcpy(copy, v, n * s->in.m * sizeof *copy);
    reorder(s, n, copy, v);
out:
    free(copy);
    return rc;
}

HS_CHECKED static int read_naturalness(hs_cmd *c, const hs_clean_set *clean, hs_judged_sweep *s)
{
    hs_sweep_readout r = {0};
    int rc = HS_OK;
    HS_TRY(hs_sweep_in_read(&s->in, "feat", &r));
    if (clean->n > 0 && clean->F != r.f) {
        rc = hs_fail(HS_ESHAPE, "%s: %zu features; those of --clean are %zu", s->in.path, r.f, clean->F);
        goto out;
    }
    if (clean->n == 0 && r.n < 16) {
        hs_cmd_warn(c, "%s: %zu images cannot judge naturalness; wanted 16, or --clean", s->in.path, r.n);
        goto out;
    }
    HS_TRY(hs_naturalness_measure(r.n, s->in.m, s->in.strength, r.f, r.value, clean->n, clean->feat, &s->natural));
    HS_TRY(reorder_own(s, r.n, s->natural.distance));
    HS_TRY(reorder_own(s, 1, s->natural.median));
    HS_TRY(reorder_own(s, 1, s->natural.outside));
    s->is_natural = 1;
out:
    hs_sweep_readout_free(&r);
    return rc;
}

/* Strengths in order; *zero: where 0 stands. */
HS_CHECKED static int sort_strengths(hs_judged_sweep *s, size_t *zero)
{
    double *rank = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(s->in.m, sizeof *s->order, &s->order));
    HS_TRY(hs_alloc(s->in.m, sizeof *s->strength, &s->strength));
    HS_TRY(hs_alloc(s->in.m, sizeof *rank, &rank));
    hs_ranks(s->in.m, s->in.strength, s->order, rank);
    *zero = s->in.m;
    for (size_t j = 0; j < s->in.m; j++) {
        s->strength[j] = s->in.strength[s->order[j]];
        *zero = s->strength[j] == 0 ? j : *zero;
    }
    if (*zero == s->in.m) {
        rc = hs_fail(HS_ERANGE, "%s: strength 0 is not among the %zu", s->in.path, s->in.m);
    }
out:
    free(rank);
    return rc;
}

int hs_judged_sweep_read(hs_cmd *c, const char *path, const char *target, const hs_attrnet *net,
                         const hs_clean_set *clean, size_t *zero, hs_judged_sweep *s)
{
    int rc = HS_OK;
    HS_TRY(hs_sweep_in_open(path, &s->in));
    HS_TRY(hs_cmd_input(c, path));
    HS_TRY(sort_strengths(s, zero));
    HS_TRY(find_target(target, s));
    HS_TRY(hs_alloc(s->in.n_readouts, sizeof *s->factor, &s->factor));
    HS_TRY(hs_alloc(s->in.n_readouts, sizeof *s->sd, &s->sd));
    for (size_t p = 0; p < s->in.n_readouts; p++) {
        const char *readout = s->in.readout[p];
        if (strncmp(readout, "attr:", 5) == 0) {
            int k = hs_attrnet_find(net, readout + 5);
            if (k < 0) {
                rc = hs_fail(HS_ERANGE, "%s: %s has no factor %s", path, hs_cmd_str(c, "attr"), readout + 5);
                goto out;
            }
            HS_TRY(add_factor(hs_attrnet_config_of(net), k, readout, s));
        }
    }
    HS_TRY(hs_sweep_in_has(&s->in, "x0") ? read_change(*zero, s) : HS_OK);
    HS_TRY(hs_sweep_in_has(&s->in, "feat") ? read_naturalness(c, clean, s) : HS_OK);
out:
    return rc;
}
