/* The task that learns an edit: the gradient of its whole loss for each goal, each space and each kind of change;
 * what the recipes do, against the same steps written out; toy edits that must be learned. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "analysis/train/task_asyrp.h"
#include "core/base/rng.h"
#include "core/diffusion/ddim.h"
#include "core/model/model.h"
#include "core/model/unet_grad.h"
#include "tests/support/support.h"

enum { N = 3, D = 3 * 16 * 16, BATCH = 2, EDITED = 3 };

typedef struct {
    hs_model m;
    hs_steps steps;
    hs_attrnet *phi;
    hs_clip *clip;
    hs_chw image;
    float x_T[N * D], x_0[N * D];
} setup;

static void begin(setup *s)
{
    static const int t[] = {400, 300, 200, 100, 50};
    const hs_attrnet_config c = {.image_size = 16,
                                 .levels = 2,
                                 .ch = {8, 16},
                                 .groups = 4,
                                 .features = 12,
                                 .n_factors = 2,
                                 .factor = {{"a", 0, 0, 1}, {"b", 1, 0, 1}}};
    const hs_clip_tower_config tower = {.hidden = 16, .layers = 2, .heads = 2, .mlp = 32, .eps = 1e-5};
    hs_clip_config k = {.vision = tower,
                        .text = tower,
                        .image_size = 24, /* not the model's: images are resized */
                        .patch_size = 8,
                        .vocab = 20,
                        .context = 8,
                        .begin = 18,
                        .end = 19,
                        .projection = 10,
                        .resize = 24};
    hs_clip_config_usual_scale(&k);
    assert_ok(hs_model_open("random:tiny", NULL, NULL, &s->m));
    s->image = hs_unet_image_shape(hs_unet_config_of(s->m.unet));
    assert_ok(hs_steps_from_list(&s->m.schedule, 5, t, &s->steps));
    assert_ok(hs_attrnet_random(&c, 4, &s->phi));
    assert_ok(hs_clip_random(&k, 5, &s->clip));
    hs_rng_normal((hs_rng){5, HS_RNG_TEST, 0}, 0, N * D, s->x_T);
    hs_rng_normal((hs_rng){5, HS_RNG_TEST, 1}, 0, N * D, s->x_0);
}

static void end(setup *s)
{
    hs_attrnet_free(s->phi);
    hs_clip_free(s->clip);
    hs_steps_free(&s->steps);
    hs_model_free(&s->m);
}

/* ---- A run: a goal, a change and a task over them ---- */

typedef enum { ATTRIBUTE, CLIP, CLIP_LOG } goal_kind;
typedef struct {
    hs_goal goal;
    hs_deltablock *net;
    hs_delta_var *v;
    hs_asyrp_task *a;
    hs_task t;
} run;

static const hs_asyrp_task_options usual = {.weight = 0.9, .l1 = 0.5, .t_edit = 150, .conv = HS_CONV_AUTO};

static void make_goal(const setup *s, goal_kind kind, hs_goal *out)
{
    float t[10];
    hs_rng_normal((hs_rng){7, HS_RNG_TEST, 0}, 0, 10, t);
    if (kind == ATTRIBUTE) {
        assert_ok(hs_goal_attribute(s->phi, s->image, 1, 0.7, BATCH, HS_CONV_AUTO, out));
    } else {
        assert_ok(hs_goal_clip_along(s->clip, s->image, t, kind == CLIP ? HS_CLIP_PLAIN : HS_CLIP_UNIT,
                                     kind == CLIP_LOG, BATCH, "t\n", out));
    }
}

static void make_delta(const setup *s, hs_delta_kind kind, int eps, int silent, run *r)
{
    const hs_unet_config *u = hs_unet_config_of(s->m.unet);
    size_t width = hs_unet_h_shape(u).c, p = 16 / hs_unet_h_shape(u).h;
    hs_delta_spec spec = {.kind = kind, .eps = eps, .n = N, .S = EDITED, .batch = BATCH, .silent = silent, .seed = 3};
    if (kind == HS_DELTA_NET) {
        assert_ok(hs_deltablock_random(eps ? 3 * p * p : width, width, u->temb_dim, 3, silent, &r->net));
        spec.net = r->net;
    }
    assert_ok(hs_delta_create(u, &spec, &r->v));
}

static void start(const setup *s, goal_kind goal, hs_delta_kind kind, int eps, const hs_asyrp_task_options *o,
                  const char *folder, run *r)
{
    int silent = folder != NULL;
    *r = (run){0};
    make_goal(s, goal, &r->goal);
    make_delta(s, kind, eps, silent, r);
    assert_ok(hs_asyrp_task_create(s->m.unet, &s->steps, r->v, &r->goal, s->x_T, s->x_0, o, "about\n",
                                   folder != NULL ? folder : "x", &r->a));
    r->t = hs_asyrp_task_of(r->a);
}

static void finish(run *r)
{
    hs_asyrp_task_free(r->a);
    hs_delta_free(r->v);
    hs_deltablock_free(r->net);
    hs_goal_free(&r->goal);
}

static double loss_at(const hs_task *t, uint64_t k)
{
    double loss;
    memset(t->grad, 0, t->n * sizeof *t->grad);
    assert_ok(t->loss(t->ctx, k, &loss));
    return loss;
}

/* ---- The gradient ---- */

/* What of theta matters at update 1, and a loss that is each image's own: see hs_delta_backward. */
static double weigh(hs_delta_kind kind)
{
    return kind == HS_DELTA_FREE ? BATCH : 1;
}

/* At the first timestep, along random directions; afterwards the state depends on theta, which the gradient does not
 * follow, as the authors' doesn't.  What is left falls with the step: the kinks of |.|, then float32. */
static void check_gradient(const setup *s, goal_kind goal, hs_delta_kind kind, int eps)
{
    run r;
    hs_asyrp_task_options o = usual;
    o.against = HS_AGAINST_IMAGE;
    start(s, goal, kind, eps, &o, NULL, &r);
    size_t first, count;
    uint64_t visit;
    r.t.span(r.t.ctx, 1, &first, &count, &visit);
    float *v = malloc(count * sizeof *v), *theta = malloc(count * sizeof *theta), *grad = malloc(count * sizeof *grad);
    memcpy(theta, r.t.theta + first, count * sizeof *theta);
    loss_at(&r.t, 1);
    memcpy(grad, r.t.grad + first, count * sizeof *grad);
    double worst = 0, size = 0;
    for (uint64_t trial = 0; trial < 3; trial++) {
        double e, want = 0, norm = 0, side[2];
        hs_rng_normal((hs_rng){6, HS_RNG_TEST, trial}, 0, count, v);
        for (size_t i = 0; i < count; i++) { /* half along the gradient, so that the slope isn't small by chance */
            norm += (double)grad[i] * (double)grad[i];
        }
        for (size_t i = 0; i < count; i++) {
            v[i] = v[i] / sqrtf((float)count) + grad[i] / (float)sqrt(norm);
            want += (double)grad[i] * (double)v[i] / weigh(kind);
        }
        e = kind != HS_DELTA_NET ? 0.02 : eps ? 0.003 : 0.01;
        for (int k = 0; k < 2; k++) {
            for (size_t i = 0; i < count; i++) {
                r.t.theta[first + i] = theta[i] + (float)((k == 0 ? e : -e) * (double)v[i]);
            }
            side[k] = loss_at(&r.t, 1);
        }
        memcpy(r.t.theta + first, theta, count * sizeof *theta);
        worst = fmax(worst, fabs((side[0] - side[1]) / (2 * e) - want));
        size = fmax(size, fabs(want));
    }
    print_message("goal %d, kind %d, %s: slope %.3e, off by %.1e\n", (int)goal, (int)kind, eps ? "eps" : "h", size,
                  worst);
    assert_true(size > 1e-6 && worst < 0.005 * size);
    free(v), free(theta), free(grad);
    finish(&r);
}

static void test_gradient(void **state)
{
    (void)state;
    setup s;
    begin(&s);
    for (int goal = ATTRIBUTE; goal <= CLIP_LOG; goal++) {
        for (int eps = 0; eps < 2; eps++) {
            check_gradient(&s, (goal_kind)goal, HS_DELTA_NET, eps);
            check_gradient(&s, (goal_kind)goal, HS_DELTA_FREE, eps);
            check_gradient(&s, (goal_kind)goal, HS_DELTA_SHARED, eps);
        }
    }
    end(&s);
}

/* ---- Recipes ---- */

/* One update a trajectory: the sum of the timesteps' gradients, the mean of their losses. */
static void test_one_update_a_trajectory(void **state)
{
    (void)state;
    setup s;
    run step, whole;
    begin(&s);
    hs_asyrp_task_options o = usual;
    start(&s, ATTRIBUTE, HS_DELTA_NET, 0, &o, NULL, &step);
    o.update = HS_UPDATE_TRAJECTORY;
    start(&s, ATTRIBUTE, HS_DELTA_NET, 0, &o, NULL, &whole);
    assert_int_equal(hs_asyrp_task_updates(step.a), EDITED);
    assert_int_equal(hs_asyrp_task_updates(whole.a), 1);
    float *sum = calloc(step.t.n, sizeof *sum);
    double loss = 0;
    for (uint64_t k = 1; k <= EDITED; k++) { /* theta stays; the second trajectory: image 2 alone */
        loss += loss_at(&step.t, EDITED + k) / EDITED;
        for (size_t i = 0; i < step.t.n; i++) {
            sum[i] += step.t.grad[i];
        }
    }
    assert_near(loss_at(&whole.t, 2), loss, 1e-6 * loss);
    assert_true(max_rel_f32(whole.t.grad, sum, step.t.n) < 1e-4);
    free(sum);
    finish(&step);
    finish(&whole);
    end(&s);
}

/* The program's recipe written out with the network's own calls: images 0 and 1, a plain step of gradient descent after
 * each timestep, the goal against x_0 and the L1 term against the trajectory that is never edited. */
static void two_steps_by_hand(setup *s, hs_deltablock *f, double rate)
{
    size_t dh_n = hs_chw_size(hs_unet_h_shape(hs_unet_config_of(s->m.unet))), count, nd = BATCH * D;
    float *theta = hs_deltablock_theta(f, &count), *grad = malloc(count * sizeof *grad);
    float *h = malloc(BATCH * dh_n * sizeof *h), *dh = malloc(BATCH * dh_n * sizeof *dh), *b[7];
    for (int i = 0; i < 7; i++) {
        b[i] = malloc(nd * sizeof(float));
    }
    float *x = b[0], *plain = b[1], *eps = b[2], *edited = b[3], *P = b[4], *P_plain = b[5], *u = b[6];
    hs_unet_grad *g;
    hs_deltablock_grad *fg;
    hs_goal goal;
    make_goal(s, CLIP_LOG, &goal);
    assert_ok(goal.source(goal.ctx, BATCH, s->x_0));
    assert_ok(hs_unet_grad_create(s->m.unet, BATCH, BATCH, 0, HS_CONV_AUTO, &g));
    assert_ok(hs_deltablock_grad_create(f, hs_unet_h_shape(hs_unet_config_of(s->m.unet)), BATCH, BATCH, &fg));
    memcpy(x, s->x_T, nd * sizeof *x);
    memcpy(plain, s->x_T, nd * sizeof *x);
    for (size_t k = 0; k < 2; k++) {
        const hs_step *st = &s->steps.step[k];
        const int t[BATCH] = {st->t, st->t};
        double value;
        assert_ok(hs_unet_grad_encode(g, BATCH, plain, t, h));
        assert_ok(hs_unet_grad_decode(g, h, eps));
        hs_ddim_step(st, 0, 0, nd, plain, eps, eps, NULL, plain, P_plain);
        assert_ok(hs_unet_grad_encode(g, BATCH, x, t, h));
        assert_ok(hs_unet_grad_decode(g, h, eps));
        assert_ok(hs_deltablock_grad_forward(fg, BATCH, h, hs_unet_grad_temb(g, 0), dh));
        for (size_t i = 0; i < BATCH * dh_n; i++) {
            h[i] += dh[i];
        }
        assert_ok(hs_unet_grad_decode(g, h, edited));
        hs_ddim_step(st, 0, 0, nd, x, edited, eps, NULL, x, P);
        assert_ok(goal.judge(goal.ctx, BATCH, P, usual.weight, &value, u));
        for (size_t i = 0; i < nd; i++) {
            u[i] += (float)(usual.l1 / (double)nd) * (P[i] > P_plain[i] ? 1 : P[i] < P_plain[i] ? -1 : 0);
            u[i] *= (float)(-sqrt(1 - st->alpha_bar) / sqrt(st->alpha_bar));
        }
        assert_ok(hs_unet_vjp_decode(g, BATCH, NULL, HS_SKIPS_FIXED, u, dh));
        memset(grad, 0, count * sizeof *grad);
        assert_ok(hs_deltablock_backward(fg, dh, grad));
        for (size_t i = 0; i < count; i++) {
            theta[i] -= (float)rate * grad[i];
        }
    }
    hs_goal_free(&goal);
    hs_unet_grad_free(g);
    hs_deltablock_grad_free(fg);
    free(grad), free(h), free(dh);
    for (int i = 0; i < 7; i++) {
        free(b[i]);
    }
}

static void test_the_programs_recipe(void **state)
{
    (void)state;
    setup s;
    run r;
    hs_deltablock *f;
    begin(&s);
    hs_asyrp_task_options o = usual;
    o.against = HS_AGAINST_IMAGE;
    start(&s, CLIP_LOG, HS_DELTA_NET, 0, &o, NULL, &r);
    size_t count, width = hs_deltablock_channels(r.net);
    assert_ok(hs_deltablock_random(width, width, hs_deltablock_temb_dim(r.net), 3, 0, &f));
    const float *want = hs_deltablock_theta(f, &count), *got = r.t.theta;
    float *before = malloc(count * sizeof *before);
    memcpy(before, want, count * sizeof *before);
    for (uint64_t k = 1; k <= 2; k++) { /* as the loop does it, which has its own test */
        loss_at(&r.t, k);
        hs_sgd_step(0.5, r.t.n, 1, r.t.grad, r.t.theta);
    }
    two_steps_by_hand(&s, f, 0.5);
    double moved = 0, off = 0;
    for (size_t i = 0; i < count; i++) {
        moved = fmax(moved, fabs((double)want[i] - (double)before[i]));
        off = fmax(off, fabs((double)want[i] - (double)got[i]));
    }
    print_message("moved %.3g, off by %.1e\n", moved, off);
    assert_true(moved > 1e-4 && off < 1e-4 * moved + 1e-7); /* a rounding of theta */
    free(before);
    hs_deltablock_free(f);
    finish(&r);
    end(&s);
}

/* ---- Changes without a network ---- */

/* Each update moves its own images at its own step and counts that block's updates. */
static void test_blocks(void **state)
{
    (void)state;
    setup s;
    run r;
    begin(&s);
    hs_asyrp_task_options o = usual;
    start(&s, ATTRIBUTE, HS_DELTA_FREE, 0, &o, NULL, &r);
    size_t first, count, at = 0, d = r.t.n / (N * EDITED);
    uint64_t visit;
    for (uint64_t k = 1; k <= 4 * EDITED; k++) { /* groups of 2 and 1 images, twice */
        uint64_t round = (k - 1) / EDITED;
        at = (k - 1) % (2 * EDITED) == 0 ? 0 : at;
        r.t.span(r.t.ctx, k, &first, &count, &visit);
        assert_int_equal(first, at);
        assert_int_equal(count, (round % 2 == 0 ? 2 : 1) * d);
        assert_int_equal(visit, round / 2 + 1);
        at += count;
    }
    assert_int_equal(at, r.t.n);
    loss_at(&r.t, 4);
    loss_at(&r.t, 5); /* image 2 at the second step: nothing else has a gradient */
    r.t.span(r.t.ctx, 5, &first, &count, &visit);
    for (size_t i = 0; i < r.t.n; i++) {
        assert_true((i >= first && i < first + count) || r.t.grad[i] == 0);
    }
    float *image = malloc(EDITED * d * sizeof *image);
    hs_delta_of_image(r.v, 2, image);
    assert_memory_equal(image + d, r.t.theta + first, d * sizeof *image);
    free(image);
    finish(&r);
    end(&s);
}

/* An image's change does not depend on who else is in its batch: each has its own loss. */
static void test_free_images_are_apart(void **state)
{
    (void)state;
    setup s;
    run r, alone = {0};
    begin(&s);
    hs_asyrp_task_options o = usual;
    start(&s, ATTRIBUTE, HS_DELTA_FREE, 0, &o, NULL, &r);
    make_goal(&s, ATTRIBUTE, &alone.goal);
    const hs_delta_spec spec = {.kind = HS_DELTA_FREE, .n = 1, .S = EDITED, .batch = 1, .seed = 3};
    assert_ok(hs_delta_create(hs_unet_config_of(s.m.unet), &spec, &alone.v));
    assert_ok(hs_asyrp_task_create(s.m.unet, &s.steps, alone.v, &alone.goal, s.x_T, NULL, &o, "", "x", &alone.a));
    alone.t = hs_asyrp_task_of(alone.a);
    size_t d = alone.t.n / EDITED;
    assert_memory_equal(r.t.theta, alone.t.theta, d * sizeof(float)); /* image 0 begins alike */
    loss_at(&r.t, 1);
    loss_at(&alone.t, 1);
    assert_true(max_rel_f32(r.t.grad, alone.t.grad, d) < 1e-4);
    finish(&r);
    finish(&alone);
    end(&s);
}

/* ---- Learning ---- */

/* Without an effect the loss is by^2; a quarter of what doing nothing costs is reached by every kind in either space.
 */
static void learns(const setup *s, hs_delta_kind kind, int eps)
{
    run r;
    hs_train_result done;
    char name[32];
    snprintf(name, sizeof name, "learn%d%d", (int)kind, eps);
    const char *dir = temp_path(name);
    hs_asyrp_task_options o = usual;
    o.weight = 1;
    o.l1 = 0;
    mkdir(dir, 0777);
    start(s, ATTRIBUTE, kind, eps, &o, dir, &r);
    hs_goal_free(&r.goal);
    assert_ok(hs_goal_attribute(s->phi, s->image, 0, 0.02, BATCH, HS_CONV_AUTO, &r.goal)); /* what it can be moved by */
    assert_near(loss_at(&r.t, 1), 4e-4, 1e-9);
    const hs_train_options loop = {.adam = {.beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8},
                                   .rate = {.rate = 1e-2, .flat = 0.5, .last = 0.05, .total = 90},
                                   .clip = 1,
                                   .save_seconds = 1e9,
                                   .whole = 3,
                                   .table_every = 30};
    assert_ok(hs_train(&r.t, &loop, dir, &done));
    print_message("kind %d, %s: loss %.3g\n", (int)kind, eps ? "eps" : "h", done.loss);
    assert_true(done.loss < 1e-4);
    finish(&r);
}

static void test_learns(void **state)
{
    (void)state;
    setup s;
    begin(&s);
    for (int eps = 0; eps < 2; eps++) {
        learns(&s, HS_DELTA_NET, eps);
        learns(&s, HS_DELTA_FREE, eps);
        learns(&s, HS_DELTA_SHARED, eps);
    }
    end(&s);
}

/* ---- Refusals ---- */

static void test_refusals(void **state)
{
    (void)state;
    setup s;
    run r;
    hs_goal goal;
    hs_delta_var *v;
    hs_asyrp_task *a;
    hs_deltablock *f;
    begin(&s);
    const hs_unet_config *u = hs_unet_config_of(s.m.unet);
    hs_asyrp_task_options o = usual;
    start(&s, ATTRIBUTE, HS_DELTA_NET, 0, &o, NULL, &r);
    o.t_edit = 401;
    assert_code(hs_asyrp_task_create(s.m.unet, &s.steps, r.v, &r.goal, s.x_T, NULL, &o, "", "x", &a), HS_ERANGE);
    o.t_edit = 250;
    assert_code(hs_asyrp_task_create(s.m.unet, &s.steps, r.v, &r.goal, s.x_T, NULL, &o, "", "x", &a), HS_EBUG);
    o.t_edit = 150;
    o.against = HS_AGAINST_IMAGE;
    assert_code(hs_asyrp_task_create(s.m.unet, &s.steps, r.v, &r.goal, s.x_T, NULL, &o, "", "x", &a), HS_EBUG);
    hs_delta_spec spec = {.kind = HS_DELTA_FREE, .n = N, .S = EDITED, .batch = N + 1};
    assert_code(hs_delta_create(u, &spec, &v), HS_ERANGE);
    spec.batch = 1;
    spec.S = 0;
    assert_code(hs_delta_create(u, &spec, &v), HS_ERANGE);
    spec = (hs_delta_spec){.kind = HS_DELTA_NET, .n = N, .S = EDITED, .batch = 1, .eps = 1, .net = r.net};
    assert_code(hs_delta_create(u, &spec, &v), HS_ESHAPE); /* a network of h on eps */
    spec.eps = 0;
    assert_ok(hs_deltablock_random(hs_deltablock_channels(r.net), 32, u->temb_dim + 1, 1, 0, &f));
    spec.net = f;
    assert_code(hs_delta_create(u, &spec, &v), HS_ESHAPE);
    hs_deltablock_free(f);
    assert_code(hs_goal_attribute(s.phi, s.image, 2, 1, 1, HS_CONV_AUTO, &goal), HS_ERANGE);
    assert_code(hs_goal_attribute(s.phi, (hs_chw){3, 32, 32}, 0, 1, 1, HS_CONV_AUTO, &goal), HS_ESHAPE);
    assert_code(hs_goal_attribute(s.phi, s.image, 0, 1, 0, HS_CONV_AUTO, &goal), HS_ERANGE);
    const float none[10] = {0};
    assert_code(hs_goal_clip_along(s.clip, s.image, none, HS_CLIP_UNIT, 0, 1, "", &goal), HS_EDEGENERATE);
    assert_code(hs_goal_clip_along(s.clip, (hs_chw){1, 16, 16}, s.x_T, HS_CLIP_UNIT, 0, 1, "", &goal), HS_ESHAPE);
    const hs_goal_texts texts = {.source = "a", .target = "b"};
    assert_code(hs_goal_clip(s.clip, s.image, &texts, 1, &goal), HS_ERANGE); /* it has no tokenizer */
    assert_code(hs_deltablock_random(64, 33, 64, 1, 0, &f), HS_ERANGE);
    assert_code(hs_deltablock_random(64, 64, 0, 1, 0, &f), HS_ERANGE);
    assert_code(hs_deltablock_random(0, 64, 64, 1, 0, &f), HS_ERANGE);
    finish(&r);
    end(&s);
}

/* A latent that is no number ends the run before anything is learned from it. */
static void test_nan(void **state)
{
    (void)state;
    setup s;
    run r;
    hs_train_result done;
    const char *dir = temp_path("nan");
    begin(&s);
    s.x_T[7] = NAN;
    mkdir(dir, 0777);
    start(&s, ATTRIBUTE, HS_DELTA_NET, 0, &usual, dir, &r);
    const hs_train_options loop = {
        .sgd = 1, .rate = {.rate = 0.1, .flat = 1, .total = 3}, .save_seconds = 1e9, .whole = 3, .table_every = 9};
    assert_code(hs_train(&r.t, &loop, dir, &done), HS_EDEGENERATE);
    finish(&r);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradient),
        cmocka_unit_test(test_one_update_a_trajectory),
        cmocka_unit_test(test_the_programs_recipe),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_free_images_are_apart),
        cmocka_unit_test(test_learns),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
