#include "core/model/clip_loss.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/io/file.h"
#include "core/linalg/blas.h"
#include "core/nn/cubic.h"

static const double still = 4e-6; /* relative: float32's rounding in an embedding */

/* ---- Texts ----------------------------------------------------------------------------------------- */

/* e (P) <- the embedding of the text put into the template (NULL: alone), of unit length where wanted. */
HS_CHECKED static int embed(const hs_clip *c, const char *frame, const char *text, int unit, float *e)
{
    const char *gap = frame != NULL ? strstr(frame, "{}") : NULL;
    const size_t P = hs_clip_config_of(c)->projection;
    hs_str whole = {0};
    int rc = HS_OK;
    if (frame != NULL && gap == NULL) {
        return hs_fail(HS_ERANGE, "template \"%.60s\" has no {}", frame);
    }
    if (frame != NULL) {
        hs_str_add_bytes(&whole, frame, (size_t)(gap - frame));
    }
    hs_str_add(&whole, text);
    hs_str_add(&whole, frame != NULL ? gap + 2 : "");
    HS_TRY(hs_str_ok(&whole));
    const char *one = whole.s != NULL ? whole.s : "";
    HS_TRY(hs_clip_embed_texts(c, 1, &one, 0, e));
    const double length = hs_nrm2_f32(P, e);
    for (size_t j = 0; unit && length > 0 && j < P; j++) {
        e[j] = (float)((double)e[j] / length);
    }
out:
    hs_str_free(&whole);
    return rc;
}

int hs_clip_text_direction(const hs_clip *c, hs_clip_form form, const char *source, const char *target,
                           size_t n_templates, const char *const *templates, float *t)
{
    const size_t P = hs_clip_config_of(c)->projection, rounds = n_templates > 0 ? n_templates : 1;
    double *sum = NULL, length = 0;
    float *e = NULL;
    int rc = HS_OK;
    if (form == HS_CLIP_PLAIN && n_templates > 0) {
        return hs_fail(HS_ERANGE, "the plain direction between two texts takes no templates");
    }
    HS_TRY(hs_calloc(P, sizeof *sum, &sum));
    HS_TRY(hs_alloc(2 * P, sizeof *e, &e));
    for (size_t k = 0; k < rounds; k++) {
        const char *frame = n_templates > 0 ? templates[k] : NULL;
        HS_TRY(embed(c, frame, target, form == HS_CLIP_UNIT, e));
        HS_TRY(embed(c, frame, source, form == HS_CLIP_UNIT, e + P));
        for (size_t j = 0; j < P; j++) {
            sum[j] += ((double)e[j] - (double)e[P + j]) / (double)rounds;
        }
    }
    length = hs_nrm2_f64(P, sum);
    if (!(length > still * hs_nrm2_f32(P, e))) {
        rc =
            hs_fail(HS_EDEGENERATE, "\"%.60s\" and \"%.60s\" mean the same to this CLIP: no direction", source, target);
        goto out;
    }
    for (size_t j = 0; j < P; j++) {
        t[j] = (float)(form == HS_CLIP_UNIT ? sum[j] / length : sum[j]);
    }
out:
    free(sum);
    free(e);
    return rc;
}

int hs_clip_text_cosine(const hs_clip *c, const char *a, const char *b, double *cosine)
{
    const size_t P = hs_clip_config_of(c)->projection;
    float *e = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(2 * P, sizeof *e, &e));
    HS_TRY(embed(c, NULL, a, 1, e));
    HS_TRY(embed(c, NULL, b, 1, e + P));
    *cosine = hs_dot_f32(P, e, e + P);
out:
    free(e);
    return rc;
}

/* ---- Templates ------------------------------------------------------------------------------------- */

enum { TEMPLATES_MAX = 1000, TEMPLATES_BYTES = 1 << 20 };

HS_CHECKED static int check_template(const char *line, size_t number)
{
    const char *gap = strstr(line, "{}");
    if (!hs_text_is_utf8(line, strlen(line))) {
        return hs_fail(HS_EFORMAT, "line %zu is not UTF-8", number);
    }
    return gap != NULL && strstr(gap + 2, "{}") == NULL
               ? HS_OK
               : hs_fail(HS_EFORMAT, "line %zu: a template has one {}, where the text goes", number);
}

static void free_lines(char **lines, size_t n)
{
    for (size_t i = 0; lines != NULL && i < n; i++) {
        free(lines[i]);
    }
    free(lines);
}

HS_CHECKED static int split(char *text, char **list, size_t *n)
{
    size_t number = 0;
    int rc = HS_OK;
    for (char *line = text, *after; line != NULL; line = after) {
        after = strchr(line, '\n');
        if (after != NULL) {
            *after++ = '\0';
        }
        line[strcspn(line, "\r")] = '\0';
        number++;
        if (*line == '\0' || *line == '#') {
            continue;
        }
        HS_TRY(check_template(line, number));
        if (*n == TEMPLATES_MAX) {
            return hs_fail(HS_ELIMIT, "more than %d templates", TEMPLATES_MAX);
        }
        HS_TRY(hs_strdup(line, &list[*n]));
        (*n)++;
    }
    if (*n == 0) {
        rc = hs_fail(HS_EFORMAT, "no template; wanted one a line, with {} where the text goes");
    }
out:
    return rc;
}

int hs_clip_templates_read(const char *path, char ***lines, size_t *n)
{
    unsigned char *bytes = NULL;
    char *text = NULL, **list = NULL;
    size_t len, found = 0;
    int rc = HS_OK;
    HS_TRY(hs_file_read(path, TEMPLATES_BYTES, &bytes, &len));
    HS_TRY(hs_alloc(len + 1, 1, &text));
    memcpy(text, bytes, len);
    text[len] = '\0';
    HS_TRY(hs_alloc(TEMPLATES_MAX, sizeof *list, &list));
    HS_TRY(hs_fail_in(split(text, list, &found), path));
    *lines = list;
    *n = found;
    list = NULL;
out:
    free_lines(list, found);
    free(text);
    free(bytes);
    return rc;
}

/* ---- Directional loss ------------------------------------------------------------------------------ */

struct hs_clip_loss {
    const hs_clip *c;
    hs_clip_image_ws *ws;
    hs_cubic *resize; /* NULL where images are CLIP's size */
    size_t n, P, R;
    hs_chw shape;
    hs_clip_form form;
    int logarithm;
    float *t, *e, *de;  /* (P), (n, P) twice; t of unit length */
    double *g, *cosine; /* (P), (n) */
    float *x, *scratch; /* (n, 3, R, R); the resizing's */
    hs_arena arena;
};

HS_CHECKED static int allocate(hs_clip_loss *l, const float *t)
{
    const double length = hs_nrm2_f32(l->P, t);
    const size_t row = l->P * sizeof(float);
    int rc = HS_OK;
    HS_TRY(length > 0 ? HS_OK : hs_fail(HS_EDEGENERATE, "the direction between the texts is 0"));
    HS_TRY(hs_arena_alloc(&l->arena, 1, row, &l->t));
    HS_TRY(hs_arena_alloc(&l->arena, l->n, row, &l->e));
    HS_TRY(hs_arena_alloc(&l->arena, l->n, row, &l->de));
    HS_TRY(hs_arena_alloc(&l->arena, l->P, sizeof *l->g, &l->g));
    HS_TRY(hs_arena_alloc(&l->arena, l->n, sizeof *l->cosine, &l->cosine));
    for (size_t j = 0; j < l->P; j++) {
        l->t[j] = (float)((double)t[j] / length);
    }
    if (l->shape.h != l->R) {
        HS_TRY(hs_cubic_create(l->shape.h, l->shape.w, l->R, l->R, 1, &l->resize));
        HS_TRY(hs_arena_alloc(&l->arena, l->n, 3 * l->R * l->R * sizeof(float), &l->x));
        HS_TRY(hs_arena_alloc(&l->arena, l->n, 3 * hs_cubic_scratch(l->resize) * sizeof(float), &l->scratch));
    }
out:
    return rc;
}

int hs_clip_loss_create(const hs_clip *c, size_t n, hs_chw shape, hs_clip_form form, int logarithm, const float *t,
                        hs_clip_loss **out)
{
    hs_clip_loss *l = NULL;
    int rc = HS_OK;
    if (shape.c != 3 || shape.h != shape.w) {
        return hs_fail(HS_ESHAPE, "images (%zu, %zu, %zu): CLIP sees square ones of 3 channels", shape.c, shape.h,
                       shape.w);
    }
    HS_TRY(hs_calloc(1, sizeof *l, &l));
    *l = (hs_clip_loss){.c = c, .n = n, .shape = shape, .form = form, .logarithm = logarithm};
    l->P = hs_clip_config_of(c)->projection;
    l->R = hs_clip_config_of(c)->image_size;
    HS_TRY(hs_clip_image_ws_create(c, n, 1, &l->ws));
    HS_TRY(allocate(l, t));
    *out = l;
    l = NULL;
out:
    hs_clip_loss_free(l);
    return rc;
}

void hs_clip_loss_free(hs_clip_loss *l)
{
    if (l == NULL) {
        return;
    }
    hs_clip_image_ws_free(l->ws);
    hs_cubic_free(l->resize);
    hs_arena_free(&l->arena);
    free(l);
}

int hs_clip_loss_embed(hs_clip_loss *l, size_t n, const float *b, float *e)
{
    int rc = HS_OK;
    if (n == 0 || n > l->n) {
        return hs_fail(HS_ERANGE, "%zu images; the loss has room for 1 to %zu", n, l->n);
    }
    if (l->resize != NULL) {
        hs_cubic_forward(l->resize, 3 * n, b, l->x, l->scratch);
        b = l->x;
    }
    HS_TRY(hs_clip_image_forward(l->ws, n, b, e));
out:
    return rc;
}

/* The cosine of a - b with t; g (P) <- its gradient in a. */
static double cosine_of(const hs_clip_loss *l, const float *a, const float *b, double *g)
{
    const size_t P = l->P;
    const double na = hs_nrm2_f32(P, a), nb = hs_nrm2_f32(P, b);
    const double sa = l->form == HS_CLIP_UNIT ? 1 / na : 1, sb = l->form == HS_CLIP_UNIT ? 1 / nb : 1;
    double along = 0, length = 0, radial = 0;
    for (size_t j = 0; j < P; j++) {
        g[j] = sa * (double)a[j] - sb * (double)b[j];
        along += g[j] * (double)l->t[j];
    }
    length = hs_nrm2_f64(P, g);
    if (!(length > still * sa * na)) {
        memset(g, 0, P * sizeof *g);
        return 0;
    }
    const double cosine = along / length;
    for (size_t j = 0; j < P; j++) {
        g[j] = ((double)l->t[j] - cosine * g[j] / length) / length;
        radial += g[j] * (double)a[j];
    }
    for (size_t j = 0; l->form == HS_CLIP_UNIT && j < P; j++) {
        g[j] = sa * (g[j] - radial * sa * sa * (double)a[j]);
    }
    return cosine;
}

/* *total <- of the n cosines; *slope <- its derivative in each 1 - cosine. */
HS_CHECKED static int sum_up(const hs_clip_loss *l, size_t n, double *total, double *slope)
{
    double mean = 0;
    for (size_t i = 0; i < n; i++) {
        mean += (1 - l->cosine[i]) / (double)n;
    }
    if (l->logarithm && !(mean < 2)) {
        return hs_fail(HS_EDEGENERATE, "-log((2 - L) / 2) at L = %g: every image moves straight away from the text",
                       mean);
    }
    *total = l->logarithm ? -log((2 - mean) / 2) : mean;
    *slope = (l->logarithm ? 1 / (2 - mean) : 1) / (double)n;
    return HS_OK;
}

int hs_clip_loss_at(hs_clip_loss *l, size_t n, const float *a, const float *e, double weight, double *total,
                    double *each, float *da)
{
    const size_t P = l->P;
    double sum = 0, slope = 0;
    int rc = HS_OK;
    HS_TRY(hs_clip_loss_embed(l, n, a, l->e));
    for (size_t i = 0; i < n; i++) {
        l->cosine[i] = cosine_of(l, l->e + i * P, e + i * P, l->g);
        for (size_t j = 0; j < P; j++) {
            l->de[i * P + j] = (float)l->g[j];
        }
    }
    HS_TRY(sum_up(l, n, &sum, &slope));
    for (size_t i = 0; i < n * P; i++) {
        l->de[i] = (float)(-weight * slope * (double)l->de[i]);
    }
    if (da != NULL) {
        HS_TRY(hs_clip_image_vjp(l->ws, n, l->de, l->resize != NULL ? l->x : da, NULL));
        if (l->resize != NULL) {
            hs_cubic_vjp(l->resize, 3 * n, l->x, da, l->scratch);
        }
    }
    for (size_t i = 0; each != NULL && i < n; i++) {
        each[i] = 1 - l->cosine[i];
    }
    *total = sum;
out:
    return rc;
}

/* ---- Contrastive loss ------------------------------------------------------------------------------ */

static double dot(size_t P, const float *a, const float *b)
{
    double sum = 0;
    for (size_t j = 0; j < P; j++) {
        sum += (double)a[j] * (double)b[j];
    }
    return sum;
}

double hs_log_sum_exp(size_t n, size_t stride, const double *v)
{
    double top = v[0];
    for (size_t i = 1; i < n; i++) {
        top = v[i * stride] > top ? v[i * stride] : top;
    }
    double sum = exp(v[0] - top);
    for (size_t i = 1; i < n; i++) {
        sum += exp(v[i * stride] - top);
    }
    return top + log(sum);
}

/* G += the gradient of the mean over i of (log sum exp of row i - logit of (i, i)) / 2; returns that mean. */
static double entropy(size_t n, size_t row, size_t column, const double *logit, double *G)
{
    double loss = 0, share = 0.5 / (double)n;
    for (size_t i = 0; i < n; i++) {
        const double sum = hs_log_sum_exp(n, column, logit + i * row);
        loss += share * (sum - logit[i * row + i * column]);
        for (size_t j = 0; j < n; j++) {
            G[i * row + j * column] += share * (exp(logit[i * row + j * column] - sum) - (i == j));
        }
    }
    return loss;
}

/* du_i <- the gradient through u_i / |u_i|, where the unit vectors' are s sum over j of G[i, j] w_j / |w_j|. */
static void pull(size_t n, size_t P, size_t row, size_t column, const double *G, double s, const float *u,
                 const double *iu, const float *w, const double *iw, float *du)
{
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++) {
        double radial = 0;
        for (size_t p = 0; p < P; p++) {
            double sum = 0;
            for (size_t j = 0; j < n; j++) {
                sum += G[i * row + j * column] * iw[j] * (double)w[j * P + p];
            }
            du[i * P + p] = (float)(s * iu[i] * sum);
            radial += s * iu[i] * sum * iu[i] * iu[i] * (double)u[i * P + p];
        }
        for (size_t p = 0; p < P; p++) {
            du[i * P + p] = (float)((double)du[i * P + p] - radial * (double)u[i * P + p]);
        }
    }
}

int hs_clip_contrastive(size_t n, size_t P, const float *u, const float *w, double scale, double *work, double *loss,
                        float *du, float *dw, double *dscale)
{
    double *logit = work, *G = work + n * n, *iu = G + n * n, *iw = iu + n, s = exp(scale), d = 0;
    for (size_t i = 0; i < n; i++) {
        iu[i] = 1 / sqrt(dot(P, u + i * P, u + i * P));
        iw[i] = 1 / sqrt(dot(P, w + i * P, w + i * P));
        if (!isfinite(iu[i]) || !isfinite(iw[i])) {
            return hs_fail(HS_EDEGENERATE, "embedding %zu has no direction", i);
        }
    }
#pragma omp parallel for schedule(static)
    for (size_t e = 0; e < n * n; e++) {
        logit[e] = s * iu[e / n] * iw[e % n] * dot(P, u + e / n * P, w + e % n * P);
        G[e] = 0;
    }
    *loss = entropy(n, n, 1, logit, G) + entropy(n, 1, n, logit, G);
    for (size_t e = 0; e < n * n; e++) {
        d += G[e] * logit[e];
    }
    *dscale = d;
    pull(n, P, n, 1, G, s, u, iu, w, iw, du);
    pull(n, P, 1, n, G, s, w, iw, u, iu, dw);
    return HS_OK;
}
