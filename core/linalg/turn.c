#include "core/linalg/turn.h"

#include <string.h>

enum { LINE = 16 }; /* floats of a cache line */

typedef float four __attribute__((vector_size(16)));

static four four_from(const float *x)
{
    four v;
    memcpy(&v, x, sizeof v);
    return v;
}

/* to (4, 4) <- from^T */
static void turn_4x4(const float *from, size_t ld, float *to, size_t to_ld)
{
    four a = four_from(from), b = four_from(from + ld), c = four_from(from + 2 * ld), d = four_from(from + 3 * ld);
    four ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
    four AB = __builtin_shufflevector(a, b, 2, 6, 3, 7), CD = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    four row[4] = {__builtin_shufflevector(ab, cd, 0, 1, 4, 5), __builtin_shufflevector(ab, cd, 2, 3, 6, 7),
                   __builtin_shufflevector(AB, CD, 0, 1, 4, 5), __builtin_shufflevector(AB, CD, 2, 3, 6, 7)};
    for (size_t i = 0; i < 4; i++) {
        memcpy(to + i * to_ld, &row[i], sizeof row[i]);
    }
}

/* to (rows, cols) <- from^T, a cache line's worth of rows */
static void turn_line(size_t rows, size_t cols, const float *from, size_t ld, float *to, size_t to_ld)
{
    size_t whole_rows = rows / 4 * 4, whole_cols = cols / 4 * 4;
    for (size_t j = 0; j < whole_cols; j += 4) {
        for (size_t i = 0; i < whole_rows; i += 4) {
            turn_4x4(from + j * ld + i, ld, to + i * to_ld + j, to_ld);
        }
        for (size_t i = whole_rows; i < rows; i++) {
            for (size_t l = j; l < j + 4; l++) {
                to[i * to_ld + l] = from[l * ld + i];
            }
        }
    }
    for (size_t j = whole_cols; j < cols; j++) {
        for (size_t i = 0; i < rows; i++) {
            to[i * to_ld + j] = from[j * ld + i];
        }
    }
}

void hs_turn_f32(size_t rows, size_t cols, const float *from, size_t ld, float *to, size_t to_ld)
{
    for (size_t i = 0; i < rows; i += LINE) {
        turn_line(rows - i < LINE ? rows - i : LINE, cols, from + i, ld, to + i * to_ld, to_ld);
    }
}
