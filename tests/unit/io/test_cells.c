/* core/io/cells: rows that survive, and nothing else that is taken for one. */
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/io/cells.h"
#include "core/io/file.h"
#include "tests/support/support.h"

static const char *const plan = "images 4\nlevels 0.1,1\n";
enum { ROWS = 4, WIDE = 3 };

static void row_of(size_t i, double row[WIDE])
{
    for (size_t k = 0; k < WIDE; k++) {
        row[k] = k == 1 ? NAN : (double)i + 0.1 * (double)k;
    }
}

static void fill(const char *path)
{
    hs_cells *c;
    double row[WIDE];
    unlink(path);
    assert_ok(hs_cells_open(path, plan, 0, &c));
    for (size_t i = 0; i < ROWS; i++) {
        row_of(i, row);
        assert_ok(hs_cells_put(c, 7, i, WIDE, row));
    }
    hs_cells_close(c, 0);
}

/* The rows that are there are the first ones, each as it was put. */
static size_t check_rows(hs_cells *c)
{
    double row[WIDE], wanted[WIDE];
    size_t n = hs_cells_count(c);
    int found;
    assert_true(n <= ROWS);
    for (size_t i = 0; i < ROWS; i++) {
        row_of(i, wanted);
        assert_ok(hs_cells_get(c, 7, i, WIDE, row, &found));
        assert_int_equal(found, i < n);
        if (found) {
            assert_memory_equal(row, wanted, sizeof row);
        }
    }
    return n;
}

static void test_again(void **state)
{
    (void)state;
    char *path = strdup(temp_path("a.journal"));
    hs_cells *c;
    double row[WIDE];
    int found;
    fill(path);
    assert_ok(hs_cells_open(path, plan, 0, &c));
    assert_int_equal(check_rows(c), ROWS);
    assert_ok(hs_cells_get(c, 6, 0, WIDE, row, &found)); /* another kind, key, length */
    assert_false(found);
    assert_ok(hs_cells_get(c, 7, ROWS, WIDE, row, &found));
    assert_false(found);
    assert_ok(hs_cells_get(c, 7, 0, WIDE - 1, row, &found));
    assert_false(found);
    row_of(2, row);
    assert_ok(hs_cells_put(c, 7, ROWS, WIDE, row)); /* goes on */
    assert_ok(hs_cells_get(c, 7, ROWS, WIDE, row, &found));
    assert_true(found && row[0] == 2);
    hs_cells_close(c, 1);
    assert_int_equal(access(path, F_OK), -1);
    hs_cells_close(NULL, 1);
    free(path);
}

static void write_bytes(const char *path, const unsigned char *bytes, size_t n)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0666);
    assert_true(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
    close(fd);
}

/* Cut off at every byte: the rows before are there, and a row can be added. */
static void test_torn(void **state)
{
    (void)state;
    char *path = strdup(temp_path("b.journal"));
    unsigned char *bytes;
    size_t len, last = 0;
    fill(path);
    assert_ok(hs_file_read(path, 1 << 20, &bytes, &len));
    for (size_t cut = 0; cut <= len; cut++) {
        hs_cells *c;
        double row[WIDE] = {9, 9, 9};
        write_bytes(path, bytes, cut);
        assert_ok(hs_cells_open(path, plan, 0, &c));
        size_t n = check_rows(c);
        assert_true(n >= last);
        last = n;
        assert_ok(hs_cells_put(c, 8, 0, WIDE, row));
        hs_cells_close(c, 0);
        assert_ok(hs_cells_open(path, plan, 0, &c));
        assert_int_equal(hs_cells_count(c), n + 1);
        hs_cells_close(c, 0);
    }
    assert_int_equal(last, ROWS);
    free(bytes);
    free(path);
}

/* Any bit turned: never a row that was not put; at most it is no file of cells any more. */
static void test_flips(void **state)
{
    (void)state;
    char *path = strdup(temp_path("c.journal"));
    unsigned char *bytes;
    size_t len, kept = 0;
    fill(path);
    assert_ok(hs_file_read(path, 1 << 20, &bytes, &len));
    for (size_t bit = 0; bit < 8 * len; bit++) {
        hs_cells *c;
        bytes[bit / 8] = (unsigned char)(bytes[bit / 8] ^ 1U << bit % 8);
        write_bytes(path, bytes, len);
        int rc = hs_cells_open(path, plan, 0, &c);
        assert_true(rc == (bit < 64 ? HS_ERANGE : HS_OK));
        if (rc == HS_OK) {
            size_t n = check_rows(c);
            assert_true(n < ROWS);
            kept += n;
            hs_cells_close(c, 0);
        }
        bytes[bit / 8] = (unsigned char)(bytes[bit / 8] ^ 1U << bit % 8);
    }
    assert_true(kept > 0);
    free(bytes);
    free(path);
}

static void test_refused(void **state)
{
    (void)state;
    char *path = strdup(temp_path("d.journal"));
    unsigned char *before, *after;
    size_t n, m;
    hs_cells *c, *other;
    double row[WIDE];
    int found;
    fill(path);
    assert_ok(hs_file_read(path, 1 << 20, &before, &n));
    assert_code(hs_cells_open(path, "images 4\nlevels 0.2,1\n", 0, &c), HS_ERANGE);
    assert_non_null(strstr(hs_error_message(), "levels 0.1,1 there, levels 0.2,1 here"));
    assert_code(hs_cells_open(path, "images 4\n", 0, &c), HS_ERANGE);
    assert_non_null(strstr(hs_error_message(), "levels 0.1,1 there, nothing here"));
    assert_ok(hs_file_read(path, 1 << 20, &after, &m));
    assert_true(n == m && memcmp(before, after, n) == 0);
    assert_ok(hs_cells_open(path, plan, 1, &c)); /* force keeps what is of the same plan */
    assert_int_equal(hs_cells_count(c), ROWS);
    assert_code(hs_cells_open(path, plan, 0, &other), HS_ELOCKED);
    after[n - 1] ^= 1;
    write_bytes(path, after, n);
    assert_code(hs_cells_get(c, 7, ROWS - 1, WIDE, row, &found), HS_ECHECKSUM);
    hs_cells_close(c, 0);
    assert_ok(hs_cells_open(path, "images 5\n", 1, &c));
    assert_int_equal(hs_cells_count(c), 0);
    hs_cells_close(c, 0);
    write_bytes(path, (const unsigned char *)"HSCELLT", 7);
    assert_code(hs_cells_open(path, plan, 0, &c), HS_ERANGE);
    assert_ok(hs_cells_open(path, plan, 1, &c));
    hs_cells_close(c, 1);
    assert_code(hs_cells_open(temp_path("none/e.journal"), plan, 0, &c), HS_EIO);
    free(before);
    free(after);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_again), cmocka_unit_test(test_torn),
                                       cmocka_unit_test(test_flips), cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
