#include "core/base/alloc.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int hs_size_add(size_t a, size_t b, size_t *out)
{
    size_t v;
    if (__builtin_add_overflow(a, b, &v)) {
        return hs_fail(HS_ELIMIT, "size overflow: %zu + %zu", a, b);
    }
    *out = v;
    return HS_OK;
}

int hs_size_mul(size_t a, size_t b, size_t *out)
{
    size_t v;
    if (__builtin_mul_overflow(a, b, &v)) {
        return hs_fail(HS_ELIMIT, "size overflow: %zu * %zu", a, b);
    }
    *out = v;
    return HS_OK;
}

int hs_size_product(size_t rank, const uint64_t *dim, size_t *out)
{
    size_t v = 1;
    int zero = 0;
    for (size_t i = 0; i < rank; i++) {
        if (dim[i] == 0) {
            zero = 1;
        } else if (dim[i] > SIZE_MAX || __builtin_mul_overflow(v, (size_t)dim[i], &v)) {
            return hs_fail(HS_ELIMIT, "size overflow in a shape of %zu dimensions", rank);
        }
    }
    *out = zero ? 0 : v;
    return HS_OK;
}

int hs_alloc(size_t n, size_t size, void *out)
{
    void **p = out;
    size_t bytes, padded;
    *p = NULL;
    int rc = hs_size_mul(n, size, &bytes);
    if (rc == HS_OK) {
        rc = hs_size_add(bytes, HS_ALIGN, &padded);
    }
    if (rc != HS_OK) {
        return rc;
    }
    *p = aligned_alloc(HS_ALIGN, padded / HS_ALIGN * HS_ALIGN);
    return *p != NULL ? HS_OK : hs_fail(HS_ENOMEM, "memory: %zu bytes could not be had", bytes);
}

void hs_alloc_sweeping(void *p, size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), skip = (page - (uintptr_t)p % page) % page;
    if (bytes >= skip + ((size_t)4 << 20)) {
        (void)madvise((char *)p + skip, (bytes - skip) / page * page, MADV_HUGEPAGE); /* advice only */
    }
}

int hs_calloc(size_t n, size_t size, void *out)
{
    int rc = hs_alloc(n, size, out);
    if (rc == HS_OK) {
        memset(*(void **)out, 0, n * size);
    }
    return rc;
}

int hs_strdup(const char *s, char **out)
{
    size_t n = strlen(s) + 1;
    int rc = hs_alloc(n, 1, out);
    if (rc == HS_OK) {
        memcpy(*out, s, n);
    }
    return rc;
}

void hs_strings_free(size_t n, char **list)
{
    for (size_t i = 0; list != NULL && i < n; i++) {
        free(list[i]);
    }
    free(list);
}

struct hs_arena_block {
    hs_arena_block *next;
};

int hs_arena_alloc(hs_arena *arena, size_t n, size_t size, void *out)
{
    hs_arena_block *block;
    size_t bytes, with_head;
    *(void **)out = NULL;
    int rc = hs_size_mul(n, size, &bytes);
    if (rc == HS_OK) {
        rc = hs_size_add(bytes, HS_ALIGN, &with_head);
    }
    if (rc == HS_OK) {
        rc = hs_alloc(with_head, 1, &block);
    }
    if (rc != HS_OK) {
        return rc;
    }
    block->next = arena->first;
    arena->first = block;
    arena->total += bytes;
    *(void **)out = (char *)block + HS_ALIGN;
    return HS_OK;
}

void hs_arena_free(hs_arena *arena)
{
    for (hs_arena_block *b = arena->first, *next; b != NULL; b = next) {
        next = b->next;
        free(b);
    }
    memset(arena, 0, sizeof *arena);
}
