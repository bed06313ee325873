/* Text: strict numbers, growing strings, safe printing of names that come from files. */
#ifndef HS_BASE_TEXT_H
#define HS_BASE_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

/* out (size bytes, always terminated) <- s with control characters, DEL, invalid UTF-8 and
 * bidirectional marks written as \xHH; cut to fit at a character boundary. */
void hs_text_escape(const char *s, char *out, size_t size);

/* True when the len bytes are well-formed UTF-8 (no surrogates, no overlong forms). */
int hs_text_is_utf8(const char *s, size_t len);

/* The whole of s as one number: decimal only, no blanks, no trailing characters, C locale
 * whatever LC_NUMERIC says.  Doubles must be finite.  HS_ERANGE otherwise, with s in the message. */
HS_CHECKED int hs_text_i64(const char *s, int64_t lo, int64_t hi, int64_t *out);
HS_CHECKED int hs_text_u64(const char *s, uint64_t *out);
HS_CHECKED int hs_text_f64(const char *s, double lo, double hi, double *out);

/* A growing string.  Zero-initialise; free with hs_str_free.  A failed append sets failed and
 * makes later ones do nothing, so that a long text is built without a check per line. */
typedef struct {
    char *s; /* terminated, or NULL while empty */
    size_t len, cap;
    int failed;
} hs_str;

void hs_str_add(hs_str *str, const char *text);
void hs_str_addf(hs_str *str, const char *fmt, ...) HS_PRINTF(2, 3);
void hs_str_add_bytes(hs_str *str, const void *bytes, size_t len);
HS_CHECKED int hs_str_ok(const hs_str *str); /* HS_OK, or HS_ENOMEM if an append failed */
void hs_str_free(hs_str *str);

/* Edit distance (insert, delete, substitute, swap of neighbours); for "did you mean". */
size_t hs_text_distance(const char *a, const char *b);

#endif
