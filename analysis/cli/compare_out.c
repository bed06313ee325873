#include "analysis/cli/compare_out.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

/* ---- JSON ---- */

static json_t *side_json(const hs_compared *s)
{
    json_t *o = json_pack("{s:s, s:s, s:i, s:i}", "name", s->name, "path", s->spec, "n", (int)s->n, "d", (int)s->d);
    json_object_set_new(o, "tap", s->tap[0] != '\0' ? json_string(s->tap) : json_null());
    json_object_set_new(o, "model_sha256", s->sha256[0] != '\0' ? json_string(s->sha256) : json_null());
    json_object_set_new(o, "starts_from", s->pairing[0] != '\0' ? json_string(s->pairing) : json_null());
    json_object_set_new(o, "untrained", json_boolean(s->untrained));
    return o;
}

static json_t *table(size_t rows, size_t cols, const double *v)
{
    json_t *a = json_array();
    for (size_t i = 0; i < rows; i++) {
        json_array_append_new(a, hs_json_nums(cols, v + i * cols));
    }
    return a;
}

static json_t *timestep(const hs_comparison *x, size_t k)
{
    return x->t[k] >= 0 ? json_integer(x->t[k]) : json_null();
}

void hs_compare_put_json(json_t *results, const hs_compared *a, const hs_compared *b, const hs_comparison *x)
{
    json_t *steps = json_array(), *at = json_array();
    for (size_t k = 0; k < x->S; k++) {
        json_t *o = json_object();
        json_object_set_new(o, "t", timestep(x, k));
        for (size_t j = 0; j < HS_CMP_COLUMNS; j++) {
            json_object_set_new(o, hs_compare_name[j], hs_json_num(x->column[j * x->S + k]));
        }
        json_object_set_new(o, "spectrum_a", hs_json_nums(HS_COMPARE_SPECTRUM, x->spectrum + k * HS_COMPARE_SPECTRUM));
        json_object_set_new(o, "spectrum_b",
                            hs_json_nums(HS_COMPARE_SPECTRUM, x->spectrum + (x->S + k) * HS_COMPARE_SPECTRUM));
        json_array_append_new(steps, o);
    }
    for (size_t i = 0; i < x->M; i++) {
        json_array_append_new(at, timestep(x, x->matrix[i]));
    }
    json_object_set_new(results, "a", side_json(a));
    json_object_set_new(results, "b", side_json(b));
    json_object_set_new(results, "steps", steps);
    json_object_set_new(results, "cka",
                        json_pack("{s:o, s:o, s:o, s:o}", "t", at, "debiased", table(x->M, x->M, x->cka), "biased",
                                  table(x->M, x->M, x->cka_biased), "null", hs_json_nums(x->M, x->cka_null)));
}

/* ---- File ---- */

HS_CHECKED static int put_timesteps(hs_result *r, const hs_comparison *x)
{
    int rc;
    int64_t *t = NULL;
    HS_TRY(hs_alloc(x->S, sizeof *t, &t));
    for (size_t k = 0; k < x->S; k++) {
        t[k] = x->t[k];
    }
    HS_TRY(hs_result_put_i64(r, "timestep", "timestep", 1, &x->S, t));
    for (size_t i = 0; i < x->M; i++) {
        t[i] = x->t[x->matrix[i]];
    }
    HS_TRY(hs_result_put_i64(r, "row", "row", 1, &x->M, t));
    HS_TRY(hs_result_put_i64(r, "column", "column", 1, &x->M, t));
out:
    free(t);
    return rc;
}

int hs_compare_put_file(hs_result *r, const hs_compared *a, const hs_compared *b, const hs_comparison *x)
{
    int rc;
    const size_t spectrum[2] = {x->S, HS_COMPARE_SPECTRUM}, matrix[2] = {x->M, x->M};
    HS_TRY(put_timesteps(r, x));
    for (size_t j = 0; j < HS_CMP_COLUMNS; j++) {
        HS_TRY(hs_result_put_f64(r, hs_compare_name[j], "timestep", 1, &x->S, x->column + j * x->S));
    }
    HS_TRY(hs_result_put_f64(r, "spectrum_a", "timestep,component", 2, spectrum, x->spectrum));
    HS_TRY(hs_result_put_f64(r, "spectrum_b", "timestep,component", 2, spectrum,
                             x->spectrum + x->S * HS_COMPARE_SPECTRUM));
    HS_TRY(hs_result_put_f64(r, "cka_debiased", "row,column", 2, matrix, x->cka));
    HS_TRY(hs_result_put_f64(r, "cka_half", "row,column", 2, matrix, x->cka_half));
    HS_TRY(hs_result_put_f64(r, "cka_biased", "row,column", 2, matrix, x->cka_biased));
    HS_TRY(hs_result_put_f64(r, "cka_debiased_null", "row", 1, &x->M, x->cka_null));
    HS_TRY(hs_result_attr_str(r, NULL, "a", a->name));
    HS_TRY(hs_result_attr_str(r, NULL, "b", b->name));
    HS_TRY(hs_result_attr_str(r, NULL, "starts_from", a->pairing));
out:
    return rc;
}
