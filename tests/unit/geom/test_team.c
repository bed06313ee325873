/* Several processes on one matrix: the same bits as one, and one failure for all. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/sha256.h"
#include "core/geom/gram.h"
#include "core/geom/pca.h"
#include "core/geom/rows_sum.h"
#include "tests/support/support.h"
#include "tests/support/team.h"

enum { FEATURES = 48 };

/* Rows that are functions of their number; some features matter more. */
static int read_rows(void *ctx, size_t first, size_t count, float *out)
{
    (void)ctx;
    for (size_t i = first; i < first + count; i++) {
        for (size_t j = 0; j < FEATURES; j++) {
            uint32_t x = (uint32_t)(i * 1000003 + j * 7919) * 2654435761u;
            x = (x ^ x >> 15) * 2246822519u;
            *out++ = (float)((double)(x >> 8) / 16777216.0 / (1.0 + (double)j) + 3.0);
        }
    }
    return HS_OK;
}

static int add_doubles(hs_sha256 *sha, const double *v, size_t n)
{
    return hs_sha256_add(sha, v, n * sizeof *v);
}

/* text <- the digest of everything a PCA by each solver finds. */
static int all_solvers(hs_team *team, char text[404])
{
    static const struct {
        size_t n, groups;
        hs_pca_solver solver;
    } what[] = {{900, 1, HS_PCA_GRAM},
                {9000, 1, HS_PCA_COVARIANCE},
                {9000, 7, HS_PCA_BLOCK},
                {600, 1, HS_PCA_COVARIANCE},
                {5500, 1, HS_PCA_RANDOMIZED}};
    int rc = HS_OK;
    hs_sha256 *sha = NULL;
    hs_pca *p = NULL;
    HS_TRY(hs_sha256_new(&sha));
    for (size_t i = 0; i < sizeof what / sizeof *what; i++) {
        const hs_rows rows = {what[i].n, FEATURES, what[i].groups, read_rows, NULL};
        hs_pca_options o = HS_PCA_OPTIONS;
        o.k = 5;
        o.solver = what[i].solver;
        o.team = team;
        HS_TRY(hs_pca_fit(&rows, &o, &p));
        HS_TRY(add_doubles(sha, p->mean, p->groups * p->d));
        HS_TRY(add_doubles(sha, p->explained_variance, p->k));
        HS_TRY(add_doubles(sha, p->residual, p->k));
        HS_TRY(add_doubles(sha, &p->total_variance, 1));
        HS_TRY(hs_sha256_add(sha, p->component, p->k * p->d * sizeof *p->component));
        hs_pca_free(p);
        p = NULL;
    }
    HS_TRY(hs_sha256_hex(sha, text));
out:
    hs_pca_free(p);
    hs_sha256_free(sha);
    return rc;
}

static void test_same_bits(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 3, 4, 7};
    char want[404] = "";
    team_answer all[TEAM_MOST];
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        run_team(sizes[i], all_solvers, all);
        for (size_t r = 0; r < sizes[i]; r++) {
            if (all[r].rc != HS_OK) {
                fail_msg("rank %zu of %zu: %s", r, sizes[i], all[r].text);
            }
            if (want[0] == '\0') {
                memcpy(want, all[r].text, sizeof want);
            }
            assert_string_equal(all[r].text, want);
        }
    }
}

/* The tree over any number of blocks against sums of whole numbers, which have no rounding. */
typedef struct {
    double sum[2], one[1];
} counters;

static int count_task(void *ctx, size_t phase, size_t i, const hs_tile *tile)
{
    counters *c = ctx;
    (void)phase;
    (void)i;
    if (tile->fresh) {
        *c = (counters){{0, 0}, {0}};
    }
    for (size_t r = tile->first; r < tile->first + tile->count; r++) {
        c->sum[0] += (double)r;
        c->sum[1] += (double)(r * r);
        c->one[0] += 1;
    }
    return HS_OK;
}

static int sum_numbers(hs_team *team, char text[404])
{
    int rc = HS_OK;
    text[0] = '\0';
    for (size_t n = 1; n < 400; n = n * 3 / 2 + 1) {
        counters c;
        const hs_rows rows = {n, FEATURES, 1, read_rows, NULL};
        const hs_walk walk = {1, {1}, count_task, &c, 1, NULL, "numbers", NULL};
        const hs_sum sum[] = {{c.sum, 2}, {c.one, 1}};
        HS_TRY(hs_rows_sum(&rows, team, 5, &walk, 2, sum));
        if (c.one[0] != (double)n || c.sum[0] != (double)(n * (n - 1) / 2) ||
            c.sum[1] != (double)((n - 1) * n * (2 * n - 1) / 6)) {
            return hs_fail(HS_EBUG, "%zu rows: %g, %g, %g", n, c.one[0], c.sum[0], c.sum[1]);
        }
    }
out:
    return rc;
}

static void test_tree(void **state)
{
    (void)state;
    team_answer all[TEAM_MOST];
    for (size_t size = 1; size <= TEAM_MOST; size++) {
        run_team(size, sum_numbers, all);
        for (size_t r = 0; r < size; r++) {
            if (all[r].rc != HS_OK) {
                fail_msg("rank %zu of %zu: %s", r, size, all[r].text);
            }
        }
    }
}

/* Fails where the second half of the rows is read. */
static int read_half(void *ctx, size_t first, size_t count, float *out)
{
    return first + count > 4600 ? hs_fail(HS_EIO, "disk gone at row %zu", first) : read_rows(ctx, first, count, out);
}

static int read_nan(void *ctx, size_t first, size_t count, float *out)
{
    int rc = read_rows(ctx, first, count, out);
    for (size_t i = first; i < first + count; i++) {
        if (i == 5000 || i == 8000) {
            out[(i - first) * FEATURES + 11] = NAN;
        }
    }
    return rc;
}

static int fit_of(hs_team *team, int (*read)(void *, size_t, size_t, float *))
{
    const hs_rows rows = {9000, FEATURES, 1, read, NULL};
    hs_pca_options o = HS_PCA_OPTIONS;
    hs_pca *p = NULL;
    o.k = 3;
    o.team = team;
    int rc = hs_pca_fit(&rows, &o, &p);
    hs_pca_free(p);
    return rc;
}

static int fit_half(hs_team *team, char text[404])
{
    (void)text;
    return fit_of(team, read_half);
}

static int fit_nan(hs_team *team, char text[404])
{
    (void)text;
    return fit_of(team, read_nan);
}

static int not_alike(hs_team *team, char text[404])
{
    int rc = hs_team_same(team, "alike", "program");
    (void)text;
    return rc != HS_OK ? rc : hs_team_same(team, team->rank == 2 ? "one" : "other", "program");
}

static void test_one_failure_for_all(void **state)
{
    (void)state;
    static const struct {
        int (*work)(hs_team *, char *);
        int rc;
        const char *text;
    } what[] = {{fit_half, HS_EIO, "disk gone at row"},
                {fit_nan, HS_EDEGENERATE, "row 5000, feature 11"},
                {not_alike, HS_ERANGE, "ranks 0 and 2: not the same program"}};
    team_answer all[TEAM_MOST];
    for (size_t i = 0; i < sizeof what / sizeof *what; i++) {
        run_team(4, what[i].work, all);
        for (size_t r = 0; r < 4; r++) {
            assert_int_equal(all[r].rc, what[i].rc);
            assert_string_equal(all[r].text, all[0].text);
            assert_non_null(strstr(all[r].text, what[i].text));
            assert_true(all[r].agreed);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree),
        cmocka_unit_test(test_same_bits),
        cmocka_unit_test(test_one_failure_for_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
