#include "tests/support/golden.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/diffusion/ddim.h"
#include "core/model/asyrp.h"
#include "core/tensor/dtype.h"

hs_tensors *golden_open(const char *file)
{
    hs_tensors *ts = NULL;
    assert_ok(hs_tensors_open(shared_data(file), &ts));
    return ts;
}

static const hs_tensor *find(const hs_tensors *ts, const char *name)
{
    const hs_tensor *t = hs_tensors_find(ts, name);
    if (t == NULL) {
        fail_msg("no reference array %s", name);
    }
    return t;
}

float *golden_f32(const hs_tensors *ts, const char *name, size_t *n)
{
    const hs_tensor *t = find(ts, name);
    float *v = malloc(t->count * sizeof *v + 1);
    assert_non_null(v);
    hs_to_f32(t->dtype, t->bytes, t->count, v);
    if (n != NULL) {
        *n = t->count;
    }
    return v;
}

int *golden_int(const hs_tensors *ts, const char *name, size_t *n)
{
    const hs_tensor *t = find(ts, name);
    double *d = malloc(t->count * sizeof *d + 1);
    int *v = malloc(t->count * sizeof *v + 1);
    assert_non_null(d);
    assert_non_null(v);
    hs_to_f64(t->dtype, t->bytes, t->count, d);
    for (size_t i = 0; i < t->count; i++) {
        v[i] = (int)d[i];
    }
    free(d);
    *n = t->count;
    return v;
}

void golden_report(const char *what, double error, double tolerance)
{
    if (getenv("HSPACE_VERBOSE") != NULL) {
        printf("%-40s %.2e (accepts %.0e)\n", what, error, tolerance);
    }
    if (!(error <= tolerance)) {
        fail_msg("%s: error %.3g > %.3g", what, error, tolerance);
    }
}

void golden_check(const hs_tensors *ts, const char *name, size_t first, size_t n, const float *a, double tolerance)
{
    size_t all = 0;
    float *b = golden_f32(ts, name, &all);
    assert_true(first + n <= all);
    double error = max_rel_f32(a, b + first, n);
    free(b);
    golden_report(name, error, tolerance);
}

void golden_model(const char *file, const char *arch_file, const char *arch, hs_model *out)
{
    char path[1024], config[1024];
    snprintf(path, sizeof path, "%s", shared_data(file));
    if (arch_file != NULL) {
        snprintf(config, sizeof config, "%s", shared_data(arch_file));
        arch = config;
    }
    assert_ok(hs_model_open(path, arch, NULL, out));
}

void golden_classes(const char *file, hs_unet *u)
{
    hs_tensors *ts = golden_open(file);
    if (hs_tensors_find(ts, "y") != NULL) {
        size_t n = 0;
        int *y = golden_int(ts, "y", &n);
        assert_ok(hs_unet_set_classes(u, n, y));
        free(y);
    }
    hs_tensors_free(ts);
}

static void check_skip(const json_t *entry, const hs_unet *u, const hs_unet_ws *ws, size_t s, size_t n)
{
    const json_t *shape = json_object_get(entry, "shape");
    hs_chw c = hs_unet_skip_shape(hs_unet_config_of(u), s);
    assert_int_equal(json_integer_value(json_array_get(shape, 0)), c.c);
    assert_int_equal(json_integer_value(json_array_get(shape, 1)), c.h);
    assert_int_equal(json_integer_value(json_array_get(shape, 2)), c.w);
    size_t d = hs_chw_size(c);
    float *v = malloc(d * sizeof *v);
    double sum = 0, square = 0;
    for (size_t i = 0; i < n; i++) {
        assert_ok(hs_unet_skip(u, ws, s, i, v));
        for (size_t k = 0; k < d; k++) {
            sum += v[k];
            square += (double)v[k] * v[k];
        }
    }
    free(v);
    double l2 = json_real_value(json_object_get(entry, "l2")), count = (double)(n * d);
    char what[40];
    snprintf(what, sizeof what, "skip %zu", s);
    golden_report(what, fabs(sqrt(square) - l2) / l2, 2e-5);
    /* A mean may be near 0: measured against the root mean square. */
    double mean = json_real_value(json_object_get(entry, "mean"));
    golden_report(what, fabs(sum / count - mean) / (l2 / sqrt(count)), 2e-5);
}

static void check_skips(const char *folder, const hs_unet *u, const hs_unet_ws *ws, size_t n)
{
    char file[256];
    snprintf(file, sizeof file, "%s/skips.json", folder);
    json_t *root = json_load_file(shared_data(file), 0, NULL), *list = json_object_get(root, "skips");
    assert_int_equal(json_array_size(list), hs_unet_skip_count(hs_unet_config_of(u)));
    for (size_t s = 0; s < json_array_size(list); s++) {
        check_skip(json_array_get(list, s), u, ws, s, n);
    }
    json_decref(root);
}

void golden_forward(const char *folder, const hs_model *m, hs_conv_mode mode)
{
    char file[256];
    size_t n = 0, d_h = hs_chw_size(hs_unet_h_shape(hs_unet_config_of(m->unet))), d_eps = 0;
    hs_unet_ws *ws = NULL;
    snprintf(file, sizeof file, "%s/golden.safetensors", folder);
    hs_tensors *ts = golden_open(file);
    float *x = golden_f32(ts, "x", NULL), *dh = golden_f32(ts, "dh", NULL), *eps = golden_f32(ts, "eps", &d_eps);
    int *t = golden_int(ts, "t", &n);
    float *h = malloc(n * d_h * sizeof *h);
    assert_ok(hs_unet_ws_create(m->unet, n, n, mode, &ws));
    assert_ok(hs_unet_encode(m->unet, ws, n, x, t, h));
    golden_check(ts, "h", 0, n * d_h, h, 2e-5);
    check_skips(folder, m->unet, ws, n);
    assert_ok(hs_unet_decode(m->unet, ws, n, NULL, h, eps));
    golden_check(ts, "eps", 0, d_eps, eps, 2e-5);
    for (size_t i = 0; i < n * d_h; i++) {
        dh[i] += h[i];
    }
    assert_ok(hs_unet_decode(m->unet, ws, n, NULL, dh, eps));
    golden_check(ts, "eps_dh", 0, d_eps, eps, 2e-5);
    hs_unet_ws_free(ws);
    hs_tensors_free(ts);
    free(x), free(dh), free(eps), free(t), free(h);
}

/* What a trajectory reads and keeps. */
typedef struct {
    float *noise, *seen;
    size_t d;
} stored;

static int stored_noise(void *ctx, size_t n, size_t step, float *z)
{
    const stored *s = ctx;
    memcpy(z, s->noise + step * n * s->d, n * s->d * sizeof *z);
    return HS_OK;
}

static int keep(void *ctx, size_t step, size_t n, const float *x)
{
    const stored *s = ctx;
    memcpy(s->seen + step * n * s->d, x, n * s->d * sizeof *x);
    return HS_OK;
}

void golden_trajectory(const hs_tensors *ts, const char *name, const hs_model *m, const hs_steps *steps, double eta,
                       int clip, double tolerance)
{
    char key[64];
    size_t count = 0;
    hs_unet_ws *ws = NULL;
    hs_asyrp *a = NULL;
    hs_ddim_options o = HS_DDIM_OPTIONS_INIT;
    stored s = {.d = hs_chw_size(hs_unet_image_shape(hs_unet_config_of(m->unet)))};
    float *x = golden_f32(ts, "x_T", &count);
    size_t n = count / s.d;
    s.seen = malloc((steps->S + 1) * count * sizeof *s.seen);
    assert_non_null(s.seen);
    o.eta = eta;
    o.clip = clip;
    o.observe = keep;
    o.observe_ctx = &s;
    if (eta > 0) {
        snprintf(key, sizeof key, "%s/noise", name);
        s.noise = golden_f32(ts, key, NULL);
        o.noise = (hs_noise){stored_noise, &s};
    }
    assert_ok(hs_unet_ws_create(m->unet, n, n, HS_CONV_AUTO, &ws));
    assert_ok(hs_asyrp_create(m->unet, ws, NULL, n, &a));
    hs_predictor p = hs_asyrp_predictor(a);
    assert_ok(hs_ddim_sample(&p, steps, &o, n, s.d, x));
    snprintf(key, sizeof key, "%s/x", name);
    for (size_t k = 0; k <= steps->S; k++) {
        golden_check(ts, key, k * count, count, s.seen + k * count, tolerance);
    }
    hs_asyrp_free(a);
    hs_unet_ws_free(ws);
    free(x), free(s.noise), free(s.seen);
}
