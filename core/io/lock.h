/* A lock that a process holds while it writes: flock on a file of its own beside what is written, which
 * the kernel drops with the process, however it ends. */
#ifndef HS_IO_LOCK_H
#define HS_IO_LOCK_H

#include "core/base/error.h"

/* *fd <- LOCK_PATH, made where absent and held by this process alone.  what: whose lock it is, for the message.
 * HS_ELOCKED: another process holds it; HS_EIO. */
HS_CHECKED int hs_lock_take(const char *lock_path, const char *what, int *fd);
/* Removes the file and lets go; nothing for fd < 0. */
void hs_lock_drop(const char *lock_path, int fd);

#endif
