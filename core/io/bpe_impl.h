/* Inside of core/io/bpe*. */
#ifndef HS_IO_BPE_IMPL_H
#define HS_IO_BPE_IMPL_H

#include "core/io/bpe.h"

enum { HS_BPE_TOKENS_MAX = 1 << 20, HS_BPE_TEXT_MAX = 16384 };

#define HS_BPE_BEGIN "<|startoftext|>"
#define HS_BPE_END   "<|endoftext|>"

typedef struct {
    int32_t left, right, into;
} hs_bpe_merge;

struct hs_bpe {
    size_t n;             /* tokens */
    char **token;         /* as vocab.json writes them */
    int32_t byte[2][256]; /* ids of the bytes; of the same at a word's end */
    int32_t begin, end;
    size_t n_merges;
    hs_bpe_merge *merge; /* the earlier, the sooner joined */
    uint32_t *slot;      /* hash table of merges: index + 1, 0 where empty; mask + 1 slots */
    size_t mask;
};

/* letter[b] <- GPT-2's letter for byte b, terminated: itself where printable, else one from U+0100 on; order (256) <-
 * the bytes in the order of CLIP's vocabulary: printable ones first. */
typedef struct {
    char letter[256][4];
    uint8_t order[256];
} hs_bpe_letters;
void hs_bpe_letters_make(hs_bpe_letters *l);

/* Fills the hash table; HS_EFORMAT: a pair twice. */
HS_CHECKED int hs_bpe_index(hs_bpe *t);
/* The merge of a pair: its index, or SIZE_MAX. */
size_t hs_bpe_find(const hs_bpe *t, int32_t left, int32_t right);

/* Told the words of a text in order: bytes of a word, or (len 0) a special token written out. */
typedef int (*hs_bpe_visit)(void *ctx, const unsigned char *word, size_t len, int is_end);
HS_CHECKED int hs_bpe_words(const char *text, hs_bpe_visit visit, void *ctx);

#endif
