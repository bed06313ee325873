#include "core/base/text.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

/* Length of the well-formed UTF-8 character at s (len bytes left), 0 if there is none. */
static size_t utf8_char(const unsigned char *s, size_t len, uint32_t *code)
{
    if (len == 0) {
        return 0;
    }
    if (s[0] < 0x80) {
        *code = s[0];
        return 1;
    }
    size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || n > len) {
        return 0;
    }
    uint32_t c = s[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
        c = (c << 6) | (s[i] & 0x3fu);
    }
    int overlong = (n == 3 && c < 0x800) || (n == 4 && c < 0x10000);
    if (overlong || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
        return 0;
    }
    *code = c;
    return n;
}

static int is_unprintable(uint32_t c)
{
    int control = c < 0x20 || c == 0x7f || (c >= 0x80 && c < 0xa0);
    int bidi = (c >= 0x200e && c <= 0x200f) || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
    return control || bidi || c == 0x2028 || c == 0x2029;
}

void hs_text_escape(const char *s, char *out, size_t size)
{
    const unsigned char *p = (const unsigned char *)s;
    size_t left = strlen(s), used = 0;
    while (left > 0) {
        uint32_t c = 0;
        size_t n = utf8_char(p, left, &c);
        int escape = n == 0 || is_unprintable(c);
        size_t take = n == 0 ? 1 : n;
        size_t need = escape ? 4 * take : take;
        if (used + need + 1 > size) {
            break;
        }
        for (size_t i = 0; i < take && escape; i++) {
            snprintf(out + used + 4 * i, 5, "\\x%02x", p[i]);
        }
        if (!escape) {
            memcpy(out + used, p, take);
        }
        used += need;
        p += take;
        left -= take;
    }
    if (size > 0) {
        out[used] = '\0';
    }
}

int hs_text_is_utf8(const char *s, size_t len)
{
    const unsigned char *p = (const unsigned char *)s;
    while (len > 0) {
        uint32_t c = 0;
        size_t n = utf8_char(p, len, &c);
        if (n == 0) {
            return 0;
        }
        p += n;
        len -= n;
    }
    return 1;
}

static size_t digits(const char *s)
{
    return strspn(s, "0123456789");
}

HS_CHECKED static int not_a_number(const char *s, const char *wanted)
{
    return hs_fail(HS_ERANGE, "'%.80s' is not %s", s, wanted);
}

int hs_text_i64(const char *s, int64_t lo, int64_t hi, int64_t *out)
{
    size_t sign = s[0] == '-' || s[0] == '+';
    size_t n = digits(s + sign);
    if (n == 0 || s[sign + n] != '\0') {
        return not_a_number(s, "a whole number");
    }
    errno = 0;
    long long v = strtoll(s, NULL, 10);
    if (errno != 0 || v < lo || v > hi) {
        return hs_fail(HS_ERANGE, "%.80s is out of range; wanted %lld to %lld", s, (long long)lo, (long long)hi);
    }
    *out = v;
    return HS_OK;
}

int hs_text_u64(const char *s, uint64_t *out)
{
    size_t n = digits(s);
    if (n == 0 || s[n] != '\0') {
        return not_a_number(s, "a whole number from 0");
    }
    errno = 0;
    unsigned long long v = strtoull(s, NULL, 10);
    if (errno != 0) {
        return hs_fail(HS_ERANGE, "%.80s is out of range; wanted 0 to 18446744073709551615", s);
    }
    *out = v;
    return HS_OK;
}

/* True when s is [+-]digits[.digits][e[+-]digits] with at least one digit before the exponent. */
static int is_decimal(const char *s)
{
    s += *s == '-' || *s == '+';
    size_t whole = digits(s), part = 0;
    s += whole;
    if (*s == '.') {
        part = digits(s + 1);
        s += 1 + part;
    }
    if (whole + part == 0) {
        return 0;
    }
    if (*s == 'e' || *s == 'E') {
        s++;
        s += *s == '-' || *s == '+';
        size_t n = digits(s);
        if (n == 0) {
            return 0;
        }
        s += n;
    }
    return *s == '\0';
}

int hs_text_f64(const char *s, double lo, double hi, double *out)
{
    static locale_t c_locale;
    if (c_locale == (locale_t)0) {
        c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    }
    if (!is_decimal(s)) {
        return not_a_number(s, "a number");
    }
    double v = c_locale == (locale_t)0 ? strtod(s, NULL) : strtod_l(s, NULL, c_locale);
    if (!isfinite(v) || v < lo || v > hi) {
        return hs_fail(HS_ERANGE, "%.80s is out of range; wanted %.17g to %.17g", s, lo, hi);
    }
    *out = v;
    return HS_OK;
}

static int str_reserve(hs_str *str, size_t more)
{
    if (str->failed) {
        return 0;
    }
    if (more >= SIZE_MAX / 2 - str->len) {
        str->failed = 1;
        return 0;
    }
    size_t need = str->len + more + 1;
    if (need > str->cap) {
        size_t cap = need < 2 * str->cap ? 2 * str->cap : need + 63;
        char *s = realloc(str->s, cap);
        if (s == NULL) {
            str->failed = 1;
            return 0;
        }
        str->s = s;
        str->cap = cap;
    }
    return 1;
}

void hs_str_add_bytes(hs_str *str, const void *bytes, size_t len)
{
    if (str_reserve(str, len)) {
        memcpy(str->s + str->len, bytes, len);
        str->len += len;
        str->s[str->len] = '\0';
    }
}

void hs_str_add(hs_str *str, const char *text)
{
    hs_str_add_bytes(str, text, strlen(text));
}

void hs_str_addf(hs_str *str, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0) {
        str->failed = 1;
    } else if (str_reserve(str, (size_t)n)) {
        vsnprintf(str->s + str->len, (size_t)n + 1, fmt, again);
        str->len += (size_t)n;
    }
    va_end(again);
}

int hs_str_ok(const hs_str *str)
{
    return str->failed ? hs_fail(HS_ENOMEM, "text: out of memory") : HS_OK;
}

void hs_str_free(hs_str *str)
{
    free(str->s);
    memset(str, 0, sizeof *str);
}

size_t hs_text_distance(const char *a, const char *b)
{
    enum { MAX = 64 };
    size_t n = strlen(a), m = strlen(b), d[3][MAX + 1];
    if (n > MAX || m > MAX) {
        return MAX;
    }
    for (size_t j = 0; j <= m; j++) {
        d[0][j] = j;
    }
    for (size_t i = 1; i <= n; i++) {
        size_t *now = d[i % 3], *prev = d[(i - 1) % 3], *prev2 = d[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = prev[j - 1] + (a[i - 1] != b[j - 1]);
            best = prev[j] + 1 < best ? prev[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && prev2[j - 2] + 1 < best) {
                best = prev2[j - 2] + 1;
            }
            now[j] = best;
        }
    }
    return d[n % 3][m];
}
