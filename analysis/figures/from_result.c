#include "analysis/figures/from_result.h"

#include <string.h>

#include "analysis/figures/from_kinds.h"
#include "analysis/figures/geometry.h"
#include "core/base/text.h"

HS_CHECKED static int draw_geometry(hs_sources *s, const hs_figure_options *opt, int *drawn)
{
    return hs_figure_geometry(s->file[0], s->path[0], opt, drawn);
}

static const struct {
    const char *kind;
    int (*draw)(hs_sources *s, const hs_figure_options *opt, int *drawn);
    size_t most; /* files in one figure */
} kinds[] = {{"homogeneity", hs_draw_property, HS_FIGURE_COLOURS},
             {"linearity", hs_draw_linearity, 24},
             {"crosstalk", hs_draw_crosstalk, 1},
             {"robustness", hs_draw_robustness, 1},
             {"consistency", hs_draw_property, 1},
             {"sweep", hs_draw_sweep, HS_FIGURE_COLOURS},
             {"interpolation", hs_draw_sweep, HS_FIGURE_COLOURS},
             {"pca", hs_draw_pca, 1},
             {"similarity", hs_draw_similarity, 1},
             {"compare", hs_draw_compare, 1},
             {"curves", hs_draw_curves, 1},
             {"geometry", draw_geometry, 1},
             {"theorem1", hs_draw_theorem1, HS_FIGURE_COLOURS}};

HS_CHECKED static int no_such_kind(const char *path, const char *kind)
{
    hs_str list = {0};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        hs_str_addf(&list, "%s%s", k > 0 ? ", " : "", kinds[k].kind);
    }
    int rc = hs_fail(HS_ERANGE, "%s: no figure of kind \"%s\"; there are %s", path, kind, list.s != NULL ? list.s : "");
    hs_str_free(&list);
    return rc;
}

int hs_figure_from_results(const char *const *path, size_t n, const char *kind, const hs_figure_options *opt,
                           int *drawn)
{
    int rc = HS_OK, found = 0;
    hs_sources s = {0};
    hs_figure_options o = *opt;
    if (n == 0) {
        return hs_fail(HS_ERANGE, "%s: a figure of no result file", opt->out);
    }
    HS_TRY(hs_sources_open(path, n, &s));
    for (size_t i = 0; i < n; i++) {
        const char *is = hs_result_kind(s.file[i]);
        if (kind == NULL) {
            kind = is;
        } else if (i > 0 && strcmp(is, hs_result_kind(s.file[0])) != 0) {
            HS_TRY(hs_fail(HS_ERANGE, "%s is of kind %s, %s of kind %s; one figure shows one kind", path[i], is,
                           path[0], hs_result_kind(s.file[0])));
        }
        o.mark = o.mark == NULL && hs_sources_count(&s, i, "untrained") == 1 ? "untrained" : o.mark;
    }
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds && !found; k++) {
        if (strcmp(kind, kinds[k].kind) != 0) {
            continue;
        }
        if (n > kinds[k].most) {
            HS_TRY(hs_fail(HS_ERANGE, "%zu files of kind %s in one figure; %zu are possible", n, kind, kinds[k].most));
        }
        found = 1;
        HS_TRY(kinds[k].draw(&s, &o, drawn));
    }
    if (!found) {
        HS_TRY(no_such_kind(path[0], kind));
    }
out:
    hs_sources_close(&s);
    return rc;
}
