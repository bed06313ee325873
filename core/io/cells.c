#include "core/io/cells.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/io/crc32c.h"
#include "core/io/h5file.h"
#include "core/io/lock.h"

typedef struct {
    uint32_t magic, kind;
    uint64_t key, count;
    uint32_t data_crc, crc;
} record;

_Static_assert(sizeof(record) == 32, "the layout is fixed");

enum { PLAN_MAX = 1 << 20, SYNC_SECONDS = 5 };
static const char magic[8] = {'H', 'S', 'C', 'E', 'L', 'L', 'S', '1'};
static const uint32_t record_magic = 0x4c435348; /* HSCL */

typedef struct {
    uint32_t kind, crc;
    uint64_t key, count, at; /* at: of the row */
} cell;

struct hs_cells {
    int fd;
    char *path;
    uint64_t end;
    double synced;       /* when */
    size_t n, cap, last; /* last: the cell found last; the next one wanted mostly follows it */
    cell *cell;
};

/* ---- The plan ---- */

/* The first line that two plans don't share, each into its text. */
static void first_difference(const char *a, const char *b, char there[160], char here[160])
{
    const char *text[2] = {a, b};
    char *line[2] = {there, here};
    while (*text[0] != '\0' && *text[1] != '\0') {
        size_t n = strcspn(text[0], "\n") + 1, m = strcspn(text[1], "\n") + 1;
        if (n != m || memcmp(text[0], text[1], n - 1) != 0) {
            break;
        }
        text[0] += n - (text[0][n - 1] == '\0');
        text[1] += m - (text[1][m - 1] == '\0');
    }
    for (int k = 0; k < 2; k++) {
        char part[120];
        size_t n = strcspn(text[k], "\n");
        n = n < sizeof part - 1 ? n : sizeof part - 1;
        memcpy(part, text[k], n);
        part[n] = '\0';
        hs_text_escape(n > 0 ? part : "nothing", line[k], 160);
    }
}

/* What is at the start of the file: HS_OK and *plan (free()), NULL where nothing of ours was finished. */
HS_CHECKED static int read_plan(const hs_cells *c, uint64_t size, char **plan, uint64_t *end)
{
    int rc = HS_OK;
    char start[16];
    uint64_t len;
    uint32_t crc;
    char *text = NULL;
    *plan = NULL;
    size_t seen = size < sizeof magic ? (size_t)size : sizeof magic;
    HS_TRY(hs_pread_all(c->fd, start, seen, 0, c->path));
    if (memcmp(start, magic, seen) != 0) {
        return hs_fail(HS_ERANGE, "%s: exists and holds no cells of ours; use -f", c->path);
    }
    if (size < 20) {
        return HS_OK;
    }
    HS_TRY(hs_pread_all(c->fd, start, 16, 0, c->path));
    memcpy(&len, start + 8, sizeof len);
    if (len > PLAN_MAX || size < 20 + len) {
        return HS_OK;
    }
    HS_TRY(hs_alloc(len + 1, 1, &text));
    HS_TRY(hs_pread_all(c->fd, text, len, 16, c->path));
    HS_TRY(hs_pread_all(c->fd, &crc, sizeof crc, 16 + len, c->path));
    text[len] = '\0';
    if (crc == hs_crc32c(hs_crc32c(0, start, 16), text, len) && strlen(text) == len) {
        *plan = text;
        *end = 20 + len;
        text = NULL;
    }
out:
    free(text);
    return rc;
}

HS_CHECKED static int write_plan(hs_cells *c, const char *plan)
{
    int rc = HS_OK;
    uint64_t len = strlen(plan);
    char *bytes = NULL;
    if (len > PLAN_MAX) {
        return hs_fail(HS_ERANGE, "%s: a plan of %llu bytes", c->path, (unsigned long long)len);
    }
    HS_TRY(hs_alloc(20 + len, 1, &bytes));
    memcpy(bytes, magic, 8);
    memcpy(bytes + 8, &len, 8);
    memcpy(bytes + 16, plan, len);
    uint32_t crc = hs_crc32c(0, bytes, 16 + len);
    memcpy(bytes + 16 + len, &crc, 4);
    c->end = 20 + len;
    if (ftruncate(c->fd, 0) != 0) {
        rc = hs_fail_errno(c->path, "beginning anew");
        goto out;
    }
    HS_TRY(hs_pwrite_all(c->fd, bytes, 20 + len, 0, c->path));
    HS_TRY(fdatasync(c->fd) == 0 ? HS_OK : hs_fail_errno(c->path, "syncing"));
    HS_TRY(hs_sync_folder(c->path));
out:
    free(bytes);
    return rc;
}

/* ---- Records ---- */

HS_CHECKED static int note(hs_cells *c, const record *r, uint64_t at)
{
    int rc = HS_OK;
    if (c->n == c->cap) {
        cell *grown;
        size_t cap = c->cap > 0 ? 2 * c->cap : 64;
        HS_TRY(hs_alloc(cap, sizeof *grown, &grown));
        if (c->n > 0) {
            memcpy(grown, c->cell, c->n * sizeof *grown);
        }
        free(c->cell);
        c->cell = grown;
        c->cap = cap;
    }
    c->cell[c->n++] = (cell){r->kind, r->data_crc, r->key, r->count, at};
out:
    return rc;
}

/* The cells that are whole; what follows them is cut off. */
HS_CHECKED static int read_records(hs_cells *c, uint64_t size)
{
    int rc = HS_OK;
    record r;
    double *row = NULL;
    while (size - c->end >= sizeof r) {
        HS_TRY(hs_pread_all(c->fd, &r, sizeof r, c->end, c->path));
        uint64_t room = (size - c->end - sizeof r) / sizeof *row;
        if (r.magic != record_magic || r.crc != hs_crc32c(0, &r, sizeof r - 4) || r.count > room) {
            break;
        }
        free(row);
        row = NULL;
        HS_TRY(hs_alloc(r.count, sizeof *row, &row));
        HS_TRY(hs_pread_all(c->fd, row, r.count * sizeof *row, c->end + sizeof r, c->path));
        if (r.data_crc != hs_crc32c(0, row, r.count * sizeof *row)) {
            break;
        }
        HS_TRY(note(c, &r, c->end + sizeof r));
        c->end += sizeof r + r.count * sizeof *row;
    }
    if (ftruncate(c->fd, (off_t)c->end) != 0) {
        rc = hs_fail_errno(c->path, "cutting it after its last whole cell");
    }
out:
    free(row);
    return rc;
}

/* ---- The cells ---- */

HS_CHECKED static int begin(hs_cells *c, const char *plan, int force)
{
    int rc = HS_OK;
    struct stat st;
    char *kept = NULL, there[160], here[160];
    if (fstat(c->fd, &st) != 0) {
        rc = hs_fail_errno(c->path, "opening");
        goto out;
    }
    rc = read_plan(c, (uint64_t)st.st_size, &kept, &c->end);
    if (rc == HS_ERANGE && force) {
        rc = HS_OK;
    }
    HS_TRY(rc);
    if (kept != NULL && strcmp(kept, plan) == 0) {
        HS_TRY(read_records(c, (uint64_t)st.st_size));
        goto out;
    }
    if (kept != NULL && !force) {
        first_difference(kept, plan, there, here);
        rc = hs_fail(HS_ERANGE, "%s: of an unfinished run with other options: %s there, %s here; -f begins anew",
                     c->path, there, here);
        goto out;
    }
    HS_TRY(write_plan(c, plan));
out:
    free(kept);
    return rc;
}

int hs_cells_open(const char *path, const char *plan, int force, hs_cells **out)
{
    int rc;
    hs_cells *c = NULL;
    HS_TRY(hs_calloc(1, sizeof *c, &c));
    c->fd = -1;
    HS_TRY(hs_strdup(path, &c->path));
    HS_TRY(hs_lock_take(path, path, &c->fd));
    HS_TRY(begin(c, plan, force));
    *out = c;
    c = NULL;
out:
    hs_cells_close(c, 0);
    return rc;
}

size_t hs_cells_count(const hs_cells *c)
{
    return c->n;
}

int hs_cells_get(hs_cells *c, uint32_t kind, uint64_t key, size_t count, double *row, int *found)
{
    int rc = HS_OK;
    *found = 0;
    for (size_t k = 1; k <= c->n; k++) {
        size_t i = (c->last + k) % c->n;
        const cell *e = &c->cell[i];
        if (e->kind != kind || e->key != key || e->count != count) {
            continue;
        }
        HS_TRY(hs_pread_all(c->fd, row, count * sizeof *row, e->at, c->path));
        if (hs_crc32c(0, row, count * sizeof *row) != e->crc) {
            rc = hs_fail(HS_ECHECKSUM, "%s: a cell has changed on the disk", c->path);
            goto out;
        }
        c->last = i;
        *found = 1;
        break;
    }
out:
    return rc;
}

int hs_cells_put(hs_cells *c, uint32_t kind, uint64_t key, size_t count, const double *row)
{
    int rc;
    size_t size;
    char *bytes = NULL;
    record r = {record_magic, kind, key, count, 0, 0};
    HS_TRY(hs_size_mul(count, sizeof *row, &size));
    HS_TRY(hs_size_add(size, sizeof r, &size));
    HS_TRY(hs_alloc(size, 1, &bytes));
    memcpy(bytes + sizeof r, row, size - sizeof r);
    r.data_crc = hs_crc32c(0, row, size - sizeof r);
    r.crc = hs_crc32c(0, &r, sizeof r - 4);
    memcpy(bytes, &r, sizeof r);
    HS_TRY(hs_pwrite_all(c->fd, bytes, size, c->end, c->path));
    if (hs_clock() - c->synced > SYNC_SECONDS) {
        HS_TRY(fdatasync(c->fd) == 0 ? HS_OK : hs_fail_errno(c->path, "syncing"));
        c->synced = hs_clock();
    }
    HS_TRY(note(c, &r, c->end + sizeof r));
    c->end += size;
out:
    free(bytes);
    return rc;
}

void hs_cells_close(hs_cells *c, int done)
{
    if (c == NULL) {
        return;
    }
    if (done) {
        hs_lock_drop(c->path, c->fd);
    } else if (c->fd >= 0) {
        close(c->fd);
    }
    free(c->cell);
    free(c->path);
    free(c);
}
