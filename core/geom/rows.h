/* n rows of d float32 features that may be larger than memory: read in ranges, walked in tiles,
 * centred without being rewritten.
 *
 * What makes results independent of threads, and of memory: tiles are cut by row index and chunks by
 * column index, at borders that depend on d only; each sum has one owner, which adds tiles in order, within blocks
 * of rows that are added along a tree (team.h). */
#ifndef HS_GEOM_ROWS_H
#define HS_GEOM_ROWS_H

#include <stddef.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/geom/team.h"
#include "core/tensor/view.h"

typedef struct {
    size_t n, d;
    /* Row i belongs to group i % groups, and is centred on the mean of its group: 1 for one mean;
     * the number of steps for rows ordered (image, step) of which each step has its own. */
    size_t groups;
    /* out (count, d) <- rows first ... first + count - 1.  Never called by two threads at once, and
     * always by the thread that called the library. */
    int (*read)(void *ctx, size_t first, size_t count, float *out);
    void *ctx;
} hs_rows;

/* The rows of a matrix; *A must outlive it. */
hs_rows hs_rows_of_mat(const hs_mat *A);

/* Means and scale of the rows, from one pass. */
typedef struct {
    const hs_rows *rows; /* borrowed */
    double *mean;        /* (groups, d) */
    double scale;        /* a power of two: |x - mean| * scale <= 1 */
    hs_team *team;       /* borrowed; NULL: this process alone */
} hs_centring;

/* HS_EDEGENERATE when a value is NaN or infinite (the first row that has one, and its first such feature,
 * are named), when n <= groups, or when the rows of every group coincide; HS_ERANGE when n, d or groups
 * is 0; HS_ENOMEM; HS_ESTOPPED; or what read fails with. */
HS_CHECKED int hs_centring_new(const hs_rows *rows, const hs_progress *progress, hs_centring *out);
/* The same by a team (NULL: alone), whose every rank gets the means, or the failure of any; what is made with *out
 * later is made by the team too. */
HS_CHECKED int hs_centring_shared(const hs_rows *rows, hs_team *team, const hs_progress *progress, hs_centring *out);
void hs_centring_free(hs_centring *c);

/* out (A.rows, A.cols) <- A column-centred, in double, times a power of two that makes it about 1 at most.  Errors as
 * hs_centring_new's, with one mean. */
HS_CHECKED int hs_centred_f64(hs_mat A, double *out);

/* ---- Walking -------------------------------------------------------------------------------------- */

enum { HS_ROWS_CHUNK = 1024, HS_WALK_PHASES = 3 };

/* Rows of a tile: about 16 MiB of them, at most `most`, at least 8. */
size_t hs_rows_tile(size_t d, size_t most);
size_t hs_rows_chunks(size_t d);
size_t hs_rows_chunk_width(size_t d, size_t chunk);

typedef struct {
    float *data; /* (count, d); tasks may write to it, the next reader overwrites it */
    size_t first, count;
    int thread; /* of the running task: 0 ... threads - 1 */
    int fresh;  /* the first of a block of rows: sums start anew with it (rows_sum.h) */
} hs_tile;

/* What is done with each tile: phases one after the other, the tasks of a phase in parallel, in any order,
 * BLAS serial within.  The next tile is read meanwhile. */
typedef struct {
    size_t phases;
    size_t tasks[HS_WALK_PHASES];
    int (*task)(void *ctx, size_t phase, size_t i, const hs_tile *tile);
    void *ctx;
    int threads; /* omp_get_max_threads() of the caller, who sizes scratch by it */
    const hs_progress *progress;
    const char *what; /* for the progress line */
    float *scratch;   /* (2, tile, d) of the caller, who walks often and would touch new memory each time; NULL: the
                         walk's own */
} hs_walk;

/* Walks the rows [from, to) in tiles of `tile` rows.  Fails as read, the progress
 * sink or a task does (the task's message is lost: it belongs to another thread). */
HS_CHECKED int hs_rows_walk(const hs_rows *rows, size_t from, size_t to, size_t tile, const hs_walk *walk);

/* out <- (x - mean of the group of its row) * scale, for the chunk of the row. */
void hs_centre_f32(const hs_centring *c, size_t row, size_t chunk, const float *x, float *out);
void hs_centre_f64(const hs_centring *c, size_t row, size_t chunk, const float *x, double *out);

#endif
