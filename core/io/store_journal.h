/* The journal of an unfinished store: which units count.  Private to the store.
 *
 * PATH.journal: a header of 128 bytes, rewritten in place (it lies within one sector), then from
 * byte 512 on records of 64 bytes (eight to a sector, so none straddles one).  A unit counts when a
 * record of it, with a right CRC and behind none with a wrong one, is on the disk.  The header
 * names the store, the writer (0; further writers of disjoint units would have journals of their
 * own), and an epoch that every opening raises: a writer whose epoch was overtaken stops.
 * All little-endian. */
#ifndef HS_IO_STORE_JOURNAL_H
#define HS_IO_STORE_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/sha256.h"

typedef struct {
    uint32_t magic, writer;
    uint64_t epoch, unit, first, count; /* samples first ... first + count - 1; count 0: the unit counts no more */
    uint32_t data_crc;                  /* CRC-32C of the CRCs of the unit's cells */
    uint32_t reserved[4], crc;          /* of the 60 bytes before */
} hs_journal_record;

typedef struct {
    int fd;
    char *path;
    char store_id[HS_SHA256_HEX];
    uint64_t epoch, units, end; /* end: where the next record goes */
    int clean;                  /* the writer before closed it in order */
} hs_journal;

/* Reads the journal at PATH: for each unit with a record, crc[unit] and done[unit] = 1 (both of
 * length units).  A journal that is absent, of another store or has a damaged header counts for nothing.
 * writable: truncates after the last good record, raises the epoch, creates it when it counts for
 * nothing; syncs.  HS_EIO. */
HS_CHECKED int hs_journal_open(const char *path, const char *store_id, uint64_t units, int writable, hs_journal *j,
                               unsigned char *done, uint32_t *crc);
/* Appends n records and syncs.  HS_ELOCKED: overtaken by another writer. */
HS_CHECKED int hs_journal_append(hs_journal *j, hs_journal_record *r, size_t n);
/* Marks an orderly end. */
HS_CHECKED int hs_journal_finish(hs_journal *j);
void hs_journal_close(hs_journal *j);

#endif
