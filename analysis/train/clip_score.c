#include "analysis/train/clip_score.h"

#include <math.h>
#include <stdlib.h>

#include "analysis/train/task_clip.h"
#include "core/base/alloc.h"
#include "datasets/captions.h"
#include "datasets/faces.h"

enum { BATCH = 50 };

const hs_clip_pair hs_clip_pairs[HS_CLIP_PAIRS] = {
    {"smile", "a sad face", "a smiling face", 1},
    {"smile", "a face", "a smiling face", 0},
    {"age", "a young face", "an old face", 1},
    {"age", "a face", "an old face", 0},
    {"glasses", "a face without glasses", "a face with glasses", 1},
    {"glasses", "a face", "a face with glasses", 0},
    {"yaw", "a face looking left", "a face looking right", 1},
    {"yaw", "a face", "a face looking right", 0},
    {"hair_hue", "a face with blond hair", "a face with purple hair", 1},
    {"hair_hue", "a face", "a face with purple hair", 0},
    {"hair_length", "a face with short hair", "a face with long hair", 1},
    {"skin", "a face with pale skin", "a face with dark skin", 1},
    {"beard", "a face without a beard", "a face with a beard", 1},
    {"hat", "a face without a hat", "a face with a hat", 1},
    {"mouth_open", "a face with a closed mouth", "a face with an open mouth", 1},
    {"eye_open", "a face with narrow eyes", "a face with round eyes", 1},
    {"brow", "an angry face", "a worried face", 1},
    {"face_width", "a narrow face", "a wide face", 1},
    {"light", "a face lit from the left", "a face lit from the right", 1},
    {"background", "a face on an orange background", "a face on a blue background", 1},
};

static void to_unit(size_t n, size_t P, float *e)
{
    for (size_t i = 0; i < n; i++) {
        double square = 0;
        for (size_t k = 0; k < P; k++) {
            square += (double)e[i * P + k] * (double)e[i * P + k];
        }
        float by = square > 0 ? (float)(1 / sqrt(square)) : 0;
        for (size_t k = 0; k < P; k++) {
            e[i * P + k] *= by;
        }
    }
}

static double dot(size_t P, const float *a, const float *b)
{
    double sum = 0;
    for (size_t k = 0; k < P; k++) {
        sum += (double)a[k] * (double)b[k];
    }
    return sum;
}

/* e (n, P) <- unit embeddings of the data's images. */
HS_CHECKED static int embed_images(const hs_clip *net, const hs_data *d, uint64_t seed, int augment, float *e)
{
    size_t size = hs_chw_size(d->image), P = hs_clip_config_of(net)->projection;
    hs_clip_image_ws *ws = NULL;
    float *x = NULL;
    int rc = HS_OK;
    HS_TRY(hs_clip_image_ws_create(net, BATCH, 0, &ws));
    HS_TRY(hs_alloc(BATCH * size, sizeof *x, &x));
    for (size_t first = 0; first < d->n; first += BATCH) {
        size_t n = d->n - first < BATCH ? d->n - first : BATCH;
        for (size_t i = 0; i < n * size; i++) {
            x[i] = (float)d->px[first * size + i] / 127.5f - 1.0f;
        }
        for (size_t i = 0; augment && i < n; i++) {
            hs_clip_augment(seed, first + i, d->image.h, x + i * size);
        }
        HS_TRY(hs_clip_image_forward(ws, n, x, e + first * P));
    }
    to_unit(d->n, P, e);
out:
    hs_clip_image_ws_free(ws);
    free(x);
    return rc;
}

/* ---- Retrieval ----------------------------------------------------------------------------------- */

/* w (HS_CLIP_POOL, P) <- unit embeddings of the pool's captions, each saying as much as it can. */
HS_CHECKED static int embed_captions(const hs_clip *net, const hs_data *d, uint64_t seed, size_t first, float *w)
{
    const char *text[HS_CLIP_POOL];
    hs_caption *caption = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(HS_CLIP_POOL, sizeof *caption, &caption));
    for (size_t i = 0; i < HS_CLIP_POOL; i++) {
        hs_caption_draw(d->value + (first + i) * d->n_factors, seed, first + i, HS_CAPTION_MENTIONS, &caption[i]);
        text[i] = caption[i].text;
    }
    HS_TRY(hs_clip_embed_texts(net, HS_CLIP_POOL, text, 0, w));
    to_unit(HS_CLIP_POOL, hs_clip_config_of(net)->projection, w);
out:
    free(caption);
    return rc;
}

/* How many rows of a are nearest to their own row of b. */
static size_t found(size_t P, const float *a, const float *b)
{
    size_t right = 0;
    for (size_t i = 0; i < HS_CLIP_POOL; i++) {
        size_t rivals = 0;
        double own = dot(P, a + i * P, b + i * P);
        for (size_t j = 0; j < HS_CLIP_POOL; j++) {
            rivals += j != i && dot(P, a + i * P, b + j * P) >= own;
        }
        right += rivals == 0;
    }
    return right;
}

HS_CHECKED static int retrieve(const hs_clip *net, const hs_data *d, uint64_t seed, const float *e, hs_clip_scores *s)
{
    size_t P = hs_clip_config_of(net)->projection, images = 0, captions = 0;
    float *w = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(HS_CLIP_POOL * P, sizeof *w, &w));
    s->pools = d->n / HS_CLIP_POOL;
    for (size_t k = 0; k < s->pools; k++) {
        const float *u = e + k * HS_CLIP_POOL * P;
        HS_TRY(embed_captions(net, d, seed, k * HS_CLIP_POOL, w));
        images += found(P, u, w);
        captions += found(P, w, u);
    }
    s->image_to_caption = (double)images / (double)(s->pools * HS_CLIP_POOL);
    s->caption_to_image = (double)captions / (double)(s->pools * HS_CLIP_POOL);
out:
    free(w);
    return rc;
}

/* ---- Pairs of prompts ---------------------------------------------------------------------------- */

static double pearson(const hs_data *d, size_t f, const double *s)
{
    double n = (double)d->n, a = 0, b = 0, aa = 0, bb = 0, ab = 0;
    for (size_t i = 0; i < d->n; i++) {
        a += s[i] / n;
        b += d->value[i * d->n_factors + f] / n;
    }
    for (size_t i = 0; i < d->n; i++) {
        double x = s[i] - a, y = d->value[i * d->n_factors + f] - b;
        aa += x * x;
        bb += y * y;
        ab += x * y;
    }
    return ab / sqrt(aa * bb);
}

/* Right side of 0, over faces in the outer thirds of the factor's range. */
static double accuracy(const hs_data *d, size_t f, const double *s)
{
    const hs_face_factor *a = hs_face_factor_at(f);
    double third = (a->hi - a->lo) / 3;
    size_t right = 0, of = 0;
    for (size_t i = 0; i < d->n; i++) {
        double v = d->value[i * d->n_factors + f];
        int high = v >= a->hi - third, low = v <= a->lo + third;
        of += (size_t)(high || low);
        right += (size_t)((high && s[i] > 0) || (low && s[i] < 0));
    }
    return (double)right / (double)of;
}

static void score_pair(const hs_data *d, const hs_clip_pair *pair, const double *s, hs_clip_pair_score *out)
{
    size_t f = (size_t)hs_face_factor_find(pair->factor);
    *out = (hs_clip_pair_score){.pearson = pearson(d, f, s), .accuracy = pair->opposite ? accuracy(d, f, s) : NAN};
    for (size_t k = 0; k < d->n_factors; k++) {
        double r = hs_face_correlation(f, k) == 0 ? pearson(d, k, s) : 0;
        if (fabs(r) > fabs(out->stray)) {
            out->stray = r;
            out->stray_factor = k;
        }
    }
}

/* s (n) <- <u, T>; *T between the pair's texts. */
HS_CHECKED static int project(const hs_clip *net, const hs_data *d, const hs_clip_pair *pair, const float *u, double *s)
{
    const char *const texts[2] = {pair->source, pair->target};
    size_t P = hs_clip_config_of(net)->projection;
    float *w = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(2 * P, sizeof *w, &w));
    HS_TRY(hs_clip_embed_texts(net, 2, texts, 0, w));
    to_unit(2, P, w);
    double moved = 0;
    for (size_t k = 0; k < P; k++) {
        w[P + k] -= w[k];
        moved += fabs((double)w[P + k]);
    }
    if (!(moved > 0)) {
        rc = hs_fail(HS_EDEGENERATE, "\"%s\" and \"%s\" embed alike", pair->source, pair->target);
        goto out;
    }
    for (size_t i = 0; i < d->n; i++) {
        s[i] = dot(P, u + i * P, w + P);
    }
out:
    free(w);
    return rc;
}

int hs_clip_score_on(const hs_clip *net, const hs_data *held_out, uint64_t seed, int augment, hs_clip_scores *out)
{
    float *u = NULL;
    double *s = NULL;
    hs_clip_scores scores = {.n = held_out->n};
    int rc = HS_OK;
    HS_TRY(hs_clip_task_check(held_out, hs_clip_config_of(net)));
    if (held_out->n < HS_CLIP_POOL) {
        return hs_fail(HS_ERANGE, "%zu held-out images; wanted at least %d", held_out->n, (int)HS_CLIP_POOL);
    }
    HS_TRY(hs_alloc(held_out->n * hs_clip_config_of(net)->projection, sizeof *u, &u));
    HS_TRY(hs_alloc(held_out->n, sizeof *s, &s));
    HS_TRY(embed_images(net, held_out, seed, augment, u));
    HS_TRY(retrieve(net, held_out, seed, u, &scores));
    for (size_t k = 0; k < HS_CLIP_PAIRS; k++) {
        HS_TRY(project(net, held_out, &hs_clip_pairs[k], u, s));
        score_pair(held_out, &hs_clip_pairs[k], s, &scores.pair[k]);
    }
    *out = scores;
out:
    free(u);
    free(s);
    return rc;
}
