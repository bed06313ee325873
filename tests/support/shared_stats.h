/* Reference numbers (JSON) and arrays (.npy) of the shared real data. */
#ifndef HS_TESTS_SHARED_STATS_H
#define HS_TESTS_SHARED_STATS_H

#include <stddef.h>

/* The number at a path like "charles/per_step/0/total_variance"; the test fails when there is none. */
double shared_number(const char *file, const char *path);
/* The length of the array there. */
size_t shared_length(const char *file, const char *path);
/* A little-endian float32 or float64 array as float32; free().  dim (rank) must match in rank. */
float *shared_floats(const char *file, size_t rank, size_t *dim);

#endif
