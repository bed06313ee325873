/* Spaces of h at two steps: equal ones, a plane turned by a known angle, unrelated ones, and what cannot be compared.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/properties/step_spaces.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/geom/cka.h"
#include "tests/support/measured.h"
#include "tests/support/support.h"

enum { N = 64, D = 40, STEPS = 3 };

typedef struct {
    size_t n;
    int reads[STEPS][N];
    float h[STEPS][N][D];
} data;

HS_CHECKED static int read_h(void *ctx, size_t k, size_t first, size_t count, float *out)
{
    data *x = ctx;
    for (size_t i = first; i < first + count; i++) {
        x->reads[k][i]++;
    }
    memcpy(out, x->h[k][first], count * D * sizeof *out);
    return HS_OK;
}

static hs_step_spaces_source source_of(data *x, size_t P, size_t r)
{
    return (hs_step_spaces_source){
        .n = x->n, .d = D, .P = P, .r = r, .read = read_h, .ctx = x, .draws = 20, .seed = 1, .level = 0.95};
}

/* Normals at a common offset, independent from step to step. */
static data *noise(uint64_t seed)
{
    data *x;
    assert_ok(hs_calloc(1, sizeof *x, &x));
    x->n = N;
    hs_rng_normal((hs_rng){seed, HS_RNG_TEST, 8}, 0, sizeof x->h / sizeof(float), x->h[0][0]);
    for (size_t k = 0; k < STEPS; k++) {
        for (size_t i = 0; i < N; i++) {
            for (size_t j = 0; j < D; j++) {
                x->h[k][i][j] += 3;
            }
        }
    }
    return x;
}

static double at(const hs_step_spaces *s, const double *M, size_t k, size_t l)
{
    assert_memory_equal(&M[k * s->P + l], &M[l * s->P + k], sizeof *M);
    return M[k * s->P + l];
}

static void test_equal_steps(void **state)
{
    (void)state;
    data *x = noise(1);
    memcpy(x->h[1], x->h[0], sizeof x->h[0]);
    const hs_step_spaces_source source = source_of(x, 2, 3);
    hs_step_spaces s;
    assert_ok(hs_step_spaces_of(&source, &s));
    assert_near(at(&s, s.grassmann, 0, 1), 0, 1e-6);
    assert_near(at(&s, s.angle, 0, 1), 0, 1e-6);
    assert_near(at(&s, s.cka, 0, 1), 1, 1e-9);
    assert_near(at(&s, s.cka_lo, 0, 1), 1, 1e-6);
    assert_true(at(&s, s.null_lo, 0, 1) > 0.3);
    hs_step_spaces_free(&s);
    free(x);
}

HS_CHECKED static int read_rows(void *ctx, size_t first, size_t count, float *out)
{
    memcpy(out, (const float *)ctx + first * D, count * D * sizeof *out);
    return HS_OK;
}

/* However many components, halves, draws and pairs: and the pairs' CKA is that of the rows. */
static void test_each_step_is_read_once(void **state)
{
    (void)state;
    data *x = noise(3);
    const hs_step_spaces_source source = source_of(x, STEPS, 3);
    hs_step_spaces s;
    hs_cka cka;
    assert_ok(hs_step_spaces_of(&source, &s));
    for (size_t k = 0; k < STEPS; k++) {
        for (size_t i = 0; i < N; i++) {
            assert_int_equal(x->reads[k][i], 1);
        }
        const hs_rows A = {N, D, 1, read_rows, x->h[k]}, B = {N, D, 1, read_rows, x->h[0]};
        assert_ok(hs_cka_linear(&A, &B, NULL, &cka));
        assert_near(at(&s, s.cka, k, 0), cka.debiased, 1e-9);
    }
    hs_step_spaces_free(&s);
    free(x);
}

/* Two strong orthogonal axes; step 1: the second of them turned towards a third by phi. */
static void test_known_angle(void **state)
{
    (void)state;
    const double phi = 0.4;
    data *x = noise(2);
    for (size_t i = 0; i < N; i++) {
        const float a = i % 2 == 0 ? 50 : -50, b = i % 4 < 2 ? 30 : -30;
        for (size_t j = 0; j < D; j++) {
            x->h[0][i][j] = x->h[1][i][j] = 7;
        }
        x->h[0][i][4] += a;
        x->h[0][i][9] += b;
        x->h[1][i][4] += a;
        x->h[1][i][9] += (float)cos(phi) * b;
        x->h[1][i][20] += (float)sin(phi) * b;
    }
    const hs_step_spaces_source source = source_of(x, 2, 2);
    hs_step_spaces s;
    hs_measurement m = {.property = "consistency"};
    assert_ok(hs_step_spaces_of(&source, &s));
    assert_ok(hs_step_spaces_statistics(&s, &m));
    assert_near(statistic_of(&m, "grassmann[0,1]"), phi, 1e-6);
    assert_near(statistic_of(&m, "principal_angle[0,1]"), phi, 1e-6);
    assert_near(statistic_of(&m, "principal_angle_mean[0,1]"), phi / 2, 1e-6);
    assert_near(statistic_of(&m, "grassmann_split[0]"), 0, 1e-6);
    assert_near(statistic_of(&m, "grassmann_split[1]"), 0, 1e-6);
    /* a rotation leaves the alignment of images as it is; two dimensions, of which all draws lie in the plane */
    assert_near(statistic_of(&m, "cka_debiased[0,1]"), 1, 1e-6);
    assert_near(statistic_of(&m, "grassmann_null[0,1]"), phi, 1e-5);
    assert_null(hs_measurement_find(&m, "grassmann[0,2]"));
    hs_measurement_free(&m);
    hs_step_spaces_free(&s);
    free(x);
}

/* Independent steps: distances as between drawn spaces, and intervals of CKA that hold 0 as often as they say. */
static void test_independent(void **state)
{
    (void)state;
    enum { TIMES = 40 };
    size_t held = 0, inside = 0;
    double sum = 0;
    for (uint64_t seed = 0; seed < TIMES; seed++) {
        data *x = noise(100 + seed);
        const hs_step_spaces_source source = source_of(x, 2, 3);
        hs_step_spaces s;
        assert_ok(hs_step_spaces_of(&source, &s));
        held += s.cka_lo[1] <= 0 && s.cka_hi[1] >= 0;
        inside += s.grassmann[1] >= s.null_lo[1] && s.grassmann[1] <= s.null_hi[1];
        sum += s.cka[1] / TIMES;
        hs_step_spaces_free(&s);
        free(x);
    }
    assert_true(held >= 34);   /* of 38 expected, sd 1.4 */
    assert_true(inside >= 34); /* the top components of unrelated clouds are such directions */
    assert_near(sum, 0, 0.03);
}

static void test_undefined_step(void **state)
{
    (void)state;
    data *x = noise(3);
    for (size_t i = 0; i < N; i++) {
        memcpy(x->h[1][i], x->h[1][0], sizeof x->h[1][0]);
    }
    x->h[2][5][7] = NAN;
    const hs_step_spaces_source source = source_of(x, STEPS, 3);
    hs_step_spaces s;
    hs_measurement m = {.property = "consistency"};
    assert_ok(hs_step_spaces_of(&source, &s));
    assert_ok(hs_step_spaces_statistics(&s, &m));
    for (size_t k = 1; k < STEPS; k++) {
        assert_true(isnan(at(&s, s.grassmann, 0, k)) && isnan(at(&s, s.cka, 0, k)) && isnan(s.split[k]));
    }
    assert_true(isfinite(s.split[0]));
    const hs_estimate *e = hs_measurement_find(&m, "grassmann[0,2]");
    assert_non_null(e);
    assert_non_null(e->reason);
    hs_measurement_free(&m);
    hs_step_spaces_free(&s);
    free(x);
}

static void test_errors(void **state)
{
    (void)state;
    data *x = noise(4);
    hs_step_spaces s;
    hs_step_spaces_source bad[7];
    for (size_t i = 0; i < 7; i++) {
        bad[i] = source_of(x, 2, 3);
    }
    bad[0].n = 7;
    bad[1].r = 0;
    bad[2].r = D + 1;
    bad[3].P = 0;
    bad[4].draws = 2;
    bad[5].level = 1;
    bad[6].n = 3, bad[6].r = 1;
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(hs_step_spaces_of(&bad[i], &s), HS_ERANGE);
    }
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_steps),    cmocka_unit_test(test_each_step_is_read_once),
        cmocka_unit_test(test_known_angle),    cmocka_unit_test(test_independent),
        cmocka_unit_test(test_undefined_step), cmocka_unit_test(test_errors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
