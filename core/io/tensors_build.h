/* How the readers of weight formats fill an hs_tensors; for core/io only. */
#ifndef HS_IO_TENSORS_BUILD_H
#define HS_IO_TENSORS_BUILD_H

#include "core/base/alloc.h"
#include "core/io/file.h"
#include "core/io/mapping.h"
#include "core/io/tensors.h"

enum { HS_TENSOR_NAME_MAX = 4096 };

HS_CHECKED int hs_tensors_new(hs_tensors **out);
/* Appends t; its name is copied, its count computed, its bytes borrowed: they must outlive ts, for
 * which hs_tensors_adopt is there.  HS_EFORMAT when the name is empty or too long, the rank is
 * above HS_RANK_MAX or count * size overflows. */
HS_CHECKED int hs_tensors_add(hs_tensors *ts, hs_tensor t);
/* block is freed with ts.  It is freed on error too. */
HS_CHECKED int hs_tensors_adopt(hs_tensors *ts, void *block);
/* m is closed with ts, and on error. */
HS_CHECKED int hs_tensors_adopt_mapping(hs_tensors *ts, hs_mapping m);
HS_CHECKED int hs_tensors_add_metadata(hs_tensors *ts, const char *key, const char *value);
/* Sorts by name; HS_EFORMAT when a name is there twice. */
HS_CHECKED int hs_tensors_finish(hs_tensors *ts);
/* Moves all tensors of src into ts (unfinished again) and frees src. */
HS_CHECKED int hs_tensors_merge(hs_tensors *ts, hs_tensors *src);

/* to (C order) <- the elements of t that lie at from, element (i_0, i_1, ...) at sum i_k stride[k];
 * all of them must be there.  t->bytes and t->count are not looked at. */
void hs_tensors_gather(const hs_tensor *t, const uint64_t *stride, const unsigned char *from, unsigned char *to);

/* Bytes of t; HS_EFORMAT above HS_RANK_MAX dimensions or on overflow, also of the product without
 * its zero factors. */
HS_CHECKED int hs_tensor_bytes(const hs_tensor *t, size_t *out);

#endif
