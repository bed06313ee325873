/* core/io/csv: tables of text, what is read of well-formed ones and what is said of the others. */
#include <stdlib.h>
#include <string.h>

#include "core/io/csv.h"
#include "core/io/file.h"
#include "tests/support/support.h"

static const char *write_text(const char *text, size_t len)
{
    const char *path = temp_path("t.csv");
    assert_ok(hs_file_write_atomic(path, text, len, 1));
    return path;
}

static void cells_are_read(void **state)
{
    const char *text = "who,age,\"a \"\"b\"\", c\"\r\nann,1,\n\n\"bo, b\",2e0,\"\"\nc\"d,-3,x\"";
    hs_csv t;
    size_t c = 9;
    (void)state;
    assert_ok(hs_csv_read(write_text(text, strlen(text)), &t));
    assert_int_equal(t.cells, 3);
    assert_int_equal(t.n, 3);
    assert_string_equal(t.head[2], "a \"b\", c");
    const char *want[3][3] = {{"ann", "1", ""}, {"bo, b", "2e0", ""}, {"c\"d", "-3", "x\""}};
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < 3; k++) {
            assert_string_equal(hs_csv_cell(t.row[i], k), want[i][k]);
        }
    }
    assert_ok(hs_csv_column(&t, "age", &c));
    assert_int_equal(c, 1);
    assert_code(hs_csv_column(&t, "hat", &c), HS_EFORMAT);
    assert_int_equal(c, 1);
    hs_csv_free(&t);
    hs_csv_free(NULL);
}

static void malformed_tables_are_refused(void **state)
{
    static const char *const bad[][2] = {
        {"", "empty"},
        {"file\na\n", "header of 1 columns"},
        {"\nfile,age\na,1\n", "header of 1 columns"},
        {"file,age,age\na,1,2\n", "column \"age\" twice"},
        {"file,age\na,1\n\nb\n", ":4: 1 columns; wanted 2"},
        {"file,age\na,1,2\n", ":2: 3 columns; wanted 2"},
        {"file,age\n\"a,1\n", ":2: 1 columns and an open quotation mark"},
        {"file,\"age\n", "a quotation mark without its fellow"},
    };
    hs_csv t = {0};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_code(hs_csv_read(write_text(bad[i][0], strlen(bad[i][0])), &t), HS_EFORMAT);
        if (strstr(hs_error_message(), bad[i][1]) == NULL) {
            fail_msg("%s; wanted %s", hs_error_message(), bad[i][1]);
        }
        assert_null(t.row);
    }
    assert_code(hs_csv_read(write_text("a,b\n\0,1\n", 8), &t), HS_EFORMAT);
    assert_code(hs_csv_read(temp_path("none.csv"), &t), HS_EIO);
}

static void too_many_columns_are_refused(void **state)
{
    char *text = malloc(HS_CSV_CELLS_MAX + 2);
    hs_csv t = {0};
    (void)state;
    memset(text, ',', HS_CSV_CELLS_MAX);
    memcpy(text + HS_CSV_CELLS_MAX, "\n", 2);
    assert_code(hs_csv_read(write_text(text, HS_CSV_CELLS_MAX + 1), &t), HS_EFORMAT);
    assert_non_null(strstr(hs_error_message(), "header of 1025 columns"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_are_read),
        cmocka_unit_test(malformed_tables_are_refused),
        cmocka_unit_test(too_many_columns_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
