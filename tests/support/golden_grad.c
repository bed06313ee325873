#include "tests/support/golden_grad.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/io/json.h"
#include "core/model/unet_grad.h"
#include "core/model/unet_params.h"
#include "tests/support/golden.h"

enum { N = 3 };
static const double tolerance = 5e-5;

typedef struct {
    hs_model m;
    hs_tensors *ts;
    hs_unet *u; /* trainable twin */
    hs_unet_grad *g;
    size_t d_x, d_h;
    float *x, *h, *eps;
    int *t;
} setup;

static void begin(setup *s, const char *folder, const char *model, const char *arch, hs_conv_mode mode)
{
    char file[256], config[256];
    snprintf(file, sizeof file, "%s/%s", folder, model);
    snprintf(config, sizeof config, "%s/%s", folder, arch != NULL ? arch : "");
    golden_model(file, arch != NULL ? config : NULL, NULL, &s->m);
    snprintf(file, sizeof file, "%s/golden.safetensors", folder);
    s->ts = golden_open(file);
    const hs_unet_config *cfg = hs_unet_config_of(s->m.unet);
    s->d_x = hs_chw_size(hs_unet_image_shape(cfg));
    s->d_h = hs_chw_size(hs_unet_h_shape(cfg));
    s->x = golden_f32(s->ts, "x", NULL);
    size_t n = 0;
    s->t = golden_int(s->ts, "t", &n);
    assert_int_equal(n, N);
    s->h = malloc(N * s->d_h * sizeof *s->h);
    s->eps = malloc(N * s->d_x * sizeof *s->eps);
    assert_ok(hs_unet_trainable(cfg, 0, s->m.weights, &s->u));
    golden_classes(file, s->u);
    assert_ok(hs_unet_grad_create(s->u, N, N, 1, mode, &s->g));
    assert_ok(hs_unet_grad_encode(s->g, N, s->x, s->t, s->h));
    assert_ok(hs_unet_grad_decode(s->g, s->h, s->eps));
}

static void end(setup *s)
{
    hs_unet_grad_free(s->g);
    hs_unet_free(s->u);
    hs_model_free(&s->m);
    hs_tensors_free(s->ts);
    free(s->x), free(s->t), free(s->h), free(s->eps);
}

static void products(setup *s)
{
    float *out = malloc(N * (s->d_x + s->d_h) * sizeof *out), *in;
    golden_check(s->ts, "h", 0, N * s->d_h, s->h, 2e-5);
    golden_check(s->ts, "eps", 0, N * s->d_x, s->eps, 2e-5);
    in = golden_f32(s->ts, "jvp_eps_h.v", NULL);
    assert_ok(hs_unet_jvp_decode(s->g, N, NULL, HS_SKIPS_FIXED, in, out));
    golden_check(s->ts, "jvp_eps_h", 0, N * s->d_x, out, tolerance);
    free(in);
    in = golden_f32(s->ts, "vjp_eps_h.u", NULL);
    assert_ok(hs_unet_vjp_decode(s->g, N, NULL, HS_SKIPS_FIXED, in, out));
    golden_check(s->ts, "vjp_eps_h", 0, N * s->d_h, out, tolerance);
    free(in);
    in = golden_f32(s->ts, "jvp_h_x.v", NULL);
    assert_ok(hs_unet_jvp_encode(s->g, N, NULL, in, out));
    golden_check(s->ts, "jvp_h_x", 0, N * s->d_h, out, tolerance);
    free(in);
    in = golden_f32(s->ts, "vjp_h_x.u", NULL);
    assert_ok(hs_unet_vjp_encode(s->g, N, NULL, HS_SKIPS_FIXED, in, out));
    golden_check(s->ts, "vjp_h_x", 0, N * s->d_x, out, tolerance);
    free(in);
    free(out);
}

/* Rows in another order, fewer and more often than states, give what each state's own row gave. */
static void rows_of_states(setup *s)
{
    static const size_t state[N] = {2, 0, 2};
    float *v = golden_f32(s->ts, "jvp_eps_h.v", NULL), *want = golden_f32(s->ts, "jvp_eps_h", NULL);
    float *in = malloc(N * s->d_h * sizeof *in), *out = malloc(N * s->d_x * sizeof *out);
    for (size_t r = 0; r < N; r++) {
        memcpy(in + r * s->d_h, v + state[r] * s->d_h, s->d_h * sizeof *in);
    }
    assert_ok(hs_unet_jvp_decode(s->g, N, state, HS_SKIPS_FIXED, in, out));
    for (size_t r = 0; r < N; r++) {
        golden_report("jvp of a row", max_rel_f32(out + r * s->d_x, want + state[r] * s->d_x, s->d_x), tolerance);
    }
    free(v), free(want), free(in), free(out);
}

static const hs_unet_param *find(const hs_unet *u, const char *name, hs_unet_param *p)
{
    for (size_t i = 0; i < hs_unet_param_count(u); i++) {
        *p = hs_unet_param_at(u, i);
        if (strcmp(p->name, name) == 0) {
            return p;
        }
    }
    return NULL;
}

static void stored_gradients(const setup *s, const float *grad)
{
    size_t seen = 0;
    for (size_t i = 0; i < hs_tensors_count(s->ts); i++) {
        const char *name = hs_tensors_at(s->ts, i)->name;
        hs_unet_param p;
        if (strncmp(name, "grad/", 5) == 0) {
            assert_non_null(find(s->u, name + 5, &p));
            golden_check(s->ts, name, 0, p.count, grad + p.offset, tolerance);
            seen++;
        }
    }
    assert_true(seen > 10);
}

/* The norm of every parameter's gradient, in the order that case.json gives. */
static void gradient_norms(const setup *s, const char *folder, const float *grad)
{
    char file[256];
    json_t *root = NULL;
    size_t n = 0;
    float *norms = golden_f32(s->ts, "grad_norms", &n), *ours = calloc(n, sizeof *ours);
    snprintf(file, sizeof file, "%s/case.json", folder);
    assert_ok(hs_json_read(shared_data(file), &root));
    json_t *order = json_object_get(root, "parameter_order");
    assert_int_equal(json_array_size(order), n);
    for (size_t i = 0; i < n; i++) {
        hs_unet_param p;
        double sum = 0;
        assert_non_null(find(s->u, json_string_value(json_array_get(order, i)), &p));
        for (size_t k = 0; k < p.count; k++) {
            sum += (double)grad[p.offset + k] * (double)grad[p.offset + k];
        }
        ours[i] = (float)sqrt(sum);
    }
    golden_report("norms of all gradients", max_rel_f32(ours, norms, n), tolerance);
    json_decref(root);
    free(norms), free(ours);
}

/* loss = mean (eps - target)^2 */
static void gradients(setup *s, const char *folder)
{
    size_t count, n = N * s->d_x;
    (void)hs_unet_theta(s->u, &count);
    float *target = golden_f32(s->ts, "target", NULL), *d = malloc(n * sizeof *d);
    float *grad = calloc(count, sizeof *grad), *want = golden_f32(s->ts, "loss", NULL);
    double loss = 0;
    for (size_t i = 0; i < n; i++) {
        d[i] = 2 * (s->eps[i] - target[i]) / (float)n;
        loss += (double)(s->eps[i] - target[i]) * (double)(s->eps[i] - target[i]) / (double)n;
    }
    assert_true(fabs(loss - (double)want[0]) < 5e-5 * loss);
    assert_ok(hs_unet_backward(s->g, d, grad));
    stored_gradients(s, grad);
    gradient_norms(s, folder, grad);
    free(target), free(d), free(grad), free(want);
}

void golden_derivatives(const char *folder, const char *model, const char *arch, int by_name)
{
    static const hs_conv_mode modes[] = {HS_CONV_IM2COL, HS_CONV_DIRECT, HS_CONV_WINOGRAD, HS_CONV_AUTO};
    for (size_t i = 0; i < 4; i++) {
        setup s;
        begin(&s, folder, model, arch, modes[i]);
        products(&s);
        rows_of_states(&s);
        if (by_name) {
            gradients(&s, folder);
        }
        end(&s);
    }
}
