/* ST61 to the end: weights in use are cut short between the check and the touch.  The program ends with
 * exit code 5 and one line, not by a signal. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "analysis/cli/internal.h"
#include "core/io/safetensors.h"
#include "tests/support/support.h"

enum { N = 300000 };

static float value[N];

/* In the child: reads the last mapped value after the file has lost it; 0 if that went well. */
static int read_lost_value(const char *path)
{
    hs_tensors *ts = NULL;
    hs_signals_install();
    if (hs_tensors_map(path, &ts) != HS_OK || hs_tensors_check(ts) != HS_OK || truncate(path, 4096) != 0) {
        return 99;
    }
    volatile unsigned char last = hs_tensors_at(ts, 0)->bytes[4 * N - 1];
    (void)last;
    return 0;
}

static void test_exit_code(void **state)
{
    (void)state;
    hs_tensor t = {.name = "w", .dtype = HS_F32, .rank = 1, .dim = {N}, .bytes = (const unsigned char *)value};
    char *path = strdup(temp_path("cut.safetensors")), line[200] = "";
    int said[2], status = 0;
    assert_ok(hs_safetensors_write(path, 1, &t, 0, NULL, 0));
    assert_int_equal(pipe(said), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(said[1], STDERR_FILENO);
        _exit(read_lost_value(path));
    }
    close(said[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    ssize_t n = read(said[0], line, sizeof line - 1);
    close(said[0]);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 5);
    assert_true(n > 0);
    assert_memory_equal(line, "hspace: ", 8);
    assert_ptr_equal(strchr(line, '\n'), line + n - 1);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_exit_code)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
