/* PNG and JPEG on any bytes: what is accepted is a picture of 1 or 3 channels within the limits. */
#include <stddef.h>
#include <stdint.h>

#include "core/io/image.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const hs_image_limits limits = {2048, (size_t)1 << 20, (size_t)1 << 24, 1000};
    hs_image im = {0};
    int rc = hs_image_decode(data, size, 0, &limits, &im);
    fuzz_check_status(rc);
    if (rc == HS_OK) {
        fuzz_check(im.c == 1 || im.c == 3);
        fuzz_check(im.w * im.h >= 1 && im.w * im.h <= limits.pixels);
        unsigned sum = 0;
        for (size_t i = 0; i < im.w * im.h * im.c; i++) {
            sum += im.px[i]; /* every byte is there */
        }
        fuzz_check(sum <= 255u * im.w * im.h * im.c);
    }
    hs_image_free(&im);
    return 0;
}
