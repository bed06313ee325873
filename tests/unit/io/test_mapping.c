/* core/io/mapping and mapped tensors: the same values as read ones, and changes of the file are seen. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/io/mapping.h"
#include "core/io/npy.h"
#include "core/io/safetensors.h"
#include "core/io/tensors.h"
#include "tests/support/support.h"

enum { N = 300000 }; /* floats: more than HS_MAP_MIN bytes */

static float value[N];

static char *keep(const char *name)
{
    return strdup(temp_path(name));
}

static void write_weights(const char *path, size_t n)
{
    hs_tensor t = {.name = "w", .dtype = HS_F32, .rank = 1, .dim = {n}, .bytes = (const unsigned char *)value};
    for (size_t i = 0; i < N; i++) {
        value[i] = (float)i * 0.5f;
    }
    assert_ok(hs_safetensors_write(path, 1, &t, 0, NULL, 1));
}

static hs_tensors *mapped(const char *path)
{
    hs_tensors *ts = NULL;
    assert_ok(hs_tensors_map(path, &ts));
    assert_ok(hs_tensors_check(ts));
    return ts;
}

static void has_values(const hs_tensors *ts, const char *name, size_t n)
{
    const hs_tensor *t = hs_tensors_find(ts, name);
    assert_non_null(t);
    assert_int_equal(t->count, n);
    assert_memory_equal(t->bytes, value, n * sizeof *value);
}

/* Writes one byte where it already stands, a second "later". */
static void touch_inside(const char *path)
{
    struct timespec later[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1}};
    unsigned char b;
    int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, &b, 1, 1000), 1);
    assert_int_equal(pwrite(fd, &b, 1, 1000), 1);
    assert_int_equal(futimens(fd, later), 0);
    close(fd);
}

static void test_same_as_read(void **state)
{
    (void)state;
    char *path = keep("w.safetensors"), *npy = keep("w.npy"), *npz = keep("w.npz");
    const uint64_t dim[1] = {N};
    const char *name[1] = {"w"};
    hs_tensor t = {.name = "w", .dtype = HS_F32, .rank = 1, .dim = {N}, .bytes = (const unsigned char *)value};
    write_weights(path, N);
    assert_ok(hs_npy_write_f32(npy, 1, dim, value, 0));
    assert_ok(hs_npz_write(npz, 1, name, &t, 0));
    hs_tensors *a = mapped(path), *b = mapped(npy), *c = mapped(npz);
    for (int pass = 0; pass < 2; pass++) {
        has_values(a, "w", N);
        has_values(b, "array", N);
        has_values(c, "w", N);
        hs_tensors_drop(a);
        hs_tensors_drop(b);
        hs_tensors_drop(c);
    }
    hs_tensors_free(a);
    hs_tensors_free(b);
    hs_tensors_free(c);
    free(path);
    free(npy);
    free(npz);
}

static void test_shards_are_mapped(void **state)
{
    (void)state;
    const char *json = "{\"weight_map\":{\"w\":\"m-1.safetensors\"}}";
    char *shard = keep("m-1.safetensors"), *index = keep("m.safetensors.index.json");
    write_weights(shard, N);
    assert_ok(hs_file_write_atomic(index, json, strlen(json), 0));
    hs_tensors *ts = mapped(index);
    has_values(ts, "w", N);
    touch_inside(shard);
    assert_code(hs_tensors_check(ts), HS_EIO);
    hs_tensors_free(ts);
    free(shard);
    free(index);
}

/* ST61 */
static void test_changes_are_seen(void **state)
{
    (void)state;
    char *path = keep("change.safetensors");
    write_weights(path, N);
    hs_tensors *ts = mapped(path);
    touch_inside(path);
    assert_code(hs_tensors_check(ts), HS_EIO);
    assert_non_null(strstr(hs_error_message(), "changed"));
    hs_tensors_free(ts);
    ts = mapped(path);
    assert_int_equal(truncate(path, 5000), 0);
    assert_code(hs_tensors_check(ts), HS_EIO);
    hs_tensors_free(ts);
    free(path);
}

static void test_replacing_does_no_harm(void **state)
{
    (void)state;
    char *path = keep("replace.safetensors");
    write_weights(path, N);
    hs_tensors *ts = mapped(path);
    assert_ok(hs_file_write_atomic(path, "x", 1, 1));
    assert_ok(hs_tensors_check(ts));
    hs_tensors_drop(ts);
    has_values(ts, "w", N);
    hs_tensors_free(ts);
    free(path);
}

/* Read files, and small ones, which aren't mapped, don't care. */
static void test_what_is_read_is_kept(void **state)
{
    (void)state;
    char *path = keep("kept.safetensors");
    hs_tensors *ts = NULL;
    write_weights(path, N);
    assert_ok(hs_tensors_open(path, &ts));
    assert_int_equal(truncate(path, 0), 0);
    assert_ok(hs_tensors_check(ts));
    has_values(ts, "w", N);
    hs_tensors_free(ts);
    write_weights(path, 100);
    ts = mapped(path);
    assert_int_equal(truncate(path, 0), 0);
    assert_ok(hs_tensors_check(ts));
    has_values(ts, "w", 100);
    hs_tensors_free(ts);
    assert_ok(hs_tensors_check(NULL));
    hs_tensors_drop(NULL);
    free(path);
}

/* Bytes of [at, at + len) that this process has at hand. */
static size_t at_hand(const unsigned char *at, size_t len)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), found = 0;
    int fd = open("/proc/self/pagemap", O_RDONLY);
    assert_true(fd >= 0);
    for (size_t i = (uintptr_t)at / page; i <= ((uintptr_t)at + len - 1) / page; i++) {
        uint64_t entry = 0;
        assert_int_equal(pread(fd, &entry, sizeof entry, (off_t)(i * sizeof entry)), sizeof entry);
        found += entry >> 63 != 0 ? page : 0;
    }
    close(fd);
    return found;
}

/* What the system was asked to forget comes from the file, into room or not, and is the same. */
static void lend_cold(const hs_tensors *ts, const hs_tensor *t, const char *path, const float *v)
{
    float room[1000];
    const unsigned char *at;
    int fd = open(path, O_RDONLY);
    assert_int_equal(fsync(fd), 0);
    assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    close(fd);
    for (size_t i = 0; i + 1000 <= t->count; i += 1000000) {
        assert_ok(hs_tensors_lend(ts, t, i * sizeof *v, sizeof room, room, &at));
        assert_true(at == (const unsigned char *)room || at == t->bytes + i * sizeof *v);
        assert_memory_equal(at, v + i, sizeof room);
    }
}

/* 12 MiB in pieces that end nowhere in particular: what is dropped leaves memory, and is the same when it comes again.
 */
static void test_parts(void **state)
{
    (void)state;
    enum { ALL = 3 << 20, PIECE = 500001 };
    char *path = keep("parts.npy");
    float *v = calloc(ALL, sizeof *v);
    const uint64_t dim[1] = {ALL};
    assert_non_null(v);
    for (size_t i = 0; i < ALL; i++) {
        v[i] = (float)i;
    }
    assert_ok(hs_npy_write_f32(path, 1, dim, v, 0));
    hs_tensors *ts = mapped(path);
    const hs_tensor *t = hs_tensors_at(ts, 0);
    size_t bytes = ALL * sizeof *v;
    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < ALL; i += PIECE) {
            size_t n = ALL - i < PIECE ? ALL - i : PIECE;
            const unsigned char *at;
            assert_ok(hs_tensors_lend(ts, t, i * sizeof *v, n * sizeof *v, NULL, &at));
            assert_ptr_equal(at, t->bytes + i * sizeof *v);
            assert_memory_equal(at, v + i, n * sizeof *v);
        }
        assert_true(at_hand(t->bytes, bytes) >= bytes);
        for (size_t i = 0; i < ALL; i += PIECE) {
            size_t n = ALL - i < PIECE ? ALL - i : PIECE;
            hs_tensors_drop_part(ts, t, i * sizeof *v, n * sizeof *v);
        }
        assert_true(at_hand(t->bytes, bytes) <= 2 << 20); /* the last window */
        assert_memory_equal(t->bytes, v, bytes);
    }
    hs_tensors_drop_part(ts, t, 0, 0);
    hs_tensors_drop(ts);
    lend_cold(ts, t, path, v);
    hs_tensors_free(ts);
    free(path);
    free(v);
}

/* Of what isn't mapped, nothing happens. */
static void test_parts_of_small_files(void **state)
{
    (void)state;
    char *path = keep("small.safetensors");
    write_weights(path, 100);
    hs_tensors *ts = mapped(path);
    const unsigned char *at;
    assert_ok(hs_tensors_lend(ts, hs_tensors_at(ts, 0), 40, 360, NULL, &at));
    assert_ptr_equal(at, hs_tensors_at(ts, 0)->bytes + 40);
    hs_tensors_drop_part(ts, hs_tensors_at(ts, 0), 0, 400);
    has_values(ts, "w", 100);
    hs_tensors_free(ts);
    free(path);
}

static void test_what_cannot_be_mapped(void **state)
{
    (void)state;
    char *path = keep("odd");
    hs_file f;
    hs_mapping m = {0};
    hs_tensors *ts = NULL;
    assert_ok(hs_file_write_atomic(path, "", 0, 0));
    assert_ok(hs_file_open(path, &f));
    assert_code(hs_mapping_open(&f, path, &m), HS_ERANGE);
    hs_file_close(&f);
    write_weights(path, N);
    assert_ok(hs_file_open(path, &f));
    assert_int_equal(truncate(path, 100), 0);
    assert_code(hs_mapping_open(&f, path, &m), HS_EIO);
    hs_file_close(&f);
    assert_int_equal(truncate(path, (off_t)1 << 42), 0); /* sparse */
    assert_ok(hs_file_open(path, &f));
    assert_code(hs_mapping_open(&f, path, &m), HS_ELIMIT);
    hs_file_close(&f);
    assert_null(m.bytes);
    hs_mapping_close(&m);
    write_weights(path, N);
    assert_int_equal(truncate(path, (4 * N) / 2 * 2), 0); /* the header announces more */
    assert_code(hs_tensors_map(path, &ts), HS_EFORMAT);
    assert_memory_equal(hs_error_message(), path, strlen(path));
    assert_code(hs_tensors_map(temp_path("absent"), &ts), HS_EIO);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_as_read),         cmocka_unit_test(test_shards_are_mapped),
        cmocka_unit_test(test_changes_are_seen),     cmocka_unit_test(test_replacing_does_no_harm),
        cmocka_unit_test(test_what_is_read_is_kept), cmocka_unit_test(test_parts),
        cmocka_unit_test(test_parts_of_small_files), cmocka_unit_test(test_what_cannot_be_mapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
