/* CLIP's towers and losses.  The embeddings' oracle is transformers (tests/parity/test_clip.c); here: derivatives
 * against differences, adjoints, what a text's neighbours must not change, and refusals. */
#include "core/model/clip.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/io/file.h"
#include "core/model/clip_loss.h"
#include "tests/support/support.h"

enum { R = 10, N = 3, PIXELS = 3 * R * R, CONTEXT = 9, P = 6, VOCAB = 40 };

/* Patches of 4 in images of 10: two pixels at the right and below are seen by none. */
static hs_clip_config small_config(hs_gelu_kind act)
{
    hs_clip_config c = {.vision = {12, 2, 3, 20, act, 1e-5},
                        .text = {8, 2, 2, 18, act, 1e-5},
                        .image_size = R,
                        .patch_size = 4,
                        .vocab = VOCAB,
                        .context = CONTEXT,
                        .begin = VOCAB - 2,
                        .end = VOCAB - 1,
                        .projection = P,
                        .resize = R};
    hs_clip_config_usual_scale(&c);
    return c;
}

static float *normals(uint64_t index, size_t n)
{
    float *v = NULL;
    assert_ok(hs_alloc(n, sizeof *v, &v));
    hs_rng_normal((hs_rng){5, HS_RNG_TEST, index}, 0, n, v);
    return v;
}

/* A random network whose gains and biases are no constants. */
static hs_clip *small_net(hs_gelu_kind act)
{
    const hs_clip_config cfg = small_config(act);
    hs_clip *c;
    size_t count;
    assert_ok(hs_clip_random(&cfg, 3, &c));
    float *theta = hs_clip_theta(c, &count), *z = normals(1000, count);
    for (size_t i = 0; i < count; i++) {
        theta[i] += 0.1F * z[i];
    }
    free(z);
    return c;
}

static double dot(size_t n, const float *a, const float *b)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}

static double norm(size_t n, const float *a)
{
    return sqrt(dot(n, a, a));
}

/* Texts of different lengths: begin, numbers below 38, end, end ... */
static void some_texts(int32_t *ids)
{
    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < CONTEXT; j++) {
            const int32_t word = (int32_t)((7 * i + 5 * j) % (VOCAB - 2));
            ids[i * CONTEXT + j] = j == 0 ? VOCAB - 2 : j < 2 + 3 * i ? word : VOCAB - 1;
        }
    }
}

/* ---- Parameters ------------------------------------------------------------------------------------ */

static void test_parameters(void **state)
{
    (void)state;
    hs_clip *c = small_net(HS_GELU_QUICK);
    size_t count, sum = 0;
    (void)hs_clip_theta(c, &count);
    for (size_t i = 0; i < hs_clip_params(c); i++) {
        const hs_clip_param *p = hs_clip_param_at(c, i);
        assert_int_equal(p->offset, sum);
        sum += p->count;
    }
    assert_int_equal(sum, count);
    assert_string_equal(hs_clip_param_at(c, 0)->name, "logit_scale");
    assert_int_equal(hs_clip_param_at(c, 0)->rank, 0);
    hs_clip_free(c);
    /* OpenAI's sizes, as published for the models: 151277313 parameters of B/32, 149620737 of B/16, 427616513 of L/14
     */
    static const struct {
        const char *name;
        size_t count;
    } known[] = {{"ViT-B/32", 151277313}, {"ViT-B/16", 149620737}, {"ViT-L/14", 427616513}};
    for (size_t i = 0; i < 3; i++) {
        hs_clip_config cfg;
        assert_ok(hs_clip_config_named(known[i].name, &cfg));
        const size_t deeper = cfg.vision.layers - 1;
        cfg.vision.layers = cfg.text.layers = 1; /* the rest by what one layer or token has */
        cfg.vocab = 100;
        cfg.begin = cfg.end = 99;
        assert_ok(hs_clip_random(&cfg, 1, &c));
        (void)hs_clip_theta(c, &count);
        const size_t v = cfg.vision.hidden, t = cfg.text.hidden;
        count += deeper * (12 * v * v + 13 * v) + 11 * (12 * t * t + 13 * t) + (49408 - 100) * t;
        assert_int_equal(count, known[i].count);
        hs_clip_free(c);
    }
    hs_clip_config cfg;
    assert_code(hs_clip_config_named("ViT-Z/1", &cfg), HS_ERANGE);
}

static void test_bad_configurations(void **state)
{
    (void)state;
    hs_clip *c = NULL;
    for (int i = 0; i < 12; i++) {
        hs_clip_config cfg = small_config(HS_GELU_QUICK);
        switch (i) {
        case 0: cfg.vision.hidden = 0; break;
        case 1: cfg.text.heads = 3; break; /* of 8 */
        case 2: cfg.patch_size = R + 1; break;
        case 3: cfg.image_size = 4096; break;
        case 4: cfg.context = 1; break;
        case 5: cfg.resize = R - 1; break;
        case 6: cfg.end = VOCAB; break;
        case 7: cfg.text.eps = 0; break;
        case 8: cfg.std[1] = 0; break;
        case 9: cfg.vision.layers = HS_CLIP_LAYERS_MAX + 1; break;
        case 10: cfg.projection = 0; break;
        default: cfg.begin = -1; break;
        }
        assert_code(hs_clip_random(&cfg, 0, &c), HS_ERANGE);
    }
    hs_clip_config cfg = small_config(HS_GELU_QUICK);
    cfg.vision = (hs_clip_tower_config){65536, 64, 1, 65536, HS_GELU_QUICK, 1e-5};
    assert_code(hs_clip_random(&cfg, 0, &c), HS_ELIMIT);
    assert_null(c);
}

/* ---- The image tower ------------------------------------------------------------------------------- */

static void test_image_adjoint(void **state)
{
    (void)state;
    double worst = 0;
    for (uint64_t k = 0; k < 100; k++) {
        hs_clip *c = small_net(k % 2 ? HS_GELU_QUICK : HS_GELU_EXACT);
        hs_clip_image_ws *ws;
        float e[N * P], de[N * P], *x = normals(3 * k, N * PIXELS), *dx = normals(3 * k + 1, N * PIXELS);
        float *u = normals(3 * k + 2, N * P), *back = NULL;
        assert_ok(hs_alloc(N * PIXELS, sizeof *back, &back));
        assert_ok(hs_clip_image_ws_create(c, N, 1, &ws));
        assert_ok(hs_clip_image_forward(ws, N, x, e));
        assert_ok(hs_clip_image_jvp(ws, N, dx, de));
        assert_ok(hs_clip_image_vjp(ws, N, u, back, NULL));
        const double a = dot(N * P, u, de), b = dot(N * PIXELS, back, dx);
        const double error = fabs(a - b) / (norm(N * P, u) * norm(N * P, de));
        worst = error > worst ? error : worst;
        hs_clip_image_ws_free(ws);
        hs_clip_free(c);
        free(x), free(dx), free(u), free(back);
    }
    if (getenv("HSPACE_VERBOSE") != NULL) {
        printf("adjoint, 100 cases: %.3g\n", worst);
    }
    assert_true(worst <= 1e-5);
}

/* A derivative in t at 0 by differences of fourth order: the rounding of float32 is divided by the step. */
typedef double (*along)(void *ctx, double t);
static double difference(along f, void *ctx, double h)
{
    return (8 * (f(ctx, h) - f(ctx, -h)) - (f(ctx, 2 * h) - f(ctx, -2 * h))) / (12 * h);
}

typedef struct {
    hs_clip *c;
    hs_clip_image_ws *image;
    hs_clip_text_ws *text;
    const float *x, *dx, *u; /* where, which way; the loss is <u, e> */
    const int32_t *ids;
    const hs_clip_param *p; /* moved along v */
    const float *v;
} probe;

static double image_loss(void *ctx, double t)
{
    const probe *q = ctx;
    float x[N * PIXELS], e[N * P];
    for (size_t i = 0; i < N * PIXELS; i++) {
        x[i] = q->x[i] + (float)t * q->dx[i];
    }
    assert_ok(hs_clip_image_forward(q->image, N, x, e));
    return dot(N * P, e, q->u);
}

static void test_image_differences(void **state)
{
    (void)state;
    hs_clip *c = small_net(HS_GELU_EXACT);
    float e[N * P], de[N * P], *x = normals(0, N * PIXELS), *dx = normals(1, N * PIXELS), *u = normals(2, N * P);
    probe q = {.c = c, .x = x, .dx = dx, .u = u};
    assert_ok(hs_clip_image_ws_create(c, N, 1, &q.image));
    const double want = difference(image_loss, &q, 0.02);
    assert_ok(hs_clip_image_forward(q.image, N, x, e));
    assert_ok(hs_clip_image_jvp(q.image, N, dx, de));
    assert_near(dot(N * P, u, de), want, 1e-3 * norm(N * P, u) * norm(N * P, de));
    /* a pixel that no patch holds has no gradient; one that a patch holds has */
    float back[N * PIXELS];
    assert_ok(hs_clip_image_vjp(q.image, N, u, back, NULL));
    assert_true(back[R * R - 1] == 0);
    assert_true(back[0] != 0);
    hs_clip_image_ws_free(q.image);
    hs_clip_free(c);
    free(x), free(dx), free(u);
}

/* Without derivatives all blocks share their memory: the same bits. */
static void test_shared_memory(void **state)
{
    (void)state;
    hs_clip *c = small_net(HS_GELU_QUICK);
    float a[N * P], b[N * P], *x = normals(0, N * PIXELS);
    int32_t ids[N * CONTEXT];
    some_texts(ids);
    for (int grads = 0; grads < 2; grads++) {
        hs_clip_image_ws *iw;
        hs_clip_text_ws *tw;
        float text[N * P];
        assert_ok(hs_clip_image_ws_create(c, N, grads, &iw));
        assert_ok(hs_clip_text_ws_create(c, N, grads, &tw));
        assert_ok(hs_clip_image_forward(iw, N, x, grads ? b : a));
        assert_ok(hs_clip_text_forward(tw, N, ids, text));
        hs_clip_image_ws_free(iw);
        hs_clip_text_ws_free(tw);
    }
    assert_memory_equal(a, b, sizeof a);
    hs_clip_free(c);
    free(x);
}

/* ---- Gradients of the parameters ------------------------------------------------------------------- */

static double moved_loss(void *ctx, double t)
{
    const probe *q = ctx;
    float e[N * P], saved[1024], *theta;
    size_t count;
    theta = hs_clip_theta(q->c, &count) + q->p->offset;
    assert_true(q->p->count <= 1024);
    memcpy(saved, theta, q->p->count * sizeof *saved);
    for (size_t i = 0; i < q->p->count; i++) {
        theta[i] += (float)t * q->v[i];
    }
    if (q->image != NULL) {
        assert_ok(hs_clip_image_forward(q->image, N, q->x, e));
    } else {
        assert_ok(hs_clip_text_forward(q->text, N, q->ids, e));
    }
    memcpy(theta, saved, q->p->count * sizeof *saved);
    return dot(N * P, e, q->u);
}

/* Each tensor along its own gradient and along a random direction of unit length. */
static void check_parameters(probe *q, const float *grad, const char *tower)
{
    double worst = 0;
    size_t own = 0;
    for (size_t i = 0; i < hs_clip_params(q->c); i++) {
        const hs_clip_param *p = hs_clip_param_at(q->c, i);
        const int mine = strncmp(p->name, tower, strlen(tower)) == 0;
        const double size = norm(p->count, grad + p->offset);
        own += (size_t)mine;
        if (!mine) {
            assert_true(size == 0);
            continue;
        }
        const int silent = strstr(p->name, "k_proj.bias") != NULL; /* the same for all keys: softmax doesn't see it */
        assert_true(silent || size > 1e-3);
        for (int way = 0; way < 2; way++) {
            float *v = normals(50 + i, p->count);
            if (way == 0 && !silent) {
                memcpy(v, grad + p->offset, p->count * sizeof *v);
            }
            const double length = norm(p->count, v);
            for (size_t j = 0; j < p->count; j++) {
                v[j] = (float)((double)v[j] / length);
            }
            q->p = p;
            q->v = v;
            const double want = difference(moved_loss, q, 0.005), have = dot(p->count, v, grad + p->offset);
            const double error = fabs(want - have) / (size > 0.1 ? size : 0.1);
            if (error > 2e-3) {
                fail_msg("%s: %g by differences, %g", p->name, want, have);
            }
            worst = error > worst ? error : worst;
            free(v);
        }
    }
    assert_true(own > 30);
    if (getenv("HSPACE_VERBOSE") != NULL) {
        printf("gradients of %zu tensors of the %s tower: %.3g\n", own, tower, worst);
    }
}

static void test_image_weights(void **state)
{
    (void)state;
    hs_clip *c = small_net(HS_GELU_QUICK);
    size_t count;
    float e[N * P], *x = normals(0, N * PIXELS), *u = normals(2, N * P), *grad = NULL, back[N * PIXELS],
                    alone[N * PIXELS];
    (void)hs_clip_theta(c, &count);
    assert_ok(hs_calloc(count, sizeof *grad, &grad));
    probe q = {.c = c, .x = x, .u = u};
    assert_ok(hs_clip_image_ws_create(c, N, 1, &q.image));
    assert_ok(hs_clip_image_forward(q.image, N, x, e));
    assert_ok(hs_clip_image_vjp(q.image, N, u, alone, NULL));
    assert_ok(hs_clip_image_vjp(q.image, N, u, back, grad));
    assert_memory_equal(alone, back, sizeof back);
    check_parameters(&q, grad, "vis");
    /* added to, and the same without pixels */
    const float before = grad[count / 3];
    assert_ok(hs_clip_image_forward(q.image, N, x, e));
    assert_ok(hs_clip_image_vjp(q.image, N, u, NULL, grad));
    assert_near((double)grad[count / 3], 2 * (double)before, 1e-5 * fabs((double)before) + 1e-9);
    hs_clip_image_ws_free(q.image);
    hs_clip_free(c);
    free(x), free(u), free(grad);
}

static void test_text_weights(void **state)
{
    (void)state;
    hs_clip *c = small_net(HS_GELU_EXACT);
    size_t count;
    int32_t ids[N * CONTEXT];
    float e[N * P], *u = normals(2, N * P), *grad = NULL;
    some_texts(ids);
    (void)hs_clip_theta(c, &count);
    assert_ok(hs_calloc(count, sizeof *grad, &grad));
    probe q = {.c = c, .ids = ids, .u = u};
    assert_ok(hs_clip_text_ws_create(c, N, 1, &q.text));
    assert_ok(hs_clip_text_forward(q.text, N, ids, e));
    assert_ok(hs_clip_text_backward(q.text, N, u, grad));
    check_parameters(&q, grad, "text");
    hs_clip_text_ws_free(q.text);
    hs_clip_free(c);
    free(u), free(grad);
}

/* ---- Texts ----------------------------------------------------------------------------------------- */

/* What stands behind the first end token changes nothing, nor do other texts; what stands before it does. */
static void test_text_is_causal(void **state)
{
    (void)state;
    hs_clip *c = small_net(HS_GELU_QUICK);
    hs_clip_text_ws *ws;
    int32_t ids[N * CONTEXT];
    float e[N * P], f[N * P];
    some_texts(ids);
    assert_ok(hs_clip_text_ws_create(c, N, 0, &ws));
    assert_ok(hs_clip_text_forward(ws, N, ids, e));
    ids[3] = 11;
    ids[CONTEXT - 1] = 4;
    assert_ok(hs_clip_text_forward(ws, N, ids, f));
    assert_memory_equal(e, f, sizeof e);
    assert_ok(hs_clip_text_forward(ws, 1, ids, f));
    for (size_t j = 0; j < P; j++) {
        assert_near((double)f[j], (double)e[j], 1e-5);
    }
    ids[1] = 20;
    assert_ok(hs_clip_text_forward(ws, 1, ids, f));
    assert_true(fabs((double)(f[0] - e[0])) > 1e-4);
    hs_clip_text_ws_free(ws);
    hs_clip_free(c);
}

/* ---- Losses ---------------------------------------------------------------------------------------- */

typedef struct {
    hs_clip_loss *l;
    const float *a, *da, *e;
    size_t n, d;
} loss_probe;

static double loss_along(void *ctx, double t)
{
    const loss_probe *q = ctx;
    double total;
    float *x = NULL;
    assert_ok(hs_alloc(q->n * q->d, sizeof *x, &x));
    for (size_t i = 0; i < q->n * q->d; i++) {
        x[i] = q->a[i] + (float)t * q->da[i];
    }
    assert_ok(hs_clip_loss_at(q->l, q->n, x, q->e, 1, &total, NULL, NULL));
    free(x);
    return total;
}

/* The whole loss, resizing and logarithm included, by differences in its pixels. */
static void test_loss_differences(void **state)
{
    (void)state;
    enum { SIDE = 16, D = 3 * SIDE * SIDE };
    hs_clip *c = small_net(HS_GELU_QUICK);
    float *t = normals(9, P), *a = normals(0, N * D), *b = normals(1, N * D), *v = normals(2, N * D), e[N * P];
    float *grad = NULL, *twice = NULL;
    assert_ok(hs_alloc(N * D, sizeof *grad, &grad));
    assert_ok(hs_alloc(N * D, sizeof *twice, &twice));
    for (int kind = 0; kind < 4; kind++) {
        hs_clip_loss *l;
        double total, again, each[N];
        assert_ok(hs_clip_loss_create(c, N, (hs_chw){3, SIDE, SIDE}, kind % 2 ? HS_CLIP_UNIT : HS_CLIP_PLAIN, kind / 2,
                                      t, &l));
        assert_ok(hs_clip_loss_embed(l, N, b, e));
        assert_ok(hs_clip_loss_at(l, N, a, e, 1, &total, each, grad));
        assert_ok(hs_clip_loss_at(l, N, a, e, 2, &again, NULL, twice));
        assert_near(again, total, 0);
        for (size_t i = 0; i < N * D; i += 17) {
            assert_near((double)twice[i], 2 * (double)grad[i], 1e-6 * fabs((double)grad[i]) + 1e-12);
        }
        loss_probe q = {l, a, v, e, N, D};
        const double want = difference(loss_along, &q, 0.02), have = dot(N * D, v, grad);
        assert_near(have, want, 2e-3 * fabs(want) + 2e-5);
        assert_true(fabs(want) > 1e-3);
        /* no motion: cosine 0, no gradient */
        assert_ok(hs_clip_loss_at(l, N, b, e, 1, &total, each, grad));
        assert_near(each[0], 1, 0);
        assert_near(total, kind / 2 ? log(2) : 1, 1e-12);
        assert_near(norm(N * D, grad), 0, 0);
        assert_code(hs_clip_loss_at(l, N + 1, a, e, 1, &total, NULL, NULL), HS_ERANGE);
        hs_clip_loss_free(l);
    }
    hs_clip_loss *l = NULL;
    assert_code(hs_clip_loss_create(c, 1, (hs_chw){1, 8, 8}, HS_CLIP_PLAIN, 0, t, &l), HS_ESHAPE);
    assert_code(hs_clip_loss_create(c, 1, (hs_chw){3, 8, 9}, HS_CLIP_PLAIN, 0, t, &l), HS_ESHAPE);
    assert_code(hs_clip_loss_create(c, 0, (hs_chw){3, 8, 8}, HS_CLIP_PLAIN, 0, t, &l), HS_ERANGE);
    memset(t, 0, P * sizeof *t);
    assert_code(hs_clip_loss_create(c, 1, (hs_chw){3, 8, 8}, HS_CLIP_PLAIN, 0, t, &l), HS_EDEGENERATE);
    hs_clip_free(c);
    free(t), free(a), free(b), free(v), free(grad), free(twice);
}

/* One image that moves straight away from the text: the loss is 2, its logarithm infinite. */
static void test_logarithm_of_nothing(void **state)
{
    (void)state;
    hs_clip *c = small_net(HS_GELU_QUICK);
    float e[P], zero[P] = {0}, t[P] = {1}, *a = normals(0, PIXELS);
    double total, each[1];
    hs_clip_loss *l;
    assert_ok(hs_clip_loss_create(c, 1, (hs_chw){3, R, R}, HS_CLIP_PLAIN, 0, t, &l));
    assert_ok(hs_clip_loss_embed(l, 1, a, e));
    hs_clip_loss_free(l);
    for (size_t j = 0; j < P; j++) {
        t[j] = -e[j];
    }
    assert_ok(hs_clip_loss_create(c, 1, (hs_chw){3, R, R}, HS_CLIP_PLAIN, 1, t, &l));
    const int rc = hs_clip_loss_at(l, 1, a, zero, 1, &total, each, NULL);
    assert_true(rc == HS_EDEGENERATE || (rc == HS_OK && total > 15)); /* 1 - cos may round to just below 2 */
    hs_clip_loss_free(l);
    hs_clip_free(c);
    free(a);
}

enum { PAIRS = 5 };

typedef struct {
    const float *u, *w, *du, *dw;
    double scale, dscale;
} pairs;

static double contrastive_along(void *ctx, double t)
{
    const pairs *q = ctx;
    double work[2 * PAIRS * (PAIRS + 1)], loss, ds;
    float u[PAIRS * P], w[PAIRS * P], du[PAIRS * P], dw[PAIRS * P];
    for (size_t i = 0; i < PAIRS * P; i++) {
        u[i] = q->u[i] + (float)t * q->du[i];
        w[i] = q->w[i] + (float)t * q->dw[i];
    }
    assert_ok(hs_clip_contrastive(PAIRS, P, u, w, q->scale + t * q->dscale, work, &loss, du, dw, &ds));
    return loss;
}

/* The closed form for one value, differences for the gradients. */
static void test_contrastive(void **state)
{
    (void)state;
    float *u = normals(0, PAIRS * P), *w = normals(1, PAIRS * P), *du = normals(2, PAIRS * P);
    float *dw = normals(3, PAIRS * P), gu[PAIRS * P], gw[PAIRS * P], zero[PAIRS * P] = {0};
    double work[2 * PAIRS * (PAIRS + 1)], loss, ds, want = 0;
    const double scale = 1.3;
    assert_ok(hs_clip_contrastive(PAIRS, P, u, w, scale, work, &loss, gu, gw, &ds));
    for (size_t i = 0; i < PAIRS; i++) {
        double row = 0, column = 0;
        const double nu = norm(P, u + i * P), nw = norm(P, w + i * P);
        for (size_t j = 0; j < PAIRS; j++) {
            row += exp(exp(scale) * dot(P, u + i * P, w + j * P) / nu / norm(P, w + j * P));
            column += exp(exp(scale) * dot(P, u + j * P, w + i * P) / nw / norm(P, u + j * P));
        }
        want += (log(row) + log(column) - 2 * exp(scale) * dot(P, u + i * P, w + i * P) / nu / nw) / (2 * PAIRS);
    }
    assert_near(loss, want, 1e-12);
    pairs along_u = {u, w, du, zero, scale, 0}, along_w = {u, w, zero, dw, scale, 0},
          along_s = {u, w, zero, zero, scale, 1};
    assert_near(dot(PAIRS * P, du, gu), difference(contrastive_along, &along_u, 0.02), 1e-4);
    assert_near(dot(PAIRS * P, dw, gw), difference(contrastive_along, &along_w, 0.02), 1e-4);
    assert_near(ds, difference(contrastive_along, &along_s, 0.02), 1e-5);
    memset(u, 0, P * sizeof *u);
    assert_code(hs_clip_contrastive(PAIRS, P, u, w, scale, work, &loss, gu, gw, &ds), HS_EDEGENERATE);
    free(u), free(w), free(du), free(dw);
}

/* ---- Refusals -------------------------------------------------------------------------------------- */

static void test_refusals(void **state)
{
    (void)state;
    hs_clip *c = small_net(HS_GELU_QUICK);
    hs_clip_image_ws *iw = NULL;
    hs_clip_text_ws *tw = NULL;
    int32_t ids[N * CONTEXT];
    float e[N * P] = {0}, *x = normals(0, N * PIXELS), *grad = normals(1, 20000);
    const char *text = "face";
    some_texts(ids);
    assert_code(hs_clip_image_ws_create(c, 0, 0, &iw), HS_ERANGE);
    assert_code(hs_clip_image_ws_create(c, 65537, 0, &iw), HS_ERANGE);
    assert_code(hs_clip_text_ws_create(c, 0, 0, &tw), HS_ERANGE);
    assert_ok(hs_clip_image_ws_create(c, 2, 0, &iw));
    assert_code(hs_clip_image_forward(iw, 3, x, e), HS_ERANGE);
    assert_ok(hs_clip_image_forward(iw, 2, x, e));
    assert_code(hs_clip_image_vjp(iw, 2, e, x, NULL), HS_EBUG);
    assert_code(hs_clip_image_jvp(iw, 2, x, e), HS_EBUG);
    hs_clip_image_ws_free(iw);
    assert_ok(hs_clip_image_ws_create(c, 2, 1, &iw));
    assert_code(hs_clip_image_vjp(iw, 1, e, x, NULL), HS_ERANGE);
    hs_clip_image_ws_free(iw);
    assert_ok(hs_clip_text_ws_create(c, N, 0, &tw));
    assert_code(hs_clip_text_forward(tw, N + 1, ids, e), HS_ERANGE);
    assert_code(hs_clip_text_backward(tw, N, e, grad), HS_EBUG);
    ids[1] = VOCAB;
    assert_code(hs_clip_text_forward(tw, N, ids, e), HS_ERANGE);
    for (size_t j = 0; j < CONTEXT; j++) {
        ids[j] = 1;
    }
    assert_code(hs_clip_text_forward(tw, N, ids, e), HS_ERANGE);
    hs_clip_text_ws_free(tw);
    assert_ok(hs_clip_text_ws_create(c, N, 1, &tw));
    assert_code(hs_clip_text_backward(tw, N, e, grad), HS_ERANGE);
    hs_clip_text_ws_free(tw);
    assert_code(hs_clip_tokens(c, 1, &text, 0, ids), HS_ERANGE); /* no tokenizer */
    hs_clip_free(c);
    free(x), free(grad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameters),       cmocka_unit_test(test_bad_configurations),
        cmocka_unit_test(test_image_adjoint),    cmocka_unit_test(test_image_differences),
        cmocka_unit_test(test_shared_memory),    cmocka_unit_test(test_image_weights),
        cmocka_unit_test(test_text_weights),     cmocka_unit_test(test_text_is_causal),
        cmocka_unit_test(test_loss_differences), cmocka_unit_test(test_logarithm_of_nothing),
        cmocka_unit_test(test_contrastive),      cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
