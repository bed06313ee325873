#include "core/io/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOCK_TRIES = 10 };

/* A writer that was killed may hold the lock for a moment more, through a child of its own.  The file that was
 * locked must still be the one of that name: its last owner may have removed it. */
int hs_lock_take(const char *lock_path, const char *what, int *fd)
{
    for (int tries = 0;;) {
        struct stat mine, now;
        int lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (lock < 0) {
            return hs_fail_errno(lock_path, "creating the lock");
        }
        if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
            int e = errno;
            close(lock);
            errno = e;
            if (e == EWOULDBLOCK && ++tries < LOCK_TRIES) {
                usleep(20000);
                continue;
            }
            return e == EWOULDBLOCK ? hs_fail(HS_ELOCKED, "%s: another run is writing this store", what)
                                    : hs_fail_errno(lock_path, "locking");
        }
        if (fstat(lock, &mine) == 0 && stat(lock_path, &now) == 0 && mine.st_ino == now.st_ino &&
            mine.st_dev == now.st_dev) {
            *fd = lock;
            return HS_OK;
        }
        close(lock);
    }
}

void hs_lock_drop(const char *lock_path, int fd)
{
    if (fd >= 0) {
        unlink(lock_path);
        close(fd);
    }
}
