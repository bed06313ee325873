#include "analysis/cli/shipped.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int try_folder(const char *data, const char *below, const char *name, char path[HS_SHIPPED_PATH])
{
    int n = snprintf(path, HS_SHIPPED_PATH, "%s%s/models/%s", data, below, name);
    return n < HS_SHIPPED_PATH && is_folder(path);
}

/* dir <- the folder of the running program; "" when the system doesn't say. */
static void program_folder(char dir[HS_SHIPPED_PATH / 2])
{
    ssize_t n = readlink("/proc/self/exe", dir, HS_SHIPPED_PATH / 2 - 1);
    dir[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(dir, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
}

int hs_shipped(const char *name, char path[HS_SHIPPED_PATH])
{
    /* build/hspace and build/release/hspace; prefix/bin/hspace */
    static const char *const below[] = {"/../datasets", "/../../datasets", "/../share/hspace"};
    const char *data = getenv("HSPACE_DATADIR");
    char dir[HS_SHIPPED_PATH / 2];
    struct stat st;
    if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL || stat(name, &st) == 0) {
        return 0;
    }
    if (data != NULL && data[0] != '\0' && try_folder(data, "", name, path)) {
        return 1;
    }
    program_folder(dir);
    for (size_t i = 0; dir[0] != '\0' && i < sizeof below / sizeof *below; i++) {
        if (try_folder(dir, below[i], name, path)) {
            return 1;
        }
    }
    return 0;
}

const char *hs_shipped_or(const char *name, char path[HS_SHIPPED_PATH])
{
    return hs_shipped(name, path) ? path : name;
}

int hs_common_scorer(hs_cmd *c, hs_conv_mode conv, hs_scorer **out)
{
    return hs_common_scorer_named(c, "attr", hs_cmd_str(c, "attr"), conv, out);
}

int hs_common_scorer_named(hs_cmd *c, const char *option, const char *name, hs_conv_mode conv, hs_scorer **out)
{
    static const char *const file[] = {"config.json", "model.safetensors"};
    char shipped[HS_SHIPPED_PATH], path[HS_SHIPPED_PATH + 32];
    const char *folder = hs_shipped_or(name, shipped);
    hs_scorer *s = NULL;
    int rc = HS_OK;
    if (!is_folder(folder)) {
        return hs_fail(HS_EIO, "--%s: %.300s is no folder here and no attribute network that ships", option, folder);
    }
    HS_TRY(hs_scorer_open(folder, conv, &s));
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, file[i]);
        HS_TRY(hs_cmd_input(c, path));
    }
    *out = s;
    s = NULL;
out:
    hs_scorer_free(s);
    return rc;
}

int hs_common_clip(hs_cmd *c, const char *option, hs_clip_reader **out)
{
    static const char *const file[] = {"config.json", "preprocessor_config.json", "vocab.json",
                                       "merges.txt",  "model.safetensors",        "pytorch_model.bin"};
    char shipped[HS_SHIPPED_PATH], path[HS_SHIPPED_PATH + 32];
    const char *folder = hs_shipped_or(hs_cmd_str(c, option), shipped);
    hs_clip_reader *r = NULL;
    int rc = HS_OK;
    if (!is_folder(folder)) {
        return hs_fail(HS_EIO, "--%s: %.300s is no folder here and no CLIP that ships", option, folder);
    }
    HS_TRY(hs_clip_reader_open(folder, &r));
    for (size_t i = 0, weights = 0; i < sizeof file / sizeof *file; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, file[i]);
        if (access(path, F_OK) != 0 || (i == 5 && weights)) {
            continue;
        }
        weights = i == 4;
        HS_TRY(hs_cmd_input(c, path));
    }
    *out = r;
    r = NULL;
out:
    hs_clip_reader_free(r);
    return rc;
}
