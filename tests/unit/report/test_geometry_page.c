/* What the report and the figure make of a geometry file: the numbers that went in, and refusals of files that don't
 * hold what they should. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/figures/from_result.h"
#include "analysis/report/geometry.h"
#include "analysis/report/report.h"
#include "core/io/result.h"
#include "tests/support/support.h"

enum { S = 2, STATISTICS = 3 };

typedef struct {
    int shares, spectrum, delta; /* what is in it */
    int cut;                     /* an array of another length */
} contents;

static void put_delta(hs_result *r)
{
    static const char *const name[6] = {"gromov_delta",      "gromov_delta_low",      "gromov_delta_high",
                                        "gromov_delta_null", "gromov_delta_null_low", "gromov_delta_null_high"};
    const size_t dim = S;
    for (size_t k = 0; k < 6; k++) {
        const double v[S] = {0.0625 + 0.001 * (double)k, 0.125};
        assert_ok(hs_result_put_f64(r, name[k], "timestep", 1, &dim, v));
    }
}

static void write_file(const char *path, contents c)
{
    static const char *const name[STATISTICS] = {"share_image", "share_image[0]", "linear_range"};
    static const char *const why[STATISTICS] = {"", "", "is made of <intervals>"};
    static const char *const what[STATISTICS] = {"shuffled", "shuffled", "random directions"};
    static const char *const number[6] = {"statistic_value", "statistic_low",      "statistic_high",
                                          "statistic_null",  "statistic_null_low", "statistic_null_high"};
    static const double v[6][STATISTICS] = {{0.53125, 0.75, 0.25}, {0.5, 0.5, NAN}, {0.5625, 1, NAN},
                                            {0.0078125, 0, 0.5},   {-0.5, 0, NAN},  {0.5, 0, NAN}};
    const size_t n = STATISTICS, fewer = 2, dim[2] = {S, 3}, spectrum[3] = {2, S, 2}, steps = S;
    const double t[S] = {900, 100}, share[6] = {0.1, 0.8, 0.1, 0.9, 0.05, 0.05},
                 sigma[8] = {1, .5, 1, .4, 1, .3, 1, .2};
    hs_result *r;
    assert_ok(hs_result_create(path, "geometry", 1, &r));
    assert_ok(hs_result_attr_str(r, NULL, "paragraph", "curved by 0.28, yet linear within 0.25 & <so on>"));
    assert_ok(hs_result_attr_i64(r, NULL, "n", 77));
    assert_ok(hs_result_put_f64(r, "timestep", "timestep", 1, &steps, t));
    assert_ok(hs_result_put_strings(r, "statistic", "statistic", n, name));
    assert_ok(hs_result_put_strings(r, "statistic_reason", "statistic", n, why));
    assert_ok(hs_result_put_strings(r, "statistic_null_what", "statistic", n, what));
    for (size_t k = 0; k < 6; k++) {
        int cut = c.cut && k == 5;
        assert_ok(hs_result_put_f64(r, number[k], cut ? "cut" : "statistic", 1, cut ? &fewer : &n, v[k]));
    }
    if (c.shares) {
        assert_ok(hs_result_put_f64(r, "share", "timestep,part", 2, dim, share));
        assert_ok(hs_result_put_f64(r, "share_x", "timestep,part", 2, dim, share));
    }
    if (c.spectrum) {
        assert_ok(hs_result_put_f64(r, "spectrum", "map,timestep,singular", 3, spectrum, sigma));
    }
    if (c.delta) {
        put_delta(r);
    }
    assert_ok(hs_result_commit(r));
    hs_result_free(r);
}

static void test_page(void **state)
{
    (void)state;
    char path[256], out[256];
    const char *const in[1] = {path};
    size_t undrawn = 0;
    const hs_report_options o = {.force = 1};
    snprintf(path, sizeof path, "%s", temp_path("page.h5"));
    snprintf(out, sizeof out, "%s", temp_path("page.html"));
    for (int all = 0; all < 2; all++) { /* without arrays there is no figure, and a page all the same */
        write_file(path, (contents){all, all, all, 0});
        assert_ok(hs_report_write(in, 1, &o, out, &undrawn));
        char *html = read_text(out);
        assert_non_null(strstr(html, "yet linear within 0.25 &amp; &lt;so on&gt;"));
        assert_non_null(strstr(html, "0.5312"));
        assert_non_null(strstr(html, "[0.5, 0.5625]"));
        assert_non_null(strstr(html, "0.00781 [-0.5, 0.5]"));
        assert_non_null(strstr(html, "is made of &lt;intervals&gt;"));
        assert_null(strstr(html, "share_image[0]"));
        free(html);
    }
    write_file(path, (contents){.cut = 1});
    assert_code(hs_report_write(in, 1, &o, out, &undrawn), HS_EFORMAT);
}

static void test_figure(void **state)
{
    (void)state;
    char path[256], out[256], dat[256];
    const char *const in[1] = {path};
    int drawn;
    snprintf(path, sizeof path, "%s", temp_path("figure.h5"));
    snprintf(out, sizeof out, "%s", temp_path("figure.svg"));
    snprintf(dat, sizeof dat, "%s", temp_path("figure.dat"));
    const hs_figure_options o = {.out = out, .force = 1};
    for (int k = 1; k < 8; k++) {
        write_file(path, (contents){k & 1, k >> 1 & 1, k >> 2, 0});
        assert_ok(hs_figure_from_results(in, 1, NULL, &o, &drawn));
        char *text = read_text(dat);
        assert_int_equal(strstr(text, "image_noise") != NULL, k & 1);
        assert_int_equal(strstr(text, "sigma_t900") != NULL, k >> 1 & 1);
        assert_int_equal(strstr(text, "gaussian") != NULL, k >> 2);
        free(text);
    }
    write_file(path, (contents){0});
    assert_code(hs_figure_from_results(in, 1, NULL, &o, &drawn), HS_ESHAPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_page), cmocka_unit_test(test_figure)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
