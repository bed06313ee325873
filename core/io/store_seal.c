#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/io/h5file.h"
#include "core/io/store_file.h"

enum { PIECE = 1 << 16 };

typedef struct {
    uint64_t from, to;
} range;

static int by_start(const void *a, const void *b)
{
    const range *x = a, *y = b;
    return x->from < y->from ? -1 : x->from > y->from;
}

/* meta <- the ranges of the file that hold no cells and no CRCs; returns how many. */
static size_t metadata(const hs_store_file *f, range meta[2 * HS_PARTS + 1])
{
    range r[2 * HS_PARTS];
    size_t n = 0, m = 0;
    for (int p = 0; p < HS_PARTS; p++) {
        const hs_store_part *q = &f->part[p];
        if (q->present) {
            uint64_t cells = (uint64_t)f->n * q->cells;
            r[n++] = (range){q->offset, q->offset + cells * q->cell};
            r[n++] = (range){q->crc_offset, q->crc_offset + cells * 4};
        }
    }
    qsort(r, n, sizeof *r, by_start);
    uint64_t at = 0;
    for (size_t i = 0; i < n; i++) {
        if (r[i].from > at) {
            meta[m++] = (range){at, r[i].from};
        }
        at = r[i].to > at ? r[i].to : at;
    }
    if (f->file_size > at) {
        meta[m++] = (range){at, f->file_size};
    }
    return m;
}

typedef struct {
    int fd, twin;
    const char *path;
    unsigned char a[PIECE], b[PIECE];
    uint64_t first, last; /* of the bytes that differ; first > last: none */
} copy;

static int copy_piece(copy *c, uint64_t at, size_t len)
{
    int rc = hs_pread_all(c->fd, c->a, len, at, c->path);
    return rc == HS_OK ? hs_pwrite_all(c->twin, c->a, len, at, c->path) : rc;
}

static int compare_piece(copy *c, uint64_t at, size_t len)
{
    int rc = hs_pread_all(c->fd, c->a, len, at, c->path);
    rc = rc == HS_OK ? hs_pread_all(c->twin, c->b, len, at, c->path) : rc;
    for (size_t i = 0; rc == HS_OK && i < len; i++) {
        if (c->a[i] != c->b[i]) {
            c->first = at + i < c->first ? at + i : c->first;
            c->last = at + i;
        }
    }
    return rc;
}

static int each_piece(copy *c, const range *meta, size_t n, int (*f)(copy *, uint64_t, size_t))
{
    for (size_t i = 0; i < n; i++) {
        for (uint64_t at = meta[i].from; at < meta[i].to; at += PIECE) {
            uint64_t left = meta[i].to - at;
            int rc = f(c, at, left < PIECE ? (size_t)left : PIECE);
            if (rc != HS_OK) {
                return rc;
            }
        }
    }
    return HS_OK;
}

/* Overwrites the two attributes in place, by HDF5 itself. */
static int set_sealed(const char *twin, const char *finished)
{
    char slot[64] = {0};
    const int64_t one = 1;
    hs_h5_begin();
    hid_t fapl = hs_h5_access();
    hid_t file = H5Fopen(twin, H5F_ACC_RDWR, fapl);
    hid_t a = H5Aopen(file, "finished", H5P_DEFAULT), b = H5Aopen(file, "sealed", H5P_DEFAULT);
    hid_t type = H5Aget_type(a);
    snprintf(slot, sizeof slot, "%s", finished);
    int bad = type < 0 || H5Tget_size(type) > sizeof slot || H5Awrite(a, type, slot) < 0 ||
              H5Awrite(b, H5T_STD_I64LE, &one) < 0;
    H5Tclose(type);
    H5Aclose(a);
    H5Aclose(b);
    bad |= H5Fclose(file) < 0;
    H5Pclose(fapl);
    return bad ? hs_fail(HS_EIO, "%s: the seal can't be prepared", twin) : HS_OK;
}

static int make_patch(copy *c, const range *meta, size_t n, uint64_t *offset, size_t *len, unsigned char patch[512])
{
    int rc = each_piece(c, meta, n, compare_piece);
    if (rc != HS_OK) {
        return rc;
    }
    if (c->first > c->last || c->first / 512 != c->last / 512) {
        return hs_fail(HS_EBUG, "%s: sealing would change bytes %llu to %llu, not within one sector", c->path,
                       (unsigned long long)c->first, (unsigned long long)c->last);
    }
    *offset = c->first;
    *len = (size_t)(c->last - c->first + 1);
    return hs_pread_all(c->twin, patch, *len, c->first, c->path);
}

int hs_store_file_seal_patch(const char *path, const hs_store_file *f, const char *finished, uint64_t *offset,
                             size_t *len, unsigned char patch[512])
{
    int rc = HS_OK;
    range meta[2 * HS_PARTS + 1];
    size_t n = metadata(f, meta), size = strlen(path) + sizeof ".seal";
    copy *c = NULL;
    char *twin = NULL;
    HS_TRY(hs_calloc(1, sizeof *c, &c));
    *c = (copy){.fd = -1, .twin = -1, .path = path, .first = UINT64_MAX};
    HS_TRY(hs_alloc(size, 1, &twin));
    snprintf(twin, size, "%s.seal", path);
    c->fd = open(path, O_RDONLY | O_CLOEXEC);
    c->twin = open(twin, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (c->fd < 0 || c->twin < 0 || ftruncate(c->twin, (off_t)f->file_size) != 0) {
        rc = hs_fail_errno(twin, "copying the description of the store");
        goto out;
    }
    HS_TRY(each_piece(c, meta, n, copy_piece));
    HS_TRY(set_sealed(twin, finished));
    HS_TRY(make_patch(c, meta, n, offset, len, patch));
out:
    if (c != NULL && c->fd >= 0) {
        close(c->fd);
    }
    if (c != NULL && c->twin >= 0) {
        close(c->twin);
        unlink(twin);
    }
    free(c);
    free(twin);
    return rc;
}
