#include "analysis/sweep/scorer.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/io/resize.h"

enum { BATCH = 16 };

struct hs_scorer {
    size_t owners;
    hs_attrnet *net;
    hs_attrnet_ws *ws;
    size_t size, d; /* R; 3 R R */
    float *x, *out; /* (BATCH, 3, R, R), (BATCH, K) */
};

int hs_scorer_open(const char *folder, hs_conv_mode conv, hs_scorer **out)
{
    hs_scorer *s = NULL;
    int rc = HS_OK;
    HS_TRY(hs_calloc(1, sizeof *s, &s));
    s->owners = 1;
    HS_TRY(hs_attrnet_open(folder, &s->net));
    const hs_attrnet_config *cfg = hs_attrnet_config_of(s->net);
    s->size = cfg->image_size;
    s->d = 3 * s->size * s->size;
    HS_TRY(hs_attrnet_ws_create(s->net, BATCH, 0, conv, &s->ws));
    HS_TRY(hs_alloc(BATCH, s->d * sizeof *s->x, &s->x));
    HS_TRY(hs_alloc(BATCH, cfg->n_factors * sizeof *s->out, &s->out));
    *out = s;
    s = NULL;
out:
    hs_scorer_free(s);
    return rc;
}

hs_scorer *hs_scorer_share(hs_scorer *s)
{
    s->owners++;
    return s;
}

void hs_scorer_free(hs_scorer *s)
{
    if (s == NULL || --s->owners > 0) {
        return;
    }
    hs_attrnet_ws_free(s->ws);
    hs_attrnet_free(s->net);
    free(s->x);
    free(s->out);
    free(s);
}

const hs_attrnet_config *hs_scorer_config(const hs_scorer *s)
{
    return hs_attrnet_config_of(s->net);
}

int hs_scorer_find(const hs_scorer *s, const char *name, size_t *k)
{
    const hs_attrnet_config *cfg = hs_scorer_config(s);
    int at = hs_attrnet_find(s->net, name);
    if (at >= 0) {
        *k = (size_t)at;
        return HS_OK;
    }
    hs_str list = {0};
    for (size_t i = 0; i < cfg->n_factors; i++) {
        hs_str_addf(&list, "%s%s", i > 0 ? ", " : "", cfg->factor[i].name);
    }
    int rc = hs_str_ok(&list);
    rc = rc == HS_OK ? hs_fail(HS_ERANGE, "the attribute network doesn't know '%.60s'; it knows %s", name, list.s) : rc;
    hs_str_free(&list);
    return rc;
}

int hs_scorer_fit(const hs_scorer *s, const hs_image *im, float *x)
{
    hs_image fitted = {0};
    int rc = HS_OK;
    size_t plane = s->size * s->size;
    if (im->c != 1 && im->c != 3) {
        return hs_fail(HS_ESHAPE, "an image of %zu channels; the attribute network takes 1 or 3", im->c);
    }
    HS_TRY(hs_image_fit(im, s->size, &fitted));
    hs_image_to_float(&fitted, x);
    for (size_t k = 1; im->c == 1 && k < 3; k++) {
        memcpy(x + k * plane, x, plane * sizeof *x);
    }
out:
    hs_image_free(&fitted);
    return rc;
}

/* s->x row i <- one image. */
HS_CHECKED static int put(hs_scorer *s, hs_chw shape, size_t i, const float *x)
{
    float *to = s->x + i * s->d;
    size_t plane = s->size * s->size;
    hs_image im = {0};
    int rc = HS_OK;
    if (shape.h == s->size && shape.w == s->size && (shape.c == 1 || shape.c == 3)) {
        for (size_t k = 0; k < 3; k++) {
            memcpy(to + k * plane, x + (shape.c == 3 ? k : 0) * plane, plane * sizeof *x);
        }
        return HS_OK;
    }
    HS_TRY(hs_image_from_float(x, shape, &im));
    HS_TRY(hs_scorer_fit(s, &im, to));
out:
    hs_image_free(&im);
    return rc;
}

int hs_scorer_eval(hs_scorer *s, hs_chw shape, size_t n, const float *x, double *value, float *feature)
{
    const hs_attrnet_config *cfg = hs_scorer_config(s);
    int rc = HS_OK;
    for (size_t first = 0; first < n; first += BATCH) {
        size_t rows = n - first < BATCH ? n - first : BATCH;
        for (size_t i = 0; i < rows; i++) {
            HS_TRY(put(s, shape, i, x + (first + i) * hs_chw_size(shape)));
        }
        HS_TRY(hs_attrnet_forward(s->ws, rows, s->x, s->out, feature != NULL ? feature + first * cfg->features : NULL));
        hs_attrnet_values(s->net, rows, s->out, value + first * cfg->n_factors);
    }
out:
    return rc;
}
