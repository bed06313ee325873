/* Options from elsewhere: HSPACE_* in the environment, then --config FILE or ./hspace.ini, then
 * $XDG_CONFIG_HOME/hspace/config.ini.  Keys before the first section are for every command that has
 * the option, those of [COMMAND] for that one; "input" stands for a positional argument. */
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "analysis/cli/internal.h"
#include "core/base/alloc.h"

typedef struct {
    hs_cmd *c;
    const char *path;
    hs_from from;
    int rc;
} reader;

/* Options that make no sense in a file or an environment. */
static int is_for_arguments_only(const char *name)
{
    return strcmp(name, "config") == 0 || strcmp(name, "print-config") == 0 || strcmp(name, "help") == 0 ||
           strcmp(name, "version") == 0;
}

static int is_command(const char *name)
{
    for (size_t i = 0; hs_commands[i] != NULL; i++) {
        if (strcmp(hs_commands[i]->name, name) == 0) {
            return 1;
        }
    }
    return 0;
}

static int some_command_has(const char *key)
{
    for (size_t i = 0; hs_commands[i] != NULL; i++) {
        for (size_t k = 0; hs_command_opt(hs_commands[i], k) != NULL; k++) {
            if (strcmp(hs_command_opt(hs_commands[i], k)->name, key) == 0) {
                return 1;
            }
        }
    }
    return 0;
}

HS_CHECKED static int unknown_key(const reader *r, const char *section, const char *key)
{
    const char *names[128];
    size_t n = 0;
    for (; n < r->c->n_val && n < 128; n++) {
        names[n] = r->c->val[n].opt->name;
    }
    const char *near = hs_help_nearest(key, names, n);
    return hs_fail(HS_ERANGE, "%.200s: %s%.80s%s%.80s: unknown option; %s%s%s", r->path, section[0] ? "[" : "", section,
                   section[0] ? "] " : "", key, near != NULL ? "did you mean " : "hspace COMMAND --help lists them",
                   near != NULL ? near : "", near != NULL ? "?" : "");
}

HS_CHECKED static int add_input(reader *r, const char *value)
{
    hs_cmd *c = r->c;
    if (c->n_input > 0 && c->input_from > r->from) {
        return HS_OK;
    }
    char **input = realloc(c->input, (c->n_input + 1) * sizeof *input);
    if (input == NULL) {
        return hs_fail(HS_ENOMEM, "%s: out of memory", r->path);
    }
    c->input = input;
    c->input_from = r->from;
    int rc = hs_strdup(value, &c->input[c->n_input]);
    c->n_input += rc == HS_OK;
    return rc;
}

HS_CHECKED static int take_pair(reader *r, const char *section, const char *key, const char *value)
{
    int mine = strcmp(section, r->c->def->name) == 0;
    if (section[0] != '\0' && !is_command(section)) {
        return hs_fail(HS_ERANGE, "%.200s: [%.80s]: unknown section; wanted the name of a command", r->path, section);
    }
    if (section[0] != '\0' && !mine) {
        return HS_OK;
    }
    if (mine && strcmp(key, "input") == 0) {
        return add_input(r, value);
    }
    hs_val *v = hs_val_find(r->c, key);
    if (v == NULL && !mine && some_command_has(key)) {
        return HS_OK;
    }
    if (v == NULL || is_for_arguments_only(key)) {
        return unknown_key(r, section, key);
    }
    char where[320];
    snprintf(where, sizeof where, "%.200s: %.80s", r->path, key);
    return hs_val_set(v, value, r->from, where);
}

static int on_pair(void *user, const char *section, const char *key, const char *value)
{
    reader *r = user;
    if (r->rc == HS_OK) {
        r->rc = take_pair(r, section, key, value);
    }
    return r->rc == HS_OK;
}

/* optional: a file that isn't there is no error. */
HS_CHECKED static int read_ini(hs_cmd *c, const char *path, hs_from from, int optional)
{
    reader r = {.c = c, .path = path, .from = from};
    struct stat st;
    if (stat(path, &st) != 0) {
        return optional ? HS_OK : hs_fail_errno(path, "open");
    }
    if (!S_ISREG(st.st_mode)) {
        return hs_fail(HS_EFORMAT, "%s: not a regular file; wanted an INI file", path);
    }
    int bad = ini_parse(path, on_pair, &r);
    if (r.rc != HS_OK || bad == 0) {
        return r.rc;
    }
    return bad > 0 ? hs_fail(HS_EFORMAT, "%s: line %d is no \"key = value\" of at most 190 bytes", path, bad)
                   : hs_fail_errno(path, "read");
}

HS_CHECKED static int read_environment(hs_cmd *c)
{
    for (size_t i = 0; i < c->n_val; i++) {
        char name[96] = "HSPACE_";
        size_t len = strlen(name);
        const char *opt = c->val[i].opt->name;
        for (size_t k = 0; opt[k] != '\0' && len + 1 < sizeof name; k++) {
            name[len++] = opt[k] == '-' ? '_' : (char)toupper((unsigned char)opt[k]);
        }
        name[len] = '\0';
        const char *value = getenv(name);
        int usable = value != NULL && value[0] != '\0' && (!is_for_arguments_only(opt) || strcmp(opt, "config") == 0);
        int rc = usable ? hs_val_set(&c->val[i], value, HS_FROM_ENV, name) : HS_OK;
        if (rc != HS_OK) {
            return rc;
        }
    }
    return HS_OK;
}

HS_CHECKED static int read_xdg(hs_cmd *c)
{
    hs_str path = {0};
    const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (base != NULL && base[0] == '/') {
        hs_str_addf(&path, "%s/hspace/config.ini", base);
    } else if (home != NULL && home[0] == '/') {
        hs_str_addf(&path, "%s/.config/hspace/config.ini", home);
    }
    int rc = hs_str_ok(&path);
    if (rc == HS_OK && path.len > 0) {
        rc = read_ini(c, path.s, HS_FROM_XDG, 1);
    }
    hs_str_free(&path);
    return rc;
}

int hs_config_apply(hs_cmd *c)
{
    int rc = HS_OK;
    HS_TRY(read_environment(c));
    if (hs_cmd_str(c, "config") != NULL) {
        HS_TRY(read_ini(c, hs_cmd_str(c, "config"), HS_FROM_INI, 0));
    } else {
        HS_TRY(read_ini(c, "hspace.ini", HS_FROM_INI, 1));
        HS_TRY(read_xdg(c));
    }
out:
    return rc;
}

/* One line; refuses what an INI file cannot hold. */
HS_CHECKED static int put_pair(hs_str *out, const char *key, const char *value)
{
    size_t len = strlen(value);
    int edges = len > 0 && (isspace((unsigned char)value[0]) || isspace((unsigned char)value[len - 1]));
    if (edges || strlen(key) + len > 190 || strpbrk(value, "\r\n") != NULL || strstr(value, " ;") != NULL) {
        return hs_fail(HS_ERANGE, "--print-config: --%s: an INI line cannot hold '%.80s'", key, value);
    }
    hs_str_addf(out, "%s = %s\n", key, value);
    return HS_OK;
}

HS_CHECKED static int put_value(hs_str *out, const hs_val *v)
{
    int rc = HS_OK;
    switch (v->opt->type) {
    case HS_OPT_FLAG: HS_TRY(put_pair(out, v->opt->name, v->flag ? "true" : "false")); break;
    case HS_OPT_LIST:
        for (size_t i = 0; i < v->n; i++) {
            HS_TRY(put_pair(out, v->opt->name, v->item[i]));
        }
        break;
    case HS_OPT_GRID:
        if (v->n == 1 && strlen(v->item[0]) < 150) {
            HS_TRY(put_pair(out, v->opt->name, v->item[0]));
            break;
        }
        for (size_t i = 0; i < v->n_grid; i++) {
            hs_str_addf(out, "%s = %.17g\n", v->opt->name, v->grid[i]);
        }
        break;
    default:
        if (v->set) {
            HS_TRY(put_pair(out, v->opt->name, v->text));
        }
    }
out:
    return rc;
}

int hs_config_print(const hs_cmd *c, hs_str *out)
{
    int rc = HS_OK;
    hs_str_addf(out, "[%s]\n", c->def->name);
    for (size_t i = 0; i < c->n_input; i++) {
        HS_TRY(put_pair(out, "input", c->input[i]));
    }
    for (size_t i = 0; i < c->n_val; i++) {
        if (!is_for_arguments_only(c->val[i].opt->name)) {
            HS_TRY(put_value(out, &c->val[i]));
        }
    }
    HS_TRY(hs_str_ok(out));
out:
    return rc;
}
