/* Zip archives of stored entries, as PyTorch and numpy write them, over bytes in memory; nothing is
 * ever unpacked to disk and names are keys only.  Source: PKWARE APPNOTE 6.3.10.
 *
 * The directory is audited here, byte by byte, since libzip accepts more than the subset below; the
 * entries are then read through libzip, which must find the same names, sizes and bytes and tests the
 * checksums.  So two readers agree on every byte that is used, and no storage is copied.
 *
 * A strict subset: no compression (so nothing expands), no encryption, no comment, one disk; the
 * archive is the whole file; local headers agree with the directory; entries follow each other
 * without overlap and with no room between them but a data descriptor's; names are UTF-8, relative,
 * without "..", backslash or control characters, and unique.  ZIP64 is read. */
#ifndef HS_IO_ZIPDIR_H
#define HS_IO_ZIPDIR_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/io/file.h"

enum { HS_ZIP_ENTRIES_MAX = 50000, HS_ZIP_NAME_MAX = 1024 };

typedef struct {
    const char *name;
    const unsigned char *bytes; /* borrowed from the archive */
    size_t size;
    uint32_t crc;
    size_t index; /* its place in the directory, which is libzip's index */
    int checked;  /* libzip read it, and its checksum is right */
} hs_zip_entry;

typedef struct hs_zip hs_zip;

/* *out <- the archive's directory; bytes are borrowed.  HS_EFORMAT, HS_ELIMIT (too many entries),
 * HS_ENOMEM.  Cost O(n log n) whatever the sizes say. */
HS_CHECKED int hs_zip_parse(const unsigned char *bytes, size_t len, hs_zip **out);
size_t hs_zip_count(const hs_zip *z);
const hs_zip_entry *hs_zip_at(const hs_zip *z, size_t i); /* in name order */
/* *out <- the entry of this name, read through libzip once; NULL if there is none.  HS_EFORMAT (also
 * when the checksum is wrong), HS_ENOMEM.  Cost O(size) the first time. */
HS_CHECKED int hs_zip_find(hs_zip *z, const char *name, const hs_zip_entry **out);
void hs_zip_free(hs_zip *z);

/* PATH <- n stored entries (name, bytes, size), written atomically; data start at multiples of 64
 * bytes.  HS_ERANGE when it exists and force is 0, HS_ELIMIT when it would need ZIP64, HS_EIO. */
HS_CHECKED int hs_zip_write(const char *path, size_t n, const hs_zip_entry *entry, int force);

#endif
