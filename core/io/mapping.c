#include "core/io/mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

int hs_mapping_open(const hs_file *f, const char *path, hs_mapping *out)
{
    struct stat st;
    void *p = MAP_FAILED;
    int rc = HS_OK, fd = -1;
    if (f->size == 0) {
        return hs_fail(HS_ERANGE, "%s: an empty file cannot be mapped", path);
    }
    HS_TRY(hs_file_fits_memory(f->size));
    fd = fcntl(f->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0 || fstat(fd, &st) != 0) {
        rc = hs_fail_errno(path, "cannot be examined");
        goto out;
    }
    if ((uint64_t)st.st_size != f->size) {
        rc = hs_fail(HS_EIO, "%s: changed its size while being read", path);
        goto out;
    }
    p = mmap(NULL, (size_t)f->size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED) {
        rc = hs_fail_errno(path, "cannot be mapped");
        goto out;
    }
    *out = (hs_mapping){p, (size_t)f->size, fd, st.st_mtim};
    fd = -1;
out:
    if (fd >= 0) {
        close(fd);
    }
    return rc;
}

int hs_mapping_check(const hs_mapping *m)
{
    struct stat st;
    if (fstat(m->fd, &st) != 0) {
        return hs_fail_errno("a mapped file", "cannot be examined");
    }
    if ((uint64_t)st.st_size != m->len || st.st_mtim.tv_sec != m->modified.tv_sec ||
        st.st_mtim.tv_nsec != m->modified.tv_nsec) {
        return hs_fail(HS_EIO, "the file was changed while in use (%zu bytes before, %lld now)", m->len,
                       (long long)st.st_size);
    }
    return HS_OK;
}

int hs_mapping_cached(const hs_mapping *m, size_t at)
{
    unsigned char byte;
    struct iovec v = {&byte, 1};
    return preadv2(m->fd, &v, 1, (off_t)at, RWF_NOWAIT) == 1 || errno != EAGAIN;
}

void hs_mapping_fetch(const hs_mapping *m, size_t first, size_t len)
{
#ifdef MADV_POPULATE_READ
    size_t from = first / HS_MAP_WINDOW * HS_MAP_WINDOW;
    size_t to = (first + len + HS_MAP_WINDOW - 1) / HS_MAP_WINDOW * HS_MAP_WINDOW;
    to = to < m->len ? to : m->len;
    (void)madvise((void *)(uintptr_t)(m->bytes + from), to - from, MADV_POPULATE_READ); /* advice */
#else
    (void)m, (void)first, (void)len;
#endif
}

void hs_mapping_drop_part(const hs_mapping *m, size_t first, size_t len)
{
    size_t from = first / HS_MAP_WINDOW * HS_MAP_WINDOW, to = (first + len) / HS_MAP_WINDOW * HS_MAP_WINDOW;
    if (from < to) {
        (void)madvise((void *)(uintptr_t)(m->bytes + from), to - from, MADV_DONTNEED);
    }
}

void hs_mapping_drop(const hs_mapping *m)
{
    (void)madvise((void *)(uintptr_t)m->bytes, m->len, MADV_DONTNEED); /* advice: not taking it is no error */
}

void hs_mapping_close(hs_mapping *m)
{
    if (m->bytes != NULL) {
        munmap((void *)(uintptr_t)m->bytes, m->len);
        close(m->fd);
        *m = (hs_mapping){0};
    }
}
