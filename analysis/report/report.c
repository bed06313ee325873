#include "analysis/report/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/figures/from_result.h"
#include "analysis/report/compare.h"
#include "analysis/report/edits.h"
#include "analysis/report/geometry.h"
#include "analysis/report/page.h"
#include "analysis/report/verdicts.h"
#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/io/file.h"
#include "core/io/result.h"
#include "core/io/store.h"

enum { TEXTS = 5, TOGETHER = 6, PANELS = 12 };

/* One input. */
typedef struct {
    const char *path;
    int is_png, used;
    int crosstalk;     /* holds such a matrix */
    char *kind;        /* "" for a picture */
    char *text[TEXTS]; /* attributes, NULL where absent; see attribute[] */
    char shape[96];    /* of /h in words */
} item;

enum { MODEL, SHA, DIRECTION, COMMAND, UNTRAINED };
static const char *const attribute[TEXTS] = {"model_name", "model_sha256", "direction", "command_line", "untrained"};

typedef struct {
    hs_page *page;
    const hs_report_options *opt;
    size_t n;
    item *item;
    const char *mark;
    char dir[64]; /* temporary, for gnuplot's files */
    size_t undrawn;
} report;

/* ---- Reading the inputs -------------------------------------------------------------------------- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static void describe_h(hs_result_in *r, item *it)
{
    size_t rank, d[8];
    if (hs_result_has(r, "h") && hs_result_shape(r, "h", &rank, d) == HS_OK && rank == 5) {
        snprintf(it->shape, sizeof it->shape, "%zu samples \xc3\x97 %zu timesteps, h of %zu \xc3\x97 %zu \xc3\x97 %zu",
                 d[0], d[1], d[2], d[3], d[4]);
    }
}

static int read_result(item *it)
{
    int rc = HS_OK;
    double v;
    hs_result_in *r = NULL;
    HS_TRY(hs_result_open(it->path, &r));
    HS_TRY(hs_strdup(hs_result_kind(r), &it->kind));
    if (it->kind[0] == '\0') {
        HS_TRY(hs_fail(HS_EFORMAT, "%s: an HDF5 file that hspace didn't write", it->path));
    }
    it->crosstalk = hs_result_has(r, "crosstalk") && strcmp(it->kind, "linearity") == 0;
    for (int k = 0; k < TEXTS; k++) {
        if (hs_result_attr_get_str(r, NULL, attribute[k], &it->text[k]) != HS_OK) {
            it->text[k] = NULL;
        }
    }
    if (it->text[UNTRAINED] == NULL && hs_result_attr_get_f64(r, NULL, "untrained", &v) == HS_OK && v == 1) {
        HS_TRY(hs_strdup("1", &it->text[UNTRAINED]));
    }
    describe_h(r, it);
out:
    hs_result_close(r);
    return rc;
}

static int read_item(const char *path, item *it)
{
    unsigned char magic[4];
    hs_file f;
    it->path = path;
    int rc = hs_file_open(path, &f);
    if (rc != HS_OK) {
        return rc;
    }
    rc = f.size >= 4 ? hs_file_read_at(&f, path, 0, magic, 4) : hs_fail(HS_EFORMAT, "%s: empty", path);
    hs_file_close(&f);
    if (rc != HS_OK) {
        return rc;
    }
    it->is_png = memcmp(magic, "\x89PNG", 4) == 0;
    return it->is_png ? hs_strdup("", &it->kind) : read_result(it);
}

/* ---- Figures ----------------------------------------------------------------------------------------- */

static void remove_figure(const report *r)
{
    static const char *const ext[] = {"svg", "gp", "dat"};
    char path[96];
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/figure.%s", r->dir, ext[i]);
        unlink(path);
    }
}

/* "a.h5, b.h5" */
static void join_names(hs_str *text, size_t n, const char *const *path)
{
    for (size_t i = 0; i < n; i++) {
        hs_str_add(text, i > 0 ? ", " : "");
        hs_str_add(text, base_name(path[i]));
    }
}

/* kind NULL: the files' own. */
static int add_figure_as(report *r, const char *kind, const char *what, size_t n, const char *const *path, double width)
{
    int rc = HS_OK, drawn = 0;
    char svg[96];
    hs_str caption = {0};
    snprintf(svg, sizeof svg, "%s/figure.svg", r->dir);
    hs_figure_options o = {.out = svg, .width = width, .mark = r->mark, .force = 1};
    HS_TRY(hs_figure_from_results(path, n, kind, &o, &drawn));
    hs_str_addf(&caption, "%s: ", what);
    join_names(&caption, n, path);
    HS_TRY(hs_str_ok(&caption));
    if (drawn) {
        HS_TRY(hs_page_svg(r->page, svg, what, caption.s));
    } else {
        r->undrawn++;
        hs_page_text(r->page, "(gnuplot is missing here: no figure.)");
    }
out:
    remove_figure(r);
    hs_str_free(&caption);
    return rc;
}

static int add_figure(report *r, const char *what, size_t n, const char *const *path, double width)
{
    return add_figure_as(r, NULL, what, n, path, width);
}

/* *list <- the paths of the items of one kind; free(). */
static int of_kind(const report *r, const char *kind, size_t *n, const char ***list)
{
    int rc = hs_alloc(r->n, sizeof **list, list);
    *n = 0;
    for (size_t i = 0; rc == HS_OK && i < r->n; i++) {
        if (!r->item[i].is_png && strcmp(r->item[i].kind, kind) == 0) {
            (*list)[(*n)++] = r->item[i].path;
            r->item[i].used = 1;
        }
    }
    return rc;
}

/* True when a picture is called like the result: "pc0.png" beside "pc0.h5". */
static int same_stem(const char *a, const char *b)
{
    a = base_name(a);
    b = base_name(b);
    size_t n = strcspn(a, "."), m = strcspn(b, ".");
    return n == m && strncmp(a, b, n) == 0;
}

/* ---- Sections ------------------------------------------------------------------------------------------ */

static void add_stores(report *r)
{
    int first = 1;
    for (size_t i = 0; i < r->n; i++) {
        item *it = &r->item[i];
        if (!hs_store_kind(it->kind)) {
            continue;
        }
        if (first) {
            hs_page_section(r->page, "Activations");
        }
        first = 0;
        it->used = 1;
        const hs_page_pair pair[] = {{"file", base_name(it->path)},
                                     {"model", it->text[MODEL]},
                                     {"weights SHA-256", it->text[SHA]},
                                     {"holds", it->shape[0] != '\0' ? it->shape : NULL}};
        hs_page_pairs(r->page, sizeof pair / sizeof *pair, pair);
    }
}

/* *width <- inches of a file's figure: as given, or the whole page where it has several matrices. */
static int figure_width(const char *path, double *width)
{
    hs_result_in *r = NULL;
    int rc = hs_result_open(path, &r);
    if (rc == HS_OK && (hs_result_has(r, "direction_similarity") || hs_result_has(r, "store_timestep"))) {
        *width = 6.75;
    }
    hs_result_close(r);
    return rc;
}

/* A section of figures of one kind, together at a time. */
static int add_kind(report *r, const char *kind, const char *heading, const char *text, size_t together, double width)
{
    int rc = HS_OK;
    const char **path = NULL;
    size_t n;
    HS_TRY(of_kind(r, kind, &n, &path));
    if (n > 0) {
        hs_page_section(r->page, heading);
        hs_page_text(r->page, text);
    }
    for (size_t i = 0; i < n; i += together) {
        size_t k = n - i < together ? n - i : together;
        double inches = k > 1 ? 6.75 : width;
        HS_TRY(figure_width(path[i], &inches));
        HS_TRY(add_figure(r, heading, k, path + i, inches));
    }
out:
    free(path);
    return rc;
}

/* Under linearity: what each of several directions does to every read-out. */
static int add_crosstalk(report *r)
{
    int rc = HS_OK, first = 1;
    for (size_t i = 0; i < r->n; i++) {
        if (!r->item[i].crosstalk) {
            continue;
        }
        if (first) {
            hs_page_subsection(r->page, "Cross-talk");
            hs_page_text(r->page, "What each direction alone does to every scalar read-out, in standard deviations of "
                                  "unedited images, at the strength of the sum whose additivity is among the "
                                  "statistics.");
        }
        first = 0;
        HS_TRY(add_figure_as(r, "crosstalk", "Cross-talk", 1, &r->item[i].path, 0));
    }
out:
    return rc;
}

static int add_strips(report *r, const char *heading, int of_results)
{
    int rc = HS_OK, first = 1;
    for (size_t i = 0; i < r->n; i++) {
        item *it = &r->item[i];
        const char *direction = NULL;
        char caption[320];
        if (!it->is_png || it->used) {
            continue;
        }
        for (size_t k = 0; k < r->n && direction == NULL; k++) {
            const item *o = &r->item[k];
            if (!o->is_png && (strcmp(o->kind, "sweep") == 0 || strcmp(o->kind, "interpolation") == 0) &&
                same_stem(it->path, o->path)) {
                direction = o->text[DIRECTION] != NULL && o->text[DIRECTION][0] != '\0' ? o->text[DIRECTION] : o->kind;
            }
        }
        if (of_results && direction == NULL) {
            continue;
        }
        if (first && heading != NULL) {
            hs_page_section(r->page, heading);
        }
        first = 0;
        it->used = 1;
        snprintf(caption, sizeof caption, "%s%.100s%s%.100s", direction != NULL ? "Images along " : "",
                 direction != NULL ? direction : "",
                 direction != NULL ? "; a row each image, a column each strength, ascending: " : "",
                 base_name(it->path));
        HS_TRY(hs_page_png(r->page, it->path, direction != NULL ? "Images along a direction" : "Images", caption));
    }
out:
    return rc;
}

/* What edits did, of edit-success files. */
static int add_edits(report *r)
{
    int rc = HS_OK;
    const char **path = NULL;
    size_t n;
    HS_TRY(of_kind(r, "edit-success", &n, &path));
    if (n > 0) {
        hs_page_section(r->page, "What the edits did");
        hs_page_text(
            r->page,
            "Each edit at the smallest strength that moves its target by one standard deviation of the data (or gives "
            "it to "
            "seven of ten images without it) while images stay natural, or else at the one that moves it most: the "
            "effect with its 95 % interval (and the mean size under random directions of equal norm, where "
            "measured), the share of images that gained a binary target, the factor moved most besides, the "
            "change of the image (rms of [-1, 1]), and the median distance of its features from clean images "
            "beside the 95th percentile of clean ones.");
    }
    for (size_t i = 0; i < n; i++) {
        HS_TRY(hs_report_edits(r->page, path[i]));
    }
out:
    free(path);
    return rc;
}

/* Comparisons of models, each with its figure and what its directions do. */
static int add_compare(report *r)
{
    int rc = HS_OK;
    const char **path = NULL;
    size_t n;
    HS_TRY(of_kind(r, "compare", &n, &path));
    if (n > 0) {
        hs_page_section(r->page, "Across models");
        hs_page_text(r->page,
                     "Whether two models share their h-space: held-out images under an alignment fitted to others, "
                     "beside the same with shuffled pairs and the ceiling that each space reaches with itself; "
                     "directions carried from one to the other; what each does in either model; debiased CKA of all "
                     "pairs of timesteps.");
    }
    for (size_t i = 0; i < n; i++) {
        HS_TRY(add_figure(r, "Across models", 1, path + i, 6.75));
        HS_TRY(hs_report_compare(r->page, path[i]));
    }
out:
    free(path);
    return rc;
}

/* Matrices, and what comparisons of more than two models found. */
static int add_similarity(report *r)
{
    int rc = HS_OK;
    const char **path = NULL;
    size_t n;
    HS_TRY(of_kind(r, "similarity", &n, &path));
    if (n > 0) {
        hs_page_section(r->page, "Similarity");
        hs_page_text(r->page, "Between timesteps, stores, directions or models.");
    }
    for (size_t i = 0; i < n; i++) {
        double width = 4.5;
        HS_TRY(figure_width(path[i], &width));
        HS_TRY(add_figure(r, "Similarity", 1, path + i, width));
        HS_TRY(hs_report_compare_many(r->page, path[i]));
    }
out:
    free(path);
    return rc;
}

/* The shape of h-space, a file after the other, each with its figure. */
static int add_geometry(report *r)
{
    int rc = HS_OK;
    const char **path = NULL;
    size_t n;
    HS_TRY(of_kind(r, "geometry", &n, &path));
    for (size_t i = 0; i < n; i++) {
        hs_page_section(r->page, "The shape of h-space");
        HS_TRY(hs_report_geometry(r->page, path[i]));
        rc = add_figure(r, "Geometry", 1, path + i, 6.75);
        if (rc == HS_ESHAPE) { /* of sections that no figure shows */
            rc = HS_OK;
        }
        HS_TRY(rc);
    }
out:
    free(path);
    return rc;
}

static int add_provenance(report *r)
{
    static const char *const head[] = {"file", "kind", "SHA-256 (first 16)"};
    int rc = HS_OK;
    const char **cell = NULL;
    char(*sha)[HS_SHA256_HEX] = NULL;
    hs_str commands = {0};
    HS_TRY(hs_alloc(r->n * 3, sizeof *cell, &cell));
    HS_TRY(hs_alloc(r->n, sizeof *sha, &sha));
    for (size_t i = 0; i < r->n; i++) {
        const item *it = &r->item[i];
        HS_TRY(hs_file_sha256(it->path, sha[i]));
        sha[i][16] = '\0';
        cell[3 * i] = base_name(it->path);
        cell[3 * i + 1] = it->is_png ? "picture" : it->kind;
        cell[3 * i + 2] = sha[i];
        if (it->text[COMMAND] != NULL) {
            hs_str_addf(&commands, "%s\n", it->text[COMMAND]);
        }
    }
    HS_TRY(hs_str_ok(&commands));
    hs_page_section(r->page, "Where it comes from");
    hs_page_text(r->page, "The commands as the files remember them, and the files themselves.");
    if (commands.len > 0) {
        hs_page_code(r->page, commands.s);
    }
    hs_page_table(r->page, 3, head, r->n, cell);
out:
    free(cell);
    free(sha);
    hs_str_free(&commands);
    return rc;
}

/* The result files, in their order: list (n). */
static size_t results_of(const report *r, const char **list)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++) {
        if (!r->item[i].is_png && !hs_store_kind(r->item[i].kind)) {
            list[n++] = r->item[i].path;
        }
    }
    return n;
}

static int add_sections(report *r)
{
    int rc = HS_OK;
    const char **result = NULL;
    hs_verdicts *verdicts = NULL;
    HS_TRY(hs_alloc(r->n, sizeof *result, &result));
    size_t results = results_of(r, result);
    HS_TRY(hs_verdicts_read(results, result, r->opt->n_controls, r->opt->control, &verdicts));
    HS_TRY(hs_report_verdicts(r->page, verdicts));
    add_stores(r);
    HS_TRY(add_compare(r));
    HS_TRY(add_kind(r, "pca", "Principal components",
                    "How much of the variance of h over samples each component carries, at several timesteps. "
                    "Direction pc0 is the first component at each timestep, scaled to one standard deviation.",
                    1, 6.75));
    HS_TRY(
        add_kind(r, "linearity", "Linearity",
                 "Each read-out against the strength of the edit: the mean over images with its interval, beside the "
                 "line through the origin that fits it best, and what random directions of equal norm do.",
                 PANELS, 4.5));
    HS_TRY(add_crosstalk(r));
    HS_TRY(add_kind(r, "homogeneity", "Homogeneity",
                    "Whether the same change of h does the same to every sample: how alike their deltas are, what each "
                    "does to the others, or what one does to all.",
                    1, 4.5));
    HS_TRY(add_kind(r, "robustness", "Robustness",
                    "Damage of images against the level of random noise added at every step, in h and in its rivals, "
                    "at the matching that the file names.",
                    1, 4.5));
    HS_TRY(add_kind(r, "consistency", "Consistency across timesteps",
                    "How alike the directions of two timesteps are, or what each does at the other's.", 1, 4.5));
    HS_TRY(add_kind(r, "sweep", "Sweeps", "What every image does along each direction.", TOGETHER, 4.5));
    HS_TRY(add_edits(r));
    HS_TRY(add_kind(r, "interpolation", "Interpolation", "Read-outs on the way from one sample's h to another's.", 1,
                    4.5));
    HS_TRY(add_strips(r, NULL, 1));
    HS_TRY(add_geometry(r));
    HS_TRY(add_similarity(r));
    HS_TRY(add_strips(r, "Pictures", 0));
    HS_TRY(hs_report_statistics(r->page, verdicts));
    HS_TRY(add_provenance(r));
out:
    hs_verdicts_free(verdicts);
    free(result);
    return rc;
}

static void free_items(report *r)
{
    for (size_t i = 0; r->item != NULL && i < r->n; i++) {
        free(r->item[i].kind);
        for (int k = 0; k < TEXTS; k++) {
            free(r->item[i].text[k]);
        }
    }
    free(r->item);
}

int hs_report_write(const char *const *path, size_t n, const hs_report_options *opt, const char *out, size_t *undrawn)
{
    int rc = HS_OK;
    report r = {.n = n, .opt = opt, .mark = opt->mark};
    if (n == 0) {
        return hs_fail(HS_ERANGE, "%s: a report of no file", out);
    }
    if (!opt->force && access(out, F_OK) == 0) { /* before the work */
        return hs_fail(HS_ERANGE, "%s: exists; use -f to replace it", out);
    }
    HS_TRY(hs_calloc(n, sizeof *r.item, &r.item));
    for (size_t i = 0; i < n; i++) {
        HS_TRY(read_item(path[i], &r.item[i]));
        const char *untrained = r.item[i].text[UNTRAINED];
        r.mark = r.mark == NULL && untrained != NULL && strcmp(untrained, "1") == 0 ? "untrained" : r.mark;
    }
    snprintf(r.dir, sizeof r.dir, "/tmp/hspace-report-XXXXXX");
    if (mkdtemp(r.dir) == NULL) {
        r.dir[0] = '\0';
        HS_TRY(hs_fail_errno("/tmp", "no temporary folder"));
    }
    HS_TRY(hs_page_begin(opt->title != NULL ? opt->title : "hspace report", opt->lead, r.mark, &r.page));
    HS_TRY(add_sections(&r));
    HS_TRY(hs_page_commit(r.page, out, opt->force));
    *undrawn = r.undrawn;
out:
    if (r.dir[0] != '\0') {
        rmdir(r.dir);
    }
    hs_page_free(r.page);
    free_items(&r);
    return rc;
}
