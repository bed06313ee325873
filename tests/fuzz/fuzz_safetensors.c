/* The safetensors parser on any bytes: what it accepts lies inside them. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/io/safetensors.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hs_tensors *ts = NULL;
    int rc = hs_safetensors_from_memory(data, size, &ts);
    fuzz_check_status(rc);
    for (size_t i = 0; rc == HS_OK && i < hs_tensors_count(ts); i++) {
        const hs_tensor *t = hs_tensors_at(ts, i);
        fuzz_check(t->bytes >= data && t->count * hs_dtype_size(t->dtype) <= (size_t)(data + size - t->bytes));
        fuzz_check(hs_tensors_find(ts, t->name) == t);
    }
    hs_tensors_free(ts);
    return 0;
}
