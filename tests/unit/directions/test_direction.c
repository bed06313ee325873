/* analysis/directions: the file format, names, interpolation in t, the step-count rule, random controls. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/directions/dir_random.h"
#include "core/io/tensors.h"
#include "tests/support/support.h"

enum { C = 2, H = 2, W = 2, D = C * H * W, S = 3, N = 2 };
static const int T[S] = {900, 500, 100};

/* delta_h[i][k][j] = 100 i + 10 k + j. */
static float value(size_t i, size_t k, size_t j)
{
    return (float)(100 * i + 10 * k + j);
}

static const char *write_set(const char *file, const char *sha)
{
    static const char *const names[N] = {"pc0", "smile:x"};
    const char *path = temp_path(file);
    hs_direction_set set = {.method = "test",
                            .tap = "mid_block.out",
                            .model_sha256 = sha,
                            .shape = {C, H, W},
                            .n = N,
                            .name = names,
                            .S = S,
                            .t = T};
    hs_result *r = NULL;
    float row[S * D];
    assert_ok(hs_result_create(path, "directions", 1, &r));
    assert_ok(hs_direction_put(r, &set));
    for (size_t i = 0; i < N; i++) {
        for (size_t k = 0; k < S; k++) {
            for (size_t j = 0; j < D; j++) {
                row[k * D + j] = value(i, k, j);
            }
        }
        assert_ok(hs_result_put_rows(r, "delta_h", i, 1, row));
    }
    assert_ok(hs_result_commit(r));
    hs_result_free(r);
    return path;
}

static void open_named(const char *path, const char *name, hs_direction *d)
{
    char spec[512];
    snprintf(spec, sizeof spec, "%s:%s", path, name);
    assert_ok(hs_direction_open(spec, d));
}

static void test_names_then_indices(void **state)
{
    (void)state;
    const char *path = write_set("d.h5", "");
    hs_direction d;
    open_named(path, "pc0", &d);
    assert_string_equal(d.name, "pc0");
    assert_int_equal(d.S, S);
    hs_direction_free(&d);
    open_named(path, "1", &d);
    assert_string_equal(d.name, "smile:x");
    assert_near(d.dh[D + 2], value(1, 1, 2), 0);
    hs_direction_free(&d);
    assert_code(hs_direction_open(path, &d), HS_ERANGE);
    assert_non_null(strstr(hs_error_message(), "pc0, smile:x"));
    char spec[512];
    snprintf(spec, sizeof spec, "%s:7", path);
    assert_code(hs_direction_open(spec, &d), HS_ERANGE);
}

static void test_a_file_of_another_kind_is_refused(void **state)
{
    (void)state;
    const char *path = temp_path("other.h5");
    const size_t n = 2;
    const double v[2] = {1, 2};
    hs_result *r = NULL;
    hs_direction d;
    assert_ok(hs_result_create(path, "sweep", 1, &r));
    assert_ok(hs_result_put_f64(r, "strength", "strength", 1, &n, v));
    assert_ok(hs_result_commit(r));
    hs_result_free(r);
    assert_code(hs_direction_open(path, &d), HS_EFORMAT);
}

static void test_between_timesteps_linear_beyond_nearest(void **state)
{
    (void)state;
    hs_direction d;
    float out[D];
    open_named(write_set("d.h5", ""), "pc0", &d);
    hs_direction_at(&d, 500, out);
    assert_near(out[1], value(0, 1, 1), 0);
    hs_direction_at(&d, 700, out); /* half way between k = 0 and 1 */
    assert_near(out[1], 6, 1e-6);
    hs_direction_at(&d, 200, out); /* three quarters from k = 1 to 2 */
    assert_near(out[1], 18.5, 1e-5);
    hs_direction_at(&d, 999, out);
    assert_near(out[1], value(0, 0, 1), 0);
    hs_direction_at(&d, 0, out);
    assert_near(out[1], value(0, 2, 1), 0);
    hs_direction_free(&d);
}

/* Exact, nearest and in between: what is taken where nothing is stored. */
static void test_matching_of_timesteps(void **state)
{
    (void)state;
    hs_direction d;
    float out[D];
    hs_schedule schedule;
    hs_steps steps;
    const hs_schedule_spec spec = {.kind = HS_SCHEDULE_LINEAR, .T = 1000, .beta_start = 1e-4, .beta_end = 0.02};
    open_named(write_set("d.h5", ""), "pc0", &d);
    d.match = HS_MATCH_NEAREST;
    hs_direction_at(&d, 700, out); /* half way: the larger t */
    assert_near(out[1], value(0, 0, 1), 0);
    hs_direction_at(&d, 699, out);
    assert_near(out[1], value(0, 1, 1), 0);
    assert_ok(hs_schedule_create(&spec, &schedule));
    const int there[] = {900, 500}, missing[] = {900, 600, 500};
    assert_ok(hs_steps_from_list(&schedule, 2, there, &steps));
    d.match = HS_MATCH_EXACT;
    assert_ok(hs_direction_covers(&d, &steps, 0));
    hs_steps_free(&steps);
    assert_ok(hs_steps_from_list(&schedule, 3, missing, &steps));
    assert_code(hs_direction_covers(&d, &steps, 0), HS_ESHAPE);
    assert_non_null(strstr(hs_error_message(), "t = 600"));
    assert_ok(hs_direction_covers(&d, &steps, 700)); /* not asked for below t_edit */
    d.match = HS_MATCH_LINEAR;
    assert_ok(hs_direction_covers(&d, &steps, 0));
    hs_match m;
    assert_ok(hs_match_of("nearest", &m));
    assert_int_equal(m, HS_MATCH_NEAREST);
    assert_code(hs_match_of("some", &m), HS_ERANGE);
    hs_steps_free(&steps);
    hs_schedule_free(&schedule);
    hs_direction_free(&d);
}

/* Directions of two forms in one file, beside deltas that are none. */
static void test_directions_of_their_own_form(void **state)
{
    (void)state;
    const char *path = temp_path("mixed.h5");
    static const char *const names[] = {"timed", "constant"};
    static const int t[2] = {700, 20};
    static const float v[2 * D] = {1, 2, 3}, deltas[4] = {0};
    const size_t dim[5] = {1, 1, 4, 1, 1};
    hs_result *r = NULL;
    hs_direction d;
    assert_ok(hs_result_create(path, "deltas", 1, &r));
    assert_ok(hs_result_put_f32(r, "delta_h", "sample,timestep,c,b,a", 5, dim, deltas));
    assert_ok(hs_result_put_strings(r, "direction", "direction", 2, names));
    assert_ok(hs_direction_put_named(r, HS_SPACE_H, "timed", (hs_chw){C, H, W}, 2, t, HS_MATCH_EXACT, v));
    assert_ok(hs_direction_put_named(r, HS_SPACE_H, "constant", (hs_chw){C, H, W}, 0, NULL, HS_MATCH_LINEAR, v));
    assert_code(hs_direction_put_named(r, HS_SPACE_H, "a/b", (hs_chw){C, H, W}, 0, NULL, HS_MATCH_LINEAR, v),
                HS_ERANGE);
    assert_ok(hs_result_commit(r));
    hs_result_free(r);
    open_named(path, "timed", &d);
    assert_int_equal(d.S, 2);
    assert_int_equal(d.t[1], 20);
    assert_int_equal(d.match, HS_MATCH_EXACT);
    assert_memory_equal(d.dh, v, sizeof v);
    hs_direction_free(&d);
    open_named(path, "1", &d);
    assert_int_equal(d.S, 0);
    assert_int_equal(d.shape.c, C);
    hs_direction_free(&d);
}

static void test_fits(void **state)
{
    (void)state;
    hs_direction d;
    const hs_unet_config cfg = {.image_size = H, .levels = 1, .ch = {C}},
                         wide = {.image_size = 4, .levels = 1, .ch = {C}};
    open_named(write_set("d.h5", "aaaa"), "pc0", &d);
    assert_ok(hs_direction_fits(&d, &cfg, "aaaa", 0));
    assert_code(hs_direction_fits(&d, &cfg, "bbbb", 0), HS_ESHAPE);
    assert_ok(hs_direction_fits(&d, &cfg, "bbbb", 1));
    assert_code(hs_direction_fits(&d, &wide, "aaaa", 1), HS_ESHAPE);
    hs_direction_free(&d);
}

/* The rival's: of the image's shape, under a name of its own. */
static void test_of_eps(void **state)
{
    (void)state;
    static const char *const name = "up";
    const hs_unet_config cfg = {.image_size = 2 * H, .levels = 2, .ch = {4, C}, .in_ch = C},
                         like_h = {.image_size = H, .levels = 1, .ch = {C}, .in_ch = 3};
    const hs_direction_set set = {.method = "test",
                                  .tap = "",
                                  .model_sha256 = "",
                                  .space = HS_SPACE_EPS,
                                  .shape = {C, 2 * H, 2 * W},
                                  .n = 1,
                                  .name = &name};
    const char *path = temp_path("eps.h5");
    float row[4 * D];
    hs_result *r = NULL;
    hs_direction d, random;
    for (size_t j = 0; j < 4 * D; j++) {
        row[j] = (float)j;
    }
    assert_ok(hs_result_create(path, "directions", 1, &r));
    assert_ok(hs_direction_put(r, &set));
    assert_ok(hs_result_put_rows(r, "delta_eps", 0, 1, row));
    assert_ok(hs_result_commit(r));
    hs_result_free(r);
    assert_ok(hs_direction_open(path, &d));
    assert_int_equal(d.space, HS_SPACE_EPS);
    assert_memory_equal(d.dh, row, sizeof row);
    assert_int_equal(hs_direction_patch(&cfg), 2);
    assert_ok(hs_direction_fits(&d, &cfg, "", 0));
    assert_code(hs_direction_fits(&d, &like_h, "", 0), HS_ESHAPE);
    assert_ok(hs_direction_random(&d, NULL, 1, 0, &random));
    assert_int_equal(random.space, HS_SPACE_EPS);
    hs_direction_free(&random);
    hs_direction_free(&d);
    assert_ok(hs_result_create(path, "directions", 1, &r));
    assert_ok(hs_direction_put(r, &set));
    assert_ok(hs_result_attr_str(r, NULL, "space", "z"));
    assert_ok(hs_result_put_rows(r, "delta_eps", 0, 1, row));
    assert_ok(hs_result_commit(r));
    hs_result_free(r);
    assert_code(hs_direction_open(path, &d), HS_EFORMAT);
}

/* Twins beside a direction come at its norms; a file without them has none; what doesn't fit is refused. */
static void test_twins_of_shuffled_labels(void **state)
{
    (void)state;
    enum { R = 2 };
    static const char *const name = "smile";
    hs_direction_set set = {.method = "mean-diff",
                            .tap = "",
                            .model_sha256 = "",
                            .shape = {C, H, W},
                            .n = 1,
                            .name = &name,
                            .S = S,
                            .t = T};
    for (int zero = 0; zero < 2; zero++) {
        const char *path = temp_path("twins.h5");
        float row[S * D], twin[R * S * D];
        hs_result *r = NULL;
        hs_direction d, *list = NULL;
        size_t n = 9;
        for (size_t j = 0; j < S * D; j++) {
            row[j] = value(0, j / D, j % D) + 1;
            twin[j] = 3 * row[j];
            twin[S * D + j] = zero ? 0 : -row[j] / 2;
        }
        assert_ok(hs_result_create(path, "directions", 1, &r));
        assert_ok(hs_direction_put(r, &set));
        assert_ok(hs_direction_put_shuffled(r, &set, R));
        assert_ok(hs_result_put_rows(r, "delta_h", 0, 1, row));
        assert_ok(hs_result_put_rows(r, hs_direction_shuffled_array(HS_SPACE_H), 0, 1, twin));
        assert_ok(hs_result_commit(r));
        hs_result_free(r);
        assert_ok(hs_direction_open(path, &d));
        if (zero) {
            assert_code(hs_direction_shuffled(&d, &n, &list), HS_EFORMAT);
        } else {
            assert_ok(hs_direction_shuffled(&d, &n, &list));
            assert_int_equal(n, R);
            for (size_t j = 0; j < S * D; j++) {
                assert_near((double)list[0].dh[j], (double)row[j], 1e-4);
                assert_near((double)list[1].dh[j], -(double)row[j], 1e-4);
            }
            assert_true(list[1].S == S && list[1].t[1] == T[1] && list[1].match == d.match);
            hs_direction_free(&list[0]);
            hs_direction_free(&list[1]);
            free(list);
        }
        hs_direction_free(&d);
    }
    hs_direction d, *list = NULL;
    size_t n = 9;
    open_named(write_set("none.h5", ""), "pc0", &d);
    assert_ok(hs_direction_shuffled(&d, &n, &list));
    assert_true(n == 0 && list == NULL);
    hs_direction_free(&d);
}

/* S/S~ of the paper: 40 steps of training used with 20 doubles; alpha weights give nearly the same. */
static void test_step_count_rule(void **state)
{
    (void)state;
    hs_schedule schedule;
    hs_steps found, used;
    const hs_schedule_spec spec = {.kind = HS_SCHEDULE_LINEAR, .T = 1000, .beta_start = 1e-4, .beta_end = 0.02};
    assert_ok(hs_schedule_create(&spec, &schedule));
    assert_ok(hs_steps_create(&schedule, &(hs_steps_spec){HS_SPACING_ASYRP, 40, 0, 1}, &found));
    assert_ok(hs_steps_create(&schedule, &(hs_steps_spec){HS_SPACING_ASYRP, 20, 0, 1}, &used));
    int t[40];
    for (size_t k = 0; k < 40; k++) {
        t[k] = found.step[k].t;
    }
    hs_direction d = {.file = (char *)(uintptr_t) "f", .name = (char *)(uintptr_t) "n", .S = 40, .t = t};
    double f = 0;
    assert_ok(hs_direction_rescale(&d, &schedule, &used, 0, HS_RESCALE_NONE, &f));
    assert_near(f, 1, 0);
    assert_ok(hs_direction_rescale(&d, &schedule, &used, 0, HS_RESCALE_COUNT, &f));
    assert_near(f, 2, 0);
    assert_ok(hs_direction_rescale(&d, &schedule, &used, 500, HS_RESCALE_ALPHA, &f));
    assert_true(f > 1.5 && f < 2.1);
    assert_code(hs_direction_rescale(&d, &schedule, &used, 1000, HS_RESCALE_COUNT, &f), HS_EDEGENERATE);
    d.S = 0;
    assert_code(hs_direction_rescale(&d, &schedule, &used, 0, HS_RESCALE_COUNT, &f), HS_ERANGE);
    d.found_steps = 40; /* without timesteps: spaced as Asyrp's */
    assert_ok(hs_direction_rescale(&d, &schedule, &used, 0, HS_RESCALE_COUNT, &f));
    assert_near(f, 2, 0);
    hs_steps_free(&found);
    hs_steps_free(&used);
    hs_schedule_free(&schedule);
}

static double norm(const float *v)
{
    double s = 0;
    for (size_t j = 0; j < D; j++) {
        s += (double)v[j] * (double)v[j];
    }
    return sqrt(s);
}

static void test_random_has_the_norms_and_depends_on_seed_and_index(void **state)
{
    (void)state;
    hs_direction d, a, b, c;
    open_named(write_set("d.h5", ""), "1", &d);
    assert_ok(hs_direction_random(&d, NULL, 5, 0, &a));
    assert_ok(hs_direction_random(&d, NULL, 5, 0, &b));
    assert_ok(hs_direction_random(&d, NULL, 5, 1, &c));
    assert_memory_equal(a.dh, b.dh, S * D * sizeof *a.dh);
    assert_memory_not_equal(a.dh, c.dh, S * D * sizeof *a.dh);
    for (size_t k = 0; k < S; k++) {
        assert_near(norm(a.dh + k * D), norm(d.dh + k * D), 1e-4 * norm(d.dh + k * D));
        /* one draw for all steps: parallel from step to step */
        double dot = 0;
        for (size_t j = 0; j < D; j++) {
            dot += (double)a.dh[j] * (double)a.dh[k * D + j];
        }
        assert_near(dot / (norm(a.dh) * norm(a.dh + k * D)), 1, 1e-6);
    }
    hs_direction_free(&a);
    hs_direction_free(&b);
    hs_direction_free(&c);
    hs_direction_free(&d);
}

/* Of random sets: their lengths and angles at each step, the third the sum of the others; alone, what
 * hs_direction_random draws. */
static void test_random_set_has_lengths_and_angles(void **state)
{
    (void)state;
    enum { TERMS = 3 };
    double gram[S][TERMS][TERMS], one[S];
    hs_direction d, a[TERMS], b[TERMS], single;
    open_named(write_set("d.h5", ""), "1", &d);
    for (size_t k = 0; k < S; k++) {
        double x = 4 + (double)k, y = 9, xy = 5 - 3 * (double)k;
        const double g[TERMS][TERMS] = {{x, xy, x + xy}, {xy, y, xy + y}, {x + xy, xy + y, x + 2 * xy + y}};
        memcpy(gram[k], g, sizeof g);
        one[k] = norm(d.dh + k * D) * norm(d.dh + k * D);
    }
    assert_ok(hs_direction_random_set(&d, TERMS, S, T, &gram[0][0][0], 5, 1, a));
    assert_ok(hs_direction_random_set(&d, TERMS, S, T, &gram[0][0][0], 5, 2, b));
    assert_memory_not_equal(a[0].dh, b[0].dh, S * D * sizeof *a[0].dh);
    for (size_t k = 0; k < S; k++) {
        for (size_t i = 0; i < TERMS * TERMS; i++) {
            double dot = 0;
            for (size_t j = 0; j < D; j++) {
                dot += (double)a[i / TERMS].dh[k * D + j] * (double)a[i % TERMS].dh[k * D + j];
            }
            assert_near(dot, gram[k][i / TERMS][i % TERMS], 1e-5); /* float32 of lengths below 5 */
        }
    }
    for (size_t i = 0; i < TERMS; i++) {
        hs_direction_free(&a[i]);
        hs_direction_free(&b[i]);
    }
    assert_ok(hs_direction_random_set(&d, 1, S, T, one, 5, 1, a));
    assert_ok(hs_direction_random(&d, NULL, 5, 1, &single));
    for (size_t j = 0; j < S * D; j++) {
        assert_near((double)a[0].dh[j], (double)single.dh[j], 1e-4 * (1 + fabs((double)single.dh[j])));
    }
    assert_code(hs_direction_random_set(&d, 0, S, T, one, 5, 1, a + 1), HS_ERANGE);
    assert_code(hs_direction_random_set(&d, D + 1, S, T, one, 5, 1, a + 1), HS_ERANGE);
    hs_direction_free(&a[0]);
    hs_direction_free(&single);
    hs_direction_free(&d);
}

static void test_released_network_round_trip(void **state)
{
    (void)state;
    need_shared("asyrp-dh/smiling_LC_CelebA_HQ.pth");
    hs_tensors *ts = NULL;
    hs_result *r = NULL;
    hs_direction d;
    size_t count = 0;
    const char *path = temp_path("smile.h5");
    const hs_unet_config cfg = {.image_size = 16, .levels = 2, .ch = {8, 512}, .temb_dim = 512};
    const hs_unet_config narrow = {.image_size = 16, .levels = 2, .ch = {8, 256}, .temb_dim = 512};
    assert_ok(hs_tensors_open(shared_data("asyrp-dh/smiling_LC_CelebA_HQ.pth"), &ts));
    assert_ok(hs_result_create(path, "directions", 1, &r));
    assert_ok(hs_direction_put_networks(r, ts, "smiling", "import", "", &count));
    assert_int_equal(count, 1);
    assert_ok(hs_result_commit(r));
    hs_result_free(r);
    assert_ok(hs_direction_open(path, &d));
    assert_non_null(d.net);
    assert_int_equal(hs_deltablock_channels(d.net), 512);
    assert_ok(hs_direction_fits(&d, &cfg, "x", 0));
    assert_code(hs_direction_fits(&d, &narrow, "x", 0), HS_ESHAPE);
    hs_direction_free(&d);
    hs_tensors_free(ts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_then_indices),
        cmocka_unit_test(test_a_file_of_another_kind_is_refused),
        cmocka_unit_test(test_between_timesteps_linear_beyond_nearest),
        cmocka_unit_test(test_matching_of_timesteps),
        cmocka_unit_test(test_directions_of_their_own_form),
        cmocka_unit_test(test_fits),
        cmocka_unit_test(test_twins_of_shuffled_labels),
        cmocka_unit_test(test_of_eps),
        cmocka_unit_test(test_step_count_rule),
        cmocka_unit_test(test_random_has_the_norms_and_depends_on_seed_and_index),
        cmocka_unit_test(test_random_set_has_lengths_and_angles),
        cmocka_unit_test(test_released_network_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
