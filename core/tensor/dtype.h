/* Element types of files, and their way to and from float32. */
#ifndef HS_TENSOR_DTYPE_H
#define HS_TENSOR_DTYPE_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

typedef enum {
    HS_F64,
    HS_F32,
    HS_F16,
    HS_BF16,
    HS_I64,
    HS_I32,
    HS_I16,
    HS_I8,
    HS_U64,
    HS_U32,
    HS_U16,
    HS_U8,
    HS_BOOL
} hs_dtype;

size_t hs_dtype_size(hs_dtype t);      /* bytes: 8 4 2 2 8 4 2 1 8 4 2 1 1 */
const char *hs_dtype_name(hs_dtype t); /* "float64", "float32", "float16", "bfloat16", ... */

/* out (n) <- n little-endian elements of type t at bytes (any alignment).  float64 and integers
 * are rounded to nearest; values beyond float32 become infinite. */
void hs_to_f32(hs_dtype t, const void *bytes, size_t n, float *out);
/* The same to double, exact for all types but uint64/int64 above 2^53. */
void hs_to_f64(hs_dtype t, const void *bytes, size_t n, double *out);

/* IEEE half <-> single, round to nearest even; F16C where the machine has it. */
void hs_f16_to_f32(const uint16_t *half, size_t n, float *out);
void hs_f32_to_f16(const float *x, size_t n, uint16_t *half);

#endif
