/* The answer: results, warnings and inputs, and the one JSON object that holds them. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "analysis/cli/internal.h"
#include "core/base/alloc.h"
#include "core/base/sha256.h"

int hs_answer_create(hs_cmd *c)
{
    c->started = hs_clock();
    c->results = json_object();
    c->params = json_object();
    c->inputs = json_array();
    c->warnings = json_array();
    if (c->results == NULL || c->params == NULL || c->inputs == NULL || c->warnings == NULL) {
        return hs_fail(HS_ENOMEM, "hspace: out of memory");
    }
    return HS_OK;
}

void hs_answer_free(hs_cmd *c)
{
    json_decref(c->results);
    json_decref(c->params);
    json_decref(c->inputs);
    json_decref(c->warnings);
}

json_t *hs_answer_params(const hs_cmd *c)
{
    static const char *const skip[] = {"help", "version", "print-config"};
    json_t *params = json_object();
    for (size_t i = 0; i < c->n_val; i++) {
        const char *name = c->val[i].opt->name;
        int skipped = 0;
        for (size_t k = 0; k < 3; k++) {
            skipped |= strcmp(name, skip[k]) == 0;
        }
        if (!skipped) {
            json_object_set_new(params, name, hs_val_json(&c->val[i]));
        }
    }
    json_object_update(params, c->params);
    return params;
}

int hs_answer_print(hs_cmd *c)
{
    json_t *all = json_object();
    json_object_set_new(all, "hspace", json_string(hs_version()));
    json_object_set_new(all, "command", json_string(c->def->name));
    json_object_set_new(all, "params", hs_answer_params(c));
    json_object_set(all, "inputs", c->inputs);
    json_object_set(all, "results", c->results);
    json_object_set(all, "warnings", c->warnings);
    json_object_set_new(all, "wall_s", json_real(hs_clock() - c->started));
    char *text = json_dumps(all, JSON_REAL_PRECISION(17));
    json_decref(all);
    if (text == NULL) {
        return hs_fail(HS_ENOMEM, "--json: out of memory");
    }
    printf("%s\n", text);
    free(text);
    return HS_OK;
}

json_t *hs_cmd_results(hs_cmd *c)
{
    return c->results;
}

json_t *hs_cmd_params(hs_cmd *c)
{
    return c->params;
}

json_t *hs_json_num(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

json_t *hs_json_nums(size_t n, const double *v)
{
    json_t *a = json_array();
    for (size_t i = 0; i < n; i++) {
        json_array_append_new(a, hs_json_num(v[i]));
    }
    return a;
}

json_t *hs_json_estimate(const char *name, double value, double lo, double hi, size_t n, const char *estimator,
                         const char *reason)
{
    json_t *e = json_object();
    json_object_set_new(e, "name", json_string(name));
    json_object_set_new(e, "value", hs_json_num(value));
    int has_ci = !isnan(lo) && !isnan(hi);
    json_object_set_new(e, "ci", has_ci ? json_pack("[oo]", hs_json_num(lo), hs_json_num(hi)) : json_null());
    json_object_set_new(e, "n", json_integer((json_int_t)n));
    json_object_set_new(e, "estimator", json_string(estimator));
    if (!isfinite(value) || !has_ci || reason != NULL) {
        const char *why = reason != NULL ? reason : isfinite(value) ? "no interval" : "undefined";
        json_object_set_new(e, "reason", json_string(why));
    }
    return e;
}

int hs_cmd_input_mark(hs_cmd *c, const char *path, const char *kind, const char *mark)
{
    char safe[1024];
    hs_text_escape(path, safe, sizeof safe);
    json_t *item = json_pack("{s:s, s:s}", "path", safe, kind, mark);
    return json_array_append_new(c->inputs, item) == 0 ? HS_OK : hs_fail(HS_ENOMEM, "%s: out of memory", safe);
}

int hs_cmd_input_sha(hs_cmd *c, const char *path, const char *sha256)
{
    return hs_cmd_input_mark(c, path, "sha256", sha256);
}

HS_CHECKED static int sha_of_fd(int fd, const char *path, char hex[HS_SHA256_HEX])
{
    enum { CHUNK = 1 << 20 };
    hs_sha256 *h = NULL;
    void *buf = NULL;
    int rc = HS_OK;
    HS_TRY(hs_sha256_new(&h));
    HS_TRY(hs_alloc(CHUNK, 1, &buf));
    for (;;) {
        ssize_t n = read(fd, buf, CHUNK);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            rc = hs_fail_errno(path, "read");
            goto out;
        }
        if (n == 0) {
            break;
        }
        HS_TRY(hs_sha256_add(h, buf, (size_t)n));
    }
    HS_TRY(hs_sha256_hex(h, hex));
out:
    free(buf);
    hs_sha256_free(h);
    return rc;
}

int hs_cmd_input(hs_cmd *c, const char *path)
{
    char hex[HS_SHA256_HEX];
    struct stat st;
    if (c->unheard) {
        return HS_OK;
    }
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return hs_fail_errno(path, "open");
    }
    int rc = HS_OK;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        rc = hs_fail(HS_EFORMAT, "%s: not a regular file; wanted a file", path);
    } else {
        rc = sha_of_fd(fd, path, hex);
    }
    close(fd);
    return rc == HS_OK ? hs_cmd_input_sha(c, path, hex) : rc;
}

void hs_cmd_warn(hs_cmd *c, const char *fmt, ...)
{
    char text[800];
    va_list ap;
    (void)c; /* the sink of run.c files it under the invocation's warnings */
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    hs_log(HS_LOG_WARNING, "%s", text);
}

void hs_cmd_say(hs_cmd *c, const char *fmt, ...)
{
    if (hs_cmd_flag(c, "json") || hs_cmd_flag(c, "quiet")) {
        return;
    }
    va_list ap;
    hs_progress_clear();
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
}

void hs_cmd_exit(hs_cmd *c, int code)
{
    c->exit_code = code;
}
