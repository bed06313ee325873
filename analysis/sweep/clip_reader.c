#include "analysis/sweep/clip_reader.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/linalg/blas.h"
#include "core/model/clip_loss.h"

enum { BATCH = 8 };

struct hs_clip_reader {
    size_t owners;
    hs_clip *clip;
    hs_clip_image_ws *ws;
    size_t R, P;
    float *x; /* (BATCH, 3, R, R) */
};

int hs_clip_reader_open(const char *folder, hs_clip_reader **out)
{
    hs_clip_reader *r = NULL;
    int rc = HS_OK;
    HS_TRY(hs_calloc(1, sizeof *r, &r));
    r->owners = 1;
    HS_TRY(hs_clip_open(folder, &r->clip));
    r->R = hs_clip_config_of(r->clip)->image_size;
    r->P = hs_clip_config_of(r->clip)->projection;
    HS_TRY(hs_clip_image_ws_create(r->clip, BATCH, 0, &r->ws));
    HS_TRY(hs_alloc(BATCH, 3 * r->R * r->R * sizeof *r->x, &r->x));
    *out = r;
    r = NULL;
out:
    hs_clip_reader_free(r);
    return rc;
}

hs_clip_reader *hs_clip_reader_share(hs_clip_reader *r)
{
    r->owners++;
    return r;
}

void hs_clip_reader_free(hs_clip_reader *r)
{
    if (r == NULL || --r->owners > 0) {
        return;
    }
    hs_clip_image_ws_free(r->ws);
    hs_clip_free(r->clip);
    free(r->x);
    free(r);
}

const hs_clip *hs_clip_reader_clip(const hs_clip_reader *r)
{
    return r->clip;
}

HS_CHECKED static int to_unit(size_t P, float *e)
{
    const double length = hs_nrm2_f32(P, e);
    if (!(length > 0)) {
        return hs_fail(HS_EDEGENERATE, "an embedding of length %g has no direction", length);
    }
    for (size_t j = 0; j < P; j++) {
        e[j] = (float)((double)e[j] / length);
    }
    return HS_OK;
}

int hs_clip_reader_text(const hs_clip_reader *r, const char *text, int truncate, float *e)
{
    int rc = HS_OK;
    if (text[strspn(text, " \t\r\n")] == '\0') {
        return hs_fail(HS_ERANGE, "an empty text");
    }
    HS_TRY(hs_clip_embed_texts(r->clip, 1, &text, truncate, e));
    HS_TRY(to_unit(r->P, e));
out:
    return rc;
}

int hs_clip_reader_axis(const hs_clip_reader *r, const char *pair, float *e)
{
    const char *bar = strchr(pair, '|');
    char *first = NULL;
    int rc = HS_OK;
    if (bar == NULL || bar == pair || bar[1] == '\0' || strchr(bar + 1, '|') != NULL) {
        return hs_fail(HS_ERANGE, "'%.80s'; wanted two texts: A|B", pair);
    }
    HS_TRY(hs_strdup(pair, &first));
    first[bar - pair] = '\0';
    HS_TRY(hs_clip_text_direction(r->clip, HS_CLIP_UNIT, first, bar + 1, 0, NULL, e));
out:
    free(first);
    return rc;
}

/* r->x row i <- one image. */
HS_CHECKED static int put(hs_clip_reader *r, hs_chw shape, size_t i, const float *x)
{
    const size_t plane = r->R * r->R;
    float *to = r->x + i * 3 * plane;
    hs_image im = {0};
    int rc = HS_OK;
    if (shape.c != 1 && shape.c != 3) {
        return hs_fail(HS_ESHAPE, "an image of %zu channels; CLIP takes 1 or 3", shape.c);
    }
    if (shape.h == r->R && shape.w == r->R) {
        for (size_t k = 0; k < 3; k++) {
            memcpy(to + k * plane, x + (shape.c == 3 ? k : 0) * plane, plane * sizeof *x);
        }
        return HS_OK;
    }
    HS_TRY(hs_image_from_float(x, shape, &im));
    HS_TRY(hs_clip_preprocess(hs_clip_config_of(r->clip), &im, to));
out:
    hs_image_free(&im);
    return rc;
}

int hs_clip_reader_images(hs_clip_reader *r, hs_chw shape, size_t n, const float *x, float *e)
{
    int rc = HS_OK;
    for (size_t first = 0; first < n; first += BATCH) {
        const size_t rows = n - first < BATCH ? n - first : BATCH;
        for (size_t i = 0; i < rows; i++) {
            HS_TRY(put(r, shape, i, x + (first + i) * hs_chw_size(shape)));
        }
        HS_TRY(hs_clip_image_forward(r->ws, rows, r->x, e + first * r->P));
        for (size_t i = 0; i < rows; i++) {
            HS_TRY(to_unit(r->P, e + (first + i) * r->P));
        }
    }
out:
    return rc;
}
