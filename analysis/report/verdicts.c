#include "analysis/report/verdicts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/report/columns.h"
#include "core/base/alloc.h"
#include "core/base/text.h"

enum { TEXTS = 11, NUMBERS = 5, CELL = 160, CARD = 1024 };
enum { PROPERTY, DIRECTION, VERDICT, SPECIFIC, REASON, READOUT, PRIMARY, NOTES, RUN, NOT_RUN, MATCHING };
enum { VALUE, LOW, HIGH, STANDARD, IMAGES };
static const char *const text_name[TEXTS] = {"property",     "direction",        "verdict", "specific",
                                             "reason",       "readout",          "primary", "notes",
                                             "controls_run", "controls_not_run", "matching"};
static const char *const number_name[NUMBERS] = {"primary_value", "primary_low", "primary_high", "standard", "images"};
static const char *const order[] = {"homogeneity", "linearity", "robustness", "consistency"};

typedef struct {
    size_t n;
    char **name, **reason; /* reason NULL in files without it */
    double *v[3];          /* value, low, high */
} statistics;

/* One measurement; text NULL where absent. */
typedef struct {
    char *text[TEXTS];
    double v[NUMBERS];
    int control, shown;
    statistics statistic;
} answer;

struct hs_verdicts {
    size_t n;
    answer *list; /* (n) */
};

void hs_verdicts_free(hs_verdicts *v)
{
    for (size_t i = 0; v != NULL && i < v->n; i++) {
        answer *a = &v->list[i];
        for (int k = 0; k < TEXTS; k++) {
            free(a->text[k]);
        }
        hs_strings_free(a->statistic.n, a->statistic.name);
        hs_strings_free(a->statistic.n, a->statistic.reason);
        for (int k = 0; k < 3; k++) {
            free(a->statistic.v[k]);
        }
    }
    if (v != NULL) {
        free(v->list);
        free(v);
    }
}

HS_CHECKED static int read_statistics(const char *path, hs_result_in *r, statistics *s)
{
    static const char *const array[3] = {"statistic_value", "statistic_low", "statistic_high"};
    size_t reasons = 0;
    int rc = HS_OK;
    if (!hs_result_has(r, "statistic")) {
        return HS_OK;
    }
    HS_TRY(hs_result_get_strings(r, "statistic", &s->n, &s->name));
    if (hs_result_has(r, "statistic_reason")) {
        HS_TRY(hs_result_get_strings(r, "statistic_reason", &reasons, &s->reason));
        if (reasons != s->n) {
            hs_strings_free(reasons, s->reason);
            s->reason = NULL;
            rc = hs_fail(HS_EFORMAT, "%s: /statistic_reason does not have %zu texts", path, s->n);
            goto out;
        }
    }
    HS_TRY(hs_report_numbers(r, path, 3, array, s->n, s->v));
out:
    return rc;
}

static int is_measurement(const answer *a)
{
    return a->text[VERDICT] != NULL && a->text[PROPERTY] != NULL;
}

/* A file without a verdict leaves its texts empty. */
HS_CHECKED static int read_answer(const char *path, size_t n_controls, const char *const *control, answer *a)
{
    hs_result_in *r = NULL;
    int rc = HS_OK;
    HS_TRY(hs_result_open(path, &r));
    for (int k = 0; k < TEXTS; k++) {
        if (hs_result_attr_get_str(r, NULL, text_name[k], &a->text[k]) != HS_OK) {
            a->text[k] = NULL;
        }
    }
    for (int k = 0; k < NUMBERS; k++) {
        if (hs_result_attr_get_f64(r, NULL, number_name[k], &a->v[k]) != HS_OK) {
            a->v[k] = NAN;
        }
    }
    for (size_t k = 0; k < n_controls && a->text[DIRECTION] != NULL; k++) {
        a->control |= strcmp(a->text[DIRECTION], control[k]) == 0;
    }
    if (is_measurement(a)) {
        HS_TRY(read_statistics(path, r, &a->statistic));
    }
out:
    hs_result_close(r);
    return rc;
}

int hs_verdicts_read(size_t n, const char *const *path, size_t n_controls, const char *const *control,
                     hs_verdicts **out)
{
    hs_verdicts *v = NULL;
    int rc = HS_OK;
    HS_TRY(hs_calloc(1, sizeof *v, &v));
    HS_TRY(hs_calloc(n, sizeof *v->list, &v->list));
    for (; v->n < n; v->n++) {
        answer *a = &v->list[v->n];
        rc = read_answer(path[v->n], n_controls, control, a);
        if (rc != HS_OK) {
            v->n++; /* what was read of it is freed, too */
            goto out;
        }
        a->shown = !is_measurement(a);
    }
    *out = v;
    v = NULL;
out:
    hs_verdicts_free(v);
    return rc;
}

/* "" where absent. */
static const char *text_of(const answer *a, int which)
{
    return a->text[which] != NULL ? a->text[which] : "";
}

/* ---- Cards ---- */

static int is_one_of(const char *text, const char *a, const char *b)
{
    return strcmp(text, a) == 0 || strcmp(text, b) == 0;
}

/* The verdict that a line "name: verdict; reason" has behind its name; NULL: a control without one. */
static const char *verdict_in(const char *after)
{
    static const char *const verdict[] = {"no effect", "inconclusive", "holds", "fails"};
    for (size_t k = 0; k < sizeof verdict / sizeof *verdict; k++) {
        size_t n = strlen(verdict[k]);
        if (strncmp(after, verdict[k], n) == 0 && after[n] == ';') {
            return verdict[k];
        }
    }
    return NULL;
}

/* " LEAD: a (fails), b." of lines "name: verdict; reason" and "name: reason". */
static void name_controls(const char *lines, const char *lead, hs_str *out)
{
    const char *line = lines;
    while (line != NULL && *line != '\0') {
        size_t length = strcspn(line, "\n"), name = strcspn(line, ":\n");
        const char *verdict = name + 2 < length ? verdict_in(line + name + 2) : NULL;
        hs_str_addf(out, "%s%s%s%.*s%s%s%s", line == lines ? " " : ", ", line == lines ? lead : "",
                    line == lines ? ": " : "", (int)name, line, verdict != NULL ? " (" : "",
                    verdict != NULL ? verdict : "", verdict != NULL ? ")" : "");
        line += length + (line[length] == '\n');
    }
    hs_str_add(out, line != lines ? "." : "");
}

/* The card's text: the reason, what is special to h, and the controls. */
HS_CHECKED static int say_card(const answer *a, char text[CARD])
{
    const char *reason = a->text[REASON] != NULL ? a->text[REASON] : "";
    const char *specific = a->text[SPECIFIC] != NULL ? a->text[SPECIFIC] : "not tested";
    hs_str all = {0};
    hs_str_addf(&all, "%.400s.", reason);
    if (strcmp(a->text[PROPERTY], "compare") != 0) {
        hs_str_addf(&all, " Special to h: %.20s.", specific);
    }
    name_controls(a->text[RUN], "Controls", &all);
    name_controls(a->text[NOT_RUN], "Not run", &all);
    int rc = hs_str_ok(&all);
    snprintf(text, CARD, "%s", rc == HS_OK ? all.s : "");
    hs_str_free(&all);
    return rc;
}

HS_CHECKED static int fill_card(const answer *a, char title[CELL], char number[CELL], char text[CARD],
                                hs_page_card *card)
{
    const char *readout = text_of(a, READOUT);
    const char *matching = text_of(a, MATCHING);
    snprintf(title, CELL, "%.40s%s%.60s%s%.30s", a->text[PROPERTY], readout[0] != '\0' ? " of " : "", readout,
             matching[0] != '\0' ? ", noise matched by " : "", matching);
    const char *verdict = a->text[VERDICT];
    if (isfinite(a->v[VALUE]) && isfinite(a->v[LOW])) {
        snprintf(number, CELL, "%.3g [%.3g, %.3g]; standard %.3g", a->v[VALUE], a->v[LOW], a->v[HIGH], a->v[STANDARD]);
    } else if (isfinite(a->v[VALUE])) {
        snprintf(number, CELL, "%.3g; standard %.3g", a->v[VALUE], a->v[STANDARD]);
    } else {
        snprintf(number, CELL, "no number; standard %.3g", a->v[STANDARD]);
    }
    *card = (hs_page_card){.title = title,
                           .answer = verdict,
                           .number = number,
                           .text = text,
                           .tone = is_one_of(verdict, "holds", "shared")       ? HS_TONE_GOOD
                                   : is_one_of(verdict, "fails", "not shared") ? HS_TONE_BAD
                                                                               : HS_TONE_OPEN};
    return say_card(a, text);
}

/* The cards of one direction, in the paper's order of the properties, then any other. */
HS_CHECKED static int add_row(hs_page *page, size_t n, answer *list, const char *direction, int control)
{
    enum { PROPERTIES = sizeof order / sizeof *order };
    hs_page_card *card = NULL;
    char(*number)[2][CELL] = NULL, (*text)[CARD] = NULL, heading[CELL];
    size_t cards = 0;
    int rc = HS_OK;
    HS_TRY(hs_alloc(n, sizeof *card, &card));
    HS_TRY(hs_alloc(n, sizeof *number, &number));
    HS_TRY(hs_alloc(n, sizeof *text, &text));
    for (size_t p = 0; p <= PROPERTIES; p++) {
        for (size_t i = 0; i < n; i++) {
            answer *a = &list[i];
            int here = !a->shown && a->control == control && strcmp(text_of(a, DIRECTION), direction) == 0;
            if (here && (p == PROPERTIES || strcmp(a->text[PROPERTY], order[p]) == 0)) {
                HS_TRY(fill_card(a, number[cards][0], number[cards][1], text[cards], &card[cards]));
                cards++;
                a->shown = 1;
            }
        }
    }
    snprintf(heading, sizeof heading, "%.100s%s",
             direction[0] != '\0' ? direction : "The model, whatever the direction",
             control ? " (control: must not hold)" : "");
    hs_page_subsection(page, heading);
    hs_page_cards(page, cards, card);
out:
    free(card);
    free(number);
    free(text);
    return rc;
}

int hs_report_verdicts(hs_page *page, hs_verdicts *v)
{
    int rc = HS_OK, any = 0;
    for (size_t i = 0; i < v->n; i++) {
        any |= !v->list[i].shown;
    }
    if (any) {
        hs_page_section(page, "Verdicts");
    }
    for (int controls = 0; controls < 2; controls++) {
        for (size_t i = 0; i < v->n; i++) {
            if (!v->list[i].shown && v->list[i].control == controls) {
                HS_TRY(add_row(page, v->n, v->list, text_of(&v->list[i], DIRECTION), controls));
            }
        }
    }
out:
    return rc;
}

/* ---- Statistics ---- */

HS_CHECKED static int add_table(hs_page *page, const statistics *s)
{
    static const char *const head[3] = {"statistic", "value", "95 % interval"};
    const char **cell = NULL;
    char(*text)[2][CELL] = NULL;
    size_t rows = 0;
    int rc = HS_OK;
    HS_TRY(hs_alloc(s->n, 3 * sizeof *cell, &cell));
    HS_TRY(hs_alloc(s->n, sizeof *text, &text));
    for (size_t i = 0; i < s->n; i++) {
        if (strchr(s->name[i], '[') != NULL) {
            continue;
        }
        int defined = isfinite(s->v[0][i]), interval = isfinite(s->v[1][i]);
        const char *why = s->reason != NULL && s->reason[i][0] != '\0' ? s->reason[i] : "\xe2\x80\x93";
        snprintf(text[rows][0], CELL, "%.4g", s->v[0][i]);
        snprintf(text[rows][1], CELL, "[%.4g, %.4g]", s->v[1][i], s->v[2][i]);
        cell[3 * rows] = s->name[i];
        cell[3 * rows + 1] = defined ? text[rows][0] : "\xe2\x80\x93";
        cell[3 * rows + 2] = defined && interval ? text[rows][1] : why;
        rows++;
    }
    hs_page_table(page, 3, head, rows, cell);
out:
    free(cell);
    free(text);
    return rc;
}

/* LEAD: the lines, one behind another; nothing without any. */
HS_CHECKED static int add_lines(hs_page *page, const char *lead, const char *notes)
{
    hs_str text = {0};
    int rc = HS_OK;
    if (notes == NULL || notes[0] == '\0') {
        return HS_OK;
    }
    hs_str_addf(&text, "%s: ", lead);
    for (const char *c = notes; *c != '\0'; c++) {
        hs_str_add_bytes(&text, *c == '\n' ? "; " : c, *c == '\n' ? 2 : 1);
    }
    HS_TRY(hs_str_ok(&text));
    hs_page_text(page, text.s);
out:
    hs_str_free(&text);
    return rc;
}

HS_CHECKED static int add_statistics_of(hs_page *page, const answer *a)
{
    char heading[CELL];
    const char *readout = text_of(a, READOUT);
    const char *matching = text_of(a, MATCHING);
    int rc = HS_OK;
    snprintf(heading, sizeof heading, "%.30s%s%.50s%s%.40s%s%.20s", a->text[PROPERTY],
             text_of(a, DIRECTION)[0] != '\0' ? " of " : "", text_of(a, DIRECTION),
             readout[0] != '\0' ? ", read-out " : "", readout, matching[0] != '\0' ? ", noise matched by " : "",
             matching);
    hs_page_subsection(page, heading);
    HS_TRY(add_table(page, &a->statistic));
    HS_TRY(add_lines(page, "Notes", a->text[NOTES]));
    HS_TRY(add_lines(page, "Controls", a->text[RUN]));
    HS_TRY(add_lines(page, "Controls not run", a->text[NOT_RUN]));
out:
    return rc;
}

int hs_report_statistics(hs_page *page, const hs_verdicts *v)
{
    int rc = HS_OK, first = 1;
    for (size_t i = 0; i < v->n; i++) {
        if (!is_measurement(&v->list[i])) {
            continue;
        }
        if (first) {
            hs_page_section(page, "Statistics");
            first = 0;
        }
        HS_TRY(add_statistics_of(page, &v->list[i]));
    }
out:
    return rc;
}
