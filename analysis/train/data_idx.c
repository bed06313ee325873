/* idx files, as MNIST comes: 00 00 08 03, then n, rows and columns as big-endian 32 bits, then the bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "analysis/train/data_sources.h"
#include "core/base/alloc.h"
#include "core/io/file.h"

enum { FILE_MAX = 1 << 30, HEADER = 16 };

static size_t big_endian(const unsigned char *p)
{
    return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | (size_t)p[3];
}

/* Inflates exactly the bytes that the idx header inside promises. */
typedef struct {
    z_stream z;
    const char *path;
} gzip;

HS_CHECKED static int inflate_some(gzip *g, unsigned char *out, size_t len)
{
    g->z.next_out = out;
    g->z.avail_out = (uInt)len;
    while (g->z.avail_out > 0) {
        int code = inflate(&g->z, Z_NO_FLUSH);
        if (code != Z_OK && !(code == Z_STREAM_END && g->z.avail_out == 0)) {
            return hs_fail(HS_EFORMAT, "%s: the gzip stream is damaged or ends %u bytes early", g->path,
                           g->z.avail_out);
        }
    }
    return HS_OK;
}

HS_CHECKED static int check_header(const char *path, const unsigned char *h, size_t *n, size_t *side_h, size_t *side_w)
{
    static const unsigned char magic[4] = {0, 0, 8, 3};
    if (memcmp(h, magic, sizeof magic) != 0) {
        return hs_fail(HS_EFORMAT, "%s: no idx file of images: starts with %02x %02x %02x %02x; wanted 00 00 08 03",
                       path, h[0], h[1], h[2], h[3]);
    }
    *n = big_endian(h + 4);
    *side_h = big_endian(h + 8);
    *side_w = big_endian(h + 12);
    if (*n == 0 || *side_h == 0 || *side_w == 0 || *side_h > 4096 || *side_w > 4096) {
        return hs_fail(HS_EFORMAT, "%s: %zu images of %zu x %zu; wanted at least one, of 1 to 4096 pixels a side", path,
                       *n, *side_h, *side_w);
    }
    size_t bytes;
    return hs_size_product(3, (uint64_t[]){*n, *side_h, *side_w}, &bytes) != HS_OK || bytes > FILE_MAX
               ? hs_fail(HS_ELIMIT, "%s: more than %d bytes of pixels", path, FILE_MAX)
               : HS_OK;
}

/* *bytes (free()) <- header and pixels, of a plain or a gzipped file. */
HS_CHECKED static int unpack(const char *path, unsigned char **bytes, size_t *len)
{
    unsigned char *raw = NULL, head[HEADER], *all = NULL;
    size_t raw_len = 0, n, h, w;
    gzip g = {.path = path};
    int rc = HS_OK;
    HS_TRY(hs_file_read(path, FILE_MAX, &raw, &raw_len));
    if (raw_len < 18 || raw[0] != 0x1f || raw[1] != 0x8b) {
        *bytes = raw;
        *len = raw_len;
        return HS_OK;
    }
    if (inflateInit2(&g.z, 16 + MAX_WBITS) != Z_OK) {
        rc = hs_fail(HS_ENOMEM, "%s: no memory for inflating", path);
        goto out;
    }
    g.z.next_in = raw;
    g.z.avail_in = (uInt)raw_len;
    rc = inflate_some(&g, head, HEADER);
    rc = rc == HS_OK ? check_header(path, head, &n, &h, &w) : rc;
    rc = rc == HS_OK ? hs_alloc(HEADER + n * h * w, 1, &all) : rc;
    if (rc == HS_OK) {
        memcpy(all, head, HEADER);
        rc = inflate_some(&g, all + HEADER, n * h * w);
        *len = HEADER + n * h * w;
    }
    inflateEnd(&g.z);
    if (rc == HS_OK) {
        *bytes = all;
        all = NULL;
    }
out:
    free(raw);
    free(all);
    return rc;
}

int hs_data_idx(const char *path, const hs_data_options *o, hs_data *d)
{
    unsigned char *bytes = NULL;
    size_t len = 0, n = 0, h = 0, w = 0;
    int rc = HS_OK;
    if (o->factors) {
        return hs_fail(HS_ERANGE, "%s: an idx file of images has no attributes; wanted a folder or faces", path);
    }
    HS_TRY(unpack(path, &bytes, &len));
    if (len < HEADER) {
        rc = hs_fail(HS_EFORMAT, "%s: %zu bytes; wanted an idx file of images", path, len);
        goto out;
    }
    HS_TRY(check_header(path, bytes, &n, &h, &w));
    if (len != HEADER + n * h * w) {
        rc = hs_fail(HS_EFORMAT, "%s: %zu bytes; wanted %zu for %zu images of %zu x %zu", path, len, HEADER + n * h * w,
                     n, h, w);
        goto out;
    }
    HS_TRY(hs_fail_in(hs_data_room(d, o, n, 0), path));
    for (size_t i = 0; i < n; i++) {
        const hs_image im = {w, h, 1, bytes + HEADER + i * h * w};
        HS_TRY(hs_data_put(d, o, i, &im, path));
        HS_TRY(hs_progress_tell(o->progress, "reading images", i + 1, n));
    }
    snprintf(d->text, sizeof d->text, "%zu images of an idx file, %zu x %zu, as %zu x %zu x %zu", n, h, w, o->image.c,
             o->image.h, o->image.w);
out:
    free(bytes);
    return rc;
}
