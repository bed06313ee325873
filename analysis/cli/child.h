/* One of our own commands as a child process: what verify is made of. */
#ifndef HS_CLI_CHILD_H
#define HS_CLI_CHILD_H

#include <jansson.h>
#include <stddef.h>

#include "analysis/cli/command.h"
#include "core/base/text.h"

/* The words of a command line; a failed allocation shows at hs_words_ok. */
typedef struct {
    size_t n, room;
    char **word;
    int failed;
} hs_words;
void hs_words_add(hs_words *w, const char *text);
void hs_words_addf(hs_words *w, const char *fmt, ...) HS_PRINTF(2, 3);
/* --name and value of the options of a table that were given in this invocation. */
void hs_words_forward(hs_words *w, const hs_cmd *c, const hs_opt *table);
HS_CHECKED int hs_words_ok(const hs_words *w);
/* *out gets the line as one would type it: "hspace " and the words; names: files without their folders. */
void hs_words_line(const hs_words *w, int names, hs_str *out);
void hs_words_free(hs_words *w);

/* Runs "hspace words --json": *answer <- the object on its stdout (NULL when it printed none), *code <- its exit code
 * (128 + the signal that ended it).  Its stderr is ours.  Asked to stop, it passes that on and waits.
 * HS_EIO: it could not be started; HS_EFORMAT: its stdout is no JSON; HS_ESTOPPED. */
HS_CHECKED int hs_child_run(const hs_words *w, json_t **answer, int *code);

#endif
