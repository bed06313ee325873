/* The words of the command line: options anywhere, "--name value" or "--name=value", letters in
 * bunches; what looks like a number is never an option. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/internal.h"
#include "core/base/alloc.h"

static int is_option(const char *word)
{
    return word[0] == '-' && word[1] != '\0' && word[1] != '.' && !isdigit((unsigned char)word[1]);
}

/* Row of the Run table that the word names and whether its value is the next word. */
static int takes_next_word(const char *word)
{
    for (const hs_opt *o = hs_opts_run; o->name != NULL; o++) {
        int same = word[1] == '-' ? strcmp(word + 2, o->name) == 0 : word[1] == o->letter && word[2] == '\0';
        if (same) {
            return o->type != HS_OPT_FLAG;
        }
    }
    return 0;
}

static int asks_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* "help pca" is "pca --help". */
static void help_last(int argc, char **argv, int i)
{
    static char help[] = "--help";
    memmove(argv + i, argv + i + 1, (size_t)(argc - i - 1) * sizeof *argv);
    argv[argc - 1] = help;
}

static void drop_word(int *argc, char **argv, int i)
{
    memmove(argv + i, argv + i + 1, (size_t)(*argc - i) * sizeof *argv);
    --*argc;
}

HS_CHECKED static int unknown_command(const char *name)
{
    const char *names[128];
    size_t n = 0;
    for (; n < 128 && hs_commands[n] != NULL; n++) {
        names[n] = hs_commands[n]->name;
    }
    const char *near = hs_help_nearest(name, names, n);
    return hs_fail(HS_ERANGE, "%.80s: unknown command; %s%s%s", name, near != NULL ? "did you mean " : "",
                   near != NULL ? near : "hspace --help lists them", near != NULL ? "?" : "");
}

/* First part of a two-word command without (or with an unknown) second part. */
HS_CHECKED static int unfinished_command(const char *first, const char *second)
{
    hs_str list = {0};
    size_t len = strlen(first);
    for (size_t i = 0; hs_commands[i] != NULL; i++) {
        if (strncmp(hs_commands[i]->name, first, len) == 0 && hs_commands[i]->name[len] == ' ') {
            hs_str_addf(&list, "%s%s", list.len > 0 ? ", " : "", hs_commands[i]->name + len + 1);
        }
    }
    second = second != NULL && is_option(second) ? NULL : second;
    int rc = hs_fail(HS_ERANGE, "%s: %s%.80s%s; wanted one of: %s", first, second != NULL ? "'" : "",
                     second != NULL ? second : "no kind given", second != NULL ? "' is unknown" : "",
                     list.s != NULL ? list.s : "");
    hs_str_free(&list);
    return rc;
}

static int word_command(const char *first, const char *second, const hs_command **out)
{
    int prefix = 0;
    *out = NULL;
    for (size_t i = 0; hs_commands[i] != NULL; i++) {
        const char *name = hs_commands[i]->name;
        size_t len = strcspn(name, " ");
        if (strlen(first) != len || memcmp(first, name, len) != 0) {
            continue;
        }
        if (name[len] == '\0' || (second != NULL && strcmp(second, name + len + 1) == 0)) {
            *out = hs_commands[i];
            return name[len] == '\0' ? 1 : 2;
        }
        prefix = 1;
    }
    return prefix ? -1 : 0;
}

int hs_args_command(int *argc, char **argv, const hs_command **out)
{
    int i = 1;
    *out = NULL;
    while (i < *argc && is_option(argv[i])) {
        i += 1 + takes_next_word(argv[i]);
    }
    if (i >= *argc) {
        return HS_OK;
    }
    if (strcmp(argv[i], "help") == 0) {
        help_last(*argc, argv, i);
        if (asks_help(argv[i])) {
            return HS_OK;
        }
    }
    const char *second = i + 1 < *argc ? argv[i + 1] : NULL;
    int words = word_command(argv[i], second, out);
    if (words < 0 && second != NULL && asks_help(second)) {
        drop_word(argc, argv, i);
        return HS_OK;
    }
    if (words < 0) {
        return unfinished_command(argv[i], second);
    }
    if (words == 0) {
        return unknown_command(argv[i]);
    }
    for (int k = 0; k < words; k++) {
        drop_word(argc, argv, i);
    }
    return HS_OK;
}

HS_CHECKED static int unknown_option(const hs_cmd *c, const char *word, size_t len)
{
    const char *names[128];
    size_t n = 0;
    char name[80];
    for (; n < c->n_val && n < 128; n++) {
        names[n] = c->val[n].opt->name;
    }
    len = len < sizeof name - 1 ? len : sizeof name - 1;
    memcpy(name, word, len);
    name[len] = '\0';
    const char *near = name[1] == '-' ? hs_help_nearest(name + 2, names, n) : NULL;
    return near != NULL ? hs_fail(HS_ERANGE, "%s: unknown option; did you mean --%s?", name, near)
                        : hs_fail(HS_ERANGE, "%s: unknown option; hspace %s --help lists them", name, c->def->name);
}

/* Sets an option from the text attached to it, or from the next word; *i is moved on. */
HS_CHECKED static int take_value(hs_val *v, const char *attached, int argc, char *const *argv, int *i)
{
    char where[96];
    snprintf(where, sizeof where, "%s%.80s", v->opt->name[1] == '\0' ? "-" : "--", v->opt->name);
    if (v->opt->type == HS_OPT_FLAG) {
        return hs_val_set(v, attached != NULL ? attached : "true", HS_FROM_FLAG, where);
    }
    if (attached == NULL && *i + 1 >= argc) {
        return hs_fail(HS_ERANGE, "%s: no value; wanted %s", where, v->opt->meta != NULL ? v->opt->meta : "one");
    }
    return hs_val_set(v, attached != NULL ? attached : argv[++*i], HS_FROM_FLAG, where);
}

HS_CHECKED static int parse_long(hs_cmd *c, int argc, char *const *argv, int *i)
{
    const char *word = argv[*i];
    size_t len = strcspn(word, "=");
    for (size_t k = 0; k < c->n_val; k++) {
        const char *name = c->val[k].opt->name;
        if (strlen(name) == len - 2 && memcmp(name, word + 2, len - 2) == 0) {
            return take_value(&c->val[k], word[len] == '=' ? word + len + 1 : NULL, argc, argv, i);
        }
    }
    return unknown_option(c, word, len);
}

HS_CHECKED static int parse_letters(hs_cmd *c, int argc, char *const *argv, int *i)
{
    const char *word = argv[*i];
    for (const char *p = word + 1; *p != '\0'; p++) {
        hs_val *v = hs_val_find_letter(c, *p);
        if (v == NULL) {
            char one[4] = {'-', *p, '\0'};
            return unknown_option(c, one, 2);
        }
        if (v->opt->type != HS_OPT_FLAG) {
            return take_value(v, p[1] != '\0' ? p + 1 : NULL, argc, argv, i);
        }
        int rc = take_value(v, NULL, argc, argv, i);
        if (rc != HS_OK) {
            return rc;
        }
    }
    return HS_OK;
}

int hs_args_parse(hs_cmd *c, int argc, char *const *argv)
{
    int rc = hs_calloc((size_t)argc + 1, sizeof *c->input, &c->input);
    int options = 1;
    for (int i = 1; i < argc && rc == HS_OK; i++) {
        if (options && strcmp(argv[i], "--") == 0) {
            options = 0;
        } else if (options && is_option(argv[i])) {
            rc = argv[i][1] == '-' ? parse_long(c, argc, argv, &i) : parse_letters(c, argc, argv, &i);
        } else {
            rc = hs_strdup(argv[i], &c->input[c->n_input]);
            c->n_input += rc == HS_OK;
            c->input_from = HS_FROM_FLAG;
        }
    }
    return rc;
}
