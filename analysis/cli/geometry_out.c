#include "analysis/cli/geometry_out.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/figures/strip.h"
#include "core/base/alloc.h"

void hs_geometry_results_free(hs_geometry_results *g)
{
    hs_geometry_noise_free(&g->noise);
    hs_geometry_pullback_free(&g->pullback);
    hs_geometry_flatness_free(&g->flatness);
    hs_geometry_skips_free(&g->skips);
}

/* ---- JSON and text ---- */

static json_t *statistic_json(const hs_geometry_statistic *s)
{
    json_t *o = hs_json_estimate(s->name, s->ci.value, s->ci.lo, s->ci.hi, s->n, s->estimator, s->ci.reason);
    if (isnan(s->null)) {
        json_object_set_new(o, "null", json_null());
        json_object_set_new(o, "null_reason", json_string(s->null_what));
        return o;
    }
    json_t *ci =
        isnan(s->null_lo) ? json_null() : json_pack("[o, o]", hs_json_num(s->null_lo), hs_json_num(s->null_hi));
    json_object_set_new(o, "null",
                        json_pack("{s:o, s:o, s:s}", "value", hs_json_num(s->null), "ci", ci, "what", s->null_what));
    return o;
}

void hs_geometry_json(hs_cmd *c, const hs_geometry_results *g)
{
    json_t *r = hs_cmd_results(c), *list = json_array(), *t = json_array();
    for (size_t i = 0; i < g->statistics->n; i++) {
        json_array_append_new(list, statistic_json(&g->statistics->list[i]));
    }
    for (size_t k = 0; k < g->run->S; k++) {
        json_array_append_new(t, json_integer(g->run->t[k]));
    }
    json_object_set_new(r, "paragraph", json_string(g->paragraph));
    json_object_set_new(r, "timesteps", t);
    json_object_set_new(r, "n", json_integer((json_int_t)g->n));
    json_object_set_new(r, "statistics", list);
}

void hs_geometry_say(hs_cmd *c, const hs_geometry_results *g)
{
    char value[80], null[80];
    hs_cmd_say(c, "%-27s %-30s %s\n", "mean over timesteps", "value", "null");
    for (size_t i = 0; i < g->statistics->n; i++) {
        const hs_geometry_statistic *s = &g->statistics->list[i];
        if (strchr(s->name, '[') != NULL) {
            continue;
        }
        snprintf(value, sizeof value, isfinite(s->ci.lo) ? "%.4g [%.4g, %.4g]" : "%.4g", s->ci.value, s->ci.lo,
                 s->ci.hi);
        snprintf(null, sizeof null,
                 isnan(s->null)         ? "-"
                 : isfinite(s->null_lo) ? "%.4g [%.4g, %.4g]"
                                        : "%.4g",
                 s->null, s->null_lo, s->null_hi);
        hs_cmd_say(c, "%-27s %-30s %s\n", s->name, value, null);
    }
    hs_cmd_say(c, "\n%s\n", g->paragraph);
}

/* ---- The file ---- */

enum { TEXTS = 4, NUMBERS = 6 };
static const char *const text_name[TEXTS] = {"statistic", "statistic_reason", "statistic_estimator",
                                             "statistic_null_what"};
static const char *const number_name[NUMBERS] = {"statistic_value", "statistic_low",      "statistic_high",
                                                 "statistic_null",  "statistic_null_low", "statistic_null_high"};

HS_CHECKED static int put_statistics(hs_result *r, const hs_geometry_statistics *s)
{
    const char **text = NULL;
    double *v = NULL;
    int64_t *count = NULL;
    size_t n = s->n;
    int rc = HS_OK;
    HS_TRY(hs_alloc(n, TEXTS * sizeof *text, &text));
    HS_TRY(hs_alloc(n, NUMBERS * sizeof *v, &v));
    HS_TRY(hs_alloc(n, sizeof *count, &count));
    for (size_t i = 0; i < n; i++) {
        const hs_geometry_statistic *one = &s->list[i];
        const char *const words[TEXTS] = {one->name, one->ci.reason != NULL ? one->ci.reason : "", one->estimator,
                                          one->null_what};
        const double numbers[NUMBERS] = {one->ci.value, one->ci.lo, one->ci.hi, one->null, one->null_lo, one->null_hi};
        for (size_t k = 0; k < TEXTS; k++) {
            text[k * n + i] = words[k];
        }
        for (size_t k = 0; k < NUMBERS; k++) {
            v[k * n + i] = numbers[k];
        }
        count[i] = (int64_t)one->n;
    }
    for (size_t k = 0; k < TEXTS; k++) {
        HS_TRY(hs_result_put_strings(r, text_name[k], "statistic", n, text + k * n));
    }
    for (size_t k = 0; k < NUMBERS; k++) {
        HS_TRY(hs_result_put_f64(r, number_name[k], "statistic", 1, &n, v + k * n));
    }
    HS_TRY(hs_result_put_i64(r, "statistic_n", "statistic", 1, &n, count));
out:
    free(text);
    free(v);
    free(count);
    return rc;
}

/* Columns [first, first + cols) of v (S, all). */
HS_CHECKED static int put_columns(hs_result *r, const char *name, const char *dims, size_t S, size_t all, size_t first,
                                  size_t cols, const double *v)
{
    const size_t dim[2] = {S, cols};
    double *part = NULL;
    int rc = hs_alloc(S, cols * sizeof *part, &part);
    for (size_t k = 0; rc == HS_OK && k < S; k++) {
        memcpy(part + k * cols, v + k * all + first, cols * sizeof *part);
    }
    if (rc == HS_OK) {
        rc = hs_result_put_f64(r, name, dims, 2, dim, part);
    }
    free(part);
    return rc;
}

HS_CHECKED static int put_noise(hs_result *r, const hs_geometry_noise *g)
{
    static const char *const part[3] = {"image", "noise", "interaction"};
    static const char *const pair[3] = {"same image", "same noise", "both other"};
    enum { Q = HS_TWOWAY_STATISTICS };
    int rc = HS_OK;
    if (g->S == 0) {
        return HS_OK;
    }
    HS_TRY(hs_result_put_strings(r, "part", "part", 3, part));
    HS_TRY(hs_result_put_strings(r, "pair", "pair", 3, pair));
    HS_TRY(put_columns(r, "share", "timestep,part", g->S, Q, HS_TWOWAY_ROW, 3, g->h));
    HS_TRY(put_columns(r, "share_low", "timestep,part", g->S, Q, HS_TWOWAY_ROW, 3, g->lo));
    HS_TRY(put_columns(r, "share_high", "timestep,part", g->S, Q, HS_TWOWAY_ROW, 3, g->hi));
    HS_TRY(put_columns(r, "share_x", "timestep,part", g->S, Q, HS_TWOWAY_ROW, 3, g->x));
    HS_TRY(put_columns(r, "distance", "timestep,pair", g->S, Q, HS_TWOWAY_WITHIN_ROW, 3, g->h));
    HS_TRY(hs_result_attr_i64(r, NULL, "identities", (int64_t)g->N));
    HS_TRY(hs_result_attr_i64(r, NULL, "noises", (int64_t)g->M));
out:
    return rc;
}

HS_CHECKED static int put_pullback(hs_result *r, const hs_geometry_pullback *p)
{
    static const char *const map[HS_PULLBACK_MAPS] = {"h/x", "x0/h"};
    static const char *const name[5] = {"trace", "trace_low", "trace_high", "rank", "residual"};
    const size_t dim[4] = {HS_PULLBACK_MAPS, p->S, p->n, p->r}, cells = dim[0] * dim[1] * dim[2];
    const size_t mean[3] = {dim[0], dim[1], dim[3]};
    double *v = NULL, *spectrum = NULL;
    int rc = HS_OK;
    if (p->S == 0) {
        return HS_OK;
    }
    HS_TRY(hs_alloc(cells, 5 * sizeof *v, &v));
    for (size_t i = 0; i < cells; i++) {
        const hs_metric *m = &p->metric[i];
        const double one[5] = {m->trace, m->trace_lo, m->trace_hi, m->trace * m->trace / m->square, m->residual};
        for (size_t k = 0; k < 5; k++) {
            v[k * cells + i] = one[k];
        }
    }
    HS_TRY(hs_calloc(dim[0] * dim[1], p->r * sizeof *spectrum, &spectrum));
    for (size_t i = 0; i < cells * p->r; i++) {
        const size_t cell = i / p->r;
        spectrum[cell / p->n * p->r + i % p->r] += p->sigma[i] / p->sigma[cell * p->r] / (double)p->n;
    }
    HS_TRY(hs_result_put_strings(r, "map", "map", HS_PULLBACK_MAPS, map));
    HS_TRY(hs_result_put_f64(r, "spectrum", "map,timestep,singular", 3, mean, spectrum));
    HS_TRY(hs_result_put_f64(r, "sigma", "map,timestep,sample,singular", 4, dim, p->sigma));
    for (size_t k = 0; k < 5; k++) {
        HS_TRY(hs_result_put_f64(r, name[k], "map,timestep,sample", 3, dim, v + k * cells));
    }
out:
    free(v);
    free(spectrum);
    return rc;
}

HS_CHECKED static int put_skips(hs_result *r, const hs_geometry_skips *k)
{
    const size_t dim[2] = {k->S, k->skips};
    int rc = HS_OK;
    if (k->S == 0) {
        return HS_OK;
    }
    HS_TRY(hs_result_put_f64(r, "skip_rms", "timestep,skip", 2, dim, k->rms));
    HS_TRY(hs_result_put_f64(r, "skip_cosine", "timestep,skip", 2, dim, k->cosine));
    HS_TRY(hs_result_put_f64(r, "h_rms", "timestep", 1, dim, k->h_rms));
out:
    return rc;
}

/* NAME[k] of every timestep: /NAME, _low, _high, _null, _null_low, _null_high, where it was measured. */
HS_CHECKED static int put_series(hs_result *r, const hs_geometry_results *g, const char *name)
{
    static const char *const ending[NUMBERS] = {"", "_low", "_high", "_null", "_null_low", "_null_high"};
    const size_t S = g->run->S;
    double *v = NULL;
    char text[80];
    int rc = HS_OK;
    if (hs_geometry_find(g->statistics, name) == NULL) {
        return HS_OK;
    }
    HS_TRY(hs_alloc(S, NUMBERS * sizeof *v, &v));
    for (size_t k = 0; k < S; k++) {
        snprintf(text, sizeof text, "%.40s[%zu]", name, k);
        const hs_geometry_statistic *s = hs_geometry_find(g->statistics, text);
        const double one[NUMBERS] = {s->ci.value, s->ci.lo, s->ci.hi, s->null, s->null_lo, s->null_hi};
        for (size_t j = 0; j < NUMBERS; j++) {
            v[j * S + k] = one[j];
        }
    }
    for (size_t j = 0; j < NUMBERS; j++) {
        snprintf(text, sizeof text, "%.40s%s", name, ending[j]);
        HS_TRY(hs_result_put_f64(r, text, "timestep", 1, &S, v + j * S));
    }
out:
    free(v);
    return rc;
}

HS_CHECKED static int put_timesteps(hs_result *r, const hs_geometry_run *run)
{
    int64_t *t = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(run->S, sizeof *t, &t));
    for (size_t k = 0; k < run->S; k++) {
        t[k] = run->t[k];
    }
    HS_TRY(hs_result_put_i64(r, "timestep", "timestep", 1, &run->S, t));
out:
    free(t);
    return rc;
}

int hs_geometry_write(hs_cmd *c, const hs_geometry_results *g, const char *path)
{
    hs_result *r = NULL;
    int rc = HS_OK;
    HS_TRY(hs_result_create(path, "geometry", hs_cmd_force(c), &r));
    HS_TRY(hs_common_provenance(c, r));
    HS_TRY(hs_result_attr_str(r, NULL, "model_sha256", g->run->m->sha256));
    HS_TRY(hs_result_attr_str(r, NULL, "model_name", g->run->m->name));
    HS_TRY(hs_result_attr_str(r, NULL, "paragraph", g->paragraph));
    HS_TRY(hs_result_attr_i64(r, NULL, "n", (int64_t)g->n));
    HS_TRY(hs_result_attr_i64(r, NULL, "untrained", g->untrained));
    HS_TRY(hs_result_attr_i64(r, NULL, "bootstrap", (int64_t)g->run->bootstrap.B));
    HS_TRY(hs_result_attr_f64(r, NULL, "ci", 100 * g->run->bootstrap.level));
    HS_TRY(put_timesteps(r, g->run));
    HS_TRY(put_statistics(r, g->statistics));
    HS_TRY(put_noise(r, &g->noise));
    HS_TRY(put_pullback(r, &g->pullback));
    HS_TRY(put_skips(r, &g->skips));
    HS_TRY(put_series(r, g, "gromov_delta"));
    HS_TRY(put_series(r, g, "midpoint_deviation"));
    HS_TRY(hs_result_commit(r));
out:
    hs_result_free(r);
    return rc;
}

/* ---- Strips ---- */

int hs_geometry_strip(hs_cmd *c, const hs_geometry_results *g, const char *path)
{
    const hs_geometry_flatness *f = &g->flatness;
    const size_t cols = f->segments + 1, row = cols * f->d_x;
    char(*text)[16] = NULL;
    const char **col = NULL, **label = NULL;
    float *x = NULL;
    int rc = HS_OK;
    char title[120];
    HS_TRY(hs_alloc(cols, sizeof *text, &text));
    HS_TRY(hs_alloc(cols, sizeof *col, &col));
    HS_TRY(hs_alloc(2 * f->paths, sizeof *label, &label));
    HS_TRY(hs_alloc(2 * f->paths, row * sizeof *x, &x));
    for (size_t k = 0; k < cols; k++) {
        snprintf(text[k], sizeof text[k], "%.3g", (double)k / (double)f->segments);
        col[k] = text[k];
    }
    for (size_t p = 0; p < f->paths; p++) {
        memcpy(x + 2 * p * row, f->straight + p * row, row * sizeof *x);
        memcpy(x + (2 * p + 1) * row, f->relaxed + p * row, row * sizeof *x);
        label[2 * p] = "straight";
        label[2 * p + 1] = "geodesic";
    }
    snprintf(title, sizeof title, "x0hat at t = %d, from one h to another", g->run->t[g->run->S / 2]);
    const hs_strip strip = {.rows = 2 * f->paths,
                            .cols = cols,
                            .shape = g->image,
                            .x = x,
                            .title = title,
                            .col_label = col,
                            .row_label = label,
                            .block = 2};
    HS_TRY(hs_strip_write(path, &strip, hs_cmd_force(c)));
out:
    free(text);
    free(col);
    free(label);
    free(x);
    return rc;
}
