/* hspace score: what an attribute network says of images. */
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
    {"readout", 0, HS_OPT_STR, "attr", 0, 0, "attr|feat", "KIND", "Read-out",
     "attr: the factors in their own units; feat: the network's features"},
    HS_OPT_ATTR,
    {"attributes", 0, HS_OPT_LIST, NULL, 0, 0, NULL, "A,B,...", "Read-out", "these factors alone"},
    {0}};
static const hs_opt *const tables[] = {options, NULL};

typedef struct {
    hs_scorer *scorer;
    const hs_attrnet_config *cfg;
    int feat;
    size_t columns, column[HS_ATTR_FACTORS_MAX]; /* attr: which factors */
    size_t n, room;
    char **name;    /* (n) */
    double *value;  /* (n, columns) */
    double *all;    /* (K) of one image */
    float *feature; /* (F) of one image */
} job;

static void job_free(job *j)
{
    hs_image_list_free(j->name, j->n);
    free(j->value);
    free(j->all);
    free(j->feature);
    hs_scorer_free(j->scorer);
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

HS_CHECKED static int open_job(hs_cmd *c, job *j)
{
    int rc = HS_OK;
    HS_TRY(hs_cmd_need_out(c));
    HS_TRY(hs_arrays_check(c, hs_cmd_out(c), "csv"));
    HS_TRY(hs_common_scorer(c, HS_CONV_AUTO, &j->scorer));
    j->cfg = hs_scorer_config(j->scorer);
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

/* Appends one image's row. */
HS_CHECKED static int score(job *j, const char *name, hs_chw shape, const float *x)
{
    int rc = HS_OK;
    HS_TRY(make_room(j));
    HS_TRY(hs_fail_in(hs_scorer_eval(j->scorer, shape, 1, x, j->all, j->feature), name));
    for (size_t k = 0; k < j->columns; k++) {
        j->value[j->n * j->columns + k] = j->feat ? (double)j->feature[k] : j->all[j->column[k]];
    }
    HS_TRY(hs_strdup(name, &j->name[j->n]));
    j->n++;
out:
    return rc;
}

/* An image file; its row is called as its file. */
HS_CHECKED static int score_file(hs_cmd *c, job *j, const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t R = j->cfg->image_size;
    hs_image im = {0};
    float *x = NULL;
    int rc = HS_OK;
    HS_TRY(hs_cmd_input(c, path));
    HS_TRY(hs_image_read(path, 3, NULL, &im));
    HS_TRY(hs_alloc(3 * R * R, sizeof *x, &x));
    HS_TRY(hs_fail_in(hs_scorer_fit(j->scorer, &im, x), path));
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

static void column_name(const job *j, size_t k, char out[40])
{
    if (j->feat) {
        snprintf(out, 40, "feat%zu", k);
    } else {
        snprintf(out, 40, "%s", j->cfg->factor[j->column[k]].name);
    }
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
    char name[40];
    int rc = HS_OK;
    hs_str_add(&text, "file");
    for (size_t k = 0; k < j->columns; k++) {
        column_name(j, k, name);
        hs_str_add(&text, ",");
        add_cell(&text, name);
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
        char name[40];
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
        column_name(j, k, name);
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
    .purpose = "Reads the factors of images off an attribute network: PNG and JPEG files, folders of them, arrays (N, "
               "C, H, W), or the "
               "images of a store (dump --keep x_0). Images of another size are cut to the central square and resized.",
    .examples = "hspace score faces/ -o scores.csv\n"
                "hspace score samples.npy --attr my-attr/ --attributes smile,age -o scores.csv\n"
                "hspace score acts.h5 -o labels.csv",
    .options = tables,
    .min_inputs = 1,
    .max_inputs = (size_t)-1,
    .run = run,
};
