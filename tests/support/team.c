#include "tests/support/team.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/support.h"

typedef struct {
    int fd[TEAM_MOST]; /* to each other rank */
} wires;

static int wire_send(void *ctx, size_t to, const void *bytes, size_t len)
{
    const char *p = bytes;
    for (size_t put = 0; put < len;) {
        ssize_t k = write(((wires *)ctx)->fd[to], p + put, len - put);
        if (k <= 0) {
            return hs_fail_errno("wire", "sending");
        }
        put += (size_t)k;
    }
    return HS_OK;
}

static int wire_receive(void *ctx, size_t from, void *bytes, size_t len)
{
    char *p = bytes;
    for (size_t got = 0; got < len;) {
        ssize_t k = read(((wires *)ctx)->fd[from], p + got, len - got);
        if (k <= 0) {
            return hs_fail(HS_EIO, "wire: rank %zu is gone", from);
        }
        got += (size_t)k;
    }
    return HS_OK;
}

void run_team(size_t size, int (*work)(hs_team *team, char text[404]), team_answer *all)
{
    int pair[TEAM_MOST][TEAM_MOST][2];
    pid_t pid[TEAM_MOST];
    team_answer *shared =
        mmap(NULL, TEAM_MOST * sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(shared != MAP_FAILED);
    for (size_t a = 0; a < size; a++) {
        for (size_t b = a + 1; b < size; b++) {
            assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair[a][b]), 0);
        }
    }
    for (size_t r = 0; r < size; r++) {
        pid[r] = fork();
        if (pid[r] == 0) {
            wires w;
            alarm(120);
            for (size_t a = 0; a < size; a++) {
                for (size_t b = a + 1; b < size; b++) {
                    close(pair[a][b][a == r ? 1 : 0]);
                    if (a != r && b != r) {
                        close(pair[a][b][1]);
                    } else {
                        w.fd[a == r ? b : a] = pair[a][b][a == r ? 0 : 1];
                    }
                }
            }
            hs_team team = {r, size, wire_send, wire_receive, &w, 0};
            team_answer *mine = &shared[r];
            mine->rc = work(size > 1 ? &team : NULL, mine->text);
            if (mine->rc != HS_OK) {
                snprintf(mine->text, sizeof mine->text, "%s", hs_error_message());
            }
            mine->agreed = team.agreed;
            _exit(0);
        }
    }
    for (size_t a = 0; a < size; a++) {
        for (size_t b = a + 1; b < size; b++) {
            close(pair[a][b][0]);
            close(pair[a][b][1]);
        }
    }
    for (size_t r = 0; r < size; r++) {
        int status = 0;
        assert_int_equal(waitpid(pid[r], &status, 0), pid[r]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    memcpy(all, shared, size * sizeof *all);
    munmap(shared, TEAM_MOST * sizeof *shared);
}
