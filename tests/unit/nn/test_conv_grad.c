/* The convolution's derivatives against plain loops in double, and against each other: the adjoint
 * identity <J v, u> = <v, J^T u> ties hs_conv_vjp to hs_conv_jvp, hs_conv_jvp is tied to the loop by
 * test_conv.c's forward. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/nn/conv.h"
#include "tests/support/support.h"

static const hs_conv_mode modes[] = {HS_CONV_AUTO, HS_CONV_WINOGRAD, HS_CONV_DIRECT, HS_CONV_IM2COL};
enum { MODES = 4 };

static void *block(size_t bytes)
{
    void *p;
    assert_ok(hs_alloc(bytes, 1, &p));
    return p;
}

static float *normals(uint64_t index, size_t n, float scale)
{
    float *v = block((n + 1) * sizeof *v);
    hs_rng_normal((hs_rng){7, HS_RNG_TEST, index}, 0, n, v);
    for (size_t i = 0; i < n; i++) {
        v[i] *= scale;
    }
    return v;
}

/* A planned convolution with an input, an output's cotangent, and room for results. */
typedef struct {
    hs_conv_shape s;
    size_t n, h, w, planned; /* planned: images */
    hs_conv *c;
    size_t oh, ow, ins, outs, weights;
    float *weight, *bias, *x, *dy, *to_x, *to_y, *dw;
    void *scratch;
} problem;

static void begin(problem *p, hs_conv_mode mode)
{
    const hs_conv_shape *s = &p->s;
    size_t bytes[3];
    p->planned = p->planned < p->n ? p->n : p->planned;
    p->weights = s->out_ch * s->in_ch * s->kernel * s->kernel;
    p->weight = normals(1, p->weights, 0.05f);
    p->bias = normals(2, s->out_ch, 1);
    assert_ok(hs_conv_create(*s, p->weight, p->bias, &p->c));
    p->oh = hs_conv_out_h(p->c, p->h);
    p->ow = hs_conv_out_w(p->c, p->w);
    p->ins = p->n * p->h * p->w * s->in_ch;
    p->outs = p->n * p->oh * p->ow * s->out_ch;
    p->x = normals(3, p->ins, 1);
    p->dy = normals(4, p->outs, 1);
    p->to_x = normals(5, p->ins, 1);
    p->to_y = normals(6, p->outs, 1);
    p->dw = block(p->weights * sizeof(float));
    memset(p->dw, 0, p->weights * sizeof(float));
    assert_ok(hs_conv_plan(p->c, mode, p->planned, p->h, p->w, &bytes[0]));
    assert_ok(hs_conv_plan_vjp(p->c, mode, p->planned, &bytes[1]));
    assert_ok(hs_conv_plan_vjp_weights(p->c, mode, p->planned, &bytes[2]));
    size_t most = bytes[0] > bytes[1] ? bytes[0] : bytes[1];
    most = most > bytes[2] ? most : bytes[2];
    p->scratch = block(most); /* exactly: AddressSanitizer sees one float more */
    memset(p->scratch, 0xff, most);
}

static void end(problem *p)
{
    void *all[] = {p->weight, p->bias, p->x, p->dy, p->to_x, p->to_y, p->dw, p->scratch};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        free(all[i]);
    }
    hs_conv_free(p->c);
}

static const char *describe(const problem *p)
{
    static char text[160];
    const hs_conv_shape *s = &p->s;
    snprintf(text, sizeof text,
             "%s: %zu (planned %zu) x %zu x %zu, %zu -> %zu, kernel %zu stride %zu pad %zu %zu %zu %zu",
             hs_conv_algorithm(p->c), p->n, p->planned, p->h, p->w, s->in_ch, s->out_ch, s->kernel, s->stride,
             s->pad_top, s->pad_left, s->pad_bottom, s->pad_right);
    return text;
}

static void expect_below(const problem *p, const char *what, double error, double tol)
{
    if (!(error <= tol)) {
        fail_msg("%s, %s: %g > %g", describe(p), what, error, tol);
    }
}

static double dot(size_t n, const float *a, const float *b)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}

/* f(w) = sum u conv_w(x) for output o alone, in double; and its gradient by w[o], which is added. */
static double objective(const problem *p, size_t o, const double *w, double *grad)
{
    const hs_conv_shape *s = &p->s;
    size_t k = s->kernel;
    double sum = 0;
    for (size_t r = 0; r < p->n * p->oh * p->ow; r++) {
        size_t i = r / (p->oh * p->ow), oy = r / p->ow % p->oh, ox = r % p->ow;
        double u = (double)p->dy[r * s->out_ch + o];
        for (size_t t = 0; t < k * k; t++) {
            size_t y = s->stride * oy + t / k - s->pad_top, x = s->stride * ox + t % k - s->pad_left;
            for (size_t c = 0; c < s->in_ch && y < p->h && x < p->w; c++) {
                double v = (double)p->x[((i * p->h + y) * p->w + x) * s->in_ch + c];
                sum += u * w[c * k * k + t] * v;
                grad[c * k * k + t] += u * v;
            }
        }
    }
    return sum;
}

/* Gradient of the weights by the loop, every output channel. */
static float *loop_gradient(const problem *p)
{
    size_t each = p->weights / p->s.out_ch;
    float *want = block(p->weights * sizeof *want);
    double *w = block(each * sizeof *w), *grad = block(each * sizeof *grad);
    for (size_t e = 0; e < each; e++) {
        w[e] = 0;
    }
    for (size_t o = 0; o < p->s.out_ch; o++) {
        memset(grad, 0, each * sizeof *grad);
        (void)objective(p, o, w, grad);
        for (size_t e = 0; e < each; e++) {
            want[o * each + e] = (float)grad[e];
        }
    }
    free(w);
    free(grad);
    return want;
}

static void check_identity(problem *p)
{
    assert_ok(hs_conv_jvp(p->c, p->n, p->h, p->w, p->x, NULL, NULL, p->to_y, p->scratch));
    assert_ok(hs_conv_vjp(p->c, p->n, p->h, p->w, p->dy, NULL, p->to_x, p->scratch));
    double left = dot(p->outs, p->to_y, p->dy), right = dot(p->ins, p->x, p->to_x);
    double scale = sqrt(dot(p->outs, p->to_y, p->to_y) * dot(p->outs, p->dy, p->dy));
    expect_below(p, "<Jv, u> - <v, J'u>", fabs(left - right) / scale, 1e-5);
    /* The identity holds, weakly, for a wrong entry that v doesn't look at: each entry against <J e, u>. */
    size_t at = p->ins / 3;
    memset(p->x, 0, p->ins * sizeof *p->x);
    p->x[at] = 1;
    assert_ok(hs_conv_jvp(p->c, p->n, p->h, p->w, p->x, NULL, NULL, p->to_y, p->scratch));
    double most = 0;
    for (size_t e = 0; e < p->ins; e++) {
        most = fmax(most, (double)fabsf(p->to_x[e]));
    }
    expect_below(p, "one entry", fabs(dot(p->outs, p->to_y, p->dy) - (double)p->to_x[at]) / most, 1e-5);
}

static void check_weights(problem *p)
{
    assert_ok(hs_conv_vjp_weights(p->c, p->n, p->h, p->w, p->x, p->dy, p->dw, NULL, NULL, p->scratch));
    float *want = loop_gradient(p);
    expect_below(p, "weight gradient", max_rel_f32(p->dw, want, p->weights), 1e-5);
    free(want);
}

static size_t pick(const size_t *from, size_t n, uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return from[(*state >> 33) % n];
}

static problem random_problem(uint64_t *state)
{
    static const size_t channels[] = {1, 3, 16, 20, 32, 33, 48, 64, 96}, sizes[] = {1, 3, 4, 5, 8, 9, 13, 16};
    static const size_t images[] = {1, 2, 3, 5}, extra[] = {0, 0, 1, 3}, one_three[] = {1, 3, 3, 3},
                        steps[] = {1, 1, 2};
    static const size_t pads[] = {0, 1, 1, 2};
    problem p = {0};
    size_t k = pick(one_three, 4, state), pad[4];
    for (size_t i = 0; i < 4; i++) {
        pad[i] = k == 1 ? 0 : pick(pads, 4, state);
    }
    p.s = (hs_conv_shape){
        pick(channels, 9, state), pick(channels, 9, state), k, pick(steps, 3, state), pad[0], pad[1], pad[2], pad[3]};
    p.n = pick(images, 4, state);
    p.planned = p.n + pick(extra, 4, state);
    do {
        p.h = pick(sizes, 8, state);
        p.w = pick(sizes, 8, state);
    } while (p.h + pad[0] + pad[2] < k || p.w + pad[1] + pad[3] < k);
    return p;
}

static void test_random_shapes(void **unused)
{
    (void)unused;
    uint64_t state = 11;
    for (size_t i = 0; i < 120; i++) {
        problem p = random_problem(&state);
        begin(&p, modes[i % MODES]);
        check_weights(&p);
        check_identity(&p);
        end(&p);
    }
}

/* The shapes of the training run, with fewer images. */
static void test_training_shapes(void **unused)
{
    (void)unused;
    static const size_t shapes[][6] = {/* in, out, size, kernel, stride, padded before */
                                       {3, 32, 32, 3, 1, 1},  {32, 32, 32, 3, 1, 1},  {96, 32, 32, 3, 1, 1},
                                       {32, 3, 32, 3, 1, 1},  {64, 64, 16, 3, 1, 1},  {192, 64, 16, 3, 1, 1},
                                       {32, 32, 32, 3, 2, 0}, {64, 64, 16, 3, 2, 0},  {256, 128, 8, 3, 1, 1},
                                       {96, 32, 32, 1, 1, 0}, {128, 384, 8, 1, 1, 0}, {32, 64, 16, 1, 1, 0}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const size_t *t = shapes[i];
        size_t after = t[3] / 2;
        for (size_t m = 0; m < MODES; m++) {
            problem p = {.s = {t[0], t[1], t[3], t[4], t[5], t[5], after, after}, .n = 3, .h = t[2], .w = t[2]};
            begin(&p, modes[m]);
            check_weights(&p);
            check_identity(&p);
            end(&p);
        }
    }
}

/* The derivative of the loop's own objective, by central differences in double. */
static void test_central_differences(void **unused)
{
    (void)unused;
    for (size_t m = 0; m < MODES; m++) {
        for (size_t stride = 1; stride <= 2; stride++) {
            problem p = {.s = {32, 32, 3, stride, 0, 1, 2, 1}, .n = 2, .h = 8, .w = 9};
            begin(&p, modes[m]);
            assert_ok(hs_conv_vjp_weights(p.c, p.n, p.h, p.w, p.x, p.dy, p.dw, NULL, NULL, p.scratch));
            size_t each = p.weights / p.s.out_ch, o = 5;
            double *w = block(each * sizeof *w), *grad = block(each * sizeof *grad), most = 0, error = 0;
            for (size_t e = 0; e < each; e++) {
                w[e] = (double)p.weight[o * each + e];
            }
            for (size_t e = 0; e < each; e++) {
                const double step = 1e-3, at = w[e];
                w[e] = at + step;
                double above = objective(&p, o, w, grad);
                w[e] = at - step;
                double difference = (above - objective(&p, o, w, grad)) / (2 * step);
                w[e] = at;
                most = fmax(most, fabs(difference));
                error = fmax(error, fabs(difference - (double)p.dw[o * each + e]));
            }
            expect_below(&p, "central differences", error / most, 1e-6);
            free(w);
            free(grad);
            end(&p);
        }
    }
}

/* dadd, dbias, and += against <-. */
static void test_biases_and_accumulation(void **unused)
{
    (void)unused;
    for (size_t m = 0; m < MODES; m++) {
        problem p = {.s = {33, 70, 3, 1, 1, 1, 1, 1}, .n = 3, .planned = 4, .h = 9, .w = 7};
        begin(&p, modes[m]);
        size_t out = p.s.out_ch, pixels = p.oh * p.ow;
        float *dbias = normals(8, out, 1), *before = normals(8, out, 1), *dadd = normals(9, p.n * out, 1);
        float *first = block(p.weights * sizeof *first);
        assert_ok(hs_conv_vjp_weights(p.c, p.n, p.h, p.w, p.x, p.dy, p.dw, dbias, dadd, p.scratch));
        memcpy(first, p.dw, p.weights * sizeof *first);
        for (size_t o = 0; o < out; o++) {
            double all = 0;
            for (size_t i = 0; i < p.n; i++) {
                double sum = 0;
                for (size_t r = 0; r < pixels; r++) {
                    sum += (double)p.dy[(i * pixels + r) * out + o];
                }
                assert_near((double)dadd[i * out + o], sum, 1e-5);
                all += sum;
            }
            assert_near((double)dbias[o], (double)before[o] + all, 1e-5);
        }
        assert_ok(hs_conv_vjp_weights(p.c, p.n, p.h, p.w, p.x, p.dy, p.dw, dbias, NULL, p.scratch));
        for (size_t e = 0; e < p.weights; e++) {
            assert_true(p.dw[e] == 2 * first[e]);
        }
        for (size_t o = 0; o < out; o++) {
            double all = (double)dbias[o] - (double)before[o], once = 0;
            for (size_t i = 0; i < p.n; i++) {
                once += (double)dadd[i * out + o];
            }
            assert_near(all, 2 * once, 2e-5);
        }
        float *none[] = {dbias, before, dadd, first};
        for (size_t i = 0; i < 4; i++) {
            free(none[i]);
        }
        end(&p);
    }
}

/* What some hundred roundings at random leave of sums of that size. */
static double rounding(size_t n, const float *v)
{
    double most = 0;
    for (size_t e = 0; e < n; e++) {
        most = fmax(most, (double)fabsf(v[e]));
    }
    return 2e-6 * most;
}

/* hs_conv_jvp is the forward without its bias; a residual of either direction is added, in place too. */
static void test_residuals(void **unused)
{
    (void)unused;
    for (size_t m = 0; m < MODES; m++) {
        for (size_t stride = 1; stride <= 2; stride++) {
            problem p = {.s = {32, 48, 3, stride, 1, 1, 1, 1}, .n = 2, .h = 8, .w = 8};
            begin(&p, modes[m]);
            float *y = normals(6, p.outs, 1), *add = normals(8, p.n * p.s.out_ch, 1), *dx = normals(5, p.ins, 1);
            float *plain = block(p.ins * sizeof *plain);
            assert_ok(hs_conv_forward(p.c, p.n, p.h, p.w, p.x, add, p.dy, y, p.scratch));
            assert_ok(hs_conv_jvp(p.c, p.n, p.h, p.w, p.x, add, p.dy, p.to_y, p.scratch));
            double most = rounding(p.outs, y);
            for (size_t e = 0; e < p.outs; e++) {
                assert_near((double)(y[e] - p.to_y[e]), (double)p.bias[e % p.s.out_ch], most);
            }
            assert_ok(hs_conv_vjp(p.c, p.n, p.h, p.w, p.dy, NULL, plain, p.scratch));
            assert_ok(hs_conv_vjp(p.c, p.n, p.h, p.w, p.dy, p.x, p.to_x, p.scratch));
            memcpy(dx, p.x, p.ins * sizeof *dx);
            assert_ok(hs_conv_vjp(p.c, p.n, p.h, p.w, p.dy, dx, dx, p.scratch));
            assert_memory_equal(dx, p.to_x, p.ins * sizeof *dx);
            most = rounding(p.ins, plain);
            for (size_t e = 0; e < p.ins; e++) {
                assert_near((double)p.to_x[e], (double)plain[e] + (double)p.x[e], most);
            }
            float *none[] = {y, add, dx, plain};
            for (size_t i = 0; i < 4; i++) {
                free(none[i]);
            }
            end(&p);
        }
    }
}

/* Weight gradients, with their biases, have the same bits on one, two and five threads. */
static void test_number_of_threads(void **unused)
{
    (void)unused;
    static const problem cases[] = {
        {.s = {3, 32, 3, 1, 1, 1, 1, 1}, .n = 5, .h = 16, .w = 16},
        {.s = {64, 96, 3, 1, 1, 1, 1, 1}, .n = 5, .h = 16, .w = 16},
        {.s = {33, 70, 3, 1, 1, 1, 1, 1}, .n = 3, .h = 9, .w = 11},
        {.s = {32, 3, 3, 1, 1, 1, 1, 1}, .n = 3, .h = 16, .w = 16},
        {.s = {32, 48, 3, 2, 0, 0, 1, 1}, .n = 3, .h = 16, .w = 16},
        {.s = {96, 40, 1, 1, 0, 0, 0, 0}, .n = 5, .h = 16, .w = 16},
    };
    static const int threads[] = {1, 2, 5};
    int usual = omp_get_max_threads();
    for (size_t m = 0; m < MODES; m++) {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            float *first = NULL, *first_bias = NULL;
            for (size_t t = 0; t < 3; t++) {
                problem p = cases[i];
                omp_set_num_threads(threads[t]);
                begin(&p, modes[m]);
                float *dbias = block(p.s.out_ch * sizeof *dbias);
                memset(dbias, 0, p.s.out_ch * sizeof *dbias);
                assert_ok(hs_conv_vjp_weights(p.c, p.n, p.h, p.w, p.x, p.dy, p.dw, dbias, NULL, p.scratch));
                if (t == 0) {
                    first = block(p.weights * sizeof *first);
                    memcpy(first, p.dw, p.weights * sizeof *first);
                    first_bias = dbias;
                } else {
                    assert_memory_equal(first, p.dw, p.weights * sizeof *first);
                    assert_memory_equal(first_bias, dbias, p.s.out_ch * sizeof *dbias);
                    free(dbias);
                }
                end(&p);
            }
            free(first);
            free(first_bias);
        }
    }
    omp_set_num_threads(usual);
}

/* Weights changed in place and refreshed give the bits of a convolution planned with them. */
static void test_refresh(void **unused)
{
    (void)unused;
    for (size_t m = 0; m < MODES; m++) {
        for (size_t i = 0; i < 4; i++) {
            problem p = {.s = {32, 48, i < 2 ? 3 : 1, 1 + i % 2, 0, 0, 0, 0}, .n = 3, .h = 8, .w = 8};
            problem q = p;
            begin(&p, modes[m]);
            float *weight = normals(17, p.weights, 0.1f);
            memcpy(p.weight, weight, p.weights * sizeof *weight);
            assert_ok(hs_conv_refresh(p.c));
            begin(&q, modes[m]);
            hs_conv_free(q.c);
            size_t bytes;
            assert_ok(hs_conv_create(q.s, weight, q.bias, &q.c));
            assert_ok(hs_conv_plan(q.c, modes[m], q.n, q.h, q.w, &bytes));
            assert_ok(hs_conv_plan_vjp(q.c, modes[m], q.n, &bytes));
            assert_ok(hs_conv_forward(p.c, p.n, p.h, p.w, p.x, NULL, NULL, p.to_y, p.scratch));
            assert_ok(hs_conv_forward(q.c, q.n, q.h, q.w, q.x, NULL, NULL, q.to_y, q.scratch));
            assert_memory_equal(p.to_y, q.to_y, p.outs * sizeof(float));
            assert_ok(hs_conv_vjp(p.c, p.n, p.h, p.w, p.dy, NULL, p.to_x, p.scratch));
            assert_ok(hs_conv_vjp(q.c, q.n, q.h, q.w, q.dy, NULL, q.to_x, q.scratch));
            assert_memory_equal(p.to_x, q.to_x, p.ins * sizeof(float));
            end(&p);
            end(&q);
            free(weight);
        }
    }
}

static void test_refusals(void **unused)
{
    (void)unused;
    float w[9 * 4] = {0}, x[64] = {0};
    size_t bytes;
    hs_conv *c;
    char *scratch = block(1 << 16);
    assert_ok(hs_conv_create((hs_conv_shape){2, 2, 3, 1, 1, 1, 1, 1}, w, NULL, &c));
    assert_ok(hs_conv_refresh(c)); /* nothing kept yet */
    assert_code(hs_conv_jvp(c, 1, 3, 3, x, NULL, NULL, x, scratch), HS_EBUG);
    assert_code(hs_conv_plan_vjp(c, HS_CONV_AUTO, 1, &bytes), HS_EBUG);
    assert_code(hs_conv_plan_vjp_weights(c, HS_CONV_AUTO, 1, &bytes), HS_EBUG);
    assert_ok(hs_conv_plan(c, HS_CONV_AUTO, 2, 3, 3, &bytes));
    assert_code(hs_conv_vjp(c, 1, 3, 3, x, NULL, x, scratch), HS_EBUG);
    assert_code(hs_conv_vjp_weights(c, 1, 3, 3, x, x, w, NULL, NULL, scratch), HS_EBUG);
    assert_code(hs_conv_plan_vjp(c, HS_CONV_AUTO, 3, &bytes), HS_ESHAPE);
    assert_code(hs_conv_plan_vjp(c, HS_CONV_AUTO, 0, &bytes), HS_ESHAPE);
    assert_code(hs_conv_plan_vjp_weights(c, HS_CONV_AUTO, 3, &bytes), HS_ESHAPE);
    assert_ok(hs_conv_plan_vjp(c, HS_CONV_AUTO, 1, &bytes));
    assert_ok(hs_conv_plan_vjp_weights(c, HS_CONV_AUTO, 1, &bytes));
    assert_code(hs_conv_jvp(c, 3, 3, 3, x, NULL, NULL, x, scratch), HS_ESHAPE);
    assert_code(hs_conv_vjp(c, 2, 3, 3, x, NULL, x, scratch), HS_ESHAPE);
    assert_code(hs_conv_vjp(c, 1, 4, 3, x, NULL, x, scratch), HS_ESHAPE);
    assert_code(hs_conv_vjp_weights(c, 2, 3, 3, x, x, w, NULL, NULL, scratch), HS_ESHAPE);
    assert_code(hs_conv_vjp_weights(c, 1, 3, 4, x, x, w, NULL, NULL, scratch), HS_ESHAPE);
    /* Another plan is another size: the derivatives' plans end with it. */
    assert_ok(hs_conv_plan(c, HS_CONV_AUTO, 1, 4, 4, &bytes));
    assert_code(hs_conv_vjp(c, 1, 4, 4, x, NULL, x, scratch), HS_EBUG);
    assert_code(hs_conv_vjp_weights(c, 1, 4, 4, x, x, w, NULL, NULL, scratch), HS_EBUG);
    free(scratch);
    hs_conv_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_shapes),
        cmocka_unit_test(test_training_shapes),
        cmocka_unit_test(test_central_differences),
        cmocka_unit_test(test_biases_and_accumulation),
        cmocka_unit_test(test_residuals),
        cmocka_unit_test(test_number_of_threads),
        cmocka_unit_test(test_refresh),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
