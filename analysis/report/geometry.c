#include "analysis/report/geometry.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/report/columns.h"
#include "core/base/alloc.h"

enum { NUMBERS = 6, TEXTS = 3, CELL = 96, COLUMNS = 5 };
enum { VALUE, LOW, HIGH, NULL_VALUE, NULL_LOW, NULL_HIGH };
enum { NAME, REASON, NULL_WHAT };
static const char *const number[NUMBERS] = {"statistic_value", "statistic_low",      "statistic_high",
                                            "statistic_null",  "statistic_null_low", "statistic_null_high"};
static const char *const words[TEXTS] = {"statistic", "statistic_reason", "statistic_null_what"};

typedef struct {
    size_t n;
    char **text[TEXTS]; /* (n) each */
    double *v[NUMBERS]; /* (n) each */
    char *paragraph;
} table;

static void table_free(table *t)
{
    for (size_t k = 0; k < TEXTS; k++) {
        if (t->text[k] != NULL) {
            hs_strings_free(t->n, t->text[k]);
        }
    }
    for (size_t k = 0; k < NUMBERS; k++) {
        free(t->v[k]);
    }
    free(t->paragraph);
}

HS_CHECKED static int read_texts(hs_result_in *r, const char *path, table *t)
{
    int rc = HS_OK;
    for (size_t k = 0; k < TEXTS; k++) {
        size_t n = 0;
        char **list = NULL;
        HS_TRY(hs_result_get_strings(r, words[k], &n, &list));
        if (k > 0 && n != t->n) {
            hs_strings_free(n, list);
            return hs_fail(HS_EFORMAT, "%s: /%s does not have %zu texts", path, words[k], t->n);
        }
        t->n = n;
        t->text[k] = list;
    }
out:
    return rc;
}

HS_CHECKED static int read_table(const char *path, table *t)
{
    hs_result_in *r = NULL;
    int rc = HS_OK;
    HS_TRY(hs_result_open(path, &r));
    HS_TRY(hs_result_attr_get_str(r, NULL, "paragraph", &t->paragraph));
    HS_TRY(read_texts(r, path, t));
    HS_TRY(hs_report_numbers(r, path, NUMBERS, number, t->n, t->v));
out:
    hs_result_close(r);
    return rc;
}

static void interval(char out[CELL], double v, double lo, double hi)
{
    out[0] = '\0';
    if (isfinite(v) && isfinite(lo)) {
        snprintf(out, CELL, "%.3g [%.3g, %.3g]", v, lo, hi);
    } else if (isfinite(v)) {
        snprintf(out, CELL, "%.3g", v);
    }
}

/* ---- Cards ---- */

static const struct {
    const char *title, *name, *text;
} asked[] = {
    {"noise against identity", "share_image",
     "Share of the variance of h that goes with the image, mean over timesteps."},
    {"dimension", "dimension_twonn", "By the two nearest neighbours."},
    {"stretching", "pullback_rank_x0_h", "Effective directions of the derivative of h to the predicted image."},
    {"turning", "tangent_samples", "Angle between the tangent spaces of two samples, of a right angle."},
    {"curvature", "midpoint_deviation",
     "How far the image of a midpoint lies from the middle of two images, in their distance."},
    {"linear within", "linear_range",
     "Of the distance between two samples: so far that deviation stays below the standard."}};
enum { CARDS = sizeof asked / sizeof *asked };

static size_t place_of(const table *t, const char *name)
{
    size_t i = 0;
    while (i < t->n && strcmp(t->text[NAME][i], name) != 0) {
        i++;
    }
    return i;
}

static void add_cards(hs_page *page, const table *t)
{
    hs_page_card card[CARDS];
    char answer[CARDS][CELL], null[CARDS][2 * CELL];
    size_t n = 0;
    for (size_t k = 0; k < CARDS; k++) {
        size_t i = place_of(t, asked[k].name);
        if (i == t->n || isnan(t->v[VALUE][i])) {
            continue;
        }
        snprintf(answer[n], CELL, "%.3g", t->v[VALUE][i]);
        interval(null[n], t->v[VALUE][i], t->v[LOW][i], t->v[HIGH][i]);
        if (isfinite(t->v[NULL_VALUE][i])) {
            size_t used = strlen(null[n]);
            snprintf(null[n] + used, sizeof null[n] - used, "; null %.3g", t->v[NULL_VALUE][i]);
        }
        card[n] = (hs_page_card){asked[k].title, answer[n], null[n], asked[k].text, HS_TONE_OPEN};
        n++;
    }
    if (n > 0) {
        hs_page_cards(page, n, card);
    }
}

/* ---- The table ---- */

int hs_report_geometry(hs_page *page, const char *path)
{
    static const char *const head[COLUMNS] = {"statistic", "value", "95 % interval", "null", "what the null is"};
    table t = {0};
    char(*text)[3][CELL] = NULL;
    const char **cell = NULL;
    size_t rows = 0;
    int rc = HS_OK;
    HS_TRY(read_table(path, &t));
    HS_TRY(hs_alloc(t.n, sizeof *text, &text));
    HS_TRY(hs_alloc(t.n, COLUMNS * sizeof *cell, &cell));
    for (size_t i = 0; i < t.n; i++) {
        const char **row = cell + rows * COLUMNS;
        const int bounded = isfinite(t.v[LOW][i]);
        if (strchr(t.text[NAME][i], '[') != NULL) {
            continue;
        }
        snprintf(text[rows][0], CELL, "%.4g", t.v[VALUE][i]);
        snprintf(text[rows][1], CELL, "[%.4g, %.4g]", t.v[LOW][i], t.v[HIGH][i]);
        interval(text[rows][2], t.v[NULL_VALUE][i], t.v[NULL_LOW][i], t.v[NULL_HIGH][i]);
        row[0] = t.text[NAME][i];
        row[1] = isfinite(t.v[VALUE][i]) ? text[rows][0] : "\xe2\x80\x93";
        row[2] = bounded ? text[rows][1] : t.text[REASON][i];
        row[3] = text[rows][2][0] != '\0' ? text[rows][2] : "\xe2\x80\x93";
        row[4] = t.text[NULL_WHAT][i];
        rows++;
    }
    add_cards(page, &t);
    hs_page_text(page, t.paragraph);
    hs_page_table(page, COLUMNS, head, rows, cell);
out:
    free(text);
    free(cell);
    table_free(&t);
    return rc;
}
