/* Rendered faces: index first ... first + images - 1 of the seed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/train/data_sources.h"
#include "core/base/alloc.h"
#include "datasets/faces.h"

enum { BLOCK = 512 }; /* renders between two reports of progress */

HS_CHECKED static int find_style(const char *name, size_t *style)
{
    for (size_t i = 0; i < hs_face_style_count(); i++) {
        if (name == NULL || strcmp(name, hs_face_style_name(i)) == 0) {
            *style = i;
            return HS_OK;
        }
    }
    char names[128] = "";
    for (size_t i = 0, at = 0; i < hs_face_style_count() && at < sizeof names; i++) {
        at += (size_t)snprintf(names + at, sizeof names - at, "%s%s", i > 0 ? ", " : "", hs_face_style_name(i));
    }
    return hs_fail(HS_ERANGE, "faces:%.40s: no such style; wanted one of %s", name, names);
}

HS_CHECKED static int render_one(hs_data *d, const hs_data_options *o, size_t style, size_t i)
{
    double factor[HS_FACE_FACTORS_MAX];
    float *rgb = NULL;
    hs_image im = {0};
    hs_chw s = {3, d->image.h, d->image.w};
    int rc = HS_OK;
    HS_TRY(hs_alloc(hs_chw_size(s), sizeof *rgb, &rgb));
    hs_face_draw(o->seed, o->first + i, factor);
    HS_TRY(hs_face_render(style, factor, s.h, rgb));
    HS_TRY(hs_image_from_float(rgb, s, &im));
    HS_TRY(hs_data_put(d, o, i, &im, "faces"));
    if (d->n_factors > 0) {
        memcpy(d->value + i * d->n_factors, factor, d->n_factors * sizeof *factor);
    }
out:
    hs_image_free(&im);
    free(rgb);
    return rc;
}

/* Errors of the worker threads: the first of them counts, its message is asked for again here. */
HS_CHECKED static int render_block(hs_data *d, const hs_data_options *o, size_t style, size_t first, size_t n)
{
    size_t failed = SIZE_MAX;
#pragma omp parallel for schedule(dynamic, 16) reduction(min : failed)
    for (size_t i = first; i < first + n; i++) {
        if (render_one(d, o, style, i) != HS_OK && i < failed) {
            failed = i;
        }
    }
    return failed == SIZE_MAX ? HS_OK : render_one(d, o, style, failed);
}

static void name_factors(hs_data *d)
{
    for (size_t f = 0; f < d->n_factors; f++) {
        const hs_face_factor *from = hs_face_factor_at(f);
        snprintf(d->factor[f].name, sizeof d->factor[f].name, "%s", from->name);
        d->factor[f].binary = from->kind == HS_FACE_BINARY;
    }
}

int hs_data_faces(const char *style_name, const hs_data_options *o, hs_data *d)
{
    size_t style = 0;
    int rc = HS_OK;
    if (o->image.c != 3) {
        return hs_fail(HS_ERANGE, "faces: drawn in 3 channels; the network wants %zu", o->image.c);
    }
    if (o->n_attributes > 0) {
        return hs_fail(HS_ERANGE, "faces: --attributes chooses columns of a folder's attributes.csv");
    }
    HS_TRY(find_style(style_name, &style));
    HS_TRY(hs_fail_in(hs_data_room(d, o, o->images, o->factors ? hs_face_factor_count() : 0), "faces: --images"));
    name_factors(d);
    for (size_t i = 0; i < d->n; i += BLOCK) {
        HS_TRY(render_block(d, o, style, i, d->n - i < BLOCK ? d->n - i : BLOCK));
        HS_TRY(hs_progress_tell(o->progress, "rendering", i, d->n));
    }
    snprintf(d->text, sizeof d->text, "faces:%s, seed %llu, renders %zu to %zu, 3 x %zu x %zu",
             hs_face_style_name(style), (unsigned long long)o->seed, o->first, o->first + d->n - 1, d->image.h,
             d->image.w);
out:
    return rc;
}
