#include "analysis/sweep/curves.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/diffusion/ddim.h"
#include "core/io/file.h"
#include "core/model/asyrp.h"

enum { TRAJECTORY_BYTES = 256 << 20, CURVE_BYTES = 16 << 20 };

/* One batch on its way: what was seen at each step. */
typedef struct {
    const hs_curves_plan *plan;
    hs_predictor inner;
    size_t n, d, S;
    float *x_t, *p_t; /* (S, n, d) */
    float *x_0;       /* (n, d) */
    double *value;    /* (n, K) of the scorer */
    float *feature;   /* (2, n, F) */
    size_t F;
} walk;

void hs_curves_free(hs_curves *c)
{
    free(c->t);
    free(c->p);
    free(c->x);
    free(c->noise);
    memset(c, 0, sizeof *c);
}

HS_CHECKED static int predict(void *ctx, size_t n, const float *x_t, int t, size_t step, float *eps_p, float *eps_d)
{
    walk *w = ctx;
    int rc = w->inner.predict(w->inner.ctx, n, x_t, t, step, eps_p, eps_d);
    if (rc != HS_OK) {
        return rc;
    }
    double ab = w->plan->steps->step[step].alpha_bar, a = 1 / sqrt(ab), b = sqrt(1 - ab) * a;
    float *x = w->x_t + step * w->n * w->d, *p = w->p_t + step * w->n * w->d;
    memcpy(x, x_t, n * w->d * sizeof *x);
    for (size_t i = 0; i < n * w->d; i++) {
        p[i] = (float)(a * (double)x_t[i] - b * (double)eps_p[i]);
    }
    return HS_OK;
}

/* sum <- sum + distance of each of n rows. */
static void add_distances(size_t n, size_t d, const float *a, const float *b, int mean_square, double *sum)
{
    for (size_t i = 0; i < n; i++) {
        double squares = 0;
        for (size_t k = 0; k < d; k++) {
            double v = (double)a[i * d + k] - (double)b[i * d + k];
            squares += v * v;
        }
        *sum += sqrt(mean_square ? squares / (double)d : squares);
    }
}

/* *sum += distances of the n pictures x from the ends of their trajectories. */
HS_CHECKED static int compare(walk *w, hs_chw shape, size_t n, const float *x, double *sum)
{
    int rc = HS_OK;
    if (w->plan->scorer == NULL) {
        add_distances(n, w->d, x, w->x_0, 1, sum);
        return HS_OK;
    }
    HS_TRY(hs_scorer_eval(w->plan->scorer, shape, n, x, w->value, w->feature));
    add_distances(n, w->F, w->feature, w->feature + w->n * w->F, 0, sum);
out:
    return rc;
}

HS_CHECKED static int make_walk(const hs_curves_plan *plan, size_t n, hs_chw shape, walk *w)
{
    int rc;
    size_t rows;
    size_t each = 2 * plan->steps->S * hs_chw_size(shape) * sizeof(float);
    size_t fitting = TRAJECTORY_BYTES / each > 0 ? TRAJECTORY_BYTES / each : 1;
    *w = (walk){.plan = plan, .d = hs_chw_size(shape), .S = plan->steps->S, .n = plan->batch};
    w->n = w->n < fitting ? w->n : fitting;
    w->n = w->n < n ? w->n : n;
    HS_TRY(hs_size_mul(w->S, w->n, &rows));
    HS_TRY(hs_alloc(rows, w->d * sizeof(float), &w->x_t));
    HS_TRY(hs_alloc(rows, w->d * sizeof(float), &w->p_t));
    HS_TRY(hs_alloc(w->n, w->d * sizeof(float), &w->x_0));
    if (plan->scorer != NULL) {
        const hs_attrnet_config *cfg = hs_scorer_config(plan->scorer);
        w->F = cfg->features;
        HS_TRY(hs_alloc(w->n, cfg->n_factors * sizeof(double), &w->value));
        HS_TRY(hs_alloc(2 * w->n, w->F * sizeof(float), &w->feature));
    }
out:
    return rc;
}

static void walk_free(walk *w)
{
    free(w->x_t);
    free(w->p_t);
    free(w->x_0);
    free(w->value);
    free(w->feature);
}

/* Adds the n images from x_T to the sums in c. */
HS_CHECKED static int add_batch(walk *w, hs_unet_ws *ws, hs_chw shape, size_t n, const float *x_T, hs_curves *c)
{
    int rc;
    hs_asyrp *a = NULL;
    hs_ddim_options o = HS_DDIM_OPTIONS_INIT;
    memcpy(w->x_0, x_T, n * w->d * sizeof *x_T);
    HS_TRY(hs_asyrp_create(w->plan->model->unet, ws, NULL, n, &a));
    w->inner = hs_asyrp_predictor(a);
    HS_TRY(hs_ddim_sample(&(hs_predictor){predict, w}, w->plan->steps, &o, n, w->d, w->x_0));
    if (w->plan->scorer != NULL) {
        HS_TRY(hs_scorer_eval(w->plan->scorer, shape, n, w->x_0, w->value, w->feature + w->n * w->F));
    }
    for (size_t k = 0; k < w->S; k++) {
        size_t up = w->S - 1 - k, at = k * w->n * w->d;
        HS_TRY(compare(w, shape, n, w->p_t + at, &c->p[up]));
        HS_TRY(compare(w, shape, n, w->x_t + at, &c->x[up]));
    }
out:
    hs_asyrp_free(a);
    return rc;
}

int hs_curves_measure(const hs_curves_plan *plan, size_t n, const float *x_T, hs_curves *out)
{
    int rc;
    walk w = {0};
    hs_unet_ws *ws = NULL;
    const hs_chw shape = hs_unet_image_shape(hs_unet_config_of(plan->model->unet));
    hs_curves c = {.S = plan->steps->S, .n = n};
    HS_TRY(make_walk(plan, n, shape, &w));
    HS_TRY(hs_calloc(c.S, sizeof *c.p, &c.p));
    HS_TRY(hs_calloc(c.S, sizeof *c.x, &c.x));
    HS_TRY(hs_alloc(c.S, sizeof *c.noise, &c.noise));
    HS_TRY(hs_alloc(c.S, sizeof *c.t, &c.t));
    HS_TRY(hs_unet_ws_create(plan->model->unet, w.n, w.n, plan->conv, &ws));
    for (size_t first = 0; first < n; first += w.n) {
        HS_TRY(hs_progress_tell(plan->progress, "curves", first, n));
        hs_unet_ws_first(ws, first);
        HS_TRY(add_batch(&w, ws, shape, n - first < w.n ? n - first : w.n, x_T + first * w.d, &c));
    }
    for (size_t k = 0; k < c.S; k++) {
        c.t[k] = plan->steps->step[c.S - 1 - k].t;
        c.noise[k] = 1 - plan->steps->step[c.S - 1 - k].alpha_bar;
        c.p[k] /= (double)n;
        c.x[k] /= (double)n;
    }
    *out = c;
    memset(&c, 0, sizeof c);
out:
    hs_unet_ws_free(ws);
    walk_free(&w);
    hs_curves_free(&c);
    return rc;
}

void hs_curves_thresholds(const hs_curves *c, double cosine, double *edit, double *boost)
{
    *edit = HS_CURVE_EDIT_FRACTION * cosine * c->p[c->S - 1];
    size_t up = 0;
    while (up + 1 < c->S && c->noise[up] < HS_CURVE_BOOST_NOISE) {
        up++;
    }
    *boost = c->x[up];
    if (up > 0 && c->noise[up] > HS_CURVE_BOOST_NOISE) {
        double w = (HS_CURVE_BOOST_NOISE - c->noise[up - 1]) / (c->noise[up] - c->noise[up - 1]);
        *boost = c->x[up - 1] + w * (c->x[up] - c->x[up - 1]);
    }
}

/* One "t value" line; HS_ERANGE when it isn't. */
static int parse_line(const char *line, int *t, double *value)
{
    char *end;
    errno = 0;
    long v = strtol(line, &end, 10);
    if (end == line || errno != 0 || v < 0 || v > 1 << 30 || (*end != '\t' && *end != ' ')) {
        return 0;
    }
    const char *number = end;
    *t = (int)v;
    *value = strtod(number, &end);
    return end != number && isfinite(*value) && end[strspn(end, " \t\r")] == '\0';
}

int hs_curve_read(const char *path, size_t *n, int **t, double **value)
{
    int rc;
    unsigned char *bytes = NULL;
    char *text = NULL, *rest;
    size_t len = 0, lines = 1, count = 0, number = 0;
    int *list = NULL;
    double *v = NULL;
    HS_TRY(hs_file_read(path, CURVE_BYTES, &bytes, &len));
    HS_TRY(hs_alloc(len + 1, 1, &text));
    memcpy(text, bytes, len);
    text[len] = '\0';
    for (size_t i = 0; i < len; i++) {
        lines += text[i] == '\n';
    }
    HS_TRY(hs_alloc(lines, sizeof *list, &list));
    HS_TRY(hs_alloc(lines, sizeof *v, &v));
    rest = text;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        number++;
        if (line[strspn(line, " \t\r")] == '\0') {
            continue;
        }
        if (!parse_line(line, &list[count], &v[count])) {
            rc = hs_fail(HS_EFORMAT, "%s: line %zu is no timestep and number", path, number);
            goto out;
        }
        count++;
    }
    *n = count;
    *t = list;
    *value = v;
    list = NULL;
    v = NULL;
out:
    free(bytes);
    free(text);
    free(list);
    free(v);
    return rc;
}
