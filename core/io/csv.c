#include "core/io/csv.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/io/file.h"

enum { BYTES_MAX = 1 << 30 };

/* Cells end with one \0 each, so that the next begins behind it; what quotation marks took is closed up. */
HS_CHECKED static int split(char *line, size_t *cells)
{
    char *to = line;
    int quoted = 0, start = 1;
    *cells = 1;
    for (const char *p = line; *p != '\0'; p++) {
        if (*p == '"' && (quoted || start)) {
            if (quoted && p[1] == '"') {
                *to++ = *p++;
                continue;
            }
            quoted = !quoted;
            start = 0;
        } else if (*p == ',' && !quoted) {
            *to++ = '\0';
            (*cells)++;
            start = 1;
        } else {
            *to++ = *p;
            start = 0;
        }
    }
    *to = '\0';
    return quoted ? hs_fail(HS_EFORMAT, "a quotation mark without its fellow") : HS_OK;
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

HS_CHECKED static int read_head(const char *path, char *line, hs_csv *t)
{
    int rc = HS_OK;
    HS_TRY(hs_fail_in(split(line, &t->cells), path));
    if (t->cells < 2 || t->cells > HS_CSV_CELLS_MAX) {
        return hs_fail(HS_EFORMAT, "%s: a header of %zu columns; wanted 2 to %d", path, t->cells,
                       (int)HS_CSV_CELLS_MAX);
    }
    for (size_t i = 0; i < t->cells; i++) {
        t->head[i] = hs_csv_cell(line, i);
        for (size_t k = 0; k < i; k++) {
            if (strcmp(t->head[i], t->head[k]) == 0) {
                return hs_fail(HS_EFORMAT, "%s: column \"%.60s\" twice", path, t->head[i]);
            }
        }
    }
out:
    return rc;
}

HS_CHECKED static int read_rows(const char *path, hs_csv *t)
{
    char *rest = t->text, *line = next_line(&rest);
    size_t number = 1, room = 1;
    int rc = HS_OK;
    HS_TRY(read_head(path, line, t));
    for (const char *p = rest; p != NULL && *p != '\0'; p++) {
        room += *p == '\n';
    }
    HS_TRY(hs_alloc(room, sizeof *t->row, &t->row));
    while ((line = next_line(&rest)) != NULL) {
        size_t cells = 0;
        number++;
        if (line[0] == '\0') {
            continue;
        }
        rc = split(line, &cells);
        if (rc != HS_OK || cells != t->cells) {
            return hs_fail(HS_EFORMAT, "%s:%zu: %zu columns%s; wanted %zu as the header says", path, number, cells,
                           rc != HS_OK ? " and an open quotation mark" : "", t->cells);
        }
        t->row[t->n++] = line;
    }
out:
    return rc;
}

int hs_csv_read(const char *path, hs_csv *out)
{
    hs_csv t = {0};
    unsigned char *bytes = NULL;
    size_t len = 0;
    int rc = HS_OK;
    HS_TRY(hs_file_read(path, BYTES_MAX, &bytes, &len));
    if (len == 0 || memchr(bytes, '\0', len) != NULL) {
        rc = hs_fail(HS_EFORMAT, "%s: empty, or not a text", path);
        goto out;
    }
    HS_TRY(hs_alloc(len + 1, 1, &t.text));
    memcpy(t.text, bytes, len);
    t.text[len] = '\0';
    HS_TRY(read_rows(path, &t));
    *out = t;
    t = (hs_csv){0};
out:
    hs_csv_free(&t);
    free(bytes);
    return rc;
}

void hs_csv_free(hs_csv *t)
{
    if (t != NULL) {
        free(t->text);
        free(t->row);
        *t = (hs_csv){0};
    }
}

const char *hs_csv_cell(const char *row, size_t c)
{
    for (; c > 0; c--) {
        row += strlen(row) + 1;
    }
    return row;
}

int hs_csv_column(const hs_csv *t, const char *name, size_t *c)
{
    for (size_t i = 0; i < t->cells; i++) {
        if (strcmp(t->head[i], name) == 0) {
            *c = i;
            return HS_OK;
        }
    }
    return hs_fail(HS_EFORMAT, "no column \"%.60s\"", name);
}
