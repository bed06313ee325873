#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/model/arch.h"

enum { CONFIG_BYTES_MAX = 16 << 20, JSON_DEPTH_MAX = 32 };

/* *text (free()) <- the whole file, terminated. */
static int read_text(const char *path, char **text, size_t *len)
{
    char *buf = NULL;
    struct stat st;
    int rc = HS_OK;
    FILE *f = fopen(path, "rb");
    if (f == NULL || fstat(fileno(f), &st) != 0) {
        rc = hs_fail_errno(path, "open");
        goto out;
    }
    if (!S_ISREG(st.st_mode) || st.st_size > CONFIG_BYTES_MAX) {
        rc = hs_fail(HS_EFORMAT, "%s: must be a regular file of at most %d bytes", path, CONFIG_BYTES_MAX);
        goto out;
    }
    HS_TRY(hs_alloc((size_t)st.st_size + 1, 1, &buf));
    *len = fread(buf, 1, (size_t)st.st_size, f);
    if (ferror(f)) {
        rc = hs_fail_errno(path, "read");
        goto out;
    }
    buf[*len] = '\0';
    *text = buf;
    buf = NULL;
out:
    if (f != NULL) {
        fclose(f);
    }
    free(buf);
    return rc;
}

/* Deep nesting is refused before the parser recurses into it. */
static int too_deep(const char *text, size_t len)
{
    size_t depth = 0;
    int in_string = 0;
    for (size_t i = 0; i < len; i++) {
        if (in_string) {
            i += text[i] == '\\';
            in_string = i >= len || text[i] != '"';
        } else if (text[i] == '"') {
            in_string = 1;
        } else if (text[i] == '[' || text[i] == '{') {
            if (++depth > JSON_DEPTH_MAX) {
                return 1;
            }
        } else if ((text[i] == ']' || text[i] == '}') && depth > 0) {
            depth--;
        }
    }
    return 0;
}

static int parse_json(const char *text, size_t len, json_t **out)
{
    json_error_t e;
    if (too_deep(text, len)) {
        return hs_fail(HS_EFORMAT, "JSON is nested more than %d deep", JSON_DEPTH_MAX);
    }
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
    if (root == NULL) {
        return hs_fail(HS_EFORMAT, "malformed JSON: line %d: %s", e.line, e.text);
    }
    if (!json_is_object(root)) {
        json_decref(root);
        return hs_fail(HS_EFORMAT, "not a JSON object");
    }
    *out = root;
    return HS_OK;
}

static int read_json(const char *path, json_t **out)
{
    char *text = NULL;
    size_t len = 0;
    int rc = HS_OK;
    HS_TRY(read_text(path, &text, &len));
    HS_TRY(hs_fail_in(parse_json(text, len, out), path));
out:
    free(text);
    return rc;
}

/* By their keys: diffusers' config.json, hspace's own, and the families that aren't read. */
static int read_object(const json_t *root, const json_t *scheduler, hs_unet_config *out)
{
    const char *name = json_string_value(json_object_get(root, "_class_name"));
    if (name != NULL && strcmp(name, "UNet2DModel") == 0) {
        return hs_arch_read_diffusers(root, scheduler, out);
    }
    if (name != NULL && strcmp(name, "UNet2DConditionModel") == 0) {
        return hs_fail(HS_EFORMAT, "conditional U-Net: export its activations with scripts/hspace_export.py");
    }
    if (name != NULL) {
        char shown[80];
        hs_text_escape(name, shown, sizeof shown);
        return hs_fail(HS_EFORMAT, "_class_name is \"%s\", must be UNet2DModel", shown);
    }
    if (json_object_get(root, "hspace_arch") != NULL) {
        return hs_arch_read_hspace(root, out);
    }
    if (json_object_get(root, "num_channels") != NULL && json_object_get(root, "attention_resolutions") != NULL) {
        return hs_fail(HS_EFORMAT, "guided-diffusion (ADM) model flags: this family of networks isn't supported yet");
    }
    return hs_fail(HS_EFORMAT, "not a U-Net configuration: neither _class_name (diffusers) nor hspace_arch is there");
}

static int read_config(const char *text, size_t len, const char *scheduler, hs_unet_config *out)
{
    json_t *root = NULL, *sched = NULL;
    int rc = HS_OK;
    size_t blank = strspn(text, " \t\r\n");
    if (text[blank] != '{' && text[blank] != '[') {
        return hs_arch_read_ddpm(text, len, out);
    }
    HS_TRY(parse_json(text, len, &root));
    if (scheduler != NULL) {
        HS_TRY(read_json(scheduler, &sched));
    }
    HS_TRY(read_object(root, sched, out));
out:
    json_decref(root);
    json_decref(sched);
    return rc;
}

int hs_arch_read(const char *path, const char *scheduler, hs_unet_config *out)
{
    char *text = NULL;
    size_t len = 0;
    int rc = HS_OK;
    HS_TRY(read_text(path, &text, &len));
    HS_TRY(hs_fail_in(read_config(text, len, scheduler, out), path));
out:
    free(text);
    return rc;
}
