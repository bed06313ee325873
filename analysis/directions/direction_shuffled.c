/* Twins of directions, found on shuffled labels. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/directions/direction.h"
#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/linalg/blas.h"

const char *hs_direction_shuffled_array(hs_space space)
{
    return space == HS_SPACE_EPS ? "shuffled_delta_eps" : "shuffled_delta_h";
}

int hs_direction_put_shuffled(hs_result *r, const hs_direction_set *set, size_t n)
{
    const size_t dim[6] = {set->n, n, set->S, set->shape.c, set->shape.h, set->shape.w};
    return hs_result_define_f32(r, hs_direction_shuffled_array(set->space), "direction,shuffle,timestep,channel,y,x", 6,
                                dim);
}

/* *out <- d with dh (S, size) at d's norms. */
HS_CHECKED static int twin_of(const hs_direction *d, const float *dh, size_t number, hs_direction *out)
{
    int rc;
    size_t size = hs_chw_size(d->shape);
    char name[160];
    hs_direction t = {.space = d->space, .shape = d->shape, .S = d->S, .match = d->match};
    snprintf(name, sizeof name, "%.100s, labels shuffled (%zu)", d->name, number);
    HS_TRY(hs_strdup(d->file, &t.file));
    HS_TRY(hs_strdup(name, &t.name));
    HS_TRY(hs_strdup(d->model_sha256, &t.model_sha256));
    HS_TRY(hs_strdup(d->tap, &t.tap));
    HS_TRY(hs_alloc(d->S, sizeof *t.t, &t.t));
    HS_TRY(hs_alloc(d->S, size * sizeof *t.dh, &t.dh));
    memcpy(t.t, d->t, d->S * sizeof *t.t);
    for (size_t k = 0; k < d->S; k++) {
        double from = hs_nrm2_f32(size, dh + k * size), to = hs_nrm2_f32(size, d->dh + k * size);
        if (!(from > 0) || !isfinite(from)) {
            rc = hs_fail(HS_EFORMAT, "%.200s: /%s: twin %zu of %.60s is 0 or not finite at t = %d", d->file,
                         hs_direction_shuffled_array(d->space), number, d->name, d->t[k]);
            goto out;
        }
        for (size_t i = 0; i < size; i++) {
            t.dh[k * size + i] = (float)(to / from * (double)dh[k * size + i]);
        }
    }
    *out = t;
    memset(&t, 0, sizeof t);
out:
    hs_direction_free(&t);
    return rc;
}

/* Which direction of its file d is. */
HS_CHECKED static int index_of(const hs_direction *d, size_t *index)
{
    size_t n = 0;
    char **names = NULL;
    int rc = hs_direction_names(d->file, &n, &names);
    for (*index = 0; rc == HS_OK && *index < n && strcmp(names[*index], d->name) != 0;) {
        (*index)++;
    }
    hs_strings_free(n, names);
    return rc;
}

/* all (n, S, C H W) <- the twins of direction i. */
HS_CHECKED static int read_twins(hs_result_in *r, const hs_direction *d, size_t i, size_t *n, float **all)
{
    int rc;
    const char *array = hs_direction_shuffled_array(d->space);
    size_t rank, dim[8], size;
    HS_TRY(hs_result_shape(r, array, &rank, dim));
    if (rank != 6 || dim[0] <= i || dim[2] != d->S || dim[3] != d->shape.c || dim[4] != d->shape.h ||
        dim[5] != d->shape.w) {
        rc = hs_fail(HS_EFORMAT, "%.200s: /%s is not (direction, shuffle, timestep, channel, y, x) of its directions",
                     d->file, array);
        goto out;
    }
    *n = dim[1];
    HS_TRY(hs_size_mul(dim[1], d->S * hs_chw_size(d->shape), &size));
    HS_TRY(hs_alloc(size, sizeof **all, all));
    HS_TRY(hs_result_get_rows(r, array, i, 1, *all));
out:
    return rc;
}

int hs_direction_shuffled(const hs_direction *d, size_t *n, hs_direction **out)
{
    int rc = HS_OK;
    hs_result_in *r = NULL;
    float *all = NULL;
    hs_direction *list = NULL;
    size_t i = 0, count = 0, made = 0, row = d->S * hs_chw_size(d->shape);
    *n = 0;
    *out = NULL;
    if (d->net != NULL || d->S == 0 || d->file[0] == '\0') {
        return HS_OK;
    }
    HS_TRY(index_of(d, &i)); /* before the file is opened for the arrays: one handle at a time */
    HS_TRY(hs_result_open(d->file, &r));
    if (!hs_result_has(r, hs_direction_shuffled_array(d->space))) {
        goto out;
    }
    HS_TRY(read_twins(r, d, i, &count, &all));
    HS_TRY(hs_calloc(count, sizeof *list, &list));
    for (; made < count; made++) {
        HS_TRY(twin_of(d, all + made * row, made, &list[made]));
    }
    *n = count;
    *out = list;
    list = NULL;
out:
    for (size_t k = 0; list != NULL && k < made; k++) {
        hs_direction_free(&list[k]);
    }
    free(list);
    free(all);
    hs_result_close(r);
    return rc;
}
