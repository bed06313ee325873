#include "analysis/cli/strip_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/figures/strip.h"
#include "core/base/alloc.h"

const hs_opt hs_opts_strip[] = {
    {"labels", 0, HS_OPT_STR, "auto", 0, 0, "auto|yes|no", "WHEN", "Output",
     "labelled strip instead of bare pixels; auto: in .pdf, and in .png of several strengths"},
    {"rows", 0, HS_OPT_INT, "0", 0, 1000000, NULL, "N", "Output",
     "images in a labelled strip, the first ones of them; 0: all"},
    {0}};

static int ends_in(const char *path, const char *ending)
{
    size_t n = strlen(path), m = strlen(ending);
    return n > m && strcmp(path + n - m, ending) == 0;
}

int hs_strip_check(const hs_cmd *c, const char *path)
{
    if (path != NULL && ends_in(path, ".pdf")) {
        return hs_cmd_check_file(c, path);
    }
    return hs_images_check(c, path);
}

int hs_strip_wanted(const hs_cmd *c, const char *path, size_t columns)
{
    const char *when = hs_cmd_str(c, "labels");
    if (ends_in(path, ".pdf")) {
        return 1;
    }
    return ends_in(path, ".png") && (when[0] == 'y' || (when[0] == 'a' && columns > 1));
}

int hs_strip_out_write(const hs_cmd *c, const char *path, const hs_strip_out *s)
{
    int bare = hs_cmd_str(c, "labels")[0] == 'n'; /* a .pdf without labels */
    size_t most = (size_t)hs_cmd_int(c, "rows") * s->block;
    const hs_strip strip = {.rows = most > 0 && most < s->rows ? most : s->rows,
                            .cols = s->cols,
                            .shape = s->shape,
                            .x = s->x,
                            .title = bare ? NULL : s->title,
                            .col_label = bare ? NULL : s->col,
                            .row_label = bare ? NULL : s->row,
                            .block = s->block > 1 ? s->block : 0};
    return hs_strip_write(path, &strip, hs_cmd_force(c));
}

void hs_strip_labels_free(size_t n, char **label)
{
    for (size_t i = 0; label != NULL && i < n; i++) {
        free(label[i]);
    }
    free(label);
}

int hs_strip_labels_of(size_t n, const double *value, char ***out)
{
    int rc;
    char text[40], **label = NULL;
    HS_TRY(hs_calloc(n, sizeof *label, &label));
    for (size_t i = 0; i < n; i++) {
        snprintf(text, sizeof text, "%.4g", value[i]);
        HS_TRY(hs_strdup(text, &label[i]));
    }
    *out = label;
    return HS_OK;
out:
    hs_strip_labels_free(n, label);
    return rc;
}

int hs_strip_labels_of_source(const hs_source *s, char ***out)
{
    int rc;
    char text[40], **label = NULL;
    HS_TRY(hs_calloc(s->n, sizeof *label, &label));
    for (size_t i = 0; i < s->n; i++) {
        const char *name = text;
        snprintf(text, sizeof text, "%zu", i);
        if (s->kind == HS_SOURCE_IMAGES) {
            name = strrchr(s->path[i], '/') != NULL ? strrchr(s->path[i], '/') + 1 : s->path[i];
        }
        HS_TRY(hs_strdup(name, &label[i]));
    }
    *out = label;
    return HS_OK;
out:
    hs_strip_labels_free(s->n, label);
    return rc;
}
