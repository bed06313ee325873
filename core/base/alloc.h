/* Memory: every size is computed with checked arithmetic, every block is 64-byte aligned. */
#ifndef HS_BASE_ALLOC_H
#define HS_BASE_ALLOC_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

enum { HS_ALIGN = 64 }; /* bytes; one cache line, one AVX-512 register */

/* *out <- a + b, a * b; HS_ELIMIT on overflow, *out untouched. */
HS_CHECKED int hs_size_add(size_t a, size_t b, size_t *out);
HS_CHECKED int hs_size_mul(size_t a, size_t b, size_t *out);

/* *out <- product of dim[0..rank); 1 for rank 0.  A zero factor gives 0 only if the product of
 * the others fits too, so that no later multiplication can wrap. */
HS_CHECKED int hs_size_product(size_t rank, const uint64_t *dim, size_t *out);

/* *out <- n * size bytes, 64-byte aligned, uninitialised; free with free().  n * size = 0 gives a
 * valid pointer.  HS_ENOMEM (which names the bytes) or HS_ELIMIT (overflow), *out = NULL. */
HS_CHECKED int hs_alloc(size_t n, size_t size, void *out);
/* Asks for large pages under memory of hs_alloc that nothing has touched yet and that will be swept through often. */
void hs_alloc_sweeping(void *p, size_t bytes);
/* The same as hs_alloc, zeroed. */
HS_CHECKED int hs_calloc(size_t n, size_t size, void *out);
/* *out <- a copy of the terminated string; free with free(). */
HS_CHECKED int hs_strdup(const char *s, char **out);
/* Frees n strings and their list; NULL is passed over. */
void hs_strings_free(size_t n, char **list);

/* An arena: many blocks, one free.  Blocks are 64-byte aligned and live until hs_arena_free.
 * Zero-initialise. */
typedef struct hs_arena_block hs_arena_block;
typedef struct {
    hs_arena_block *first;
    size_t total; /* bytes handed out */
} hs_arena;
HS_CHECKED int hs_arena_alloc(hs_arena *arena, size_t n, size_t size, void *out);
void hs_arena_free(hs_arena *arena);

#endif
