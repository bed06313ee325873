/* The task of a delta network: the gradient of its whole loss, and a toy edit that must be learned. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "analysis/train/task_asyrp.h"
#include "core/base/rng.h"
#include "core/model/asyrp.h"
#include "core/model/model.h"
#include "tests/support/support.h"

enum { N = 3, D = 3 * 16 * 16 };

typedef struct {
    hs_model m;
    hs_steps steps;
    hs_deltablock *f;
    hs_attrnet *phi;
    float x_T[N * D];
} setup;

static void begin(setup *s, int silent)
{
    static const int t[] = {400, 300, 200, 100, 50};
    const hs_attrnet_config c = {.image_size = 16,
                                 .levels = 2,
                                 .ch = {8, 16},
                                 .groups = 4,
                                 .features = 12,
                                 .n_factors = 2,
                                 .factor = {{"a", 0, 0, 1}, {"b", 1, 0, 1}}};
    const hs_unet_config *u;
    assert_ok(hs_model_open("random:tiny", NULL, NULL, &s->m));
    u = hs_unet_config_of(s->m.unet);
    assert_ok(hs_steps_from_list(&s->m.schedule, 5, t, &s->steps));
    assert_ok(hs_deltablock_random(hs_unet_h_shape(u).c, hs_unet_h_shape(u).c, u->temb_dim, 3, silent, &s->f));
    assert_ok(hs_attrnet_random(&c, 4, &s->phi));
    hs_rng_normal((hs_rng){5, HS_RNG_TEST, 0}, 0, N * D, s->x_T);
}

static void end(setup *s)
{
    hs_attrnet_free(s->phi);
    hs_deltablock_free(s->f);
    hs_steps_free(&s->steps);
    hs_model_free(&s->m);
}

static hs_asyrp_task_options options_of(hs_asyrp_recipe recipe)
{
    return (hs_asyrp_task_options){
        .recipe = recipe, .batch = 2, .factor = 1, .by = 0.7, .l1 = 0.5, .t_edit = 150, .conv = HS_CONV_AUTO};
}

static double loss_at(const hs_task *t, uint64_t k)
{
    double loss;
    memset(t->grad, 0, t->n * sizeof *t->grad);
    assert_ok(t->loss(t->ctx, k, &loss));
    return loss;
}

/* Along random directions, at the first timestep (afterwards the code recipe's state depends on f, which its
 * gradient does not follow, as the authors' doesn't). */
static void test_gradient(void **state)
{
    (void)state;
    setup s;
    hs_asyrp_task *a;
    begin(&s, 0);
    const hs_asyrp_task_options o = options_of(HS_RECIPE_CODE);
    assert_ok(hs_asyrp_task_create(s.m.unet, &s.steps, s.f, s.phi, N, s.x_T, &o, "", "x", &a));
    assert_int_equal(hs_asyrp_task_updates(a), 3); /* 400, 300, 200 */
    const hs_task t = hs_asyrp_task_of(a);
    float *v = malloc(t.n * sizeof *v), *theta = malloc(t.n * sizeof *theta), *grad = malloc(t.n * sizeof *grad);
    memcpy(theta, t.theta, t.n * sizeof *theta);
    loss_at(&t, 1);
    memcpy(grad, t.grad, t.n * sizeof *grad);
    for (uint64_t trial = 0; trial < 8; trial++) {
        double e = 3e-4, want = 0, side[2];
        hs_rng_normal((hs_rng){6, HS_RNG_TEST, trial}, 0, t.n, v);
        for (size_t i = 0; i < t.n; i++) {
            want += (double)grad[i] * (double)v[i];
        }
        for (int k = 0; k < 2; k++) {
            for (size_t i = 0; i < t.n; i++) {
                t.theta[i] = theta[i] + (float)((k == 0 ? e : -e) * (double)v[i]);
            }
            side[k] = loss_at(&t, 1);
        }
        double got = (side[0] - side[1]) / (2 * e);
        print_message("slope %.5f, difference %.5f\n", want, got);
        assert_near(got, want, 0.02 * fabs(want) + 0.01); /* second order in e, kinks of |.|, float32 */
    }
    free(v), free(theta), free(grad);
    hs_asyrp_task_free(a);
    end(&s);
}

/* The paper's recipe: the mean over a trajectory's timesteps; the first is the code recipe's first. */
static void test_recipes(void **state)
{
    (void)state;
    setup s;
    hs_asyrp_task *code, *paper;
    begin(&s, 0);
    hs_asyrp_task_options o = options_of(HS_RECIPE_CODE);
    assert_ok(hs_asyrp_task_create(s.m.unet, &s.steps, s.f, s.phi, N, s.x_T, &o, "", "x", &code));
    o.recipe = HS_RECIPE_PAPER;
    assert_ok(hs_asyrp_task_create(s.m.unet, &s.steps, s.f, s.phi, N, s.x_T, &o, "", "x", &paper));
    const hs_task c = hs_asyrp_task_of(code), p = hs_asyrp_task_of(paper);
    float *sum = calloc(c.n, sizeof *sum);
    double loss = 0;
    for (uint64_t k = 1; k <= 3; k++) { /* theta stays */
        loss += loss_at(&c, 3 + k) / 3; /* the second trajectory: images 2, 0 */
        for (size_t i = 0; i < c.n; i++) {
            sum[i] += c.grad[i] / 3;
        }
    }
    assert_near(loss_at(&p, 2), loss, 1e-6 * loss);
    assert_true(max_rel_f32(p.grad, sum, c.n) < 1e-4);
    free(sum);
    hs_asyrp_task_free(code);
    hs_asyrp_task_free(paper);
    end(&s);
}

/* A silent f_t changes nothing: the loss is by^2, and the trajectory DDIM's. */
static void test_learns(void **state)
{
    (void)state;
    setup s;
    hs_asyrp_task *a;
    hs_train_result r;
    const char *dir = temp_path("asyrp");
    begin(&s, 1);
    hs_asyrp_task_options o = options_of(HS_RECIPE_CODE);
    o.factor = 0;
    o.by = 0.02; /* what a random network's answer can be moved by */
    o.l1 = 0;
    assert_ok(hs_asyrp_task_create(s.m.unet, &s.steps, s.f, s.phi, N, s.x_T, &o, "about\n", dir, &a));
    const hs_task t = hs_asyrp_task_of(a);
    assert_near(loss_at(&t, 1), 4e-4, 1e-9);
    const hs_train_options loop = {.adam = {.beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8},
                                   .rate = {.rate = 1e-2, .flat = 0.5, .last = 0.05, .total = 90},
                                   .clip = 1,
                                   .save_seconds = 1e9,
                                   .whole = 3,
                                   .table_every = 30};
    mkdir(dir, 0777);
    assert_ok(hs_train(&t, &loop, dir, &r));
    print_message("loss %.3g\n", r.loss);
    assert_true(r.loss < 1e-4); /* a quarter of what doing nothing costs */
    hs_asyrp_task_free(a);
    end(&s);
}

static void test_refusals(void **state)
{
    (void)state;
    setup s;
    hs_asyrp_task *a;
    hs_deltablock *f;
    begin(&s, 1);
    hs_asyrp_task_options o = options_of(HS_RECIPE_CODE);
    o.batch = N + 1;
    assert_code(hs_asyrp_task_create(s.m.unet, &s.steps, s.f, s.phi, N, s.x_T, &o, "", "x", &a), HS_ERANGE);
    o.batch = 1;
    o.t_edit = 401;
    assert_code(hs_asyrp_task_create(s.m.unet, &s.steps, s.f, s.phi, N, s.x_T, &o, "", "x", &a), HS_ERANGE);
    o.t_edit = 0;
    o.factor = 2;
    assert_code(hs_asyrp_task_create(s.m.unet, &s.steps, s.f, s.phi, N, s.x_T, &o, "", "x", &a), HS_ERANGE);
    o.factor = 0;
    hs_attrnet_config c = *hs_attrnet_config_of(s.phi);
    c.image_size = 32;
    hs_attrnet_free(s.phi);
    assert_ok(hs_attrnet_random(&c, 4, &s.phi));
    assert_code(hs_asyrp_task_create(s.m.unet, &s.steps, s.f, s.phi, N, s.x_T, &o, "", "x", &a), HS_ESHAPE);
    assert_code(hs_deltablock_random(64, 33, 64, 1, 0, &f), HS_ERANGE);
    assert_code(hs_deltablock_random(64, 64, 0, 1, 0, &f), HS_ERANGE);
    assert_code(hs_deltablock_random(0, 64, 64, 1, 0, &f), HS_ERANGE);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradient),
        cmocka_unit_test(test_recipes),
        cmocka_unit_test(test_learns),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
