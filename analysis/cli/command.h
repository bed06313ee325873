/* The command line: one table of commands, one table of options.
 *
 * A command is parse -> check -> one library call -> write, at most 80 lines.  Its options are rows
 * of tables; the same rows give --help, the man page, completion, the INI keys and the params of
 * --json.  Human text goes to stdout by hs_cmd_say, remarks to stderr by hs_log; a command never
 * prints otherwise. */
#ifndef HS_CLI_COMMAND_H
#define HS_CLI_COMMAND_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/log.h"

typedef enum {
    HS_OPT_FLAG, /* no argument; false unless given */
    HS_OPT_STR,  /* any text; a path or a name */
    HS_OPT_INT,  /* whole number in [lo, hi] */
    HS_OPT_NUM,  /* finite number in [lo, hi] */
    HS_OPT_LIST, /* repeatable, comma-separated texts */
    HS_OPT_GRID  /* numbers: A:B:STEP or s1,s2,...; grid points A + k STEP, both ends, |s| < 1e-9 STEP set to 0 */
} hs_opt_type;

typedef struct {
    const char *name; /* "steps" for --steps */
    char letter;      /* 'o' for -o, or 0 */
    hs_opt_type type;
    const char *value;   /* default as text, NULL: none */
    double lo, hi;       /* range of INT and NUM; lo = hi = 0: any */
    const char *choices; /* "asyrp|leading|trailing|linspace" or NULL */
    const char *meta;    /* "N", "FILE" */
    const char *group;   /* Input, Model, Sampler, Statistics, Output, Run */
    const char *help;    /* one line, with the unit */
} hs_opt;

typedef struct hs_cmd hs_cmd; /* one invocation */

typedef struct {
    const char *name;              /* "pca", "direction random" */
    const char *usage;             /* "ACTS.h5 -o PCA.h5" */
    const char *purpose;           /* one sentence */
    const char *examples;          /* lines, runnable */
    const hs_opt *const *options;  /* NULL-terminated list of tables, each ended by a row with name NULL; the
                                      Run options (-o -f -n -q -v --seed --threads --json ...) come by themselves */
    size_t min_inputs, max_inputs; /* positional arguments */
    int (*run)(hs_cmd *c);         /* HS_OK or an HS_E...; hs_cmd_exit for verdict codes */
} hs_command;

extern const hs_command *const hs_commands[]; /* NULL-terminated; analysis/cli/commands.c */

/* ---- The arguments, parsed and checked; an unknown name is our bug (assert) ---- */
int hs_cmd_given(const hs_cmd *c, const char *opt); /* the user (or a config file) set it */
int hs_cmd_flag(const hs_cmd *c, const char *opt);
const char *hs_cmd_str(const hs_cmd *c, const char *opt); /* NULL when absent without default */
int64_t hs_cmd_int(const hs_cmd *c, const char *opt);
double hs_cmd_num(const hs_cmd *c, const char *opt);
size_t hs_cmd_list(const hs_cmd *c, const char *opt, const char *const **items);
size_t hs_cmd_grid(const hs_cmd *c, const char *opt, const double **values);
size_t hs_cmd_inputs(const hs_cmd *c, const char *const **paths);
const char *hs_cmd_out(const hs_cmd *c); /* -o, NULL when left out */
int hs_cmd_force(const hs_cmd *c);
int hs_cmd_dry_run(const hs_cmd *c);
uint64_t hs_cmd_seed(const hs_cmd *c);
const hs_progress *hs_cmd_progress(
    const hs_cmd *c); /* ETA line on a terminal, a line a minute otherwise; stops on SIGTERM, SIGINT, SIGUSR1 */

/* ---- The answer ---- */
json_t *hs_cmd_results(hs_cmd *c); /* borrowed object "results", to fill in */
json_t *hs_cmd_params(hs_cmd *c);  /* "params", to add what was resolved (auto -> a number) */
HS_CHECKED int hs_cmd_input(hs_cmd *c,
                            const char *path); /* records {"path", "sha256"} (file or model folder's weights) */
HS_CHECKED int hs_cmd_input_sha(hs_cmd *c, const char *path, const char *sha256); /* hash already known */
/* The same with a fingerprint of another kind: {"path", KIND}. */
HS_CHECKED int hs_cmd_input_mark(hs_cmd *c, const char *path, const char *kind, const char *mark);
void hs_cmd_warn(hs_cmd *c, const char *fmt, ...) HS_PRINTF(2, 3); /* "warnings" and stderr */
void hs_cmd_say(hs_cmd *c, const char *fmt, ...) HS_PRINTF(2, 3);  /* stdout, silent under --json and -q */
void hs_cmd_exit(hs_cmd *c, int code);                             /* exit code of a successful run: 10, 11 */
const char *hs_cmd_line(const hs_cmd *c);                          /* the whole command line, for provenance */
const char *hs_version(void);                                      /* "0.1.0" */
const char *hs_version_git(void);                                  /* "4419884" or a tag: git describe */
const char *hs_version_long(void);                                 /* git describe, compiler, BLAS, oneDNN, HDF5 */

/* JSON numbers: null for a non-finite value. */
json_t *hs_json_num(double v);
json_t *hs_json_nums(size_t n, const double *v);
/* {"name", "value", "ci": [lo, hi], "n", "estimator"}; NaN limits: "ci": null; NaN value: null;
 * either with "reason". */
json_t *hs_json_estimate(const char *name, double value, double lo, double hi, size_t n, const char *estimator,
                         const char *reason);

/* A missing -o where one is needed: HS_ERANGE with the usage; allowed with --json. */
HS_CHECKED int hs_cmd_need_out(const hs_cmd *c);
/* HS_ERANGE with the usage when an option that has no default was not given. */
HS_CHECKED int hs_cmd_need(const hs_cmd *c, const char *opt);
/* Before any work: path (NULL: nothing to check) may be written as a file: it doesn't exist or -f, is
 * no folder and no positional input, its folder exists.  HS_ERANGE, HS_EIO. */
HS_CHECKED int hs_cmd_check_file(const hs_cmd *c, const char *path);

/* Shared option tables. */
extern const hs_opt hs_opts_model[];   /* --model --arch --schedule --class --conv --batch */
extern const hs_opt hs_opts_steps[];   /* --steps --spacing --timesteps --respacing */
extern const hs_opt hs_opts_sampler[]; /* those and --eta --noise --clip */
extern const hs_opt hs_opts_source[];  /* -N --images --x-T --fit */

#endif
