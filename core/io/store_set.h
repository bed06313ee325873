/* A store open for reading: one file, or the shards that make one up.  Private to the store. */
#ifndef HS_IO_STORE_SET_H
#define HS_IO_STORE_SET_H

#include "core/io/store_file.h"

struct hs_store {
    hs_store_file file; /* of shards: of the whole, without places */
    char *path;
    int fd;
    size_t n_shards; /* 0: one file */
    hs_store **shard;
    size_t *first; /* (n_shards) the sample of the whole that each begins with */
};

/* hs_store_open of one file alone: HS_ERANGE for an index. */
HS_CHECKED int hs_store_open_one(const char *path, hs_store **out);
/* The shards that the index s names, beside it, take the place of its own arrays.  HS_EFORMAT unless they are
 * all there, sealed, and make up what the index says. */
HS_CHECKED int hs_store_set_follow(hs_store *s);

#endif
