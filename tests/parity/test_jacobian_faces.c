/* The leading singular directions of d eps / d h on faces-a at the pixels of its mouth, against the dense Jacobian:
 * every row written out, then LAPACK's dgesdd.  (Of the whole image, 3072 x 8192, it agrees as well, after a minute.)
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/directions/dir_jacobian.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/linalg/factor.h"
#include "core/model/unet_grad.h"
#include "tests/support/support.h"

enum { K = 5, AT = 500, SIDE = 32, D_X = 3 * SIDE * SIDE, BOXED = 3 * 12 * 8 };
static const size_t box[4] = {10, 18, 22, 26}; /* x0, y0, x1, y1 */

/* The pixels of the box. */
static int in_box(size_t pixel)
{
    size_t x = pixel % SIDE, y = pixel / SIDE % SIDE;
    return x >= box[0] && x < box[2] && y >= box[1] && y < box[3];
}

/* A (BOXED, d_h) <- the rows in the box of the Jacobian at x: one adjoint product each. */
static double *dense(const hs_model *m, const float *x, size_t d_h)
{
    double *A;
    float *h, *eps, *unit, *row;
    size_t put = 0;
    hs_unet_grad *g;
    assert_ok(hs_alloc(BOXED, d_h * sizeof *A, &A));
    assert_ok(hs_alloc(d_h, sizeof *h, &h));
    assert_ok(hs_alloc(D_X, sizeof *eps, &eps));
    assert_ok(hs_calloc(D_X, sizeof *unit, &unit));
    assert_ok(hs_alloc(d_h, sizeof *row, &row));
    assert_ok(hs_unet_grad_create(m->unet, 1, 1, 0, HS_CONV_AUTO, &g));
    assert_ok(hs_unet_grad_encode(g, 1, x, &(int){AT}, h));
    assert_ok(hs_unet_grad_decode(g, h, eps));
    for (size_t p = 0; p < D_X; p++) {
        if (!in_box(p)) {
            continue;
        }
        unit[p] = 1;
        assert_ok(hs_unet_vjp_decode(g, 1, NULL, HS_SKIPS_FIXED, unit, row));
        unit[p] = 0;
        for (size_t d = 0; d < d_h; d++) {
            A[put * d_h + d] = (double)row[d];
        }
        put++;
    }
    assert_int_equal(put, BOXED);
    hs_unet_grad_free(g);
    free(h), free(eps), free(unit), free(row);
    return A;
}

/* The share of v, of length 1, in the leading K right singular vectors. */
static double inside(const float *v, const double *Vt, size_t d_h)
{
    double sum = 0;
    for (size_t l = 0; l < K; l++) {
        double on = 0;
        for (size_t d = 0; d < d_h; d++) {
            on += (double)v[d] * Vt[l * d_h + d];
        }
        sum += on * on;
    }
    return sum;
}

static void test_dense(void **state)
{
    (void)state;
    hs_model m;
    hs_jacobian j;
    hs_jacobian_options o = {
        .map = HS_JACOBIAN_EPS_H, .k = K, .tol = 1e-5, .rows = 16, .conv = HS_CONV_AUTO, .seed = 1};
    assert_ok(hs_model_open("datasets/models/faces-a", NULL, NULL, &m));
    size_t d_h = hs_chw_size(hs_unet_h_shape(hs_unet_config_of(m.unet)));
    memcpy(o.box, box, sizeof box);
    float *x;
    double *sigma, *U, *Vt;
    assert_ok(hs_alloc(D_X, sizeof *x, &x));
    assert_ok(hs_alloc(BOXED, sizeof *sigma, &sigma));
    assert_ok(hs_alloc(BOXED, BOXED * sizeof *U, &U));
    assert_ok(hs_alloc(BOXED, d_h * sizeof *Vt, &Vt));
    hs_rng_normal((hs_rng){1, HS_RNG_TEST, 0}, 0, D_X, x);
    assert_ok(hs_jacobian_directions(&m, &o, 1, &(int){AT}, 1, x, &j));
    double *A = dense(&m, x, d_h);
    assert_ok(hs_svd(BOXED, d_h, A, U, sigma, Vt));
    for (size_t k = 0; k < K; k++) {
        double off = 1 - inside(j.dh + k * d_h, Vt, d_h);
        print_message("sv%zu: %.6f, dense %.6f; outside of the dense span %.1e\n", k, j.sigma[k], sigma[k], off);
        assert_near(j.sigma[k], sigma[k], 1e-4 * sigma[0]);
        assert_true(off < 1e-4);
    }
    free(A), free(x), free(sigma), free(U), free(Vt);
    hs_jacobian_free(&j);
    hs_model_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_dense)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
