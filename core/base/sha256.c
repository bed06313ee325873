#include "core/base/sha256.h"

#include <openssl/evp.h>
#include <stdio.h>

/* An hs_sha256 is libcrypto's own context under our name. */
static EVP_MD_CTX *ctx_of(hs_sha256 *h)
{
    return (EVP_MD_CTX *)h;
}

int hs_sha256_new(hs_sha256 **out)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(ctx);
        return hs_fail(HS_ENOMEM, "sha256: libcrypto could not start a digest");
    }
    *out = (hs_sha256 *)ctx;
    return HS_OK;
}

int hs_sha256_add(hs_sha256 *h, const void *bytes, size_t len)
{
    return EVP_DigestUpdate(ctx_of(h), bytes, len) == 1 ? HS_OK
                                                        : hs_fail(HS_EBUG, "sha256: libcrypto refused an update");
}

int hs_sha256_hex(hs_sha256 *h, char hex[HS_SHA256_HEX])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (EVP_DigestFinal_ex(ctx_of(h), digest, &len) != 1 || len != 32) {
        return hs_fail(HS_EBUG, "sha256: libcrypto gave no digest");
    }
    for (unsigned i = 0; i < len; i++) {
        snprintf(hex + 2 * (size_t)i, 3, "%02x", digest[i]);
    }
    return HS_OK;
}

void hs_sha256_free(hs_sha256 *h)
{
    EVP_MD_CTX_free(ctx_of(h));
}

int hs_sha256_of(const void *bytes, size_t len, char hex[HS_SHA256_HEX])
{
    hs_sha256 *h = NULL;
    int rc;
    HS_TRY(hs_sha256_new(&h));
    HS_TRY(hs_sha256_add(h, bytes, len));
    HS_TRY(hs_sha256_hex(h, hex));
out:
    hs_sha256_free(h);
    return rc;
}
