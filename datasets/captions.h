/* Captions of the procedural faces: English composed from factors, and when it is true.
 *
 * A term is something that can be said of one factor: an interval [lo, hi] of its values, and phrases that
 * all mean it ("smiling", "happy", "with a smile").  A caption mentions some terms, each of another factor;
 * factors it doesn't mention are free.  What is mentioned of a face is true of it: its value lies in the
 * term's interval.
 *
 *   truth of a term at v:  1 in [lo, hi], falling linearly to 0 over `ramp` beyond each end
 *   truth of a caption:    the product over its terms; 1 for "a face"
 *
 * Text: [a photo of] [a|an] adjectives noun [with things] [tails], lower case, at most HS_CAPTION_WORDS words
 * and commas; "an old smiling face with glasses and long red hair looking left". */
#ifndef HS_DATASETS_CAPTIONS_H
#define HS_DATASETS_CAPTIONS_H

#include <stddef.h>
#include <stdint.h>

enum { HS_CAPTION_MENTIONS = 16, HS_CAPTION_WORDS = 30, HS_CAPTION_BYTES = 320, HS_CAPTION_FORMS = 4 };

typedef struct {
    int factor; /* index, as hs_face_factor_at's */
    double lo, hi, ramp;
    /* Phrases, NULL-terminated: before the noun; after "with"; after everything; before "hair". */
    const char *adjective[HS_CAPTION_FORMS], *with[HS_CAPTION_FORMS], *tail[HS_CAPTION_FORMS], *hair[HS_CAPTION_FORMS];
} hs_caption_term;

size_t hs_caption_term_count(void);
const hs_caption_term *hs_caption_term_at(size_t i); /* NULL beyond the last */
double hs_caption_term_truth(const hs_caption_term *term, double value);

typedef struct {
    size_t n;
    uint8_t term[HS_CAPTION_MENTIONS]; /* (n) */
    char text[HS_CAPTION_BYTES];
} hs_caption;

/* How many factors a caption mentions when nobody says: 0 (10 %), 1 (35 %), 2 (20 %), 3 (12 %), 4 ... 10. */
#define HS_CAPTION_ANY SIZE_MAX

/* *out <- caption number index of a face of these factors: stream (seed, HS_RNG_CAPTION, index).  mentions:
 * as many factors as it would name; fewer where the others have no true term or the words run out. */
void hs_caption_draw(const double *factor, uint64_t seed, uint64_t index, size_t mentions, hs_caption *out);
/* In [0, 1]. */
double hs_caption_truth(const hs_caption *c, const double *factor);

/* Phrase i of all that captions are made of, words between spaces; NULL beyond the last. */
const char *hs_caption_phrase(size_t i);

#endif
