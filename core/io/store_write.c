#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/io/h5file.h"
#include "core/io/lock.h"
#include "core/io/store_cells.h"
#include "core/io/store_journal.h"

enum { COMMIT_SECONDS = 5, COMMIT_BYTES = 64 << 20 };

enum { UNIT_ABSENT, UNIT_COMMITTED, UNIT_WRITTEN };

struct hs_store_writer {
    char *path, *lock_path, *journal_path;
    int lock, fd, failed;
    hs_store_file file;
    hs_journal journal;
    size_t units, committed;
    unsigned char *state; /* (units) */
    uint32_t *crc;        /* (units) */
    hs_journal_record *pending;
    size_t n_pending, pending_bytes;
    double last_commit;
    void *half; /* one sample of h as float16 */
};

static int suffixed(const char *path, const char *suffix, char **out)
{
    size_t size = strlen(path) + strlen(suffix) + 1;
    int rc = hs_alloc(size, 1, out);
    if (rc == HS_OK) {
        snprintf(*out, size, "%s%s", path, suffix);
    }
    return rc;
}

static int create(hs_store_writer *w, const hs_store_spec *spec, const char *params)
{
    int rc = HS_OK;
    char *temp = NULL;
    HS_TRY(suffixed(w->path, ".tmp", &temp));
    /* A journal left behind by a store that is gone must not vouch for this one. */
    if (unlink(w->journal_path) == 0) {
        HS_TRY(hs_sync_folder(w->path));
    }
    rc = hs_store_file_create(temp, spec, params);
    rc = rc == HS_OK ? hs_publish(temp, w->path) : rc;
    if (rc != HS_OK) {
        unlink(temp);
    }
out:
    free(temp);
    return rc;
}

/* What lies at PATH: *usable = 1 when it is this store. */
static int look(hs_store_writer *w, const char *params, int force, int *usable)
{
    struct stat st;
    *usable = 0;
    if (lstat(w->path, &st) != 0) {
        return errno == ENOENT ? HS_OK : hs_fail_errno(w->path, "looking");
    }
    int rc = hs_store_file_load(w->path, &w->file);
    if (rc == HS_OK && w->file.shards > 0) {
        rc = hs_fail(HS_ERANGE, "%s: is the index of %zu shards; -f puts one file in its place", w->path,
                     w->file.shards);
    } else if (rc == HS_OK) {
        rc = hs_fail_in(hs_store_params_compare(w->file.params, params), w->path);
    } else if (rc == HS_EFORMAT) {
        rc = hs_fail(HS_ERANGE, "exists and is no store that could be continued (%.200s); use -f", hs_error_message());
        rc = hs_fail_in(rc, w->path);
    }
    *usable = rc == HS_OK;
    if (rc != HS_OK && force && (rc == HS_ERANGE || rc == HS_ECHECKSUM)) {
        hs_store_file_clear(&w->file);
        return HS_OK;
    }
    return rc;
}

static int allocate(hs_store_writer *w)
{
    int rc = HS_OK;
    const hs_store_file *f = &w->file;
    w->units = (f->n - 1) / f->unit + 1;
    HS_TRY(hs_calloc(w->units, 1, &w->state));
    HS_TRY(hs_calloc(w->units, sizeof *w->crc, &w->crc));
    HS_TRY(hs_calloc(w->units, sizeof *w->pending, &w->pending));
    HS_TRY(hs_alloc(f->S, f->part[HS_PART_H].cell, &w->half));
out:
    return rc;
}

/* After an unclean end, units that fail their CRC are done again. */
static int recheck(hs_store_writer *w)
{
    for (size_t u = 0; u < w->units; u++) {
        size_t count = 0, first = hs_store_unit_first(w, u, &count);
        if (w->state[u] != UNIT_COMMITTED) {
            continue;
        }
        int rc = hs_store_cells_verify(&w->file, w->fd, w->path, first, count, w->crc[u]);
        if (rc == HS_ECHECKSUM) {
            hs_log(HS_LOG_WARNING, "%s; it will be made again", hs_error_message());
            w->state[u] = UNIT_ABSENT;
            rc = hs_journal_append(&w->journal, &(hs_journal_record){.unit = u}, 1);
        }
        if (rc != HS_OK) {
            return rc;
        }
    }
    return HS_OK;
}

static int go_on(hs_store_writer *w)
{
    int rc = HS_OK;
    HS_TRY(allocate(w));
    w->fd = open(w->path, O_RDWR | O_CLOEXEC);
    if (w->fd < 0) {
        rc = hs_fail_errno(w->path, "opening");
        goto out;
    }
    HS_TRY(hs_journal_open(w->journal_path, w->file.store_id, w->units, 1, &w->journal, w->state, w->crc));
    if (!w->journal.clean) {
        HS_TRY(recheck(w));
    }
    for (size_t u = 0; u < w->units; u++) {
        w->committed += w->state[u] == UNIT_COMMITTED;
    }
    w->last_commit = hs_clock();
out:
    return rc;
}

/* Removes what only an unfinished store needs. */
static int clean_up(hs_store_writer *w)
{
    if (unlink(w->journal_path) != 0 && errno != ENOENT) {
        return hs_fail_errno(w->journal_path, "removing");
    }
    return hs_sync_folder(w->path);
}

int hs_store_begin(const char *path, const hs_store_spec *spec, int force, int *sealed, hs_store_writer **out)
{
    int rc = HS_OK, usable = 0;
    char *params = NULL;
    hs_store_writer *w = NULL;
    HS_TRY(hs_store_params(spec, &params));
    HS_TRY(hs_calloc(1, sizeof *w, &w));
    w->lock = w->fd = w->journal.fd = -1;
    w->failed = 1;
    HS_TRY(hs_strdup(path, &w->path));
    HS_TRY(suffixed(path, ".lock", &w->lock_path));
    HS_TRY(suffixed(path, ".journal", &w->journal_path));
    hs_h5_begin();
    HS_TRY(hs_lock_take(w->lock_path, path, &w->lock));
    HS_TRY(look(w, params, force, &usable));
    if (!usable) {
        HS_TRY(create(w, spec, params));
        HS_TRY(hs_store_file_load(path, &w->file));
    }
    if (w->file.sealed) {
        HS_TRY(clean_up(w));
        *sealed = 1;
        *out = NULL;
        goto out;
    }
    HS_TRY(go_on(w));
    w->failed = 0;
    *sealed = 0;
    *out = w;
    w = NULL;
out:
    hs_store_writer_free(w);
    free(params);
    return rc;
}

size_t hs_store_units(const hs_store_writer *w)
{
    return w->units;
}

size_t hs_store_committed(const hs_store_writer *w)
{
    return w->committed;
}

size_t hs_store_unit_first(const hs_store_writer *w, size_t unit, size_t *count)
{
    size_t first = unit * w->file.unit, left = w->file.n - first;
    *count = left < w->file.unit ? left : w->file.unit;
    return first;
}

int hs_store_has(const hs_store_writer *w, size_t unit)
{
    return unit < w->units && w->state[unit] != UNIT_ABSENT;
}

int hs_store_commit(hs_store_writer *w)
{
    int rc = HS_OK;
    if (w->failed) {
        return hs_fail(HS_EIO, "%s: an earlier write failed; start the same command again", w->path);
    }
    if (w->n_pending == 0) {
        return HS_OK;
    }
    /* The kernel drops what it could not write: asking again would only seem to succeed. */
    w->failed = 1;
    if (fdatasync(w->fd) != 0) {
        rc = hs_fail_errno(w->path, "syncing");
        goto out;
    }
    HS_TRY(hs_journal_append(&w->journal, w->pending, w->n_pending));
    for (size_t i = 0; i < w->n_pending; i++) {
        w->state[w->pending[i].unit] = UNIT_COMMITTED;
    }
    w->committed += w->n_pending;
    w->n_pending = w->pending_bytes = 0;
    w->last_commit = hs_clock();
    w->failed = 0;
out:
    return rc;
}

static int write_parts(hs_store_writer *w, size_t first, size_t count, const void *const data[HS_PARTS], uint32_t *crc)
{
    for (int p = 0; p < HS_PARTS; p++) {
        if (w->file.part[p].present) {
            int rc = hs_store_cells_write(&w->file, w->fd, w->path, p, first, count, data[p], w->half, crc);
            if (rc != HS_OK) {
                return rc;
            }
        }
    }
    return HS_OK;
}

int hs_store_put(hs_store_writer *w, size_t unit, const float *h, const float *x_T, const uint8_t *x_0,
                 const float *eps)
{
    int rc = HS_OK;
    const void *const data[HS_PARTS] = {h, x_T, x_0, eps};
    if (unit >= w->units || w->state[unit] != UNIT_ABSENT) {
        return hs_fail(HS_ERANGE, "%s: unit %zu of %zu is already written or doesn't exist", w->path, unit, w->units);
    }
    size_t count = 0, bytes = 0, first = hs_store_unit_first(w, unit, &count);
    for (int p = 0; p < HS_PARTS; p++) {
        const hs_store_part *q = &w->file.part[p];
        if (q->present && data[p] == NULL) {
            return hs_fail(HS_ERANGE, "%s: %s is kept, but not given", w->path, q->name);
        }
        bytes += q->present ? count * q->cells * q->cell : 0;
    }
    if (w->failed) {
        return hs_store_commit(w);
    }
    w->failed = 1;
    hs_journal_record *r = &w->pending[w->n_pending];
    *r = (hs_journal_record){.unit = unit, .first = first, .count = count};
    HS_TRY(write_parts(w, first, count, data, &r->data_crc));
    w->failed = 0;
    /* The disk works while the next unit is made; a failure shows at the commit. */
    (void)sync_file_range(w->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    w->crc[unit] = r->data_crc;
    w->state[unit] = UNIT_WRITTEN;
    w->n_pending += 1;
    w->pending_bytes += bytes;
    if (w->pending_bytes >= COMMIT_BYTES || hs_clock() - w->last_commit >= COMMIT_SECONDS) {
        HS_TRY(hs_store_commit(w));
    }
out:
    return rc;
}

static int verify_all(hs_store_writer *w)
{
    for (size_t u = 0; u < w->units; u++) {
        size_t count = 0, first = hs_store_unit_first(w, u, &count);
        if (w->state[u] != UNIT_COMMITTED) {
            return hs_fail(HS_ERANGE, "%s: unit %zu of %zu isn't written yet", w->path, u, w->units);
        }
        int rc = hs_store_cells_verify(&w->file, w->fd, w->path, first, count, w->crc[u]);
        if (rc != HS_OK) {
            w->failed = 1; /* so that the next run checks every unit, and makes this one again */
            return rc;
        }
    }
    return HS_OK;
}

int hs_store_seal(hs_store_writer *w)
{
    int rc = HS_OK;
    char finished[32];
    unsigned char patch[512];
    uint64_t offset = 0;
    size_t len = 0;
    time_t now = time(NULL);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(finished, sizeof finished, "%Y-%m-%dT%H:%M:%SZ", &tm);
    HS_TRY(hs_store_commit(w));
    HS_TRY(verify_all(w));
    HS_TRY(hs_store_file_seal_patch(w->path, &w->file, finished, &offset, &len, patch));
    w->failed = 1;
    if (fsync(w->fd) != 0) {
        rc = hs_fail_errno(w->path, "syncing");
        goto out;
    }
    HS_TRY(hs_pwrite_all(w->fd, patch, len, offset, w->path));
    if (fsync(w->fd) != 0) {
        rc = hs_fail_errno(w->path, "syncing");
        goto out;
    }
    HS_TRY(clean_up(w));
out:
    return rc;
}

void hs_store_writer_free(hs_store_writer *w)
{
    if (w == NULL) {
        return;
    }
    if (!w->failed && (hs_store_commit(w) != HS_OK || hs_journal_finish(&w->journal) != HS_OK)) {
        hs_log(HS_LOG_WARNING, "%s", hs_error_message());
    }
    hs_journal_close(&w->journal);
    if (w->fd >= 0) {
        close(w->fd);
    }
    hs_lock_drop(w->lock_path, w->lock);
    hs_store_file_clear(&w->file);
    free(w->path);
    free(w->lock_path);
    free(w->journal_path);
    free(w->state);
    free(w->crc);
    free(w->pending);
    free(w->half);
    free(w);
}
