/* Effects of a comparison as verdicts, JSON, text and arrays. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/compare_effects.h"
#include "core/base/alloc.h"

/* Whether the carried effect falls short in one of the models: judged where the model's own beats random ones. */
static int falls_short(const hs_compared_effect *r)
{
    int short_of = 0;
    for (size_t way = 0; way < 2; way++) {
        short_of |= r->ratio_null[way] < 1 && !(r->ratio[way].value > r->ratio_null[way]);
    }
    return short_of;
}

void hs_compared_effects_decide(const hs_compared_effects *e, hs_direction_answer *answer)
{
    for (size_t j = 0; j < e->D; j++) {
        const hs_compared_effect *r = &e->effect[j];
        if (answer[j].verdict == HS_VERDICT_HOLDS && falls_short(r)) {
            answer[j].verdict = HS_VERDICT_INCONCLUSIVE;
            snprintf(
                answer[j].reason, sizeof answer[j].reason,
                "aligned (%.3f of the ceiling), but carried over it has %.2f and %.2f of the other model's own effect, "
                "where random directions reach %.2f and %.2f",
                answer[j].lower.value, r->ratio[0].value, r->ratio[1].value, r->ratio_null[0], r->ratio_null[1]);
        }
    }
}

static double mean_at(const hs_compared_effects *e, size_t s, size_t j, size_t f, size_t k)
{
    double sum = 0;
    const double *v = e->value[s] + (j * e->F + f) * e->n * e->m;
    for (size_t i = 0; i < e->n; i++) {
        sum += (v[i * e->m + k] - v[i * e->m + e->zero]) / (double)e->n;
    }
    return e->sd[f] > 0 ? sum / e->sd[f] : 0;
}

/* ---- JSON ---- */

static json_t *estimate(const char *name, const hs_interval *v, size_t n, const char *how)
{
    return hs_json_estimate(name, v->value, v->lo, v->hi, n, how, v->reason);
}

static void add_to(json_t *o, const hs_compared_effects *e, const hs_compared_effect *r)
{
    static const char how[] = "mean effect of the carried direction over the model's own, held-out images; BCa";
    static const char sd[] = "mean effect of the carried direction on held-out images, sd; BCa";
    json_object_set_new(o, "profile_correlation",
                        estimate("profile_correlation", &r->profile, e->n,
                                 "Pearson correlation of mean effects over factors x strengths; BCa over images"));
    json_object_set_new(o, "profile_correlation_other", hs_json_num(r->profile_other));
    json_object_set_new(o, "factor", json_string(e->factor[r->own]));
    json_object_set_new(o, "effect_a", hs_json_num(r->effect[0]));
    json_object_set_new(o, "effect_b", hs_json_num(r->effect[1]));
    json_object_set_new(o, "effect_carried", hs_json_num(r->carried[0].value));
    json_object_set_new(o, "effect_carried_back", hs_json_num(r->carried[1].value));
    json_object_set_new(o, "effect_carried_estimate", estimate("effect_carried", &r->carried[0], e->held, sd));
    json_object_set_new(o, "effect_carried_back_estimate",
                        estimate("effect_carried_back", &r->carried[1], e->held, sd));
    json_object_set_new(o, "effect_carried_null", hs_json_num(r->carried_null[0]));
    json_object_set_new(o, "effect_carried_null_back", hs_json_num(r->carried_null[1]));
    json_object_set_new(o, "effect_ratio", hs_json_num(r->ratio[0].value));
    json_object_set_new(o, "effect_ratio_back", hs_json_num(r->ratio[1].value));
    json_object_set_new(o, "effect_ratio_estimate", estimate("effect_ratio", &r->ratio[0], e->held, how));
    json_object_set_new(o, "effect_ratio_back_estimate", estimate("effect_ratio_back", &r->ratio[1], e->held, how));
    json_object_set_new(o, "effect_judged", json_boolean(r->ratio_null[0] < 1 || r->ratio_null[1] < 1));
    json_object_set_new(o, "effect_ratio_null", hs_json_num(r->ratio_null[0]));
    json_object_set_new(o, "effect_ratio_null_back", hs_json_num(r->ratio_null[1]));
}

/* (direction, factor) at the largest strength of one model. */
static json_t *crosstalk(const hs_compared_effects *e, size_t s)
{
    json_t *rows = json_array();
    for (size_t j = 0; j < e->D; j++) {
        json_t *row = json_array();
        for (size_t f = 0; f < e->F; f++) {
            json_array_append_new(row, hs_json_num(mean_at(e, s, j, f, e->far)));
        }
        json_array_append_new(rows, row);
    }
    return rows;
}

/* (direction, factor, strength) of one model. */
static json_t *profiles_json(const hs_compared_effects *e, size_t s)
{
    json_t *all = json_array();
    for (size_t j = 0; j < e->D; j++) {
        json_t *rows = json_array();
        for (size_t f = 0; f < e->F; f++) {
            json_t *row = json_array();
            for (size_t k = 0; k < e->m; k++) {
                json_array_append_new(row, hs_json_num(mean_at(e, s, j, f, k)));
            }
            json_array_append_new(rows, row);
        }
        json_array_append_new(all, rows);
    }
    return all;
}

void hs_compared_effects_json(const hs_compared_effects *e, const hs_compared_dirs *dirs, json_t *results)
{
    json_t *list = json_object_get(results, "directions"), *names = json_array(), *factors = json_array(),
           *strengths = json_array();
    for (size_t j = 0; j < e->D; j++) {
        add_to(json_array_get(list, j), e, &e->effect[j]);
        json_array_append_new(names, json_string(dirs->pair[j].name_a));
    }
    for (size_t f = 0; f < e->F; f++) {
        json_array_append_new(factors, json_string(e->factor[f]));
    }
    for (size_t k = 0; k < e->m; k++) {
        json_array_append_new(strengths, hs_json_num(e->strength[k]));
    }
    json_object_set_new(results, "crosstalk",
                        json_pack("{s:O, s:O, s:s, s:f, s:o, s:o}", "directions", names, "factors", factors, "unit",
                                  "sd of unedited images", "strength", e->strength[e->far], "a", crosstalk(e, 0), "b",
                                  crosstalk(e, 1)));
    json_object_set_new(results, "profiles",
                        json_pack("{s:o, s:o, s:o, s:o, s:o}", "directions", names, "factors", factors, "strengths",
                                  strengths, "a", profiles_json(e, 0), "b", profiles_json(e, 1)));
}

/* ---- Text ---- */

static void say_interval(hs_cmd *c, const hs_interval *v)
{
    hs_cmd_say(c, isnan(v->lo) ? "%.2f (no interval)" : "%.2f [%.2f, %.2f]", v->value, v->lo, v->hi);
}

void hs_compared_effects_say(hs_cmd *c, const hs_compared_effects *e, const hs_compared_dirs *dirs)
{
    static const char *const from[2] = {"a", "b"};
    for (size_t j = 0; j < e->D; j++) {
        const hs_compared_effect *r = &e->effect[j];
        hs_cmd_say(c, "%s on %s: %.3f sd in a, %.3f in b; profiles correlate ", dirs->pair[j].name_a, e->factor[r->own],
                   r->effect[0], r->effect[1]);
        say_interval(c, &r->profile);
        for (size_t way = 0; way < 2; way++) {
            hs_cmd_say(c, "\n  carried from %s into %s %.3f sd: ", from[way], from[1 - way], r->carried[way].value);
            say_interval(c, &r->ratio[way]);
            hs_cmd_say(c, " of %s's own (random %.2f%s)", from[1 - way], r->ratio_null[way],
                       r->ratio_null[way] < 1 ? "" : ", so not judged");
        }
        hs_cmd_say(c, "\n");
    }
}

/* ---- Statistics and arrays ---- */

HS_CHECKED static int put(hs_measurement *m, const char *name, const char *direction, const hs_interval *v, size_t n,
                          const char *how)
{
    hs_estimate e = hs_estimate_of("", *v, n, how);
    snprintf(e.name, sizeof e.name, "%.24s[%.36s]", name, direction);
    return hs_measurement_put(m, &e);
}

int hs_compared_effects_put(const hs_compared_effects *e, const hs_compared_dirs *dirs, hs_measurement *m)
{
    int rc = HS_OK;
    for (size_t j = 0; j < e->D; j++) {
        const char *name = dirs->pair[j].name_a;
        const hs_compared_effect *r = &e->effect[j];
        HS_TRY(put(m, "profile_correlation", name, &r->profile, e->n, "factors x strengths; BCa over images"));
        HS_TRY(put(m, "effect_ratio", name, &r->ratio[0], e->held, "carried a over b's own; BCa over images"));
        HS_TRY(put(m, "effect_ratio_back", name, &r->ratio[1], e->held, "carried b over a's own; BCa over images"));
    }
out:
    return rc;
}

HS_CHECKED static int put_profiles(hs_result *r, const hs_compared_effects *e, size_t s, double *v)
{
    int rc;
    const size_t dim[3] = {e->D, e->F, e->m};
    for (size_t i = 0; i < e->D * e->F * e->m; i++) {
        v[i] = mean_at(e, s, i / (e->F * e->m), i / e->m % e->F, i % e->m);
    }
    HS_TRY(hs_result_put_f64(r, s == 0 ? "profile_a" : "profile_b", "direction,factor,strength", 3, dim, v));
    for (size_t i = 0; i < e->D * e->F; i++) {
        v[i] = mean_at(e, s, i / e->F, i % e->F, e->far);
    }
    HS_TRY(hs_result_put_f64(r, s == 0 ? "crosstalk_a" : "crosstalk_b", "direction,factor", 2, dim, v));
out:
    return rc;
}

enum { OWN_COLUMNS = 2, WAY_COLUMNS = 4, COLUMNS = OWN_COLUMNS + 2 * WAY_COLUMNS };

/* What each direction does to the factor that is its own. */
HS_CHECKED static int put_own(hs_result *r, const hs_compared_effects *e)
{
    static const char *const name[COLUMNS] = {"effect_a",
                                              "effect_b",
                                              "effect_carried",
                                              "effect_carried_low",
                                              "effect_carried_high",
                                              "effect_carried_null",
                                              "effect_carried_back",
                                              "effect_carried_back_low",
                                              "effect_carried_back_high",
                                              "effect_carried_back_null"};
    int rc;
    const char **own = NULL;
    double *v = NULL;
    HS_TRY(hs_alloc(e->D, sizeof *own, &own));
    HS_TRY(hs_alloc(e->D, COLUMNS * sizeof *v, &v));
    for (size_t j = 0; j < e->D; j++) {
        const hs_compared_effect *x = &e->effect[j];
        own[j] = e->factor[x->own];
        for (size_t way = 0; way < 2; way++) {
            double *column = v + (OWN_COLUMNS + WAY_COLUMNS * way) * e->D + j;
            v[way * e->D + j] = x->effect[way];
            column[0] = x->carried[way].value;
            column[e->D] = x->carried[way].lo;
            column[2 * e->D] = x->carried[way].hi;
            column[3 * e->D] = x->carried_null[way];
        }
    }
    HS_TRY(hs_result_put_strings(r, "own_factor", "direction", e->D, own));
    for (size_t k = 0; k < COLUMNS; k++) {
        HS_TRY(hs_result_put_f64(r, name[k], "direction", 1, &e->D, v + k * e->D));
    }
out:
    free(own);
    free(v);
    return rc;
}

int hs_compared_effects_file(hs_result *r, const hs_compared_effects *e)
{
    int rc = HS_OK;
    const char **name = NULL;
    double *v = NULL;
    if (e->D == 0) {
        return HS_OK;
    }
    HS_TRY(hs_alloc(e->F, sizeof *name, &name));
    HS_TRY(hs_alloc(e->D * e->F * e->m, sizeof *v, &v));
    for (size_t f = 0; f < e->F; f++) {
        name[f] = e->factor[f];
    }
    HS_TRY(hs_result_put_strings(r, "factor", "factor", e->F, name));
    HS_TRY(hs_result_put_f64(r, "strength", "strength", 1, &e->m, e->strength));
    HS_TRY(put_profiles(r, e, 0, v));
    HS_TRY(put_profiles(r, e, 1, v));
    HS_TRY(put_own(r, e));
out:
    free(name);
    free(v);
    return rc;
}
