/* SHA-256 (FIPS 180-4), by libcrypto. */
#ifndef HS_BASE_SHA256_H
#define HS_BASE_SHA256_H

#include <stddef.h>

#include "core/base/error.h"

enum { HS_SHA256_HEX = 65 }; /* characters of a digest in hexadecimal, with the terminator */

typedef struct hs_sha256 hs_sha256;

HS_CHECKED int hs_sha256_new(hs_sha256 **out);
HS_CHECKED int hs_sha256_add(hs_sha256 *h, const void *bytes, size_t len);
/* hex <- the digest of all that was added; the object can only be freed afterwards. */
HS_CHECKED int hs_sha256_hex(hs_sha256 *h, char hex[HS_SHA256_HEX]);
void hs_sha256_free(hs_sha256 *h);

/* All of it in one call. */
HS_CHECKED int hs_sha256_of(const void *bytes, size_t len, char hex[HS_SHA256_HEX]);

#endif
