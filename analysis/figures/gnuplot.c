#include "analysis/figures/gnuplot.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/text.h"

extern char **environ;

int hs_gnuplot_free_name(const char *dir, const char *name)
{
    hs_str path = {0};
    hs_str_addf(&path, "%s/%s", dir, name);
    int rc = hs_str_ok(&path);
    if (rc == HS_OK && access(path.s, F_OK) == 0) {
        rc = hs_fail(HS_ERANGE, "%s: exists; use -f to replace it", path.s);
    }
    hs_str_free(&path);
    return rc;
}

/* Starts it with stdout and stderr on fd and dir as its folder. */
static int start(const char *dir, char *const argv[], int fd, pid_t *pid)
{
    const char *program = getenv("HSPACE_GNUPLOT");
    posix_spawn_file_actions_t fa;
    int err = posix_spawn_file_actions_init(&fa);
    if (err == 0) {
        posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_adddup2(&fa, fd, 1);
        posix_spawn_file_actions_adddup2(&fa, fd, 2);
        posix_spawn_file_actions_addchdir_np(&fa, dir);
        err = posix_spawnp(pid, program != NULL && program[0] != '\0' ? program : "gnuplot", &fa, NULL, argv, environ);
        posix_spawn_file_actions_destroy(&fa);
    }
    return err;
}

/* said <- the first line that the child writes; reads until it closes the pipe. */
static void listen_to(int fd, char *said, size_t size)
{
    char buf[512];
    size_t at = 0;
    int line_over = 0;
    for (;;) {
        ssize_t n = read(fd, buf, sizeof buf);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            break;
        }
        for (ssize_t i = 0; i < n && at + 1 < size && !line_over; i++) {
            if (buf[i] != '\n') {
                said[at++] = buf[i];
            } else {
                line_over = at > 0;
            }
        }
    }
    said[at] = '\0';
}

static int await(pid_t pid, int *status)
{
    while (waitpid(pid, status, 0) < 0) {
        if (errno != EINTR) {
            return hs_fail_errno("gnuplot", "cannot be waited for");
        }
    }
    return HS_OK;
}

/* Runs the child; *found as hs_gnuplot_run. */
static int run(const char *dir, char *const argv[], const char *name, int *found)
{
    int rc = HS_OK, fd[2], status = 0;
    char said[200];
    pid_t pid;
    if (pipe2(fd, O_CLOEXEC) != 0) {
        return hs_fail_errno("gnuplot", "no pipe");
    }
    int err = start(dir, argv, fd[1], &pid);
    close(fd[1]);
    if (err == 0) {
        listen_to(fd[0], said, sizeof said);
        rc = await(pid, &status);
    }
    close(fd[0]);
    *found = err != ENOENT;
    if (err == ENOENT || rc != HS_OK) {
        return rc;
    }
    if (err != 0) {
        errno = err;
        return hs_fail_errno("gnuplot", "cannot be started");
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return hs_fail(HS_EIO, "%s: gnuplot failed: %s", name, said);
    }
    return HS_OK;
}

int hs_gnuplot_run(const char *dir, const char *stem, const char *name, int *found)
{
    int rc = HS_OK, dir_fd = -1;
    hs_str temp = {0}, set = {0}, script = {0};
    hs_str_addf(&temp, ".hspace-figure.%ld.tmp", (long)getpid());
    hs_str_addf(&set, "out = '%s'", temp.s);
    hs_str_addf(&script, "./%s.gp", stem); /* a name may begin with a dash */
    HS_TRY(hs_str_ok(&temp));
    HS_TRY(hs_str_ok(&set));
    HS_TRY(hs_str_ok(&script));
    char *const argv[] = {(char *)"gnuplot", (char *)"-d", (char *)"-e", set.s, script.s, NULL};
    dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0) {
        HS_TRY(hs_fail_errno(dir, "cannot be opened"));
    }
    rc = run(dir, argv, name, found);
    if (rc == HS_OK && *found && renameat(dir_fd, temp.s, dir_fd, name) != 0) {
        rc = hs_fail_errno(name, "gnuplot left no picture");
    }
    if (rc != HS_OK) {
        unlinkat(dir_fd, temp.s, 0);
    }
out:
    if (dir_fd >= 0) {
        close(dir_fd);
    }
    hs_str_free(&temp);
    hs_str_free(&set);
    hs_str_free(&script);
    return rc;
}
