#include "analysis/train/paths.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

int hs_train_path(const char *folder, const char *name, char out[HS_TRAIN_PATH])
{
    int len = snprintf(out, HS_TRAIN_PATH, "%s/%s", folder, name);
    return len >= 0 && len < HS_TRAIN_PATH ? HS_OK : hs_fail(HS_ERANGE, "a path of %d bytes is too long", len);
}

int hs_train_make_folder(const char *folder)
{
    return mkdir(folder, 0777) == 0 || errno == EEXIST ? HS_OK : hs_fail_errno(folder, "cannot be made");
}
