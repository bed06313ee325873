#include "analysis/train/paths.h"

#include <stdio.h>

int hs_train_path(const char *folder, const char *name, char out[HS_TRAIN_PATH])
{
    int len = snprintf(out, HS_TRAIN_PATH, "%s/%s", folder, name);
    return len >= 0 && len < HS_TRAIN_PATH ? HS_OK : hs_fail(HS_ERANGE, "a path of %d bytes is too long", len);
}
