/* JSON on any bytes: what is accepted is one object or array that can be written and read again. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/io/json.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *root = NULL, *again = NULL;
    int rc = hs_json_parse(data, size, NULL, &root);
    fuzz_check_status(rc);
    if (rc == HS_OK) {
        char *text = json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(17));
        fuzz_check(json_is_object(root) || json_is_array(root));
        fuzz_check(text != NULL && hs_json_parse(text, strlen(text), NULL, &again) == HS_OK);
        fuzz_check(json_equal(root, again));
        free(text);
    }
    json_decref(root);
    json_decref(again);
    return 0;
}
