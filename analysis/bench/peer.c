#include "analysis/bench/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/alloc.h"

struct hs_peer {
    pid_t pid;
    FILE *to, *from;
};

/* The child's side: pipes become stdin and stdout. */
static void become_peer(const char *python, const char *script, int threads, const int in[2], const int out[2])
{
    char count[16];
    snprintf(count, sizeof count, "%d", threads);
    setenv("OMP_NUM_THREADS", count, 1);
    dup2(in[0], 0);
    dup2(out[1], 1);
    close(in[0]);
    close(in[1]);
    close(out[0]);
    close(out[1]);
    execlp(python, python, script, (char *)NULL);
    _exit(127);
}

int hs_peer_start(const char *python, const char *script, int threads, hs_peer **out)
{
    int rc, in[2] = {-1, -1}, from[2] = {-1, -1};
    hs_peer *p = NULL;
    HS_TRY(hs_calloc(1, sizeof *p, &p));
    /* Closed in every other peer: one that held this one's stdin open would keep it from ending. */
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0) {
        rc = hs_fail_errno("bench", "pipe");
        goto out;
    }
    p->pid = fork();
    if (p->pid == 0) {
        become_peer(python, script, threads, in, from);
    }
    if (p->pid < 0) {
        rc = hs_fail_errno("bench", "fork");
        goto out;
    }
    p->to = fdopen(in[1], "w");
    p->from = fdopen(from[0], "r");
    in[1] = from[0] = -1;
    if (p->to == NULL || p->from == NULL) {
        rc = hs_fail_errno("bench", "fdopen");
        goto out;
    }
    *out = p;
    p = NULL;
out:
    for (int i = 0; i < 2; i++) {
        if (in[i] >= 0) {
            close(in[i]);
        }
        if (from[i] >= 0) {
            close(from[i]);
        }
    }
    hs_peer_stop(p);
    return rc;
}

int hs_peer_ask_all(hs_peer *p, json_t *request, json_t **out)
{
    int rc = HS_OK;
    char line[4096];
    json_t *answer = NULL;
    int sent = json_dumpf(request, p->to, JSON_COMPACT) == 0 && fputc('\n', p->to) != EOF && fflush(p->to) == 0;
    json_decref(request);
    if (!sent || fgets(line, sizeof line, p->from) == NULL) {
        rc = hs_fail(HS_EIO, "bench: the peer has ended; is Python there?");
        goto out;
    }
    answer = json_loads(line, 0, NULL);
    const char *error = json_string_value(json_object_get(answer, "error"));
    if (error != NULL || !json_is_number(json_object_get(answer, "seconds"))) {
        rc = hs_fail(HS_EIO, "bench: peer: %.200s", error != NULL ? error : "no answer");
        goto out;
    }
    *out = answer;
    answer = NULL;
out:
    json_decref(answer);
    return rc;
}

int hs_peer_ask(hs_peer *p, json_t *request, double *seconds)
{
    json_t *answer = NULL;
    int rc = hs_peer_ask_all(p, request, &answer);
    if (rc == HS_OK) {
        *seconds = json_number_value(json_object_get(answer, "seconds"));
    }
    json_decref(answer);
    return rc;
}

void hs_peer_stop(hs_peer *p)
{
    if (p == NULL) {
        return;
    }
    if (p->to != NULL) {
        fclose(p->to);
    }
    if (p->from != NULL) {
        fclose(p->from);
    }
    if (p->pid > 0) {
        waitpid(p->pid, NULL, 0);
    }
    free(p);
}
