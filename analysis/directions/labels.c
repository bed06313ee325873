#include "analysis/directions/labels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/text.h"

static int number(const char *cell, double *v)
{
    char *end;
    *v = strtod(cell, &end);
    return end != cell && *end == '\0' && isfinite(*v);
}

static int all_zero_or_one(size_t n, const double *v)
{
    size_t i = 0;
    while (i < n && (v[i] == 0 || v[i] == 1)) {
        i++;
    }
    return i == n;
}

int hs_labels_column(const hs_csv *table, const char *attribute, size_t n, double *value, int *binary)
{
    size_t column;
    char name[64];
    if (table->n != n) {
        return hs_fail(HS_ESHAPE, "%zu rows of labels for %zu samples", table->n, n);
    }
    int rc = hs_csv_column(table, attribute, &column);
    hs_text_escape(attribute, name, sizeof name);
    for (size_t i = 0; i < n && rc == HS_OK; i++) {
        const char *cell = hs_csv_cell(table->row[i], column);
        if (!number(cell, &value[i])) {
            char shown[48];
            hs_text_escape(cell, shown, sizeof shown);
            return hs_fail(HS_EFORMAT, "row %zu: %s is \"%s\"; wanted a finite number", i + 1, name, shown);
        }
    }
    if (rc == HS_OK) {
        *binary = all_zero_or_one(n, value);
    }
    return rc;
}

typedef struct {
    double value;
    size_t sample;
} ranked;

static int by_value(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->value != y->value) {
        return x->value < y->value ? -1 : 1;
    }
    return x->sample < y->sample ? -1 : x->sample > y->sample;
}

HS_CHECKED static int group_by_ends(size_t n, double fraction, size_t ends, hs_labels *l)
{
    int rc = HS_OK;
    size_t each = ends > 0 ? ends : (size_t)(fraction * (double)n);
    ranked *order = NULL;
    HS_TRY(hs_alloc(n, sizeof *order, &order));
    for (size_t i = 0; i < n; i++) {
        order[i] = (ranked){l->value[i], i};
    }
    qsort(order, n, sizeof *order, by_value);
    if (each > 0 && order[each - 1].value == order[n - each].value) {
        each = 0;
    }
    for (size_t i = 0; i < each; i++) {
        l->side[order[i].sample] = -1;
        l->side[order[n - 1 - i].sample] = 1;
    }
    l->plus = l->minus = each;
    if (ends > 0) {
        snprintf(l->rule, sizeof l->rule, "largest against smallest %zu", ends);
    } else {
        snprintf(l->rule, sizeof l->rule, "largest against smallest %g %%", 100 * fraction);
    }
out:
    free(order);
    return rc;
}

static void group_by_value(size_t n, hs_labels *l)
{
    for (size_t i = 0; i < n; i++) {
        l->side[i] = l->value[i] == 1 ? 1 : -1;
        l->plus += l->value[i] == 1;
        l->minus += l->value[i] == 0;
    }
    snprintf(l->rule, sizeof l->rule, "1 against 0");
}

int hs_labels_of(const hs_csv *table, const char *attribute, size_t n, double fraction, size_t ends, hs_labels *out)
{
    int rc = HS_OK;
    int binary;
    hs_labels l = {0};
    if (!(fraction > 0 && fraction <= 0.5)) {
        return hs_fail(HS_ERANGE, "fraction %g: must be above 0 and at most 0.5", fraction);
    }
    if (ends > n / 2) {
        return hs_fail(HS_ERANGE, "ends %zu: at most %zu, half of the samples", ends, n / 2);
    }
    hs_text_escape(attribute, l.name, sizeof l.name);
    HS_TRY(hs_alloc(n, sizeof *l.value, &l.value));
    HS_TRY(hs_calloc(n, sizeof *l.side, &l.side));
    HS_TRY(hs_labels_column(table, attribute, n, l.value, &binary));
    if (binary) {
        group_by_value(n, &l);
    } else {
        HS_TRY(group_by_ends(n, fraction, ends, &l));
    }
    if (l.plus == 0 || l.minus == 0) {
        rc = hs_fail(HS_EDEGENERATE, "%s: %zu samples against %zu (%s): one group is empty", l.name, l.plus, l.minus,
                     l.rule);
        goto out;
    }
    *out = l;
    l = (hs_labels){0};
out:
    hs_labels_free(&l);
    return rc;
}

void hs_labels_free(hs_labels *l)
{
    free(l->value);
    free(l->side);
    *l = (hs_labels){0};
}
