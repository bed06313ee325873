/* A direction is planted in a linear diffusion model; every method that finds directions must find it.
 *
 * The model is a real U-Net (tests/support/linear_toy.h), its store a real dump, and the labels are read off its
 * images. x_T varies alike along each pattern, so h most along the planted direction: what PCA needs.
 *
 * The bound: of a random direction in the 12 dimensions of h |cosine| > 0.95 happens 7 times in ten million
 * (P = I_{1 - c^2}(11 / 2, 1 / 2)); the controls stay far below. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "analysis/directions/dir_jacobian.h"
#include "analysis/directions/dir_mean.h"
#include "analysis/directions/dir_pca.h"
#include "analysis/directions/dir_probe.h"
#include "analysis/directions/dir_random.h"
#include "analysis/dump/dump.h"
#include "analysis/dump/spec.h"
#include "analysis/train/task_asyrp.h"
#include "core/base/rng.h"
#include "core/linalg/blas.h"
#include "tests/support/linear_toy.h"
#include "tests/support/support.h"

enum { N = 256, S = 3, EDITED = 2, IMAGES = 4, T_EDIT = 150 };
static const int T[S] = {400, 200, 50};
static const double BOUND = 0.95;

static linear_toy toy;
static hs_steps steps;
static hs_store *store;
static hs_csv labels;

static double cosine(size_t d, const float *a, const float *b)
{
    return hs_dot_f32(d, a, b) / (hs_nrm2_f32(d, a) * hs_nrm2_f32(d, b));
}

/* dh (n, TOY_D_H) go along a_0, all to one side. */
static void expect_planted(const char *what, size_t n, const float *dh)
{
    double least = 1;
    for (size_t k = 0; k < n; k++) {
        least = fmin(least, fabs(cosine(TOY_D_H, dh + k * TOY_D_H, toy.a[0])));
        assert_true(hs_dot_f32(TOY_D_H, dh, dh + k * TOY_D_H) > 0);
    }
    print_message("%-24s |cosine| %.4f\n", what, least);
    assert_true(least > BOUND);
}

/* ---- The setting ---- */

/* x_T = 0.25 sum_j z_j u_j: small enough that no byte of an image is cut off. */
static int draw_x_T(void *ctx, size_t first, size_t n, float *x)
{
    (void)ctx;
    memset(x, 0, n * TOY_D_X * sizeof *x);
    for (size_t i = 0; i < n; i++) {
        float z[TOY_D_H];
        hs_rng_normal((hs_rng){3, HS_RNG_TEST, first + i}, 0, TOY_D_H, z);
        for (size_t j = 0; j < TOY_D_H; j++) {
            for (size_t p = 0; p < TOY_D_X; p++) {
                x[i * TOY_D_X + p] += 0.25F * z[j] * toy.u[j][p];
            }
        }
    }
    return HS_OK;
}

static void make_store(void)
{
    const char *path = temp_path("toy.h5");
    hs_arena arena = {0};
    hs_store_spec spec;
    hs_dump_report report;
    const hs_dump_choice choice = {.n = N,
                                   .steps = &steps,
                                   .spacing = "list",
                                   .keep_x_0 = 1,
                                   .keep_eps = 1,
                                   .dtype = HS_F32,
                                   .batch = 32,
                                   .conv = "auto",
                                   .backend = "",
                                   .blas = "",
                                   .command_line = "",
                                   .source_version = ""};
    assert_ok(hs_dump_spec(&toy.m, &choice, &arena, &spec));
    const hs_dump_options o = {.spec = &spec, .steps = &steps, .conv = HS_CONV_AUTO};
    assert_ok(hs_dump_run(path, &toy.m, &(hs_dump_source){draw_x_T, NULL}, &o, &report));
    assert_ok(hs_store_open(path, &store));
    hs_arena_free(&arena);
}

/* How red the upper left of each image is, and whether it is redder than most. */
static void make_labels(void)
{
    const char *path = temp_path("labels.csv");
    float *image = malloc(N * TOY_D_X * sizeof *image);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "image,red,is_red\n");
    assert_ok(hs_store_read(store, "x_0", 0, N, image));
    for (size_t i = 0; i < N; i++) {
        const float *px = image + i * TOY_D_X; /* (y, x, colour) */
        double red = ((double)px[0] + (double)px[3] + (double)px[12] + (double)px[15]) / 4;
        fprintf(f, "%zu,%.17g,%d\n", i, red, red > 127.5);
    }
    assert_int_equal(fclose(f), 0);
    free(image);
    assert_ok(hs_csv_read(path, &labels));
}

static int begin(void **state)
{
    (void)state;
    omp_set_num_threads(1); /* everything is small: threads would wait for each other */
    linear_toy_begin(&toy, 5);
    assert_ok(hs_steps_from_list(&toy.m.schedule, S, T, &steps));
    make_store();
    make_labels();
    return 0;
}

static int end(void **state)
{
    (void)state;
    hs_csv_free(&labels);
    hs_store_close(store);
    hs_steps_free(&steps);
    linear_toy_end(&toy);
    return 0;
}

/* ---- The toy is what it says ---- */

static void test_the_toy_is_linear(void **state)
{
    (void)state;
    float x[TOY_D_X], h[TOY_D_H], eps[TOY_D_X], want_h[TOY_D_H] = {0}, want_eps[TOY_D_X] = {0}, red;
    hs_unet_ws *ws;
    hs_attrnet_ws *phi;
    hs_rng_normal((hs_rng){1, HS_RNG_TEST, 0}, 0, TOY_D_X, x);
    assert_ok(hs_unet_ws_create(toy.m.unet, 1, 1, HS_CONV_AUTO, &ws));
    assert_ok(hs_unet_encode(toy.m.unet, ws, 1, x, T, h));
    assert_ok(hs_unet_decode(toy.m.unet, ws, 1, NULL, h, eps));
    for (size_t j = 0; j < TOY_D_H; j++) {
        double in = toy_in(j) * hs_dot_f32(TOY_D_X, toy.u[j], x), out = toy_out(j) * hs_dot_f32(TOY_D_H, toy.a[j], h);
        for (size_t r = 0; r < TOY_D_H; r++) {
            want_h[r] += (float)in * toy.a[j][r];
        }
        for (size_t p = 0; p < TOY_D_X; p++) {
            want_eps[p] += (float)out * toy.u[j][p];
        }
    }
    assert_true(max_rel_f32(h, want_h, TOY_D_H) < 1e-5);
    assert_true(max_rel_f32(eps, want_eps, TOY_D_X) < 1e-4); /* roundings of numbers near OFFSET */
    assert_ok(hs_attrnet_ws_create(toy.phi, 1, 0, HS_CONV_AUTO, &phi));
    assert_ok(hs_attrnet_forward(phi, 1, x, &red, NULL));
    assert_near(red, hs_dot_f32(TOY_D_X, toy.u[0], x), 1e-4);
    hs_unet_ws_free(ws);
    hs_attrnet_ws_free(phi);
}

/* ---- By labels ---- */

static void test_mean_difference(void **state)
{
    (void)state;
    static const char *const column[] = {"red", "is_red"};
    float dh[S * TOY_D_H], de[S * TOY_D_X];
    double norm[S], d_prime[S];
    for (size_t k = 0; k < 2; k++) {
        hs_labels l;
        assert_ok(hs_labels_of(&labels, column[k], N, 0.3, 0, &l));
        assert_ok(hs_dir_mean(store, HS_SPACE_H, &l, NULL, dh, norm, d_prime));
        expect_planted(k == 0 ? "mean difference, ends" : "mean difference, classes", S, dh);
        assert_true(d_prime[0] > 2);
        assert_ok(hs_dir_mean(store, HS_SPACE_EPS, &l, NULL, de, norm, d_prime));
        assert_true(fabs(cosine(TOY_D_X, de, toy.u[0])) > BOUND);
        hs_labels_free(&l);
    }
}

static void test_probes(void **state)
{
    (void)state;
    static const double strength[] = {1e-4, 1e-2, 1};
    static const char *const column[] = {"red", "is_red"};
    const hs_probe_options o = {.folds = 4, .n_strength = 3, .strength = strength, .seed = 1, .B = 50};
    hs_probe p[2];
    double value[N];
    int binary;
    for (size_t k = 0; k < 2; k++) {
        assert_ok(hs_labels_column(&labels, column[k], N, value, &binary));
        assert_int_equal(binary, k);
        assert_ok(hs_probe_new(column[k], N, value, binary, store, &o, &p[k]));
    }
    assert_ok(hs_dir_probe(store, &o, 2, p));
    expect_planted("probe, ridge", S, p[0].dh);
    expect_planted("probe, logistic", S, p[1].dh);
    hs_probe_free(&p[0]);
    hs_probe_free(&p[1]);
}

/* ---- By variance ---- */

static void test_pca(void **state)
{
    (void)state;
    static const char *const name[] = {"pca, step", "pca, pooled", "pca, trajectory"};
    for (int scope = HS_SCOPE_STEP; scope <= HS_SCOPE_TRAJECTORY; scope++) {
        hs_dir_pca_options o = {.scope = (hs_scope)scope, .pca = HS_PCA_OPTIONS};
        hs_dir_pca got;
        float dh[S * TOY_D_H];
        o.pca.k = 3;
        assert_ok(hs_dir_pca_put(store, &o, NULL, &got));
        size_t parts = scope == HS_SCOPE_POOLED ? 1 : S;
        for (size_t k = 0; k < parts; k++) {
            const float *one =
                got.fit[scope == HS_SCOPE_STEP ? k : 0]->component + (scope == HS_SCOPE_TRAJECTORY ? k * TOY_D_H : 0);
            float sign = scope == HS_SCOPE_STEP && hs_dot_f32(TOY_D_H, dh, one) < 0 && k > 0 ? -1 : 1;
            for (size_t r = 0; r < TOY_D_H; r++) {
                dh[k * TOY_D_H + r] = sign * one[r];
            }
        }
        expect_planted(name[scope], parts, dh);
        hs_dir_pca_free(&got);
    }
}

/* ---- By derivatives ---- */

/* Singular values are known, too. */
static void test_jacobian(void **state)
{
    (void)state;
    static const char *const name[] = {"jacobian, eps/h", "jacobian, x0/h", "jacobian, h/x"};
    float x[S * IMAGES * TOY_D_X];
    float x_T[IMAGES * TOY_D_X];
    assert_ok(draw_x_T(NULL, 0, IMAGES, x_T));
    assert_ok(hs_jacobian_states(&toy.m, HS_CONV_AUTO, &steps, IMAGES, IMAGES, x_T, S, T, NULL, x));
    for (int map = HS_JACOBIAN_EPS_H; map <= HS_JACOBIAN_H_X; map++) {
        const hs_jacobian_options o = {
            .map = (hs_jacobian_map)map, .k = 2, .tol = 1e-4, .rows = 4, .conv = HS_CONV_AUTO, .seed = 1};
        hs_jacobian j;
        assert_ok(hs_jacobian_directions(&toy.m, &o, S, T, IMAGES, x, &j));
        expect_planted(name[map], S, j.dh);
        for (size_t s = 0; s < S; s++) {
            double ab = steps.step[s].alpha_bar, unit = map == HS_JACOBIAN_X0_H ? sqrt((1 - ab) / ab) : 1;
            for (size_t i = 0; i < 2; i++) {
                double want = map == HS_JACOBIAN_H_X ? toy_in(i) : unit * toy_out(i);
                assert_near(j.sigma[i * S + s], want, 1e-3 * want);
            }
            assert_true(fabs(cosine(TOY_D_X, j.x + s * IMAGES * TOY_D_X, toy.u[0])) > BOUND);
        }
        hs_jacobian_free(&j);
    }
}

/* ---- By learning ---- */

typedef struct {
    hs_goal goal;
    hs_deltablock *net;
    hs_delta_var *v;
    hs_asyrp_task *a;
} learning;

/* As `direction asyrp --readout attr:red` does it: from no effect, Adam, the L1 term at weight 1. */
static void learn(hs_delta_kind kind, int eps, const float *x_T, const char *folder, learning *l)
{
    const hs_unet_config *cfg = hs_unet_config_of(toy.m.unet);
    hs_delta_spec spec = {.kind = kind, .eps = eps, .n = IMAGES, .S = EDITED, .batch = IMAGES, .silent = 1, .seed = 1};
    const hs_asyrp_task_options o = {.weight = 1, .l1 = 1, .t_edit = T_EDIT, .conv = HS_CONV_AUTO};
    const hs_train_options loop = {.adam = {.beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8},
                                   .rate = {.rate = 1e-2, .flat = 0.5, .last = 0.01, .total = 600},
                                   .clip = 1,
                                   .save_seconds = 1e9,
                                   .whole = EDITED,
                                   .table_every = 100};
    hs_train_result done;
    memset(l, 0, sizeof *l);
    mkdir(folder, 0777);
    if (kind == HS_DELTA_NET) { /* twice as wide as h at least: of one number a group, normalising leaves nothing */
        assert_ok(hs_deltablock_random(TOY_D_H, 64, cfg->temb_dim, 1, 1, &l->net));
        spec.net = l->net;
    }
    assert_ok(hs_delta_create(cfg, &spec, &l->v));
    assert_ok(hs_goal_attribute(toy.phi, hs_unet_image_shape(cfg), 0, 0.5, IMAGES, HS_CONV_AUTO, &l->goal));
    assert_ok(hs_asyrp_task_create(toy.m.unet, &steps, l->v, &l->goal, x_T, NULL, &o, "", folder, &l->a));
    const hs_task task = hs_asyrp_task_of(l->a);
    assert_ok(hs_train(&task, &loop, folder, &done));
}

static void learning_free(learning *l)
{
    hs_asyrp_task_free(l->a);
    hs_delta_free(l->v);
    hs_deltablock_free(l->net);
    hs_goal_free(&l->goal);
}

/* D of each edited step: of one image, or, of a network, its mean over plain states, as `direction freeze` takes it. */
static void read_delta(learning *l, const float *x_T, size_t image, float *dh)
{
    float x[EDITED * IMAGES * TOY_D_X], h[IMAGES * TOY_D_H], eps[IMAGES * TOY_D_X], each[IMAGES * TOY_D_H];
    int t[IMAGES];
    hs_unet_ws *ws;
    if (l->net == NULL) {
        hs_delta_of_image(l->v, image, dh);
        return;
    }
    assert_ok(hs_jacobian_states(&toy.m, HS_CONV_AUTO, &steps, IMAGES, IMAGES, x_T, EDITED, T, NULL, x));
    assert_ok(hs_unet_ws_create(toy.m.unet, IMAGES, IMAGES, HS_CONV_AUTO, &ws));
    memset(dh, 0, EDITED * TOY_D_H * sizeof *dh);
    for (size_t s = 0; s < EDITED; s++) {
        for (size_t i = 0; i < IMAGES; i++) {
            t[i] = T[s];
        }
        assert_ok(hs_unet_encode(toy.m.unet, ws, IMAGES, x + s * IMAGES * TOY_D_X, t, h));
        assert_ok(hs_unet_decode(toy.m.unet, ws, IMAGES, NULL, h, eps));
        assert_ok(hs_delta_forward(l->v, 0, s, h, hs_unet_temb(ws, 0), each));
        for (size_t k = 0; k < IMAGES * TOY_D_H; k++) {
            dh[s * TOY_D_H + k % TOY_D_H] += each[k] / IMAGES;
        }
    }
    hs_unet_ws_free(ws);
}

/* More red in x_0 is less red in the noise; and how much is known: c u_0 with (c - 0.5)^2 + c mean |u_0| least, so
 * c = 0.5 - 1 / 48. */
static void test_asyrp(void **state)
{
    (void)state;
    static const char *const name[] = {"asyrp, f_t", "asyrp, free", "asyrp, shared"};
    float x_T[IMAGES * TOY_D_X], dh[EDITED * TOY_D_H];
    assert_ok(draw_x_T(NULL, 0, IMAGES, x_T));
    for (int kind = HS_DELTA_NET; kind <= HS_DELTA_SHARED; kind++) {
        learning l;
        learn((hs_delta_kind)kind, 0, x_T, temp_path(name[kind] + 7), &l);
        for (size_t i = 0; i < (kind == HS_DELTA_FREE ? IMAGES : 1); i++) {
            read_delta(&l, x_T, i, dh);
            expect_planted(name[kind], EDITED, dh);
            for (size_t s = 0; s < EDITED; s++) {
                double ab = steps.step[s].alpha_bar, along = hs_dot_f32(TOY_D_H, dh + s * TOY_D_H, toy.a[0]);
                assert_near(-along * sqrt((1 - ab) / ab), 0.5 - 1.0 / 48, 2e-3);
            }
        }
        learning_free(&l);
    }
}

/* h's rival: the change of the noise itself is the pattern. */
static void test_asyrp_of_eps(void **state)
{
    (void)state;
    float x_T[IMAGES * TOY_D_X], de[EDITED * TOY_D_X];
    learning l;
    assert_ok(draw_x_T(NULL, 0, IMAGES, x_T));
    learn(HS_DELTA_SHARED, 1, x_T, temp_path("eps"), &l);
    hs_delta_of_image(l.v, 0, de);
    for (size_t s = 0; s < EDITED; s++) {
        double c = cosine(TOY_D_X, de + s * TOY_D_X, toy.u[0]);
        print_message("%-24s cosine %.4f\n", "asyrp, shared, of eps", c);
        assert_true(c < -BOUND);
    }
    learning_free(&l);
}

/* ---- The control ---- */

static void test_random_directions_do_not(void **state)
{
    (void)state;
    char none[1] = "";
    hs_direction like = {.model_sha256 = none, .tap = none, .shape = {TOY_D_H, 1, 1}, .dh = toy.a[0]}, d;
    double most = 0;
    for (size_t k = 0; k < 32; k++) {
        assert_ok(hs_direction_random(&like, NULL, 1, k, &d));
        most = fmax(most, fabs(cosine(TOY_D_H, d.dh, toy.a[0])));
        hs_direction_free(&d);
    }
    print_message("%-24s |cosine| %.4f at most\n", "32 random directions", most);
    assert_true(most < 0.85);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_toy_is_linear),
        cmocka_unit_test(test_mean_difference),
        cmocka_unit_test(test_probes),
        cmocka_unit_test(test_pca),
        cmocka_unit_test(test_jacobian),
        cmocka_unit_test(test_asyrp),
        cmocka_unit_test(test_asyrp_of_eps),
        cmocka_unit_test(test_random_directions_do_not),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
