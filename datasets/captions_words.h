/* The words of captions that belong to no term; private to datasets.  NULL ends each list. */
#ifndef HS_DATASETS_CAPTIONS_WORDS_H
#define HS_DATASETS_CAPTIONS_WORDS_H

extern const char *const hs_caption_nouns[];
extern const char *const hs_caption_prefixes[];
extern const char *const hs_caption_glue[];

#endif
