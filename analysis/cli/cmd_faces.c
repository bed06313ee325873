/* hspace faces: pictures of the procedural faces, and their factors. */
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/common.h"
#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/io/csv.h"
#include "core/io/file.h"
#include "datasets/captions.h"
#include "datasets/faces.h"

static const hs_opt options[] = {
    {"N", 'N', HS_OPT_INT, NULL, 1, 0x1p31, NULL, "n", "Input", "number of faces drawn from the joint distribution"},
    {"first", 0, HS_OPT_INT, "0", 0, 0x1p52, NULL, "i", "Input", "index of the first of them"},
    {"factors", 0, HS_OPT_STR, NULL, 0, 0, NULL, "F.csv", "Input",
     "one face a row, of these factors (as attributes.csv or `hspace score` has them), the others in the middle"},
    {"style", 0, HS_OPT_STR, "paint", 0, 0, "paint|lines", "NAME", "Input", "how they are drawn"},
    {"size", 0, HS_OPT_INT, "32", 8, 1024, NULL, "PIXELS", "Input", "width and height"},
    {"vary", 0, HS_OPT_LIST, NULL, 0, 0, NULL, "A[,B]", "Input",
     "one or two factors over their range, the others in the middle"},
    {"positions", 0, HS_OPT_INT, "7", 2, 100, NULL, "n", "Input", "values of each varied factor (binary ones take 2)"},
    {"captions", 0, HS_OPT_FLAG, NULL, 0, 0, NULL, NULL, "Output", "a caption of each, in DIR/captions.csv"},
    {0}};
static const hs_opt *const tables[] = {options, NULL};

typedef struct {
    size_t style, size;
    size_t axes, axis[2], count[2]; /* varied factors: index and number of values */
    size_t n;                       /* faces */
    hs_csv table;                   /* of --factors */
    double *factor;                 /* (n, hs_face_factor_count()) */
    float *x;                       /* (n, 3, size, size) */
} job;

HS_CHECKED static int read_axes(const hs_cmd *c, job *j)
{
    const char *const *names = NULL;
    j->axes = hs_cmd_list(c, "vary", &names);
    if (j->axes > 2) {
        return hs_fail(HS_ERANGE, "--vary: %zu factors; wanted one or two", j->axes);
    }
    j->n = 1;
    for (size_t k = 0; k < j->axes; k++) {
        int i = hs_face_factor_find(names[k]);
        if (i < 0) {
            return hs_fail(HS_ERANGE, "--vary: '%s' is no factor; wanted smile, age, glasses ... (hspace faces --help)",
                           names[k]);
        }
        j->axis[k] = (size_t)i;
        int binary = hs_face_factor_at(j->axis[k])->kind == HS_FACE_BINARY;
        j->count[k] = binary ? 2 : (size_t)hs_cmd_int(c, "positions");
        j->n *= j->count[k];
    }
    if (j->axes == 2 && j->axis[0] == j->axis[1]) {
        return hs_fail(HS_ERANGE, "--vary: '%s' twice; wanted two factors", names[0]);
    }
    return HS_OK;
}

/* Every column but the first is a factor. */
HS_CHECKED static int read_table(hs_cmd *c, job *j)
{
    const char *path = hs_cmd_str(c, "factors");
    int rc = HS_OK;
    HS_TRY(hs_cmd_input(c, path));
    HS_TRY(hs_csv_read(path, &j->table));
    j->n = j->table.n;
    if (j->n == 0) {
        return hs_fail(HS_EFORMAT, "%s: no row below the header", path);
    }
    for (size_t k = 1; k < j->table.cells; k++) {
        if (hs_face_factor_find(j->table.head[k]) < 0) {
            return hs_fail(HS_EFORMAT, "%s: column \"%.60s\" is no factor; wanted smile, age, glasses ...", path,
                           j->table.head[k]);
        }
    }
out:
    return rc;
}

/* Where the factors come from: the joint distribution, a grid, or a table. */
HS_CHECKED static int read_faces(hs_cmd *c, job *j)
{
    int drawn = hs_cmd_given(c, "N"), varied = hs_cmd_given(c, "vary"), table = hs_cmd_given(c, "factors");
    int rc = HS_OK;
    if (drawn + varied + table != 1) {
        return hs_fail(HS_ERANGE, "-N, --vary, --factors: %d of them given; wanted one", drawn + varied + table);
    }
    if (hs_cmd_given(c, "first") && !drawn) {
        return hs_fail(HS_ERANGE, "--first: chooses among the faces of -N");
    }
    if (varied) {
        HS_TRY(read_axes(c, j));
    } else if (table) {
        HS_TRY(read_table(c, j));
    } else {
        j->n = (size_t)hs_cmd_int(c, "N");
    }
out:
    return rc;
}

static int is_folder_name(const char *path)
{
    size_t n = strlen(path);
    return n < 4 || (strcmp(path + n - 4, ".png") != 0 && strcmp(path + n - 4, ".npy") != 0);
}

HS_CHECKED static int read_job(hs_cmd *c, job *j)
{
    int rc = HS_OK;
    HS_TRY(hs_cmd_need_out(c));
    HS_TRY(hs_images_check(c, hs_cmd_out(c)));
    HS_TRY(read_faces(c, j));
    if (hs_cmd_flag(c, "captions") && hs_cmd_out(c) != NULL && !is_folder_name(hs_cmd_out(c))) {
        return hs_fail(HS_ERANGE, "--captions: go into a folder; wanted -o DIR/");
    }
    j->size = (size_t)hs_cmd_int(c, "size");
    while (strcmp(hs_face_style_name(j->style), hs_cmd_str(c, "style")) != 0) {
        j->style++;
    }
out:
    return rc;
}

static void middle(double *f)
{
    for (size_t k = 0; k < hs_face_factor_count(); k++) {
        const hs_face_factor *a = hs_face_factor_at(k);
        f[k] = a->kind == HS_FACE_BINARY ? 0 : (a->lo + a->hi) / 2;
    }
}

/* Face i of the grid: the last axis runs fastest. */
static void varied(const job *j, size_t i, double *f)
{
    middle(f);
    for (size_t k = j->axes; k-- > 0;) {
        const hs_face_factor *a = hs_face_factor_at(j->axis[k]);
        double t = (double)(i % j->count[k]) / (double)(j->count[k] - 1);
        f[j->axis[k]] = a->lo + t * (a->hi - a->lo);
        i /= j->count[k];
    }
}

/* Row i of the table, as it is drawn: within the factors' ranges, binary ones 0 or 1. */
HS_CHECKED static int tabled(const job *j, size_t i, double *f)
{
    int rc = HS_OK;
    middle(f);
    for (size_t k = 1; k < j->table.cells; k++) {
        size_t q = (size_t)hs_face_factor_find(j->table.head[k]);
        const hs_face_factor *a = hs_face_factor_at(q);
        double v = 0;
        rc = hs_text_f64(hs_csv_cell(j->table.row[i], k), -1e30, 1e30, &v);
        if (rc != HS_OK) {
            return hs_fail(HS_EFORMAT, "--factors: %s of %.60s is no number: \"%.40s\"", a->name, j->table.row[i],
                           hs_csv_cell(j->table.row[i], k));
        }
        v = v > a->lo ? v : a->lo;
        v = v < a->hi ? v : a->hi;
        f[q] = a->kind == HS_FACE_BINARY ? (double)(v >= 0.5) : v;
    }
    return rc;
}

HS_CHECKED static int factors_of(const hs_cmd *c, const job *j, size_t i, double *f)
{
    if (j->table.n > 0) {
        return tabled(j, i, f);
    }
    if (j->axes > 0) {
        varied(j, i, f);
    } else {
        hs_face_draw(hs_cmd_seed(c), (uint64_t)hs_cmd_int(c, "first") + i, f);
    }
    return HS_OK;
}

HS_CHECKED static int draw(hs_cmd *c, job *j)
{
    size_t k = hs_face_factor_count(), d = 3 * j->size * j->size, nk = 0, nd = 0, bytes = 0;
    int rc = HS_OK;
    HS_TRY(hs_size_mul(j->n, k, &nk));
    HS_TRY(hs_size_mul(j->n, d, &nd));
    HS_TRY(hs_size_mul(nd, sizeof *j->x, &bytes));
    HS_TRY(hs_file_fits_memory(bytes));
    HS_TRY(hs_alloc(nk, sizeof *j->factor, &j->factor));
    HS_TRY(hs_alloc(nd, sizeof *j->x, &j->x));
    for (size_t i = 0; i < j->n; i++) {
        double *f = j->factor + i * k;
        HS_TRY(factors_of(c, j, i, f));
        HS_TRY(hs_face_render(j->style, f, j->size, j->x + i * d));
        HS_TRY(hs_progress_tell(hs_cmd_progress(c), "faces", i + 1, j->n));
    }
out:
    return rc;
}

/* DIR/attributes.csv: file, then one column a factor. */
HS_CHECKED static int write_attributes(const hs_cmd *c, const job *j)
{
    size_t k = hs_face_factor_count();
    const char *dir = hs_cmd_out(c);
    hs_str path = {0}, text = {0};
    int rc = HS_OK;
    hs_str_addf(&path, "%s%sattributes.csv", dir, dir[strlen(dir) - 1] == '/' ? "" : "/");
    hs_str_add(&text, "file");
    for (size_t i = 0; i < k; i++) {
        hs_str_addf(&text, ",%s", hs_face_factor_at(i)->name);
    }
    hs_str_add(&text, "\n");
    for (size_t i = 0; i < j->n; i++) {
        hs_str_addf(&text, "%04zu.png", i);
        for (size_t q = 0; q < k; q++) {
            hs_str_addf(&text, ",%.17g", j->factor[i * k + q]);
        }
        hs_str_add(&text, "\n");
    }
    HS_TRY(hs_str_ok(&path));
    HS_TRY(hs_str_ok(&text));
    HS_TRY(hs_file_write_atomic(path.s, text.s, text.len, hs_cmd_force(c)));
out:
    hs_str_free(&path);
    hs_str_free(&text);
    return rc;
}

/* DIR/captions.csv: file, then what is said of the face, in quotes. */
HS_CHECKED static int write_captions(const hs_cmd *c, const job *j)
{
    const char *dir = hs_cmd_out(c);
    hs_str path = {0}, text = {0};
    hs_caption caption;
    int rc = HS_OK;
    hs_str_addf(&path, "%s%scaptions.csv", dir, dir[strlen(dir) - 1] == '/' ? "" : "/");
    hs_str_add(&text, "file,caption\n");
    for (size_t i = 0; i < j->n; i++) {
        uint64_t index = (uint64_t)hs_cmd_int(c, "first") + i;
        hs_caption_draw(j->factor + i * hs_face_factor_count(), hs_cmd_seed(c), index, HS_CAPTION_ANY, &caption);
        hs_str_addf(&text, "%04zu.png,\"%s\"\n", i, caption.text);
    }
    HS_TRY(hs_str_ok(&path));
    HS_TRY(hs_str_ok(&text));
    HS_TRY(hs_file_write_atomic(path.s, text.s, text.len, hs_cmd_force(c)));
out:
    hs_str_free(&path);
    hs_str_free(&text);
    return rc;
}

/* What the factors are and how they go together. */
static void describe(hs_cmd *c)
{
    json_t *factors = json_array(), *pairs = json_array();
    for (size_t i = 0; i < hs_face_factor_count(); i++) {
        const hs_face_factor *a = hs_face_factor_at(i);
        json_array_append_new(factors, json_pack("{s:s, s:s, s:o, s:o, s:s}", "name", a->name, "kind",
                                                 a->kind == HS_FACE_BINARY ? "binary" : "continuous", "lo",
                                                 hs_json_num(a->lo), "hi", hs_json_num(a->hi), "meaning", a->meaning));
        for (size_t k = i + 1; k < hs_face_factor_count(); k++) {
            double r = hs_face_correlation(i, k);
            if (r != 0) {
                json_array_append_new(pairs, json_pack("{s:s, s:s, s:o}", "a", a->name, "b", hs_face_factor_at(k)->name,
                                                       "pearson", hs_json_num(r)));
            }
        }
    }
    json_object_set_new(hs_cmd_results(c), "factors", factors);
    json_object_set_new(hs_cmd_results(c), "correlations", pairs);
}

HS_CHECKED static int answer(hs_cmd *c, const job *j)
{
    const size_t dim[4] = {j->n, 3, j->size, j->size};
    const char *out = hs_cmd_out(c);
    hs_chw shape = {3, j->size, j->size};
    int rc = HS_OK;
    json_object_set_new(hs_cmd_results(c), "images", hs_common_summary(4, dim, j->x));
    if (out == NULL) {
        return HS_OK;
    }
    if (is_folder_name(out)) {
        HS_TRY(hs_images_write(c, out, j->n, 0, shape, j->x));
        HS_TRY(write_attributes(c, j));
        if (hs_cmd_flag(c, "captions")) {
            HS_TRY(write_captions(c, j));
        }
    } else {
        size_t cols = j->axes > 0 ? j->count[j->axes - 1] : 0;
        HS_TRY(hs_images_write(c, out, cols > 0 ? j->n / cols : j->n, cols, shape, j->x));
    }
    hs_cmd_say(c, "%zu faces of %zu x %zu in %s\n", j->n, j->size, j->size, out);
out:
    return rc;
}

static int run(hs_cmd *c)
{
    job j = {0};
    int rc = HS_OK;
    HS_TRY(read_job(c, &j));
    json_object_set_new(hs_cmd_results(c), "n", json_integer((json_int_t)j.n));
    describe(c);
    if (hs_cmd_dry_run(c)) {
        double bytes = (double)j.n * 3 * (double)j.size * (double)j.size * sizeof(float);
        json_object_set_new(hs_cmd_results(c), "plan", json_pack("{s:o}", "bytes", hs_json_num(bytes)));
        hs_cmd_say(c, "%zu faces, %.0f bytes of pixels\n", j.n, bytes);
        goto out;
    }
    HS_TRY(draw(c, &j));
    HS_TRY(answer(c, &j));
out:
    hs_csv_free(&j.table);
    free(j.factor);
    free(j.x);
    return rc;
}

const hs_command hs_cmd_faces = {
    .name = "faces",
    .usage = "(-N n | --vary A[,B] | --factors F.csv) -o DIR/|OUT.png|OUT.npy",
    .purpose = "Draws faces whose factors are known; DIR/ also gets attributes.csv. Factors: smile mouth_open eye_open "
               "brow face_width age skin hair_length hair_hue beard glasses hat yaw light background.",
    .examples = "hspace faces -N 100 --size 64 -o faces/\n"
                "hspace faces --factors scores.csv -o drawn/\n"
                "hspace faces --vary smile,yaw --style lines --size 128 -o grid.png",
    .options = tables,
    .run = run,
};
