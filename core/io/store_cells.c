#include "core/io/store_cells.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/io/crc32c.h"
#include "core/io/h5file.h"

enum { CRC_BLOCK = 256 }; /* samples whose CRCs are read at once */

static uint64_t cell_at(const hs_store_part *q, size_t sample)
{
    return q->offset + (uint64_t)sample * q->cells * q->cell;
}

static uint64_t crc_at(const hs_store_part *q, size_t sample)
{
    return q->crc_offset + (uint64_t)sample * q->cells * 4;
}

int hs_store_cells_write(const hs_store_file *f, int fd, const char *path, int part, size_t first, size_t count,
                         const void *data, void *half, uint32_t *crc)
{
    int rc = HS_OK;
    const hs_store_part *q = &f->part[part];
    size_t row = q->cells * q->cell;
    uint32_t *cell_crc = NULL;
    HS_TRY(hs_alloc(count * q->cells, sizeof *cell_crc, &cell_crc));
    for (size_t i = 0; i < count; i++) {
        const char *bytes = (const char *)data + i * row;
        if (q->dtype == HS_F16) {
            hs_f32_to_f16((const float *)data + i * row / 2, row / 2, half);
            bytes = half;
        }
        for (size_t k = 0; k < q->cells; k++) {
            cell_crc[i * q->cells + k] = hs_crc32c(0, bytes + k * q->cell, q->cell);
        }
        HS_TRY(hs_pwrite_all(fd, bytes, row, cell_at(q, first + i), path));
    }
    size_t len = count * q->cells * sizeof *cell_crc;
    *crc = hs_crc32c(*crc, cell_crc, len);
    HS_TRY(hs_pwrite_all(fd, cell_crc, len, crc_at(q, first), path));
out:
    free(cell_crc);
    return rc;
}

/* One sample's cells k (or all), checked and handed on. */
static int one_sample(const hs_store_file *f, int fd, const char *path, const hs_store_part *q, size_t k, size_t sample,
                      const uint32_t *crc, char *bytes)
{
    size_t from = k == SIZE_MAX ? 0 : k, to = k == SIZE_MAX ? q->cells : k + 1;
    int rc = hs_pread_all(fd, bytes, (to - from) * q->cell, cell_at(q, sample) + from * q->cell, path);
    for (size_t j = from; rc == HS_OK && j < to; j++) {
        if (hs_crc32c(0, bytes + (j - from) * q->cell, q->cell) != crc[j]) {
            rc = hs_fail(HS_ECHECKSUM, "%s: %s of sample %zu at step %zu of %zu fails its checksum", path, q->name,
                         sample, j, f->S);
        }
    }
    return rc;
}

int hs_store_cells_each(const hs_store_file *f, int fd, const char *path, int part, size_t k, size_t first,
                        size_t count, int (*use)(void *ctx, size_t i, const void *bytes), void *ctx)
{
    int rc = HS_OK;
    const hs_store_part *q = &f->part[part];
    uint32_t *crc = NULL;
    char *bytes = NULL;
    HS_TRY(hs_alloc(CRC_BLOCK * q->cells, sizeof *crc, &crc));
    HS_TRY(hs_alloc(k == SIZE_MAX ? q->cells : 1, q->cell, &bytes));
    for (size_t i = 0; i < count; i++) {
        if (i % CRC_BLOCK == 0) {
            size_t block = count - i < CRC_BLOCK ? count - i : CRC_BLOCK;
            HS_TRY(hs_pread_all(fd, crc, block * q->cells * 4, crc_at(q, first + i), path));
        }
        HS_TRY(one_sample(f, fd, path, q, k, first + i, crc + i % CRC_BLOCK * q->cells, bytes));
        HS_TRY(use(ctx, i, bytes));
    }
out:
    free(crc);
    free(bytes);
    return rc;
}

static int ignore(void *ctx, size_t i, const void *bytes)
{
    (void)ctx;
    (void)i;
    (void)bytes;
    return HS_OK;
}

int hs_store_cells_verify(const hs_store_file *f, int fd, const char *path, size_t first, size_t count, uint32_t crc)
{
    uint32_t sum = 0;
    for (int p = 0; p < HS_PARTS; p++) {
        const hs_store_part *q = &f->part[p];
        if (!q->present) {
            continue;
        }
        uint32_t *list = NULL;
        size_t len = count * q->cells * sizeof *list;
        int rc = hs_store_cells_each(f, fd, path, p, SIZE_MAX, first, count, ignore, NULL);
        rc = rc == HS_OK ? hs_alloc(count * q->cells, sizeof *list, &list) : rc;
        rc = rc == HS_OK ? hs_pread_all(fd, list, len, crc_at(q, first), path) : rc;
        sum = rc == HS_OK ? hs_crc32c(sum, list, len) : 0;
        free(list);
        if (rc != HS_OK) {
            return rc;
        }
    }
    return sum == crc ? HS_OK
                      : hs_fail(HS_ECHECKSUM, "%s: samples %zu to %zu aren't those the journal recorded", path, first,
                                first + count - 1);
}
