#include "core/io/h5file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/text.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "files hold little-endian data written as it lies in memory");

void hs_h5_begin(void)
{
    /* Files whose closing failed (a full disk) crash the library when it closes them again at exit. */
    H5dont_atexit();
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    H5PLset_loading_state(0);
    struct sigaction old;
    if (sigaction(SIGXFSZ, NULL, &old) == 0 && old.sa_handler == SIG_DFL) {
        signal(SIGXFSZ, SIG_IGN);
    }
}

hid_t hs_h5_plist(hid_t class_id)
{
    hid_t p = H5Pcreate(class_id);
    if (p >= 0) {
        H5Pset_obj_track_times(p, 0);
    }
    if (p >= 0 && class_id != H5P_DATASET_CREATE) {
        H5Pset_link_creation_order(p, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
    }
    if (p >= 0) {
        /* In the object header, which has a checksum, and where a value lies can be foretold. */
        H5Pset_attr_phase_change(p, 2000, 0);
        H5Pset_attr_creation_order(p, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
    }
    return p;
}

hid_t hs_h5_access(void)
{
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(fapl, H5F_LIBVER_V110, H5F_LIBVER_V110);
    H5Pset_fclose_degree(fapl, H5F_CLOSE_STRONG);
#if H5_VERSION_GE(1, 10, 7)
    H5Pset_file_locking(fapl, 0, 1);
#endif
    return fapl;
}

int hs_h5_create(const char *path, hid_t *file)
{
    hs_h5_begin();
    hid_t fapl = hs_h5_access();
    hid_t fcpl = hs_h5_plist(H5P_FILE_CREATE);
    hid_t f = H5Fcreate(path, H5F_ACC_TRUNC, fcpl, fapl);
    H5Pclose(fapl);
    H5Pclose(fcpl);
    if (f < 0) {
        return hs_fail(HS_EIO, "%s: can't be created", path);
    }
    *file = f;
    return HS_OK;
}

static hid_t half_type(void)
{
    hid_t t = H5Tcopy(H5T_IEEE_F32LE);
    if (t >= 0 && (H5Tset_fields(t, 15, 10, 5, 0, 10) < 0 || H5Tset_precision(t, 16) < 0 || H5Tset_ebias(t, 15) < 0 ||
                   H5Tset_size(t, 2) < 0)) {
        H5Tclose(t);
        return -1;
    }
    return t;
}

hid_t hs_h5_type(hs_dtype t)
{
    switch (t) {
    case HS_F64: return H5Tcopy(H5T_IEEE_F64LE);
    case HS_F32: return H5Tcopy(H5T_IEEE_F32LE);
    case HS_F16: return half_type();
    case HS_I64: return H5Tcopy(H5T_STD_I64LE);
    case HS_I32: return H5Tcopy(H5T_STD_I32LE);
    case HS_I16: return H5Tcopy(H5T_STD_I16LE);
    case HS_I8: return H5Tcopy(H5T_STD_I8LE);
    case HS_U64: return H5Tcopy(H5T_STD_U64LE);
    case HS_U32: return H5Tcopy(H5T_STD_U32LE);
    case HS_U16: return H5Tcopy(H5T_STD_U16LE);
    case HS_U8: return H5Tcopy(H5T_STD_U8LE);
    default: return -1;
    }
}

int hs_h5_dtype(hid_t type, hs_dtype *out)
{
    static const hs_dtype known[] = {HS_F32, HS_F64, HS_F16, HS_I64, HS_I32, HS_I16,
                                     HS_I8,  HS_U64, HS_U32, HS_U16, HS_U8};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        hid_t t = hs_h5_type(known[i]);
        int same = t >= 0 && H5Tequal(t, type) > 0;
        H5Tclose(t);
        if (same) {
            *out = known[i];
            return HS_OK;
        }
    }
    return hs_fail(HS_EFORMAT, "the element type is neither a little-endian IEEE float nor an integer of whole bytes");
}

int hs_h5_utf8(const char *text, char **out)
{
    size_t len = strlen(text), cap = 0;
    if (hs_text_is_utf8(text, len)) {
        return hs_strdup(text, out);
    }
    char *s = NULL;
    int rc = hs_size_mul(len, 4, &cap);
    rc = rc == HS_OK ? hs_size_add(cap, 1, &cap) : rc;
    rc = rc == HS_OK ? hs_alloc(cap, 1, &s) : rc;
    if (rc == HS_OK) {
        hs_text_escape(text, s, cap);
        *out = s;
    }
    return rc;
}

/* *out: the text as it is stored: zero-filled to the slot. */
static int stored_text(const char *text, size_t slot, char **out)
{
    char *s = NULL;
    if (slot == 0) {
        return hs_h5_utf8(text, out);
    }
    int rc = hs_calloc(slot, 1, &s);
    if (rc == HS_OK) {
        size_t len = strlen(text);
        if (hs_text_is_utf8(text, len) && len < slot) {
            memcpy(s, text, len);
        } else {
            hs_text_escape(text, s, slot);
        }
        *out = s;
    }
    return rc;
}

static int write_attr(hid_t object, const char *name, hid_t type, const void *v)
{
    int rc = HS_OK;
    hid_t space = H5Screate(H5S_SCALAR), attr = -1;
    if (H5Aexists(object, name) > 0 && H5Adelete(object, name) < 0) {
        rc = hs_fail(HS_EIO, "attribute %s: can't be replaced", name);
        goto out;
    }
    attr = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    if (attr < 0 || H5Awrite(attr, type, v) < 0) {
        rc = hs_fail(HS_EIO, "attribute %s: can't be written", name);
    }
out:
    if (attr >= 0 && H5Aclose(attr) < 0 && rc == HS_OK) {
        rc = hs_fail(HS_EIO, "attribute %s: can't be written", name);
    }
    H5Sclose(space);
    return rc;
}

int hs_h5_attr_text(hid_t object, const char *name, const char *text, size_t slot)
{
    int rc = HS_OK;
    char *s = NULL;
    hid_t type = H5Tcopy(H5T_C_S1);
    HS_TRY(stored_text(text, slot, &s));
    H5Tset_size(type, slot == 0 ? H5T_VARIABLE : slot);
    H5Tset_cset(type, H5T_CSET_UTF8);
    H5Tset_strpad(type, H5T_STR_NULLTERM);
    HS_TRY(write_attr(object, name, type, slot == 0 ? (const void *)&s : s));
out:
    H5Tclose(type);
    free(s);
    return rc;
}

int hs_h5_attr_f64(hid_t object, const char *name, double v)
{
    return write_attr(object, name, H5T_IEEE_F64LE, &v);
}

int hs_h5_attr_i64(hid_t object, const char *name, int64_t v)
{
    return write_attr(object, name, H5T_STD_I64LE, &v);
}

int hs_pwrite_all(int fd, const void *bytes, size_t len, uint64_t offset, const char *path)
{
    const char *p = bytes;
    while (len > 0) {
        ssize_t put = pwrite(fd, p, len, (off_t)offset);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            errno = put == 0 ? ENOSPC : errno;
            return hs_fail_errno(path, "writing");
        }
        p += put;
        offset += (uint64_t)put;
        len -= (size_t)put;
    }
    return HS_OK;
}

int hs_pread_all(int fd, void *bytes, size_t len, uint64_t offset, const char *path)
{
    char *p = bytes;
    while (len > 0) {
        ssize_t got = pread(fd, p, len, (off_t)offset);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return hs_fail_errno(path, "reading");
        }
        if (got == 0) {
            return hs_fail(HS_ECHECKSUM, "%s: cut off: ends before byte %llu", path,
                           (unsigned long long)(offset + len));
        }
        p += got;
        offset += (uint64_t)got;
        len -= (size_t)got;
    }
    return HS_OK;
}

int hs_sync_folder(const char *path)
{
    int rc = HS_OK, fd = -1;
    char *folder = NULL;
    HS_TRY(hs_strdup(path, &folder));
    char *slash = strrchr(folder, '/');
    if (slash != NULL) {
        slash[slash == folder] = '\0';
    }
    const char *name = slash != NULL ? folder : ".";
    fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || (fsync(fd) != 0 && errno != EINVAL)) {
        rc = hs_fail_errno(name, "syncing the folder");
    }
out:
    if (fd >= 0) {
        close(fd);
    }
    free(folder);
    return rc;
}

int hs_publish(const char *from, const char *to)
{
    int fd = open(from, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return hs_fail_errno(from, "opening");
    }
    int failed = fsync(fd) != 0;
    failed = (failed ? (void)close(fd), 1 : close(fd) != 0);
    if (failed) {
        return hs_fail_errno(from, "syncing");
    }
    if (rename(from, to) != 0) {
        return hs_fail_errno(to, "renaming the finished file");
    }
    return hs_sync_folder(to);
}
