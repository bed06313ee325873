/* What a command asks about its arguments. */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "analysis/cli/internal.h"

static const hs_val *need(const hs_cmd *c, const char *name)
{
    const hs_val *v = hs_val_find(c, name);
    assert(v != NULL);
    return v;
}

int hs_cmd_given(const hs_cmd *c, const char *opt)
{
    return need(c, opt)->from != HS_FROM_DEFAULT;
}

int hs_cmd_flag(const hs_cmd *c, const char *opt)
{
    return need(c, opt)->flag;
}

const char *hs_cmd_str(const hs_cmd *c, const char *opt)
{
    return need(c, opt)->text;
}

int64_t hs_cmd_int(const hs_cmd *c, const char *opt)
{
    return need(c, opt)->whole;
}

double hs_cmd_num(const hs_cmd *c, const char *opt)
{
    return need(c, opt)->number;
}

size_t hs_cmd_list(const hs_cmd *c, const char *opt, const char *const **items)
{
    const hs_val *v = need(c, opt);
    if (items != NULL) {
        *items = (const char *const *)v->item;
    }
    return v->n;
}

size_t hs_cmd_grid(const hs_cmd *c, const char *opt, const double **values)
{
    const hs_val *v = need(c, opt);
    if (values != NULL) {
        *values = v->grid;
    }
    return v->n_grid;
}

size_t hs_cmd_inputs(const hs_cmd *c, const char *const **paths)
{
    if (paths != NULL) {
        *paths = (const char *const *)c->input;
    }
    return c->n_input;
}

const char *hs_cmd_out(const hs_cmd *c)
{
    return hs_cmd_str(c, "output");
}

int hs_cmd_force(const hs_cmd *c)
{
    return hs_cmd_flag(c, "force");
}

int hs_cmd_dry_run(const hs_cmd *c)
{
    return hs_cmd_flag(c, "dry-run");
}

uint64_t hs_cmd_seed(const hs_cmd *c)
{
    return (uint64_t)hs_cmd_int(c, "seed");
}

const hs_progress *hs_cmd_progress(const hs_cmd *c)
{
    return &c->progress;
}

const char *hs_cmd_line(const hs_cmd *c)
{
    return c->line.s != NULL ? c->line.s : "";
}

int hs_cmd_need(const hs_cmd *c, const char *opt)
{
    const hs_val *v = need(c, opt);
    if (v->set) {
        return HS_OK;
    }
    return hs_fail(HS_ERANGE, "%s: no --%s; usage: hspace %s %s", c->def->name, opt, c->def->name, c->def->usage);
}

int hs_cmd_need_out(const hs_cmd *c)
{
    if (hs_cmd_out(c) != NULL || hs_cmd_flag(c, "json")) {
        return HS_OK;
    }
    return hs_fail(HS_ERANGE, "%s: no -o; usage: hspace %s %s", c->def->name, c->def->name, c->def->usage);
}

/* The folder that will hold path exists. */
HS_CHECKED static int check_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char folder[4096];
    struct stat st;
    if (slash == NULL || slash == path) {
        return HS_OK;
    }
    size_t len = (size_t)(slash - path);
    if (len >= sizeof folder) {
        return hs_fail(HS_ERANGE, "%.200s...: path of %zu bytes; wanted fewer than 4096", path, strlen(path));
    }
    memcpy(folder, path, len);
    folder[len] = '\0';
    if (stat(folder, &st) != 0) {
        return hs_fail_errno(path, "its folder");
    }
    return S_ISDIR(st.st_mode) ? HS_OK : hs_fail(HS_EIO, "%s: %s is not a folder", path, folder);
}

int hs_cmd_check_file(const hs_cmd *c, const char *path)
{
    struct stat st, in;
    if (path == NULL) {
        return HS_OK;
    }
    if (lstat(path, &st) != 0) {
        return check_folder(path);
    }
    if (S_ISDIR(st.st_mode)) {
        return hs_fail(HS_ERANGE, "%s: is a folder; wanted the name of a file", path);
    }
    for (size_t i = 0; i < c->n_input; i++) {
        if (stat(c->input[i], &in) == 0 && in.st_dev == st.st_dev && in.st_ino == st.st_ino) {
            return hs_fail(HS_ERANGE, "%s: is also an input; wanted another name for the output", path);
        }
    }
    return hs_cmd_force(c) ? HS_OK : hs_fail(HS_ERANGE, "%s: exists; use -f to replace it or another name", path);
}
