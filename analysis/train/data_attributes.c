/* attributes.csv: what is known of the images of a folder. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/train/data_sources.h"
#include "analysis/train/paths.h"
#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/io/file.h"

enum { CSV_MAX = 1 << 30, CELLS_MAX = 1024 };

typedef struct {
    char *text;   /* lines and cells ended in place */
    char **row;   /* (n) start of each row, sorted by its first cell */
    size_t n;     /* rows below the header */
    size_t cells; /* of every row */
    const char *head[CELLS_MAX];
    size_t column[HS_ATTR_FACTORS_MAX]; /* cell of each factor */
} csv;

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Ends the cells of a line in place; how many there were. */
static size_t split(char *line)
{
    size_t cells = 1;
    for (; *line != '\0'; line++) {
        if (*line == ',') {
            *line = '\0';
            cells++;
        }
    }
    return cells;
}

static const char *cell_of(const char *row, size_t cell)
{
    for (; cell > 0; cell--) {
        row += strlen(row) + 1;
    }
    return row;
}

/* The line after this one, ended in place; NULL at the end. */
static char *next_line(char **rest)
{
    char *line = strsep(rest, "\n");
    size_t len = line != NULL ? strlen(line) : 0;
    if (len > 0 && line[len - 1] == '\r') {
        line[len - 1] = '\0';
    }
    return line;
}

HS_CHECKED static int read_rows(const char *path, csv *t)
{
    char *rest = t->text, *line = next_line(&rest);
    size_t number = 1, room = 0;
    t->cells = split(line);
    if (t->cells < 2 || t->cells > CELLS_MAX) {
        return hs_fail(HS_EFORMAT, "%s: a header of %zu columns; wanted the image and 1 to %d attributes", path,
                       t->cells, CELLS_MAX - 1);
    }
    for (size_t i = 0; i < t->cells; i++) {
        t->head[i] = cell_of(line, i);
    }
    for (const char *p = rest; p != NULL && *p != '\0'; p++) {
        room += *p == '\n';
    }
    int rc = hs_alloc(room + 1, sizeof *t->row, &t->row);
    while (rc == HS_OK && (line = next_line(&rest)) != NULL) {
        number++;
        if (line[0] == '\0') {
            continue;
        }
        size_t cells = split(line);
        if (cells != t->cells) {
            return hs_fail(HS_EFORMAT, "%s:%zu: %zu columns; wanted %zu as the header says", path, number, cells,
                           t->cells);
        }
        t->row[t->n++] = line;
    }
    if (rc == HS_OK && t->n > 1) {
        qsort(t->row, t->n, sizeof *t->row, by_text);
    }
    return rc;
}

HS_CHECKED static int choose(const char *path, const hs_data_options *o, csv *t, hs_data *d)
{
    d->n_factors = o->n_attributes > 0 ? o->n_attributes : t->cells - 1;
    if (d->n_factors > HS_ATTR_FACTORS_MAX) {
        return hs_fail(HS_ERANGE, "%s: %zu attributes; at most %d, choose with --attributes", path, d->n_factors,
                       HS_ATTR_FACTORS_MAX);
    }
    for (size_t f = 0; f < d->n_factors; f++) {
        size_t at = f + 1;
        if (o->n_attributes > 0) {
            for (at = 1; at < t->cells && strcmp(t->head[at], o->attributes[f]) != 0; at++) {
            }
        }
        if (at == t->cells) {
            return hs_fail(HS_EFORMAT, "%s: no column \"%.60s\"", path, o->attributes[f]);
        }
        if (strlen(t->head[at]) >= sizeof d->factor[f].name || t->head[at][0] == '\0') {
            return hs_fail(HS_EFORMAT, "%s: column %zu: a name of %zu bytes; wanted 1 to %zu", path, at + 1,
                           strlen(t->head[at]), sizeof d->factor[f].name - 1);
        }
        t->column[f] = at;
        snprintf(d->factor[f].name, sizeof d->factor[f].name, "%s", t->head[at]);
    }
    return HS_OK;
}

/* The row of an image, by its file name with or without the ending. */
static const char *find_row(const csv *t, const char *image)
{
    char name[HS_TRAIN_PATH];
    const char *base = strrchr(image, '/'), *key = name;
    snprintf(name, sizeof name, "%s", base != NULL ? base + 1 : image);
    char **found = t->n > 0 ? bsearch(&key, t->row, t->n, sizeof *t->row, by_text) : NULL;
    if (found == NULL && t->n > 0) {
        name[strlen(name) - 4] = '\0';
        found = bsearch(&key, t->row, t->n, sizeof *t->row, by_text);
    }
    return found != NULL ? *found : NULL;
}

HS_CHECKED static int fill(const char *path, const csv *t, char *const *image, hs_data *d)
{
    for (size_t f = 0; f < d->n_factors; f++) {
        d->factor[f].binary = 1;
    }
    for (size_t i = 0; i < d->n; i++) {
        const char *row = find_row(t, image[i]);
        if (row == NULL) {
            return hs_fail(HS_EFORMAT, "%s: no row for %s", path, image[i]);
        }
        for (size_t f = 0; f < d->n_factors; f++) {
            double *v = &d->value[i * d->n_factors + f];
            int rc = hs_text_f64(cell_of(row, t->column[f]), -1e30, 1e30, v);
            if (rc != HS_OK) {
                return hs_fail(HS_EFORMAT, "%s: %s of %s is no number: \"%.40s\"", path, d->factor[f].name, row,
                               cell_of(row, t->column[f]));
            }
            d->factor[f].binary &= *v == 0 || *v == 1;
        }
    }
    return HS_OK;
}

int hs_data_attributes(const char *folder, char *const *name, const hs_data_options *o, hs_data *d)
{
    char path[HS_TRAIN_PATH];
    csv *t = NULL;
    unsigned char *bytes = NULL;
    size_t len = 0;
    int rc = HS_OK;
    HS_TRY(hs_train_path(folder, "attributes.csv", path));
    HS_TRY(hs_calloc(1, sizeof *t, &t));
    HS_TRY(hs_file_read(path, CSV_MAX, &bytes, &len));
    if (len == 0 || memchr(bytes, '\0', len) != NULL) {
        rc = hs_fail(HS_EFORMAT, "%s: empty, or not a text", path);
        goto out;
    }
    HS_TRY(hs_alloc(len + 1, 1, &t->text));
    memcpy(t->text, bytes, len);
    t->text[len] = '\0';
    HS_TRY(read_rows(path, t));
    HS_TRY(choose(path, o, t, d));
    HS_TRY(hs_calloc(d->n * d->n_factors, sizeof *d->value, &d->value));
    HS_TRY(fill(path, t, name, d));
out:
    if (t != NULL) {
        free(t->text);
        free(t->row);
    }
    free(t);
    free(bytes);
    return rc;
}
