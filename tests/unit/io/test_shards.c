/* Shards of a store, their index, and one file made of them. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/io/lock.h"
#include "core/io/shards.h"
#include "core/io/store_file.h"
#include "tests/support/store_sample.h"
#include "tests/support/support.h"

const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

/* A folder of a test's own; paths in it. */
static const char *in_folder(const char *folder, const char *name)
{
    static char path[4][512];
    static int turn;
    turn = (turn + 1) % 4;
    mkdir(temp_path(folder), 0777);
    snprintf(path[turn], sizeof path[turn], "%s/%s", temp_path(folder), name);
    return path[turn];
}

/* Makes shard i of N, all but the last `left` units of it; sealed when left is 0. */
static int make_shard(const char *path, const hs_store_spec *whole, size_t i, size_t N, int left)
{
    int rc = HS_OK, sealed = 0;
    hs_arena arena = {0};
    hs_store_spec part;
    hs_store_writer *w = NULL;
    size_t first;
    char *file = NULL;
    HS_TRY(hs_shard_spec(whole, i, N, &arena, &part, &first));
    assert_int_equal(part.sample[0], first);
    HS_TRY(hs_shard_prepare(path, whole, N, 0));
    HS_TRY(hs_shard_path(path, whole, i, N, &file));
    HS_TRY(hs_store_begin(file, &part, 0, &sealed, &w));
    if (!sealed) {
        HS_TRY(sample_fill(w, &part, hs_store_units(w) - (size_t)left));
        HS_TRY(left == 0 ? hs_store_seal(w) : HS_OK);
    }
out:
    hs_store_writer_free(w);
    hs_arena_free(&arena);
    free(file);
    return rc;
}

static void make_all(const char *path, const hs_store_spec *whole, size_t N)
{
    int written = 0;
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(written, 0);
        assert_ok(make_shard(path, whole, N - 1 - i, N, 0));
        assert_ok(hs_shards_finish(path, whole, N, 0, &written));
    }
    assert_int_equal(written, 1);
}

static void content_of(const char *path, char hex[HS_SHA256_HEX])
{
    hs_store_info info;
    assert_ok(hs_store_inspect(path, &info));
    memcpy(hex, info.content_sha256, HS_SHA256_HEX);
    free(info.timestep);
}

/* The units of every shard are those of the whole, each once. */
static void test_ranges(void **state)
{
    (void)state;
    hs_arena arena = {0};
    hs_store_spec whole = sample_spec(23, 3, HS_F32, 0), part;
    for (size_t N = 1; N <= 8; N++) {
        size_t at = 0, first;
        for (size_t i = 0; i < N; i++) {
            assert_ok(hs_shard_spec(&whole, i, N, &arena, &part, &first));
            assert_int_equal(first, at);
            assert_int_equal(first % 3, 0);
            assert_true(part.n > 0 && (part.n % 3 == 0 || i + 1 == N));
            assert_int_equal(part.unit, 3);
            at += part.n;
        }
        assert_int_equal(at, 23);
    }
    size_t first;
    assert_code(hs_shard_spec(&whole, 0, 9, &arena, &part, &first), HS_ERANGE); /* 8 units */
    assert_code(hs_shard_spec(&whole, 4, 4, &arena, &part, &first), HS_ERANGE);
    hs_arena_free(&arena);
}

static void check_same_values(const char *a, const char *b)
{
    hs_store *x = NULL, *y = NULL;
    assert_ok(hs_store_open(a, &x));
    assert_ok(hs_store_open(b, &y));
    size_t n = hs_store_n(x), d = hs_chw_size(hs_store_h(x)), px = hs_chw_size(hs_store_image(x));
    float *v = malloc(n * (d + px) * 3 * sizeof *v), *w = malloc(n * (d + px) * 3 * sizeof *w);
    static const char *const name[] = {"h", "x_T", "x_0", "eps"};
    assert_int_equal(hs_store_n(y), n);
    for (size_t first = 0; first < n; first += 4) {
        size_t count = n - first < 9 ? n - first : 9;
        assert_ok(hs_store_read_h(x, 1, first, count, v));
        assert_ok(hs_store_read_h(y, 1, first, count, w));
        assert_memory_equal(v, w, count * d * sizeof *v);
        for (size_t k = 0; k < 4; k++) {
            size_t row = k == 0 ? 3 * d : (k == 3 ? 3 * px : px);
            assert_ok(hs_store_read(x, name[k], first, count, v));
            assert_ok(hs_store_read(y, name[k], first, count, w));
            assert_memory_equal(v, w, count * row * sizeof *v);
        }
    }
    assert_code(hs_store_read_h(x, 0, n - 1, 2, v), HS_ERANGE);
    assert_string_equal(hs_store_attr(x, "tap"), "mid_block.out");
    assert_null(hs_store_attr(x, "shard"));
    hs_store_close(x);
    hs_store_close(y);
    free(v);
    free(w);
}

/* Both element types, one shard to as many as there are units. */
static void test_same_content(void **state)
{
    (void)state;
    for (int half = 0; half < 2; half++) {
        hs_store_spec whole = sample_spec(11, 2, half ? HS_F16 : HS_F32, 1);
        char want[HS_SHA256_HEX], got[HS_SHA256_HEX], name[32];
        snprintf(name, sizeof name, "whole%d.h5", half);
        char plain[512];
        snprintf(plain, sizeof plain, "%s", in_folder("same", name));
        assert_ok(sample_dump(plain, &whole));
        content_of(plain, want);
        for (size_t N = 2; N <= 6; N += 2) {
            char index[512], merged[520];
            snprintf(name, sizeof name, "i%d-%zu.h5", half, N);
            snprintf(index, sizeof index, "%s", in_folder("same", name));
            snprintf(merged, sizeof merged, "%s.one", index);
            make_all(index, &whole, N);
            content_of(index, got);
            assert_string_equal(got, want);
            check_same_values(index, plain);
            hs_store *s = NULL;
            assert_ok(hs_store_open(index, &s));
            assert_int_equal(hs_store_shards(s), N);
            assert_ok(hs_shards_merge(s, merged, 0, NULL, 0, NULL));
            assert_ok(hs_shards_merge(s, merged, 0, NULL, 0, NULL)); /* already there */
            hs_store_close(s);
            content_of(merged, got);
            assert_string_equal(got, want);
        }
    }
}

/* What is at the place of a store or of its shards stays as it is. */
static void test_other_parameters(void **state)
{
    (void)state;
    char path[512];
    int written = 0;
    snprintf(path, sizeof path, "%s", in_folder("other", "a.h5"));
    hs_store_spec whole = sample_spec(8, 2, HS_F32, 0), more = sample_spec(10, 2, HS_F32, 0);
    assert_ok(make_shard(path, &whole, 0, 2, 0));
    assert_code(make_shard(path, &more, 0, 2, 0), HS_ERANGE);
    assert_non_null(strstr(hs_error_message(), "whole_n is 8 there"));
    assert_code(make_shard(path, &whole, 0, 4, 0), HS_ERANGE);
    assert_non_null(strstr(hs_error_message(), "shards of 2"));
    assert_ok(make_shard(path, &whole, 1, 2, 0));
    assert_ok(hs_shards_finish(path, &whole, 2, 0, &written));
    assert_int_equal(written, 1);
    assert_code(make_shard(path, &more, 0, 2, 0), HS_ERANGE); /* the index is there now */
    assert_code(sample_dump(path, &whole), HS_ERANGE);        /* and is no place for a store */
    snprintf(path, sizeof path, "%s", in_folder("other", "plain.h5"));
    assert_ok(sample_dump(path, &whole));
    assert_code(make_shard(path, &whole, 0, 2, 0), HS_ERANGE);
    assert_code(hs_shards_finish(path, &whole, 2, 0, &written), HS_ERANGE);
}

static void test_sets(void **state)
{
    (void)state;
    char path[512];
    hs_store *s = NULL;
    snprintf(path, sizeof path, "%s", in_folder("sets", "a.h5"));
    hs_store_spec whole = sample_spec(9, 2, HS_F32, 0), other = sample_spec(9, 1, HS_F32, 0);
    char *f[4] = {0};
    for (size_t i = 0; i < 3; i++) {
        assert_ok(make_shard(path, &whole, i, 3, i == 2));
        assert_ok(hs_shard_path(path, &whole, i, 3, &f[i]));
    }
    const char *all[] = {f[2], f[0], f[1]}, *two[] = {f[0], f[1]}, *twice[] = {f[0], f[1], f[1]};
    assert_code(hs_shards_open(3, all, &s), HS_ERANGE);
    assert_non_null(strstr(hs_error_message(), "still being written"));
    assert_ok(make_shard(path, &whole, 2, 3, 0));
    assert_ok(hs_shards_open(3, all, &s));
    hs_store_close(s);
    s = NULL;
    assert_code(hs_shards_open(2, two, &s), HS_ERANGE);
    assert_code(hs_shards_open(3, twice, &s), HS_ERANGE);
    assert_code(hs_shards_open(0, NULL, &s), HS_ERANGE);
    snprintf(path, sizeof path, "%s", in_folder("sets", "b.h5"));
    assert_ok(make_shard(path, &other, 1, 3, 0));
    assert_ok(hs_shard_path(path, &other, 1, 3, &f[3]));
    const char *mixed[] = {f[0], f[3], f[2]};
    assert_code(hs_shards_open(3, mixed, &s), HS_ERANGE);
    assert_ok(sample_dump(path, &whole));
    const char *plain[] = {path};
    assert_code(hs_shards_open(1, plain, &s), HS_ERANGE);
    assert_non_null(strstr(hs_error_message(), "no shard"));
    hs_strings_free(0, NULL);
    for (size_t i = 0; i < 4; i++) {
        free(f[i]);
    }
}

static void test_beside(void **state)
{
    (void)state;
    char path[512], **list = NULL;
    size_t n = 0;
    hs_store_spec whole = sample_spec(8, 2, HS_F32, 0), more = sample_spec(10, 2, HS_F32, 0);
    snprintf(path, sizeof path, "%s", in_folder("beside", "a.h5"));
    assert_code(hs_shards_beside(path, &n, &list), HS_ERANGE);
    make_all(path, &whole, 3);
    assert_ok(hs_shards_beside(path, &n, &list));
    assert_int_equal(n, 3);
    assert_non_null(strstr(list[2], "a.shards/"));
    assert_non_null(strstr(list[2], "-00002-of-00003.h5"));
    hs_strings_free(n, list);
    hs_arena arena = {0};
    hs_store_spec part;
    char *file = NULL;
    assert_ok(hs_shard_prepare(path, &more, 2, 1));
    assert_ok(hs_shard_spec(&more, 0, 2, &arena, &part, &n));
    assert_ok(hs_shard_path(path, &more, 0, 2, &file));
    assert_ok(sample_dump(file, &part));
    assert_code(hs_shards_beside(path, &n, &list), HS_ERANGE);
    hs_arena_free(&arena);
    free(file);
}

/* An index whose shards are gone, not theirs, or said to be elsewhere. */
static void test_refused_index(void **state)
{
    (void)state;
    char path[512], other[512], away[512], bad[512];
    hs_store *s = NULL;
    hs_store_info info;
    hs_store_spec whole = sample_spec(8, 2, HS_F32, 0), more = sample_spec(10, 2, HS_F32, 0);
    char *file = NULL, *theirs = NULL, *params = NULL;
    snprintf(path, sizeof path, "%s", in_folder("refused", "a.h5"));
    snprintf(other, sizeof other, "%s", in_folder("refused", "b.h5"));
    snprintf(bad, sizeof bad, "%s", in_folder("refused", "bad.h5"));
    make_all(path, &whole, 2);
    make_all(other, &more, 2);
    assert_ok(hs_shard_path(path, &whole, 1, 2, &file));
    assert_ok(hs_shard_path(other, &more, 1, 2, &theirs));
    snprintf(away, sizeof away, "%s.away", file);
    assert_int_equal(rename(file, away), 0);
    assert_code(hs_store_open(path, &s), HS_EFORMAT);
    assert_code(hs_store_inspect(path, &info), HS_EFORMAT);
    assert_int_equal(link(theirs, file), 0);
    assert_code(hs_store_open(path, &s), HS_EFORMAT);
    unlink(file);
    assert_int_equal(rename(away, file), 0);
    assert_ok(hs_store_open(path, &s));
    hs_store_close(s);
    s = NULL;
    /* Its own record, but the shards of another. */
    assert_ok(hs_store_params(&more, &params));
    const char *base[2] = {strrchr(file, '/'), NULL};
    char names[2][256];
    snprintf(names[1], sizeof names[1], "a.shards%s", base[0]);
    free(file);
    assert_ok(hs_shard_path(path, &whole, 0, 2, &file));
    snprintf(names[0], sizeof names[0], "a.shards%s", strrchr(file, '/'));
    hs_store_link link_to[2] = {{names[0], 0, 4}, {names[1], 4, 4}};
    assert_ok(hs_store_index_create(bad, &more, params, 2, link_to));
    assert_code(hs_store_open(bad, &s), HS_EFORMAT);
    static const char *const ways_out[] = {"../refused/a.h5",  "/etc/passwd", "a/b/c.h5", ".a.h5", "",
                                           "a.shards/../a.h5", "x/"};
    for (size_t i = 0; i < sizeof ways_out / sizeof *ways_out; i++) {
        link_to[0].name = ways_out[i];
        assert_ok(hs_store_index_create(bad, &more, params, 2, link_to));
        assert_code(hs_store_open(bad, &s), HS_EFORMAT);
        assert_non_null(strstr(hs_error_message(), "outside its folder"));
    }
    link_to[0].name = "bad.h5"; /* itself */
    assert_ok(hs_store_index_create(bad, &more, params, 1, link_to));
    assert_code(hs_store_open(bad, &s), HS_EFORMAT);
    free(file);
    free(theirs);
    free(params);
}

static void test_index_place(void **state)
{
    (void)state;
    char path[512], lock[600];
    int fd = -1, written = 0;
    hs_store *s = NULL;
    hs_store_spec whole = sample_spec(8, 2, HS_F32, 0);
    snprintf(path, sizeof path, "%s", in_folder("place", "a.h5"));
    snprintf(lock, sizeof lock, "%s.lock", path);
    make_all(path, &whole, 2);
    assert_ok(hs_store_open(path, &s));
    assert_code(hs_shards_index(s, in_folder("elsewhere", "a.h5"), 0, NULL, 0), HS_ERANGE);
    unlink(path);
    assert_ok(hs_lock_take(lock, path, &fd));
    assert_code(hs_shards_index(s, path, 0, NULL, 0), HS_ELOCKED);
    assert_ok(hs_shards_finish(path, &whole, 2, 0, &written)); /* the one who holds it writes it */
    assert_int_equal(written, 1);
    hs_lock_drop(lock, fd);
    assert_ok(hs_shards_index(s, path, 0, NULL, 0));
    hs_store_close(s);
    assert_ok(hs_store_open(path, &s));
    hs_store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges),           cmocka_unit_test(test_same_content),
        cmocka_unit_test(test_other_parameters), cmocka_unit_test(test_sets),
        cmocka_unit_test(test_beside),           cmocka_unit_test(test_refused_index),
        cmocka_unit_test(test_index_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
