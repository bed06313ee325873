/* A small store for tests: every value is a function of its place. */
#ifndef HS_TESTS_STORE_SAMPLE_H
#define HS_TESTS_STORE_SAMPLE_H

#include "core/io/store.h"

/* n samples x 3 steps of h (4, 2, 3), images (3, 5, 5), units of `unit`; keeps x_T, x_0 and eps when
 * keep.  Valid until the next call. */
hs_store_spec sample_spec(size_t n, size_t unit, hs_dtype dtype, int keep);
float sample_value(int part, size_t sample, size_t i); /* part: 0 h, 1 x_T, 2 x_0, 3 eps */
/* Computes and puts one unit. */
int sample_put(hs_store_writer *w, const hs_store_spec *s, size_t unit);
/* Puts the units that are missing; ends without sealing after `most` of them. */
int sample_fill(hs_store_writer *w, const hs_store_spec *s, size_t most);
/* Begins, fills and seals; the whole of a dump. */
int sample_dump(const char *path, const hs_store_spec *s);

#endif
