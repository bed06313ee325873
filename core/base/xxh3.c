#include "core/base/xxh3.h"

#include <stdio.h>
#include <xxhash.h>
#ifdef __x86_64__ /* the library's own choice of vectors; without it, those every such processor has */
#include <xxh_x86dispatch.h>
#endif

/* An hs_xxh3 is the library's own state under our name. */
static XXH3_state_t *state_of(hs_xxh3 *h)
{
    return (XXH3_state_t *)h;
}

int hs_xxh3_new(hs_xxh3 **out)
{
    XXH3_state_t *state = XXH3_createState();
    if (state == NULL || XXH3_128bits_reset(state) != XXH_OK) {
        XXH3_freeState(state);
        return hs_fail(HS_ENOMEM, "xxh3: the library could not start a fingerprint");
    }
    *out = (hs_xxh3 *)state;
    return HS_OK;
}

void hs_xxh3_add(hs_xxh3 *h, const void *bytes, size_t len)
{
    (void)XXH3_128bits_update(state_of(h), bytes, len); /* refuses NULL alone */
}

void hs_xxh3_hex(const hs_xxh3 *h, char hex[HS_XXH3_HEX])
{
    XXH128_canonical_t bytes;
    XXH128_canonicalFromHash(&bytes, XXH3_128bits_digest((const XXH3_state_t *)h));
    for (size_t i = 0; i < sizeof bytes.digest; i++) {
        snprintf(hex + 2 * i, 3, "%02x", bytes.digest[i]);
    }
}

void hs_xxh3_free(hs_xxh3 *h)
{
    XXH3_freeState(state_of(h)); /* NULL: nothing */
}
