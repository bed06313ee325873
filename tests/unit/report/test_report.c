/* analysis/report: a page from result files, stores and strips. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/report/report.h"
#include "core/io/file.h"
#include "core/io/image.h"
#include "core/io/result.h"
#include "tests/support/support.h"

static const size_t three = 3;
static const double s3[3] = {-1, 0, 1}, y3[3] = {-0.1, 0, 0.1};
static char pca[256], sweep[256], lin[256], strip[256], other[256], out[256], hdf5[256];

static int setup(void **state)
{
    (void)state;
    char *const path[] = {pca, sweep, lin, strip, other, out, hdf5};
    static const char *const name[] = {"pca.h5", "pc0.h5", "pc0-lin.h5", "pc0.png", "alone.png", "r.html", "x.h5"};
    for (size_t i = 0; i < sizeof path / sizeof *path; i++) {
        snprintf(path[i], 256, "%s", temp_path(name[i]));
    }
    hs_result *r;
    const size_t dim[2] = {2, 3};
    const double table[6] = {0, 1, 2, 1, 1, 1};
    assert_ok(hs_result_create(pca, "pca", 1, &r));
    assert_ok(hs_result_put_f64(r, "explained_variance_ratio", "component", 1, &three, table));
    assert_ok(hs_result_attr_str(r, NULL, "command_line", "hspace pca acts.h5 -o <b>pca.h5"));
    assert_ok(hs_result_commit(r));
    hs_result_free(r);
    assert_ok(hs_result_create(sweep, "sweep", 1, &r));
    assert_ok(hs_result_put_f64(r, "strength", "strength", 1, &three, s3));
    assert_ok(hs_result_put_f64(r, "effect", "sample,strength", 2, dim, table));
    assert_ok(hs_result_attr_str(r, NULL, "direction", "pc0"));
    assert_ok(hs_result_attr_i64(r, NULL, "untrained", 1));
    assert_ok(hs_result_commit(r));
    hs_result_free(r);
    assert_ok(hs_result_create(lin, "linearity", 1, &r));
    assert_ok(hs_result_put_f64(r, "strength", "strength", 1, &three, s3));
    assert_ok(hs_result_put_f64(r, "effect_mean", "strength", 1, &three, y3));
    assert_ok(hs_result_attr_str(r, NULL, "direction", "pc0"));
    assert_ok(hs_result_attr_str(r, NULL, "readout", "brightness"));
    assert_ok(hs_result_attr_str(r, NULL, "verdict", "inconclusive"));
    assert_ok(hs_result_attr_str(r, NULL, "reason", "Too few strengths."));
    assert_ok(hs_result_attr_str(r, NULL, "property", "linearity"));
    assert_ok(hs_result_attr_str(r, NULL, "notes", "low n\nno rival"));
    assert_ok(hs_result_attr_f64(r, NULL, "primary_value", 0.8125));
    assert_ok(hs_result_attr_f64(r, NULL, "primary_low", 0.75));
    assert_ok(hs_result_attr_f64(r, NULL, "primary_high", 0.875));
    assert_ok(hs_result_attr_f64(r, NULL, "standard", 0.85));
    static const char *const statistic[] = {"slope", "gain[2]", "curvature"}, *const why[] = {"", "",
                                                                                              "needs <vectors>"};
    const double low[3] = {1, 1, NAN}, value[3] = {1.25, 9, NAN}, high[3] = {1.5, 1, NAN};
    assert_ok(hs_result_put_strings(r, "statistic", "statistic", 3, statistic));
    assert_ok(hs_result_put_strings(r, "statistic_reason", "statistic", 3, why));
    assert_ok(hs_result_put_f64(r, "statistic_value", "statistic", 1, &three, value));
    assert_ok(hs_result_put_f64(r, "statistic_low", "statistic", 1, &three, low));
    assert_ok(hs_result_put_f64(r, "statistic_high", "statistic", 1, &three, high));
    assert_ok(hs_result_commit(r));
    hs_result_free(r);
    uint8_t px[12] = {0};
    assert_ok(hs_image_write(strip, &(hs_image){2, 2, 3, px}, 1));
    assert_ok(hs_image_write(other, &(hs_image){4, 3, 1, px}, 1));
    return 0;
}

static char *make(const hs_report_options *o)
{
    const char *const in[] = {pca, sweep, lin, other, strip};
    size_t undrawn = 9;
    unsigned char *b;
    size_t n;
    assert_ok(hs_report_write(in, 5, o, out, &undrawn));
    assert_ok(hs_file_read(out, 1 << 24, &b, &n));
    char *s = realloc(b, n + 1);
    assert_non_null(s);
    s[n] = '\0';
    return s;
}

static void test_everything_is_on_the_page_in_order(void **state)
{
    (void)state;
    char *html = make(&(hs_report_options){.title = "A & B", .force = 1});
    static const char *const in_order[] = {
        "<h1>A &amp; B <span class=\"mark\">untrained</span></h1>", /* one file says so, the page says so */
        "Verdicts</h2>",
        "<h3>pc0</h3>",
        "<div class=\"card open\"><span>linearity of brightness</span><b>inconclusive</b>",
        "0.812 [0.75, 0.875]; standard 0.85",
        "Too few strengths.",
        "Principal components</h2>",
        "Linearity</h2>",
        "Sweeps</h2>",
        "<span class=\"mark\">untrained</span>",
        "Images along pc0",
        "Pictures</h2>",
        "alone.png",
        "Statistics</h2>",
        "linearity of pc0, read-out brightness</h3>",
        "slope</td>",
        "[1, 1.5]",
        "needs &lt;vectors&gt;",
        "Notes: low n; no rival",
        "Where it comes from</h2>",
        "hspace pca acts.h5 -o &lt;b&gt;pca.h5"};
    const char *at = html;
    for (size_t i = 0; i < sizeof in_order / sizeof *in_order; i++) {
        const char *next = strstr(at, in_order[i]);
        if (next == NULL) {
            fail_msg("%s is missing or out of order", in_order[i]);
        }
        at = next + 1;
    }
    free(html);
}

/* A direction named as a control comes last and is marked. */
static void test_controls(void **state)
{
    (void)state;
    static const char *const control[] = {"other", "pc0"};
    char *html = make(&(hs_report_options){.force = 1, .n_controls = 2, .control = control});
    assert_non_null(strstr(html, "<h3>pc0 (control: must not hold)</h3>"));
    assert_null(strstr(html, "gain[2]"));
    free(html);
}

static void test_without_gnuplot_the_page_says_so(void **state)
{
    (void)state;
    const char *const in[] = {pca, lin};
    size_t undrawn = 0;
    setenv("HSPACE_GNUPLOT", "/nonexistent/gnuplot", 1);
    assert_ok(hs_report_write(in, 2, &(hs_report_options){.force = 1}, out, &undrawn));
    unsetenv("HSPACE_GNUPLOT");
    assert_int_equal(undrawn, 2);
}

static void test_refusals(void **state)
{
    (void)state;
    size_t undrawn;
    const char *in = hdf5;
    const hs_report_options force = {.force = 1}, no = {0};
    assert_code(hs_report_write(NULL, 0, &force, out, &undrawn), HS_ERANGE);
    assert_code(hs_report_write(&in, 1, &force, out, &undrawn), HS_EIO);
    assert_ok(hs_file_write_atomic(hdf5, "neither", 7, 1));
    assert_code(hs_report_write(&in, 1, &force, out, &undrawn), HS_EFORMAT);
    assert_ok(hs_file_write_atomic(hdf5, "", 0, 1));
    assert_code(hs_report_write(&in, 1, &force, out, &undrawn), HS_EFORMAT);
    assert_ok(hs_file_write_atomic(out, "mine", 4, 1));
    in = pca;
    assert_code(hs_report_write(&in, 1, &no, out, &undrawn), HS_ERANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_is_on_the_page_in_order),
        cmocka_unit_test(test_controls),
        cmocka_unit_test(test_without_gnuplot_the_page_says_so),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
