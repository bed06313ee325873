/* Series are told apart by people who see two primaries: every pair of line colours, as each kind of dichromat sees it
 * (Machado, Oliveira, Fernandes, IEEE TVCG 15, 2009, severity 1), differs in CIELAB (D65).  Dash and point differ
 * besides.
 */
#include <math.h>
#include <stdlib.h>

#include "analysis/figures/figure.h"
#include "tests/support/support.h"

enum { KINDS = 4 };
static const double sees[KINDS][3][3] = {
    {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
    {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
    {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
    {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}}};

static void linear_of(const char *hex, double rgb[3])
{
    unsigned long all = strtoul(hex + 1, NULL, 16);
    for (int k = 0; k < 3; k++) {
        double v = (double)(all >> (8 * (2 - k)) & 255) / 255;
        rgb[k] = v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
    }
}

static double cube(double t)
{
    return t > 216.0 / 24389 ? cbrt(t) : (24389.0 / 27 * t + 16) / 116;
}

static void lab_of(const double rgb[3], double lab[3])
{
    static const double xyz[3][3] = {
        {0.4124564, 0.3575761, 0.1804375}, {0.2126729, 0.7151522, 0.0721750}, {0.0193339, 0.1191920, 0.9503041}};
    static const double white[3] = {0.95047, 1, 1.08883};
    double f[3];
    for (int k = 0; k < 3; k++) {
        f[k] = cube((xyz[k][0] * rgb[0] + xyz[k][1] * rgb[1] + xyz[k][2] * rgb[2]) / white[k]);
    }
    lab[0] = 116 * f[1] - 16;
    lab[1] = 500 * (f[0] - f[1]);
    lab[2] = 200 * (f[1] - f[2]);
}

/* Distance of two colours to the eye of a kind. */
static double apart(int kind, const char *a, const char *b)
{
    const char *hex[2] = {a, b};
    double lab[2][3], sum = 0;
    for (int c = 0; c < 2; c++) {
        double rgb[3], seen[3];
        linear_of(hex[c], rgb);
        for (int k = 0; k < 3; k++) {
            seen[k] =
                fmin(1, fmax(0, sees[kind][k][0] * rgb[0] + sees[kind][k][1] * rgb[1] + sees[kind][k][2] * rgb[2]));
        }
        lab_of(seen, lab[c]);
    }
    for (int k = 0; k < 3; k++) {
        sum += (lab[0][k] - lab[1][k]) * (lab[0][k] - lab[1][k]);
    }
    return sqrt(sum);
}

static void test_the_oracle(void **state)
{
    (void)state;
    assert_float_equal(apart(0, "#000000", "#FFFFFF"), 100, 0.01);
    assert_float_equal(apart(0, "#FF0000", "#00FF00"), 170.58, 0.05); /* the known Delta E 76 of red and green */
    assert_true(apart(2, "#AA5500", "#558000") < 20);                 /* brown and olive: a deuteranope's trouble */
    assert_true(apart(0, "#AA5500", "#558000") > 50);
}

static void test_series_differ(void **state)
{
    double least[KINDS] = {INFINITY, INFINITY, INFINITY, INFINITY};
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        for (int i = 0; i < HS_FIGURE_COLOURS; i++) {
            for (int j = 0; j < i; j++) {
                least[kind] = fmin(least[kind], apart(kind, hs_figure_colour[i], hs_figure_colour[j]));
            }
        }
        print_message("kind %d: least distance %.1f\n", kind, least[kind]);
        assert_true(least[kind] > 12); /* 2.3 is just seen side by side; thin lines ask for several times that */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_oracle), cmocka_unit_test(test_series_differ)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
