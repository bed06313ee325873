/* CKA of many images: K and L a panel of rows at a time.
 *
 * Columns are centred, so K1 = 0 and row sums of K̃ are minus its diagonal: what is summed with them can be summed
 * as soon as a pair of images is at hand, and its K_ij and L_ij be forgotten. */
#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/base/simd.h"
#include "core/geom/cka_pairs.h"
#include "core/geom/gram_strip.h"

enum {
    ROWS_LEAST = 512,
    ROWS_MOST = 2048, /* of a panel: enough for what reading its other rows costs; more is more memory to touch */
    COLUMNS = 256     /* of a strip that one thread sums */
};

typedef struct {
    size_t n;
    size_t first, count; /* rows of the panel at hand */
    float *strip[2];     /* (count, n) rows first ... of K, of L, up to the diagonal */
    double *norm[2];     /* (n) K_ii, L_ii of the rows so far */
    hs_gram_strip *room;
    hs_cka_pair *q; /* XY, XX, YY */
} tiled;

/* ---- Sums over pairs of images ---------------------------------------------------------------------------- */

enum { LANES = 8, SUMS = 6 };

/* s <- sums over j < n of k l, k k, l l, k lsj + l ksj, k ksj, l lsj, where ksj is minus x_j, lsj minus y_j. */
HS_SIMD static void sum_row(size_t n, const float *k, const float *l, const double *x, const double *y, double s[SUMS])
{
    double v[SUMS][LANES] = {{0}};
    for (size_t j = 0; j < n; j += LANES) {
        size_t lanes = n - j < LANES ? n - j : LANES;
        for (size_t i = 0; i < lanes; i++) {
            double a = (double)k[j + i], b = (double)l[j + i];
            v[0][i] += a * b;
            v[1][i] += a * a;
            v[2][i] += b * b;
            v[3][i] -= a * y[j + i] + b * x[j + i];
            v[4][i] -= a * x[j + i];
            v[5][i] -= b * y[j + i];
        }
    }
    for (size_t m = 0; m < SUMS; m++) {
        s[m] = ((v[m][0] + v[m][4]) + (v[m][2] + v[m][6])) + ((v[m][1] + v[m][5]) + (v[m][3] + v[m][7]));
    }
}

/* The same from the other image of each pair: to[m][j] += what image i, of squares x and y, adds to each j < n. */
HS_SIMD static void sum_columns(size_t n, const float *k, const float *l, double x, double y, double *const to[SUMS])
{
    for (size_t j = 0; j < n; j++) {
        double a = (double)k[j], b = (double)l[j];
        to[0][j] += a * b;
        to[1][j] += a * a;
        to[2][j] += b * b;
        to[3][j] -= a * y + b * x;
        to[4][j] -= 2 * (a * x);
        to[5][j] -= 2 * (b * y);
    }
}

static void sum_panel(tiled *t)
{
    size_t n = t->n, end = t->first + t->count;
    hs_cka_pair *q = t->q;
    const double *x = t->norm[0], *y = t->norm[1];
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < t->count; r++) {
        double s[SUMS];
        sum_row(t->first + r, t->strip[0] + r * n, t->strip[1] + r * n, x, y, s);
        for (size_t m = 0; m < 3; m++) {
            q[m].p[t->first + r] += s[m];
            q[m].a[t->first + r] += m == 0 ? s[3] : 2 * s[3 + m];
        }
    }
#pragma omp parallel for schedule(dynamic)
    for (size_t c = 0; c < end; c += COLUMNS) {
        double *const to[SUMS] = {q[0].p + c, q[1].p + c, q[2].p + c, q[0].a + c, q[1].a + c, q[2].a + c};
        for (size_t r = 0; r < t->count; r++) {
            size_t i = t->first + r, wide = i <= c ? 0 : (i - c < COLUMNS ? i - c : COLUMNS);
            sum_columns(wide, t->strip[0] + r * n + c, t->strip[1] + r * n + c, x[i], y[i], to);
        }
    }
}

static void sum_diagonals(tiled *t)
{
    static const size_t of[3][2] = {{0, 1}, {0, 0}, {1, 1}};
    for (size_t m = 0; m < 3; m++) {
        const double *x = t->norm[of[m][0]], *y = t->norm[of[m][1]];
        for (size_t i = 0; i < t->n; i++) {
            t->q[m].ks[i] = -x[i];
            t->q[m].ls[i] = -y[i];
            t->q[m].diagonal += x[i] * y[i];
        }
    }
}

/* ---- All panels --------------------------------------------------------------------------------------------- */

/* Panels of one size. */
static size_t panel_rows(size_t n, size_t d, size_t bytes)
{
    size_t fit = bytes / (sizeof(float) * (d + 2 * n)), most = fit < ROWS_MOST ? fit : ROWS_MOST;
    most = most > ROWS_LEAST ? most : ROWS_LEAST;
    size_t panels = (n + most - 1) / most;
    return (n + panels - 1) / panels;
}

static int tiled_new(tiled *t, size_t panel, size_t d)
{
    int rc = HS_OK;
    HS_TRY(hs_gram_strip_new(panel, d, &t->room));
    for (size_t s = 0; s < 2; s++) {
        HS_TRY(hs_alloc(panel, t->n * sizeof(float), &t->strip[s]));
        HS_TRY(hs_alloc(t->n, sizeof(double), &t->norm[s]));
    }
out:
    return rc;
}

static void tiled_free(tiled *t)
{
    hs_gram_strip_free(t->room);
    for (size_t s = 0; s < 2; s++) {
        free(t->strip[s]);
        free(t->norm[s]);
    }
}

int hs_cka_tiled(const hs_centring *x, const hs_centring *y, size_t bytes, const hs_progress *progress, hs_cka *out)
{
    int rc = HS_OK;
    size_t n = x->rows->n, d = x->rows->d > y->rows->d ? x->rows->d : y->rows->d, panel = panel_rows(n, d, bytes);
    hs_cka_pair q[3] = {0};
    tiled t = {.n = n, .q = q};
    HS_TRY(tiled_new(&t, panel, d));
    for (size_t m = 0; m < 3; m++) {
        HS_TRY(hs_cka_pair_new(n, &q[m]));
    }
    for (t.first = 0; t.first < n; t.first += panel) {
        t.count = n - t.first < panel ? n - t.first : panel;
        HS_TRY(hs_gram_strip_make(t.room, x, t.first, t.count, progress, t.strip[0], t.norm[0]));
        HS_TRY(hs_gram_strip_make(t.room, y, t.first, t.count, progress, t.strip[1], t.norm[1]));
        sum_panel(&t);
    }
    sum_diagonals(&t);
    rc = hs_cka_conclude(n, q, out);
out:
    tiled_free(&t);
    for (size_t m = 0; m < 3; m++) {
        free(q[m].p);
    }
    return rc;
}
