/* attributes.csv: what is known of the images of a folder. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/train/data_sources.h"
#include "analysis/train/paths.h"
#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/io/csv.h"

/* A table whose rows are found by their first cell. */
typedef struct {
    hs_csv csv;
    size_t column[HS_ATTR_FACTORS_MAX]; /* cell of each factor */
} table;

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

HS_CHECKED static int choose(const char *path, const hs_data_options *o, table *t, hs_data *d)
{
    int rc = HS_OK;
    d->n_factors = o->n_attributes > 0 ? o->n_attributes : t->csv.cells - 1;
    if (d->n_factors > HS_ATTR_FACTORS_MAX) {
        return hs_fail(HS_ERANGE, "%s: %zu attributes; at most %d, choose with --attributes", path, d->n_factors,
                       HS_ATTR_FACTORS_MAX);
    }
    for (size_t f = 0; f < d->n_factors; f++) {
        size_t at = f + 1;
        if (o->n_attributes > 0) {
            HS_TRY(hs_fail_in(hs_csv_column(&t->csv, o->attributes[f], &at), path));
        }
        const char *name = t->csv.head[at];
        if (strlen(name) >= sizeof d->factor[f].name || name[0] == '\0') {
            return hs_fail(HS_EFORMAT, "%s: column %zu: a name of %zu bytes; wanted 1 to %zu", path, at + 1,
                           strlen(name), sizeof d->factor[f].name - 1);
        }
        t->column[f] = at;
        snprintf(d->factor[f].name, sizeof d->factor[f].name, "%s", name);
    }
out:
    return rc;
}

/* The row of an image, by its file name with or without the ending. */
static const char *find_row(const hs_csv *t, const char *image)
{
    char name[HS_TRAIN_PATH];
    const char *base = strrchr(image, '/'), *key = name;
    snprintf(name, sizeof name, "%s", base != NULL ? base + 1 : image);
    char **found = t->n > 0 ? bsearch(&key, t->row, t->n, sizeof *t->row, by_text) : NULL;
    if (found == NULL && t->n > 0) {
        *strrchr(name, '.') = '\0'; /* hs_image_list gives names with an ending only */
        found = bsearch(&key, t->row, t->n, sizeof *t->row, by_text);
    }
    return found != NULL ? *found : NULL;
}

HS_CHECKED static int fill(const char *path, const table *t, char *const *image, hs_data *d)
{
    for (size_t f = 0; f < d->n_factors; f++) {
        d->factor[f].binary = 1;
    }
    for (size_t i = 0; i < d->n; i++) {
        const char *row = find_row(&t->csv, image[i]);
        if (row == NULL) {
            return hs_fail(HS_EFORMAT, "%s: no row for %s", path, image[i]);
        }
        for (size_t f = 0; f < d->n_factors; f++) {
            double *v = &d->value[i * d->n_factors + f];
            int rc = hs_text_f64(hs_csv_cell(row, t->column[f]), -1e30, 1e30, v);
            if (rc != HS_OK) {
                return hs_fail(HS_EFORMAT, "%s: %s of %s is no number: \"%.40s\"", path, d->factor[f].name, row,
                               hs_csv_cell(row, t->column[f]));
            }
            d->factor[f].binary &= *v == 0 || *v == 1;
        }
    }
    return HS_OK;
}

int hs_data_attributes(const char *folder, char *const *name, const hs_data_options *o, hs_data *d)
{
    char path[HS_TRAIN_PATH];
    table t = {0};
    int rc = HS_OK;
    HS_TRY(hs_train_path(folder, "attributes.csv", path));
    HS_TRY(hs_csv_read(path, &t.csv));
    if (t.csv.n > 1) {
        qsort(t.csv.row, t.csv.n, sizeof *t.csv.row, by_text);
    }
    HS_TRY(choose(path, o, &t, d));
    HS_TRY(hs_calloc(d->n * d->n_factors, sizeof *d->value, &d->value));
    HS_TRY(fill(path, &t, name, d));
out:
    hs_csv_free(&t.csv);
    return rc;
}
