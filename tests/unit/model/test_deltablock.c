/* The delta network and its derivatives, both types.  Oracles: the network written out in double, its central
 * differences, and the adjoint identity. */
#include "core/model/deltablock.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/io/safetensors.h"
#include "tests/support/support.h"

/* C outside, HIDDEN inside: not the same, so that none is taken for the other (parity/asyrp has them alike). */
enum { C = 96, HIDDEN = 64, TEMB = 5, SIDE = 3, HW = SIDE * SIDE, D = C * HW, N = 2, GROUPS = 32 };

static int adm; /* the type at hand; tests run over both */

static size_t parts(void)
{
    return adm ? 10 : 8;
}

static const hs_chw shape = {C, SIDE, SIDE};

static float *normals(uint64_t index, size_t n)
{
    float *v = NULL;
    assert_ok(hs_alloc(n, sizeof *v, &v));
    hs_rng_normal((hs_rng){3, HS_RNG_TEST, index}, 0, n, v);
    return v;
}

/* Tensor i of a network in a file: weights of order 1 / sqrt(inputs), no parameter a constant. */
static hs_tensor tensor(size_t i)
{
    static const char *const name[2][HS_DELTABLOCK_PARAMS_MAX] = {
        {"conv1.weight", "conv1.bias", "temb_proj.weight", "temb_proj.bias", "norm2.weight", "norm2.bias",
         "conv2.weight", "conv2.bias"},
        {"in_layers.2.weight", "in_layers.2.bias", "emb_layers.1.weight", "emb_layers.1.bias", "out_layers.0.weight",
         "out_layers.0.bias", "out_layers.3.weight", "out_layers.3.bias", "in_layers.0.weight", "in_layers.0.bias"}};
    int kernel = i == 0 || i == 6;
    hs_tensor t = {.name = name[adm][i],
                   .dtype = HS_F32,
                   .rank = kernel   ? 4
                           : i == 2 ? 2
                                    : 1,
                   .dim = {i >= 6 ? C : HIDDEN}};
    t.count = kernel ? HIDDEN * C : i == 2 ? HIDDEN * TEMB : i >= 7 ? C : HIDDEN;
    t.dim[1] = i == 0 ? C : i == 6 ? HIDDEN : i == 2 ? TEMB : 0;
    t.dim[2] = t.dim[3] = kernel ? 1 : 0;
    float *v = normals(100 + i, t.count);
    for (size_t k = 0; k < t.count; k++) {
        v[k] = kernel ? v[k] / 8 : i == 4 || i == 8 ? 1 + v[k] / 4 : v[k] / 2;
    }
    t.bytes = (const unsigned char *)v;
    return t;
}

static hs_deltablock *network(void)
{
    hs_tensor t[HS_DELTABLOCK_PARAMS_MAX];
    hs_tensors *ts = NULL;
    hs_deltablock *f = NULL;
    for (size_t i = 0; i < parts(); i++) {
        t[i] = tensor(i);
    }
    assert_ok(hs_safetensors_write(temp_path("f.safetensors"), parts(), t, 0, NULL, 1));
    assert_ok(hs_safetensors_open(temp_path("f.safetensors"), &ts));
    assert_ok(hs_deltablock_load(ts, "", &f));
    assert_int_equal(hs_deltablock_param_count(f), parts());
    for (size_t i = 0; i < parts(); i++) {
        hs_deltablock_param p = hs_deltablock_param_at(f, i);
        size_t count;
        assert_string_equal(p.name, t[i].name);
        assert_int_equal(p.count, t[i].count);
        assert_int_equal(p.rows, t[i].dim[0]);
        assert_int_equal(p.matrix + 2 * p.kernel, t[i].rank - 1);
        assert_memory_equal(hs_deltablock_theta(f, &count) + p.offset, t[i].bytes, p.count * sizeof(float));
        free((void *)(uintptr_t)t[i].bytes);
    }
    hs_tensors_free(ts);
    return f;
}

/* ---- The network in double ------------------------------------------------------------------------------- */

static double silu(double v)
{
    return v / (1 + exp(-v));
}

/* y (out, HW) <- W x (in, HW) + b at every pixel. */
static void ref_conv1(size_t in, size_t out, const double *w, const double *b, const double *x, double *y)
{
    for (size_t i = 0; i < out * HW; i++) {
        y[i] = b[i / HW];
        for (size_t k = 0; k < in; k++) {
            y[i] += w[i / HW * in + k] * x[k * HW + i % HW];
        }
    }
}

static void ref_norm(size_t channels, const double *gamma, const double *beta, double *v)
{
    size_t n = channels * HW / GROUPS;
    for (size_t g = 0; g < GROUPS; g++) {
        double mean = 0, var = 0;
        for (size_t i = g * n; i < (g + 1) * n; i++) {
            mean += v[i] / (double)n;
        }
        for (size_t i = g * n; i < (g + 1) * n; i++) {
            var += (v[i] - mean) * (v[i] - mean) / (double)n;
        }
        for (size_t i = g * n; i < (g + 1) * n; i++) {
            v[i] = silu(gamma[i / HW] * (v[i] - mean) / sqrt(var + (adm ? 1e-5 : 1e-6)) + beta[i / HW]);
        }
    }
}

/* f(h, temb) of one state; theta in the documented order. */
static void ref_forward(const double *theta, const double *h, const float *temb, double *out)
{
    double v[HIDDEN * HW], s[D];
    const double *w1 = theta, *b1 = w1 + HIDDEN * C, *tw = b1 + HIDDEN, *tb = tw + HIDDEN * TEMB;
    const double *gamma = tb + HIDDEN, *beta = gamma + HIDDEN, *w2 = beta + HIDDEN, *b2 = w2 + C * HIDDEN;
    memcpy(s, h, sizeof s);
    if (adm) {
        ref_norm(C, b2 + C, b2 + 2 * C, s);
    }
    ref_conv1(C, HIDDEN, w1, b1, s, v);
    for (size_t o = 0; o < HIDDEN && temb != NULL; o++) {
        double term = tb[o];
        for (size_t k = 0; k < TEMB; k++) {
            term += tw[o * TEMB + k] * silu((double)temb[k]);
        }
        for (size_t p = 0; p < HW; p++) {
            v[o * HW + p] += term;
        }
    }
    ref_norm(HIDDEN, gamma, beta, v);
    ref_conv1(HIDDEN, C, w2, b2, v, out);
}

/* sum <u, f> over N states. */
static double ref_loss(const double *theta, const double *h, const float *temb, const float *u)
{
    double sum = 0, out[D];
    for (size_t i = 0; i < N; i++) {
        ref_forward(theta, h + i * D, temb != NULL ? temb + i * TEMB : NULL, out);
        for (size_t k = 0; k < D; k++) {
            sum += (double)u[i * D + k] * out[k];
        }
    }
    return sum;
}

static double *doubles(size_t n, const float *v)
{
    double *d = NULL;
    assert_ok(hs_alloc(n, sizeof *d, &d));
    for (size_t i = 0; i < n; i++) {
        d[i] = (double)v[i];
    }
    return d;
}

/* The derivative of ref_loss in one number, by a step of 1e-4 each way: exact to some 1e-8. */
static double slope(const double *theta, const double *h, const float *temb, const float *u, double *number)
{
    double keep = *number, up;
    *number = keep + 1e-4;
    up = ref_loss(theta, h, temb, u);
    *number = keep - 1e-4;
    up -= ref_loss(theta, h, temb, u);
    *number = keep;
    return up / 2e-4;
}

/* ---- Tests ------------------------------------------------------------------------------------------------ */

/* A network at N recorded states. */
typedef struct {
    hs_deltablock *f;
    hs_deltablock_grad *g;
    float *h, *temb, *u, *dh;
    double *theta, *h64;
    size_t count;
} setup;

static void begin(setup *s, int timed)
{
    s->f = network();
    float *theta = hs_deltablock_theta(s->f, &s->count);
    s->theta = doubles(s->count, theta);
    s->h = normals(0, N * D);
    s->h64 = doubles(N * D, s->h);
    s->temb = timed ? normals(1, N * TEMB) : NULL;
    s->u = normals(2, N * D);
    s->dh = normals(3, N * D);
    assert_ok(hs_deltablock_grad_create(s->f, shape, N, 3, &s->g));
    assert_ok(hs_deltablock_grad_forward(s->g, N, s->h, s->temb, s->dh));
}

static void end(setup *s)
{
    hs_deltablock_grad_free(s->g);
    hs_deltablock_free(s->f);
    free(s->h), free(s->temb), free(s->u), free(s->dh), free(s->theta), free(s->h64);
}

static void recorded_is_the_formula(void **state)
{
    (void)state;
    for (int timed = 0; timed < 2; timed++) {
        setup s;
        begin(&s, timed);
        float *plain = normals(4, N * D);
        assert_ok(hs_deltablock_forward(s.f, N, shape, s.h, s.temb, plain));
        assert_memory_equal(plain, s.dh, N * D * sizeof *plain);
        for (size_t i = 0; i < N; i++) {
            double want[D];
            ref_forward(s.theta, s.h64 + i * D, timed ? s.temb + i * TEMB : NULL, want);
            for (size_t k = 0; k < D; k++) { /* float32 sums of 64 terms, twice, of order 1 */
                assert_near((double)s.dh[i * D + k], want[k], 1e-5);
            }
        }
        free(plain);
        end(&s);
    }
}

/* float32 carries about 1e-6 of the largest; some numbers of the large arrays. */
static void gradients_are_differences(void **state)
{
    (void)state;
    for (int timed = 0; timed < 2; timed++) {
        setup s;
        begin(&s, timed);
        float *grad = NULL, *du = normals(5, N * D);
        assert_ok(hs_calloc(s.count, sizeof *grad, &grad));
        assert_ok(hs_deltablock_backward(s.g, s.u, grad));
        assert_ok(hs_deltablock_backward(s.g, s.u, grad)); /* added to */
        for (size_t i = 0; i < parts(); i++) {
            hs_deltablock_param p = hs_deltablock_param_at(s.f, i);
            double worst = 0, largest = 0;
            for (size_t k = 0; k<p.count; k += p.count> 100 ? 61 : 1) {
                double want = 2 * slope(s.theta, s.h64, s.temb, s.u, s.theta + p.offset + k);
                worst = fmax(worst, fabs((double)grad[p.offset + k] - want));
                largest = fmax(largest, fabs(want));
            }
            assert_true(timed || (i != 2 && i != 3) ? largest > 0.1 : largest == 0);
            assert_true(worst <= 1e-5 * largest);
        }
        assert_ok(hs_deltablock_vjp(s.g, N, NULL, s.u, du));
        for (size_t k = 0; k < N * D; k += 17) {
            assert_near((double)du[k], slope(s.theta, s.h64, s.temb, s.u, s.h64 + k), 2e-5);
        }
        free(grad), free(du);
        end(&s);
    }
}

static double dot(const float *a, const float *b)
{
    double sum = 0;
    for (size_t i = 0; i < D; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}

/* <J v, u> = <v, J^T u>: 100 rows in batches of 3, at states of any order. */
static void jvp_and_vjp_are_adjoint(void **state)
{
    (void)state;
    setup s;
    begin(&s, 1);
    float *jv = normals(6, 3 * D), *ju = normals(7, 3 * D);
    for (size_t b = 0; b < 34; b++) {
        const size_t at[3] = {b % N, (b + 1) % N, b / 2 % N};
        float *v = normals(1000 + 2 * b, 3 * D), *u = normals(1001 + 2 * b, 3 * D);
        assert_ok(hs_deltablock_jvp(s.g, 3, at, v, jv));
        assert_ok(hs_deltablock_vjp(s.g, 3, at, u, ju));
        for (size_t r = 0; r < 3; r++) {
            size_t o = r * D;
            double size = sqrt(dot(jv + o, jv + o) * dot(u + o, u + o));
            assert_true(size > 0 && fabs(dot(jv + o, u + o) - dot(v + o, ju + o)) <= 1e-5 * size);
        }
        free(v), free(u);
    }
    free(jv), free(ju);
    end(&s);
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    setup s;
    begin(&s, 1);
    hs_deltablock_grad *g = NULL;
    const size_t beyond[1] = {N};
    float *v = normals(8, 4 * D);
    assert_code(hs_deltablock_grad_create(s.f, shape, 0, 1, &g), HS_ERANGE);
    assert_code(hs_deltablock_grad_create(s.f, shape, 1, 65537, &g), HS_ERANGE);
    assert_code(hs_deltablock_grad_create(s.f, (hs_chw){C / 2, 3, 3}, 1, 1, &g), HS_ESHAPE);
    assert_code(hs_deltablock_forward(s.f, 1, (hs_chw){C / 2, 3, 3}, s.h, NULL, v), HS_ESHAPE);
    assert_null(g);
    assert_code(hs_deltablock_grad_forward(s.g, N + 1, v, NULL, v), HS_EBUG);
    assert_code(hs_deltablock_jvp(s.g, 1, beyond, v, v), HS_EBUG);
    assert_code(hs_deltablock_vjp(s.g, 3, NULL, v, v), HS_EBUG);
    const size_t first[4] = {0};
    assert_code(hs_deltablock_vjp(s.g, 4, first, v, v), HS_EBUG);
    hs_deltablock_grad_free(NULL);
    free(v);
    end(&s);
}

/* A file whose sizes don't agree: named, and nothing is sized by it. */
static void misshapen_files_are_refused(void **state)
{
    (void)state;
    for (size_t bad = 0; bad < parts(); bad++) {
        hs_tensor t[HS_DELTABLOCK_PARAMS_MAX];
        hs_tensors *ts = NULL;
        hs_deltablock *f = NULL;
        for (size_t i = 0; i < parts(); i++) {
            t[i] = tensor(i);
        }
        size_t last = bad == 0 ? 1 : 0,
               named = bad == 0 && !adm ? 6 : bad; /* conv1's sizes are what others are held against */
        t[bad].dim[last] /= 2;
        t[bad].count /= 2;
        assert_ok(hs_safetensors_write(temp_path("bad.safetensors"), parts(), t, 0, NULL, 1));
        assert_ok(hs_safetensors_open(temp_path("bad.safetensors"), &ts));
        assert_code(hs_deltablock_load(ts, "", &f), HS_EFORMAT);
        assert_non_null(strstr(hs_error_message(), t[named].name));
        assert_null(f);
        hs_tensors_free(ts);
        for (size_t i = 0; i < parts(); i++) {
            free((void *)(uintptr_t)t[i].bytes);
        }
    }
}

/* Networks that PyTorch begins so: gains 1, shifts 0, the rest inside its bounds; silent ones say nothing. */
static void random_networks(void **state)
{
    (void)state;
    hs_deltablock *f = NULL;
    int (*const make)(size_t, size_t, size_t, uint64_t, int, hs_deltablock **) =
        adm ? hs_deltablock_random_adm : hs_deltablock_random;
    assert_code(make(C, 40, TEMB, 1, 0, &f), HS_ERANGE);
    assert_code(make(C, HIDDEN, 0, 1, 0, &f), HS_ERANGE);
    assert_code(hs_deltablock_random_adm(40, HIDDEN, TEMB, 1, 0, &f), HS_ERANGE);
    float *h = normals(0, D), *temb = normals(1, TEMB), *dh = normals(2, D);
    for (int silent = 0; silent < 2; silent++) {
        size_t count;
        assert_ok(make(C, HIDDEN, TEMB, 1, silent, &f));
        const float *theta = hs_deltablock_theta(f, &count);
        for (size_t i = 4; i < parts(); i += i == 5 ? 3 : 1) {
            hs_deltablock_param p = hs_deltablock_param_at(f, i);
            for (size_t k = 0; k < p.count; k++) {
                assert_true(theta[p.offset + k] == (i % 2 == 0 ? 1.0f : 0.0f));
            }
        }
        assert_ok(hs_deltablock_forward(f, 1, shape, h, temb, dh));
        double size = 0;
        for (size_t k = 0; k < D; k++) {
            size += (double)dh[k] * (double)dh[k];
        }
        assert_true(silent ? size == 0 : size > 1);
        hs_deltablock_free(f);
    }
    free(h), free(temb), free(dh);
}

static int of_adm_type(void **state)
{
    (void)state;
    adm = 1;
    return 0;
}

static int of_ddpm_type(void **state)
{
    (void)state;
    adm = 0;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_is_the_formula),     cmocka_unit_test(gradients_are_differences),
        cmocka_unit_test(jvp_and_vjp_are_adjoint),     cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(misshapen_files_are_refused), cmocka_unit_test(random_networks),
    };
    int failed = cmocka_run_group_tests_name("DDPM type", tests, of_ddpm_type, NULL);
    return failed + cmocka_run_group_tests_name("ADM type", tests, of_adm_type, NULL);
}
