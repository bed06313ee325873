/* The attribute network.  Oracle: the network written out in double below, and its central differences. */
#include "core/model/attrnet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/base/text.h"
#include "core/io/file.h"
#include "core/nn/optim.h"
#include "datasets/faces.h"
#include "tests/support/support.h"

static hs_attrnet_config small_config(void)
{
    return (hs_attrnet_config){.image_size = 9, /* odd: 9, 5, 3 */
                               .levels = 3,
                               .ch = {4, 8, 8},
                               .groups = 4,
                               .features = 10,
                               .n_factors = 3,
                               .factor = {{"smile", 0, 0.25, 0.5}, {"hat", 1, 0, 1}, {"age", 0, -3, 2}}};
}

/* A random network whose gains and biases are no constants, so that every gradient is tested off the start. */
static hs_attrnet *small_net(const hs_attrnet_config *cfg)
{
    hs_attrnet *a = NULL;
    size_t count;
    assert_ok(hs_attrnet_random(cfg, 7, &a));
    float *theta = hs_attrnet_theta(a, &count), *z = NULL;
    assert_ok(hs_alloc(count, sizeof *z, &z));
    hs_rng_normal((hs_rng){1, HS_RNG_TEST, 0}, 0, count, z);
    for (size_t i = 0; i < count; i++) {
        theta[i] += 0.1f * z[i];
    }
    free(z);
    return a;
}

static float *normals(uint64_t index, size_t n)
{
    float *v = NULL;
    assert_ok(hs_alloc(n, sizeof *v, &v));
    hs_rng_normal((hs_rng){2, HS_RNG_TEST, index}, 0, n, v);
    return v;
}

/* ---- The network in double, channels first ------------------------------------------------------------ */

enum { MAP = 16 * 32 * 32 };

/* y (out, s2, s2) <- conv3x3 of x (in, s, s) with padding 1. */
static void ref_conv(size_t in, size_t out, size_t s, size_t s2, size_t stride, const double *w, const double *b,
                     const double *x, double *y)
{
    for (size_t o = 0; o < out; o++) {
        for (size_t p = 0; p < s2 * s2; p++) {
            double sum = b[o];
            for (size_t k = 0; k < 9 * in; k++) {
                long iy = (long)(p / s2 * stride + k % 9 / 3) - 1, ix = (long)(p % s2 * stride + k % 3) - 1;
                if (iy >= 0 && ix >= 0 && iy < (long)s && ix < (long)s) {
                    sum += w[o * 9 * in + k] * x[(k / 9 * s + (size_t)iy) * s + (size_t)ix];
                }
            }
            y[o * s2 * s2 + p] = sum;
        }
    }
}

static double ref_silu(double v)
{
    return v / (1 + exp(-v));
}

static void ref_norm(size_t groups, size_t c, size_t hw, const double *gamma, const double *beta, double *x)
{
    size_t n = c / groups * hw;
    for (size_t g = 0; g < groups; g++) {
        double *v = x + g * n, mean = 0, var = 0;
        for (size_t i = 0; i < n; i++) {
            mean += v[i] / (double)n;
        }
        for (size_t i = 0; i < n; i++) {
            var += (v[i] - mean) * (v[i] - mean) / (double)n;
        }
        for (size_t i = 0; i < n; i++) {
            size_t ch = (g * n + i) / hw;
            v[i] = ref_silu(gamma[ch] * (v[i] - mean) / sqrt(var + 1e-5) + beta[ch]);
        }
    }
}

static void ref_dense(size_t in, size_t out, const double *w, const double *b, const double *x, double *y)
{
    for (size_t o = 0; o < out; o++) {
        y[o] = b[o];
        for (size_t i = 0; i < in; i++) {
            y[o] += w[o * in + i] * x[i];
        }
    }
}

/* out (K) and f (F) of one image; the block is walked in the documented order. */
static void ref_forward(const hs_attrnet_config *c, const double *theta, const float *x, double *out, double *f)
{
    static double map[2][MAP];
    const double *t = theta;
    size_t s = c->image_size, in = 3, at = 0;
    for (size_t i = 0; i < 3 * s * s; i++) {
        map[0][i] = (double)x[i];
    }
    for (size_t u = 0; u < 2 * c->levels - 1; u++) {
        size_t o = c->ch[(u + 1) / 2], stride = u % 2 == 1 ? 2 : 1, s2 = (s + stride - 1) / stride;
        const double *w = t, *b = w + 9 * in * o, *gamma = b + o, *beta = gamma + o;
        ref_conv(in, o, s, s2, stride, w, b, map[at], map[1 - at]);
        at = 1 - at;
        ref_norm(c->groups, o, s2 * s2, gamma, beta, map[at]);
        t = beta + o;
        in = o;
        s = s2;
    }
    size_t flat = in * s * s;
    ref_dense(flat, c->features, t, t + flat * c->features, map[at], f);
    t += flat * c->features + c->features;
    for (size_t i = 0; i < c->features; i++) {
        f[i] = ref_silu(f[i]);
    }
    ref_dense(c->features, c->n_factors, t, t + c->features * c->n_factors, f, out);
}

/* The parameters in double; *count of them. */
static double *theta_of(hs_attrnet *a, size_t *count)
{
    const float *v = hs_attrnet_theta(a, count);
    double *d = NULL;
    assert_ok(hs_alloc(*count, sizeof *d, &d));
    for (size_t i = 0; i < *count; i++) {
        d[i] = (double)v[i];
    }
    return d;
}

/* ---- Forward ------------------------------------------------------------------------------------------- */

static void forward_is_the_formula(void **state)
{
    (void)state;
    enum { N = 3 };
    const hs_attrnet_config cfg = small_config();
    hs_attrnet *a = small_net(&cfg);
    size_t count, d = 3 * 81;
    double *theta = theta_of(a, &count);
    float *x = normals(0, N * d), out[N * 3], f[N * 10];
    for (int grads = 0; grads < 2; grads++) {
        hs_attrnet_ws *ws = NULL;
        assert_ok(hs_attrnet_ws_create(a, N, grads, HS_CONV_AUTO, &ws));
        assert_ok(hs_attrnet_forward(ws, N, x, out, f));
        for (size_t i = 0; i < N; i++) {
            double want[3], want_f[10];
            ref_forward(&cfg, theta, x + i * d, want, want_f);
            for (size_t k = 0; k < 3; k++) { /* float32 sums of up to 144 terms, of order 1 */
                assert_near((double)out[i * 3 + k], want[k], 1e-5);
            }
            for (size_t k = 0; k < 10; k++) {
                assert_near((double)f[i * 10 + k], want_f[k], 1e-5);
            }
        }
        hs_attrnet_ws_free(ws);
    }
    double value[N * 3];
    hs_attrnet_values(a, N, out, value);
    assert_near(value[3], 0.25 + 0.5 * (double)out[3], 1e-12);
    assert_near(value[4], 1 / (1 + exp(-(double)out[4])), 1e-12);
    assert_int_equal(hs_attrnet_find(a, "age"), 2);
    assert_int_equal(hs_attrnet_find(a, "ages"), -1);
    free(x);
    free(theta);
    hs_attrnet_free(a);
}

/* ---- Derivatives --------------------------------------------------------------------------------------- */

/* sum <dout, out> over the images, by the reference. */
static double ref_loss(const hs_attrnet_config *c, const double *theta, size_t n, const float *x, const float *dout)
{
    double sum = 0, out[HS_ATTR_FACTORS_MAX], f[64];
    for (size_t i = 0; i < n; i++) {
        ref_forward(c, theta, x + i * 3 * c->image_size * c->image_size, out, f);
        for (size_t k = 0; k < c->n_factors; k++) {
            sum += (double)dout[i * c->n_factors + k] * out[k];
        }
    }
    return sum;
}

/* *want <- the gradient of ref_loss by central differences.  Steps of 1e-4 in double: truncation and rounding
 * some 1e-8. */
static double *differences(const hs_attrnet_config *cfg, double *theta, size_t count, size_t n, const float *x,
                           const float *dout)
{
    const double h = 1e-4;
    double *want = NULL;
    assert_ok(hs_alloc(count, sizeof *want, &want));
    for (size_t i = 0; i < count; i++) {
        double keep = theta[i];
        theta[i] = keep + h;
        want[i] = ref_loss(cfg, theta, n, x, dout);
        theta[i] = keep - h;
        want[i] = (want[i] - ref_loss(cfg, theta, n, x, dout)) / (2 * h);
        theta[i] = keep;
    }
    return want;
}

/* In stretches of 64, so that no small tensor hides behind a large one.  float32 carries about 1e-6 of the largest
 * of a stretch: 1e-4 of its norm shows any wrong term. */
static void check_gradient(size_t count, const float *grad, double times, const double *want)
{
    for (size_t first = 0; first < count; first += 64) {
        double err = 0, norm = 0;
        for (size_t i = first; i < count && i < first + 64; i++) {
            err = fmax(err, fabs(times * want[i] - (double)grad[i]));
            norm += times * want[i] * times * want[i];
        }
        if (!(err <= 1e-4 * sqrt(norm) + 1e-6)) {
            fail_msg("parameters %zu...: gradient off by %g of %g", first, err, sqrt(norm));
        }
    }
}

static void gradient_of_every_parameter(void **state)
{
    (void)state;
    enum { N = 2 };
    const hs_attrnet_config cfg = small_config();
    hs_attrnet *a = small_net(&cfg);
    size_t count;
    float *x = normals(1, N * 3 * 81), *dout = normals(2, N * 3), out[N * 3], *grad = NULL;
    double *theta = theta_of(a, &count), *want = differences(&cfg, theta, count, N, x, dout);
    static const hs_conv_mode mode[] = {HS_CONV_AUTO, HS_CONV_IM2COL};
    for (int m = 0; m < 2; m++) {
        hs_attrnet_ws *ws = NULL;
        assert_ok(hs_calloc(count, sizeof *grad, &grad));
        assert_ok(hs_attrnet_ws_create(a, N, 1, mode[m], &ws));
        assert_ok(hs_attrnet_forward(ws, N, x, out, NULL));
        assert_ok(hs_attrnet_backward(ws, N, dout, grad));
        check_gradient(count, grad, 1, want);
        assert_ok(hs_attrnet_backward(ws, N, dout, grad)); /* added to */
        check_gradient(count, grad, 2, want);
        free(grad);
        hs_attrnet_ws_free(ws);
    }
    free(x);
    free(dout);
    free(theta);
    free(want);
    hs_attrnet_free(a);
}

static double dot(size_t n, const float *a, const float *b)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}

static hs_attrnet_config usual_config(void)
{
    hs_attrnet_config c = {
        .image_size = 32, .levels = 4, .ch = {16, 32, 32, 64}, .groups = 8, .features = 64, .n_factors = 15};
    for (size_t k = 0; k < 15; k++) {
        snprintf(c.factor[k].name, sizeof c.factor[k].name, "f%zu", k);
        c.factor[k].sd = 1;
    }
    return c;
}

static void jvp_and_vjp_are_adjoint(void **state)
{
    (void)state;
    enum { N = 2, D = 3 * 32 * 32, K = 15, CASES = 100 };
    const hs_attrnet_config cfg = usual_config();
    hs_attrnet *a = small_net(&cfg);
    hs_attrnet_ws *ws = NULL;
    float out[N * K], jv[N * K], *jtu = NULL, *x = normals(3, N * D);
    assert_ok(hs_alloc(N * D, sizeof *jtu, &jtu));
    assert_ok(hs_attrnet_ws_create(a, N, 1, HS_CONV_AUTO, &ws));
    assert_ok(hs_attrnet_forward(ws, N, x, out, NULL));
    for (uint64_t i = 0; i < CASES; i++) {
        float *v = normals(100 + 2 * i, N * D), *u = normals(101 + 2 * i, N * K);
        assert_ok(hs_attrnet_jvp(ws, N, v, jv));
        assert_ok(hs_attrnet_vjp(ws, N, u, jtu));
        double scale = sqrt(dot(N * K, jv, jv) * dot(N * K, u, u));
        assert_near(dot(N * K, jv, u), dot(N * D, v, jtu), 1e-5 * scale);
        free(v);
        free(u);
    }
    hs_attrnet_ws_free(ws);
    hs_attrnet_free(a);
    free(x);
    free(jtu);
}

/* The tangent against the reference's central difference: both could not be wrong by the same adjoint. */
static void jvp_is_the_derivative(void **state)
{
    (void)state;
    enum { D = 3 * 81 };
    const hs_attrnet_config cfg = small_config();
    hs_attrnet *a = small_net(&cfg);
    hs_attrnet_ws *ws = NULL;
    size_t count;
    double *theta = theta_of(a, &count), up[3], down[3], f[10];
    float *x = normals(4, D), *v = normals(5, D), xp[D], xm[D], out[3], jv[3];
    const double h = 1.0 / 128; /* x +- h v is rounded to float32: 1e-7 / h; truncation h^2 = 6e-5 */
    for (size_t i = 0; i < D; i++) {
        xp[i] = x[i] + (float)h * v[i];
        xm[i] = x[i] - (float)h * v[i];
    }
    ref_forward(&cfg, theta, xp, up, f);
    ref_forward(&cfg, theta, xm, down, f);
    assert_ok(hs_attrnet_ws_create(a, 1, 1, HS_CONV_AUTO, &ws));
    assert_ok(hs_attrnet_forward(ws, 1, x, out, NULL));
    assert_ok(hs_attrnet_jvp(ws, 1, v, jv));
    for (size_t k = 0; k < 3; k++) {
        assert_near((double)jv[k], (up[k] - down[k]) / (2 * h), 1e-3 * sqrt(dot(3, jv, jv)));
    }
    hs_attrnet_ws_free(ws);
    hs_attrnet_free(a);
    free(theta);
    free(x);
    free(v);
}

static void refusals_of_the_workspace(void **state)
{
    (void)state;
    const hs_attrnet_config cfg = small_config();
    hs_attrnet *a = small_net(&cfg);
    hs_attrnet_ws *ws = NULL;
    size_t count;
    float *x = normals(6, 3 * 3 * 81), out[9], *grad = NULL;
    (void)hs_attrnet_theta(a, &count);
    assert_ok(hs_calloc(count, sizeof *grad, &grad));
    assert_code(hs_attrnet_ws_create(a, 0, 1, HS_CONV_AUTO, &ws), HS_ERANGE);
    assert_code(hs_attrnet_ws_create(a, 65537, 1, HS_CONV_AUTO, &ws), HS_ERANGE);
    assert_ok(hs_attrnet_ws_create(a, 2, 1, HS_CONV_AUTO, &ws));
    assert_code(hs_attrnet_forward(ws, 3, x, out, NULL), HS_ERANGE);
    assert_code(hs_attrnet_backward(ws, 2, out, grad), HS_ERANGE); /* no forward yet */
    assert_ok(hs_attrnet_forward(ws, 2, x, out, NULL));
    assert_code(hs_attrnet_jvp(ws, 1, x, out), HS_ERANGE);
    assert_ok(hs_attrnet_backward(ws, 2, out, grad));
    assert_ok(hs_attrnet_ws_refresh(ws)); /* what was kept is of the former parameters */
    assert_code(hs_attrnet_vjp(ws, 2, out, x), HS_ERANGE);
    hs_attrnet_ws_free(ws);
    assert_ok(hs_attrnet_ws_create(a, 2, 0, HS_CONV_AUTO, &ws));
    assert_ok(hs_attrnet_forward(ws, 2, x, out, NULL));
    assert_code(hs_attrnet_backward(ws, 2, out, grad), HS_EBUG);
    hs_attrnet_ws_free(ws);
    hs_attrnet_ws_free(NULL);
    hs_attrnet_free(a);
    hs_attrnet_free(NULL);
    free(x);
    free(grad);
}

/* ---- Configurations and folders ------------------------------------------------------------------------ */

static void refused(hs_attrnet_config c, int code, const char *needle)
{
    hs_attrnet *a = NULL;
    assert_code(hs_attrnet_random(&c, 0, &a), code);
    assert_non_null(strstr(hs_error_message(), needle));
    assert_null(a);
}

static void configurations_are_checked(void **state)
{
    (void)state;
    hs_attrnet_config c = small_config();
    c.image_size = 3;
    refused(c, HS_ERANGE, "image_size");
    c = small_config();
    c.levels = 7;
    refused(c, HS_ERANGE, "levels");
    c = small_config();
    c.ch[1] = 10; /* not of 4 */
    refused(c, HS_ERANGE, "groups");
    c = small_config();
    c.n_factors = 0;
    refused(c, HS_ERANGE, "factors");
    c = small_config();
    snprintf(c.factor[2].name, sizeof c.factor[2].name, "smile");
    refused(c, HS_ERANGE, "twice");
    c = small_config();
    c.factor[0].sd = 0;
    refused(c, HS_ERANGE, "smile");
    c = small_config();
    c.image_size = 1024;
    c.levels = 1;
    c.features = 65536;
    refused(c, HS_ELIMIT, "parameters");
}

static const char *make_folder(const char *name)
{
    const char *path = temp_path(name);
    mkdir(path, 0777);
    return path;
}

static void a_folder_gives_the_network_back(void **state)
{
    (void)state;
    const hs_attrnet_config cfg = small_config();
    hs_attrnet *a = small_net(&cfg), *b = NULL;
    size_t count, again;
    const float *theta = hs_attrnet_theta(a, &count);
    const hs_pair meta = {"made by", "a test"};
    char folder[512];
    snprintf(folder, sizeof folder, "%s", make_folder("round"));
    for (int half = 0; half < 2; half++) {
        assert_ok(hs_attrnet_save(a, theta, half, 1, &meta, folder));
        assert_ok(hs_attrnet_open(folder, &b));
        const float *read = hs_attrnet_theta(b, &again);
        assert_int_equal(again, count);
        for (size_t i = 0; i < count; i++) { /* half: 11 bits; below 2^-14, steps of 2^-24 */
            double tol = half ? ldexp(fabs((double)theta[i]), -11) + 0x1p-25 : 0;
            assert_near((double)read[i], (double)theta[i], tol);
        }
        assert_memory_equal(hs_attrnet_config_of(b), &cfg, sizeof cfg);
        hs_attrnet_free(b);
    }
    assert_code(hs_attrnet_save(a, theta, 0, 0, NULL, "/nowhere/at/all"), HS_EIO);
    assert_code(hs_attrnet_open("/nowhere/at/all", &b), HS_EIO);
    hs_attrnet_free(a);
}

/* The folder's config.json with `from` replaced by `to` is refused, by a message with needle. */
static void bad_config(const char *folder, const char *from, const char *to, int code, const char *needle)
{
    char path[600];
    unsigned char *text = NULL;
    size_t len;
    hs_str changed = {0};
    hs_attrnet *a = NULL;
    snprintf(path, sizeof path, "%s/config.json", folder);
    assert_ok(hs_file_read(path, 1 << 20, &text, &len));
    char *whole = strndup((char *)text, len), *at = strstr(whole, from);
    assert_non_null(at);
    hs_str_add_bytes(&changed, whole, (size_t)(at - whole));
    hs_str_add(&changed, to);
    hs_str_add(&changed, at + strlen(from));
    assert_ok(hs_file_write_atomic(path, changed.s, changed.len, 1));
    int rc = hs_attrnet_open(folder, &a);
    if (rc != code || strstr(hs_error_message(), needle) == NULL) {
        fail_msg("%s -> %s: %d, %s", from, to, rc, hs_error_message());
    }
    assert_ok(hs_file_write_atomic(path, text, len, 1));
    hs_str_free(&changed);
    free(whole);
    free(text);
}

static void malformed_configurations_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *needle;
    } bad[] = {
        {"HspaceAttrNet", "UNet2DModel", "_class_name"},
        {"\"image_size\": 9", "\"image_size\": 0", "image_size"},
        {"\"image_size\": 9", "\"image_size\": \"9\"", "image_size"},
        {"\"features\": 10", "\"feature\": 10", "features"},
        {"\"channels\": [", "\"channels\": [-8,", "channels"},
        {"\"norm_num_groups\": 4", "\"norm_num_groups\": 3", "groups"},
        {"\"kind\": \"binary\"", "\"kind\": \"other\"", "hat"},
        {"\"name\": \"hat\"", "\"name\": \"smile\"", "twice"},
        {"\"name\": \"hat\"", "\"name\": \"\"", "name"},
        {"\"name\": \"hat\"", "\"name\": \"a name that is longer than a factor's may be\"", "31 bytes"},
        {"\"sd\": 0.5", "\"sd\": 0", "sd"},
        {"\"sd\": 0.5", "\"sd\": -1", "sd"},
        {"\"factors\": [", "\"factors\": [1,", "factors[0]"},
        {"\"factors\": [", "\"factors\": 5, \"x\": [", "factors"},
        {"\"image_size\": 9", "\"image_size\": 900", "features.weight"}, /* found before anything is allocated */
        {"{", "[{", ""},
    };
    const hs_attrnet_config cfg = small_config();
    hs_attrnet *a = small_net(&cfg);
    size_t count;
    char folder[512];
    snprintf(folder, sizeof folder, "%s", make_folder("bad"));
    assert_ok(hs_attrnet_save(a, hs_attrnet_theta(a, &count), 0, 0, NULL, folder));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        bad_config(folder, bad[i].from, bad[i].to, HS_EFORMAT, bad[i].needle);
    }
    hs_attrnet_free(a);
}

static void wrong_weights(const char *folder, size_t n, const hs_tensor *t, const char *needle)
{
    char path[600];
    hs_attrnet *a = NULL;
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    assert_ok(hs_safetensors_write(path, n, t, 0, NULL, 1));
    assert_code(hs_attrnet_open(folder, &a), HS_EFORMAT);
    if (strstr(hs_error_message(), needle) == NULL) {
        fail_msg("%s isn't in: %s", needle, hs_error_message());
    }
}

static void wrong_tensors_are_named(void **state)
{
    (void)state;
    const hs_attrnet_config cfg = small_config();
    hs_attrnet *a = small_net(&cfg);
    size_t count;
    char folder[512], path[600];
    hs_tensors *ts = NULL;
    hs_tensor t[64];
    snprintf(folder, sizeof folder, "%s", make_folder("weights"));
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    assert_ok(hs_attrnet_save(a, hs_attrnet_theta(a, &count), 0, 0, NULL, folder));
    assert_ok(hs_tensors_open(path, &ts));
    size_t n = hs_tensors_count(ts);
    assert_int_equal(n, 4 * 5 + 4);
    for (size_t i = 0; i < n; i++) {
        t[i] = *hs_tensors_at(ts, i);
    }
    wrong_weights(folder, n - 1, t, "stem.norm.weight"); /* the last by name */
    t[n] = (hs_tensor){.name = "more", .dtype = HS_F32, .rank = 1, .dim = {1}, .bytes = t[0].bytes};
    wrong_weights(folder, n + 1, t, "more");
    hs_tensor keep = t[0];
    t[0].rank = 1;
    t[0].dim[0] = 10;
    t[0].dtype = HS_I32;
    assert_string_equal(t[0].name, "features.bias");
    wrong_weights(folder, n, t, "floating point");
    t[0] = keep;
    t[0].dim[0] = 9;
    wrong_weights(folder, n, t, "(10)");
    hs_tensors_free(ts);
    hs_attrnet_free(a);
}

/* ---- Learning ------------------------------------------------------------------------------------------ */

/* *x (n, 3, 32, 32), *want (n, K): faces and their factors, standardised over them. */
static void make_faces(size_t n, size_t K, float **x, float **want)
{
    double factor[HS_FACE_FACTORS_MAX];
    assert_ok(hs_alloc(n * 3 * 32 * 32, sizeof **x, x));
    assert_ok(hs_alloc(n * K, sizeof **want, want));
    for (size_t i = 0; i < n; i++) {
        hs_face_draw(5, i, factor);
        assert_ok(hs_face_render(0, factor, 32, *x + i * 3 * 32 * 32));
        for (size_t k = 0; k < K; k++) {
            const hs_face_factor *f = hs_face_factor_at(k);
            (*want)[i * K + k] = (float)((factor[k] - f->lo) / (f->hi - f->lo) * 2 - 1);
        }
    }
}

/* Mean squared error, and its gradient. */
static double squared(size_t n, const float *out, const float *want, float *dout)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        double e = (double)out[i] - (double)want[i];
        sum += e * e / (double)n;
        dout[i] = (float)(2 * e / (double)n);
    }
    return sum;
}

/* Sixteen faces, 15 factors each, from an error of about 0.4 to nearly 0 in 150 updates. */
static void sixteen_faces_are_learnt_by_heart(void **state)
{
    (void)state;
    enum { N = 16, K = 15, STEPS = 150 };
    const hs_attrnet_config cfg = usual_config();
    const hs_adam adam = {.rate = 3e-3, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8};
    hs_attrnet *a = NULL;
    hs_attrnet_ws *ws = NULL;
    float *x, *want, *grad = NULL, *m = NULL, *v = NULL, out[N * K], dout[N * K];
    double loss = 0, first = 0;
    size_t count;
    make_faces(N, K, &x, &want);
    assert_ok(hs_attrnet_random(&cfg, 3, &a));
    float *theta = hs_attrnet_theta(a, &count);
    assert_ok(hs_attrnet_ws_create(a, N, 1, HS_CONV_AUTO, &ws));
    assert_ok(hs_alloc(count, sizeof *grad, &grad));
    assert_ok(hs_calloc(count, sizeof *m, &m));
    assert_ok(hs_calloc(count, sizeof *v, &v));
    for (uint64_t step = 1; step <= STEPS; step++) {
        memset(grad, 0, count * sizeof *grad);
        assert_ok(hs_attrnet_forward(ws, N, x, out, NULL));
        loss = squared(N * K, out, want, dout);
        first = step == 1 ? loss : first;
        assert_ok(hs_attrnet_backward(ws, N, dout, grad));
        hs_adam_step(&adam, step, count, 1, grad, m, v, theta);
        assert_ok(hs_attrnet_ws_refresh(ws));
    }
    print_message("loss %g -> %g\n", first, loss);
    assert_true(first > 0.1);
    assert_true(loss < 1e-3);
    hs_attrnet_ws_free(ws);
    hs_attrnet_free(a);
    free(x);
    free(want);
    free(grad);
    free(m);
    free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_is_the_formula),          cmocka_unit_test(gradient_of_every_parameter),
        cmocka_unit_test(jvp_and_vjp_are_adjoint),         cmocka_unit_test(jvp_is_the_derivative),
        cmocka_unit_test(refusals_of_the_workspace),       cmocka_unit_test(configurations_are_checked),
        cmocka_unit_test(a_folder_gives_the_network_back), cmocka_unit_test(malformed_configurations_are_named),
        cmocka_unit_test(wrong_tensors_are_named),         cmocka_unit_test(sixteen_faces_are_learnt_by_heart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
