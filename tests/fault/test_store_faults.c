/* The store under faults: killed at random times and at each system call, two writers, no room,
 * failing system calls.  After each fault the same dump must finish with the content of an uninterrupted one, no
 * committed unit may be lost, and the file must open at any instant.
 *
 * HSPACE_FAULT_KILLS sets the number of random kills (30), HSPACE_FAULT_SEED the seed. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/rng.h"
#include "tests/support/store_sample.h"
#include "tests/support/support.h"

static const char *self;
static uint64_t drawn;

static uint32_t draw(uint32_t bound)
{
    const char *seed = getenv("HSPACE_FAULT_SEED");
    return hs_rng_below((hs_rng){seed != NULL ? strtoull(seed, NULL, 10) : 1, HS_RNG_TEST, 77}, drawn++, bound);
}

/* A dump that commits each unit, pauses up to `pause` us, and reports each committed unit by a byte on fd. */
static int slow_dump(const char *path, unsigned pause, int fd)
{
    hs_store_spec s = sample_spec(20, 1, HS_F32, 1);
    hs_store_writer *w = NULL;
    int sealed = 0, rc = hs_store_begin(path, &s, 0, &sealed, &w);
    for (size_t u = 0; rc == HS_OK && !sealed && u < hs_store_units(w); u++) {
        if (hs_store_has(w, u)) {
            continue;
        }
        rc = sample_put(w, &s, u);
        rc = rc == HS_OK ? hs_store_commit(w) : rc;
        if (rc == HS_OK && fd >= 0 && write(fd, "c", 1) != 1) {
            rc = HS_EBUG;
        }
        if (pause > 0) {
            usleep(draw(pause));
        }
    }
    rc = rc == HS_OK && !sealed ? hs_store_seal(w) : rc;
    hs_store_writer_free(w);
    return rc;
}

static void content(const char *path, char hex[HS_SHA256_HEX])
{
    hs_store_info i;
    assert_ok(hs_store_inspect(path, &i));
    assert_true(i.sealed);
    memcpy(hex, i.content_sha256, HS_SHA256_HEX);
    free(i.timestep);
}

static void remove_store(const char *path)
{
    static const char *const suffix[] = {"", ".journal", ".lock", ".tmp", ".tmp.seal", ".seal"};
    for (size_t i = 0; i < sizeof suffix / sizeof suffix[0]; i++) {
        char name[400];
        snprintf(name, sizeof name, "%s%s", path, suffix[i]);
        unlink(name);
    }
}

static const char *reference(void)
{
    static char hex[HS_SHA256_HEX];
    if (hex[0] == '\0') {
        assert_ok(slow_dump(temp_path("reference.h5"), 0, -1));
        content(temp_path("reference.h5"), hex);
    }
    return hex;
}

/* Kills a dump after `us`; returns 1 when it was killed, 0 when it finished.  *acked grows by the units it reported. */
static int kill_one(const char *path, unsigned us, size_t *acked)
{
    int fd[2], status = 0;
    char c;
    assert_int_equal(pipe(fd), 0);
    drawn += 1000;
    pid_t pid = fork();
    if (pid == 0) {
        close(fd[0]);
        int rc = slow_dump(path, 1500, fd[1]);
        if (rc != HS_OK) {
            printf("%d: %s\n", rc, hs_error_message());
            fflush(stdout);
        }
        _exit(hs_exit_code(rc));
    }
    close(fd[1]);
    usleep(us);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    while (read(fd[0], &c, 1) == 1) {
        *acked += 1;
    }
    close(fd[0]);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return WIFSIGNALED(status);
}

static void test_killed_at_random_times(void **state)
{
    (void)state;
    const char *wanted = getenv("HSPACE_FAULT_KILLS"), *path = temp_path("killed.h5");
    long kills = 0, most = wanted != NULL ? strtol(wanted, NULL, 10) : 30, finished = 0, lost = 0;
    size_t acked = 0;
    char hex[HS_SHA256_HEX];
    const char *ref = reference();
    while (kills < most) {
        hs_store_info i = {0};
        int killed = kill_one(path, 2000 + draw(150000), &acked);
        kills += killed;
        if (access(path, F_OK) != 0) {
            assert_int_equal(acked, 0);
            continue;
        }
        assert_ok(hs_store_inspect(path, &i));
        free(i.timestep);
        lost += i.units_committed < acked;
        if (i.sealed) {
            assert_ok(slow_dump(path, 0, -1));
            content(path, hex);
            assert_string_equal(hex, ref);
            remove_store(path);
            acked = 0;
            finished++;
        }
    }
    assert_ok(slow_dump(path, 0, -1));
    content(path, hex);
    assert_string_equal(hex, ref);
    printf("random kills: %ld, dumps finished: %ld, committed units lost: %ld\n", kills, finished + 1, lost);
    assert_int_equal(lost, 0);
}

static void test_eight_writers_at_once(void **state)
{
    (void)state;
    const char *path = temp_path("eight.h5");
    int fd[2], status = 0, locked = 0;
    assert_int_equal(pipe(fd), 0);
    for (int k = 0; k < 8; k++) {
        if (fork() == 0) {
            hs_store_spec s = sample_spec(20, 1, HS_F32, 1);
            hs_store_writer *w = NULL;
            int sealed = 0, rc = hs_store_begin(path, &s, 0, &sealed, &w);
            char c;
            close(fd[1]);
            if (rc == HS_OK && read(fd[0], &c, 1) == 0) {
                rc = sample_fill(w, &s, SIZE_MAX);
                rc = rc == HS_OK ? hs_store_seal(w) : rc;
            }
            hs_store_writer_free(w);
            _exit(hs_exit_code(rc));
        }
    }
    for (int k = 0; k < 7; k++) {
        assert_true(wait(&status) > 0);
        locked += WIFEXITED(status) && WEXITSTATUS(status) == 8;
    }
    assert_int_equal(locked, 7);
    close(fd[1]);
    close(fd[0]);
    assert_true(wait(&status) > 0);
    assert_int_equal(WEXITSTATUS(status), 0);
    char hex[HS_SHA256_HEX];
    content(path, hex);
    assert_string_equal(hex, reference());
}

static size_t files_in(const char *folder)
{
    size_t n = 0;
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        n += e->d_name[0] != '.';
    }
    closedir(d);
    return n;
}

static void test_file_size_limit(void **state)
{
    (void)state;
    char folder[256], path[300], hex[HS_SHA256_HEX];
    int status = 0;
    snprintf(folder, sizeof folder, "%s", temp_path("limit"));
    snprintf(path, sizeof path, "%s/a.h5", folder);
    char cmd[300];
    snprintf(cmd, sizeof cmd, "mkdir '%s'", folder);
    assert_int_equal(system(cmd), 0);
    for (rlim_t size = 0; size <= 98304; size += 8192) {
        pid_t pid = fork();
        if (pid == 0) {
            const struct rlimit r = {size, RLIM_INFINITY};
            setrlimit(RLIMIT_FSIZE, &r);
            _exit(hs_exit_code(slow_dump(path, 0, -1)));
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == 0) {
            break;
        }
        assert_int_equal(WEXITSTATUS(status), 5);
        assert_int_equal(files_in(folder), 0);
    }
    assert_ok(slow_dump(path, 0, -1));
    content(path, hex);
    assert_string_equal(hex, reference());
}

static void test_full_disk(void **state)
{
    (void)state;
    char folder[256], path[300], cmd[700], hex[HS_SHA256_HEX];
    snprintf(folder, sizeof folder, "%s", temp_path("full"));
    snprintf(path, sizeof path, "%s/a.h5", folder);
    snprintf(cmd, sizeof cmd, "mkdir '%s' && mount -t tmpfs -o size=8k tmpfs '%s' 2>/dev/null", folder, folder);
    if (geteuid() != 0 || system(cmd) != 0) {
        printf("SKIP: a full disk needs root and a tmpfs\n");
        skip();
    }
    int rc = HS_EIO, refused = 0;
    for (int kb = 8; kb <= 1024 && rc == HS_EIO; kb += 16) {
        snprintf(cmd, sizeof cmd, "mount -o remount,size=%dk '%s'", kb, folder);
        assert_int_equal(system(cmd), 0);
        rc = slow_dump(path, 0, -1);
        refused += rc == HS_EIO;
    }
    if (rc == HS_OK) {
        content(path, hex);
    }
    umount(folder);
    assert_int_equal(rc, HS_OK);
    assert_true(refused >= 3);
    assert_string_equal(hex, reference());
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Runs a dump with the fault `what` at the k-th call of `call`; its exit status, or -1 when the fault struck it dead.
 */
static int traced(const char *path, const char *call, const char *what, int k)
{
    char cmd[1200];
    snprintf(cmd, sizeof cmd,
             "ASAN_OPTIONS=detect_leaks=0 strace -qq -o /dev/null -e trace=%s -e inject=%s:%s:when=%d '%s' --dump '%s' "
             ">/dev/null 2>&1",
             call, call, what, k, self, path);
    int status = system(cmd);
    return WIFEXITED(status) && WEXITSTATUS(status) < 128 ? WEXITSTATUS(status) : -1;
}

/* Faults at call number 1, 2, ... of each system call in turn (wider steps later) until none strikes, or time is up. */
static void each_call(const char *what, int fatal, double budget)
{
    static const char *const calls[] = {"pwrite64",  "fdatasync", "rename", "fsync", "ftruncate",
                                        "fallocate", "openat",    "unlink", "flock"};
    enum { CALLS = sizeof calls / sizeof calls[0] };
    int k[CALLS], live = CALLS, struck = 0, runs = 0;
    const char *path = temp_path("traced.h5");
    char hex[HS_SHA256_HEX];
    double end = now() + budget;
    for (int c = 0; c < CALLS; c++) {
        k[c] = 1;
    }
    while (live > 0 && now() < end) {
        for (int c = 0; c < CALLS && now() < end; c++) {
            if (k[c] == 0) {
                continue;
            }
            remove_store(path);
            int status = traced(path, calls[c], what, k[c]);
            runs++;
            if (status == 0) {
                k[c] = 0;
                live--;
            } else {
                struck++;
                /* The fault may also strike a run that continues. */
                if (draw(4) == 0) {
                    traced(path, calls[c], what, 1 + (int)draw(10));
                }
                k[c] += 1 + k[c] / 6;
            }
            if (!fatal && status != 0 && status != 5 && status != 2) {
                fail_msg("%s at call %d of %s: exit %d", what, k[c], calls[c], status);
            }
            assert_ok(slow_dump(path, 0, -1));
            content(path, hex);
            assert_string_equal(hex, reference());
        }
    }
    printf("%s: %d runs, %d struck\n", what, runs, struck);
    assert_true(struck > 0);
}

static void need_strace(void)
{
    if (system("strace -qq -o /dev/null true >/dev/null 2>&1") != 0) {
        printf("SKIP: strace is absent or may not trace\n");
        skip();
    }
    reference();
}

static double budget_of(double seconds)
{
    return getenv("HSPACE_FAULT_KILLS") != NULL ? 10 * seconds : seconds;
}

static void test_killed_at_system_calls(void **state)
{
    (void)state;
    need_strace();
    each_call("signal=SIGKILL", 1, budget_of(8));
}

static void test_failing_system_calls(void **state)
{
    (void)state;
    need_strace();
    each_call("error=EIO", 0, budget_of(4));
    each_call("error=ENOSPC", 0, budget_of(4));
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--dump") == 0) {
        int rc = slow_dump(argv[2], 0, -1);
        if (rc != HS_OK) {
            fprintf(stderr, "%s\n", hs_error_message());
        }
        return hs_exit_code(rc);
    }
    self = argv[0];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed_at_random_times), cmocka_unit_test(test_eight_writers_at_once),
        cmocka_unit_test(test_file_size_limit),        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_killed_at_system_calls), cmocka_unit_test(test_failing_system_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
