#include "analysis/report/edits.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/report/columns.h"
#include "core/base/alloc.h"

enum { COLUMNS = 8, NUMBERS = 15, WIDTH = 64 };
enum {
    STRENGTH,
    EFFECT,
    LOW,
    HIGH,
    PUT,
    PUT_LOW,
    PUT_HIGH,
    ELSE,
    ELSE_LOW,
    ELSE_HIGH,
    CHANGE,
    NATURAL,
    LIMIT,
    OUTSIDE,
    RANDOM
};
static const char *const number[NUMBERS] = {
    "strength",   "effect",      "effect_low",        "effect_high",     "put_on",
    "put_on_low", "put_on_high", "else_effect",       "else_effect_low", "else_effect_high",
    "change",     "naturalness", "naturalness_limit", "outside",         "random"};

typedef struct {
    size_t n;
    char **name, **target, **most_else; /* (n) */
    double *v[NUMBERS];                 /* (n) each */
} table;

static void table_free(table *t)
{
    hs_strings_free(t->n, t->name);
    hs_strings_free(t->n, t->target);
    hs_strings_free(t->n, t->most_else);
    for (int k = 0; k < NUMBERS; k++) {
        free(t->v[k]);
    }
}

HS_CHECKED static int read_table(const char *path, table *t)
{
    hs_result_in *r = NULL;
    int rc = HS_OK;
    HS_TRY(hs_result_open(path, &r));
    HS_TRY(hs_result_get_strings(r, "sweep", &t->n, &t->name));
    HS_TRY(hs_report_texts(r, path, "target", t->n, &t->target));
    HS_TRY(hs_report_texts(r, path, "most_else", t->n, &t->most_else));
    HS_TRY(hs_report_numbers(r, path, NUMBERS, number, t->n, t->v));
out:
    hs_result_close(r);
    return rc;
}

/* "1.63 [1.42, 1.86]", times scale; nothing where undefined. */
static void interval(char out[WIDTH], double v, double lo, double hi, double scale, int digits)
{
    out[0] = '\0';
    if (!isnan(v) && !isnan(lo)) {
        snprintf(out, WIDTH, "%.*f [%.*f, %.*f]", digits, scale * v, digits, scale * lo, digits, scale * hi);
    } else if (!isnan(v)) {
        snprintf(out, WIDTH, "%.*f", digits, scale * v);
    }
}

static void fill_row(const table *t, size_t i, char cell[COLUMNS][WIDTH])
{
    char text[WIDTH];
    snprintf(cell[0], WIDTH, "%s", t->name[i]);
    snprintf(cell[1], WIDTH, "%s", t->target[i]);
    snprintf(cell[2], WIDTH, "%.3g", t->v[STRENGTH][i]);
    interval(cell[3], t->v[EFFECT][i], t->v[LOW][i], t->v[HIGH][i], 1, 2);
    interval(cell[4], t->v[PUT][i], t->v[PUT_LOW][i], t->v[PUT_HIGH][i], 100, 0);
    interval(text, t->v[ELSE][i], t->v[ELSE_LOW][i], t->v[ELSE_HIGH][i], 1, 2);
    snprintf(cell[5], WIDTH, "%.20s %.40s", t->most_else[i], text);
    interval(cell[6], t->v[CHANGE][i], NAN, NAN, 1, 3);
    if (isnan(t->v[LIMIT][i])) {
        snprintf(cell[7], WIDTH, "not tested");
    } else {
        snprintf(cell[7], WIDTH, "%.1f of %.1f", t->v[NATURAL][i], t->v[LIMIT][i]);
    }
    if (!isnan(t->v[RANDOM][i])) {
        size_t used = strlen(cell[3]);
        snprintf(cell[3] + used, WIDTH - used, "; random %.2f", t->v[RANDOM][i]);
    }
}

int hs_report_edits(hs_page *page, const char *path)
{
    static const char *const head[COLUMNS] = {"edit",      "target",        "strength", "effect, sd",
                                              "put on, %", "most else, sd", "image",    "naturalness"};
    table t = {0};
    char(*row)[COLUMNS][WIDTH] = NULL;
    const char **cell = NULL;
    int rc = HS_OK;
    HS_TRY(read_table(path, &t));
    HS_TRY(hs_alloc(t.n, sizeof *row, &row));
    HS_TRY(hs_alloc(t.n, COLUMNS * sizeof *cell, &cell));
    for (size_t i = 0; i < t.n; i++) {
        fill_row(&t, i, row[i]);
        for (size_t k = 0; k < COLUMNS; k++) {
            cell[i * COLUMNS + k] = row[i][k][0] != '\0' ? row[i][k] : "\xe2\x80\x93";
        }
    }
    hs_page_table(page, COLUMNS, head, t.n, cell);
out:
    free(row);
    free(cell);
    table_free(&t);
    return rc;
}
