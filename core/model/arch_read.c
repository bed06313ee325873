#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/io/file.h"
#include "core/io/json.h"
#include "core/model/arch.h"

enum { CONFIG_BYTES_MAX = 16 << 20 };

/* By their keys: diffusers' config.json, hspace's own, and the families that aren't read. */
static int read_object(const json_t *root, const json_t *scheduler, hs_unet_config *out)
{
    const char *name = json_string_value(json_object_get(root, "_class_name"));
    if (!json_is_object(root)) {
        return hs_fail(HS_EFORMAT, "not a JSON object");
    }
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
    if (json_object_get(root, "num_channels") != NULL || json_object_get(root, "num_res_blocks") != NULL) {
        return hs_arch_read_adm(root, out);
    }
    return hs_fail(HS_EFORMAT, "not a U-Net configuration: none of _class_name (diffusers), num_channels "
                               "(guided-diffusion), hspace_arch is there");
}

static int read_config(const unsigned char *text, size_t len, const char *scheduler, hs_unet_config *out)
{
    json_t *root = NULL, *sched = NULL;
    size_t at = 0;
    int rc = HS_OK;
    while (at < len && strchr(" \t\r\n", text[at]) != NULL && text[at] != '\0') {
        at++;
    }
    if (at < len && text[at] != '{' && text[at] != '[') {
        return hs_arch_read_ddpm((const char *)text, len, out);
    }
    HS_TRY(hs_json_parse(text, len, NULL, &root));
    if (scheduler != NULL) {
        HS_TRY(hs_json_read(scheduler, &sched));
    }
    HS_TRY(read_object(root, sched, out));
out:
    json_decref(root);
    json_decref(sched);
    return rc;
}

int hs_arch_read(const char *path, const char *scheduler, hs_unet_config *out)
{
    unsigned char *text = NULL;
    size_t len = 0;
    int rc = HS_OK;
    HS_TRY(hs_file_read(path, CONFIG_BYTES_MAX, &text, &len));
    HS_TRY(hs_fail_in(read_config(text, len, scheduler, out), path));
out:
    free(text);
    return rc;
}
