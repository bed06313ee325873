#include "core/io/tensors.h"

#include <string.h>

#include "core/io/file.h"
#include "core/io/safetensors.h"

/* What a file is, by its first bytes; a safetensors header starts with a small number, then JSON. */
typedef enum { UNKNOWN, SAFETENSORS, INDEX } format;

static format format_of(const unsigned char *b, size_t len)
{
    size_t at = 8;
    if (len > 0 && b[0] == '{') {
        return INDEX;
    }
    while (at < len && strchr(" \t\r\n", b[at]) != NULL && b[at] != 0) {
        at++;
    }
    return at < len && b[at] == '{' ? SAFETENSORS : UNKNOWN;
}

static int peek(const char *path, format *out)
{
    unsigned char first[64];
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

int hs_tensors_open(const char *path, hs_tensors **out)
{
    format what;
    int rc = peek(path, &what);
    if (rc != HS_OK) {
        return rc;
    }
    switch (what) {
    case SAFETENSORS: return hs_safetensors_open(path, out);
    case INDEX: return hs_safetensors_open_index(path, out);
    default: return hs_fail(HS_EFORMAT, "%s: no weight format that hspace knows (safetensors)", path);
    }
}
