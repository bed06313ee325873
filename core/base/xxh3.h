/* XXH3 of 128 bits, by libxxhash: a fingerprint for files too large for SHA-256, twenty times as fast (some 30 GB/s on
 * one core with AVX2).  Whoever can choose the bytes can make two alike: it tells files apart, it doesn't prove who
 * wrote them.  The same from a shell: xxhsum -H2 FILE */
#ifndef HS_BASE_XXH3_H
#define HS_BASE_XXH3_H

#include <stddef.h>

#include "core/base/error.h"

enum { HS_XXH3_HEX = 33 }; /* characters in hexadecimal, with the terminator */

typedef struct hs_xxh3 hs_xxh3;

HS_CHECKED int hs_xxh3_new(hs_xxh3 **out); /* HS_ENOMEM */
void hs_xxh3_add(hs_xxh3 *h, const void *bytes, size_t len);
/* hex <- the fingerprint of all that was added so far. */
void hs_xxh3_hex(const hs_xxh3 *h, char hex[HS_XXH3_HEX]);
void hs_xxh3_free(hs_xxh3 *h); /* NULL: nothing */

#endif
