#include "analysis/train/table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/train/paths.h"
#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/io/file.h"

enum { TABLE_MAX = 1 << 28, COLUMNS = 6 };

static const char head[] = "update,loss,grad_norm,rate,images_per_second,seconds\n";

/* One line of six numbers, without its end. */
HS_CHECKED static int parse_row(const char *line, size_t len, hs_table_row *row)
{
    char text[256];
    double *const value[COLUMNS - 1] = {&row->loss, &row->grad_norm, &row->rate, &row->images_per_second,
                                        &row->seconds};
    if (len >= sizeof text) {
        return hs_fail(HS_EFORMAT, "a row of %zu bytes", len);
    }
    memcpy(text, line, len);
    text[len] = '\0';
    char *rest = text, *cell = strsep(&rest, ",");
    int rc = hs_text_u64(cell, &row->update);
    for (size_t i = 0; i < COLUMNS - 1 && rc == HS_OK; i++) {
        cell = strsep(&rest, ",");
        rc = cell != NULL ? hs_text_f64(cell, -1e300, 1e300, value[i]) : HS_EFORMAT;
    }
    return rc == HS_OK && rest == NULL ? HS_OK : hs_fail(HS_EFORMAT, "\"%.80s\" is not a row of six numbers", text);
}

/* Goes through the complete rows of the text.  *keep <- the bytes up to the first row beyond upto;
 * row (NULL: not wanted) <- them. */
HS_CHECKED static int walk(const char *path, const char *text, size_t len, uint64_t upto, size_t *keep,
                           hs_table_row *row, size_t *n)
{
    size_t at = sizeof head - 1;
    hs_table_row one;
    if (len < at || memcmp(text, head, at) != 0) {
        return hs_fail(HS_EFORMAT, "%s: not a table of hspace train; wanted the columns %.*s", path, (int)at - 1, head);
    }
    *n = 0;
    for (const char *end; at < len && (end = memchr(text + at, '\n', len - at)) != NULL;) {
        size_t line = (size_t)(end - (text + at));
        int rc = hs_fail_in(parse_row(text + at, line, &one), path);
        if (rc != HS_OK) {
            return rc;
        }
        if (one.update > upto) {
            break;
        }
        if (row != NULL) {
            row[*n] = one;
        }
        ++*n;
        at += line + 1;
    }
    *keep = at;
    return HS_OK;
}

HS_CHECKED static int write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return hs_fail_errno("loss.csv", "cannot be written");
        }
        text += n;
        len -= (size_t)n;
    }
    return HS_OK;
}

int hs_table_open(const char *folder, uint64_t upto, int *fd)
{
    char path[HS_TRAIN_PATH];
    unsigned char *text = NULL;
    size_t len = 0, keep = 0, n;
    int rc = HS_OK, f = -1;
    HS_TRY(hs_train_path(folder, "loss.csv", path));
    if (upto > 0 && access(path, F_OK) == 0) {
        HS_TRY(hs_file_read(path, TABLE_MAX, &text, &len));
        HS_TRY(walk(path, (const char *)text, len, upto, &keep, NULL, &n));
    }
    f = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (f < 0) {
        rc = hs_fail_errno(path, "cannot be opened");
        goto out;
    }
    if (ftruncate(f, (off_t)keep) != 0) {
        rc = hs_fail_errno(path, "cannot be cut");
        goto out;
    }
    if (keep == 0) {
        HS_TRY(write_all(f, head, sizeof head - 1));
    }
    *fd = f;
    f = -1;
out:
    if (f >= 0) {
        close(f);
    }
    free(text);
    return rc;
}

int hs_table_add(int fd, const hs_table_row *row)
{
    char line[256];
    int len = snprintf(line, sizeof line, "%llu,%.9g,%.9g,%.9g,%.4g,%.6g\n", (unsigned long long)row->update, row->loss,
                       row->grad_norm, row->rate, row->images_per_second, row->seconds);
    return write_all(fd, line, (size_t)len);
}

int hs_table_read(const char *folder, hs_table_row **row, size_t *n)
{
    char path[HS_TRAIN_PATH];
    unsigned char *text = NULL;
    hs_table_row *rows = NULL;
    size_t len = 0, keep, count;
    int rc = HS_OK;
    HS_TRY(hs_train_path(folder, "loss.csv", path));
    HS_TRY(hs_file_read(path, TABLE_MAX, &text, &len));
    HS_TRY(walk(path, (const char *)text, len, UINT64_MAX, &keep, NULL, &count));
    HS_TRY(hs_alloc(count, sizeof *rows, &rows));
    HS_TRY(walk(path, (const char *)text, len, UINT64_MAX, &keep, rows, &count));
    *row = rows;
    *n = count;
    rows = NULL;
out:
    free(rows);
    free(text);
    return rc;
}
