/* JSON from strangers: jansson behind limits, and getters whose messages name the key, what it is
 * and what is legal.  Messages don't hold the path: the caller puts it in front (hs_fail_in). */
#ifndef HS_IO_JSON_H
#define HS_IO_JSON_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

typedef struct {
    size_t bytes;  /* of the text */
    size_t depth;  /* of nesting, 1 for a plain object */
    size_t values; /* of any kind, keys not counted */
} hs_json_limits;

/* 16 MiB, depth 32, 1,000,000 values: configurations and indexes. */
extern const hs_json_limits hs_json_limits_default;

/* *out (json_decref) <- the one object or array in text.  limits NULL: the default.
 * HS_EFORMAT: empty, byte order mark, UTF-16, NUL bytes, invalid UTF-8, bad JSON, a key twice,
 * a second document, numbers beyond int64 or double, deeper than limits->depth;
 * HS_ELIMIT: more bytes or values than the limits; HS_ENOMEM.
 * Time and memory linear in len; depth is checked before the parser recurses. */
HS_CHECKED int hs_json_parse(const void *text, size_t len, const hs_json_limits *limits, json_t **out);
/* The same of a file; messages start with its path.  Also HS_EIO. */
HS_CHECKED int hs_json_read(const char *path, json_t **out);

/* Typed members of an object.  An absent key gives *fallback; null too (Python's None).  Without a
 * fallback (NULL) both are HS_EFORMAT, as is another type or a value outside [lo, hi]. */
HS_CHECKED int hs_json_get_i64(const json_t *object, const char *key, int64_t lo, int64_t hi, const int64_t *fallback,
                               int64_t *out);
/* Whole numbers count as doubles too. */
HS_CHECKED int hs_json_get_f64(const json_t *object, const char *key, double lo, double hi, const double *fallback,
                               double *out);
HS_CHECKED int hs_json_get_bool(const json_t *object, const char *key, const int *fallback, int *out);
/* *out: borrowed from object (or fallback). */
HS_CHECKED int hs_json_get_str(const json_t *object, const char *key, const char *fallback, const char **out);
/* out[0..*n) <- an array of 1..max whole numbers, each in [lo, hi]. */
HS_CHECKED int hs_json_get_i64s(const json_t *object, const char *key, int64_t lo, int64_t hi, size_t max, int64_t *out,
                                size_t *n);
/* out[0..*n): borrowed strings of an array of 1..max strings. */
HS_CHECKED int hs_json_get_strs(const json_t *object, const char *key, size_t max, const char **out, size_t *n);
/* True when the key is there and not null. */
int hs_json_has(const json_t *object, const char *key);

#endif
