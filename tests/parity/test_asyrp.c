/* Asyrp's own code on a DDPM-type network: forward, f_t, inversion, one step, and trajectories edited by
 * f_t (one, two, scaled, negative; with and without boosting) and by given directions. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/train/task_asyrp.h"
#include "core/diffusion/ddim.h"
#include "core/model/asyrp.h"
#include "core/model/deltablock.h"
#include "core/model/unet_grad.h"
#include "tests/support/golden.h"

enum { N = 2, S = 6, D_X = 3 * 16 * 16, D_H = 64 * 8 * 8 };

static const int timesteps[S] = {999, 799, 599, 399, 199, 0};
static const char folder[] = "parity/asyrp";

/* What the tests share. */
typedef struct {
    hs_model m;
    hs_tensors *ts;
    hs_unet_ws *ws;
    hs_steps steps;
    hs_deltablock *smiling, *tanned;
    float *noise;
} setup;

static hs_deltablock *delta_network(const char *file)
{
    hs_deltablock *f = NULL;
    hs_tensors *ts = golden_open(file);
    assert_ok(hs_deltablock_load(ts, "0.", &f));
    hs_tensors_free(ts);
    return f;
}

static void begin(setup *s)
{
    golden_model("parity/asyrp/model.ckpt", "parity/asyrp/config.yml", NULL, &s->m);
    s->ts = golden_open("parity/asyrp/golden.safetensors");
    assert_ok(hs_unet_ws_create(s->m.unet, N, N, HS_CONV_AUTO, &s->ws));
    assert_ok(hs_steps_from_list(&s->m.schedule, S, timesteps, &s->steps));
    s->smiling = delta_network("parity/asyrp/smiling_LC_CelebA_HQ_t999_ninv6_ngen6_0.pth");
    s->tanned = delta_network("parity/asyrp/tanned_LC_CelebA_HQ_t999_ninv6_ngen6_0.pth");
    s->noise = golden_f32(s->ts, "noise", NULL);
}

static void end(setup *s)
{
    hs_model_free(&s->m);
    hs_tensors_free(s->ts);
    hs_unet_ws_free(s->ws);
    hs_steps_free(&s->steps);
    hs_deltablock_free(s->smiling);
    hs_deltablock_free(s->tanned);
    free(s->noise);
}

static void test_forward(void **state)
{
    (void)state;
    need_shared("parity/asyrp/golden.safetensors");
    hs_model m;
    golden_model("parity/asyrp/model.ckpt", "parity/asyrp/config.yml", NULL, &m);
    golden_forward(folder, &m, HS_CONV_AUTO);
    hs_model_free(&m);
}

static void test_delta_networks(void **state)
{
    (void)state;
    need_shared("parity/asyrp/golden.safetensors");
    setup s;
    begin(&s);
    float *h = golden_f32(s.ts, "h", NULL), *temb = golden_f32(s.ts, "temb", NULL);
    float *dh = malloc(3 * D_H * sizeof *dh);
    hs_chw shape = {64, 8, 8};
    assert_ok(hs_deltablock_forward(s.smiling, 3, shape, h, temb, dh));
    golden_check(s.ts, "f/smiling", 0, 3 * D_H, dh, 2e-5);
    assert_ok(hs_deltablock_forward(s.smiling, 3, shape, h, NULL, dh));
    golden_check(s.ts, "f_notime/smiling", 0, 3 * D_H, dh, 2e-5);
    assert_ok(hs_deltablock_forward(s.tanned, 3, shape, h, temb, dh));
    golden_check(s.ts, "f/tanned", 0, 3 * D_H, dh, 2e-5);
    free(h), free(temb), free(dh);
    end(&s);
}

/* Tolerance 5e-5, as the reference states for derivatives. */
static void test_delta_network_derivatives(void **state)
{
    (void)state;
    need_shared("parity/asyrp/golden.safetensors");
    static const size_t turned[3] = {2, 0, 2};
    setup s;
    begin(&s);
    hs_deltablock_grad *g = NULL;
    float *h = golden_f32(s.ts, "h", NULL), *temb = golden_f32(s.ts, "temb", NULL),
          *out = malloc(3 * D_H * sizeof *out);
    float *v = golden_f32(s.ts, "f_jvp.v", NULL), *u = golden_f32(s.ts, "f_vjp.u", NULL);
    assert_ok(hs_deltablock_grad_create(s.smiling, (hs_chw){64, 8, 8}, 3, 3, &g));
    assert_ok(hs_deltablock_grad_forward(g, 3, h, temb, out));
    golden_check(s.ts, "f/smiling", 0, 3 * D_H, out, 2e-5);
    assert_ok(hs_deltablock_jvp(g, 3, NULL, v, out));
    golden_check(s.ts, "f_jvp", 0, 3 * D_H, out, 5e-5);
    assert_ok(hs_deltablock_vjp(g, 3, NULL, u, out));
    golden_check(s.ts, "f_vjp", 0, 3 * D_H, out, 5e-5);
    for (size_t r = 0; r < 3; r++) {
        memcpy(out + r * D_H, u + turned[r] * D_H, D_H * sizeof *out);
    }
    assert_ok(hs_deltablock_vjp(g, 3, turned, out, out));
    for (size_t r = 0; r < 3; r++) {
        golden_check(s.ts, "f_vjp", turned[r] * D_H, D_H, out + r * D_H, 5e-5);
    }
    hs_deltablock_grad_free(g);
    end(&s);
    free(h), free(temb), free(out), free(v), free(u);
}

/* The U-Net's own embedding is what f_t expects. */
static void test_embedding(void **state)
{
    (void)state;
    need_shared("parity/asyrp/golden.safetensors");
    setup s;
    begin(&s);
    size_t n = 0;
    float *x = golden_f32(s.ts, "x", NULL), *h = malloc(N * D_H * sizeof *h);
    int *t = golden_int(s.ts, "t", &n);
    assert_ok(hs_unet_encode(s.m.unet, s.ws, N, x, t, h));
    for (size_t i = 0; i < N; i++) {
        golden_check(s.ts, "temb", i * 128, 128, hs_unet_temb(s.ws, i), 2e-5);
    }
    free(x), free(h), free(t);
    end(&s);
}

static int keep(void *ctx, size_t step, size_t n, const float *x)
{
    memcpy((float *)ctx + step * n * D_X, x, n * D_X * sizeof *x);
    return HS_OK;
}

static void test_inversion(void **state)
{
    (void)state;
    need_shared("parity/asyrp/golden.safetensors");
    setup s;
    hs_asyrp *a = NULL;
    float *seen = malloc((S + 1) * N * D_X * sizeof *seen);
    hs_ddim_options o = HS_DDIM_OPTIONS_INIT;
    begin(&s);
    float *x = golden_f32(s.ts, "x_0", NULL);
    o.observe = keep;
    o.observe_ctx = seen;
    assert_ok(hs_asyrp_create(s.m.unet, s.ws, NULL, N, &a));
    hs_predictor p = hs_asyrp_predictor(a);
    assert_ok(hs_ddim_invert(&p, &s.steps, &o, N, D_X, x));
    for (size_t k = 0; k < S; k++) {
        golden_check(s.ts, "inversion/x", k * N * D_X, N * D_X, seen + k * N * D_X, 1e-4);
    }
    assert_memory_equal(x, seen + (S - 1) * N * D_X, N * D_X * sizeof *x);
    assert_ok(hs_ddim_sample(&p, &s.steps, &o, N, D_X, x));
    for (size_t k = 0; k <= S; k++) {
        golden_check(s.ts, "reconstruction/x", k * N * D_X, N * D_X, seen + k * N * D_X, 1e-4);
    }
    hs_asyrp_free(a);
    end(&s);
    free(x), free(seen);
}

/* ---- Where dh comes from ------------------------------------------------------------------------- */

typedef struct {
    const hs_deltablock *f[2];
    double c[2];
} mixture;

/* sum_i c_i f_i(h, temb): every network sees the unedited h. */
static int dh_of_networks(void *ctx, int t, size_t states, const size_t *image, const float *h, const float *temb,
                          float *dh)
{
    const mixture *m = ctx;
    (void)t, (void)image;
    float *one = malloc(states * D_H * sizeof *one);
    memset(dh, 0, states * D_H * sizeof *dh);
    for (int i = 0; i < 2 && m->f[i] != NULL; i++) {
        assert_ok(hs_deltablock_forward(m->f[i], states, (hs_chw){64, 8, 8}, h, temb, one));
        for (size_t k = 0; k < states * D_H; k++) {
            dh[k] += (float)m->c[i] * one[k];
        }
    }
    free(one);
    return HS_OK;
}

/* Row k of a (3, D_H) array at the k-th timestep, for every state. */
static int dh_given(void *ctx, int t, size_t states, const size_t *image, const float *h, const float *temb, float *dh)
{
    size_t k = 0;
    (void)image, (void)h, (void)temb;
    while (timesteps[k] != t) {
        k++;
    }
    for (size_t i = 0; i < states; i++) {
        memcpy(dh + i * D_H, (const float *)ctx + k * D_H, D_H * sizeof *dh);
    }
    return HS_OK;
}

/* The noise is stored per image; rows are images x strengths. */
typedef struct {
    const float *z;
    size_t m;
} noise_rows;

static int stored_noise(void *ctx, size_t n, size_t step, float *z)
{
    const noise_rows *r = ctx;
    for (size_t i = 0; i < n; i++) {
        memcpy(z + i * D_X, r->z + (step * N + i / r->m) * D_X, D_X * sizeof *z);
    }
    return HS_OK;
}

/* Three strengths at once: 0 must be plain DDIM, 1 the reference's edit; 0.5 makes the rows many. */
static void edited(setup *s, const char *name, hs_delta delta, int symmetric, int t_boost)
{
    static const double strength[3] = {0, 0.5, 1};
    hs_edit edit = {
        .delta = delta, .path = hs_path_add, .m = 3, .strength = strength, .t_edit = 500, .symmetric = symmetric};
    hs_asyrp *a = NULL, *plain = NULL;
    size_t rows = 3 * N;
    float *seen = malloc((S + 1) * rows * D_X * sizeof *seen), *x = malloc(rows * D_X * sizeof *x);
    float *x_T = golden_f32(s->ts, "inversion/x", NULL), *one = malloc(N * D_X * sizeof *one);
    noise_rows z = {s->noise, 3};
    hs_ddim_options o = HS_DDIM_OPTIONS_INIT;
    o.t_boost = t_boost;
    o.noise = (hs_noise){stored_noise, &z};
    o.observe = keep;
    o.observe_ctx = seen;
    for (size_t r = 0; r < rows; r++) {
        memcpy(x + r * D_X, x_T + ((S - 1) * N + r / 3) * D_X, D_X * sizeof *x);
    }
    assert_ok(hs_asyrp_create(s->m.unet, s->ws, &edit, N, &a));
    hs_predictor p = hs_asyrp_predictor(a);
    assert_ok(hs_ddim_sample(&p, &s->steps, &o, rows, D_X, x));
    char key[64];
    snprintf(key, sizeof key, "%s/x", name);
    for (size_t k = 0; k <= S; k++) {
        for (size_t i = 0; i < N; i++) {
            memcpy(one + i * D_X, seen + (k * rows + 3 * i + 2) * D_X, D_X * sizeof *one);
        }
        golden_check(s->ts, key, k * N * D_X, N * D_X, one, 1e-4);
    }
    z.m = 1;
    o.observe = NULL;
    memcpy(one, x_T + (S - 1) * N * D_X, N * D_X * sizeof *one);
    assert_ok(hs_asyrp_create(s->m.unet, s->ws, NULL, N, &plain));
    p = hs_asyrp_predictor(plain);
    assert_ok(hs_ddim_sample(&p, &s->steps, &o, N, D_X, one));
    for (size_t i = 0; i < N; i++) {
        assert_memory_equal(one + i * D_X, x + 3 * i * D_X, D_X * sizeof *one);
    }
    hs_asyrp_free(a);
    hs_asyrp_free(plain);
    free(seen), free(x), free(x_T), free(one);
}

static void test_edits_by_networks(void **state)
{
    (void)state;
    need_shared("parity/asyrp/golden.safetensors");
    setup s;
    begin(&s);
    mixture one = {{s.smiling}, {1}}, negative = {{s.smiling}, {-0.7}}, scaled = {{s.smiling}, {0.6666666666666667}};
    mixture two = {{s.smiling, s.tanned}, {0.7071067811865475, 0.35355339059327373}};
    edited(&s, "edit", (hs_delta){dh_of_networks, &one}, 0, 250);
    edited(&s, "edit_noboost", (hs_delta){dh_of_networks, &one}, 0, 0);
    edited(&s, "edit_negative", (hs_delta){dh_of_networks, &negative}, 0, 0);
    edited(&s, "edit_scaled", (hs_delta){dh_of_networks, &scaled}, 0, 0);
    edited(&s, "edit_two", (hs_delta){dh_of_networks, &two}, 0, 250);
    end(&s);
}

static void test_edits_given(void **state)
{
    (void)state;
    need_shared("parity/asyrp/golden.safetensors");
    setup s;
    begin(&s);
    float *given = golden_f32(s.ts, "given/dh", NULL), *mean = malloc(3 * D_H * sizeof *mean);
    for (size_t i = 0; i < 3 * D_H; i++) {
        mean[i] = (given[i % D_H] + given[D_H + i % D_H] + given[2 * D_H + i % D_H]) / 3;
    }
    edited(&s, "given", (hs_delta){dh_given, given}, 0, 0);
    edited(&s, "given_global", (hs_delta){dh_given, mean}, 0, 0);
    edited(&s, "given_symmetric", (hs_delta){dh_given, given}, 1, 0);
    free(given), free(mean);
    end(&s);
}

/* One step at t = 799 from x_T, taken apart. */
static void test_one_step(void **state)
{
    (void)state;
    need_shared("parity/asyrp/golden.safetensors");
    static const double strength[1] = {1};
    static const int t[N] = {799, 799};
    setup s;
    begin(&s);
    mixture smile = {{s.smiling}, {1}};
    hs_edit edit = {
        .delta = {dh_of_networks, &smile}, .path = hs_path_add, .m = 1, .strength = strength, .t_edit = 500};
    float *inversion = golden_f32(s.ts, "inversion/x", NULL), *x = inversion + (S - 1) * N * D_X;
    float *p = malloc(N * D_X * sizeof *p), *d = malloc(N * D_X * sizeof *d), *h = malloc(N * D_H * sizeof *h);
    float *dh = malloc(N * D_H * sizeof *dh), *next = malloc(N * D_X * sizeof *next),
          *x0 = malloc(N * D_X * sizeof *x0);
    hs_asyrp *a = NULL;
    assert_ok(hs_unet_encode(s.m.unet, s.ws, N, x, t, h));
    golden_check(s.ts, "one_step/h", 0, N * D_H, h, 2e-5);
    assert_ok(hs_deltablock_forward(s.smiling, N, (hs_chw){64, 8, 8}, h, hs_unet_temb(s.ws, 0), dh));
    golden_check(s.ts, "one_step/dh", 0, N * D_H, dh, 2e-5);
    assert_ok(hs_asyrp_create(s.m.unet, s.ws, &edit, N, &a));
    hs_predictor pr = hs_asyrp_predictor(a);
    assert_ok(pr.predict(pr.ctx, N, x, 799, 0, p, d));
    golden_check(s.ts, "one_step/et_modified", 0, N * D_X, p, 2e-5);
    golden_check(s.ts, "one_step/et", 0, N * D_X, d, 2e-5);
    hs_ddim_step(&s.steps.step[1], 0, 0, N * D_X, x, p, d, NULL, next, x0);
    golden_check(s.ts, "one_step/x_next", 0, N * D_X, next, 1e-4);
    golden_check(s.ts, "one_step/P_edit", 0, N * D_X, x0, 1e-4);
    hs_ddim_step(&s.steps.step[1], 0, 0, N * D_X, x, d, d, NULL, next, x0);
    golden_check(s.ts, "one_step/x_next_plain", 0, N * D_X, next, 1e-4);
    golden_check(s.ts, "one_step/P_src", 0, N * D_X, x0, 1e-4);
    hs_ddim_step(&s.steps.step[1], 0, 0, N * D_X, x, p, p, NULL, next, x0);
    golden_check(s.ts, "one_step/x_next_symmetric", 0, N * D_X, next, 1e-4);
    hs_asyrp_free(a);
    end(&s);
    free(inversion), free(p), free(d), free(h), free(dh), free(next), free(x0);
}

/* u (N, D_H) <- the gradient in h of mean |P_edit - P_src| at h + dh: P = (x - sqrt(1 - ab) eps) / sqrt(ab). */
static void pull_l1(setup *s, const float *x, const float *h, const float *dh, float *u)
{
    static const int t[N] = {799, 799};
    double ab = s->steps.step[1].alpha_bar, scale = sqrt(1 - ab) / sqrt(ab), l1 = 0;
    hs_unet_grad *g = NULL;
    float *edited = malloc(N * D_H * sizeof *edited), *eps = malloc(N * D_X * sizeof *eps);
    float *plain = malloc(N * D_X * sizeof *plain), *want = golden_f32(s->ts, "one_step/l1", NULL);
    assert_ok(hs_unet_grad_create(s->m.unet, N, N, 0, HS_CONV_AUTO, &g));
    assert_ok(hs_unet_grad_encode(g, N, x, t, edited));
    assert_ok(hs_unet_grad_decode(g, edited, plain));
    for (size_t k = 0; k < N * D_H; k++) {
        edited[k] = h[k] + dh[k];
    }
    assert_ok(hs_unet_grad_decode(g, edited, eps));
    for (size_t k = 0; k < N * D_X; k++) {
        double d = -scale * ((double)eps[k] - (double)plain[k]);
        l1 += fabs(d) / (N * D_X);
        eps[k] = (float)((d > 0 ? -scale : scale) / (N * D_X));
    }
    golden_report("one_step/l1", fabs(l1 - (double)want[0]) / (double)want[0], 5e-5);
    assert_ok(hs_unet_vjp_decode(g, N, NULL, HS_SKIPS_FIXED, eps, u));
    hs_unet_grad_free(g);
    free(edited), free(eps), free(plain), free(want);
}

/* What Asyrp's own loss asks of f_t: the gradient in its parameters, through the decoder. */
static void test_gradient_of_one_step(void **state)
{
    (void)state;
    need_shared("parity/asyrp/golden.safetensors");
    static const int t[N] = {799, 799};
    setup s;
    begin(&s);
    size_t count;
    (void)hs_deltablock_theta(s.smiling, &count);
    float *inversion = golden_f32(s.ts, "inversion/x", NULL), *x = inversion + (S - 1) * N * D_X;
    float *h = malloc(N * D_H * sizeof *h), *dh = malloc(N * D_H * sizeof *dh), *u = malloc(N * D_H * sizeof *u);
    float *grad = calloc(count, sizeof *grad);
    hs_deltablock_grad *g = NULL;
    assert_ok(hs_unet_encode(s.m.unet, s.ws, N, x, t, h));
    assert_ok(hs_deltablock_grad_create(s.smiling, (hs_chw){64, 8, 8}, N, N, &g));
    assert_ok(hs_deltablock_grad_forward(g, N, h, hs_unet_temb(s.ws, 0), dh));
    pull_l1(&s, x, h, dh, u);
    assert_ok(hs_deltablock_backward(g, u, grad));
    for (size_t i = 0; i < hs_deltablock_param_count(s.smiling); i++) {
        char key[64];
        hs_deltablock_param p = hs_deltablock_param_at(s.smiling, i);
        snprintf(key, sizeof key, "one_step/grad_l1/%s", p.name);
        golden_check(s.ts, key, 0, p.count, grad + p.offset, 5e-5);
    }
    hs_deltablock_grad_free(g);
    end(&s);
    free(inversion), free(h), free(dh), free(u), free(grad);
}

static int no_source(void *ctx, size_t n, const float *images)
{
    (void)ctx, (void)n, (void)images;
    return HS_OK;
}

static int no_goal(void *ctx, size_t n, const float *edited, double weight, double *value, float *grad)
{
    (void)ctx, (void)edited, (void)weight;
    memset(grad, 0, n * D_X * sizeof *grad);
    *value = 0;
    return HS_OK;
}

/* The same through the training task: its L1 term alone, the first update of a trajectory that begins at t = 799. */
static void test_training_step(void **state)
{
    (void)state;
    need_shared("parity/asyrp/golden.safetensors");
    setup s;
    begin(&s);
    hs_steps from = {.S = S - 1, .step = s.steps.step + 1};
    float *inversion = golden_f32(s.ts, "inversion/x", NULL), *l1 = golden_f32(s.ts, "one_step/l1", NULL);
    const hs_delta_spec spec = {.kind = HS_DELTA_NET, .n = N, .S = 2, .batch = N, .net = s.smiling};
    const hs_asyrp_task_options o = {.against = HS_AGAINST_TRAJECTORY, .weight = 1, .l1 = 1, .t_edit = 500};
    char about[] = "";
    hs_goal goal = {.source = no_source, .judge = no_goal, .about = about};
    hs_delta_var *v;
    hs_asyrp_task *a;
    double loss;
    assert_ok(hs_delta_create(hs_unet_config_of(s.m.unet), &spec, &v));
    assert_ok(hs_asyrp_task_create(s.m.unet, &from, v, &goal, inversion + (S - 1) * N * D_X, NULL, &o, "", "x", &a));
    const hs_task task = hs_asyrp_task_of(a);
    assert_ok(task.loss(task.ctx, 1, &loss));
    golden_report("one_step/l1", fabs(loss - (double)l1[0]) / (double)l1[0], 5e-5);
    for (size_t i = 0; i < hs_deltablock_param_count(s.smiling); i++) {
        char key[64];
        hs_deltablock_param p = hs_deltablock_param_at(s.smiling, i);
        snprintf(key, sizeof key, "one_step/grad_l1/%s", p.name);
        golden_check(s.ts, key, 0, p.count, task.grad + p.offset, 5e-5);
    }
    hs_asyrp_task_free(a);
    hs_delta_free(v);
    free(inversion), free(l1);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forward),
        cmocka_unit_test(test_delta_networks),
        cmocka_unit_test(test_delta_network_derivatives),
        cmocka_unit_test(test_embedding),
        cmocka_unit_test(test_inversion),
        cmocka_unit_test(test_edits_by_networks),
        cmocka_unit_test(test_edits_given),
        cmocka_unit_test(test_one_step),
        cmocka_unit_test(test_gradient_of_one_step),
        cmocka_unit_test(test_training_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
