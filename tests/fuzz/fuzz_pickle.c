/* The pickle machine on any bytes: what it accepts lies inside the storages. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/io/pickle.h"
#include "tests/fuzz/fuzz.h"

static void check_tensor(const hs_pickled *t)
{
    uint64_t last = t->offset;
    int empty = 0;
    for (size_t i = 0; i < t->rank; i++) {
        empty |= t->dim[i] == 0;
        last += t->dim[i] > 1 ? (t->dim[i] - 1) * t->stride[i] : 0;
    }
    fuzz_check(t->rank <= HS_RANK_MAX && t->name[0] != '\0');
    fuzz_check(empty ? t->offset <= t->numel : last < t->numel);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const hs_pickle_limits limits = {1 << 20, 1 << 20, 1 << 16, 1000};
    hs_pickle p = {0};
    int rc = hs_pickle_read(data, size, &limits, &p);
    fuzz_check_status(rc);
    for (size_t i = 0; i < p.n; i++) {
        check_tensor(&p.t[i]);
    }
    hs_pickle_free(&p);
    return 0;
}
