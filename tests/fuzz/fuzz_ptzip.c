/* Archives of PyTorch and numpy, and lone .npy files, on any bytes: every byte of what they give can
 * be read. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/io/npy.h"
#include "core/io/ptzip.h"
#include "tests/fuzz/fuzz.h"

static void read_all(const hs_tensors *ts)
{
    volatile unsigned char sum = 0;
    for (size_t i = 0; i < hs_tensors_count(ts); i++) {
        const hs_tensor *t = hs_tensors_at(ts, i);
        size_t n = t->count * hs_dtype_size(t->dtype);
        for (size_t k = 0; k<n; k += n> 4096 ? n / 1024 : 1) {
            sum = (unsigned char)(sum + t->bytes[k]);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hs_tensors *ts = NULL;
    hs_zip *z = NULL;
    int rc;
    if (size > 0 && data[0] == 'P') {
        rc = hs_zip_parse(data, size, &z);
        if (rc == HS_OK) {
            rc = hs_ptzip_is(z) ? hs_ptzip_read(z, size, &ts) : hs_npz_read(z, &ts);
        }
    } else {
        rc = hs_npy_parse(data, size, "array", &ts);
    }
    fuzz_check_status(rc);
    if (rc == HS_OK) {
        read_all(ts);
    }
    hs_tensors_free(ts);
    hs_zip_free(z);
    return 0;
}
