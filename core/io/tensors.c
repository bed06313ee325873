#include "core/io/tensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/io/file.h"
#include "core/io/npy.h"
#include "core/io/ptzip.h"
#include "core/io/safetensors.h"
#include "core/io/tensors_build.h"
#include "core/io/zipdir.h"

typedef enum { UNKNOWN, SAFETENSORS, INDEX, ZIP, NPY, PICKLE, TAR, HDF5 } format;

static int starts(const unsigned char *b, size_t len, const char *magic, size_t n)
{
    return len >= n && memcmp(b, magic, n) == 0;
}

/* What a file is, by its first bytes; a safetensors header starts with a small number, then JSON. */
static format format_of(const unsigned char *b, size_t len)
{
    size_t at = 8;
    if (starts(b, len, "PK", 2)) {
        return ZIP;
    }
    if (starts(b, len, "\x93NUMPY", 6)) {
        return NPY;
    }
    if (starts(b, len, "\x89HDF", 4)) {
        return HDF5;
    }
    if (len > 262 && memcmp(b + 257, "ustar", 5) == 0) {
        return TAR;
    }
    while (at < len && strchr(" \t\r\n", b[at]) != NULL && b[at] != 0) {
        at++;
    }
    if (at < len && b[at] == '{') {
        return SAFETENSORS;
    }
    if (len > 1 && b[0] == 0x80 && b[1] <= 5) {
        return PICKLE;
    }
    return starts(b, len, "{", 1) ? INDEX : UNKNOWN;
}

static int peek(const char *path, format *out)
{
    unsigned char first[512];
    hs_file f;
    int rc = hs_file_open(path, &f);
    if (rc != HS_OK) {
        return rc;
    }
    size_t len = f.size < sizeof first ? (size_t)f.size : sizeof first;
    rc = hs_file_read_at(&f, path, 0, first, len);
    hs_file_close(&f);
    if (rc == HS_OK) {
        *out = format_of(first, len);
    }
    return rc;
}

static int read_zip(const unsigned char *bytes, size_t len, hs_tensors **out)
{
    hs_zip *z = NULL;
    int rc = hs_zip_parse(bytes, len, &z);
    if (rc == HS_OK) {
        rc = hs_ptzip_is(z) ? hs_ptzip_read(z, len, out) : hs_npz_read(z, out);
    }
    hs_zip_free(z);
    return rc;
}

static int parse_whole(const unsigned char *bytes, size_t len, format what, hs_tensors **out)
{
    return what == ZIP ? read_zip(bytes, len, out) : hs_npy_parse(bytes, len, "array", out);
}

/* Formats whose tensors point into the file's bytes. */
static int read_whole(const char *path, format what, hs_tensors **out)
{
    unsigned char *bytes = NULL;
    size_t len;
    hs_tensors *ts = NULL;
    int rc = HS_OK;
    HS_TRY(hs_file_read(path, SIZE_MAX, &bytes, &len));
    rc = hs_fail_in(parse_whole(bytes, len, what, &ts), path);
    HS_TRY(rc);
    rc = hs_tensors_adopt(ts, bytes);
    bytes = NULL;
    HS_TRY(rc);
    *out = ts;
    ts = NULL;
out:
    hs_tensors_free(ts);
    free(bytes);
    return rc;
}

static int map_whole(const char *path, format what, hs_tensors **out)
{
    hs_file f;
    hs_mapping m = {0};
    hs_tensors *ts = NULL;
    int rc = hs_file_open(path, &f);
    if (rc != HS_OK) {
        return rc;
    }
    if (f.size < HS_MAP_MIN) {
        hs_file_close(&f);
        return read_whole(path, what, out);
    }
    HS_TRY(hs_mapping_open(&f, path, &m));
    rc = hs_fail_in(parse_whole(m.bytes, m.len, what, &ts), path);
    HS_TRY(rc);
    rc = hs_tensors_adopt_mapping(ts, m);
    m = (hs_mapping){0};
    HS_TRY(rc);
    *out = ts;
    ts = NULL;
out:
    hs_tensors_free(ts);
    hs_mapping_close(&m);
    hs_file_close(&f);
    return rc;
}

static int open_any(const char *path, int mapped, hs_tensors **out)
{
    format what;
    int rc = peek(path, &what);
    if (rc != HS_OK) {
        return rc;
    }
    switch (what) {
    case SAFETENSORS: return mapped ? hs_safetensors_map(path, out) : hs_safetensors_open(path, out);
    case INDEX: return hs_safetensors_open_index(path, mapped, out);
    case ZIP:
    case NPY: return mapped ? map_whole(path, what, out) : read_whole(path, what, out);
    case PICKLE:
    case TAR:
        return hs_fail(HS_EFORMAT,
                       "%s: saved by PyTorch before 1.6; save it again with a newer one: "
                       "import torch; torch.save(torch.load(\"old.pth\", map_location=\"cpu\"), \"new.pth\")",
                       path);
    case HDF5:
        return hs_fail(HS_EFORMAT, "%s: an HDF5 file; weights are read from safetensors, PyTorch or numpy files", path);
    default: return hs_fail(HS_EFORMAT, "%s: neither safetensors, nor a PyTorch file, nor .npy or .npz", path);
    }
}

int hs_tensors_open(const char *path, hs_tensors **out)
{
    return open_any(path, 0, out);
}

int hs_tensors_map(const char *path, hs_tensors **out)
{
    return open_any(path, 1, out);
}

/* ---- What a network wants of them ---- */

enum { SHOWN = 160 };

void hs_tensor_shape_text(size_t rank, const uint64_t *dim, char out[HS_SHAPE_TEXT])
{
    size_t at = (size_t)snprintf(out, HS_SHAPE_TEXT, "(");
    for (size_t i = 0; i < rank && at + 24 < HS_SHAPE_TEXT; i++) {
        at += (size_t)snprintf(out + at, HS_SHAPE_TEXT - at, i > 0 ? ", %llu" : "%llu", (unsigned long long)dim[i]);
    }
    snprintf(out + at, HS_SHAPE_TEXT - at, ")");
}

int hs_tensor_has_shape(const hs_tensor *t, size_t rank, const size_t *dim)
{
    int same = t->rank == rank;
    for (size_t i = 0; i < rank && same; i++) {
        same = t->dim[i] == dim[i];
    }
    return same;
}

int hs_tensor_check(const hs_tensor *t, const char *name, size_t rank, const size_t *dim, int fits)
{
    char have[HS_SHAPE_TEXT], want[HS_SHAPE_TEXT], shown[SHOWN];
    uint64_t wanted[HS_RANK_MAX] = {0};
    for (size_t i = 0; i < rank; i++) {
        wanted[i] = dim[i];
    }
    hs_tensor_shape_text(rank, wanted, want);
    hs_text_escape(name, shown, sizeof shown);
    if (t == NULL) {
        return hs_fail(HS_EFORMAT, "tensor \"%s\" %s is missing", shown, want);
    }
    if (!fits) {
        hs_tensor_shape_text(t->rank, t->dim, have);
        return hs_fail(HS_EFORMAT, "tensor \"%s\" is %s, the configuration wants %s", shown, have, want);
    }
    if (t->dtype != HS_F32 && t->dtype != HS_F16 && t->dtype != HS_BF16 && t->dtype != HS_F64) {
        return hs_fail(HS_EFORMAT, "tensor \"%s\" is %s, weights must be floating point", shown,
                       hs_dtype_name(t->dtype));
    }
    return HS_OK;
}

int hs_tensor_extra(const char *name)
{
    char shown[SHOWN];
    hs_text_escape(name, shown, sizeof shown);
    return hs_fail(HS_EFORMAT, "tensor \"%s\" is extra: the configuration has no place for it", shown);
}
