/* The goal of `direction asyrp`: an attribute network's factor or CLIP's texts. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "analysis/cli/asyrp.h"
#include "analysis/cli/shipped.h"

HS_CHECKED static int open_factor(hs_cmd *c, size_t batch, hs_asyrp_job *j)
{
    char path[HS_SHIPPED_PATH];
    const char *readout = hs_cmd_str(c, "readout");
    int rc = HS_OK, k;
    if (strncmp(readout, "attr:", 5) != 0) {
        return hs_fail(HS_ERANGE, "--readout %.80s: wanted attr:NAME, the factor that shall change", readout);
    }
    HS_TRY(hs_attrnet_open(hs_shipped_or(hs_cmd_str(c, "attr"), path), &j->phi));
    k = hs_attrnet_find(j->phi, readout + 5);
    if (k < 0) {
        rc = hs_fail(HS_ERANGE, "--readout %.80s: %s has no such factor", readout, hs_cmd_str(c, "attr"));
        goto out;
    }
    hs_str_addf(&j->about, "attr %s\n", hs_cmd_str(c, "attr"));
    HS_TRY(
        hs_goal_attribute(j->phi, j->source.image, (size_t)k, hs_cmd_num(c, "by"), batch, hs_common_conv(c), &j->goal));
out:
    return rc;
}

/* Records the files of a CLIP folder. */
HS_CHECKED static int record(hs_cmd *c, const char *folder)
{
    static const char *const file[] = {"model.safetensors", "pytorch_model.bin", "config.json", "vocab.json",
                                       "merges.txt"};
    char path[HS_SHIPPED_PATH + 32];
    int rc = HS_OK, weights = 0;
    for (size_t i = 0; i < sizeof file / sizeof *file; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, file[i]);
        if (access(path, F_OK) != 0 || (i == 1 && weights)) {
            continue;
        }
        weights |= i == 0;
        HS_TRY(hs_cmd_input(c, path));
    }
out:
    return rc;
}

HS_CHECKED static int open_texts(hs_cmd *c, size_t batch, hs_asyrp_job *j)
{
    char path[HS_SHIPPED_PATH], known[HS_SHA256_HEX];
    size_t count;
    const char *folder = hs_shipped_or(hs_cmd_str(c, "clip"), path), *templates = hs_cmd_str(c, "templates");
    int rc = HS_OK;
    HS_TRY(hs_clip_open(folder, &j->clip));
    HS_TRY(record(c, folder));
    const float *theta = hs_clip_theta(j->clip, &count);
    HS_TRY(hs_sha256_of(theta, count * sizeof *theta, known));
    if (templates != NULL) {
        HS_TRY(hs_clip_templates_read(templates, &j->templates, &j->n_templates));
        HS_TRY(hs_cmd_input(c, templates));
    }
    const hs_goal_texts texts = {.source = hs_cmd_str(c, "source"),
                                 .target = hs_cmd_str(c, "target"),
                                 .form = j->o.form,
                                 .logarithm = j->o.logarithm,
                                 .n_templates = j->n_templates,
                                 .templates = (const char *const *)j->templates};
    HS_TRY(hs_clip_text_cosine(j->clip, texts.source, texts.target, &j->cosine));
    hs_str_addf(&j->about, "clip %.16s\n", known);
    HS_TRY(hs_goal_clip(j->clip, j->source.image, &texts, batch, &j->goal));
out:
    return rc;
}

int hs_asyrp_open_goal(hs_cmd *c, size_t batch, hs_asyrp_job *j)
{
    int rc = HS_OK;
    j->cosine = 1;
    HS_TRY(j->o.clip ? open_texts(c, batch, j) : open_factor(c, batch, j));
    const char *name = hs_cmd_str(c, "name");
    name = name != NULL ? name : j->o.clip ? hs_cmd_str(c, "target") : hs_cmd_str(c, "readout") + 5;
    snprintf(j->name, sizeof j->name, "%.50s", name);
    for (char *s = j->name; *s != '\0' && hs_cmd_str(c, "name") == NULL; s++) {
        *s = strchr(" /,:.", *s) != NULL ? '_' : *s;
    }
    if (j->o.clip) {
        json_object_set_new(hs_cmd_results(c), "text_cosine", hs_json_num(j->cosine));
    }
out:
    return rc;
}
