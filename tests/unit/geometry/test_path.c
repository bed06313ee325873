/* Paths of maps whose geodesics are known: affine, a sphere, a paraboloid; midpoint deviations in closed form. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/geometry/path.h"
#include "core/base/alloc.h"
#include "tests/support/support.h"

enum { ROWS = 64 };

/* A map of the plane into space, with its derivative. */
typedef struct {
    void (*at)(const float *x, double *y);
    void (*pull)(const float *x, const double *u, double *dx);
    float kept[2 * ROWS];
    int fails;
} surface;

static int eval(void *ctx, size_t rows, const float *x, float *y)
{
    const surface *s = ctx;
    double v[3];
    for (size_t r = 0; r < rows; r++) {
        s->at(x + 2 * r, v);
        for (size_t i = 0; i < 3; i++) {
            y[3 * r + i] = (float)v[i];
        }
    }
    return s->fails ? hs_fail(HS_ESTOPPED, "stopped") : HS_OK;
}

static int keep(void *ctx, size_t rows, const float *x, float *y)
{
    surface *s = ctx;
    memcpy(s->kept, x, 2 * rows * sizeof *x);
    return eval(ctx, rows, x, y);
}

static int pull(void *ctx, size_t rows, const float *u, float *dx)
{
    const surface *s = ctx;
    for (size_t r = 0; r < rows; r++) {
        double v[3] = {(double)u[3 * r], (double)u[3 * r + 1], (double)u[3 * r + 2]}, d[2];
        s->pull(s->kept + 2 * r, v, d);
        dx[2 * r] = (float)d[0];
        dx[2 * r + 1] = (float)d[1];
    }
    return HS_OK;
}

static void affine(const float *x, double *y)
{
    y[0] = 2 * (double)x[0] + (double)x[1];
    y[1] = (double)x[0] - 3 * (double)x[1] + 1;
    y[2] = 0.5 * (double)x[1];
}

static void affine_pull(const float *x, const double *u, double *dx)
{
    (void)x;
    dx[0] = 2 * u[0] + u[1];
    dx[1] = u[0] - 3 * u[1] + 0.5 * u[2];
}

/* Longitude x0 and latitude x1 of the unit sphere. */
static void sphere(const float *x, double *y)
{
    double a = (double)x[0], b = (double)x[1];
    y[0] = cos(b) * cos(a);
    y[1] = cos(b) * sin(a);
    y[2] = sin(b);
}

static void sphere_pull(const float *x, const double *u, double *dx)
{
    double a = (double)x[0], b = (double)x[1];
    dx[0] = -cos(b) * sin(a) * u[0] + cos(b) * cos(a) * u[1];
    dx[1] = -sin(b) * cos(a) * u[0] - sin(b) * sin(a) * u[1] + cos(b) * u[2];
}

static void bowl(const float *x, double *y)
{
    y[0] = (double)x[0];
    y[1] = (double)x[1];
    y[2] = (double)x[0] * (double)x[0] + (double)x[1] * (double)x[1];
}

static void bowl_pull(const float *x, const double *u, double *dx)
{
    dx[0] = u[0] + 2 * (double)x[0] * u[2];
    dx[1] = u[1] + 2 * (double)x[1] * u[2];
}

static hs_curved_map map_of(surface *s)
{
    return (hs_curved_map){3, 2, eval, keep, pull, s};
}

static void test_affine(void **state)
{
    (void)state;
    surface s = {.at = affine, .pull = affine_pull};
    const hs_curved_map g = map_of(&s);
    const float a[2] = {0.3F, -1}, b[2] = {2, 1.7F};
    double dev[3];
    hs_path_energy e;
    assert_ok(hs_midpoint_deviation(&g, a, b, 3, (double[]){1, 0.5, 0.125}, dev));
    for (int j = 0; j < 3; j++) {
        assert_near(dev[j], 0, 1e-6);
    }
    assert_ok(hs_path_relax(&g, a, b, 8, 20, NULL, &e));
    assert_near(e.straight, 1, 1e-6);
    assert_near(e.relaxed, 1, 1e-6);
    assert_near(e.bend, 0, 1e-3); /* descent on rounding may slide along the line */
}

/* g = (x, y, |.|^2): the midpoint of a and a + f e lies |f e|^2 / 4 below the middle of the ends. */
static void test_bowl(void **state)
{
    (void)state;
    surface s = {.at = bowl, .pull = bowl_pull};
    const hs_curved_map g = map_of(&s);
    const float a[2] = {-1, 0.5F}, b[2] = {1, 1.5F};
    const double f[3] = {1, 0.5, 0.25};
    double dev[3], one;
    assert_ok(hs_midpoint_deviation(&g, a, b, 3, f, dev));
    for (int j = 0; j < 3; j++) {
        double x = -1 + 2 * f[j], y = 0.5 + f[j], rise = x * x + y * y - 1.25, chord2 = 5 * f[j] * f[j];
        assert_near(dev[j], chord2 / 4 / sqrt(chord2 + rise * rise), 1e-6);
    }
    assert_ok(hs_midpoint_deviation(&g, a, a, 1, f, &one));
    assert_true(isnan(one));
}

/* From longitude 0 to 2 at latitude 0.8: the straight path follows the circle of latitude, the geodesic a great circle,
 * K even chords of 2 sin(angle / 2 K). */
static void test_sphere(void **state)
{
    (void)state;
    enum { K = 12 };
    surface s = {.at = sphere, .pull = sphere_pull};
    const hs_curved_map g = map_of(&s);
    const float a[2] = {0, 0.8F}, b[2] = {2, 0.8F};
    const double lat = (double)0.8F, r = cos(lat), chord = 2 * r * sin(1), angle = 2 * asin(chord / 2);
    float node[2 * (K + 1) * 2];
    hs_path_energy e;
    assert_ok(hs_path_relax(&g, a, b, K, 300, node, &e));
    double along = K * 2 * r * sin(1.0 / K), great = K * 2 * sin(angle / (2 * K));
    printf("sphere: straight %.5f, relaxed %.5f of %.5f after %zu steps\n", e.straight, e.relaxed,
           pow(great / chord, 2), e.iterations);
    assert_near(e.straight, pow(along / chord, 2), 1e-5);
    assert_near(e.relaxed, pow(great / chord, 2), 2e-4);
    assert_true(e.relaxed >= pow(great / chord, 2) - 1e-5);
    assert_true(e.gradient < 1e-2);
    /* the middle of the great circle: longitude 1, tan(latitude) = tan(0.8) / cos(1) */
    const float *middle = node + 2 * (K + 1) + K;
    assert_near((double)middle[0], 1, 2e-2);
    assert_near((double)middle[1], atan(tan(lat) / cos(1)), 2e-2);
    assert_near((double)node[K + 1], lat, 1e-6);
    assert_near(e.bend, (atan(tan(lat) / cos(1)) - lat) / 2, 2e-2);
}

/* More nodes don't slow it: the same share of the excess is gone after as many steps. */
static void test_nodes(void **state)
{
    (void)state;
    double left[2];
    for (size_t j = 0; j < 2; j++) {
        surface s = {.at = sphere, .pull = sphere_pull};
        const hs_curved_map g = map_of(&s);
        const float a[2] = {0, 0.8F}, b[2] = {2, 0.8F};
        hs_path_energy e;
        assert_ok(hs_path_relax(&g, a, b, j == 0 ? 6 : 48, 15, NULL, &e));
        double chord = 2 * cos((double)0.8F) * sin(1), best = pow(2 * asin(chord / 2) / chord, 2);
        left[j] = (e.relaxed - best) / (e.straight - best);
    }
    printf("left after 15 steps: %.3f with 6 segments, %.3f with 48\n", left[0], left[1]);
    assert_true(left[1] < 0.1);
}

static void test_refused(void **state)
{
    (void)state;
    surface s = {.at = sphere, .pull = sphere_pull};
    const hs_curved_map g = map_of(&s);
    const float a[2] = {0, 0.8F}, b[2] = {2, 0.8F};
    double dev;
    hs_path_energy e = {.straight = 7};
    assert_code(hs_path_relax(&g, a, b, 1, 5, NULL, &e), HS_ERANGE);
    assert_code(hs_path_relax(&g, a, a, 4, 5, NULL, &e), HS_EDEGENERATE);
    s.fails = 1;
    assert_code(hs_path_relax(&g, a, b, 4, 5, NULL, &e), HS_ESTOPPED);
    assert_code(hs_midpoint_deviation(&g, a, b, 1, (double[]){1}, &dev), HS_ESTOPPED);
    assert_near(e.straight, 7, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_affine), cmocka_unit_test(test_bowl),    cmocka_unit_test(test_sphere),
        cmocka_unit_test(test_nodes),  cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
