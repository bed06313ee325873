/* The pickle inside a PyTorch file, read by a machine that knows tokens and runs nothing.
 *
 * Values: integers of 64 bits, doubles, strings, None, booleans, tuples, lists, dicts, and three
 * inert tokens: a global name, a storage, a tensor.  32 opcodes (those of torch's weights_only
 * reader without NEWOBJ and EMPTY_SET), and these globals:
 *   collections.OrderedDict, torch._utils._rebuild_tensor_v2, torch._utils._rebuild_parameter,
 *   torch.{Float,Double,Half,BFloat16,Long,Int,Short,Char,Byte,Bool}Storage.
 * Anything else is refused by name.  Source: CPython's pickletools, torch.serialization. */
#ifndef HS_IO_PICKLE_H
#define HS_IO_PICKLE_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/io/tensors.h"

typedef struct {
    size_t bytes;   /* of the pickle */
    size_t ops;     /* opcodes executed */
    size_t values;  /* on the stack, in the memo, in containers: each */
    size_t tensors; /* named */
} hs_pickle_limits;

extern const hs_pickle_limits hs_pickle_limits_default; /* 64 MiB, 8 M, 1 M, 100,000 */

/* A tensor: element (i_0, i_1, ...) is number offset + sum i_k stride[k] of a storage of numel
 * elements, which is the archive's entry data/KEY.  Every element lies inside the storage. */
typedef struct {
    char *name;   /* path of keys and indexes, joined by '.' */
    char key[12]; /* decimal, no leading zero */
    hs_dtype dtype;
    uint64_t numel, offset;
    size_t rank;
    uint64_t dim[HS_RANK_MAX], stride[HS_RANK_MAX];
} hs_pickled;

typedef struct {
    hs_pickled *t;
    size_t n;
} hs_pickle;

/* out <- all tensors reachable from the pickled object, in its order.  None and values that hold no
 * tensor are skipped.  limits NULL: the default.
 * HS_EFORMAT: a foreign opcode ("opcode 0x.. at N") or global, malformed, cyclic, names nested deeper
 * than 64, a tensor outside its storage or with a negative size, stride or offset, or more than
 * HS_RANK_MAX dimensions; one storage of two types.  HS_ELIMIT: over the limits, or a shape whose
 * product overflows.  HS_ENOMEM.  Time and memory linear in len and the tensors. */
HS_CHECKED int hs_pickle_read(const unsigned char *bytes, size_t len, const hs_pickle_limits *limits, hs_pickle *out);
void hs_pickle_free(hs_pickle *p);

#endif
