#include "core/io/bpe.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/io/bpe_impl.h"

void hs_bpe_free(hs_bpe *t)
{
    if (t == NULL) {
        return;
    }
    for (size_t i = 0; t->token != NULL && i < t->n; i++) {
        free(t->token[i]);
    }
    free(t->token);
    free(t->merge);
    free(t->slot);
    free(t);
}

size_t hs_bpe_vocab(const hs_bpe *t)
{
    return t->n;
}

int32_t hs_bpe_begin(const hs_bpe *t)
{
    return t->begin;
}

int32_t hs_bpe_end(const hs_bpe *t)
{
    return t->end;
}

static int printable(unsigned b)
{
    return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
}

void hs_bpe_letters_make(hs_bpe_letters *l)
{
    unsigned others = 0, at = 0;
    for (unsigned b = 0; b < 256; b++) {
        unsigned c = printable(b) ? b : 256 + others++;
        char *s = l->letter[b];
        if (c < 0x80) {
            s[0] = (char)c;
            s[1] = '\0';
        } else {
            s[0] = (char)(0xc0 | (c >> 6));
            s[1] = (char)(0x80 | (c & 0x3f));
            s[2] = '\0';
        }
    }
    for (int first = 1; first >= 0; first--) {
        for (unsigned b = 0; b < 256; b++) {
            if (printable(b) == first) {
                l->order[at++] = (uint8_t)b;
            }
        }
    }
}

/* ---- Merges ---------------------------------------------------------------------------------------- */

static size_t hash(int32_t left, int32_t right)
{
    uint64_t v = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9e3779b97f4a7c15U;
    return (size_t)(v >> 32);
}

/* The slot where the pair is or would be. */
static size_t slot_of(const hs_bpe *t, int32_t left, int32_t right)
{
    size_t s = hash(left, right) & t->mask;
    while (t->slot[s] != 0 && (t->merge[t->slot[s] - 1].left != left || t->merge[t->slot[s] - 1].right != right)) {
        s = (s + 1) & t->mask;
    }
    return s;
}

int hs_bpe_index(hs_bpe *t)
{
    size_t slots = 16;
    int rc = HS_OK;
    while (slots < 2 * t->n_merges + 2) {
        slots *= 2;
    }
    t->mask = slots - 1;
    HS_TRY(hs_calloc(slots, sizeof *t->slot, &t->slot));
    for (size_t i = 0; i < t->n_merges; i++) {
        size_t s = slot_of(t, t->merge[i].left, t->merge[i].right);
        if (t->slot[s] != 0) {
            return hs_fail(HS_EFORMAT, "merge %zu joins the pair of merge %u again", i + 1, t->slot[s]);
        }
        t->slot[s] = (uint32_t)i + 1;
    }
out:
    return rc;
}

size_t hs_bpe_find(const hs_bpe *t, int32_t left, int32_t right)
{
    const uint32_t at = t->slot[slot_of(t, left, right)];
    return at > 0 ? at - 1 : SIZE_MAX;
}

/* ---- Encoding -------------------------------------------------------------------------------------- */

typedef struct {
    const hs_bpe *t;
    int32_t *symbol; /* of the word at work */
    size_t *rank;    /* of the pair (i, i + 1) */
    int32_t *ids;    /* those that fit */
    size_t n, room;  /* tokens so far, fitting or not */
} encoder;

static void put(encoder *e, int32_t id)
{
    if (e->n < e->room) {
        e->ids[e->n] = id;
    }
    e->n++;
}

/* Joins every occurrence of merge m from the left; returns how many symbols are left. */
static size_t join(encoder *e, size_t n, size_t m)
{
    const hs_bpe_merge *merge = &e->t->merge[m];
    size_t to = 0;
    for (size_t i = 0; i < n; i++) {
        const int both = i + 1 < n && e->symbol[i] == merge->left && e->symbol[i + 1] == merge->right;
        e->symbol[to++] = both ? merge->into : e->symbol[i];
        i += (size_t)both;
    }
    return to;
}

static size_t first_merge(const encoder *e, size_t n)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i + 1 < n; i++) {
        best = e->rank[i] < best ? e->rank[i] : best;
    }
    return best;
}

static int visit_word(void *ctx, const unsigned char *word, size_t len, int is_end)
{
    encoder *e = ctx;
    const hs_bpe *t = e->t;
    if (len == 0) {
        put(e, is_end ? t->end : t->begin);
        return HS_OK;
    }
    for (size_t i = 0; i < len; i++) {
        e->symbol[i] = t->byte[i + 1 == len][word[i]];
    }
    for (size_t n = len, best = 0; best != SIZE_MAX; len = n) {
        for (size_t i = 0; i + 1 < n; i++) {
            e->rank[i] = hs_bpe_find(t, e->symbol[i], e->symbol[i + 1]);
        }
        best = first_merge(e, n);
        n = best != SIZE_MAX ? join(e, n, best) : n;
    }
    for (size_t i = 0; i < len; i++) {
        put(e, e->symbol[i]);
    }
    return HS_OK;
}

int hs_bpe_encode(const hs_bpe *t, const char *text, size_t context, int truncate, int32_t *ids, size_t *length)
{
    const size_t most =
        2 * strlen(text) + 2; /* lower case can be longer: one byte in six, and I with a dot twice as long */
    encoder e = {.t = t, .room = context - 1};
    int32_t *kept = NULL;
    int rc = HS_OK;
    if (context < 2) {
        return hs_fail(HS_ERANGE, "a context of %zu tokens; wanted at least 2", context);
    }
    HS_TRY(hs_alloc(most, sizeof *e.symbol, &e.symbol));
    HS_TRY(hs_alloc(most, sizeof *e.rank, &e.rank));
    HS_TRY(hs_alloc(context, sizeof *kept, &kept));
    e.ids = kept;
    put(&e, t->begin);
    HS_TRY(hs_bpe_words(text, visit_word, &e));
    if (e.n + 1 > context && !truncate) {
        rc = hs_fail(HS_ERANGE, "%zu tokens with begin and end; the context holds %zu", e.n + 1, context);
        goto out;
    }
    *length = e.n + 1 < context ? e.n + 1 : context;
    for (size_t i = 0; i < context; i++) {
        ids[i] = i + 1 < *length ? kept[i] : t->end;
    }
out:
    free(e.symbol);
    free(e.rank);
    free(kept);
    return rc;
}
