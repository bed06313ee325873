#include "core/base/gmac.h"

#include <openssl/evp.h>
#include <stdio.h>

/* An hs_gmac is libcrypto's own context under our name. */
static EVP_CIPHER_CTX *ctx_of(hs_gmac *g)
{
    return (EVP_CIPHER_CTX *)g;
}

int hs_gmac_new(hs_gmac **out)
{
    static const unsigned char zero[16];
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (ctx == NULL || EVP_EncryptInit_ex(ctx, EVP_aes_128_gcm(), NULL, zero, zero) != 1) {
        EVP_CIPHER_CTX_free(ctx);
        return hs_fail(HS_ENOMEM, "gmac: libcrypto could not start");
    }
    *out = (hs_gmac *)ctx;
    return HS_OK;
}

int hs_gmac_add(hs_gmac *g, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    int none;
    for (size_t n; len > 0; p += n, len -= n) {
        n = len < (1U << 30) ? len : 1U << 30;
        if (EVP_EncryptUpdate(ctx_of(g), NULL, &none, p, (int)n) != 1) {
            return hs_fail(HS_EBUG, "gmac: libcrypto refused an update");
        }
    }
    return HS_OK;
}

int hs_gmac_hex(hs_gmac *g, char hex[HS_GMAC_HEX])
{
    unsigned char tag[16];
    int none;
    if (EVP_EncryptFinal_ex(ctx_of(g), tag, &none) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx_of(g), EVP_CTRL_AEAD_GET_TAG, sizeof tag, tag) != 1) {
        return hs_fail(HS_EBUG, "gmac: libcrypto gave no tag");
    }
    for (size_t i = 0; i < sizeof tag; i++) {
        snprintf(hex + 2 * i, 3, "%02x", tag[i]);
    }
    return HS_OK;
}

void hs_gmac_free(hs_gmac *g)
{
    EVP_CIPHER_CTX_free(ctx_of(g));
}
