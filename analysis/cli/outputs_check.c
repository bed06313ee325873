/* What an output may be called, checked before any work. */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "analysis/cli/common.h"

static int ends_in(const char *path, const char *ending)
{
    size_t n = strlen(path), m = strlen(ending);
    return n > m && strcmp(path + n - m, ending) == 0;
}

static int is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

HS_CHECKED static int check_empty(const hs_cmd *c, const char *path)
{
    DIR *d = opendir(path);
    if (d == NULL) {
        return errno == ENOENT ? HS_OK : hs_fail_errno(path, "open");
    }
    size_t entries = 0;
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        entries += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    }
    closedir(d);
    if (entries > 0 && !hs_cmd_force(c)) {
        return hs_fail(HS_ERANGE, "%s: the folder is not empty; use -f to write into it, or another name", path);
    }
    return HS_OK;
}

int hs_images_check(const hs_cmd *c, const char *path)
{
    if (path == NULL) {
        return HS_OK;
    }
    if (ends_in(path, "/") || is_folder(path)) {
        return check_empty(c, path);
    }
    if (ends_in(path, ".npy") || ends_in(path, ".png")) {
        return hs_cmd_check_file(c, path);
    }
    return hs_fail(HS_ERANGE, "%s: unknown kind of output; wanted a name ending in .npy, .png or / (a folder)", path);
}

int hs_arrays_check(const hs_cmd *c, const char *path, const char *formats)
{
    const char *dot = path != NULL ? strrchr(path, '.') : NULL;
    if (path == NULL) {
        return HS_OK;
    }
    for (const char *p = formats; dot != NULL && *p != '\0';) {
        size_t n = strcspn(p, "|");
        if (strlen(dot + 1) == n && memcmp(dot + 1, p, n) == 0) {
            return hs_cmd_check_file(c, path);
        }
        p += n + (p[n] == '|');
    }
    return hs_fail(HS_ERANGE, "%s: unknown kind of output; wanted a name ending in one of %s", path, formats);
}
