#include "analysis/cli/child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "analysis/cli/internal.h"
#include "core/base/alloc.h"

/* ---- Words ---- */

void hs_words_add(hs_words *w, const char *text)
{
    if (w->n + 2 > w->room) {
        size_t room = 2 * w->room + 16;
        char **more = realloc(w->word, room * sizeof *more);
        if (more == NULL) {
            w->failed = 1;
            return;
        }
        w->word = more;
        w->room = room;
    }
    if (hs_strdup(text, &w->word[w->n]) != HS_OK) {
        w->failed = 1;
        return;
    }
    w->word[++w->n] = NULL;
}

void hs_words_addf(hs_words *w, const char *fmt, ...)
{
    char text[8192];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof text) {
        w->failed = 1;
        return;
    }
    hs_words_add(w, text);
}

void hs_words_forward(hs_words *w, const hs_cmd *c, const hs_opt *table)
{
    for (const hs_opt *o = table; o->name != NULL; o++) {
        const hs_val *v = hs_val_find(c, o->name);
        if (v == NULL || !hs_cmd_given(c, o->name)) {
            continue;
        }
        if (o->type == HS_OPT_FLAG) {
            if (v->flag) {
                hs_words_addf(w, "--%s", o->name);
            }
        } else if (o->type == HS_OPT_LIST || o->type == HS_OPT_GRID) {
            for (size_t i = 0; i < v->n; i++) {
                hs_words_addf(w, "--%s=%s", o->name, v->item[i]);
            }
        } else {
            hs_words_addf(w, "--%s=%s", o->name, v->text);
        }
    }
}

int hs_words_ok(const hs_words *w)
{
    return w->failed ? hs_fail(HS_ENOMEM, "a command line does not fit into memory") : HS_OK;
}

/* text without the folders of the file that it is or that an option has it be. */
static const char *base(const char *text, hs_str *room)
{
    const char *value = text[0] == '-' ? strchr(text, '=') : NULL, *slash = strrchr(text, '/');
    if (slash == NULL || (text[0] == '-' && value == NULL) || slash[1] == '\0') {
        return text;
    }
    room->len = 0;
    hs_str_add_bytes(room, text, value != NULL ? (size_t)(value - text) + 1 : 0);
    hs_str_add(room, slash + 1);
    return room->s != NULL ? room->s : text;
}

void hs_words_line(const hs_words *w, int names, hs_str *out)
{
    hs_str room = {0};
    hs_str_add(out, "hspace");
    for (size_t i = 0; i < w->n; i++) {
        hs_line_add(out, names ? base(w->word[i], &room) : w->word[i]);
    }
    hs_str_free(&room);
}

void hs_words_free(hs_words *w)
{
    hs_strings_free(w->n, w->word);
    memset(w, 0, sizeof *w);
}

/* ---- The process ---- */

/* In the child: our program, its stdout into fd.  It ends with the parent however that ends, and leaves its journal to
 * the next run instead of working on with nobody to answer to. */
static void become(char **argv, int fd, pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent && dup2(fd, STDOUT_FILENO) >= 0) {
        execv("/proc/self/exe", argv);
    }
    _exit(hs_exit_code(HS_EIO));
}

/* text <- all that comes from fd; a wish to stop is passed on once. */
HS_CHECKED static int collect(pid_t pid, int fd, hs_str *text, int *stopped)
{
    char buffer[65536];
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int ready = poll(&p, 1, 200);
        if (!*stopped && hs_signals_stop_wanted()) {
            *stopped = 1;
            kill(pid, SIGTERM);
        }
        if (ready < 0 && errno != EINTR) {
            return hs_fail_errno("verify", "waiting for a command");
        }
        if (ready <= 0) {
            continue;
        }
        ssize_t n = read(fd, buffer, sizeof buffer);
        if (n == 0) {
            return hs_str_ok(text);
        }
        if (n > 0) {
            hs_str_add_bytes(text, buffer, (size_t)n);
        } else if (errno != EINTR) {
            return hs_fail_errno("verify", "reading what a command says");
        }
    }
}

HS_CHECKED static int parse(const hs_words *w, const hs_str *text, json_t **answer)
{
    json_error_t e;
    *answer = NULL;
    if (text->len == 0) {
        return HS_OK;
    }
    *answer = json_loadb(text->s, text->len, 0, &e);
    return *answer != NULL ? HS_OK : hs_fail(HS_EFORMAT, "hspace %s: its answer is no JSON", w->word[0]);
}

int hs_child_run(const hs_words *w, json_t **answer, int *code)
{
    int rc = HS_OK, ends[2] = {-1, -1}, status = 0, stopped = 0;
    hs_str text = {0};
    char **argv = NULL, name[] = "hspace", json[] = "--json";
    *answer = NULL;
    HS_TRY(hs_words_ok(w));
    HS_TRY(hs_calloc(w->n + 3, sizeof *argv, &argv));
    argv[0] = name;
    memcpy(argv + 1, w->word, w->n * sizeof *argv);
    argv[w->n + 1] = json;
    fflush(NULL);
    if (pipe(ends) != 0) {
        HS_TRY(hs_fail_errno("verify", "no pipe"));
    }
    const pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0) {
        HS_TRY(hs_fail_errno("verify", "no process"));
    }
    if (pid == 0) {
        close(ends[0]);
        become(argv, ends[1], parent);
    }
    close(ends[1]);
    ends[1] = -1;
    rc = collect(pid, ends[0], &text, &stopped);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    *code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (stopped) {
        rc = hs_fail(HS_ESTOPPED, "stopped; the same command goes on with what is there");
    }
    HS_TRY(rc);
    HS_TRY(parse(w, &text, answer));
out:
    for (int k = 0; k < 2; k++) {
        if (ends[k] >= 0) {
            close(ends[k]);
        }
    }
    hs_str_free(&text);
    free(argv);
    return rc;
}
