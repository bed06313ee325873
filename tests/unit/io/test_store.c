/* The activation store: round trips, continuing, refusing, and noticing damage. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/io/crc32c.h"
#include "tests/support/store_sample.h"
#include "tests/support/support.h"

/* HDF5 1.10 itself forgets blocks when it gives up on a damaged file. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

static void test_crc_known_answers(void **state)
{
    (void)state;
    unsigned char zeros[32] = {0}, up[300];
    for (size_t i = 0; i < sizeof up; i++) {
        up[i] = (unsigned char)i;
    }
    /* RFC 3720, appendix B.4 */
    assert_int_equal(hs_crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(hs_crc32c(0, zeros, 32), 0x8a9136aa);
    assert_int_equal(hs_crc32c(0, up, 32), 0x46dd794e);
    for (size_t len = 0; len < sizeof up; len++) {
        assert_int_equal(hs_crc32c(7, up, len), hs_crc32c_table(7, up, len));
        assert_int_equal(hs_crc32c(hs_crc32c(0, up, len), up + len, sizeof up - len), hs_crc32c(0, up, sizeof up));
    }
}

/* Every value of a sealed store, against the function that made it. */
static void check_values(const char *path, const hs_store_spec *s)
{
    hs_store *r = NULL;
    size_t d = hs_chw_size(s->h), px = hs_chw_size(s->image);
    float *v = malloc(s->n * s->S * px * sizeof *v + s->n * s->S * d * sizeof *v);
    assert_ok(hs_store_open(path, &r));
    assert_int_equal(hs_store_n(r), s->n);
    assert_int_equal(hs_store_S(r), 3);
    assert_int_equal(hs_store_h(r).w, 3);
    assert_int_equal(hs_store_timesteps(r)[1], 450);
    assert_true(hs_store_alpha_bar(r)[2] == 1.0 / 3);
    assert_string_equal(hs_store_attr(r, "tap"), "mid_block.out");
    assert_null(hs_store_attr(r, "absent"));
    for (size_t k = 0; k < s->S; k++) {
        assert_ok(hs_store_read_h(r, k, 1, s->n - 1, v));
        for (size_t i = 0; i < (s->n - 1) * d; i++) {
            float want = sample_value(0, 1 + i / d, k * d + i % d);
            uint16_t half;
            hs_f32_to_f16(&want, 1, &half);
            if (s->dtype == HS_F16) {
                hs_f16_to_f32(&half, 1, &want);
            }
            assert_memory_equal(&v[i], &want, 4);
        }
    }
    const char *const name[] = {"", "x_T", "x_0", "eps"};
    for (int p = 1; p < 4; p++) {
        size_t row = p == 3 ? s->S * px : px;
        if (!s->keep_eps) {
            assert_code(hs_store_read(r, name[p], 0, 1, v), HS_ERANGE);
            continue;
        }
        assert_ok(hs_store_read(r, name[p], 0, s->n, v));
        for (size_t i = 0; i < s->n * row; i++) {
            float want = sample_value(p, i / row, i % row);
            assert_memory_equal(&v[i], &want, 4);
        }
    }
    assert_code(hs_store_read_h(r, 3, 0, 1, v), HS_ERANGE);
    assert_code(hs_store_read_h(r, 0, 1, s->n, v), HS_ERANGE);
    free(v);
    hs_store_close(r);
}

static void test_round_trip(void **state)
{
    (void)state;
    const hs_dtype types[] = {HS_F32, HS_F16};
    for (int i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "r%d.h5", i);
        hs_store_spec s = sample_spec(7, 3, types[i % 2], i / 2);
        assert_ok(sample_dump(temp_path(name), &s));
        check_values(temp_path(name), &s);
        char cmd[600];
        snprintf(cmd, sizeof cmd, "/usr/bin/python3 tests/support/check_store.py '%s' %s", temp_path(name),
                 i % 2 == 0 ? "f4" : "f2");
        int status = system(cmd);
        if (status == -1 || WEXITSTATUS(status) == 77 || WEXITSTATUS(status) == 127) {
            printf("SKIP: h5py, xarray, h5netcdf or netCDF4 is absent\n");
        } else {
            assert_int_equal(status, 0);
        }
    }
}

static char *slurp(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    char *p = malloc(1 << 20);
    assert_non_null(f);
    *len = fread(p, 1, 1 << 20, f);
    fclose(f);
    return p;
}

static void spill(const char *path, const char *p, size_t len)
{
    FILE *f = fopen(path, "wb");
    assert_int_equal(fwrite(p, 1, len, f), len);
    fclose(f);
}

static void digest_of(const char *path, char hex[HS_SHA256_HEX])
{
    size_t len = 0;
    char *p = slurp(path, &len);
    assert_ok(hs_sha256_of(p, len, hex));
    free(p);
}

static void test_interrupted_gives_the_same_store(void **state)
{
    (void)state;
    const char *one = temp_path("one.h5"), *two = temp_path("two.h5");
    hs_store_spec s = sample_spec(10, 3, HS_F32, 1);
    hs_store_info a, b;
    hs_store_writer *w = NULL;
    hs_store *r = NULL;
    int sealed = 0;
    assert_ok(sample_dump(one, &s));
    assert_ok(hs_store_begin(two, &s, 0, &sealed, &w));
    assert_int_equal(hs_store_units(w), 4);
    assert_int_equal(hs_store_committed(w), 0);
    assert_ok(sample_put(w, &s, 2));
    assert_code(sample_put(w, &s, 2), HS_ERANGE);
    assert_code(hs_store_seal(w), HS_ERANGE);
    assert_code(hs_store_put(w, 0, (const float[216]){0}, NULL, NULL, NULL), HS_ERANGE);
    assert_ok(hs_store_commit(w));
    assert_int_equal(hs_store_committed(w), 1);
    hs_store_writer_free(w);
    assert_code(hs_store_open(two, &r), HS_ERANGE);
    assert_non_null(strstr(hs_error_message(), "1 of 4 units"));
    assert_ok(hs_store_inspect(two, &b));
    assert_true(!b.sealed && b.units_committed == 1 && b.units_total == 4 && b.content_sha256[0] == '\0');
    free(b.timestep);
    s.info = (const hs_attr[]){{"hostname", "elsewhere"}, {"threads", "16"}, {"command_line", "other"}};
    assert_ok(hs_store_begin(two, &s, 0, &sealed, &w));
    assert_int_equal(hs_store_committed(w), 1);
    assert_true(hs_store_has(w, 2) && !hs_store_has(w, 0));
    assert_ok(sample_fill(w, &s, 2));
    hs_store_writer_free(w);
    assert_ok(sample_dump(two, &s));
    assert_ok(sample_dump(two, &s)); /* sealed: nothing to do */
    assert_ok(hs_store_inspect(one, &a));
    assert_ok(hs_store_inspect(two, &b));
    assert_string_equal(a.content_sha256, b.content_sha256);
    assert_string_equal(a.store_id, b.store_id);
    assert_string_equal(a.tap, "mid_block.out");
    assert_true(a.sealed && a.timestep[2] == 0 && a.n == 10 && a.S == 3);
    free(a.timestep);
    free(b.timestep);
    char left[400];
    snprintf(left, sizeof left, "test \"$(ls '%s'*)\" = '%s'", two, two);
    assert_int_equal(system(left), 0);
}

static void test_bytes_differ_only_in_the_times(void **state)
{
    (void)state;
    size_t na = 0, nb = 0, differ = 0;
    hs_store_spec s = sample_spec(10, 3, HS_F16, 1);
    hs_store_writer *w = NULL;
    int sealed = 0;
    assert_ok(sample_dump(temp_path("b1.h5"), &s));
    assert_ok(hs_store_begin(temp_path("b2.h5"), &s, 0, &sealed, &w));
    assert_ok(sample_fill(w, &s, 1));
    hs_store_writer_free(w);
    sleep(1);
    assert_ok(sample_dump(temp_path("b2.h5"), &s));
    char *a = slurp(temp_path("b1.h5"), &na), *b = slurp(temp_path("b2.h5"), &nb);
    assert_int_equal(na, nb);
    for (size_t i = 0; i < na; i++) {
        differ += a[i] != b[i];
    }
    /* created and finished: two texts of at most 20 bytes, and the checksums of their headers */
    assert_in_range(differ, 1, 20 + 20 + 3 * 4);
    free(a);
    free(b);
}

static void test_other_parameters_leave_the_files_alone(void **state)
{
    (void)state;
    const char *path = temp_path("fixed.h5");
    char journal[300], before[2][HS_SHA256_HEX], after[2][HS_SHA256_HEX];
    int sealed = 0;
    hs_store_writer *w = NULL;
    hs_store_spec s = sample_spec(10, 3, HS_F32, 0), t = s;
    snprintf(journal, sizeof journal, "%s.journal", path);
    assert_ok(hs_store_begin(path, &s, 0, &sealed, &w));
    assert_ok(sample_fill(w, &s, 2));
    hs_store_writer_free(w);
    digest_of(path, before[0]);
    digest_of(journal, before[1]);
    t.attr = (const hs_attr[]){{"tap", "mid_block.in"}, {"model_sha256", "00ff"}, {"note", "two\nlines"}};
    assert_code(hs_store_begin(path, &t, 0, &sealed, &w), HS_ERANGE);
    assert_non_null(strstr(hs_error_message(), "attr.tap is mid_block.out there, mid_block.in here"));
    t = s;
    t.n = 9;
    assert_code(hs_store_begin(path, &t, 0, &sealed, &w), HS_ERANGE);
    assert_non_null(strstr(hs_error_message(), "n is 10 there, 9 here"));
    t = s;
    t.n_attr = 2;
    assert_code(hs_store_begin(path, &t, 0, &sealed, &w), HS_ERANGE);
    t = s;
    t.timestep = (const int[]){900, 451, 0};
    assert_code(hs_store_begin(path, &t, 0, &sealed, &w), HS_ERANGE);
    digest_of(path, after[0]);
    digest_of(journal, after[1]);
    assert_memory_equal(before, after, sizeof before);
    assert_ok(hs_store_begin(path, &t, 1, &sealed, &w)); /* force */
    assert_int_equal(hs_store_committed(w), 0);
    hs_store_writer_free(w);
    t.n = 0;
    assert_code(hs_store_begin(path, &t, 0, &sealed, &w), HS_ERANGE);
    t = s;
    t.dtype = HS_F64;
    assert_code(hs_store_begin(path, &t, 0, &sealed, &w), HS_ERANGE);
    FILE *f = fopen(temp_path("text"), "w");
    fputs("a text", f);
    fclose(f);
    assert_code(hs_store_begin(temp_path("text"), &s, 0, &sealed, &w), HS_ERANGE);
    assert_code(hs_store_begin(temp_path("no/folder.h5"), &s, 0, &sealed, &w), HS_EIO);
}

static void test_two_writers(void **state)
{
    (void)state;
    int sealed = 0;
    hs_store_writer *a = NULL, *b = NULL;
    hs_store_spec s = sample_spec(4, 2, HS_F32, 0);
    assert_ok(hs_store_begin(temp_path("lock.h5"), &s, 0, &sealed, &a));
    assert_code(hs_store_begin(temp_path("lock.h5"), &s, 0, &sealed, &b), HS_ELOCKED);
    assert_ok(sample_fill(a, &s, 1));
    /* A lock lost (a cut-off node, a lock file removed by hand): the older writer stops itself. */
    assert_int_equal(unlink(temp_path("lock.h5.lock")), 0);
    assert_ok(hs_store_begin(temp_path("lock.h5"), &s, 0, &sealed, &b));
    assert_code(hs_store_commit(a), HS_ELOCKED);
    assert_code(hs_store_commit(a), HS_EIO);
    hs_store_writer_free(a);
    assert_ok(sample_fill(b, &s, 2));
    assert_ok(hs_store_seal(b));
    hs_store_writer_free(b);
    check_values(temp_path("lock.h5"), &s);
}

/* Reads all of a store: HS_OK only with every value right. */
static int reads_right(const char *path, const hs_store_spec *s)
{
    hs_store *r = NULL;
    float v[64 * 72];
    int rc = hs_store_open(path, &r);
    for (size_t k = 0; rc == HS_OK && k < s->S; k++) {
        rc = hs_store_read_h(r, k, 0, s->n, v);
        for (size_t i = 0; rc == HS_OK && i < s->n * 24; i++) {
            assert_true(v[i] == sample_value(0, i / 24, k * 24 + i % 24));
        }
    }
    rc = rc == HS_OK ? hs_store_read(r, "x_T", 0, s->n, v) : rc;
    for (size_t i = 0; rc == HS_OK && i < s->n * 75; i++) {
        assert_true(v[i] == sample_value(1, i / 75, i % 75));
    }
    if (rc == HS_OK) {
        assert_true(hs_store_timesteps(r)[0] == 900 && hs_store_alpha_bar(r)[0] == 0.01);
        assert_string_equal(hs_store_attr(r, "tap"), "mid_block.out");
    }
    hs_store_close(r);
    return rc;
}

static void test_cut_off_is_never_wrong_data(void **state)
{
    (void)state;
    size_t len = 0;
    hs_store_spec s = sample_spec(5, 2, HS_F32, 1);
    assert_ok(sample_dump(temp_path("cut.h5"), &s));
    char *p = slurp(temp_path("cut.h5"), &len);
    for (size_t cut = 0; cut < len; cut += 512) {
        spill(temp_path("cut.h5"), p, cut);
        assert_true(reads_right(temp_path("cut.h5"), &s) != HS_OK);
    }
    free(p);
}

static void test_flipped_bits_are_never_wrong_data(void **state)
{
    (void)state;
    size_t len = 0, noticed = 0, data = 0;
    hs_store_spec s = sample_spec(5, 2, HS_F32, 1);
    assert_ok(sample_dump(temp_path("flip.h5"), &s));
    char *p = slurp(temp_path("flip.h5"), &len);
    /* the first value alone, -.5, has three bytes of zeros: a checksum behind a length looks like it now and then */
    const float first[3] = {sample_value(0, 0, 0), sample_value(0, 0, 1), sample_value(0, 0, 2)};
    char *h = memmem(p, len, first, sizeof first);
    assert_non_null(h);
    for (size_t i = 0; i < 300; i++) {
        /* odd: anywhere; even: within h, where it must be noticed */
        size_t bit = i % 2 != 0 ? (i * 104729 * 31) % (8 * len) : 8 * (size_t)(h - p) + i * 7919 % (8 * 5 * 72 * 4);
        p[bit / 8] = (char)(p[bit / 8] ^ (1 << bit % 8));
        spill(temp_path("flip.h5"), p, len);
        int rc = reads_right(temp_path("flip.h5"), &s);
        noticed += rc == HS_ECHECKSUM && i % 2 == 0;
        data += i % 2 == 0;
        if (rc != HS_ECHECKSUM && i % 2 == 0) {
            print_message("bit %zu: code %d, %s\n", bit, rc, rc == HS_OK ? "" : hs_error_message());
        }
        p[bit / 8] = (char)(p[bit / 8] ^ (1 << bit % 8));
    }
    assert_int_equal(noticed, data);
    free(p);
}

static void test_damaged_unit_is_made_again(void **state)
{
    (void)state;
    int sealed = 0;
    size_t len = 0;
    hs_store_writer *w = NULL;
    hs_store_spec s = sample_spec(6, 2, HS_F32, 0);
    const char *path = temp_path("redo.h5");
    assert_ok(hs_store_begin(path, &s, 0, &sealed, &w));
    assert_ok(sample_fill(w, &s, 3));
    assert_ok(hs_store_commit(w));
    char *p = slurp(path, &len);
    float x = sample_value(0, 3, 5);
    char *at = memmem(p, len, &x, 4);
    assert_non_null(at);
    FILE *f = fopen(path, "r+b");
    fseek(f, at - p, SEEK_SET);
    fputc(*at ^ 16, f);
    fclose(f);
    free(p);
    assert_code(hs_store_seal(w), HS_ECHECKSUM);
    assert_non_null(strstr(hs_error_message(), "sample 3"));
    hs_store_writer_free(w);
    assert_ok(hs_store_begin(path, &s, 0, &sealed, &w));
    assert_int_equal(hs_store_committed(w), 2);
    assert_int_equal(hs_store_has(w, 1), 0);
    hs_store_writer_free(w);
    assert_ok(sample_dump(path, &s));
    check_values(path, &s);
}

static void test_journal_cut_or_flipped_loses_units_only(void **state)
{
    (void)state;
    int sealed = 0;
    size_t len = 0, jlen = 0;
    hs_store_writer *w = NULL;
    hs_store_spec s = sample_spec(4, 1, HS_F32, 0);
    char path[256], journal[300];
    snprintf(path, sizeof path, "%s", temp_path("journal.h5"));
    snprintf(journal, sizeof journal, "%s.journal", path);
    assert_ok(hs_store_begin(path, &s, 0, &sealed, &w));
    assert_ok(sample_fill(w, &s, 3));
    hs_store_writer_free(w);
    char *p = slurp(path, &len), *j = slurp(journal, &jlen);
    assert_int_equal(jlen, 512 + 3 * 64);
    for (size_t i = 0; i < 40; i++) {
        size_t at = i < 20 ? i * 36 % jlen : 512 + (i - 20) * 9;
        char kept = j[at];
        j[at] = (char)(kept ^ (i < 20 ? 0 : 64));
        spill(path, p, len);
        spill(journal, j, i < 20 ? at : jlen);
        j[at] = kept;
        assert_ok(hs_store_begin(path, &s, 0, &sealed, &w));
        assert_true(hs_store_committed(w) < 3);
        hs_store_writer_free(w);
        assert_ok(sample_dump(path, &s));
        check_values(path, &s);
    }
    free(p);
    free(j);
}

static void test_what_is_no_store(void **state)
{
    (void)state;
    hs_store *r = NULL;
    hs_store_info i;
    FILE *f = fopen(temp_path("none.h5"), "w");
    fputs("not a store", f);
    fclose(f);
    assert_code(hs_store_open(temp_path("none.h5"), &r), HS_EFORMAT);
    assert_code(hs_store_inspect(temp_path("none.h5"), &i), HS_EFORMAT);
    assert_code(hs_store_open(temp_path("absent.h5"), &r), HS_EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc_known_answers),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_interrupted_gives_the_same_store),
        cmocka_unit_test(test_bytes_differ_only_in_the_times),
        cmocka_unit_test(test_other_parameters_leave_the_files_alone),
        cmocka_unit_test(test_two_writers),
        cmocka_unit_test(test_cut_off_is_never_wrong_data),
        cmocka_unit_test(test_flipped_bits_are_never_wrong_data),
        cmocka_unit_test(test_damaged_unit_is_made_again),
        cmocka_unit_test(test_journal_cut_or_flipped_loses_units_only),
        cmocka_unit_test(test_what_is_no_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
