/* analysis/figures: the data file holds what went in, gnuplot draws it, and nothing a file says runs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/figures/from_result.h"
#include "analysis/figures/linearity.h"
#include "analysis/figures/loss.h"
#include "analysis/figures/matrix.h"
#include "analysis/figures/palette.h"
#include "analysis/figures/scree.h"
#include "analysis/figures/sweep.h"
#include "analysis/figures/theorem1.h"
#include "core/io/image.h"
#include "core/io/result.h"
#include "tests/support/support.h"

static const double s5[5] = {-2, -1, 0, 1, 2}, mean5[5] = {-0.2, -0.1, 0, 0.1, 0.2}, lo5[5] = {-0.3, -0.2, 0, 0, 0.1},
                    hi5[5] = {-0.1, 0, 0, 0.2, 0.3}, nlo5[5] = {-0.01, -0.01, 0, -0.01, -0.02},
                    nhi5[5] = {0.01, 0.01, 0, 0.01, 0.02};

static hs_figure_line line(void)
{
    return (hs_figure_line){"brightness", "pc0", "holds", 5, s5, mean5, lo5, hi5, nlo5, nhi5, 0.1, 0.97, 8, 2000, 95};
}

static void need_gnuplot(void)
{
    if (system("gnuplot --version >/dev/null 2>&1") != 0) {
        printf("SKIP: gnuplot is absent\n");
        skip();
    }
}

static void test_data_file_holds_the_numbers(void **state)
{
    (void)state;
    hs_figure_line p = line();
    hs_figure_options o = {.out = temp_path("lin.svg")};
    int drawn;
    p.null_hi = NULL; /* an absent column is nan */
    assert_ok(hs_figure_linearity(&p, 1, &o, &drawn));
    char *dat = read_text(temp_path("lin.dat")), *at = strchr(dat, '\n');
    for (size_t j = 0; j < 5; j++) {
        const double want[6] = {s5[j], mean5[j], lo5[j], hi5[j], nlo5[j], (double)NAN};
        for (int k = 0; k < 6; k++) {
            double v = strtod(at, &at);
            assert_true(v == want[k] || (isnan(v) && isnan(want[k])));
        }
    }
    free(dat);
    char *gp = read_text(temp_path("lin.gp"));
    assert_non_null(strstr(gp, "data = \"lin.dat\""));
    free(gp);
}

static void test_formats(void **state)
{
    (void)state;
    need_gnuplot();
    hs_figure_line p[2] = {line(), line()};
    hs_figure_options o = {.mark = "untrained"};
    int drawn = 0;
    o.out = temp_path("f.pdf");
    assert_ok(hs_figure_linearity(p, 2, &o, &drawn));
    assert_int_equal(drawn, 1);
    char *pdf = read_text(o.out);
    assert_memory_equal(pdf, "%PDF-", 5);
    free(pdf);
    /* 3.25 in at 300 dpi; something is drawn in the curve's colour. */
    hs_image im;
    o.out = temp_path("g.png");
    assert_ok(hs_figure_linearity(p, 1, &o, &drawn));
    assert_ok(hs_image_read(o.out, 3, NULL, &im));
    assert_int_equal(im.w, 975);
    size_t blue = 0;
    for (size_t i = 0; i < im.w * im.h; i++) {
        const uint8_t *q = im.px + 3 * i;
        blue += q[0] == 0x00 && q[1] == 0x72 && q[2] == 0xb2;
    }
    assert_true(blue > 200);
    hs_image_free(&im);
    o.out = temp_path("h.svg");
    assert_ok(hs_figure_linearity(p, 1, &o, &drawn));
    char *svg = read_text(o.out);
    assert_non_null(strstr(svg, "<svg"));
    assert_non_null(strstr(svg, "untrained"));
    assert_non_null(strstr(svg, "n = 8 images"));
    assert_non_null(strstr(svg, "B = 2000"));
    free(svg);
}

static void test_texts_of_files_are_only_text(void **state)
{
    (void)state;
    need_gnuplot();
    hs_figure_line p = line();
    char marker[256], name[1024];
    snprintf(marker, sizeof marker, "%s", temp_path("ran"));
    snprintf(name, sizeof name, "'; system('touch %s'); '`touch %s`\n!touch %s\n<script>&", marker, marker, marker);
    p.readout = name;
    p.direction = NULL;
    hs_figure_options o = {.out = temp_path("evil.svg"), .width = 20};
    int drawn;
    assert_ok(hs_figure_linearity(&p, 1, &o, &drawn));
    assert_int_equal(drawn, 1);
    assert_int_not_equal(access(marker, F_OK), 0);
    char *svg = read_text(o.out);
    assert_null(strstr(svg, "<script>"));
    assert_non_null(strstr(svg, "&lt;script>&amp;"));
    free(svg);
}

static void test_loss_curve(void **state)
{
    (void)state;
    const double update[3] = {100, 200, 300}, loss[3] = {0.5, 0.05, 0.01}, norm[3] = {2, 1, 0.3};
    const hs_figure_training run = {3, update, loss, norm, 71.4, 90};
    hs_figure_training short_run = run;
    hs_figure_options o = {.out = temp_path("loss.svg")};
    int drawn;
    assert_ok(hs_figure_loss(&run, &o, &drawn));
    char *dat = read_text(temp_path("loss.dat")), *at = strchr(dat, '\n');
    for (size_t i = 0; i < 3; i++) {
        assert_true(strtod(at, &at) == update[i]);
        assert_true(strtod(at, &at) == loss[i]);
        assert_true(strtod(at, &at) == norm[i]);
    }
    free(dat);
    char *gp = read_text(temp_path("loss.gp"));
    assert_non_null(strstr(gp, "set logscale y"));
    assert_non_null(strstr(gp, "update 300: 1.5 minutes, 71.4 images a second"));
    free(gp);
    short_run.n = 1;
    assert_code(hs_figure_loss(&short_run, &o, &drawn), HS_ESHAPE);
}

static void test_missing_and_failing_gnuplot(void **state)
{
    (void)state;
    hs_figure_line p = line();
    int drawn = 1;
    hs_figure_options o = {.out = temp_path("late.pdf")};
    setenv("HSPACE_GNUPLOT", "/nonexistent/gnuplot", 1);
    assert_ok(hs_figure_linearity(&p, 1, &o, &drawn));
    assert_int_equal(drawn, 0);
    assert_int_not_equal(access(o.out, F_OK), 0);
    assert_int_equal(access(temp_path("late.gp"), F_OK), 0);
    assert_int_equal(access(temp_path("late.dat"), F_OK), 0);
    setenv("HSPACE_GNUPLOT", "false", 1);
    o.out = temp_path("fails.pdf");
    assert_code(hs_figure_linearity(&p, 1, &o, &drawn), HS_EIO);
    assert_int_equal(access(temp_path("fails.gp"), F_OK), 0);
    unsetenv("HSPACE_GNUPLOT");
}

static void test_nothing_is_overwritten(void **state)
{
    (void)state;
    need_gnuplot();
    hs_figure_line p = line();
    int drawn;
    hs_figure_options o = {.out = temp_path("once.svg")};
    assert_ok(hs_figure_linearity(&p, 1, &o, &drawn));
    assert_code(hs_figure_linearity(&p, 1, &o, &drawn), HS_ERANGE);
    assert_int_equal(unlink(o.out), 0); /* the script is there still */
    assert_code(hs_figure_linearity(&p, 1, &o, &drawn), HS_ERANGE);
    o.force = 1;
    assert_ok(hs_figure_linearity(&p, 1, &o, &drawn));
}

static void test_refusals(void **state)
{
    (void)state;
    hs_figure_line p = line();
    int drawn;
    static const char *const bad[] = {"x.jpg", "x", ".svg", "a\nb.svg"};
    for (size_t i = 0; i < 4; i++) {
        assert_code(hs_figure_linearity(&p, 1, &(hs_figure_options){.out = bad[i]}, &drawn), HS_ERANGE);
    }
    hs_figure_options o = {.out = "/nonexistent/x.svg"};
    assert_code(hs_figure_linearity(&p, 1, &o, &drawn), HS_EIO);
    assert_code(hs_figure_linearity(&p, 0, &o, &drawn), HS_ESHAPE);
    assert_code(hs_figure_sweep(NULL, 0, &o, &drawn), HS_ESHAPE);
    assert_code(hs_figure_sweep(&(hs_figure_sweep_panel){"x", 0, 0, NULL}, 1, &o, &drawn), HS_ESHAPE);
    assert_code(hs_figure_scree(NULL, 0, 3, 1, &o, &drawn), HS_ESHAPE);
    assert_code(hs_figure_matrix(&(hs_figure_table){.rows = 0, .cols = 3}, &o, &drawn), HS_ESHAPE);
    o.width = 1;
    assert_code(hs_figure_linearity(&p, 1, &o, &drawn), HS_ERANGE);
    p.m = 1;
    assert_code(hs_figure_linearity(&p, 1, &o, &drawn), HS_ESHAPE);
}

/* The number behind the last `name` in a script. */
static double last_number(const char *text, const char *name)
{
    const char *found = NULL;
    for (const char *at = strstr(text, name); at != NULL; at = strstr(at + 1, name)) {
        found = at;
    }
    assert_non_null(found);
    return strtod(found + strlen(name), NULL);
}

/* Beside a matrix of any width its colours' numbers have .29 inches. */
static void test_room_beside_the_colours(void **state)
{
    (void)state;
    const double value[4] = {1, -0.5, 0.25, 0}, widths[] = {2.5, 3.25, 5.5, 6.75};
    const char *const label[] = {"999", "0"};
    const hs_figure_table t = {.title = "t",
                               .caption = "",
                               .rows = 2,
                               .cols = 2,
                               .value = value,
                               .row_label = label,
                               .col_label = label,
                               .is_signed = 1};
    for (size_t i = 0; i < 4; i++) {
        hs_figure_options o = {.out = temp_path("colours.svg"), .width = widths[i], .force = 1};
        int drawn;
        assert_ok(hs_figure_matrix(&t, &o, &drawn));
        char *gp = read_text(temp_path("colours.gp"));
        double left = last_number(gp, "set lmargin at screen "),
               panel = last_number(gp, "set rmargin at screen ") - left;
        double end = left + panel * (last_number(gp, "origin graph ") + last_number(gp, "size graph "));
        assert_true((1 - end) * widths[i] > 0.29);
        free(gp);
    }
}

/* Lightness of the sequence rises, so that the order survives in grey. */
static void test_sequential_palette_rises(void **state)
{
    (void)state;
    double last = -1;
    for (int i = 0; i <= 45; i++) {
        char hex[8];
        unsigned r, g, b;
        hs_palette_sequential(i / 45.0, hex);
        assert_int_equal(sscanf(hex, "#%2x%2x%2x", &r, &g, &b), 3);
        double y = 0.2126 * pow(r / 255.0, 2.2) + 0.7152 * pow(g / 255.0, 2.2) + 0.0722 * pow(b / 255.0, 2.2);
        assert_true(y > last);
        last = y;
    }
    char hex[8];
    hs_palette_sequential(-3, hex);
    assert_string_equal(hex, "#291B55");
    hs_palette_sequential(7, hex);
    assert_string_equal(hex, "#F6E94C");
}

/* ---- From result files ------------------------------------------------------------------------------ */

static const size_t five = 5;

static void make_linearity(const char *path, int with_mean)
{
    hs_result *r;
    assert_ok(hs_result_create(path, "linearity", 1, &r));
    assert_ok(hs_result_put_f64(r, "strength", "strength", 1, &five, s5));
    if (with_mean) {
        assert_ok(hs_result_put_f64(r, "effect_mean", "strength", 1, &five, mean5));
    }
    assert_ok(hs_result_put_f64(r, "ci_low", "strength", 1, &five, lo5));
    assert_ok(hs_result_put_f64(r, "ci_high", "strength", 1, &five, hi5));
    assert_ok(hs_result_attr_str(r, NULL, "readout", "brightness"));
    assert_ok(hs_result_attr_str(r, NULL, "verdict", "no effect"));
    assert_ok(hs_result_attr_f64(r, NULL, "slope", 0.1));
    assert_ok(hs_result_attr_i64(r, NULL, "n", 8));
    assert_ok(hs_result_attr_i64(r, NULL, "bootstrap", 500));
    assert_ok(hs_result_attr_i64(r, NULL, "untrained", 1));
    assert_ok(hs_result_commit(r));
    hs_result_free(r);
}

static void make_sweep(const char *path, const char *direction)
{
    hs_result *r;
    const size_t dim[2] = {2, 5};
    const double score[10] = {1, 2, 3, 4, 5, 0, 0, 7, 0, 0};
    assert_ok(hs_result_create(path, "sweep", 1, &r));
    assert_ok(hs_result_put_f64(r, "strength", "strength", 1, &five, s5));
    assert_ok(hs_result_put_f64(r, "effect", "sample,strength", 2, dim, score));
    assert_ok(hs_result_put_f64(r, "score_h_later_3", "sample,strength", 2, dim, score));
    assert_ok(hs_result_attr_str(r, NULL, "readout", "brightness"));
    assert_ok(hs_result_attr_str(r, NULL, "readouts", "brightness\nh_later:3"));
    assert_ok(hs_result_attr_str(r, NULL, "direction", direction));
    assert_ok(hs_result_commit(r));
    hs_result_free(r);
}

static void test_linearity_file(void **state)
{
    (void)state;
    need_gnuplot();
    const char *h5 = temp_path("lin.h5"), *out = temp_path("from.svg");
    int drawn;
    make_linearity(h5, 1);
    assert_ok(hs_figure_from_results(&h5, 1, NULL, &(hs_figure_options){.out = out}, &drawn));
    char *svg = read_text(out);
    assert_non_null(strstr(svg, "untrained")); /* the file says so itself */
    assert_non_null(strstr(svg, "no effect"));
    assert_non_null(strstr(svg, "B = 500"));
    free(svg);
    make_linearity(h5, 0);
    assert_code(hs_figure_from_results(&h5, 1, NULL, &(hs_figure_options){.out = out, .force = 1}, &drawn), HS_EFORMAT);
}

static void test_sweep_files(void **state)
{
    (void)state;
    need_gnuplot();
    char out[256], a[256], b[256];
    const char *h5[2] = {a, b};
    snprintf(a, sizeof a, "%s", temp_path("a.h5"));
    snprintf(b, sizeof b, "%s", temp_path("b.h5"));
    snprintf(out, sizeof out, "%s", temp_path("sweep.svg"));
    int drawn;
    make_sweep(h5[0], "pc0");
    make_sweep(h5[1], "random0");
    assert_ok(hs_figure_from_results(h5, 2, NULL, &(hs_figure_options){.out = out}, &drawn));
    char *svg = read_text(out), *dat = read_text(temp_path("sweep.dat"));
    assert_non_null(strstr(svg, "h_later:3"));
    assert_non_null(strstr(svg, "random0"));
    /* First row: strength -2, mean of 1 - 3 and 0 - 7, the two. */
    assert_non_null(strstr(dat, "# pc0\n-2 -4.5 -2 -7\n"));
    free(svg);
    free(dat);
    h5[1] = temp_path("other.h5");
    make_linearity(h5[1], 1);
    assert_code(hs_figure_from_results(h5, 2, NULL, &(hs_figure_options){.out = out, .force = 1}, &drawn), HS_ERANGE);
    assert_code(hs_figure_from_results(h5, 1, "nothing", &(hs_figure_options){.out = out, .force = 1}, &drawn),
                HS_ERANGE);
}

static void test_pca_and_similarity_files(void **state)
{
    (void)state;
    need_gnuplot();
    const char *h5 = temp_path("pca.h5"), *out = temp_path("pca.svg");
    const size_t dim[2] = {2, 3};
    const double ratio[6] = {0.5, 0.25, 0.125, 0.4, 0.3, 0.2};
    const int64_t t[2] = {290, 145};
    hs_result *r;
    int drawn;
    assert_ok(hs_result_create(h5, "pca", 1, &r));
    assert_ok(hs_result_put_f64(r, "explained_variance_ratio", "timestep,component", 2, dim, ratio));
    assert_ok(hs_result_put_i64(r, "timestep", "timestep", 1, dim, t));
    assert_ok(hs_result_commit(r));
    hs_result_free(r);
    assert_ok(hs_figure_from_results(&h5, 1, NULL, &(hs_figure_options){.out = out}, &drawn));
    char *dat = read_text(temp_path("pca.dat"));
    assert_non_null(strstr(dat, "# t = 290\n1 0.5 0.5\n2 0.25 0.75\n3 0.125 0.875\n"));
    free(dat);

    static const char *const row[2] = {"pc0", "pc1"};
    assert_ok(hs_result_create(h5, "similarity", 1, &r));
    assert_ok(hs_result_put_f64(r, "similarity", "row,column", 2, dim, ratio));
    assert_ok(hs_result_put_strings(r, "row", "row", 2, row));
    assert_ok(hs_result_attr_str(r, NULL, "metric", "cka"));
    assert_ok(hs_result_commit(r));
    hs_result_free(r);
    assert_ok(hs_figure_from_results(&h5, 1, NULL, &(hs_figure_options){.out = out, .force = 1}, &drawn));
    char *svg = read_text(out);
    assert_non_null(strstr(svg, "pc1"));
    assert_non_null(strstr(svg, "0.13")); /* 0.125, printed in its cell */
    free(svg);
}

static void test_theorem1_files(void **state)
{
    (void)state;
    need_gnuplot();
    char path[2][256];
    const char *h5[8] = {path[0], path[1], path[0], path[0], path[0], path[0], path[0], path[0]};
    const char *out = temp_path("t1.svg");
    const int64_t t[3] = {999, 500, 0};
    const double symmetric[3] = {-0.5, -0.25, -0.125}, asymmetric[3] = {-1.5, -1.25, -0.125};
    int drawn;
    for (size_t i = 0, S = 3; i < 2; i++, S--) {
        hs_result *r;
        snprintf(path[i], sizeof path[i], "%s", temp_path(i == 0 ? "t3.h5" : "t2.h5"));
        assert_ok(hs_result_create(path[i], "theorem1", 1, &r));
        assert_ok(hs_result_put_i64(r, "timestep", "timestep", 1, &S, t));
        assert_ok(hs_result_put_f64(r, "symmetric", "timestep", 1, &S, symmetric));
        assert_ok(hs_result_put_f64(r, "asymmetric", "timestep", 1, &S, asymmetric));
        assert_ok(hs_result_commit(r));
        hs_result_free(r);
    }
    assert_ok(hs_figure_from_results(h5, 2, NULL, &(hs_figure_options){.out = out}, &drawn));
    assert_int_equal(drawn, 1);
    char *dat = read_text(temp_path("t1.dat")), *svg = read_text(out);
    assert_non_null(strstr(dat, "999 -0.5 -1.5\n500 -0.25 -1.25\n0 -0.125 -0.125\n"));
    assert_non_null(strstr(svg, "2 steps"));
    free(dat);
    free(svg);
    hs_figure_options again = {.out = out, .force = 1};
    assert_code(hs_figure_from_results(h5, 8, NULL, &again, &drawn), HS_ERANGE);
    assert_code(hs_figure_theorem1(NULL, 0, &again, &drawn), HS_ESHAPE);
    assert_code(hs_figure_theorem1(&(hs_figure_coefficients){.label = ""}, 1, &again, &drawn), HS_ESHAPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_file_holds_the_numbers),
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_texts_of_files_are_only_text),
        cmocka_unit_test(test_loss_curve),
        cmocka_unit_test(test_missing_and_failing_gnuplot),
        cmocka_unit_test(test_nothing_is_overwritten),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_room_beside_the_colours),
        cmocka_unit_test(test_sequential_palette_rises),
        cmocka_unit_test(test_linearity_file),
        cmocka_unit_test(test_sweep_files),
        cmocka_unit_test(test_pca_and_similarity_files),
        cmocka_unit_test(test_theorem1_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
