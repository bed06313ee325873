#include "analysis/cli/compare_dirs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

/* ---- In common ---- */

static size_t find(const hs_side_dirs *s, const char *name)
{
    size_t i = 0;
    while (i < s->n && strcmp(s->d[i].name, name) != 0) {
        i++;
    }
    return i;
}

/* which (count, list[0].dirs.n), row i: where side i has the directions that all have by name; returns how many. */
static size_t by_name(size_t count, const hs_compared *list, size_t *which)
{
    const hs_side_dirs *lead = &list[0].dirs;
    size_t D = 0;
    for (size_t j = 0; j < lead->n; j++) {
        int all = 1;
        for (size_t i = 0; i < count; i++) {
            which[i * lead->n + D] = find(&list[i].dirs, lead->d[j].name);
            all = all && which[i * lead->n + D] < list[i].dirs.n;
        }
        D += all ? 1U : 0;
    }
    return D;
}

/* The same by order, where all have as many. */
static size_t by_order(size_t count, const hs_compared *list, size_t *which)
{
    const size_t n = list[0].dirs.n;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < n; j++) {
            which[i * n + j] = j;
        }
        if (list[i].dirs.n != n) {
            return 0;
        }
    }
    return n;
}

int hs_compared_dirs_match(hs_cmd *c, size_t count, hs_compared *list)
{
    int rc = HS_OK;
    size_t *which = NULL, n = list[0].dirs.n, D, most = 0;
    for (size_t i = 0; i < count; i++) {
        most = list[i].dirs.n > most ? list[i].dirs.n : most;
    }
    if (most == 0) {
        return HS_OK;
    }
    HS_TRY(hs_alloc(count, n * sizeof *which, &which));
    D = by_name(count, list, which);
    D = D > 0 ? D : by_order(count, list, which);
    if (D == 0) {
        rc = hs_fail(HS_ERANGE,
                     "directions: no name is common to all, and not all hold as many (%zu at first, %zu at most)", n,
                     most);
        goto out;
    }
    if (D < most) {
        hs_cmd_warn(c, "%zu directions are common to all by name, of up to %zu", D, most);
    }
    for (size_t i = 0; i < count; i++) {
        HS_TRY(hs_side_dirs_pick(&list[i].dirs, D, which + i * n));
    }
out:
    free(which);
    return rc;
}

int hs_compared_dirs_of(hs_compared *a, hs_compared *b, hs_compared_dirs *out)
{
    int rc = HS_OK;
    hs_side_dirs *x = &a->dirs, *y = &b->dirs;
    *out = (hs_compared_dirs){.side = {x, y}};
    if (x->n == 0) {
        return HS_OK;
    }
    HS_TRY(hs_alloc(x->n, sizeof *out->pair, &out->pair));
    out->D = x->n;
    for (size_t j = 0; j < x->n; j++) {
        out->pair[j] = (hs_direction_pair){x->d[j].name, y->d[j].name, x->at[j], y->at[j]};
    }
out:
    return rc;
}

void hs_compared_dirs_free(hs_compared_dirs *d)
{
    free(d->pair);
    memset(d, 0, sizeof *d);
}

/* ---- What was found ---- */

const char *hs_compared_verdict(hs_verdict v)
{
    return v == HS_VERDICT_HOLDS ? "shared" : v == HS_VERDICT_FAILS ? "not shared" : "inconclusive";
}

static json_t *interval_json(const char *name, const hs_interval *v, size_t n, const char *how)
{
    return hs_json_estimate(name, v->value, v->lo, v->hi, n, how, v->reason);
}

static json_t *one_json(const hs_compared_dirs *d, size_t j, const hs_direction_answer *r, size_t n)
{
    const hs_direction_pair *p = &d->pair[j];
    static const char how[] = "delete-a-group jackknife of the fit, t interval";
    json_t *o = json_pack("{s:s, s:s, s:s, s:s}", "a", p->name_a, "b", p->name_b, "verdict",
                          hs_compared_verdict(r->verdict), "reason", r->reason);
    json_object_set_new(o, "delta_network", json_boolean(d->side[0]->d[j].net != NULL || d->side[1]->d[j].net != NULL));
    json_object_set_new(o, "aligned_cosine", hs_json_num(r->cosine[0]));
    json_object_set_new(o, "aligned_cosine_back", hs_json_num(r->cosine[1]));
    json_object_set_new(o, "ceiling", hs_json_num(r->ceiling[0]));
    json_object_set_new(o, "ceiling_back", hs_json_num(r->ceiling[1]));
    json_object_set_new(o, "over_ceiling", interval_json("over_ceiling", &r->lower, n, how));
    json_object_set_new(o, "null", hs_json_num(fmax(r->random[0], r->shuffled[0])));
    json_object_set_new(o, "null_back", hs_json_num(fmax(r->random[1], r->shuffled[1])));
    json_object_set_new(o, "null_random", hs_json_num(r->random[0]));
    json_object_set_new(o, "null_shuffled", hs_json_num(r->shuffled[0]));
    json_object_set_new(o, "raw_cosine", hs_json_num(r->raw));
    json_object_set_new(o, "raw_cosine_control", hs_json_num(r->raw_control));
    json_object_set_new(o, "effect_ratio", json_null());
    return o;
}

json_t *hs_compared_dirs_json(const hs_compared_dirs *d, const hs_direction_answer *answer, size_t n)
{
    json_t *list = json_array();
    for (size_t j = 0; j < d->D; j++) {
        json_array_append_new(list, one_json(d, j, &answer[j], n));
    }
    return list;
}

void hs_compared_dirs_say(hs_cmd *c, const hs_compared_dirs *d, const hs_direction_answer *answer)
{
    for (size_t j = 0; j < d->D; j++) {
        const hs_direction_answer *r = &answer[j];
        hs_cmd_say(c, "%s -> %s: %s\n  %s\n", d->pair[j].name_a, d->pair[j].name_b, hs_compared_verdict(r->verdict),
                   r->reason);
        if (!isnan(r->raw)) {
            hs_cmd_say(c, "  raw cosine %.4f", r->raw);
            hs_cmd_say(c, isnan(r->raw_control) ? " (one pair: no control)\n" : "; of unrelated directions %.4f\n",
                       r->raw_control);
        }
    }
}

HS_CHECKED static int put_numbers(hs_result *r, size_t D, const double (*v)[8])
{
    static const char *const name[8] = {"direction_over",      "direction_over_low",    "direction_over_high",
                                        "direction_cosine",    "direction_cosine_back", "direction_null",
                                        "direction_null_back", "direction_raw"};
    int rc = HS_OK;
    double *column = NULL;
    HS_TRY(hs_alloc(D, sizeof *column, &column));
    for (size_t i = 0; i < 8; i++) {
        for (size_t j = 0; j < D; j++) {
            column[j] = v[j][i];
        }
        HS_TRY(hs_result_put_f64(r, name[i], "direction", 1, &D, column));
    }
out:
    free(column);
    return rc;
}

int hs_compared_dirs_put(hs_result *r, const hs_compared_dirs *d, const hs_direction_answer *answer)
{
    int rc = HS_OK;
    const char **name = NULL, **verdict = NULL;
    double(*v)[8] = NULL;
    if (d->D == 0) {
        return HS_OK;
    }
    HS_TRY(hs_alloc(d->D, sizeof *name, &name));
    HS_TRY(hs_alloc(d->D, sizeof *verdict, &verdict));
    HS_TRY(hs_alloc(d->D, sizeof *v, &v));
    for (size_t j = 0; j < d->D; j++) {
        const hs_direction_answer *a = &answer[j];
        const double row[8] = {a->lower.value,
                               a->lower.lo,
                               a->lower.hi,
                               a->cosine[0],
                               a->cosine[1],
                               fmax(a->random[0], a->shuffled[0]),
                               fmax(a->random[1], a->shuffled[1]),
                               a->raw};
        name[j] = d->pair[j].name_a;
        verdict[j] = hs_compared_verdict(answer[j].verdict);
        memcpy(v[j], row, sizeof row);
    }
    HS_TRY(hs_result_put_strings(r, "direction", "direction", d->D, name));
    HS_TRY(hs_result_put_strings(r, "direction_verdict", "direction", d->D, verdict));
    HS_TRY(put_numbers(r, d->D, (const double(*)[8])v));
out:
    free(name);
    free(verdict);
    free(v);
    return rc;
}

void hs_compared_dirs_decide(const hs_compared_dirs *d, const hs_direction_answer *answer, size_t n, hs_measurement *m)
{
    size_t at = 0;
    m->verdict = hs_directions_verdict(d->D, answer);
    while (at + 1 < d->D && answer[at].verdict != m->verdict) {
        at++;
    }
    const hs_direction_answer *r = &answer[at];
    size_t way = r->over[0].value <= r->over[1].value ? 0U : 1U;
    snprintf(m->reason, sizeof m->reason, "%.60s: %.190s", d->pair[at].name_a, r->reason);
    m->primary = hs_estimate_of("aligned_cosine_over_ceiling", r->lower, n,
                                "of the direction that decides; delete-a-group jackknife of the fit");
    m->effect = hs_estimate_plain("aligned_cosine", r->cosine[way], n, "of the direction that decides", "no interval");
    m->null = hs_estimate_plain("null", fmax(r->random[way], r->shuffled[way]), n,
                                "97.5 % quantile of random directions and shuffled pairs", "no interval");
}
