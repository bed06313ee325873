/* A comparison of several steps: what each adds to the answer, and that processes which share them find the same bits,
 * or one failure for all. */
#include <stdlib.h>
#include <string.h>

#include "analysis/compare/directions.h"
#include "core/base/alloc.h"
#include "core/base/sha256.h"
#include "tests/support/planted_spaces.h"
#include "tests/support/support.h"
#include "tests/support/team.h"

enum { N = 40, K = 3, DA = 30, DB = 22, S = 5, D = 2, BROKEN = 3 };

/* Both sides at every step, each step a pair of spaces of its own. */
typedef struct {
    planted_spaces at[S];
    float *v[D][2]; /* (S, d) */
    int fails;      /* reading of step BROKEN and the last one */
} world;

typedef struct {
    world *w;
    size_t side, first; /* step 0 is that one of the world */
} view;

static int read_step(void *ctx, size_t k, size_t first, size_t count, float *out)
{
    const view *v = ctx;
    k += v->first;
    size_t d = v->w->at[k].d[v->side];
    if (v->w->fails && (k == BROKEN || k + 1 == S)) {
        return hs_fail(HS_EIO, "disk gone at step %zu", k);
    }
    memcpy(out, v->w->at[k].x[v->side] + first * d, count * d * sizeof *out);
    return HS_OK;
}

static void world_make(world *w, int fails)
{
    w->fails = fails;
    for (size_t k = 0; k < S; k++) {
        w->at[k] = planted_spaces_make(N, K, DA, DB, .5, 70 + k);
    }
    for (size_t j = 0; j < D; j++) {
        for (size_t s = 0; s < 2; s++) {
            size_t d = w->at[0].d[s];
            assert_ok(hs_alloc(S * d, sizeof(float), &w->v[j][s]));
            for (size_t i = 0; i < S * d; i++) {
                w->v[j][s][i] = (float)w->at[i / d].loading[s][i % d * K + j];
            }
        }
    }
}

static void world_free(world *w)
{
    for (size_t k = 0; k < S; k++) {
        planted_spaces_free(&w->at[k]);
    }
    for (size_t j = 0; j < D; j++) {
        free(w->v[j][0]);
        free(w->v[j][1]);
    }
}

static int add(hs_sha256 *sha, size_t n, const double *v)
{
    return hs_sha256_add(sha, v, n * sizeof *v);
}

static int digest(const hs_comparison *x, const hs_direction_answer *answer, char text[404])
{
    int rc;
    hs_sha256 *sha = NULL;
    HS_TRY(hs_sha256_new(&sha));
    HS_TRY(add(sha, HS_CMP_COLUMNS * x->S, x->column));
    HS_TRY(add(sha, 2 * x->S * HS_COMPARE_SPECTRUM, x->spectrum));
    HS_TRY(add(sha, x->M * x->M, x->cka));
    HS_TRY(add(sha, x->M * x->M, x->cka_half));
    HS_TRY(add(sha, x->M * x->M, x->cka_biased));
    HS_TRY(add(sha, x->M, x->cka_null));
    HS_TRY(add(sha, 2 * x->n, x->cosine));
    HS_TRY(add(sha, 2 * x->n, x->kept));
    HS_TRY(add(sha, 2 * x->nulls, x->null));
    for (size_t j = 0; j < D; j++) {
        const hs_direction_answer *a = &answer[j];
        HS_TRY(add(sha, 2, a->cosine));
        HS_TRY(add(sha, 2, a->ceiling));
        HS_TRY(add(sha, 2, a->random));
        HS_TRY(add(sha, 2, a->shuffled));
        HS_TRY(add(sha, 3, (const double[]){a->lower.value, a->lower.lo, a->lower.hi}));
    }
    HS_TRY(hs_sha256_hex(sha, text));
out:
    hs_sha256_free(sha);
    return rc;
}

/* *x, answer (D) <- what a comparison with directions of `steps` steps from `first` on finds, on rank 0. */
static int compare(hs_team *team, world *w, size_t first, size_t steps, hs_comparison *x, hs_direction_answer *answer)
{
    int rc;
    view va = {w, 0, first}, vb = {w, 1, first};
    const hs_compare_side a = {N, steps, DA, NULL, read_step, &va}, b = {N, steps, DB, NULL, read_step, &vb};
    hs_direction_pair pair[D];
    for (size_t j = 0; j < D; j++) {
        pair[j] = (hs_direction_pair){"v", "v", w->v[j][0] + first * DA, w->v[j][1] + first * DB};
    }
    hs_compare_options o = HS_COMPARE_OPTIONS_INIT;
    hs_carrier *c = NULL;
    o.team = team;
    o.matrix = 3;
    HS_TRY(hs_carrier_new(&a, &b, D, pair, &o, &c));
    const hs_compare_watch watch = hs_carrier_watch(c);
    HS_TRY(hs_compare_run(&a, &b, &o, &watch, x));
    HS_TRY(hs_team_leads(team) ? hs_carrier_judge(c, answer) : HS_OK);
out:
    hs_carrier_free(c);
    return rc;
}

static int of_all(hs_team *team, int fails, char text[404])
{
    int rc;
    world w;
    hs_comparison x = {0};
    hs_direction_answer answer[D];
    world_make(&w, fails);
    HS_TRY(compare(team, &w, 0, S, &x, answer));
    HS_TRY(hs_team_leads(team) ? digest(&x, answer, text) : HS_OK);
out:
    hs_comparison_free(&x);
    world_free(&w);
    return rc;
}

static int whole(hs_team *team, char text[404])
{
    return of_all(team, 0, text);
}

static int broken(hs_team *team, char text[404])
{
    return of_all(team, 1, text);
}

static void test_same_bits(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 3, 4, 7}; /* 7: more ranks than steps */
    team_answer one[TEAM_MOST], all[TEAM_MOST];
    run_team(1, whole, one);
    assert_int_equal(one[0].rc, HS_OK);
    assert_int_equal(strlen(one[0].text), 64);
    for (size_t i = 1; i < sizeof sizes / sizeof *sizes; i++) {
        run_team(sizes[i], whole, all);
        for (size_t r = 0; r < sizes[i]; r++) {
            if (all[r].rc != HS_OK) {
                fail_msg("rank %zu of %zu: %s", r, sizes[i], all[r].text);
            }
        }
        assert_string_equal(all[0].text, one[0].text);
    }
}

static void test_one_failure_for_all(void **state)
{
    (void)state;
    team_answer all[TEAM_MOST];
    for (size_t size = 1; size <= 5; size += 2) {
        run_team(size, broken, all);
        for (size_t r = 0; r < size; r++) {
            assert_int_equal(all[r].rc, HS_EIO);
            assert_string_equal(all[r].text, "disk gone at step 3"); /* the first, as one process meets it */
            assert_true(size == 1 || all[r].agreed);
        }
    }
}

/* A comparison of each step alone has its columns, and sums to those of all. */
static void test_steps_add_up(void **state)
{
    (void)state;
    world w;
    hs_comparison all = {0}, one = {0};
    hs_direction_answer of_all_steps[D], of_one[D];
    double cosine[2 * N] = {0}, null[2 * 40] = {0}, carried[D][2] = {{0}}, ceiling[D][2] = {{0}};
    world_make(&w, 0);
    assert_ok(compare(NULL, &w, 0, S, &all, of_all_steps));
    assert_int_equal(all.nulls, 40);
    for (size_t k = 0; k < S; k++) {
        assert_ok(compare(NULL, &w, k, 1, &one, of_one));
        for (size_t j = 0; j < HS_CMP_COLUMNS; j++) {
            assert_memory_equal(&all.column[j * S + k], &one.column[j], sizeof(double));
        }
        for (size_t s = 0; s < 2; s++) {
            assert_memory_equal(all.spectrum + (s * S + k) * HS_COMPARE_SPECTRUM,
                                one.spectrum + s * HS_COMPARE_SPECTRUM, HS_COMPARE_SPECTRUM * sizeof(double));
        }
        for (size_t i = 0; i < (size_t)2 * N; i++) {
            cosine[i] += one.cosine[i];
        }
        for (size_t i = 0; i < (size_t)2 * 40; i++) {
            null[i] += one.null[i] / S;
        }
        for (size_t j = 0; j < D; j++) {
            for (size_t way = 0; way < 2; way++) {
                carried[j][way] += of_one[j].cosine[way] / S;
                ceiling[j][way] += of_one[j].ceiling[way] / S;
            }
        }
        hs_comparison_free(&one);
    }
    for (size_t i = 0; i < (size_t)2 * N; i++) {
        assert_near(all.cosine[i], cosine[i], 1e-12);
    }
    for (size_t i = 0; i < (size_t)2 * 40; i++) {
        assert_near(all.null[i], null[i], 1e-12);
    }
    for (size_t j = 0; j < D; j++) {
        for (size_t way = 0; way < 2; way++) {
            assert_near(of_all_steps[j].cosine[way], carried[j][way], 1e-12);
            assert_near(of_all_steps[j].ceiling[way], ceiling[j][way], 1e-12);
        }
    }
    hs_comparison_free(&all);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bits), cmocka_unit_test(test_one_failure_for_all),
        cmocka_unit_test(test_steps_add_up) /* last: forks want a parent without threads */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
