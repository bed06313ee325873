#include "analysis/cli/edit_out.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/strip_out.h"
#include "analysis/sweep/sweep.h"
#include "core/base/alloc.h"

static size_t pixels_of(const hs_edit_out *e)
{
    return hs_chw_size(e->job->source.image);
}

/* Root mean square over images of |x_0 - plain| in a cell. */
static double effect_of(const hs_edit_out *e, size_t cell)
{
    size_t d = pixels_of(e), n = e->job->source.n, all = e->cells + 1;
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const float *x = e->x_0 + (i * all + cell) * d, *plain = e->x_0 + (i * all + e->cells) * d;
        for (size_t k = 0; k < d; k++) {
            double v = (double)x[k] - (double)plain[k];
            sum += v * v;
        }
    }
    return sqrt(sum / (double)n);
}

void hs_edit_out_report(hs_cmd *c, const hs_edit_out *e)
{
    json_t *r = hs_cmd_results(c), *effects = json_array(), *strengths = json_array(), *none = json_array();
    for (size_t j = 0; j < e->cells; j++) {
        double effect = effect_of(e, j), s1 = e->s1[j % e->m1], s2 = e->m2 > 0 ? e->s2[j / e->m1] : 0;
        int no_effect = (s1 != 0 || s2 != 0) && effect <= HS_SWEEP_NOTHING * e->noise_floor;
        json_array_append_new(effects, hs_json_num(effect));
        json_array_append_new(none, json_boolean(no_effect));
        if (e->m2 > 0) {
            json_array_append_new(strengths, json_pack("[o, o]", hs_json_num(s1), hs_json_num(s2)));
            hs_cmd_say(c, "strengths %6g %6g   image change %.4g (rms over images of |x_0 - plain|)\n", s1, s2, effect);
        } else {
            json_array_append_new(strengths, hs_json_num(s1));
            hs_cmd_say(c, "strength %6g   image change %.4g (rms over images of |x_0 - plain|)\n", s1, effect);
        }
        if (no_effect) {
            hs_cmd_warn(c, "strength %g: no effect, %.3g is within the numerical noise %.3g", s1, effect,
                        e->noise_floor);
        }
    }
    json_object_set_new(r, "n", json_integer((json_int_t)e->job->source.n));
    json_object_set_new(r, "strengths", strengths);
    json_object_set_new(r, "effect", effects);
    json_object_set_new(r, "no_effect", none);
    json_object_set_new(r, "noise_floor", hs_json_num(e->noise_floor));
}

/* ---- Strips ---- */

/* Columns of a strip of one direction or sum: the input where images were given, the unedited image unless a strength
 * is 0, the edits. */
typedef struct {
    int input, plain;
    size_t cols;
} strip_columns;

static strip_columns columns_of(const hs_edit_out *e)
{
    strip_columns k = {.input = e->job->source.kind == HS_SOURCE_IMAGES, .plain = 1};
    for (size_t j = 0; j < e->m1; j++) {
        k.plain &= e->s1[j] != 0;
    }
    k.cols = e->m1 + (size_t)k.input + (size_t)k.plain;
    return k;
}

/* x (n, cols, d) <- the pictures in their columns. */
HS_CHECKED static int lay_pictures(const hs_edit_out *e, strip_columns k, float *x)
{
    int rc = HS_OK;
    size_t d = pixels_of(e), bytes = d * sizeof *x;
    for (size_t i = 0; i < e->job->source.n; i++) {
        const float *from = e->x_0 + i * (e->cells + 1) * d;
        if (k.input) {
            HS_TRY(hs_source_x_0(&e->job->source, i, 1, x));
            x += d;
        }
        if (k.plain) {
            memcpy(x, from + e->cells * d, bytes);
            x += d;
        }
        memcpy(x, from, e->cells * bytes);
        x += e->cells * d;
    }
out:
    return rc;
}

HS_CHECKED static int write_strip(const hs_cmd *c, const hs_edit_out *e)
{
    static const char input[] = "input", plain[] = "0";
    int rc;
    const strip_columns k = columns_of(e);
    size_t n = e->job->source.n, lead = (size_t)k.input + (size_t)k.plain, cells;
    char **strength = NULL, **row = NULL;
    const char **col = NULL;
    float *x = NULL;
    HS_TRY(hs_size_mul(n, k.cols, &cells));
    HS_TRY(hs_alloc(cells, pixels_of(e) * sizeof *x, &x));
    HS_TRY(hs_alloc(k.cols, sizeof *col, &col));
    HS_TRY(hs_strip_labels_of(e->m1, e->s1, &strength));
    HS_TRY(hs_strip_labels_of_source(&e->job->source, &row));
    if (k.input) {
        col[0] = input;
    }
    if (k.plain) {
        col[lead - 1] = plain;
    }
    for (size_t j = 0; j < e->m1; j++) {
        col[lead + j] = e->job->n_dir > 1 ? "edit" : strength[j];
    }
    HS_TRY(lay_pictures(e, k, x));
    const hs_strip_out s = {e->title, n, k.cols, e->job->source.image, x, col, (const char *const *)row, 1};
    HS_TRY(hs_strip_out_write(c, hs_cmd_out(c), &s));
out:
    free(x);
    free(col);
    hs_strip_labels_free(e->m1, strength);
    hs_strip_labels_free(n, row);
    return rc;
}

/* A block an image: the second direction's strengths downwards. */
HS_CHECKED static int write_grid(const hs_cmd *c, const hs_edit_out *e)
{
    int rc;
    size_t n = e->job->source.n, rows;
    char **col = NULL, **each = NULL;
    const char **row = NULL;
    HS_TRY(hs_size_mul(n, e->m2, &rows));
    HS_TRY(hs_alloc(rows, sizeof *row, &row));
    HS_TRY(hs_strip_labels_of(e->m1, e->s1, &col));
    HS_TRY(hs_strip_labels_of(e->m2, e->s2, &each));
    for (size_t i = 0; i < rows; i++) {
        row[i] = each[i % e->m2];
    }
    const hs_strip_out s = {e->title, rows, e->m1, e->job->source.image, e->x_0, (const char *const *)col, row, e->m2};
    HS_TRY(hs_strip_out_write(c, hs_cmd_out(c), &s));
out:
    free(row);
    hs_strip_labels_free(e->m1, col);
    hs_strip_labels_free(e->m2, each);
    return rc;
}

/* ---- All forms ---- */

/* x_0 (n, cells, d): without the unedited column. */
static void drop_plain(hs_edit_out *e)
{
    size_t d = pixels_of(e), bytes = e->cells * d * sizeof *e->x_0;
    for (size_t i = 0; i < e->job->source.n; i++) {
        memmove(e->x_0 + i * e->cells * d, e->x_0 + i * (e->cells + 1) * d, bytes);
    }
}

static int is_npy(const char *path)
{
    size_t n = strlen(path);
    return n > 4 && strcmp(path + n - 4, ".npy") == 0;
}

int hs_edit_out_write(const hs_cmd *c, hs_edit_out *e)
{
    const char *path = hs_cmd_out(c);
    const hs_chw im = e->job->source.image;
    size_t n = e->job->source.n;
    int strip = hs_strip_wanted(c, path, e->cells);
    if (strip && e->m2 == 0) {
        return write_strip(c, e);
    }
    drop_plain(e);
    if (strip) {
        return write_grid(c, e);
    }
    if (e->m2 > 0 && is_npy(path)) {
        const hs_out_array a = {"x", 6, {n, e->m2, e->m1, im.c, im.h, im.w}, HS_F32, e->x_0};
        return hs_arrays_write(c, path, 1, &a);
    }
    return hs_images_write(c, path, n, e->cells > 1 ? e->cells : 0, im, e->x_0);
}
