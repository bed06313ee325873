/* CLIP's tokenizer: byte-level byte-pair encoding (Sennrich et al., arXiv:1508.07909; Radford et al.,
 * arXiv:2103.00020).
 *
 *   text -> NFC -> every run of white space is one blank -> lower case -> words: 's 't 're 've 'm 'll 'd | letters |
 *   one digit | a run of anything else that isn't blank; "<|startoftext|>" and "<|endoftext|>" written out are
 * themselves. A word is its UTF-8 bytes, the last one marked "</w>"; of two neighbours the pair that stands first in
 * the merges is joined, again and again.  So a character that no merge knows is its bytes, and nothing is unknown. ids:
 * begin, the words' tokens, end; the rest of the context holds the end token.
 *
 * Files: vocab.json (token -> id, the bytes written as GPT-2's printable letters) and merges.txt ("#version" and one
 * pair a line).  White space, letters, digits and case as in Unicode (utf8proc). */
#ifndef HS_IO_BPE_H
#define HS_IO_BPE_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

typedef struct hs_bpe hs_bpe;

/* FOLDER/vocab.json and FOLDER/merges.txt.  HS_EFORMAT: malformed, an id twice or outside 0 ... n - 1, a byte or a
 * special token without an id, a merge of a token, or into one, that the vocabulary lacks; HS_ELIMIT: more than 2^20
 * tokens; HS_EIO. */
HS_CHECKED int hs_bpe_open(const char *folder, hs_bpe **out);

/* *out <- a tokenizer learnt of texts: the 256 bytes, the same with "</w>", then up to `merges` merges, each of the
 * pair that is most frequent (ties: the one seen first) and occurs at least twice, then begin and end.  HS_ERANGE: no
 * text, a text that isn't UTF-8, more than 65536 merges.  Cost O(merges x distinct words). */
HS_CHECKED int hs_bpe_learn(size_t n, const char *const *texts, size_t merges, hs_bpe **out);
/* FOLDER/vocab.json and FOLDER/merges.txt, each replaced atomically.  HS_EIO. */
HS_CHECKED int hs_bpe_save(const hs_bpe *t, const char *folder);
void hs_bpe_free(hs_bpe *t);

size_t hs_bpe_vocab(const hs_bpe *t); /* ids are below it */
int32_t hs_bpe_begin(const hs_bpe *t);
int32_t hs_bpe_end(const hs_bpe *t);

/* ids (context) <- the tokens of text, filled up with the end token; *length: how many before the filling, begin and
 * end counted.  Longer than the context (>= 2): HS_ERANGE, or with truncate cut, the end token kept.  HS_ERANGE: not
 * UTF-8. HS_ENOMEM. */
HS_CHECKED int hs_bpe_encode(const hs_bpe *t, const char *text, size_t context, int truncate, int32_t *ids,
                             size_t *length);

#endif
