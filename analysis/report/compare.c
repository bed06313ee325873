#include "analysis/report/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/report/columns.h"
#include "core/base/alloc.h"

enum { COLUMNS = 8, WIDTH = 64, NUMBERS = 13, WORDS = 3 };
enum { OVER, OVER_LOW, OVER_HIGH, OWN_A, OWN_B, CARRIED, LOW, HIGH, LIMIT, BACK, BACK_LOW, BACK_HIGH, BACK_LIMIT };
enum { NAME, FACTOR, VERDICT };
static const char *const number[NUMBERS] = {"direction_over",
                                            "direction_over_low",
                                            "direction_over_high",
                                            "effect_a",
                                            "effect_b",
                                            "effect_carried",
                                            "effect_carried_low",
                                            "effect_carried_high",
                                            "effect_carried_null",
                                            "effect_carried_back",
                                            "effect_carried_back_low",
                                            "effect_carried_back_high",
                                            "effect_carried_back_null"};
static const char *const word[WORDS] = {"direction", "own_factor", "direction_verdict"};

typedef struct {
    size_t n;
    char **text[WORDS];
    double *v[NUMBERS];
} table;

static void table_free(table *t)
{
    for (int k = 0; k < WORDS; k++) {
        hs_strings_free(t->n, t->text[k]);
    }
    for (int k = 0; k < NUMBERS; k++) {
        free(t->v[k]);
    }
}

/* t->n stays 0 where there are no effects. */
HS_CHECKED static int read_table(const char *path, table *t)
{
    hs_result_in *r = NULL;
    int rc = HS_OK;
    HS_TRY(hs_result_open(path, &r));
    if (!hs_result_has(r, number[CARRIED])) {
        goto out;
    }
    HS_TRY(hs_result_get_strings(r, word[NAME], &t->n, &t->text[NAME]));
    for (int k = NAME + 1; k < WORDS; k++) {
        HS_TRY(hs_report_texts(r, path, word[k], t->n, &t->text[k]));
    }
    HS_TRY(hs_report_numbers(r, path, NUMBERS, number, t->n, t->v));
out:
    hs_result_close(r);
    return rc;
}

/* "1.63 [1.42, 1.86]", and "; random 0.31" where that is known. */
static void interval(char out[WIDTH], double v, double lo, double hi, double limit)
{
    char beside[24] = "";
    if (!isnan(limit)) {
        snprintf(beside, sizeof beside, "; random %.2f", limit);
    }
    if (isnan(lo)) {
        snprintf(out, WIDTH, "%.2f%s", v, beside);
    } else {
        snprintf(out, WIDTH, "%.2f [%.2f, %.2f]%s", v, lo, hi, beside);
    }
}

static void fill_row(const table *t, size_t j, char cell[COLUMNS][WIDTH])
{
    snprintf(cell[0], WIDTH, "%.60s", t->text[NAME][j]);
    snprintf(cell[1], WIDTH, "%.60s", t->text[FACTOR][j]);
    snprintf(cell[2], WIDTH, "%.2f", t->v[OWN_A][j]);
    snprintf(cell[3], WIDTH, "%.2f", t->v[OWN_B][j]);
    interval(cell[4], t->v[CARRIED][j], t->v[LOW][j], t->v[HIGH][j], t->v[LIMIT][j]);
    interval(cell[5], t->v[BACK][j], t->v[BACK_LOW][j], t->v[BACK_HIGH][j], t->v[BACK_LIMIT][j]);
    interval(cell[6], t->v[OVER][j], t->v[OVER_LOW][j], t->v[OVER_HIGH][j], NAN);
    snprintf(cell[7], WIDTH, "%.60s", t->text[VERDICT][j]);
}

int hs_report_compare(hs_page *page, const char *path)
{
    static const char *const head[COLUMNS] = {"direction",    "factor",       "in a, sd",     "in b, sd",
                                              "a's in b, sd", "b's in a, sd", "over ceiling", "verdict"};
    table t = {0};
    char(*row)[COLUMNS][WIDTH] = NULL;
    const char **cell = NULL;
    int rc = HS_OK;
    HS_TRY(read_table(path, &t));
    if (t.n == 0) {
        goto out;
    }
    HS_TRY(hs_alloc(t.n, sizeof *row, &row));
    HS_TRY(hs_alloc(t.n, COLUMNS * sizeof *cell, &cell));
    for (size_t j = 0; j < t.n; j++) {
        fill_row(&t, j, row[j]);
        for (size_t k = 0; k < COLUMNS; k++) {
            cell[j * COLUMNS + k] = row[j][k];
        }
    }
    hs_page_text(page,
                 "Each direction at the largest strength, on the factor that is its own, in standard deviations of "
                 "unedited images: in the model it was found in, and carried into the other by a map that has not "
                 "seen the images, with its 95 % interval, beside the size that carried random directions of the "
                 "same length stay below.");
    hs_page_table(page, COLUMNS, head, t.n, cell);
out:
    free(row);
    free(cell);
    table_free(&t);
    return rc;
}

/* ---- More than two ---- */

enum { SUBJECT, A, B, JUDGED, CASE_WORDS, CASE_NUMBERS = 3, CASE_COLUMNS = 5, SUBJECT_COLUMNS = 3 };

typedef struct {
    size_t n, cases;
    char **subject[SUBJECT_COLUMNS]; /* (n) */
    char **text[CASE_WORDS];         /* (cases) */
    double *v[CASE_NUMBERS];
    char (*over)[WIDTH]; /* (cases) in words */
    const char **cell;
} many;

static void many_free(many *t)
{
    for (int k = 0; k < SUBJECT_COLUMNS; k++) {
        hs_strings_free(t->n, t->subject[k]);
    }
    for (int k = 0; k < CASE_WORDS; k++) {
        hs_strings_free(t->cases, t->text[k]);
    }
    for (int k = 0; k < CASE_NUMBERS; k++) {
        free(t->v[k]);
    }
    free(t->over);
    free(t->cell);
}

/* t->n stays 0 where there are no pairs. */
HS_CHECKED static int read_many(const char *path, many *t)
{
    static const char *const subject[SUBJECT_COLUMNS] = {"subject", "subject_verdict", "subject_reason"};
    static const char *const text[CASE_WORDS] = {"case_subject", "case_a", "case_b", "case_verdict"};
    static const char *const v[CASE_NUMBERS] = {"case_over", "case_low", "case_high"};
    hs_result_in *r = NULL;
    int rc = HS_OK;
    HS_TRY(hs_result_open(path, &r));
    if (!hs_result_has(r, text[0])) {
        goto out;
    }
    HS_TRY(hs_result_get_strings(r, subject[0], &t->n, &t->subject[0]));
    HS_TRY(hs_result_get_strings(r, text[0], &t->cases, &t->text[0]));
    for (int k = 1; k < SUBJECT_COLUMNS; k++) {
        HS_TRY(hs_report_texts(r, path, subject[k], t->n, &t->subject[k]));
    }
    for (int k = 1; k < CASE_WORDS; k++) {
        HS_TRY(hs_report_texts(r, path, text[k], t->cases, &t->text[k]));
    }
    HS_TRY(hs_report_numbers(r, path, CASE_NUMBERS, v, t->cases, t->v));
    HS_TRY(hs_alloc(t->cases, sizeof *t->over, &t->over));
    HS_TRY(hs_alloc(t->cases > t->n ? t->cases : t->n, CASE_COLUMNS * sizeof *t->cell, &t->cell));
out:
    hs_result_close(r);
    return rc;
}

int hs_report_compare_many(hs_page *page, const char *path)
{
    static const char *const over_all[SUBJECT_COLUMNS] = {"", "over all pairs", "because"};
    static const char *const head[CASE_COLUMNS] = {"", "model", "and", "over ceiling", "verdict"};
    int rc;
    many t = {0};
    HS_TRY(read_many(path, &t));
    if (t.n == 0) {
        goto out;
    }
    for (size_t i = 0; i < t.n * SUBJECT_COLUMNS; i++) {
        t.cell[i] = t.subject[i % SUBJECT_COLUMNS][i / SUBJECT_COLUMNS];
    }
    hs_page_text(page,
                 "Every pair of models, h and each direction: the held-out aligned cosine over what the space reaches "
                 "with itself, the lower way round, with its interval. Shared is what every pair shares.");
    hs_page_table(page, SUBJECT_COLUMNS, over_all, t.n, t.cell);
    for (size_t k = 0; k < t.cases; k++) {
        interval(t.over[k], t.v[0][k], t.v[1][k], t.v[2][k], NAN);
        const char *const row[CASE_COLUMNS] = {t.text[SUBJECT][k], t.text[A][k], t.text[B][k], t.over[k],
                                               t.text[JUDGED][k]};
        memcpy(t.cell + k * CASE_COLUMNS, row, sizeof row);
    }
    hs_page_table(page, CASE_COLUMNS, head, t.cases, t.cell);
out:
    many_free(&t);
    return rc;
}
