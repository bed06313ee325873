/* Stopping and progress.  A signal only sets a mark; the work asks for it at its safe points. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "analysis/cli/internal.h"

static volatile sig_atomic_t stop_wanted, interrupted;

static void on_signal(int number)
{
    stop_wanted = 1;
    if (number == SIGINT) {
        static const char note[] = "\nhspace: stopping at the next safe point; Ctrl-C again stops at once\n";
        interrupted = 1;
        signal(SIGINT, SIG_DFL);
        ssize_t n = write(STDERR_FILENO, note, sizeof note - 1);
        (void)n;
    }
}

/* A page of a mapped file is gone: another process cut the file, or the disk failed.  Nothing computed
 * from it may be written, so this ends the program where it stands. */
static void on_lost_page(int number, siginfo_t *info, void *context)
{
    static const char note[] = "hspace: an input file was cut short while in use, or its disk failed\n";
    (void)context;
    if (info->si_code != BUS_ADRERR) {
        signal(number, SIG_DFL);
        raise(number);
        return;
    }
    ssize_t n = write(STDERR_FILENO, note, sizeof note - 1);
    (void)n;
    _exit(hs_exit_code(HS_EIO));
}

void hs_signals_install(void)
{
    static const int stops[] = {SIGINT, SIGTERM, SIGUSR1};
    struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct sigaction lost = {.sa_sigaction = on_lost_page, .sa_flags = SA_SIGINFO};
    sigemptyset(&act.sa_mask);
    sigemptyset(&lost.sa_mask);
    sigaction(SIGBUS, &lost, NULL);
    for (size_t i = 0; i < 3; i++) {
        struct sigaction old;
        /* started in the background by a shell without job control: SIGINT stays ignored */
        if (sigaction(stops[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) {
            sigaction(stops[i], &act, NULL);
        }
    }
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
}

int hs_signals_stop_wanted(void)
{
    return stop_wanted != 0;
}

int hs_signals_interrupted(void)
{
    return interrupted != 0;
}

/* What is on the terminal now, and the pace of the piece of work that is being told about. */
static struct {
    int silent, tty, drawn;
    char what[64];
    size_t first;
    double started, last;
} line;

void hs_progress_start(int quiet)
{
    memset(&line, 0, sizeof line);
    line.silent = quiet;
    line.tty = isatty(STDERR_FILENO);
}

void hs_progress_clear(void)
{
    if (line.drawn) {
        fputs("\r\033[K", stderr);
        line.drawn = 0;
    }
}

static int is_due(double now, size_t done, size_t total)
{
    if (!line.tty) {
        return now - line.last >= 60;
    }
    return now - line.started >= 0.5 && (now - line.last >= 0.2 || done == total);
}

static void draw(double now, size_t done, size_t total)
{
    char text[160], eta[32] = "";
    size_t since = done - line.first;
    if (since > 0 && done < total) {
        double left = (now - line.started) / (double)since * (double)(total - done);
        unsigned long s = left < 3.6e8 ? (unsigned long)left : 360000000UL;
        snprintf(eta, sizeof eta, "  ETA %02lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
    }
    snprintf(text, sizeof text, "%s  %zu/%zu%s", line.what, done, total, eta);
    if (line.tty) {
        struct winsize size = {0};
        size_t width = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1u : 79;
        fprintf(stderr, "\r\033[K%.*s", (int)width, text);
        line.drawn = 1;
    } else {
        fprintf(stderr, "hspace: %s\n", text);
    }
    fflush(stderr);
    line.last = now;
}

static int tell(void *ctx, const char *what, size_t done, size_t total)
{
    (void)ctx;
    double now = hs_clock();
    if (line.started == 0 || strncmp(line.what, what, sizeof line.what - 1) != 0 || done < line.first) {
        snprintf(line.what, sizeof line.what, "%s", what);
        line.first = done;
        line.started = now;
        line.last = now;
    }
    if (!line.silent && is_due(now, done, total)) {
        draw(now, done, total);
    }
    return stop_wanted != 0;
}

const hs_progress hs_progress_terminal = {.tell = tell};
