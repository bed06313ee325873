#include "core/io/store_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/io/crc32c.h"
#include "core/io/h5file.h"

typedef struct {
    char magic[8];
    uint32_t version, writer;
    uint64_t epoch, units;
    char store_id[64];
    uint32_t clean, reserved[6], crc;
} header;

_Static_assert(sizeof(header) == 128 && sizeof(hs_journal_record) == 64, "the journal's layout is fixed");

enum { RECORDS_AT = 512 };
static const char magic[8] = {'H', 'S', 'J', 'O', 'U', 'R', 'N', '1'};
static const uint32_t record_magic = 0x524a5348; /* HSJR */

static int header_ok(const header *h)
{
    return memcmp(h->magic, magic, 8) == 0 && h->version == 1 && h->crc == hs_crc32c(0, h, sizeof *h - 4);
}

static int write_header(hs_journal *j, int clean)
{
    header h = {.version = 1, .epoch = j->epoch, .units = j->units, .clean = (uint32_t)clean};
    memcpy(h.magic, magic, 8);
    memcpy(h.store_id, j->store_id, 64);
    h.crc = hs_crc32c(0, &h, sizeof h - 4);
    int rc = hs_pwrite_all(j->fd, &h, sizeof h, 0, j->path);
    if (rc == HS_OK && fdatasync(j->fd) != 0) {
        rc = hs_fail_errno(j->path, "syncing the journal");
    }
    return rc;
}

static int read_records(hs_journal *j, uint64_t size, unsigned char *done, uint32_t *crc)
{
    hs_journal_record r;
    for (j->end = RECORDS_AT; j->end + sizeof r <= size; j->end += sizeof r) {
        int rc = hs_pread_all(j->fd, &r, sizeof r, j->end, j->path);
        if (rc != HS_OK) {
            return rc;
        }
        if (r.magic != record_magic || r.crc != hs_crc32c(0, &r, sizeof r - 4) || r.unit >= j->units ||
            r.epoch > j->epoch) {
            break;
        }
        done[r.unit] = r.count != 0;
        crc[r.unit] = r.data_crc;
    }
    return HS_OK;
}

int hs_journal_open(const char *path, const char *store_id, uint64_t units, int writable, hs_journal *j,
                    unsigned char *done, uint32_t *crc)
{
    int rc = HS_OK;
    header h;
    struct stat st;
    *j = (hs_journal){.fd = -1, .units = units, .end = RECORDS_AT, .clean = 1};
    memcpy(j->store_id, store_id, HS_SHA256_HEX);
    HS_TRY(hs_strdup(path, &j->path));
    j->fd = open(path, writable ? O_RDWR | O_CREAT | O_CLOEXEC : O_RDONLY | O_CLOEXEC, 0666);
    if (j->fd < 0 && !writable && errno == ENOENT) {
        return HS_OK;
    }
    if (j->fd < 0 || fstat(j->fd, &st) != 0) {
        rc = hs_fail_errno(path, "opening the journal");
        goto out;
    }
    if (st.st_size >= (off_t)sizeof h && hs_pread_all(j->fd, &h, sizeof h, 0, path) == HS_OK && header_ok(&h) &&
        memcmp(h.store_id, store_id, 64) == 0 && h.units == units) {
        j->epoch = h.epoch;
        j->clean = h.clean == 1;
        HS_TRY(read_records(j, (uint64_t)st.st_size, done, crc));
    }
    if (!writable) {
        return HS_OK;
    }
    if (ftruncate(j->fd, (off_t)j->end) != 0) {
        rc = hs_fail_errno(path, "cutting the journal after its last good record");
        goto out;
    }
    /* Room for every record, as for the cells; a file system that can't promise it is no reason to stop. */
    if (fallocate(j->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)(RECORDS_AT + 64 * units)) != 0 && errno != EOPNOTSUPP) {
        rc = hs_fail_errno(path, "reserving room for the journal");
        goto out;
    }
    j->epoch += 1;
    HS_TRY(write_header(j, 0));
    HS_TRY(hs_sync_folder(path));
out:
    if (rc != HS_OK) {
        hs_journal_close(j);
    }
    return rc;
}

int hs_journal_append(hs_journal *j, hs_journal_record *r, size_t n)
{
    header h;
    int rc = hs_pread_all(j->fd, &h, sizeof h, 0, j->path);
    if (rc != HS_OK) {
        return rc;
    }
    if (!header_ok(&h) || h.epoch != j->epoch) {
        return hs_fail(HS_ELOCKED, "%s: another run has taken over this store", j->path);
    }
    for (size_t i = 0; i < n; i++) {
        r[i].magic = record_magic;
        r[i].epoch = j->epoch;
        r[i].crc = hs_crc32c(0, &r[i], sizeof r[i] - 4);
    }
    rc = hs_pwrite_all(j->fd, r, n * sizeof *r, j->end, j->path);
    if (rc == HS_OK && fdatasync(j->fd) != 0) {
        rc = hs_fail_errno(j->path, "syncing the journal");
    }
    j->end += rc == HS_OK ? n * sizeof *r : 0;
    return rc;
}

int hs_journal_finish(hs_journal *j)
{
    return write_header(j, 1);
}

void hs_journal_close(hs_journal *j)
{
    if (j->fd >= 0) {
        close(j->fd);
    }
    j->fd = -1;
    free(j->path);
    j->path = NULL;
}
