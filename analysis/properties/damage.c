#include "analysis/properties/damage.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/io/csv.h"

static const char *const arm_name[HS_ARMS] = {"h_p", "eps_p", "h_both", "eps_both", "x_t"};

const char *hs_arm_name(hs_arm arm)
{
    return arm_name[arm];
}

int hs_arm_find(const char *name, hs_arm *arm)
{
    for (int a = 0; a < HS_ARMS; a++) {
        if (strcmp(name, arm_name[a]) == 0) {
            *arm = (hs_arm)a;
            return HS_OK;
        }
    }
    return hs_fail(HS_ERANGE, "arm \"%.40s\"; there are h_p, eps_p, h_both, eps_both, x_t", name);
}

void hs_damage_free(hs_damage *d)
{
    for (int a = 0; d != NULL && a < HS_ARMS; a++) {
        free(d->level[a]);
        free(d->damage[a]);
    }
    if (d != NULL) {
        *d = (hs_damage){0};
    }
}

/* order (m) <- the levels' places by size. */
HS_CHECKED static int order_levels(const char *arm, size_t m, const double *level, size_t *order)
{
    for (size_t j = 0; j < m; j++) {
        size_t k = j;
        if (!(level[j] >= 0) || isinf(level[j])) {
            return hs_fail(HS_ERANGE, "arm %s: level %g; wanted 0 or more", arm, level[j]);
        }
        for (; k > 0 && level[order[k - 1]] > level[j]; k--) {
            order[k] = order[k - 1];
        }
        if (k > 0 && level[order[k - 1]] >= level[j]) {
            return hs_fail(HS_ERANGE, "arm %s: level %g twice", arm, level[j]);
        }
        order[k] = j;
    }
    return m > 0 && level[order[0]] <= 0
               ? HS_OK
               : hs_fail(HS_ERANGE, "arm %s: no level 0, the clean floor that damage is measured from", arm);
}

int hs_damage_add(hs_damage *d, hs_arm arm, size_t m, const double *level, const double *damage)
{
    int rc = HS_OK;
    size_t *order = NULL, cells;
    double *to = NULL, *at = NULL;
    if (d->m[arm] > 0) {
        return hs_fail(HS_ERANGE, "arm %s: there already", arm_name[arm]);
    }
    HS_TRY(hs_size_mul(d->n, m, &cells));
    HS_TRY(hs_alloc(m, sizeof *order, &order));
    HS_TRY(hs_alloc(m, sizeof *at, &at));
    HS_TRY(hs_alloc(cells, sizeof *to, &to));
    HS_TRY(order_levels(arm_name[arm], m, level, order));
    for (size_t c = 0; c < cells; c++) {
        to[c] = damage[c / m * m + order[c % m]];
        at[c % m] = level[order[c % m]];
    }
    d->m[arm] = m;
    d->level[arm] = at;
    d->damage[arm] = to;
    at = to = NULL;
out:
    free(order);
    free(at);
    free(to);
    return rc;
}

/* ---- The table as text ---- */

typedef struct {
    const char *image;
    double level, damage;
    hs_arm arm;
    size_t line; /* among the rows, the header being line 1 */
} row;

static int by_arm_image_level(const void *a, const void *b)
{
    const row *x = a, *y = b;
    int d = x->arm != y->arm ? (int)x->arm - (int)y->arm : strcmp(x->image, y->image);
    return d != 0 ? d : (x->level > y->level) - (x->level < y->level);
}

/* Columns: image, arm, level, damage. */
HS_CHECKED static int parse_row(const char *text, const size_t col[4], row *r)
{
    int rc = HS_OK;
    const char *damage = hs_csv_cell(text, col[3]);
    r->image = hs_csv_cell(text, col[0]);
    HS_TRY(hs_arm_find(hs_csv_cell(text, col[1]), &r->arm));
    if (hs_text_f64(hs_csv_cell(text, col[2]), -HUGE_VAL, HUGE_VAL, &r->level) != HS_OK) {
        return hs_fail(HS_EFORMAT, "level \"%.40s\" is no number", hs_csv_cell(text, col[2]));
    }
    r->damage = NAN;
    if (strcmp(damage, "nan") != 0 && strcmp(damage, "NaN") != 0 &&
        hs_text_f64(damage, -HUGE_VAL, HUGE_VAL, &r->damage) != HS_OK) {
        return hs_fail(HS_EFORMAT, "damage \"%.40s\" is no number", damage);
    }
out:
    return rc;
}

static size_t same_arm(const row *r, size_t n)
{
    size_t k = 1;
    while (k < n && r[k].arm == r[0].arm) {
        k++;
    }
    return k;
}

/* Rows of one arm, by image and level: a full grid of the images of `first` (an arm of n images). */
HS_CHECKED static int check_grid(const row *r, size_t count, const row *first, size_t n, size_t stride)
{
    size_t m = count / n;
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && by_arm_image_level(&r[i], &r[i - 1]) == 0) {
            return hs_fail(HS_EFORMAT, "line %zu: image %.60s, arm %s, level %g again (line %zu)", r[i].line,
                           r[i].image, arm_name[r[i].arm], r[i].level, r[i - 1].line);
        }
    }
    for (size_t i = 0; i < count; i++) {
        const row *want = &r[i % m];
        if (count % n != 0 || i / m >= n || strcmp(r[i].image, first[i / m * stride].image) != 0 ||
            r[i].level > want->level || r[i].level < want->level) {
            return hs_fail(
                HS_EFORMAT,
                "arm %s: image %.60s (line %zu) lacks a level that another image has, or another arm has other images",
                arm_name[r[i].arm], r[i].image, r[i].line);
        }
    }
    return HS_OK;
}

HS_CHECKED static int add_arm(const row *r, size_t count, hs_damage *d)
{
    int rc = HS_OK;
    size_t m = count / d->n;
    double *level = NULL, *damage = NULL;
    HS_TRY(hs_alloc(m, sizeof *level, &level));
    HS_TRY(hs_alloc(count, sizeof *damage, &damage));
    for (size_t i = 0; i < count; i++) {
        level[i % m] = r[i].level;
        damage[i] = r[i].damage;
    }
    HS_TRY(hs_damage_add(d, r[0].arm, m, level, damage));
out:
    free(level);
    free(damage);
    return rc;
}

HS_CHECKED static int add_arms(row *r, size_t rows, hs_damage *d)
{
    int rc = HS_OK;
    qsort(r, rows, sizeof *r, by_arm_image_level);
    size_t of_first = same_arm(r, rows);
    d->n = 1;
    for (size_t i = 1; i < of_first; i++) {
        d->n += strcmp(r[i].image, r[i - 1].image) != 0;
    }
    for (size_t i = 0, count; i < rows; i += count) {
        count = same_arm(r + i, rows - i);
        HS_TRY(check_grid(r + i, count, r, d->n, of_first / d->n));
        HS_TRY(add_arm(r + i, count, d));
    }
out:
    return rc;
}

int hs_damage_read(const char *path, hs_damage *out)
{
    static const char *const name[4] = {"image", "arm", "level", "damage"};
    int rc = HS_OK;
    hs_csv t = {0};
    row *r = NULL;
    hs_damage d = {0};
    size_t col[4];
    HS_TRY(hs_csv_read(path, &t));
    for (int k = 0; k < 4; k++) {
        HS_TRY(hs_fail_in(hs_csv_column(&t, name[k], &col[k]), path));
    }
    if (t.n == 0) {
        HS_TRY(hs_fail(HS_ERANGE, "%s: no rows", path));
    }
    HS_TRY(hs_alloc(t.n, sizeof *r, &r));
    for (size_t i = 0; i < t.n; i++) {
        char where[32];
        snprintf(where, sizeof where, "row %zu", i + 1);
        r[i].line = i + 2;
        HS_TRY(hs_fail_in(hs_fail_in(parse_row(t.row[i], col, &r[i]), where), path));
    }
    HS_TRY(hs_fail_in(add_arms(r, t.n, &d), path));
    *out = d;
    d = (hs_damage){0};
out:
    hs_damage_free(&d);
    free(r);
    hs_csv_free(&t);
    return rc;
}
