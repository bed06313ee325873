/* hspace score: what an attribute network, or CLIP and texts, say of images. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/common.h"
#include "analysis/cli/shipped.h"
#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/io/file.h"
#include "core/io/image.h"
#include "core/io/store.h"
#include "core/tensor/layout.h"

enum { IMAGES_MAX = 1000000 };

static const hs_opt options[] = {
    {"readout", 0, HS_OPT_STR, "attr", 0, 0, "attr|feat|clip", "KIND", "Read-out",
     "attr: the factors in their own units; feat: the network's features; clip: cosines with texts"},
    HS_OPT_ATTR,
    HS_OPT_CLIP("clip"),
    {"attributes", 0, HS_OPT_LIST, NULL, 0, 0, NULL, "A,B,...", "Read-out", "these factors alone"},
    {"texts", 0, HS_OPT_LIST, NULL, 0, 0, NULL, "TEXT,...", "Read-out", "clip: a column each"},
    {"truncate", 0, HS_OPT_FLAG, NULL, 0, 0, NULL, NULL, "Read-out", "cut texts that CLIP's context doesn't hold"},
    {0}};
static const hs_opt *const tables[] = {options, NULL};

typedef struct {
    hs_scorer *scorer; /* NULL: clip */
    const hs_attrnet_config *cfg;
    hs_clip_reader *clip;
    const char *const *text; /* clip: (columns), borrowed */
    float *axis;             /* clip: (columns, P) unit embeddings of the texts */
    size_t R;                /* side of the images that are looked at */
    int feat;
    size_t columns, column[HS_ATTR_FACTORS_MAX]; /* attr: which factors */
    size_t n, room;
    char **name;    /* (n) */
    double *value;  /* (n, columns) */
    double *all;    /* (K) of one image */
    float *feature; /* (F), or (P), of one image */
} job;

static void job_free(job *j)
{
    hs_image_list_free(j->name, j->n);
    free(j->value);
    free(j->all);
    free(j->feature);
    free(j->axis);
    hs_scorer_free(j->scorer);
    hs_clip_reader_free(j->clip);
}

HS_CHECKED static int choose_columns(const hs_cmd *c, job *j)
{
    const char *const *name;
    size_t n = hs_cmd_list(c, "attributes", &name);
    int rc = HS_OK;
    j->feat = strcmp(hs_cmd_str(c, "readout"), "feat") == 0;
    j->columns = j->feat ? j->cfg->features : n > 0 ? n : j->cfg->n_factors;
    if (n > 0 && (j->feat || n > HS_ATTR_FACTORS_MAX)) {
        return hs_fail(HS_ERANGE, "--attributes: %zu names; wanted at most %d of the factors, with --readout attr", n,
                       HS_ATTR_FACTORS_MAX);
    }
    for (size_t k = 0; !j->feat && k < j->columns; k++) {
        j->column[k] = k;
        if (n > 0) {
            HS_TRY(hs_fail_in(hs_scorer_find(j->scorer, name[k], &j->column[k]), "--attributes"));
        }
    }
out:
    return rc;
}

/* CLIP and its texts. */
HS_CHECKED static int open_clip(hs_cmd *c, job *j)
{
    int rc = HS_OK;
    j->columns = hs_cmd_list(c, "texts", &j->text);
    if (j->columns == 0 || hs_cmd_list(c, "attributes", NULL) > 0) {
        return hs_fail(HS_ERANGE, "--readout clip: wanted --texts TEXT,... and no --attributes");
    }
    HS_TRY(hs_common_clip(c, "clip", &j->clip));
    const hs_clip_config *cfg = hs_clip_config_of(hs_clip_reader_clip(j->clip));
    j->R = cfg->image_size;
    HS_TRY(hs_alloc(j->columns, cfg->projection * sizeof *j->axis, &j->axis));
    HS_TRY(hs_alloc(cfg->projection, sizeof *j->feature, &j->feature));
    for (size_t k = 0; k < j->columns; k++) {
        HS_TRY(hs_fail_in(
            hs_clip_reader_text(j->clip, j->text[k], hs_cmd_flag(c, "truncate"), j->axis + k * cfg->projection),
            "--texts"));
    }
out:
    return rc;
}

HS_CHECKED static int open_job(hs_cmd *c, job *j)
{
    int rc = HS_OK;
    HS_TRY(hs_cmd_need_out(c));
    HS_TRY(hs_arrays_check(c, hs_cmd_out(c), "csv"));
    if (strcmp(hs_cmd_str(c, "readout"), "clip") == 0) {
        return open_clip(c, j);
    }
    if (hs_cmd_list(c, "texts", NULL) > 0) {
        return hs_fail(HS_ERANGE, "--texts: go with --readout clip");
    }
    HS_TRY(hs_common_scorer(c, HS_CONV_AUTO, &j->scorer));
    j->cfg = hs_scorer_config(j->scorer);
    j->R = j->cfg->image_size;
    HS_TRY(choose_columns(c, j));
    HS_TRY(hs_alloc(j->cfg->n_factors, sizeof *j->all, &j->all));
    HS_TRY(hs_alloc(j->cfg->features, sizeof *j->feature, &j->feature));
out:
    return rc;
}

/* ---- Images ---------------------------------------------------------------------------------------- */

HS_CHECKED static int make_room(job *j)
{
    if (j->n < j->room) {
        return HS_OK;
    }
    size_t room = j->room > 0 ? 2 * j->room : 64, bytes = 0;
    int rc = HS_OK;
    HS_TRY(hs_size_mul(room, j->columns * sizeof *j->value, &bytes));
    char **name = realloc(j->name, room * sizeof *name);
    if (name == NULL) {
        return hs_fail(HS_ENOMEM, "scores of %zu images: out of memory", room);
    }
    j->name = name;
    double *value = realloc(j->value, bytes);
    if (value == NULL) {
        return hs_fail(HS_ENOMEM, "scores of %zu images: out of memory", room);
    }
    j->value = value;
    j->room = room;
out:
    return rc;
}

/* value (columns) <- of one image. */
HS_CHECKED static int look(job *j, hs_chw shape, const float *x, double *value)
{
    int rc = HS_OK;
    if (j->clip == NULL) {
        HS_TRY(hs_scorer_eval(j->scorer, shape, 1, x, j->all, j->feature));
        for (size_t k = 0; k < j->columns; k++) {
            value[k] = j->feat ? (double)j->feature[k] : j->all[j->column[k]];
        }
        goto out;
    }
    const size_t P = hs_clip_config_of(hs_clip_reader_clip(j->clip))->projection;
    HS_TRY(hs_clip_reader_images(j->clip, shape, 1, x, j->feature));
    for (size_t k = 0; k < j->columns; k++) {
        value[k] = 0;
        for (size_t p = 0; p < P; p++) {
            value[k] += (double)j->axis[k * P + p] * (double)j->feature[p];
        }
    }
out:
    return rc;
}

/* Appends one image's row. */
HS_CHECKED static int score(job *j, const char *name, hs_chw shape, const float *x)
{
    int rc = HS_OK;
    HS_TRY(make_room(j));
    HS_TRY(hs_fail_in(look(j, shape, x, j->value + j->n * j->columns), name));
    HS_TRY(hs_strdup(name, &j->name[j->n]));
    j->n++;
out:
    return rc;
}

/* An image file; its row is called as its file. */
HS_CHECKED static int score_file(hs_cmd *c, job *j, const char *path)
{
    const char *slash = strrchr(path, '/');
    const size_t R = j->R;
    hs_image im = {0};
    float *x = NULL;
    int rc = HS_OK;
    HS_TRY(hs_cmd_input(c, path));
    HS_TRY(hs_image_read(path, 3, NULL, &im));
    HS_TRY(hs_alloc(3 * R * R, sizeof *x, &x));
    if (j->clip != NULL) {
        HS_TRY(hs_fail_in(hs_clip_preprocess(hs_clip_config_of(hs_clip_reader_clip(j->clip)), &im, x), path));
    } else {
        HS_TRY(hs_fail_in(hs_scorer_fit(j->scorer, &im, x), path));
    }
    HS_TRY(score(j, slash != NULL ? slash + 1 : path, (hs_chw){3, R, R}, x));
out:
    free(x);
    hs_image_free(&im);
    return rc;
}

HS_CHECKED static int score_folder(hs_cmd *c, job *j, const char *dir)
{
    char **list = NULL;
    size_t n = 0;
    int rc = HS_OK;
    HS_TRY(hs_image_list(dir, IMAGES_MAX, &list, &n));
    for (size_t i = 0; i < n; i++) {
        HS_TRY(score_file(c, j, list[i]));
        HS_TRY(hs_progress_tell(hs_cmd_progress(c), "images", i + 1, n));
    }
out:
    hs_image_list_free(list, n);
    return rc;
}

/* (N, C, H, W) or (C, H, W); rows are called 0, 1, ... */
HS_CHECKED static int score_array(hs_cmd *c, job *j, const char *path)
{
    hs_array a = {0};
    int rc = HS_OK;
    HS_TRY(hs_common_array(c, path, &a));
    if (a.rank != 3 && a.rank != 4) {
        rc = hs_fail(HS_ESHAPE, "%s: %zu dimensions; wanted images (N, C, H, W)", path, a.rank);
        goto out;
    }
    const size_t *d = a.dim + (a.rank - 3);
    size_t n = a.rank == 4 ? a.dim[0] : 1;
    for (size_t i = 0; i < a.count; i++) {
        if (!isfinite(a.v[i])) {
            rc = hs_fail(HS_ERANGE, "%s: element %zu is not finite", path, i);
            goto out;
        }
    }
    for (size_t i = 0; i < n; i++) {
        char name[32];
        snprintf(name, sizeof name, "%zu", i);
        HS_TRY(hs_fail_in(score(j, name, (hs_chw){d[0], d[1], d[2]}, a.v + i * d[0] * d[1] * d[2]), path));
        HS_TRY(hs_progress_tell(hs_cmd_progress(c), "images", i + 1, n));
    }
out:
    hs_array_free(&a);
    return rc;
}

/* The images /x_0 of a store; rows are called 0, 1, ..., in its order. */
HS_CHECKED static int score_store(hs_cmd *c, job *j, const char *path)
{
    hs_store *store = NULL;
    float *px = NULL, *x = NULL;
    int rc = HS_OK;
    HS_TRY(hs_cmd_input(c, path));
    HS_TRY(hs_store_open(path, &store));
    hs_chw shape = hs_store_image(store);
    size_t n = hs_store_n(store), d = hs_chw_size(shape);
    HS_TRY(hs_alloc(d, sizeof *px, &px));
    HS_TRY(hs_alloc(d, sizeof *x, &x));
    for (size_t i = 0; i < n; i++) {
        char name[32];
        snprintf(name, sizeof name, "%zu", i);
        HS_TRY(hs_fail_in(hs_store_read(store, "x_0", i, 1, px), "wanted images kept by `dump --keep x_0`"));
        hs_nhwc_to_nchw(1, shape.c, shape.h * shape.w, px, x);
        for (size_t k = 0; k < d; k++) {
            x[k] = x[k] / 127.5F - 1;
        }
        HS_TRY(hs_fail_in(score(j, name, shape, x), path));
        HS_TRY(hs_progress_tell(hs_cmd_progress(c), "images", i + 1, n));
    }
out:
    free(px);
    free(x);
    hs_store_close(store);
    return rc;
}

static int ends_with(const char *path, const char *tail)
{
    size_t len = strlen(path), end = strlen(tail);
    return len > end && strcmp(path + len - end, tail) == 0;
}

HS_CHECKED static int score_all(hs_cmd *c, job *j)
{
    const char *const *path;
    size_t n = hs_cmd_inputs(c, &path);
    int rc = HS_OK;
    for (size_t i = 0; i < n; i++) {
        struct stat st;
        if (stat(path[i], &st) == 0 && S_ISDIR(st.st_mode)) {
            HS_TRY(score_folder(c, j, path[i]));
        } else if (ends_with(path[i], ".npy")) {
            HS_TRY(score_array(c, j, path[i]));
        } else if (ends_with(path[i], ".h5")) {
            HS_TRY(score_store(c, j, path[i]));
        } else {
            HS_TRY(score_file(c, j, path[i]));
        }
    }
out:
    return rc;
}

/* ---- The answer ------------------------------------------------------------------------------------ */

/* A column's name; room for one that is made up. */
static const char *column_name(const job *j, size_t k, char room[40])
{
    if (j->clip != NULL) {
        return j->text[k];
    }
    snprintf(room, 40, "feat%zu", k);
    return j->feat ? room : j->cfg->factor[j->column[k]].name;
}

/* A cell as RFC 4180 wants it. */
static void add_cell(hs_str *out, const char *text)
{
    if (strpbrk(text, ",\"\r\n") == NULL) {
        hs_str_add(out, text);
        return;
    }
    hs_str_add(out, "\"");
    for (; *text != '\0'; text++) {
        hs_str_add_bytes(out, text, 1);
        if (*text == '"') {
            hs_str_add(out, "\"");
        }
    }
    hs_str_add(out, "\"");
}

/* As attributes.csv: file, then a column a factor. */
HS_CHECKED static int write_csv(const hs_cmd *c, const job *j)
{
    hs_str text = {0};
    char room[40];
    int rc = HS_OK;
    hs_str_add(&text, "file");
    for (size_t k = 0; k < j->columns; k++) {
        hs_str_add(&text, ",");
        add_cell(&text, column_name(j, k, room));
    }
    hs_str_add(&text, "\n");
    for (size_t i = 0; i < j->n; i++) {
        add_cell(&text, j->name[i]);
        for (size_t k = 0; k < j->columns; k++) {
            hs_str_addf(&text, ",%.9g", j->value[i * j->columns + k]);
        }
        hs_str_add(&text, "\n");
    }
    HS_TRY(hs_str_ok(&text));
    HS_TRY(hs_file_write_atomic(hs_cmd_out(c), text.s, text.len, hs_cmd_force(c)));
out:
    hs_str_free(&text);
    return rc;
}

/* results.scores[]: {"name", "mean", "sd", "values"}; sd with divisor n - 1. */
static void answer(hs_cmd *c, const job *j)
{
    json_t *files = json_array(), *scores = json_array();
    for (size_t i = 0; i < j->n; i++) {
        char safe[300];
        hs_text_escape(j->name[i], safe, sizeof safe);
        json_array_append_new(files, json_string(safe));
    }
    for (size_t k = 0; k < j->columns; k++) {
        char room[40];
        const char *name = column_name(j, k, room);
        double sum = 0, squares = 0, n = (double)j->n;
        json_t *values = json_array();
        for (size_t i = 0; i < j->n; i++) {
            double v = j->value[i * j->columns + k];
            sum += v;
            json_array_append_new(values, hs_json_num(v));
        }
        for (size_t i = 0; i < j->n; i++) {
            double e = j->value[i * j->columns + k] - sum / n;
            squares += e * e;
        }
        double sd = j->n > 1 ? sqrt(squares / (n - 1)) : NAN;
        json_array_append_new(scores, json_pack("{s:s, s:o, s:o, s:o}", "name", name, "mean", hs_json_num(sum / n),
                                                "sd", hs_json_num(sd), "values", values));
        if (!j->feat) {
            hs_cmd_say(c, "%-20s mean %10.4g  sd %10.4g\n", name, sum / n, sd);
        }
    }
    json_object_set_new(hs_cmd_results(c), "n", json_integer((json_int_t)j->n));
    json_object_set_new(hs_cmd_results(c), "files", files);
    json_object_set_new(hs_cmd_results(c), "scores", scores);
    hs_cmd_say(c, "%zu images\n", j->n);
}

static int run(hs_cmd *c)
{
    job j = {0};
    int rc = HS_OK;
    HS_TRY(open_job(c, &j));
    if (hs_cmd_dry_run(c)) {
        hs_cmd_say(c, "%zu columns an image of %zu inputs\n", j.columns, hs_cmd_inputs(c, NULL));
        goto out;
    }
    HS_TRY(score_all(c, &j));
    if (hs_cmd_out(c) != NULL) {
        HS_TRY(write_csv(c, &j));
    }
    answer(c, &j);
out:
    job_free(&j);
    return rc;
}

const hs_command hs_cmd_score = {
    .name = "score",
    .usage = "IMAGES... -o SCORES.csv",
    .purpose =
        "Reads the factors of images off an attribute network, or their cosines with texts in CLIP's space: PNG and "
        "JPEG files, folders of them, arrays (N, "
        "C, H, W), or the "
        "images of a store (dump --keep x_0). Images of another size are cut to the central square and resized; CLIP "
        "resizes first and cuts then.",
    .examples = "hspace score faces/ -o scores.csv\n"
                "hspace score samples.npy --attr my-attr/ --attributes smile,age -o scores.csv\n"
                "hspace score acts.h5 -o labels.csv\n"
                "hspace score faces/ --readout clip --texts \"a face,a smiling face\" --clip clip-vit-base-patch32/ -o "
                "cosines.csv",
    .options = tables,
    .min_inputs = 1,
    .max_inputs = (size_t)-1,
    .run = run,
};
