/* A configuration written as JSON and read back says the same. */
#include <string.h>

#include "core/model/arch_write.h"
#include "tests/support/support.h"

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

static void round_trip(const hs_unet_config *c)
{
    hs_str first = {0}, second = {0};
    hs_unet_config back;
    const char *path = temp_path("arch.json");
    assert_ok(hs_arch_write(c, &first));
    write_file(path, first.s);
    assert_ok(hs_arch_read(path, NULL, &back));
    assert_ok(hs_arch_write(&back, &second));
    assert_string_equal(first.s, second.s);
    hs_unet_config_free(&back);
    hs_str_free(&first);
    hs_str_free(&second);
}

static void test_builtin_architectures(void **state)
{
    (void)state;
    assert_true(hs_arch_count() >= 4);
    for (size_t i = 0; i < hs_arch_count(); i++) {
        hs_unet_config c;
        assert_ok(hs_arch_builtin(hs_arch_name(i), &c));
        round_trip(&c);
        hs_unet_config_free(&c);
    }
}

static void test_schedule_table(void **state)
{
    (void)state;
    hs_unet_config c;
    static const double beta[4] = {0.1, 0.2, 0.30000000000000004, 0.4};
    assert_ok(hs_arch_builtin("tiny", &c));
    c.schedule = (hs_schedule_spec){.kind = HS_SCHEDULE_TABLE, .T = 4, .table = beta};
    round_trip(&c);
    hs_unet_config_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_builtin_architectures),
        cmocka_unit_test(test_schedule_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
