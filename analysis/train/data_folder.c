/* A folder of PNG and JPEG files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/train/data_sources.h"
#include "core/base/alloc.h"
#include "core/base/log.h"

enum { FILES_MAX = 10000000 };

/* What went wrong with which files. */
typedef struct {
    size_t n;
    char first[300];
} bad_files;

/* Image `at` of d <- the file.  *readable <- 0 when it is no image: counted in bad, no error. */
HS_CHECKED static int read_one(hs_data *d, const hs_data_options *o, size_t at, const char *path, bad_files *bad,
                               int *readable)
{
    hs_image im = {0};
    int rc = hs_image_read(path, d->image.c, NULL, &im);
    *readable = rc == HS_OK;
    if (rc == HS_OK) {
        rc = hs_data_put(d, o, at, &im, path);
    } else if (rc == HS_EFORMAT || rc == HS_ELIMIT || rc == HS_EIO) {
        if (bad->n++ == 0) {
            snprintf(bad->first, sizeof bad->first, "%s", hs_error_message());
        }
        rc = HS_OK;
    }
    hs_image_free(&im);
    return rc;
}

HS_CHECKED static int judge(const char *folder, const hs_data_options *o, hs_data *d, const bad_files *bad, size_t n)
{
    if (bad->n == 0) {
        return HS_OK;
    }
    if (!o->skip_bad) {
        return hs_fail(HS_EFORMAT, "%s: %zu of %zu images can't be read, the first: %s; --skip-bad leaves them out",
                       folder, bad->n, n, bad->first);
    }
    if (d->n == 0) {
        return hs_fail(HS_EFORMAT, "%s: none of %zu images can be read, the first: %s", folder, n, bad->first);
    }
    hs_log(HS_LOG_WARNING, "%s: %zu of %zu images left out, the first: %s", folder, bad->n, n, bad->first);
    d->skipped = bad->n;
    return HS_OK;
}

HS_CHECKED static int read_all(const char *folder, const hs_data_options *o, hs_data *d, char **list, size_t n)
{
    bad_files bad = {0};
    size_t kept = 0;
    int readable, rc = HS_OK;
    for (size_t i = 0; i < n; i++) {
        HS_TRY(read_one(d, o, kept, list[i], &bad, &readable));
        if (readable) {
            char *name = list[kept];
            list[kept++] = list[i];
            list[i] = name;
        }
        HS_TRY(hs_progress_tell(o->progress, "reading images", i + 1, n));
    }
    d->n = kept;
    HS_TRY(judge(folder, o, d, &bad, n));
out:
    return rc;
}

int hs_data_folder(const char *folder, const hs_data_options *o, hs_data *d)
{
    char **list = NULL;
    size_t n = 0;
    int rc = HS_OK;
    HS_TRY(hs_image_list(folder, FILES_MAX, &list, &n));
    HS_TRY(hs_fail_in(hs_data_room(d, o, n, 0), folder));
    HS_TRY(read_all(folder, o, d, list, n));
    if (o->factors) {
        HS_TRY(hs_data_attributes(folder, list, o, d));
    }
    snprintf(d->text, sizeof d->text, "%zu images of a folder, %zu x %zu x %zu%s", d->n, d->image.c, d->image.h,
             d->image.w, o->fit ? ", fitted" : "");
out:
    hs_image_list_free(list, n);
    return rc;
}
