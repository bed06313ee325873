/* The U-Net's tangents and the gradients of its weights against differences of the forward pass, on small networks
 * of every family. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/linalg/blas.h"
#include "core/model/unet_grad.h"
#include "tests/support/support.h"
#include "tests/support/unets.h"

enum { FEW = 2 }; /* states of the weights' gradients */

/* ---- Against differences of the forward pass -------------------------------------------------------- */

typedef struct {
    const hs_unet *u;
    hs_unet_ws *ws;
    size_t d_x, d_h;
    const float *x, *h; /* of one state */
    int t;
    float *skips_of_x; /* (d_h) */
} forward;

/* out <- what p differentiates, at the state moved by step along v. */
static void forward_at(forward *f, product p, double step, const float *v, float *out)
{
    float *at = room(f->d_x > f->d_h ? f->d_x : f->d_h), *h = room(f->d_h);
    size_t n = p == JVP_D ? f->d_h : f->d_x;
    for (size_t i = 0; i < n; i++) {
        at[i] = (float)((p == JVP_D ? f->h[i] : f->x[i]) + step * v[i]);
    }
    assert_ok(hs_unet_encode(f->u, f->ws, 1, p == JVP_D ? f->x : at, &f->t, h));
    if (p == JVP_E) {
        memcpy(out, h, f->d_h * sizeof *h);
    } else {
        assert_ok(hs_unet_decode(f->u, f->ws, 1, NULL, p == JVP_D ? at : h, out));
    }
    free(at);
    free(h);
}

/* d (to) <- (4 D(e) - D(2e)) / 3, D(e) the central difference. */
static void richardson(forward *f, product p, double e, const float *v, size_t to, double *d)
{
    static const double weight[4] = {8.0 / 12, -8.0 / 12, -1.0 / 12, 1.0 / 12}, at[4] = {1, -1, 2, -2};
    float *y = room(to);
    memset(d, 0, to * sizeof *d);
    for (size_t k = 0; k < 4; k++) {
        forward_at(f, p, at[k] * e, v, y);
        for (size_t i = 0; i < to; i++) {
            d[i] += weight[k] * (double)y[i] / e;
        }
    }
    free(y);
}

static double difference_error(recorded *s, forward *f, product p, size_t state)
{
    size_t from = p == JVP_D ? s->d_h : s->d_x, to = p == JVP_E ? s->d_h : s->d_x;
    float *v = normals(60 + state, from), *jv = room(to), *h = room(s->d_h);
    double *d = NULL, off = 0, norm = 0;
    assert_ok(hs_alloc(to, sizeof *d, &d));
    multiply(s, p, 1, &state, v, h, jv);
    richardson(f, p, 2e-2, v, to, d);
    for (size_t i = 0; i < to; i++) {
        off += (d[i] - (double)jv[i]) * (d[i] - (double)jv[i]);
        norm += d[i] * d[i];
    }
    free(v);
    free(jv);
    free(h);
    free(d);
    return sqrt(off / norm);
}

/* Differences of a float32 pass: a step of e divides its rounding, some 1e-6, by e, and leaves the fifth
 * derivative times e^4.  With e = .02 the worst seen is 6e-4 of |Jv|, and a term left out is 1e-2 and more. */
static void test_differences(void **state)
{
    (void)state;
    double worst = 0;
    for (unet_kind kind = 0; kind < UNETS; kind++) {
        recorded s;
        recorded_begin(&s, kind, HS_CONV_AUTO, 21, 0);
        forward f = {.u = s.u, .d_x = s.d_x, .d_h = s.d_h};
        assert_ok(hs_unet_ws_create(s.u, 1, 1, HS_CONV_IM2COL, &f.ws));
        for (size_t i = 0; i < STATES; i++) {
            f.x = s.x + i * s.d_x;
            f.h = s.h + i * s.d_h;
            f.t = s.t[i];
            for (product p = JVP_E; p <= JVP_BOTH; p++) {
                double error = difference_error(&s, &f, p, i);
                if (!(error <= 2e-3)) {
                    fail_msg("product %d of %s: off the difference by %g", (int)p, unet_name(kind), error);
                }
                worst = fmax(worst, error);
            }
        }
        hs_unet_ws_free(f.ws);
        recorded_end(&s);
    }
    printf("tangents and differences of the forward pass: worst %.1e of |Jv|\n", worst);
}

/* ---- Gradients of the weights ------------------------------------------------------------------------ */

/* sum <u, eps> at theta + step d. */
static double loss_at(recorded *s, double step, const float *base, const hs_unet_param *p, const float *d,
                      const float *u)
{
    size_t count;
    float *theta = hs_unet_theta(s->u, &count);
    for (size_t k = 0; k < p->count; k++) {
        theta[p->offset + k] = (float)(base[p->offset + k] + step * d[k]);
    }
    hs_unet_refresh(s->u);
    assert_ok(hs_unet_grad_refresh(s->g));
    assert_ok(hs_unet_grad_encode(s->g, FEW, s->x, s->t, s->h));
    assert_ok(hs_unet_grad_decode(s->g, s->h, s->eps));
    memcpy(theta + p->offset, base + p->offset, p->count * sizeof *theta);
    return hs_dot_f32(FEW * s->d_x, u, s->eps);
}

/* Along d = g / |g| + z / |z|, z normal: the difference of the loss against <g, d>, over |g| or, where
 * there is hardly a gradient, floor. */
static double parameter_error(recorded *s, const float *base, const hs_unet_param *p, const float *grad, const float *u,
                              double floor)
{
    const float *g = grad + p->offset;
    float *d = normals(p->offset, p->count);
    double norm = hs_nrm2_f32(p->count, g), z = hs_nrm2_f32(p->count, d);
    for (size_t k = 0; k < p->count; k++) {
        d[k] = (float)(d[k] / z + (norm > 0 ? g[k] / norm : 0));
    }
    double e = 0.005, near = loss_at(s, e, base, p, d, u) - loss_at(s, -e, base, p, d, u);
    double far = loss_at(s, 2 * e, base, p, d, u) - loss_at(s, -2 * e, base, p, d, u);
    double error = fabs((8 * near - far) / (12 * e) - hs_dot_f32(p->count, g, d)) / fmax(norm, floor);
    free(d);
    return error;
}

static double parameters_against_differences(unet_kind kind)
{
    recorded s;
    size_t count;
    double worst = 0;
    recorded_begin(&s, kind, HS_CONV_AUTO, 31, 1);
    const float *theta = hs_unet_theta(s.u, &count);
    float *base = room(count), *grad = room(count), *u = normals(32, FEW * s.d_x);
    memcpy(base, theta, count * sizeof *base);
    assert_ok(hs_unet_grad_encode(s.g, FEW, s.x, s.t, s.h));
    assert_ok(hs_unet_grad_decode(s.g, s.h, s.eps));
    assert_ok(hs_unet_backward(s.g, u, grad));
    double floor = 1e-2 * hs_nrm2_f32(count, grad);
    for (size_t i = 0; i < hs_unet_param_count(s.u); i++) {
        hs_unet_param p = hs_unet_param_at(s.u, i);
        double error = parameter_error(&s, base, &p, grad, u, floor);
        if (!(error <= 3e-3)) {
            fail_msg("%s of %s: gradient off the difference by %g", p.name, unet_name(kind), error);
        }
        worst = fmax(worst, error);
    }
    free(base);
    free(grad);
    free(u);
    recorded_end(&s);
    return worst;
}

/* Every parameter of every small family (tiny has nothing that these haven't), each in a direction of its own.
 * Tolerance as of the tangents: the worst seen is 7e-4. */
static void test_weights_against_differences(void **state)
{
    (void)state;
    for (unet_kind kind = UNET_DIFFUSERS; kind < UNETS; kind++) {
        printf("gradients of %s's parameters: worst %.1e\n", unet_name(kind), parameters_against_differences(kind));
    }
}

/* The gradient is added to what is there; that of all states is the sum of each one's. */
static void test_weights_add_up(void **state)
{
    (void)state;
    for (unet_kind kind = 0; kind < UNETS; kind++) {
        recorded s;
        size_t count;
        recorded_begin(&s, kind, (hs_conv_mode)(kind % 4), 41, 1);
        (void)hs_unet_theta(s.u, &count);
        float *all = room(count), *sum = room(count), *u = normals(42, STATES * s.d_x);
        assert_ok(hs_unet_backward(s.g, u, all));
        for (size_t i = 0; i < STATES; i++) {
            assert_ok(hs_unet_grad_encode(s.g, 1, s.x + i * s.d_x, &s.t[i], s.h));
            assert_ok(hs_unet_grad_decode(s.g, s.h, s.eps));
            assert_ok(hs_unet_backward(s.g, u + i * s.d_x, sum));
        }
        assert_true(max_rel_f32(sum, all, count) <= 2e-5);
        free(all);
        free(sum);
        free(u);
        recorded_end(&s);
    }
}

int main(void)
{
    omp_set_num_threads(1); /* networks this small gain nothing by a second, and lose much on a busy machine */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_differences),
        cmocka_unit_test(test_weights_against_differences),
        cmocka_unit_test(test_weights_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
