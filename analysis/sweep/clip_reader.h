/* A CLIP at work: images of any size and texts -> unit embeddings.  What clip:A|B and `hspace score --readout clip`
 * read. */
#ifndef HS_SWEEP_CLIP_READER_H
#define HS_SWEEP_CLIP_READER_H

#include <stddef.h>

#include "core/base/error.h"
#include "core/model/clip.h"
#include "core/tensor/view.h"

typedef struct hs_clip_reader hs_clip_reader;

/* *out <- the CLIP of the folder, with room for batches.  Errors as hs_clip_open. */
HS_CHECKED int hs_clip_reader_open(const char *folder, hs_clip_reader **out);
/* One more owner; hs_clip_reader_free gives one up. */
hs_clip_reader *hs_clip_reader_share(hs_clip_reader *r);
void hs_clip_reader_free(hs_clip_reader *r);
const hs_clip *hs_clip_reader_clip(const hs_clip_reader *r);

/* e (P) <- the unit embedding of a text; too long: refused, or with truncate cut.  HS_ERANGE: empty, or as
 * hs_clip_tokens. */
HS_CHECKED int hs_clip_reader_text(const hs_clip_reader *r, const char *text, int truncate, float *e);
/* e (P) <- of "A|B" the difference of the unit embeddings, E_T(B) - E_T(A), scaled to unit length.  HS_ERANGE: not two
 * texts; HS_EDEGENERATE: they embed alike. */
HS_CHECKED int hs_clip_reader_axis(const hs_clip_reader *r, const char *pair, float *e);

/* e (n, P) <- the unit embeddings of the n images x (n, c, h, w), values in [-1, 1]; grey is spread over the channels.
 * Images of CLIP's size go in as they are, values beyond [-1, 1] too; others as 8-bit images through CLIP's own
 * preprocessing.  HS_ESHAPE: neither 1 nor 3 channels; HS_EDEGENERATE: an embedding of length 0; HS_ENOMEM. */
HS_CHECKED int hs_clip_reader_images(hs_clip_reader *r, hs_chw shape, size_t n, const float *x, float *e);

#endif
