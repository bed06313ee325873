/* From a text to words: normal form, case, and CLIP's way of splitting. */
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "core/base/text.h"
#include "core/io/bpe_impl.h"

typedef enum { BLANK, LETTER, DIGIT, OTHER } kind;

static kind kind_of(utf8proc_int32_t c)
{
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO: return LETTER;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO: return DIGIT;
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP: return BLANK;
    default: return (c >= 0x09 && c <= 0x0d) || c == 0x85 ? BLANK : OTHER;
    }
}

/* Kind of the character at s, *len its bytes; s is valid UTF-8. */
static kind next(const unsigned char *s, size_t n, size_t *len)
{
    utf8proc_int32_t c = 0;
    *len = (size_t)utf8proc_iterate(s, (utf8proc_ssize_t)n, &c);
    return kind_of(c);
}

static size_t contraction(const unsigned char *s, size_t n)
{
    static const char *const ends[] = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t len = strlen(ends[i]);
        if (len <= n && memcmp(s, ends[i], len) == 0) {
            return len;
        }
    }
    return 0;
}

/* Bytes of the word that s begins with; s isn't blank. */
static size_t word_length(const unsigned char *s, size_t n)
{
    size_t len, at = contraction(s, n);
    if (at > 0) {
        return at;
    }
    const kind first = next(s, n, &len);
    at = len;
    while (first != DIGIT && at < n && next(s + at, n - at, &len) == first) {
        at += len;
    }
    return at;
}

static void add_lower(hs_str *out, utf8proc_int32_t c)
{
    unsigned char bytes[4];
    const utf8proc_int32_t lower = c == 0x130 ? 'i' : utf8proc_tolower(c);
    hs_str_add_bytes(out, bytes, (size_t)utf8proc_encode_char(lower, bytes));
    if (c == 0x130) { /* the one letter whose small form is two characters: i and a dot above */
        hs_str_add(out, "\xcc\x87");
    }
}

/* out <- the n bytes composed (NFC) and in lower case. */
HS_CHECKED static int normalise(const char *text, size_t n, hs_str *out)
{
    utf8proc_uint8_t *composed = NULL;
    utf8proc_ssize_t len = utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)n, &composed,
                                        UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (len < 0) {
        return len == UTF8PROC_ERROR_NOMEM ? hs_fail(HS_ENOMEM, "no memory for a text of %zu bytes", n)
                                           : hs_fail(HS_ERANGE, "not UTF-8");
    }
    for (utf8proc_ssize_t i = 0; i < len;) {
        utf8proc_int32_t c = 0;
        i += utf8proc_iterate(composed + i, len - i, &c);
        add_lower(out, c);
    }
    free(composed);
    return hs_str_ok(out);
}

/* The words of n bytes without special tokens. */
HS_CHECKED static int plain_words(const char *text, size_t n, hs_bpe_visit visit, void *ctx)
{
    hs_str lower = {0};
    int rc = HS_OK;
    HS_TRY(normalise(text, n, &lower));
    const unsigned char *s = (const unsigned char *)lower.s;
    for (size_t i = 0, len; i < lower.len; i += len) {
        if (next(s + i, lower.len - i, &len) != BLANK) {
            len = word_length(s + i, lower.len - i);
            HS_TRY(visit(ctx, s + i, len, 0));
        }
    }
out:
    hs_str_free(&lower);
    return rc;
}

int hs_bpe_words(const char *text, hs_bpe_visit visit, void *ctx)
{
    int rc = HS_OK;
    if (!hs_text_is_utf8(text, strlen(text))) {
        return hs_fail(HS_ERANGE, "not UTF-8");
    }
    if (strlen(text) > HS_BPE_TEXT_MAX) {
        return hs_fail(HS_ERANGE, "%zu bytes; at most %d", strlen(text), HS_BPE_TEXT_MAX);
    }
    while (*text != '\0') {
        const char *begin = strstr(text, HS_BPE_BEGIN), *end = strstr(text, HS_BPE_END);
        const int is_end = end != NULL && (begin == NULL || end < begin);
        const char *special = is_end ? end : begin;
        HS_TRY(plain_words(text, special != NULL ? (size_t)(special - text) : strlen(text), visit, ctx));
        if (special == NULL) {
            break;
        }
        HS_TRY(visit(ctx, NULL, 0, is_end));
        text = special + strlen(is_end ? HS_BPE_END : HS_BPE_BEGIN);
    }
out:
    return rc;
}
