#include "core/base/log.h"

#include <stdarg.h>
#include <stdio.h>

static hs_log_sink log_sink;
static void *log_ctx;

void hs_log_set(hs_log_sink sink, void *ctx)
{
    log_sink = sink;
    log_ctx = ctx;
}

void hs_log(hs_log_level level, const char *fmt, ...)
{
    if (log_sink == NULL) {
        return;
    }
    char line[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    log_sink(log_ctx, level, line);
}

int hs_progress_tell(const hs_progress *p, const char *what, size_t done, size_t total)
{
    if (p != NULL && p->tell != NULL && p->tell(p->ctx, what, done, total) != 0) {
        return hs_fail(HS_ESTOPPED, "stopped after %zu of %zu; the same command continues", done, total);
    }
    return HS_OK;
}
