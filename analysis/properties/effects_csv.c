#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/properties/effects.h"
#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/io/file.h"

enum { NAME_MAX_BYTES = 127 };

/* What a column holds: a name, the strength, or one of the 2 + K numbers of a row. */
typedef enum { COL_IMAGE, COL_DIRECTION, COL_STRENGTH, COL_NUMBER } col_kind;
typedef struct {
    col_kind kind;
    size_t number; /* 0 value, 1 ... K nulls, K + 1 rival */
} col;

typedef struct {
    const char *direction, *image; /* into the parser's copy of the text */
    double strength;
    size_t line, index; /* index: which row of the numbers */
} row;

typedef struct {
    const hs_effects_limits *limits;
    char *text, *at;
    size_t line, columns, K, rows;
    int seen_image, seen_strength, seen_value, seen_direction, seen_rival;
    col *column;
    row *row;
    double *number; /* (rows, K + 2) */
} csv;

static void csv_free(csv *c)
{
    free(c->text);
    free(c->column);
    free(c->row);
    free(c->number);
}

/* The next line, terminated and without its end; NULL after the last. */
static char *next_line(csv *c)
{
    char *line = c->at;
    if (*line == '\0') {
        return NULL;
    }
    char *end = strchr(line, '\n');
    c->at = end != NULL ? end + 1 : line + strlen(line);
    if (end == NULL) {
        end = c->at;
    }
    if (end > line && end[-1] == '\r') {
        end[-1] = '\0';
    }
    *end = '\0';
    c->line++;
    return line;
}

/* Cuts the next cell off *rest; *rest is NULL after the last one. */
static char *next_cell(char **rest)
{
    char *cell = *rest, *comma = strchr(cell, ',');
    *rest = comma == NULL ? NULL : comma + 1;
    if (comma != NULL) {
        *comma = '\0';
    }
    return cell;
}

static int once(csv *c, int *seen, const char *name)
{
    return (*seen)++ == 0 ? HS_OK : hs_fail(HS_EFORMAT, "line %zu: column %.40s twice", c->line, name);
}

/* "null" is 1, "null_2" 2, ...; 0 for anything else. */
static size_t null_number(const char *name)
{
    int64_t k;
    if (strcmp(name, "null") == 0) {
        return 1;
    }
    if (strncmp(name, "null_", 5) != 0 || name[5] == '0' || hs_text_i64(name + 5, 2, INT32_MAX, &k) != HS_OK) {
        return 0;
    }
    return (size_t)k;
}

static int read_column(csv *c, const char *name, col *out)
{
    size_t k = null_number(name);
    if (strcmp(name, "image") == 0) {
        *out = (col){COL_IMAGE, 0};
        return once(c, &c->seen_image, name);
    }
    if (strcmp(name, "direction") == 0) {
        *out = (col){COL_DIRECTION, 0};
        return once(c, &c->seen_direction, name);
    }
    if (strcmp(name, "strength") == 0) {
        *out = (col){COL_STRENGTH, 0};
        return once(c, &c->seen_strength, name);
    }
    if (strcmp(name, "value") == 0) {
        *out = (col){COL_NUMBER, 0};
        return once(c, &c->seen_value, name);
    }
    if (strcmp(name, "rival") == 0) {
        *out = (col){COL_NUMBER, SIZE_MAX}; /* its place is known when K is */
        return once(c, &c->seen_rival, name);
    }
    if (k == 0) {
        return hs_fail(HS_EFORMAT,
                       "line %zu: column \"%.60s\"; image, strength, value, null, null_2 ..., rival, direction",
                       c->line, name);
    }
    *out = (col){COL_NUMBER, k};
    c->K++;
    return HS_OK;
}

/* The K nulls are null, null_2 ... null_K, each once: K different numbers from 1 to K. */
static int check_nulls(csv *c)
{
    for (size_t k = 1; k <= c->K; k++) {
        size_t found = 0;
        for (size_t j = 0; j < c->columns; j++) {
            found += c->column[j].kind == COL_NUMBER && c->column[j].number == k;
        }
        if (found != 1) {
            return hs_fail(HS_EFORMAT,
                           "line %zu: %zu null columns, number %zu is there %zu times; null, null_2 ... once", c->line,
                           c->K, k, found);
        }
    }
    return HS_OK;
}

static int read_header(csv *c)
{
    int rc = HS_OK;
    char *rest = next_line(c);
    if (rest == NULL) {
        return hs_fail(HS_EFORMAT, "line 1: empty; image,strength,value wanted");
    }
    size_t most = c->limits->nulls + 5, cells = 1;
    for (const char *p = rest; *p != '\0'; p++) {
        cells += *p == ',';
    }
    if (cells > most) {
        return hs_fail(HS_ELIMIT, "line 1: %zu columns; at most %zu null columns", cells, c->limits->nulls);
    }
    HS_TRY(hs_alloc(cells, sizeof *c->column, &c->column));
    while (rest != NULL) {
        HS_TRY(read_column(c, next_cell(&rest), &c->column[c->columns++]));
    }
    if (!c->seen_image || !c->seen_strength || !c->seen_value) {
        HS_TRY(hs_fail(HS_EFORMAT, "line 1: image, strength and value are needed"));
    }
    HS_TRY(check_nulls(c));
    for (size_t j = 0; j < c->columns; j++) {
        if (c->column[j].kind == COL_NUMBER && c->column[j].number == SIZE_MAX) {
            c->column[j].number = c->K + 1;
        }
    }
out:
    return rc;
}

static int read_number(const csv *c, const char *cell, double *out)
{
    if (hs_text_f64(cell, -HUGE_VAL, HUGE_VAL, out) != HS_OK) {
        return hs_fail(HS_EFORMAT, "line %zu: \"%.40s\" is not a finite decimal number", c->line, cell);
    }
    return HS_OK;
}

static int read_name(const csv *c, const char *cell, const char **out)
{
    size_t len = strlen(cell);
    if (len < 1 || len > NAME_MAX_BYTES || strchr(cell, '"') != NULL || !hs_text_is_utf8(cell, len)) {
        return hs_fail(HS_EFORMAT, "line %zu: name \"%.40s\"; 1 to %d bytes of UTF-8 without quotes", c->line, cell,
                       NAME_MAX_BYTES);
    }
    *out = cell;
    return HS_OK;
}

static int read_row(csv *c, char *rest, row *r, double *number)
{
    int rc = HS_OK;
    *r = (row){.direction = "", .line = c->line, .index = c->rows};
    for (size_t j = 0; j < c->columns; j++) {
        if (rest == NULL) {
            HS_TRY(hs_fail(HS_EFORMAT, "line %zu: %zu cells; %zu wanted", c->line, j, c->columns));
        }
        const char *cell = next_cell(&rest);
        switch (c->column[j].kind) {
        case COL_IMAGE: HS_TRY(read_name(c, cell, &r->image)); break;
        case COL_DIRECTION: HS_TRY(read_name(c, cell, &r->direction)); break;
        case COL_STRENGTH: HS_TRY(read_number(c, cell, &r->strength)); break;
        case COL_NUMBER: HS_TRY(read_number(c, cell, &number[c->column[j].number])); break;
        }
    }
    if (rest != NULL) {
        HS_TRY(hs_fail(HS_EFORMAT, "line %zu: more than %zu cells", c->line, c->columns));
    }
out:
    return rc;
}

static int read_rows(csv *c)
{
    int rc = HS_OK;
    size_t lines = 1, count, width = c->K + 2;
    for (const char *p = c->at; *p != '\0'; p++) {
        lines += *p == '\n';
    }
    if (lines > c->limits->rows) {
        return hs_fail(HS_ELIMIT, "%zu rows; at most %zu", lines, c->limits->rows);
    }
    /* a whole row has two bytes a cell, so that empty lines don't claim memory for rows */
    size_t whole = strlen(c->at) / (2 * c->columns) + 1;
    lines = lines < whole ? lines : whole;
    HS_TRY(hs_size_mul(lines, width, &count));
    HS_TRY(hs_alloc(lines, sizeof *c->row, &c->row));
    HS_TRY(hs_alloc(count, sizeof *c->number, &c->number));
    for (char *line; (line = next_line(c)) != NULL; c->rows++) {
        HS_TRY(read_row(c, line, &c->row[c->rows], c->number + c->rows * width));
    }
    if (c->rows == 0) {
        HS_TRY(hs_fail(HS_EFORMAT, "line 2: no rows"));
    }
out:
    return rc;
}

static int by_direction_image_strength(const void *a, const void *b)
{
    const row *x = a, *y = b;
    int d = strcmp(x->direction, y->direction);
    d = d != 0 ? d : strcmp(x->image, y->image);
    return d != 0 ? d : (x->strength > y->strength) - (x->strength < y->strength);
}

/* Rows [0, count) are one direction's, sorted: each image must have the strengths of the first. */
static int check_grid(const row *r, size_t count, size_t *m)
{
    size_t per = 1;
    while (per < count && strcmp(r[per].image, r[0].image) == 0) {
        per++;
    }
    for (size_t i = 1; i < count; i++) {
        if (strcmp(r[i].image, r[i - 1].image) == 0 && r[i].strength <= r[i - 1].strength) {
            return hs_fail(HS_EFORMAT, "line %zu: image %s at strength %g, as in line %zu", r[i].line, r[i].image,
                           r[i].strength, r[i - 1].line);
        }
    }
    for (size_t i = 0; i < count; i++) {
        const row *want = &r[i % per], *first = &r[i - i % per];
        if (strcmp(r[i].image, first->image) != 0 || r[i].strength < want->strength || r[i].strength > want->strength) {
            return hs_fail(HS_EFORMAT, "line %zu: image %s has not the strengths of image %s (%g wanted)", r[i].line,
                           first->image, r[0].image, want->strength);
        }
    }
    if (count % per != 0) {
        return hs_fail(HS_EFORMAT, "line %zu: image %s lacks a strength (%g wanted)", r[count - 1].line,
                       r[count - 1].image, r[count % per].strength);
    }
    *m = per;
    return HS_OK;
}

/* out (count) <- number `which` of each row. */
static void gather(const csv *c, const row *r, size_t count, size_t which, double *out)
{
    for (size_t i = 0; i < count; i++) {
        out[i] = c->number[r[i].index * (c->K + 2) + which];
    }
}

static int make_table(const csv *c, const row *r, size_t count, hs_effects *out)
{
    int rc = HS_OK;
    size_t m = 1, nulls;
    double *strength = NULL, *value = NULL, *null = NULL, *rival = NULL;
    HS_TRY(check_grid(r, count, &m));
    HS_TRY(hs_alloc(m, sizeof *strength, &strength));
    HS_TRY(hs_alloc(count, sizeof *value, &value));
    HS_TRY(hs_alloc(count, sizeof *rival, &rival));
    HS_TRY(hs_size_mul(count, c->K, &nulls));
    HS_TRY(hs_alloc(nulls, sizeof *null, &null));
    for (size_t j = 0; j < m; j++) {
        strength[j] = r[j].strength;
    }
    gather(c, r, count, 0, value);
    for (size_t k = 0; k < c->K; k++) {
        gather(c, r, count, k + 1, null + k * count);
    }
    if (c->seen_rival) {
        gather(c, r, count, c->K + 1, rival);
    }
    rc =
        hs_effects_create(r[0].direction, count / m, m, strength, value, c->K, null, c->seen_rival ? rival : NULL, out);
    rc = rc == HS_OK || r[0].direction[0] == '\0' ? rc : hs_fail_in(rc, r[0].direction);
out:
    free(strength);
    free(value);
    free(null);
    free(rival);
    return rc;
}

static int make_tables(csv *c, hs_effects_set *out)
{
    int rc = HS_OK;
    hs_effects_set set = {0, NULL};
    size_t directions = 1;
    qsort(c->row, c->rows, sizeof *c->row, by_direction_image_strength);
    for (size_t i = 1; i < c->rows; i++) {
        directions += strcmp(c->row[i].direction, c->row[i - 1].direction) != 0;
    }
    HS_TRY(hs_calloc(directions, sizeof *set.table, &set.table));
    for (size_t i = 0, j; i < c->rows; i = j) {
        for (j = i + 1; j < c->rows && strcmp(c->row[j].direction, c->row[i].direction) == 0; j++) {
        }
        HS_TRY(make_table(c, c->row + i, j - i, &set.table[set.n]));
        set.n++;
    }
    *out = set;
    return HS_OK;
out:
    hs_effects_set_free(&set);
    return rc;
}

int hs_effects_parse(const char *text, size_t len, const hs_effects_limits *limits, hs_effects_set *out)
{
    int rc = HS_OK;
    csv c = {.limits = limits};
    if (len > limits->bytes) {
        return hs_fail(HS_ELIMIT, "%zu bytes; at most %zu", len, limits->bytes);
    }
    if (memchr(text, '\0', len) != NULL) {
        return hs_fail(HS_EFORMAT, "a zero byte; this is not a CSV text");
    }
    HS_TRY(hs_alloc(len + 1, 1, &c.text));
    memcpy(c.text, text, len);
    c.text[len] = '\0';
    c.at = c.text + (strncmp(c.text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0);
    HS_TRY(read_header(&c));
    HS_TRY(read_rows(&c));
    HS_TRY(make_tables(&c, out));
out:
    csv_free(&c);
    return rc;
}

int hs_effects_read(const char *path, const hs_effects_limits *limits, hs_effects_set *out)
{
    int rc = HS_OK;
    unsigned char *bytes = NULL;
    size_t len;
    HS_TRY(hs_file_read(path, limits->bytes, &bytes, &len));
    rc = hs_fail_in(hs_effects_parse((const char *)bytes, len, limits, out), path);
out:
    free(bytes);
    return rc;
}
