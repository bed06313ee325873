/* core/stats/gaussian.h.  Oracles: scikit-learn's LedoitWolf, SciPy's sqrtm, closed forms. */
#include <math.h>

#include "core/stats/gaussian.h"
#include "tests/support/support.h"

enum { MOST = 4096 };

/* The points that scikit-learn and SciPy were given. */
static void points(size_t n, size_t d, double s, float *x)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < d; j++) {
            x[i * d + j] = (float)(sin(s + (double)((i + 1) * (j + 2) * (j + 2)) * 0.37) +
                                   0.3 * (double)j * cos(s * 1.7 * (double)i));
        }
    }
}

static void shrunk_distances(void **state)
{
    (void)state;
    static const struct {
        size_t n, d;
        double shrinkage, distance[2];
    } want[] = {{12, 5, 0.359837521329873, {2.8816485229725215, 2.7609245314412814}},
                {6, 10, 0.19672919122401242, {3.600395300384457, 3.404138793884164}}};
    float x[MOST], y[MOST];
    for (size_t c = 0; c < 2; c++) {
        double distance[9];
        hs_gaussian g = {0};
        points(want[c].n, want[c].d, 1, x);
        points(9, want[c].d, 2, y);
        assert_ok(hs_gaussian_fit(want[c].n, want[c].d, x, &g));
        assert_near(g.shrinkage, want[c].shrinkage, 1e-10);
        assert_ok(hs_gaussian_distance(&g, 9, y, distance));
        assert_near(distance[0], want[c].distance[0], 1e-6);
        assert_near(distance[1], want[c].distance[1], 1e-6);
        hs_gaussian_free(&g);
    }
}

static void frechet_of_two_clouds(void **state)
{
    (void)state;
    float x[MOST], y[MOST];
    double f, g;
    points(12, 5, 1, x);
    points(9, 5, 2, y);
    assert_ok(hs_frechet(5, 12, x, 9, y, &f));
    assert_near(f, 1.4883452433694717, 1e-6);
    assert_ok(hs_frechet(5, 9, y, 12, x, &g));
    assert_near(f, g, 1e-12);
    assert_ok(hs_frechet(5, 12, x, 12, x, &f));
    assert_true(f < 1e-12);
    for (size_t i = 0; i < 60; i++) {
        y[i] = 3 * x[i] + 1; /* |2 mean + 1|^2 + 4 tr S */
    }
    double want = 0;
    for (size_t j = 0; j < 5; j++) {
        double mean = 0, square = 0;
        for (size_t i = 0; i < 12; i++) {
            mean += (double)x[i * 5 + j] / 12;
        }
        for (size_t i = 0; i < 12; i++) {
            square += ((double)x[i * 5 + j] - mean) * ((double)x[i * 5 + j] - mean) / 11;
        }
        want += (2 * mean + 1) * (2 * mean + 1) + 4 * square;
    }
    assert_ok(hs_frechet(5, 12, x, 12, y, &f));
    assert_near(f, want, 1e-5);
}

static void degenerate(void **state)
{
    (void)state;
    float x[8] = {1, 2, 1, 2, 1, 2, 1, 2};
    hs_gaussian g = {0};
    double f;
    assert_code(hs_gaussian_fit(1, 2, x, &g), HS_EDEGENERATE);
    assert_code(hs_gaussian_fit(4, 2, x, &g), HS_EDEGENERATE); /* one point four times */
    assert_code(hs_frechet(2, 1, x, 4, x, &f), HS_EDEGENERATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(shrunk_distances), cmocka_unit_test(frechet_of_two_clouds),
                                       cmocka_unit_test(degenerate)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
