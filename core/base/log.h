/* The log and progress sinks: where the library's remarks go is the program's business.
 * Without a sink, nothing is written. */
#ifndef HS_BASE_LOG_H
#define HS_BASE_LOG_H

#include <stddef.h>

#include "core/base/error.h"

typedef enum { HS_LOG_WARNING, HS_LOG_INFO, HS_LOG_DEBUG } hs_log_level;
typedef void (*hs_log_sink)(void *ctx, hs_log_level level, const char *message);

/* Set before threads start; NULL switches the log off. */
void hs_log_set(hs_log_sink sink, void *ctx);
void hs_log(hs_log_level level, const char *fmt, ...) HS_PRINTF(2, 3);

/* Progress of one long piece of work.  The sink is told what is done of how much; it decides how
 * often to draw.  Returning non-zero asks the work to stop at its next safe point, which then
 * ends with HS_ESTOPPED.  A long function takes a const hs_progress * (NULL: silent). */
typedef struct {
    int (*tell)(void *ctx, const char *what, size_t done, size_t total);
    void *ctx;
} hs_progress;

/* HS_OK, or HS_ESTOPPED when the sink asked to stop.  p may be NULL. */
HS_CHECKED int hs_progress_tell(const hs_progress *p, const char *what, size_t done, size_t total);

#endif
