/* The insides of one invocation, shared by the files of analysis/cli that build it; commands see
 * command.h only. */
#ifndef HS_CLI_INTERNAL_H
#define HS_CLI_INTERNAL_H

#include "analysis/cli/command.h"
#include "core/base/clock.h"
#include "core/base/text.h"

/* Where a value came from; a later one wins. */
typedef enum { HS_FROM_DEFAULT, HS_FROM_XDG, HS_FROM_INI, HS_FROM_ENV, HS_FROM_FLAG } hs_from;

typedef struct {
    const hs_opt *opt;
    hs_from from;
    int set;       /* has a value at all */
    char *text;    /* as given (STR, INT, NUM) */
    int flag;      /* FLAG */
    int64_t whole; /* INT */
    double number; /* NUM */
    char **item;   /* LIST, (n); GRID: the texts as given */
    double *grid;  /* GRID, (n_grid) */
    size_t n, n_grid;
} hs_val;

struct hs_cmd {
    const hs_command *def;
    hs_val *val;
    size_t n_val;
    char **input; /* positional arguments */
    size_t n_input;
    hs_from input_from;
    hs_str line; /* the command line, quoted for a shell */
    json_t *results, *params, *inputs, *warnings;
    int exit_code;
    int unheard;    /* a rank whose answer nobody reads (team.h) */
    double started; /* seconds, monotonic */
    hs_progress progress;
};

extern const hs_opt hs_opts_run[]; /* the options every command has */

/* ---- values.c ---- */
/* One value per row of the command's tables and of the Run table, with its default.  HS_EBUG when
 * a default doesn't parse or two rows share a name. */
HS_CHECKED int hs_vals_create(hs_cmd *c);
void hs_vals_free(hs_cmd *c);
hs_val *hs_val_find(const hs_cmd *c, const char *name); /* NULL: no such option */
hs_val *hs_val_find_letter(const hs_cmd *c, char letter);
/* Reads text as the option's type; ignored where a stronger source has spoken.  where: what the
 * message starts with ("--steps", "hspace.ini:3: steps").  HS_ERANGE, HS_ELIMIT (grid too long). */
HS_CHECKED int hs_val_set(hs_val *v, const char *text, hs_from from, const char *where);
/* "\n"-free text of a value for --print-config and --json. */
json_t *hs_val_json(const hs_val *v);

/* ---- args.c ---- */
/* The command that argv names, with its words taken out of (argc, argv): words[] are the rest.
 * *out NULL: none named.  HS_ERANGE: unknown command, with the nearest. */
HS_CHECKED int hs_args_command(int *argc, char **argv, const hs_command **out);
/* Fills the values and inputs of c from the remaining words. */
HS_CHECKED int hs_args_parse(hs_cmd *c, int argc, char *const *argv);

/* ---- config.c ---- */
/* Environment and INI files, weaker than what the arguments have set. */
HS_CHECKED int hs_config_apply(hs_cmd *c);
/* The resolved configuration as an INI text that reproduces the run. */
HS_CHECKED int hs_config_print(const hs_cmd *c, hs_str *out);

/* ---- help.c ---- */
void hs_help_overview(hs_str *out, int full);
void hs_help_command(const hs_command *def, int full, hs_str *out);
/* Nearest of the candidates, NULL when none is near enough to suggest. */
const char *hs_help_nearest(const char *word, const char *const *candidate, size_t n);
/* The rows of a command: its own tables, then the Run table; i from 0, NULL at the end. */
const hs_opt *hs_command_opt(const hs_command *def, size_t i);

/* ---- progress.c ---- */
/* SIGINT, SIGTERM and SIGUSR1 ask the work to stop; SIGXFSZ and SIGPIPE become errors of write. */
void hs_signals_install(void);
int hs_signals_stop_wanted(void); /* of any kind */
int hs_signals_interrupted(void); /* the user pressed Ctrl-C */
void hs_progress_start(int quiet);
void hs_progress_clear(void); /* takes the line off the terminal before something else is written */
extern const hs_progress hs_progress_terminal;

/* ---- answer.c ---- */
HS_CHECKED int hs_answer_create(hs_cmd *c);
void hs_answer_free(hs_cmd *c);
/* New object: every option, resolved; what the command resolved itself (auto -> a number) wins. */
json_t *hs_answer_params(const hs_cmd *c);
/* The one object of --json on stdout; HS_EIO. */
HS_CHECKED int hs_answer_print(hs_cmd *c);

/* ---- run.c ---- */
int hs_cli_main(int argc, char **argv);

/* ---- run.c ---- */
/* Appends a blank and the word, quoted for a shell where it must be. */
void hs_line_add(hs_str *line, const char *word);

#endif
