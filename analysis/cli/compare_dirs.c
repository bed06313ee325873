#include "analysis/cli/compare_dirs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/text.h"

/* ---- Files ---- */

/* *n, *specs (free each and the list) <- FILE:NAME of all directions that a spec names. */
HS_CHECKED static int list_specs(const char *spec, size_t *n, char ***specs)
{
    int rc;
    char **names = NULL, **list = NULL;
    size_t count = 0;
    hs_str text = {0};
    if (hs_direction_names(spec, &count, &names) != HS_OK) { /* no file of that name: FILE:NAME */
        count = 0;
        HS_TRY(hs_calloc(1, sizeof *list, &list));
        HS_TRY(hs_strdup(spec, &list[0]));
        *n = 1;
    } else {
        HS_TRY(hs_calloc(count, sizeof *list, &list));
        for (size_t i = 0; i < count; i++) {
            text.len = 0;
            hs_str_addf(&text, "%s:%s", spec, names[i]);
            HS_TRY(hs_str_ok(&text));
            HS_TRY(hs_strdup(text.s, &list[i]));
        }
        *n = count;
    }
    *specs = list;
    list = NULL;
out:
    hs_strings_free(count, names);
    hs_strings_free(count, list);
    hs_str_free(&text);
    return rc;
}

/* One side's directions, all of them. */
typedef struct {
    size_t n;
    hs_direction *d;
} loaded;

static void loaded_free(loaded *l)
{
    for (size_t i = 0; i < l->n; i++) {
        hs_direction_free(&l->d[i]);
    }
    free(l->d);
}

HS_CHECKED static int load(hs_cmd *c, const char *opt, const hs_compared *side, loaded *l)
{
    int rc;
    size_t n = 0;
    char **specs = NULL;
    HS_TRY(list_specs(hs_cmd_str(c, opt), &n, &specs));
    HS_TRY(hs_calloc(n, sizeof *l->d, &l->d));
    for (size_t i = 0; i < n; i++) {
        hs_direction *d = &l->d[i];
        HS_TRY(hs_direction_open(specs[i], d));
        l->n++;
        if (d->net != NULL || d->space != HS_SPACE_H) {
            rc = hs_fail(HS_ERANGE, "%s: %s; wanted a stored direction of h", specs[i],
                         d->net != NULL ? "a delta network (hspace direction freeze gives its mean)" : "of eps");
            goto out;
        }
        if (hs_chw_size(d->shape) != side->d) {
            rc = hs_fail(HS_ESHAPE, "%s: %zu numbers; h of %s has %zu", specs[i], hs_chw_size(d->shape), side->spec,
                         side->d);
            goto out;
        }
        if (d->model_sha256[0] != '\0' && side->sha256[0] != '\0' && strcmp(d->model_sha256, side->sha256) != 0 &&
            !hs_cmd_force(c)) {
            rc =
                hs_fail(HS_ESHAPE, "%s: of a model with other weights than %s (%.12s, %.12s); -f takes it all the same",
                        specs[i], side->spec, d->model_sha256, side->sha256);
            goto out;
        }
    }
    HS_TRY(hs_cmd_input(c, l->d[0].file));
out:
    hs_strings_free(n, specs);
    return rc;
}

/* ---- Pairs ---- */

static size_t find(const loaded *l, const char *name)
{
    size_t i = 0;
    while (i < l->n && strcmp(l->d[i].name, name) != 0) {
        i++;
    }
    return i;
}

/* partner (a->n) <- the index in b, b->n where there is none; *count <- how many have one. */
static void match(const loaded *a, const loaded *b, size_t *partner, size_t *count)
{
    *count = 0;
    for (size_t i = 0; i < a->n; i++) {
        partner[i] = find(b, a->d[i].name);
        *count += partner[i] < b->n;
    }
    if (*count == 0 && a->n == b->n) {
        for (size_t i = 0; i < a->n; i++) {
            partner[i] = i;
        }
        *count = a->n;
    }
}

/* *out (S, d) <- the direction at the steps compared. */
HS_CHECKED static int at_steps(const hs_direction *d, const hs_compared *side, float **out)
{
    int rc;
    HS_TRY(hs_alloc(side->view.S, side->d * sizeof **out, out));
    for (size_t k = 0; k < side->view.S; k++) {
        float *to = *out + k * side->d;
        if (side->view.t != NULL) {
            hs_direction_at(d, side->view.t[k], to);
        } else {
            memcpy(to, d->dh, side->d * sizeof *to);
        }
    }
out:
    return rc;
}

HS_CHECKED static int take(const hs_compared *a, const hs_compared *b, hs_direction *da, hs_direction *db,
                           hs_compared_dirs *out)
{
    int rc;
    size_t j = out->D++;
    out->a[j] = *da; /* from here on they are owned here */
    out->b[j] = *db;
    memset(da, 0, sizeof *da);
    memset(db, 0, sizeof *db);
    HS_TRY(at_steps(&out->a[j], a, &out->at_a[j]));
    HS_TRY(at_steps(&out->b[j], b, &out->at_b[j]));
    out->pair[j] = (hs_direction_pair){out->a[j].name, out->b[j].name, out->at_a[j], out->at_b[j]};
out:
    return rc;
}

int hs_compared_dirs_open(hs_cmd *c, const hs_compared *a, const hs_compared *b, hs_compared_dirs *out)
{
    int rc = HS_OK;
    loaded la = {0}, lb = {0};
    size_t *partner = NULL, count;
    memset(out, 0, sizeof *out);
    if ((hs_cmd_str(c, "directions-a") == NULL) != (hs_cmd_str(c, "directions-b") == NULL)) {
        return hs_fail(HS_ERANGE, "--directions-a and --directions-b: one of the two; wanted both");
    }
    if (hs_cmd_str(c, "directions-a") == NULL) {
        return HS_OK;
    }
    HS_TRY(load(c, "directions-a", a, &la));
    HS_TRY(load(c, "directions-b", b, &lb));
    HS_TRY(hs_alloc(la.n, sizeof *partner, &partner));
    match(&la, &lb, partner, &count);
    if (count == 0) {
        rc = hs_fail(HS_ERANGE, "--directions-a, --directions-b: no name is in both, and they hold %zu and %zu", la.n,
                     lb.n);
        goto out;
    }
    if (count < la.n || count < lb.n) {
        hs_cmd_warn(c, "%zu pairs of directions by name, of %zu and %zu", count, la.n, lb.n);
    }
    HS_TRY(hs_calloc(count, sizeof *out->a, &out->a));
    HS_TRY(hs_calloc(count, sizeof *out->b, &out->b));
    HS_TRY(hs_calloc(count, sizeof *out->at_a, &out->at_a));
    HS_TRY(hs_calloc(count, sizeof *out->at_b, &out->at_b));
    HS_TRY(hs_calloc(count, sizeof *out->pair, &out->pair));
    for (size_t i = 0; i < la.n; i++) {
        if (partner[i] < lb.n) {
            HS_TRY(take(a, b, &la.d[i], &lb.d[partner[i]], out));
        }
    }
out:
    free(partner);
    loaded_free(&la);
    loaded_free(&lb);
    if (rc != HS_OK) {
        hs_compared_dirs_free(out);
    }
    return rc;
}

void hs_compared_dirs_free(hs_compared_dirs *d)
{
    for (size_t j = 0; j < d->D; j++) {
        hs_direction_free(&d->a[j]);
        hs_direction_free(&d->b[j]);
        free(d->at_a[j]);
        free(d->at_b[j]);
    }
    free(d->a);
    free(d->b);
    free(d->at_a);
    free(d->at_b);
    free(d->pair);
    memset(d, 0, sizeof *d);
}

/* ---- What was found ---- */

static const char *verdict_word(hs_verdict v)
{
    return v == HS_VERDICT_HOLDS ? "shared" : v == HS_VERDICT_FAILS ? "not shared" : "inconclusive";
}

static json_t *interval_json(const char *name, const hs_interval *v, size_t n, const char *how)
{
    return hs_json_estimate(name, v->value, v->lo, v->hi, n, how, v->reason);
}

static json_t *one_json(const hs_direction_pair *p, const hs_direction_answer *r, size_t n)
{
    static const char how[] = "delete-a-group jackknife of the fit, t interval";
    json_t *o = json_pack("{s:s, s:s, s:s, s:s}", "a", p->name_a, "b", p->name_b, "verdict", verdict_word(r->verdict),
                          "reason", r->reason);
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
        json_array_append_new(list, one_json(&d->pair[j], &answer[j], n));
    }
    return list;
}

void hs_compared_dirs_say(hs_cmd *c, const hs_compared_dirs *d, const hs_direction_answer *answer)
{
    for (size_t j = 0; j < d->D; j++) {
        const hs_direction_answer *r = &answer[j];
        hs_cmd_say(c, "%s -> %s: %s\n  %s\n", d->pair[j].name_a, d->pair[j].name_b, verdict_word(r->verdict),
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
        verdict[j] = verdict_word(answer[j].verdict);
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
