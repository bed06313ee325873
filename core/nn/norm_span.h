/* What GroupNorm and its derivatives share: how rows are cut into spans of whole groups, and where
 * the channels of a concatenation lie.  Private to core/nn. */
#ifndef HS_NN_NORM_SPAN_H
#define HS_NN_NORM_SPAN_H

#include <assert.h>
#include <omp.h>
#include <stddef.h>

enum {
    HS_NORM_SPAN = 512,    /* channels handled at once: sums and factors of a span live on the stack */
    HS_NORM_SPAN_MIN = 16, /* one cache line */
    HS_NORM_BLOCK = 32,    /* pixels summed in float before they enter the double sums */
    HS_NORM_LANES = 16     /* channels summed side by side */
};

/* Spans of whole groups, as wide as still gives every thread one.  A channel's results don't depend
 * on which span it is in. */
typedef struct {
    size_t channels, per_group, groups, wide, spans; /* groups in all and in a span; spans in a row */
} hs_norm_cut;

static inline hs_norm_cut hs_norm_cut_of(size_t groups, size_t channels, size_t rows)
{
    size_t per_group = channels / groups, wanted = channels * rows / (size_t)omp_get_max_threads();
    assert(per_group * groups == channels && per_group <= HS_NORM_SPAN);
    wanted = wanted > HS_NORM_SPAN ? HS_NORM_SPAN : wanted < HS_NORM_SPAN_MIN ? HS_NORM_SPAN_MIN : wanted;
    size_t wide = wanted / per_group > 0 ? wanted / per_group : 1;
    return (hs_norm_cut){channels, per_group, groups, wide, (groups + wide - 1) / wide};
}

/* Span u % spans: its first channel; *n <- its channels. */
static inline size_t hs_norm_span_at(const hs_norm_cut *cut, size_t u, size_t *n)
{
    size_t g0 = u % cut->spans * cut->wide, left = cut->groups - g0;
    *n = (left < cut->wide ? left : cut->wide) * cut->per_group;
    return g0 * cut->per_group;
}

/* Which part of a concatenation channel c0 is in: 0 or 1; *at <- its place there, *ld <- the part's
 * row length, *n <- n or the channels before the part ends, whichever is less. */
static inline int hs_norm_part(size_t c, size_t c2, size_t c0, size_t *n, size_t *at, size_t *ld)
{
    int second = c0 >= c;
    size_t left = second ? c + c2 - c0 : c - c0;
    *at = second ? c0 - c : c0;
    *ld = second ? c2 : c;
    *n = *n < left ? *n : left;
    return second;
}

#endif
