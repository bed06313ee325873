#include "analysis/cli/compare_many.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/compare_pair.h"
#include "analysis/cli/measurement_out.h"
#include "analysis/cli/resume.h"
#include "analysis/compare/order.h"
#include "core/base/alloc.h"
#include "core/base/text.h"

/* What one pair of sides says of one subject: h, or a direction. */
typedef struct {
    size_t i, j;
    hs_interval over;
    hs_verdict verdict;
    char reason[256];
} cell;

/* One subject over all pairs. */
typedef struct {
    const char *name; /* "h", or the direction's */
    cell *cell;       /* (pairs) */
    double *v;        /* (count, count) over the ceiling, the lower way round */
    hs_verdict verdict;
    char reason[400];
} subject;

typedef struct {
    hs_cmd *c;
    size_t count, pairs, D, at; /* sides, pairs, directions; pairs that are through */
    hs_compared *list;
    const hs_compare_options *o;
    subject *subject; /* (1 + D): h first */
    hs_run_cells cells;
    int models;   /* all sides are: directions' effects are run, too */
    json_t *json; /* of the pairs */
} work;

/* ---- One pair ---- */

static void put_cell(work *w, size_t s, size_t i, size_t j, hs_interval over, hs_verdict verdict, const char *reason)
{
    subject *of = &w->subject[s];
    cell *x = &of->cell[w->at];
    *x = (cell){.i = i, .j = j, .over = over, .verdict = verdict};
    hs_text_escape(reason, x->reason, sizeof x->reason);
    of->v[i * w->count + j] = of->v[j * w->count + i] = over.value;
}

static void pair_json(work *w, const hs_compared_pair *p, const hs_compared *a, const hs_compared *b)
{
    const hs_estimate *e = &p->m.primary;
    json_t *o = json_pack("{s:s, s:s, s:s, s:s}", "a", a->name, "b", b->name, "verdict", hs_measurement_verdict(&p->m),
                          "reason", p->m.reason);
    json_object_set_new(o, "over_ceiling",
                        hs_json_estimate("over_ceiling", e->value, e->lo, e->hi, e->n, e->estimator, e->reason));
    if (p->dirs.D > 0) {
        json_object_set_new(o, "directions", hs_compared_dirs_json(&p->dirs, p->answer, p->x.n));
    }
    if (p->effects.D > 0) {
        hs_compared_effects_json(&p->effects, &p->dirs, o);
    }
    json_array_append_new(w->json, o);
}

HS_CHECKED static int judge(work *w, size_t i, size_t j, hs_compared_pair *p)
{
    int rc;
    const double none[2] = {NAN, NAN};
    hs_compared *a = &w->list[i], *b = &w->list[j];
    HS_TRY(hs_compared_pair_judge(w->c, a, b, w->o, none, w->models ? &w->cells : NULL, p));
    const hs_estimate *e = &p->m.primary;
    put_cell(w, 0, i, j, (hs_interval){.value = e->value, .lo = e->lo, .hi = e->hi}, p->m.verdict, p->m.reason);
    for (size_t l = 0; l < w->D; l++) {
        put_cell(w, 1 + l, i, j, p->answer[l].lower, p->answer[l].verdict, p->answer[l].reason);
    }
    w->at++;
    pair_json(w, p, a, b);
    hs_cmd_say(w->c, "%s and %s: %s\n  %s\n", a->name, b->name, hs_measurement_verdict(&p->m), p->m.reason);
    if (w->D > 0) {
        hs_compared_dirs_say(w->c, &p->dirs, p->answer);
        hs_compared_effects_say(w->c, &p->effects, &p->dirs);
    }
out:
    return rc;
}

HS_CHECKED static int one_pair(work *w, size_t i, size_t j)
{
    int rc;
    hs_compared_pair p = {0};
    HS_TRY(hs_compared_pair_run(&w->list[i], &w->list[j], w->o, w->models, &p));
    HS_TRY(hs_team_agree(w->o->team, hs_team_leads(w->o->team) ? judge(w, i, j, &p) : HS_OK));
out:
    hs_compared_pair_free(&p);
    return rc;
}

/* ---- All pairs ---- */

static hs_verdict worse(hs_verdict a, hs_verdict b)
{
    return a == HS_VERDICT_FAILS || b == HS_VERDICT_FAILS   ? HS_VERDICT_FAILS
           : a == HS_VERDICT_HOLDS && b == HS_VERDICT_HOLDS ? HS_VERDICT_HOLDS
                                                            : HS_VERDICT_INCONCLUSIVE;
}

/* Over all pairs: shared when all are, not shared when one isn't, else inconclusive; the reason is that of the pair
 * which decides, the lowest of those with the verdict. */
static void decide(const work *w, subject *s)
{
    size_t agree = 0, least = 0;
    s->verdict = HS_VERDICT_HOLDS;
    for (size_t p = 0; p < w->pairs; p++) {
        s->verdict = worse(s->verdict, s->cell[p].verdict);
    }
    for (size_t p = 0; p < w->pairs; p++) {
        if (hs_verdict_exit(s->cell[p].verdict) == hs_verdict_exit(s->verdict)) {
            double low = s->cell[least].over.value, value = s->cell[p].over.value;
            least = agree == 0 || value < low || (isnan(low) && !isnan(value)) ? p : least;
            agree++;
        }
    }
    char a[44], b[44];
    hs_text_escape(w->list[s->cell[least].i].name, a, sizeof a);
    hs_text_escape(w->list[s->cell[least].j].name, b, sizeof b);
    snprintf(s->reason, sizeof s->reason, "%s in %zu of %zu pairs; %s and %s: %s", hs_compared_verdict(s->verdict),
             agree, w->pairs, a, b, s->cell[least].reason);
}

/* The subject that decides for all: h, or the worst of the directions. */
static const subject *deciding(const work *w)
{
    const subject *s = &w->subject[w->D > 0];
    for (size_t l = 1; l < w->D; l++) {
        const subject *other = &w->subject[1 + l];
        s = worse(s->verdict, other->verdict) != s->verdict ? other : s;
    }
    return s;
}

static json_t *matrix_json(const work *w, const subject *s)
{
    json_t *matrix = json_array();
    for (size_t i = 0; i < w->count; i++) {
        json_array_append_new(matrix, hs_json_nums(w->count, s->v + i * w->count));
    }
    return matrix;
}

static json_t *direction_json(const work *w, const subject *s)
{
    json_t *pairs = json_array();
    for (size_t p = 0; p < w->pairs; p++) {
        const cell *x = &s->cell[p];
        json_t *o = json_pack("{s:s, s:s, s:s, s:s}", "a", w->list[x->i].name, "b", w->list[x->j].name, "verdict",
                              hs_compared_verdict(x->verdict), "reason", x->reason);
        json_object_set_new(o, "over_ceiling",
                            hs_json_estimate("over_ceiling", x->over.value, x->over.lo, x->over.hi, w->list[0].n,
                                             "delete-a-group jackknife of the fit, t interval", x->over.reason));
        json_array_append_new(pairs, o);
    }
    return json_pack("{s:s, s:s, s:s, s:o, s:o}", "name", s->name, "verdict", hs_compared_verdict(s->verdict), "reason",
                     s->reason, "matrix", matrix_json(w, s), "pairs", pairs);
}

static void put_results(const work *w, const size_t *order)
{
    json_t *models = json_array(), *sorted = json_array(), *list = json_array(), *r = hs_cmd_results(w->c);
    const subject *all = deciding(w), *h = &w->subject[0];
    for (size_t i = 0; i < w->count; i++) {
        json_array_append_new(models, json_string(w->list[i].name));
        json_array_append_new(sorted, json_integer((json_int_t)order[i]));
    }
    for (size_t l = 0; l < w->D; l++) {
        json_array_append_new(list, direction_json(w, &w->subject[1 + l]));
    }
    json_object_set_new(r, "property", json_string("compare"));
    json_object_set_new(r, "verdict", json_string(hs_compared_verdict(all->verdict)));
    json_object_set_new(r, "reason", json_sprintf("%s: %s", all->name, all->reason));
    json_object_set_new(r, "standard", hs_json_num(w->o->standard));
    json_object_set_new(r, "models", models);
    json_object_set_new(r, "order", sorted);
    json_object_set_new(r, "matrix", matrix_json(w, h));
    json_object_set(r, "pairs", w->json);
    if (w->D > 0) {
        json_object_set_new(r, "h",
                            json_pack("{s:s, s:s}", "verdict", hs_compared_verdict(h->verdict), "reason", h->reason));
        json_object_set_new(r, "directions", list);
    } else {
        json_decref(list);
    }
}

/* The matrices as text, models in their order of likeness. */
static void say(const work *w, const size_t *order)
{
    for (size_t s = 0; s < 1 + w->D; s++) {
        const subject *x = &w->subject[s];
        hs_cmd_say(w->c, "%s: %s\n  %s\n", x->name, hs_compared_verdict(x->verdict), x->reason);
        for (size_t i = 0; i < w->count; i++) {
            hs_cmd_say(w->c, "  %-20.20s", w->list[order[i]].name);
            for (size_t j = 0; j < w->count; j++) {
                hs_cmd_say(w->c, " %6.3f", x->v[order[i] * w->count + order[j]]);
            }
            hs_cmd_say(w->c, "\n");
        }
    }
}

/* ---- File ---- */

/* to (count, count) <- a subject's matrix in the order. */
static void sort(const work *w, const subject *s, const size_t *order, double *to)
{
    for (size_t i = 0; i < w->count * w->count; i++) {
        to[i] = s->v[order[i / w->count] * w->count + order[i % w->count]];
    }
}

HS_CHECKED static int put_matrices(const work *w, const size_t *order, hs_result *r)
{
    int rc;
    const size_t M = w->count, dim[3] = {w->D, M, M};
    const char **name = NULL;
    double *v = NULL;
    HS_TRY(hs_alloc(M > 1 + w->D ? M : 1 + w->D, sizeof *name, &name));
    HS_TRY(hs_alloc(1 + w->D, M * M * sizeof *v, &v));
    for (size_t s = 0; s < 1 + w->D; s++) {
        sort(w, &w->subject[s], order, v + s * M * M);
    }
    HS_TRY(hs_result_put_f64(r, "similarity", "row,column", 2, dim + 1, v));
    for (size_t i = 0; i < M; i++) {
        name[i] = w->list[order[i]].name;
    }
    HS_TRY(hs_result_put_strings(r, "row", "row", M, name));
    HS_TRY(hs_result_put_strings(r, "column", "column", M, name));
    if (w->D > 0) {
        HS_TRY(hs_result_put_f64(r, "direction_similarity", "direction,row,column", 3, dim, v + M * M));
    }
out:
    free(name);
    free(v);
    return rc;
}

/* Of each subject: its name, verdict and reason over all pairs. */
HS_CHECKED static int put_subjects(const work *w, hs_result *r)
{
    int rc;
    const size_t n = 1 + w->D;
    const char **text = NULL;
    HS_TRY(hs_alloc(3 * n, sizeof *text, &text));
    for (size_t s = 0; s < n; s++) {
        text[s] = w->subject[s].name;
        text[n + s] = hs_compared_verdict(w->subject[s].verdict);
        text[2 * n + s] = w->subject[s].reason;
    }
    HS_TRY(hs_result_put_strings(r, "subject", "subject", n, text));
    HS_TRY(hs_result_put_strings(r, "subject_verdict", "subject", n, text + n));
    HS_TRY(hs_result_put_strings(r, "subject_reason", "subject", n, text + 2 * n));
    HS_TRY(w->D > 0 ? hs_result_put_strings(r, "direction", "direction", w->D, text + 1) : HS_OK);
out:
    free(text);
    return rc;
}

/* Of each subject and pair, subjects outermost. */
HS_CHECKED static int put_cases(const work *w, hs_result *r)
{
    static const char *const word[] = {"case_subject", "case_a", "case_b", "case_verdict", "case_reason"};
    static const char *const number[] = {"case_over", "case_low", "case_high"};
    enum { WORDS = 5, NUMBERS = 3 };
    int rc;
    const size_t n = (1 + w->D) * w->pairs;
    const char **text = NULL;
    double *v = NULL;
    HS_TRY(hs_alloc(n, WORDS * sizeof *text, &text));
    HS_TRY(hs_alloc(n, NUMBERS * sizeof *v, &v));
    for (size_t k = 0; k < n; k++) {
        const subject *s = &w->subject[k / w->pairs];
        const cell *x = &s->cell[k % w->pairs];
        const char *const texts[WORDS] = {s->name, w->list[x->i].name, w->list[x->j].name,
                                          hs_compared_verdict(x->verdict), x->reason};
        const double numbers[NUMBERS] = {x->over.value, x->over.lo, x->over.hi};
        for (size_t l = 0; l < WORDS; l++) {
            text[l * n + k] = texts[l];
        }
        for (size_t l = 0; l < NUMBERS; l++) {
            v[l * n + k] = numbers[l];
        }
    }
    for (size_t l = 0; l < WORDS; l++) {
        HS_TRY(hs_result_put_strings(r, word[l], "case", n, text + l * n));
    }
    for (size_t l = 0; l < NUMBERS; l++) {
        HS_TRY(hs_result_put_f64(r, number[l], "case", 1, &n, v + l * n));
    }
out:
    free(text);
    free(v);
    return rc;
}

HS_CHECKED static int write_file(const work *w, const size_t *order)
{
    int rc, untrained = 0;
    hs_result *r = NULL;
    for (size_t i = 0; i < w->count; i++) {
        untrained |= w->list[i].untrained;
    }
    HS_TRY(hs_result_create(hs_cmd_out(w->c), "similarity", hs_cmd_force(w->c), &r));
    HS_TRY(hs_common_provenance(w->c, r));
    HS_TRY(put_matrices(w, order, r));
    HS_TRY(put_subjects(w, r));
    HS_TRY(put_cases(w, r));
    HS_TRY(hs_result_attr_str(r, NULL, "metric", "aligned cosine over its ceiling"));
    HS_TRY(hs_result_attr_f64(r, NULL, "standard", w->o->standard));
    HS_TRY(hs_result_attr_i64(r, NULL, "n", (int64_t)w->list[0].n));
    HS_TRY(hs_result_attr_i64(r, NULL, "untrained", untrained));
    HS_TRY(hs_result_commit(r));
out:
    hs_result_free(r);
    return rc;
}

/* Tells and writes what was found. */
HS_CHECKED static int answer(work *w)
{
    int rc;
    size_t *order = NULL;
    HS_TRY(hs_alloc(w->count, sizeof *order, &order));
    HS_TRY(hs_cluster_order(w->count, w->subject[0].v, order));
    for (size_t s = 0; s < 1 + w->D; s++) {
        decide(w, &w->subject[s]);
    }
    put_results(w, order);
    say(w, order);
    if (w->cells.cells != NULL) {
        hs_resume_say(w->c, w->cells.had, w->cells.images);
    }
    hs_cmd_exit(w->c, hs_verdict_exit(deciding(w)->verdict));
    HS_TRY(hs_cmd_out(w->c) != NULL ? write_file(w, order) : HS_OK);
out:
    free(order);
    return rc;
}

/* What may fail on one rank and not on another. */
HS_CHECKED static int work_open(work *w)
{
    int rc;
    w->models = w->D > 0;
    for (size_t i = 0; i < w->count; i++) {
        w->models = w->models && w->list[i].is_model;
    }
    HS_TRY(hs_calloc(1 + w->D, sizeof *w->subject, &w->subject));
    for (size_t s = 0; s < 1 + w->D; s++) {
        subject *x = &w->subject[s];
        x->name = s == 0 ? "h" : w->list[0].dirs.d[s - 1].name;
        HS_TRY(hs_calloc(w->pairs, sizeof *x->cell, &x->cell));
        HS_TRY(hs_calloc(w->count, w->count * sizeof *x->v, &x->v));
        for (size_t i = 0; i < w->count; i++) {
            x->v[i * w->count + i] = 1;
        }
    }
    HS_TRY(w->models ? hs_compared_cells_open(w->c, w->count, w->list, &w->cells) : HS_OK);
out:
    return rc;
}

static void work_free(work *w)
{
    for (size_t s = 0; w->subject != NULL && s < 1 + w->D; s++) {
        free(w->subject[s].cell);
        free(w->subject[s].v);
    }
    free(w->subject);
    json_decref(w->json);
}

int hs_compare_many(hs_cmd *c, size_t count, hs_compared *list, const hs_compare_options *o)
{
    int rc;
    work w = {.c = c, .count = count, .pairs = count * (count - 1) / 2, .D = list[0].dirs.n, .list = list, .o = o};
    w.json = json_array();
    HS_TRY(hs_team_agree(o->team, work_open(&w)));
    for (size_t i = 0; i < count; i++) {
        for (size_t j = i + 1; j < count; j++) {
            HS_TRY(one_pair(&w, i, j));
        }
    }
    HS_TRY(hs_team_agree(o->team, hs_team_leads(o->team) ? answer(&w) : HS_OK));
out:
    hs_resume_close(w.cells.cells, rc);
    work_free(&w);
    return rc;
}
