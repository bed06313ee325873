#include "core/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"

enum { MESSAGE_MAX = 400 };

static _Thread_local char message[MESSAGE_MAX + 1];

static void set_message(const char *raw)
{
    hs_text_escape(raw, message, sizeof message);
}

int hs_fail(int code, const char *fmt, ...)
{
    char raw[2 * MESSAGE_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(raw, sizeof raw, fmt, ap);
    va_end(ap);
    set_message(raw);
    return code;
}

int hs_fail_in(int code, const char *where)
{
    if (code == HS_OK) {
        return code;
    }
    char raw[2 * MESSAGE_MAX];
    snprintf(raw, sizeof raw, "%.300s: %s", where, message);
    set_message(raw);
    return code;
}

int hs_fail_errno(const char *where, const char *what)
{
    int saved = errno;
    return hs_fail(saved == ENOMEM ? HS_ENOMEM : HS_EIO, "%s: %s: %s", where, what, strerror(saved));
}

const char *hs_error_message(void)
{
    return message;
}

int hs_exit_code(int status)
{
    switch (status) {
    case HS_OK: return 0;
    case HS_ERANGE:
    case HS_ESHAPE: return 2;
    case HS_EFORMAT: return 3;
    case HS_ELIMIT:
    case HS_ENOMEM: return 4;
    case HS_EIO: return 5;
    case HS_EDEGENERATE:
    case HS_ENOCONV: return 6;
    case HS_ECHECKSUM: return 7;
    case HS_ELOCKED: return 8;
    case HS_ESTOPPED: return 75;
    default: return 1;
    }
}
