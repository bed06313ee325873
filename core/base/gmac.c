#include "core/base/gmac.h"

#include <openssl/evp.h>
#include <stdio.h>

/* An element of the field: bit 127 - i of (high, low) is the coefficient of x^i. */
typedef struct {
    uint64_t high, low;
} element;

/* AES-128 under key 0: of 0, the point H; of nonce 0 and counter 1, what is added at the end. */
static const element point = {0x66e94bd4ef8a2c3b, 0x884cfa59ca342b2e}, mask = {0x58e2fccefa7e3061, 0x367f1d57a4e7455a};

/* a b, modulo x^128 + x^7 + x^2 + x + 1. */
static element times(element a, element b)
{
    element z = {0, 0};
    for (int i = 0; i < 128; i++) {
        uint64_t bit = (i < 64 ? a.high >> (63 - i) : a.low >> (127 - i)) & 1, carry = b.low & 1;
        z.high ^= b.high & (0 - bit);
        z.low ^= b.low & (0 - bit);
        b.low = b.low >> 1 | b.high << 63;
        b.high = b.high >> 1 ^ ((0 - carry) & 0xe100000000000000);
    }
    return z;
}

static element power_of_point(uint64_t n)
{
    element z = {(uint64_t)1 << 63, 0}, square = point;
    for (; n > 0; n >>= 1, square = times(square, square)) {
        z = (n & 1) != 0 ? times(z, square) : z;
    }
    return z;
}

/* The length's own term and the mask. */
static element ending(uint64_t len)
{
    element z = times((element){len * 8, 0}, point);
    return (element){z.high ^ mask.high, z.low ^ mask.low};
}

static uint64_t big_endian(const unsigned char *p)
{
    uint64_t v = 0;
    for (size_t i = 0; i < 8; i++) {
        v = v << 8 | p[i];
    }
    return v;
}

HS_CHECKED static int add_all(EVP_CIPHER_CTX *ctx, const unsigned char *p, size_t len)
{
    int none;
    for (size_t n; len > 0; p += n, len -= n) {
        n = len < (1U << 30) ? len : 1U << 30;
        if (EVP_EncryptUpdate(ctx, NULL, &none, p, (int)n) != 1) {
            return hs_fail(HS_EBUG, "gmac: libcrypto refused an update");
        }
    }
    return HS_OK;
}

int hs_gmac_of(const void *bytes, size_t len, hs_gmac *out)
{
    static const unsigned char zero[16];
    unsigned char tag[16];
    int rc = HS_OK, none;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (ctx == NULL || EVP_EncryptInit_ex(ctx, EVP_aes_128_gcm(), NULL, zero, zero) != 1) {
        rc = hs_fail(HS_ENOMEM, "gmac: libcrypto could not start");
        goto out;
    }
    HS_TRY(add_all(ctx, bytes, len));
    if (EVP_EncryptFinal_ex(ctx, tag, &none) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, sizeof tag, tag) != 1) {
        rc = hs_fail(HS_EBUG, "gmac: libcrypto gave no tag");
        goto out;
    }
    const element end = ending(len);
    *out = (hs_gmac){big_endian(tag) ^ end.high, big_endian(tag + 8) ^ end.low, len};
out:
    EVP_CIPHER_CTX_free(ctx);
    return rc;
}

int hs_gmac_join(hs_gmac *g, size_t n, const hs_gmac *part)
{
    element sum = {g->high, g->low}, power = {0};
    uint64_t len = g->len, power_of = 0; /* the point to the blocks of so many bytes */
    for (size_t i = 0; i < n; i++) {
        if (part[i].len == 0) {
            continue;
        }
        if (len % 16 != 0) {
            return hs_fail(HS_ERANGE, "gmac: %llu bytes are followed by more; wanted whole blocks of 16",
                           (unsigned long long)len);
        }
        if (part[i].len != power_of) {
            power_of = part[i].len;
            power = power_of_point(power_of / 16 + (power_of % 16 != 0));
        }
        sum = times(sum, power);
        sum = (element){sum.high ^ part[i].high, sum.low ^ part[i].low};
        len += part[i].len;
    }
    *g = (hs_gmac){sum.high, sum.low, len};
    return HS_OK;
}

void hs_gmac_hex(const hs_gmac *g, char hex[HS_GMAC_HEX])
{
    const element end = ending(g->len);
    snprintf(hex, HS_GMAC_HEX, "%016llx%016llx", (unsigned long long)(g->high ^ end.high),
             (unsigned long long)(g->low ^ end.low));
}
