/* One invocation from argv to exit code. */
#include <fcntl.h>
#include <locale.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

#include "analysis/cli/internal.h"
#include "core/base/alloc.h"

/* A library built with -ffast-math may have switched denormals off for the whole process. */
static void keep_denormals(void)
{
#if defined(__SSE__)
    enum { DAZ = 1 << 6, FTZ = 1 << 15 };
    unsigned csr = _mm_getcsr();
    if ((csr & (DAZ | FTZ)) != 0) {
        _mm_setcsr(csr & ~(unsigned)(DAZ | FTZ));
        hs_log(HS_LOG_WARNING, "a preloaded library had switched denormal numbers off; switched on again");
    }
#endif
}

/* A closed stdin, stdout or stderr would let the next file opened take its number. */
static void keep_standard_streams(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) == -1) {
            int got = open("/dev/null", fd == 2 ? O_WRONLY : O_RDONLY); /* writing to stdout fails, as it should */
            if (got >= 0 && got != fd) {
                close(got);
            }
        }
    }
}

typedef struct {
    hs_cmd *c;
    int quiet, verbose;
} log_state;

static void on_log(void *ctx, hs_log_level level, const char *message)
{
    log_state *s = ctx;
    char safe[1024];
    hs_text_escape(message, safe, sizeof safe);
#pragma omp critical(hs_cli_log)
    {
        if (level == HS_LOG_WARNING && s->c != NULL) {
            json_array_append_new(s->c->warnings, json_string(safe));
        }
        if (!s->quiet && (level != HS_LOG_DEBUG || s->verbose)) {
            hs_progress_clear();
            fprintf(stderr, "hspace: %s%s\n", level == HS_LOG_WARNING ? "warning: " : "", safe);
        }
    }
}

void hs_line_add(hs_str *line, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+:,./@%";
    if (word[0] != '\0' && word[strspn(word, plain)] == '\0') {
        hs_str_addf(line, " %s", word);
        return;
    }
    hs_str_add(line, " '");
    for (const char *p = word; *p != '\0'; p++) {
        hs_str_addf(line, *p == '\'' ? "'\\''" : "%c", *p);
    }
    hs_str_add(line, "'");
}

HS_CHECKED static int quote_line(hs_str *out, int argc, char *const *argv)
{
    hs_str_add(out, "hspace");
    for (int i = 1; i < argc; i++) {
        hs_line_add(out, argv[i]);
    }
    return hs_str_ok(out);
}

HS_CHECKED static int print_text(hs_str *text)
{
    int rc = hs_str_ok(text);
    if (rc == HS_OK) {
        fputs(text->s, stdout);
    }
    hs_str_free(text);
    return rc;
}

static int wants_version(int argc, char *const *argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--version") == 0) {
            return 1;
        }
    }
    return 0;
}

/* No command: the overview, or the version. */
HS_CHECKED static int run_bare(int argc, char *const *argv)
{
    hs_str text = {0};
    if (wants_version(argc, argv)) {
        hs_str_addf(&text, "%s\n", hs_version_long());
        return print_text(&text);
    }
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") != 0 && strcmp(argv[i], "-h") != 0) {
            return hs_fail(HS_ERANGE, "%s: no command; hspace --help lists them", argv[i]);
        }
    }
    hs_help_overview(&text, argc > 1 && strcmp(argv[1], "--help") == 0);
    return print_text(&text);
}

static void set_threads(hs_cmd *c)
{
    int cores = omp_get_num_procs();
    int wanted = omp_get_max_threads() < cores ? omp_get_max_threads() : cores; /* OMP_NUM_THREADS */
    if (hs_val_find(c, "threads")->set) {
        wanted = (int)hs_cmd_int(c, "threads");
    }
    omp_set_num_threads(wanted);
    json_object_set_new(c->params, "threads", json_integer(wanted));
}

HS_CHECKED static int check_inputs(const hs_cmd *c)
{
    if (c->n_input < c->def->min_inputs) {
        return hs_fail(HS_ERANGE, "%s: %s; usage: hspace %s %s", c->def->name,
                       c->n_input == 0 ? "no input" : "too few inputs", c->def->name, c->def->usage);
    }
    if (c->n_input > c->def->max_inputs) {
        return hs_fail(HS_ERANGE, "%s: '%.80s' is one argument too many; usage: hspace %s %s", c->def->name,
                       c->input[c->def->max_inputs], c->def->name, c->def->usage);
    }
    if (hs_val_find(c, "output")->from == HS_FROM_FLAG && strstr(c->def->usage, "-o") == NULL) {
        return hs_fail(HS_ERANGE, "-o: hspace %s answers on stdout and writes no file", c->def->name);
    }
    return HS_OK;
}

static int asks_for_help(const hs_cmd *c, int argc, char *const *argv, int *full)
{
    *full = 0;
    for (int i = 1; i < argc; i++) {
        *full |= strcmp(argv[i], "--help") == 0;
    }
    return hs_cmd_flag(c, "help");
}

HS_CHECKED static int run_parsed(hs_cmd *c, log_state *log)
{
    hs_str text = {0};
    int rc = HS_OK;
    HS_TRY(hs_config_apply(c));
    log->quiet = hs_cmd_flag(c, "quiet");
    log->verbose = hs_cmd_flag(c, "verbose");
    if (hs_cmd_flag(c, "print-config")) {
        HS_TRY(hs_config_print(c, &text));
        return print_text(&text);
    }
    HS_TRY(check_inputs(c));
    set_threads(c);
    hs_progress_start(log->quiet);
    rc = c->def->run(c);
    hs_progress_clear();
    if (rc == HS_OK && hs_cmd_flag(c, "json")) {
        rc = hs_answer_print(c);
    }
out:
    hs_str_free(&text);
    return rc;
}

HS_CHECKED static int run_command(hs_cmd *c, log_state *log, int argc, char *const *argv)
{
    hs_str text = {0};
    int rc = HS_OK, full = 0;
    HS_TRY(hs_answer_create(c));
    HS_TRY(hs_vals_create(c));
    log->c = c;
    keep_denormals();
    HS_TRY(hs_args_parse(c, argc, argv));
    if (asks_for_help(c, argc, argv, &full)) {
        hs_help_command(c->def, full, &text);
        return print_text(&text);
    }
    if (hs_cmd_flag(c, "version")) {
        hs_str_addf(&text, "%s\n", hs_version_long());
        return print_text(&text);
    }
    rc = run_parsed(c, log);
out:
    return rc;
}

static void cmd_free(hs_cmd *c)
{
    hs_answer_free(c);
    hs_vals_free(c);
    for (size_t i = 0; i < c->n_input; i++) {
        free(c->input[i]);
    }
    free(c->input);
    hs_str_free(&c->line);
}

static int report(const hs_cmd *c, int rc)
{
    if (rc == HS_ESTOPPED && hs_signals_interrupted()) {
        return 130;
    }
    if (rc != HS_OK) {
        const char *message = hs_error_message();
        int placed = strstr(message, ": ") != NULL || c->def == NULL;
        fprintf(stderr, "hspace: %s%s%s\n", placed ? "" : c->def->name, placed ? "" : ": ", message);
        return hs_exit_code(rc);
    }
    return c->exit_code;
}

int hs_cli_main(int argc, char **argv)
{
    hs_cmd c = {.progress = hs_progress_terminal};
    log_state log = {0};
    keep_standard_streams();
    setlocale(LC_NUMERIC, "C");
    hs_signals_install();
    hs_log_set(on_log, &log);
    int rc = quote_line(&c.line, argc, argv);
    if (rc == HS_OK) {
        rc = hs_args_command(&argc, argv, &c.def);
    }
    if (rc == HS_OK) {
        rc = c.def == NULL ? run_bare(argc, argv) : run_command(&c, &log, argc, argv);
    }
    if (fflush(stdout) != 0 || ferror(stdout)) {
        rc = rc == HS_OK ? hs_fail_errno("stdout", "write") : rc;
    }
    int code = report(&c, rc);
    hs_log_set(NULL, NULL);
    cmd_free(&c);
    return code;
}
