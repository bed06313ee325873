/* What the fuzz targets share; each is one LLVMFuzzerTestOneInput, driven by libFuzzer (make fuzz) or
 * by replay.c (make test). */
#ifndef HS_TESTS_FUZZ_H
#define HS_TESTS_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define fuzz_check(ok)                                                   \
    do {                                                                 \
        if (!(ok)) {                                                     \
            fprintf(stderr, "%s:%d: not %s\n", __FILE__, __LINE__, #ok); \
            abort();                                                     \
        }                                                                \
    } while (0)

/* A parser ends well, or refuses with one clean line. */
static inline void fuzz_check_status(int rc)
{
    fuzz_check(rc == HS_OK || rc == HS_EFORMAT || rc == HS_ELIMIT);
    const char *s = hs_error_message();
    fuzz_check(rc == HS_OK || (s[0] != '\0' && strlen(s) <= 400));
    for (; rc != HS_OK && *s != '\0'; s++) {
        fuzz_check((unsigned char)*s >= 0x20 && *s != 0x7f);
    }
}

#endif
