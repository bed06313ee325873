/* Byte-pair encoding learnt of texts. */
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/io/bpe_impl.h"

enum { MERGES_MAX = 65536, SPECIAL = 2, BYTES = 512 };

typedef struct {
    int32_t *symbol; /* owned */
    size_t n, count; /* symbols, occurrences */
} word;

/* A pair of neighbours and how often it occurs. */
typedef struct {
    int32_t left, right;
    size_t count;
} pair;

typedef struct {
    hs_bpe *t;
    word *words;
    size_t n, cap, symbols; /* words, room, symbols of all at first */
    size_t *slot, mask;     /* hash table of what is at hand: index + 1 */
    pair *pairs;
} learner;

static size_t mix(size_t h, uint64_t v)
{
    return (size_t)((h ^ v) * 0x9e3779b97f4a7c15U >> 7);
}

/* ---- The distinct words ---------------------------------------------------------------------------- */

HS_CHECKED static int grow(learner *l)
{
    const size_t cap = l->cap > 0 ? 2 * l->cap : 64;
    word *words = NULL;
    size_t *slot = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(cap, sizeof *words, &words));
    HS_TRY(hs_calloc(2 * cap, sizeof *slot, &slot));
    for (size_t i = 0; i < l->n; i++) {
        words[i] = l->words[i];
        size_t h = 0;
        for (size_t j = 0; j < words[i].n; j++) {
            h = mix(h, (uint64_t)words[i].symbol[j]);
        }
        for (h &= 2 * cap - 1; slot[h] != 0;) {
            h = (h + 1) & (2 * cap - 1);
        }
        slot[h] = i + 1;
    }
    free(l->words);
    free(l->slot);
    l->words = words;
    l->slot = slot;
    l->cap = cap;
    l->mask = 2 * cap - 1;
    words = NULL;
out:
    free(words);
    return rc;
}

static int same(const learner *l, const word *w, const unsigned char *bytes, size_t len)
{
    int equal = w->n == len;
    for (size_t j = 0; equal && j < len; j++) {
        equal = w->symbol[j] == l->t->byte[j + 1 == len][bytes[j]];
    }
    return equal;
}

static int count_word(void *ctx, const unsigned char *bytes, size_t len, int is_end)
{
    learner *l = ctx;
    size_t h = 0;
    int rc = HS_OK;
    (void)is_end;
    if (len == 0) {
        return HS_OK;
    }
    if (l->n == l->cap) {
        HS_TRY(grow(l));
    }
    for (size_t j = 0; j < len; j++) {
        h = mix(h, (uint64_t)l->t->byte[j + 1 == len][bytes[j]]);
    }
    for (h &= l->mask; l->slot[h] != 0 && !same(l, &l->words[l->slot[h] - 1], bytes, len);) {
        h = (h + 1) & l->mask;
    }
    if (l->slot[h] == 0) {
        word *w = &l->words[l->n];
        *w = (word){.n = len};
        HS_TRY(hs_alloc(len, sizeof *w->symbol, &w->symbol));
        for (size_t j = 0; j < len; j++) {
            w->symbol[j] = l->t->byte[j + 1 == len][bytes[j]];
        }
        l->slot[h] = ++l->n;
        l->symbols += len;
    }
    l->words[l->slot[h] - 1].count++;
out:
    return rc;
}

/* ---- Merging --------------------------------------------------------------------------------------- */

/* The most frequent pair, the first seen of equals; count 0 where there is none. */
static pair best_pair(learner *l)
{
    size_t found = 0;
    pair best = {0};
    memset(l->slot, 0, (l->mask + 1) * sizeof *l->slot);
    for (size_t i = 0; i < l->n; i++) {
        const word *w = &l->words[i];
        for (size_t j = 0; j + 1 < w->n; j++) {
            const int32_t a = w->symbol[j], b = w->symbol[j + 1];
            size_t h = mix((size_t)a, (uint64_t)b << 32) & l->mask;
            while (l->slot[h] != 0 && (l->pairs[l->slot[h] - 1].left != a || l->pairs[l->slot[h] - 1].right != b)) {
                h = (h + 1) & l->mask;
            }
            if (l->slot[h] == 0) {
                l->pairs[found] = (pair){a, b, 0};
                l->slot[h] = ++found;
            }
            l->pairs[l->slot[h] - 1].count += w->count;
        }
    }
    for (size_t i = 0; i < found; i++) {
        best = l->pairs[i].count > best.count ? l->pairs[i] : best;
    }
    return best;
}

static void join(word *w, const hs_bpe_merge *m)
{
    size_t to = 0;
    for (size_t i = 0; i < w->n; i++) {
        const int both = i + 1 < w->n && w->symbol[i] == m->left && w->symbol[i + 1] == m->right;
        w->symbol[to++] = both ? m->into : w->symbol[i];
        i += (size_t)both;
    }
    w->n = to;
}

/* *id <- the token a + b, a new one unless another pair made it before. */
HS_CHECKED static int add_token(hs_bpe *t, const char *a, const char *b, int32_t *id)
{
    const size_t na = strlen(a), nb = strlen(b);
    char *whole = NULL;
    size_t i = 0;
    int rc = HS_OK;
    HS_TRY(hs_alloc(na + nb + 1, 1, &whole));
    memcpy(whole, a, na);
    memcpy(whole + na, b, nb + 1);
    while (i < t->n && strcmp(t->token[i], whole) != 0) {
        i++;
    }
    *id = (int32_t)i;
    if (i == t->n) {
        t->token[t->n++] = whole;
        whole = NULL;
    }
out:
    free(whole);
    return rc;
}

HS_CHECKED static int merge(learner *l, size_t merges)
{
    hs_bpe *t = l->t;
    size_t slots = 16;
    int rc = HS_OK;
    while (slots < 2 * l->symbols + 2) {
        slots *= 2;
    }
    free(l->slot);
    l->slot = NULL;
    l->mask = slots - 1;
    HS_TRY(hs_alloc(slots, sizeof *l->slot, &l->slot));
    HS_TRY(hs_alloc(l->symbols + 1, sizeof *l->pairs, &l->pairs));
    while (t->n_merges < merges) {
        const pair p = best_pair(l);
        if (p.count < 2) {
            break;
        }
        hs_bpe_merge *m = &t->merge[t->n_merges];
        *m = (hs_bpe_merge){p.left, p.right, 0};
        HS_TRY(add_token(t, t->token[p.left], t->token[p.right], &m->into));
        t->n_merges++;
        for (size_t i = 0; i < l->n; i++) {
            join(&l->words[i], m);
        }
    }
out:
    return rc;
}

/* The tokens every such vocabulary begins with. */
HS_CHECKED static int begin(hs_bpe *t, size_t merges)
{
    hs_bpe_letters l;
    int rc = HS_OK;
    hs_bpe_letters_make(&l);
    HS_TRY(hs_calloc(BYTES + merges + SPECIAL, sizeof *t->token, &t->token));
    HS_TRY(hs_alloc(merges, sizeof *t->merge, &t->merge));
    for (size_t last = 0; last < 2; last++) {
        for (size_t i = 0; i < 256; i++) {
            HS_TRY(add_token(t, l.letter[l.order[i]], last ? "</w>" : "", &t->byte[last][l.order[i]]));
        }
    }
out:
    return rc;
}

int hs_bpe_learn(size_t n, const char *const *texts, size_t merges, hs_bpe **out)
{
    learner l = {0};
    int rc = HS_OK;
    if (n == 0 || merges > MERGES_MAX) {
        return hs_fail(HS_ERANGE, "%zu texts, %zu merges; wanted some text and at most %d merges", n, merges,
                       MERGES_MAX);
    }
    HS_TRY(hs_calloc(1, sizeof *l.t, &l.t));
    HS_TRY(begin(l.t, merges));
    for (size_t i = 0; i < n; i++) {
        HS_TRY(hs_bpe_words(texts[i], count_word, &l));
    }
    HS_TRY(merge(&l, merges));
    HS_TRY(add_token(l.t, HS_BPE_BEGIN, "", &l.t->begin));
    HS_TRY(add_token(l.t, HS_BPE_END, "", &l.t->end));
    HS_TRY(hs_bpe_index(l.t));
    *out = l.t;
    l.t = NULL;
out:
    for (size_t i = 0; i < l.n; i++) {
        free(l.words[i].symbol);
    }
    free(l.words);
    free(l.slot);
    free(l.pairs);
    hs_bpe_free(l.t);
    return rc;
}
