#include "core/io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"

enum { READ_FLAGS = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY };

static const char *kind_of(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFDIR: return "a folder";
    case S_IFIFO: return "a FIFO";
    case S_IFSOCK: return "a socket";
    case S_IFLNK: return "a symbolic link";
    default: return "a device";
    }
}

/* Takes over fd; errno is that of the open when fd < 0. */
static int accept_fd(int fd, const char *path, hs_file *out)
{
    if (fd < 0) {
        if (errno == ENXIO) {
            return hs_fail(HS_EFORMAT, "%s: is a socket or a dead device; only regular files are read", path);
        }
        if (errno == ELOOP) {
            return hs_fail(HS_EFORMAT, "%s: is a symbolic link; it isn't followed", path);
        }
        return hs_fail_errno(path, "cannot be opened");
    }
    struct stat st;
    int rc = HS_OK;
    if (fstat(fd, &st) != 0) {
        rc = hs_fail_errno(path, "cannot be examined");
    } else if (!S_ISREG(st.st_mode)) {
        rc = hs_fail(HS_EFORMAT, "%s: is %s; only regular files are read", path, kind_of(st.st_mode));
    }
    if (rc != HS_OK) {
        close(fd);
        return rc;
    }
    *out = (hs_file){fd, (uint64_t)st.st_size};
    return HS_OK;
}

int hs_file_open(const char *path, hs_file *out)
{
    return accept_fd(open(path, READ_FLAGS), path, out);
}

/* *out (free()) <- the folder of path, "." without a slash. */
static int folder_of(const char *path, char **out)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return hs_strdup(".", out);
    }
    int rc = hs_strdup(path, out);
    if (rc == HS_OK) {
        (*out)[slash == path ? 1 : slash - path] = '\0';
    }
    return rc;
}

static int is_base_name(const char *name)
{
    return name[0] != '\0' && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && strpbrk(name, "/\\:") == NULL;
}

int hs_file_open_beside(const char *path, const char *name, hs_file *out)
{
    if (!is_base_name(name)) {
        return hs_fail(HS_EFORMAT, "\"%s\" is not a plain file name; nothing outside the folder is opened", name);
    }
    char *folder;
    int rc = HS_OK, dir = -1;
    HS_TRY(folder_of(path, &folder));
    dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        rc = hs_fail_errno(folder, "cannot be opened");
        goto out;
    }
    HS_TRY(accept_fd(openat(dir, name, READ_FLAGS | O_NOFOLLOW), name, out));
out:
    if (dir >= 0) {
        close(dir);
    }
    free(folder);
    return rc;
}

int hs_file_read_at(const hs_file *f, const char *path, uint64_t offset, void *buf, size_t len)
{
    unsigned char *p = buf;
    size_t done = 0;
    while (done < len) {
        size_t want = len - done < (1u << 30) ? len - done : 1u << 30;
        ssize_t n = pread(f->fd, p + done, want, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return hs_fail_errno(path, "cannot be read");
        }
        if (n == 0) {
            return hs_fail(HS_EIO, "%s: ends at byte %llu while being read; it had %llu bytes when opened", path,
                           (unsigned long long)(offset + done), (unsigned long long)f->size);
        }
        done += (size_t)n;
    }
    return HS_OK;
}

void hs_file_close(hs_file *f)
{
    if (f->fd >= 0) {
        close(f->fd);
        f->fd = -1;
    }
}

int hs_file_fits_memory(uint64_t bytes)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    uint64_t have = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : UINT64_MAX;
    if (bytes > have) {
        return hs_fail(HS_ELIMIT, "%llu bytes are more than this machine's memory (%llu)", (unsigned long long)bytes,
                       (unsigned long long)have);
    }
    return HS_OK;
}

int hs_file_read(const char *path, size_t max, unsigned char **bytes, size_t *len)
{
    hs_file f = {-1, 0};
    unsigned char *p = NULL;
    int rc = HS_OK;
    HS_TRY(hs_file_open(path, &f));
    if (f.size > max) {
        rc = hs_fail(HS_ELIMIT, "%s: %llu bytes; the limit is %zu", path, (unsigned long long)f.size, max);
        goto out;
    }
    rc = hs_fail_in(hs_file_fits_memory(f.size), path);
    HS_TRY(rc);
    HS_TRY(hs_alloc((size_t)f.size, 1, &p));
    HS_TRY(hs_file_read_at(&f, path, 0, p, (size_t)f.size));
    *bytes = p;
    *len = (size_t)f.size;
    p = NULL;
out:
    free(p);
    hs_file_close(&f);
    return rc;
}

int hs_file_sha256(const char *path, char hex[HS_SHA256_HEX])
{
    enum { BLOCK = 1 << 20 };
    hs_file f = {-1, 0};
    hs_sha256 *h = NULL;
    unsigned char *block = NULL;
    int rc = HS_OK;
    HS_TRY(hs_file_open(path, &f));
    HS_TRY(hs_alloc(BLOCK, 1, &block));
    HS_TRY(hs_sha256_new(&h));
    for (uint64_t at = 0; at < f.size; at += BLOCK) {
        size_t n = f.size - at < BLOCK ? (size_t)(f.size - at) : BLOCK;
        HS_TRY(hs_file_read_at(&f, path, at, block, n));
        HS_TRY(hs_sha256_add(h, block, n));
    }
    HS_TRY(hs_sha256_hex(h, hex));
out:
    hs_sha256_free(h);
    free(block);
    hs_file_close(&f);
    return rc;
}

struct hs_outfile {
    char *path, *temp;
    int fd, force, committed;
};

static int may_replace(const char *path, int force)
{
    struct stat st;
    if (lstat(path, &st) != 0) {
        return HS_OK; /* absent; whatever else is wrong the open will tell */
    }
    if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode)) {
        return hs_fail(HS_ERANGE, "%s: is %s; not replaced by a file", path, kind_of(st.st_mode));
    }
    return force ? HS_OK : hs_fail(HS_ERANGE, "%s: exists; use -f", path);
}

int hs_outfile_begin(const char *path, int force, hs_outfile **out)
{
    enum { TRIES = 1000 };
    hs_outfile *f = NULL;
    int rc = HS_OK;
    HS_TRY(may_replace(path, force));
    HS_TRY(hs_calloc(1, sizeof *f, &f));
    f->fd = -1;
    f->force = force;
    HS_TRY(hs_strdup(path, &f->path));
    size_t room = strlen(path) + 48;
    HS_TRY(hs_alloc(room, 1, &f->temp));
    for (unsigned i = 0; f->fd < 0 && i < TRIES; i++) {
        snprintf(f->temp, room, "%s.%ld.%u.tmp", path, (long)getpid(), i);
        f->fd = open(f->temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (f->fd < 0 && errno != EEXIST) {
            break;
        }
    }
    if (f->fd < 0) {
        rc = hs_fail_errno(f->temp, "cannot be created");
        goto out;
    }
    *out = f;
    f = NULL;
out:
    hs_outfile_free(f);
    return rc;
}

/* Of the len bytes at name: without ".DIGITS" at their end; len where there is none. */
static size_t without_number(const char *name, size_t len)
{
    size_t at = len;
    while (at > 0 && name[at - 1] >= '0' && name[at - 1] <= '9') {
        at--;
    }
    return at < len && at > 0 && name[at - 1] == '.' ? at - 1 : len;
}

int hs_outfile_is_left(const char *name)
{
    size_t len = strlen(name);
    if (len <= 4 || strcmp(name + len - 4, ".tmp") != 0) {
        return 0;
    }
    size_t once = without_number(name, len - 4), twice = without_number(name, once);
    int figure = strncmp(name, ".hspace-figure.", 15) == 0 && once < len - 4;
    return figure || (once < len - 4 && twice < once && twice > 0);
}

int hs_outfile_write(hs_outfile *f, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    while (len > 0) {
        ssize_t n = write(f->fd, p, len < (1u << 30) ? len : 1u << 30);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return hs_fail_errno(f->path, "cannot be written");
        }
        p += n;
        len -= (size_t)n;
    }
    return HS_OK;
}

static int put_in_place(hs_outfile *f)
{
    if (!f->force) {
        if (renameat2(AT_FDCWD, f->temp, AT_FDCWD, f->path, RENAME_NOREPLACE) == 0) {
            return HS_OK;
        }
        if (errno == EEXIST) {
            return hs_fail(HS_ERANGE, "%s: exists; use -f", f->path);
        }
        if (errno != EINVAL && errno != ENOSYS) {
            return hs_fail_errno(f->path, "cannot be put in place");
        }
        int rc = may_replace(f->path, 0); /* a file system without the flag */
        if (rc != HS_OK) {
            return rc;
        }
    }
    return rename(f->temp, f->path) == 0 ? HS_OK : hs_fail_errno(f->path, "cannot be put in place");
}

static int flush_folder(const char *path)
{
    char *folder;
    int rc = folder_of(path, &folder);
    if (rc != HS_OK) {
        return rc;
    }
    int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* Some file systems can't flush a folder; that is no failure of the write. */
    if (dir >= 0 && fsync(dir) != 0 && errno != EINVAL && errno != EROFS) {
        rc = hs_fail_errno(folder, "cannot be flushed");
    }
    if (dir >= 0) {
        close(dir);
    }
    free(folder);
    return rc;
}

int hs_outfile_commit(hs_outfile *f)
{
    if (fsync(f->fd) != 0) {
        return hs_fail_errno(f->path, "cannot be flushed to the disk");
    }
    int fd = f->fd;
    f->fd = -1;
    if (close(fd) != 0) {
        return hs_fail_errno(f->path, "cannot be closed");
    }
    int rc = put_in_place(f);
    if (rc == HS_OK) {
        f->committed = 1;
        rc = flush_folder(f->path);
    }
    return rc;
}

void hs_outfile_free(hs_outfile *f)
{
    if (f == NULL) {
        return;
    }
    if (f->fd >= 0) {
        close(f->fd);
    }
    if (f->temp != NULL && !f->committed) {
        unlink(f->temp);
    }
    free(f->temp);
    free(f->path);
    free(f);
}

int hs_file_write_atomic(const char *path, const void *bytes, size_t len, int force)
{
    hs_outfile *f = NULL;
    int rc = HS_OK;
    HS_TRY(hs_outfile_begin(path, force, &f));
    HS_TRY(hs_outfile_write(f, bytes, len));
    HS_TRY(hs_outfile_commit(f));
out:
    hs_outfile_free(f);
    return rc;
}
