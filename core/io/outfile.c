#include "core/io/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/text.h"

static int fail_exists(const char *path)
{
    return hs_fail(HS_ERANGE, "%s: exists; use -f to replace it", path);
}

int hs_outfile_begin(const char *path, int force, hs_outfile *out)
{
    int rc = HS_OK, fd = -1;
    hs_outfile o = {.force = force};
    hs_str temp = {0};
    *out = o;
    if (!force && access(path, F_OK) == 0) {
        return fail_exists(path);
    }
    HS_TRY(hs_strdup(path, &o.path));
    hs_str_addf(&temp, "%s.tmp.%ld", path, (long)getpid());
    HS_TRY(hs_str_ok(&temp));
    fd = open(temp.s, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0) {
        HS_TRY(hs_fail_errno(path, "cannot be created"));
    }
    o.f = fdopen(fd, "wb");
    if (o.f == NULL) {
        unlink(temp.s);
        close(fd);
        HS_TRY(hs_fail_errno(path, "cannot be opened"));
    }
    o.temp = temp.s;
    temp = (hs_str){0};
    *out = o;
    o.path = NULL;
out:
    free(o.path);
    hs_str_free(&temp);
    return rc;
}

static int publish(const hs_outfile *o)
{
    if (o->force) {
        return rename(o->temp, o->path) == 0 ? HS_OK : hs_fail_errno(o->path, "cannot be renamed into place");
    }
    if (link(o->temp, o->path) == 0) {
        unlink(o->temp);
        return HS_OK;
    }
    if (errno == EEXIST) {
        return fail_exists(o->path);
    }
    /* Some file systems have no hard links. */
    return rename(o->temp, o->path) == 0 ? HS_OK : hs_fail_errno(o->path, "cannot be renamed into place");
}

int hs_outfile_commit(hs_outfile *out)
{
    int rc = HS_OK;
    errno = 0;
    if (ferror(out->f) || fflush(out->f) != 0 || fsync(fileno(out->f)) != 0) {
        HS_TRY(hs_fail_errno(out->path, "cannot be written"));
    }
    HS_TRY(publish(out));
    free(out->temp);
    out->temp = NULL;
out:
    hs_outfile_abandon(out);
    return rc;
}

void hs_outfile_abandon(hs_outfile *out)
{
    if (out->f != NULL) {
        fclose(out->f);
    }
    if (out->temp != NULL) {
        unlink(out->temp);
    }
    free(out->path);
    free(out->temp);
    *out = (hs_outfile){0};
}
