/* analysis/sweep on a small random network: edits against steps written out by hand, strength 0, batches,
 * interpolation, scores. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/sweep/interpolate.h"
#include "analysis/sweep/sweep.h"
#include "core/base/rng.h"
#include "core/diffusion/ddim.h"
#include "core/io/cells.h"
#include "tests/support/support.h"

enum { N = 2, S = 4 };

typedef struct {
    hs_model model;
    hs_steps steps;
    hs_direction dir;
    size_t dh, dx;
    float *x_T;
} fixture;

static const double one = 1;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    assert_ok(hs_model_open("random:tiny:3", NULL, NULL, &f->model));
    assert_ok(hs_steps_create(&f->model.schedule, &(hs_steps_spec){HS_SPACING_ASYRP, S, 0, 1}, &f->steps));
    const hs_unet_config *cfg = hs_unet_config_of(f->model.unet);
    f->dh = hs_chw_size(hs_unet_h_shape(cfg));
    f->dx = hs_chw_size(hs_unet_image_shape(cfg));
    f->dir.shape = hs_unet_h_shape(cfg);
    f->dir.dh = malloc(f->dh * sizeof(float));
    f->x_T = malloc(N * f->dx * sizeof(float));
    assert_true(f->dir.dh != NULL && f->x_T != NULL);
    hs_rng_normal((hs_rng){1, HS_RNG_TEST, 0}, 0, f->dh, f->dir.dh);
    hs_rng_normal((hs_rng){1, HS_RNG_TEST, 1}, 0, N * f->dx, f->x_T);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    free(f->dir.dh);
    free(f->x_T);
    hs_steps_free(&f->steps);
    hs_model_free(&f->model);
    free(f);
    return 0;
}

static hs_edit_plan plan_of(const fixture *f, size_t m, const double *strength)
{
    return (hs_edit_plan){.model = &f->model,
                          .steps = &f->steps,
                          .n_dir = 1,
                          .dir = &f->dir,
                          .coef = &one,
                          .scale = 1,
                          .m = m,
                          .strength = strength,
                          .batch = 8};
}

/* One full trajectory of image i at strength s, each step written out: encode, decode twice, mix. */
static void by_hand(const fixture *f, size_t i, double s, int t_edit, int symmetric, float *x)
{
    hs_unet_ws *ws = NULL;
    float *h = malloc(f->dh * sizeof *h), *eps = malloc(f->dx * sizeof *eps), *edited = malloc(f->dx * sizeof *eps);
    assert_ok(hs_unet_ws_create(f->model.unet, 1, 1, HS_CONV_AUTO, &ws));
    memcpy(x, f->x_T + i * f->dx, f->dx * sizeof *x);
    for (size_t k = 0; k < S; k++) {
        const hs_step *st = &f->steps.step[k];
        assert_ok(hs_unet_encode(f->model.unet, ws, 1, x, &st->t, h));
        assert_ok(hs_unet_decode(f->model.unet, ws, 1, NULL, h, eps));
        for (size_t j = 0; j < f->dh && st->t >= t_edit; j++) {
            h[j] += (float)s * f->dir.dh[j];
        }
        assert_ok(hs_unet_decode(f->model.unet, ws, 1, NULL, h, edited));
        for (size_t j = 0; j < f->dx; j++) {
            double p = ((double)x[j] - sqrt(1 - st->alpha_bar) * (double)edited[j]) / sqrt(st->alpha_bar);
            double d = sqrt(1 - st->alpha_bar_next) * (double)(symmetric ? edited[j] : eps[j]);
            x[j] = (float)(sqrt(st->alpha_bar_next) * p + d);
        }
    }
    hs_unet_ws_free(ws);
    free(h);
    free(eps);
    free(edited);
}

static void check_against_hand(const fixture *f, hs_edit_plan plan)
{
    float *x_0 = malloc(N * plan.m * f->dx * sizeof *x_0), *want = malloc(f->dx * sizeof *want);
    assert_ok(hs_edit_run(&plan, N, f->x_T, NULL, x_0));
    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < plan.m; j++) {
            by_hand(f, i, plan.strength[j], plan.t_edit, plan.symmetric, want);
            /* four float32 passes of a network that is no denoiser: 1e-4 is the trajectory tolerance of parity */
            assert_true(max_rel_f32(x_0 + (i * plan.m + j) * f->dx, want, f->dx) < 1e-4);
        }
    }
    free(x_0);
    free(want);
}

static void test_edit_equals_the_steps_written_out(void **state)
{
    const fixture *f = *state;
    static const double strength[] = {-2, 0, 1.5};
    hs_edit_plan plan = plan_of(f, 3, strength);
    check_against_hand(f, plan);
    plan.symmetric = 1;
    check_against_hand(f, plan);
    plan.symmetric = 0;
    plan.t_edit = 500;
    check_against_hand(f, plan);
    plan.batch = 1; /* other batches, same numbers */
    check_against_hand(f, plan);
}

/* size (S) <- mean |eps(h + s dh) - eps(h)| / s on the plain trajectories, written out. */
static void first_order_by_hand(const fixture *f, double s, double *size)
{
    hs_unet_ws *ws = NULL;
    float *h = malloc(f->dh * sizeof *h), *eps = malloc(f->dx * sizeof *eps), *edited = malloc(f->dx * sizeof *eps);
    float *x = malloc(f->dx * sizeof *x);
    assert_ok(hs_unet_ws_create(f->model.unet, 1, 1, HS_CONV_AUTO, &ws));
    memset(size, 0, S * sizeof *size);
    for (size_t i = 0; i < N; i++) {
        memcpy(x, f->x_T + i * f->dx, f->dx * sizeof *x);
        for (size_t k = 0; k < S; k++) {
            const hs_step *st = &f->steps.step[k];
            double sum = 0;
            assert_ok(hs_unet_encode(f->model.unet, ws, 1, x, &st->t, h));
            assert_ok(hs_unet_decode(f->model.unet, ws, 1, NULL, h, eps));
            for (size_t j = 0; j < f->dh; j++) {
                h[j] += (float)s * f->dir.dh[j];
            }
            assert_ok(hs_unet_decode(f->model.unet, ws, 1, NULL, h, edited));
            for (size_t j = 0; j < f->dx; j++) {
                sum += ((double)edited[j] - (double)eps[j]) * ((double)edited[j] - (double)eps[j]);
            }
            size[k] += sqrt(sum) / s / N;
            hs_ddim_step(st, 0, HS_CLIP_NONE, f->dx, x, eps, eps, NULL, x, NULL);
        }
    }
    hs_unet_ws_free(ws);
    free(h);
    free(eps);
    free(edited);
    free(x);
}

/* The rival of eps, a stored vector of norm r, is brought to the first-order effect of h at every step. */
static void test_rival_at_equal_first_order_effect(void **state)
{
    const fixture *f = *state;
    double want[S], size[S], factor[S], norm = 0;
    hs_edit_plan plan = plan_of(f, 1, &one), rival = plan;
    hs_direction d = {.space = HS_SPACE_EPS, .shape = hs_unet_image_shape(hs_unet_config_of(f->model.unet))};
    d.dh = malloc(f->dx * sizeof *d.dh);
    assert_non_null(d.dh);
    hs_rng_normal((hs_rng){1, HS_RNG_TEST, 9}, 0, f->dx, d.dh);
    for (size_t j = 0; j < f->dx; j++) {
        norm += (double)d.dh[j] * (double)d.dh[j];
    }
    rival.dir = &d;
    first_order_by_hand(f, 0.5, want);
    assert_ok(hs_edit_first_order(&plan, N, f->x_T, 0.5, size));
    assert_true(max_rel_f64(size, want, S) < 1e-4);
    assert_ok(hs_edit_match(&plan, &rival, N, f->x_T, 0.5, factor));
    for (size_t k = 0; k < S; k++) {
        assert_near(factor[k] * sqrt(norm) / want[k], 1, 1e-3); /* eps + de is rounded to float32 */
    }
    rival.factor = factor;
    assert_ok(hs_edit_first_order(&rival, N, f->x_T, 0.5, size));
    assert_true(max_rel_f64(size, want, S) < 1e-3);
    plan.t_edit = rival.t_edit = 500; /* nothing is edited below: factor 0 */
    assert_ok(hs_edit_match(&plan, &rival, N, f->x_T, 0.5, factor));
    assert_true(factor[0] > 0 && factor[S - 1] == 0);
    memset(d.dh, 0, f->dx * sizeof *d.dh);
    rival.factor = NULL;
    assert_code(hs_edit_match(&plan, &rival, N, f->x_T, 0.5, factor), HS_EDEGENERATE);
    free(d.dh);
}

/* Columns of strength 0 are one plain run, wherever they stand and whatever the batch; all see it. */
static void test_strength_0_is_the_plain_sample_to_the_bit(void **state)
{
    const fixture *f = *state;
    static const double three[] = {0, 1, 0}, zero = 0;
    size_t bytes = f->dx * sizeof(float);
    float *mixed = malloc(3 * N * bytes), *plain = malloc(N * bytes);
    const hs_unet_config *cfg = hs_unet_config_of(f->model.unet);
    hs_readout phi[2];
    hs_sweep s;
    assert_true(mixed != NULL && plain != NULL);
    assert_ok(hs_readout_parse("eps", hs_unet_image_shape(cfg), hs_unet_h_shape(cfg), NULL, NULL, &phi[0]));
    assert_ok(hs_readout_parse("h_later:1", hs_unet_image_shape(cfg), hs_unet_h_shape(cfg), NULL, NULL, &phi[1]));
    for (size_t batch = 1; batch <= 8; batch *= 2) {
        hs_edit_plan plan = plan_of(f, 3, three), alone = plan_of(f, 1, &zero);
        plan.batch = alone.batch = batch;
        alone.n_dir = 0;
        assert_ok(hs_sweep_run(&plan, N, f->x_T, 2, phi, mixed, &s));
        assert_ok(hs_edit_run(&alone, N, f->x_T, NULL, plain));
        for (size_t i = 0; i < N; i++) {
            assert_memory_equal(mixed + 3 * i * f->dx, plain + i * f->dx, bytes);
            assert_memory_equal(mixed + (3 * i + 2) * f->dx, plain + i * f->dx, bytes);
            assert_memory_not_equal(mixed + (3 * i + 1) * f->dx, plain + i * f->dx, bytes);
            for (size_t p = 0; p < 2; p++) {
                size_t width = phi[p].features;
                const float *v = s.value[p] + 3 * i * width;
                assert_memory_equal(v, v + 2 * width, width * sizeof *v);
            }
        }
        hs_sweep_free(&s);
    }
    free(mixed);
    free(plain);
}

static void test_readouts_see_the_edit_and_nothing_at_zero(void **state)
{
    const fixture *f = *state;
    static const double strength[] = {-1, 0, 1};
    static const char *const names[] = {"x0", "x0hat", "eps:1", "h_later:2", "brightness"};
    enum { P = sizeof names / sizeof *names };
    hs_readout phi[P];
    hs_sweep s;
    hs_edit_plan plan = plan_of(f, 3, strength);
    const hs_unet_config *cfg = hs_unet_config_of(f->model.unet);
    for (size_t p = 0; p < P; p++) {
        assert_ok(hs_readout_parse(names[p], hs_unet_image_shape(cfg), hs_unet_h_shape(cfg), NULL, NULL, &phi[p]));
    }
    assert_ok(hs_sweep_run(&plan, N, f->x_T, P, phi, NULL, &s));
    for (size_t p = 0; p < P; p++) {
        double effect = hs_sweep_effect(&s, p, phi[p].features, 2, 1);
        assert_true(effect > 20 * s.noise_floor[p]);
        assert_near(hs_sweep_effect(&s, p, phi[p].features, 1, 1), 0, 0);
    }
    /* x0hat at step 0 is linear in eps: its change is -sqrt(1 - ab) / sqrt(ab) times that of eps at step 0 */
    hs_sweep_free(&s);
    hs_readout first[2];
    assert_ok(hs_readout_parse("x0hat", hs_unet_image_shape(cfg), hs_unet_h_shape(cfg), NULL, NULL, &first[0]));
    assert_ok(hs_readout_parse("eps", hs_unet_image_shape(cfg), hs_unet_h_shape(cfg), NULL, NULL, &first[1]));
    assert_ok(hs_sweep_run(&plan, N, f->x_T, 2, first, NULL, &s));
    double ab = f->steps.step[0].alpha_bar, ratio = sqrt((1 - ab) / ab);
    double a = hs_sweep_effect(&s, 0, f->dx, 2, 1), b = hs_sweep_effect(&s, 1, f->dx, 2, 1);
    assert_near(a / b, ratio, 1e-3 * ratio);
    hs_sweep_free(&s);
}

static void test_a_readout_beyond_the_last_step_is_refused(void **state)
{
    const fixture *f = *state;
    hs_readout phi;
    hs_sweep s;
    hs_edit_plan plan = plan_of(f, 1, &one);
    const hs_unet_config *cfg = hs_unet_config_of(f->model.unet);
    assert_ok(hs_readout_parse("eps:4", hs_unet_image_shape(cfg), hs_unet_h_shape(cfg), NULL, NULL, &phi));
    assert_code(hs_sweep_run(&plan, N, f->x_T, 1, &phi, NULL, &s), HS_ERANGE);
    assert_code(hs_readout_parse("smile", hs_unet_image_shape(cfg), hs_unet_h_shape(cfg), NULL, NULL, &phi), HS_ERANGE);
    assert_code(hs_readout_parse("h_later", hs_unet_image_shape(cfg), hs_unet_h_shape(cfg), NULL, NULL, &phi),
                HS_ERANGE);
    assert_code(
        hs_readout_parse("brightness:0,0,999,9", hs_unet_image_shape(cfg), hs_unet_h_shape(cfg), NULL, NULL, &phi),
        HS_ERANGE);
}

/* Towards one's own h nothing changes; towards another's, position 0 is the plain image. */
static void test_interpolation_ends(void **state)
{
    const fixture *f = *state;
    static const double position[] = {0, 0.5, 1};
    hs_edit_plan plan = plan_of(f, 3, position);
    float *x_0 = malloc(3 * f->dx * sizeof *x_0), *plain = malloc(f->dx * sizeof *plain);
    hs_readout phi = {.name = "x0", .phi = HS_PHI_X0, .features = f->dx};
    hs_sweep s;
    by_hand(f, 0, 0, 0, 0, plain);
    assert_ok(hs_interpolate_run(&plan, HS_PATH_LERP, 1, f->x_T, f->x_T, 1, &phi, x_0, &s));
    for (size_t j = 0; j < 3; j++) {
        assert_true(max_rel_f32(x_0 + j * f->dx, plain, f->dx) < 1e-4);
    }
    hs_sweep_free(&s);
    assert_ok(hs_interpolate_run(&plan, HS_PATH_SLERP, 1, f->x_T, f->x_T + f->dx, 1, &phi, x_0, &s));
    assert_true(max_rel_f32(x_0, plain, f->dx) < 1e-4);
    assert_true(max_rel_f32(x_0 + 2 * f->dx, plain, f->dx) > 1e-3);
    hs_sweep_free(&s);
    free(x_0);
    free(plain);
}

/* A vector read-out that moves along (3, 4) by s has score 5 s; scalars are copied. */
static void test_score_of_planted_vectors(void **state)
{
    (void)state;
    static const double strength[] = {-2, -1, 0, 1, 2};
    float v[5][2], *rows = &v[0][0];
    double floor_of = 0, score[5];
    for (size_t j = 0; j < 5; j++) {
        v[j][0] = 10 + 3 * (float)strength[j];
        v[j][1] = -7 + 4 * (float)strength[j];
    }
    hs_sweep s = {.n = 1, .m = 5, .n_phi = 1, .value = &rows, .noise_floor = &floor_of};
    assert_ok(hs_sweep_score(&s, 0, 2, strength, score));
    for (size_t j = 0; j < 5; j++) {
        assert_near(score[j], 5 * strength[j], 1e-5);
    }
    s.m = 1;
    assert_code(hs_sweep_score(&s, 0, 2, strength, score), HS_ERANGE);
}

/* Three images apart along (1, 0) and (0, 1), each moved along (1, 0): only the first counts; a scalar has its
 * own standard deviation. */
static void test_spread_is_that_of_what_the_score_measures(void **state)
{
    (void)state;
    static const double strength[] = {0, 1};
    float v[3][2][2], *rows = &v[0][0][0], scalar[3][2] = {{1, 5}, {2, 5}, {6, 5}}, *scalars = &scalar[0][0];
    static const float at[3][2] = {{0, 0}, {2, 50}, {4, -90}};
    double floor_of = 0, spread = 0;
    for (size_t i = 0; i < 3; i++) {
        v[i][0][0] = at[i][0];
        v[i][0][1] = at[i][1];
        v[i][1][0] = at[i][0] + 3;
        v[i][1][1] = at[i][1];
    }
    hs_sweep s = {.n = 3, .m = 2, .n_phi = 1, .value = &rows, .noise_floor = &floor_of};
    assert_ok(hs_sweep_spread(&s, 0, 2, strength, &spread));
    assert_near(spread, 2, 1e-6);
    s.value = &scalars;
    assert_ok(hs_sweep_spread(&s, 0, 1, strength, &spread));
    assert_near(spread, sqrt(7), 1e-6);
    s.n = 1;
    assert_ok(hs_sweep_spread(&s, 0, 1, strength, &spread));
    assert_near(spread, 0, 0);
}

/* Directions of the other space, as vectors and as a network on patches: each step written out. */
static void eps_by_hand(const fixture *f, const hs_direction *dirs, int symmetric, float *x)
{
    const hs_unet_config *cfg = hs_unet_config_of(f->model.unet);
    hs_chw im = hs_unet_image_shape(cfg);
    size_t p = hs_direction_patch(cfg), side = im.h / p;
    hs_unet_ws *ws = NULL;
    float *h = malloc(f->dh * sizeof *h), *v[5];
    for (int i = 0; i < 5; i++) {
        v[i] = malloc(f->dx * sizeof(float));
    }
    assert_ok(hs_unet_ws_create(f->model.unet, 1, 1, HS_CONV_AUTO, &ws));
    memcpy(x, f->x_T, f->dx * sizeof *x);
    for (size_t k = 0; k < S; k++) {
        const hs_step *st = &f->steps.step[k];
        assert_ok(hs_unet_encode(f->model.unet, ws, 1, x, &st->t, h));
        assert_ok(hs_unet_decode(f->model.unet, ws, 1, NULL, h, v[0]));
        for (size_t j = 0; j < f->dx; j++) { /* to the patches, by division */
            size_t c = j / (im.h * im.w), y = j / im.w % im.h, z = j % im.w;
            v[1][(((c * p + y % p) * p + z % p) * side + y / p) * side + z / p] = v[0][j];
        }
        assert_ok(
            hs_deltablock_forward(dirs[1].net, 1, (hs_chw){im.c * p * p, side, side}, v[1], hs_unet_temb(ws, 0), v[2]));
        for (size_t j = 0; j < f->dh; j++) {
            h[j] += dirs[2].dh[j] / 2;
        }
        assert_ok(hs_unet_decode(f->model.unet, ws, 1, NULL, h, v[3]));
        for (size_t j = 0; j < f->dx; j++) {
            size_t c = j / (im.h * im.w), y = j / im.w % im.h, z = j % im.w;
            v[4][j] =
                v[3][j] + dirs[0].dh[j] / 2 + v[2][(((c * p + y % p) * p + z % p) * side + y / p) * side + z / p] / 2;
        }
        hs_ddim_step(st, 0, 0, f->dx, x, v[4], symmetric ? v[4] : v[0], NULL, x, NULL);
    }
    hs_unet_ws_free(ws);
    free(h);
    for (int i = 0; i < 5; i++) {
        free(v[i]);
    }
}

static void test_directions_of_eps(void **state)
{
    const fixture *f = *state;
    const hs_unet_config *cfg = hs_unet_config_of(f->model.unet);
    hs_chw im = hs_unet_image_shape(cfg);
    static const double strength[2] = {0.5, 0}, coef[3] = {1, 1, 1};
    hs_direction dir[3] = {{.space = HS_SPACE_EPS, .shape = im}, {.space = HS_SPACE_EPS}, f->dir};
    float *x_0 = malloc(2 * f->dx * sizeof *x_0), *want = malloc(f->dx * sizeof *want);
    size_t p = hs_direction_patch(cfg);
    assert_true(p > 1);
    dir[0].dh = malloc(f->dx * sizeof(float));
    hs_rng_normal((hs_rng){2, HS_RNG_TEST, 0}, 0, f->dx, dir[0].dh);
    assert_ok(hs_deltablock_random(im.c * p * p, 32, cfg->temb_dim, 3, 0, &dir[1].net));
    hs_edit_plan plan = plan_of(f, 2, strength);
    plan.n_dir = 3;
    plan.dir = dir;
    plan.coef = coef;
    hs_direction none = {.dh = calloc(f->dh, sizeof(float))};
    for (int i = 0; i < 4; i++) {
        plan.symmetric = i % 2;
        plan.n_dir = i < 2 ? 3 : 2; /* with h, and eps alone */
        dir[2] = i < 2 ? f->dir : none;
        assert_ok(hs_edit_run(&plan, 1, f->x_T, NULL, x_0));
        eps_by_hand(f, dir, plan.symmetric, want);
        assert_true(max_rel_f32(x_0, want, f->dx) < 1e-4);
        assert_true(max_rel_f32(x_0 + f->dx, want, f->dx) > 0.01);
        /* strength 0 is the plain process whatever the directions */
        assert_ok(hs_edit_run(
            &(hs_edit_plan){.model = plan.model, .steps = plan.steps, .m = 1, .strength = strength + 1, .batch = 8}, 1,
            f->x_T, NULL, want));
        assert_memory_equal(want, x_0 + f->dx, f->dx * sizeof *want);
    }
    free(dir[0].dh), free(none.dh), free(x_0), free(want);
    hs_deltablock_free(dir[1].net);
}

/* Runs the plan with the cells of a file; how many images were there, and what x0 read into value (N, m, d_x). */
static size_t with_cells(const fixture *f, hs_edit_plan plan, const char *path, int kept, float *value)
{
    const hs_readout phi = {.name = "x0", .phi = HS_PHI_X0, .features = f->dx};
    const size_t count = N * plan.m * f->dx;
    hs_run_cells cells = {0};
    hs_sweep s;
    char name[] = "d";
    hs_direction dir = f->dir;
    float *x_0 = malloc(count * sizeof *x_0);
    dir.name = name;
    plan.dir = &dir;
    assert_ok(hs_cells_open(path, "plan\n", 0, &cells.cells));
    plan.cells = &cells;
    assert_ok(hs_sweep_run(&plan, N, f->x_T, 1, &phi, kept ? x_0 : NULL, &s));
    memcpy(value, s.value[0], count * sizeof *value);
    if (kept) {
        assert_memory_equal(x_0, value, count * sizeof *value);
    }
    assert_int_equal(cells.images, N);
    assert_int_equal(cells.runs, 1);
    hs_cells_close(cells.cells, 0);
    hs_sweep_free(&s);
    free(x_0);
    return cells.had;
}

/* Cells are found again to the bit, whether or not the images are kept, and by nothing that is another run. */
static void test_cells_of_the_same_run_alone(void **state)
{
    const fixture *f = *state;
    static const double strength[] = {-1, 0, 1};
    static const size_t swapped[N] = {1, 0};
    const size_t bytes = 3 * N * f->dx * sizeof(float);
    float *first = malloc(bytes), *again = malloc(bytes), *given = malloc(N * S * f->dh * sizeof *given);
    char *path[2] = {strdup(temp_path("kept.journal")), strdup(temp_path("read.journal"))};
    hs_steps later = f->steps;
    for (int kept = 0; kept < 2; kept++) {
        hs_edit_plan plan = plan_of(f, 3, strength);
        assert_int_equal(with_cells(f, plan, path[kept], kept, first), 0);
        assert_int_equal(with_cells(f, plan, path[kept], kept, again), N);
        assert_memory_equal(first, again, bytes);
        assert_int_equal(with_cells(f, plan, path[kept], !kept, again), 0);
        plan.coef = &strength[0];
        assert_int_equal(with_cells(f, plan, path[kept], kept, again), 0);
        assert_memory_not_equal(first, again, bytes);
    }
    hs_rng_normal((hs_rng){5, HS_RNG_TEST, 0}, 0, N * S * f->dh, given);
    hs_edit_plan plan = plan_of(f, 1, strength);
    plan.given = given;
    plan.given_S = S;
    assert_int_equal(with_cells(f, plan, path[0], 0, first), 0);
    assert_int_equal(with_cells(f, plan, path[0], 0, again), N);
    plan.given_row = swapped;
    assert_int_equal(with_cells(f, plan, path[0], 0, again), 0);
    plan.given_row = NULL;
    later.step++;
    later.S--;
    plan.steps = &later;
    assert_int_equal(with_cells(f, plan, path[0], 0, again), 0);
    free(first), free(again), free(given), free(path[0]), free(path[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edit_equals_the_steps_written_out),
        cmocka_unit_test(test_directions_of_eps),
        cmocka_unit_test(test_rival_at_equal_first_order_effect),
        cmocka_unit_test(test_strength_0_is_the_plain_sample_to_the_bit),
        cmocka_unit_test(test_readouts_see_the_edit_and_nothing_at_zero),
        cmocka_unit_test(test_a_readout_beyond_the_last_step_is_refused),
        cmocka_unit_test(test_interpolation_ends),
        cmocka_unit_test(test_score_of_planted_vectors),
        cmocka_unit_test(test_spread_is_that_of_what_the_score_measures),
        cmocka_unit_test(test_cells_of_the_same_run_alone),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
