#include "analysis/sweep/sweep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/io/crc32c.h"
#include "core/linalg/blas.h"

/* What the watch needs to put a row's numbers in their place. */
typedef struct {
    const hs_edit_plan *plan;
    size_t n_phi, after; /* first step after the edited ones, or the last */
    const hs_readout *phi;
    hs_sweep *out;
    float *buffer; /* (c R R) */
    uint32_t kind; /* of the cells */
    uint64_t run;  /* which of the command's */
    int kept;      /* images are wanted, beside what is read of them */
    size_t d_x;
    hs_chw image;
} capture;

static float *place(const capture *c, size_t p, size_t image, size_t strength)
{
    return c->out->value[p] + (image * c->plan->m + strength) * c->phi[p].features;
}

static size_t step_of(const capture *c, const hs_readout *r)
{
    return r->phi == HS_PHI_PROBE_H ? c->after : r->step;
}

HS_CHECKED static int see_h(void *ctx, size_t step, size_t image, size_t strength, const float *h)
{
    const capture *c = ctx;
    for (size_t p = 0; p < c->n_phi; p++) {
        const hs_readout *r = &c->phi[p];
        if ((r->phi == HS_PHI_H_LATER || r->phi == HS_PHI_PROBE_H) && step == step_of(c, r)) {
            hs_readout_eval(r, c->image, h, place(c, p, image, strength));
        }
    }
    return HS_OK;
}

HS_CHECKED static int see_eps(void *ctx, size_t step, size_t image, size_t strength, const float *x_t,
                              const float *eps_p)
{
    const capture *c = ctx;
    for (size_t p = 0; p < c->n_phi; p++) {
        const hs_readout *r = &c->phi[p];
        if ((r->phi != HS_PHI_X0HAT && r->phi != HS_PHI_EPS) || step != r->step) {
            continue;
        }
        const float *src = eps_p;
        if (r->phi == HS_PHI_X0HAT) {
            double ab = c->plan->steps->step[step].alpha_bar, a = 1 / sqrt(ab), b = sqrt(1 - ab) * a;
            for (size_t k = 0; k < c->d_x; k++) {
                c->buffer[k] = (float)(a * (double)x_t[k] - b * (double)eps_p[k]);
            }
            src = c->buffer;
        }
        hs_readout_eval(r, c->image, src, place(c, p, image, strength));
    }
    return HS_OK;
}

/* ---- Phases: the columns of strength 0, and (edited) the others ---- */

static int is_of(const capture *c, int edited, size_t column)
{
    return (c->plan->strength[column] != 0) == edited;
}

/* Whether an image is through after this phase. */
static int is_last(const capture *c, int edited)
{
    size_t j = 0;
    while (!edited && j < c->plan->m && is_of(c, edited, j)) {
        j++;
    }
    return edited || j == c->plan->m;
}

/* What is read of an image's x_0 in a phase, each stretch of its columns at once: one image by itself, so that the bits
 * are those of any batch. */
HS_CHECKED static int read_x_0(const capture *c, int edited, size_t image, const float *x_0)
{
    int rc = HS_OK;
    const size_t m = c->plan->m;
    float **value = NULL;
    HS_TRY(hs_alloc(c->n_phi, sizeof *value, &value));
    for (size_t j = 0, cols; j < m; j += cols + 1) {
        cols = 0;
        while (j + cols < m && is_of(c, edited, j + cols)) {
            cols++;
        }
        for (size_t p = 0; p < c->n_phi; p++) {
            value[p] = place(c, p, image, j);
        }
        HS_TRY(cols > 0 ? hs_readout_eval_x0(c->n_phi, c->phi, c->image, cols, x_0 + (image * m + j) * c->d_x, value)
                        : HS_OK);
    }
out:
    free(value);
    return rc;
}

/* ---- Cells: an image's columns of one phase, what was read of it and x_0 where kept, as the bytes of floats ---- */

static uint32_t crc_of(uint32_t crc, const void *v, size_t n, size_t size)
{
    return v != NULL ? hs_crc32c(crc, v, n * size) : crc;
}

/* The changes that each image is given. */
static uint32_t crc_of_given(uint32_t crc, const hs_edit_plan *p, size_t n)
{
    size_t per = p->given_S * hs_chw_size(hs_unet_h_shape(hs_unet_config_of(p->model->unet)));
    for (size_t i = 0; i < n && p->given != NULL; i++) {
        crc = crc_of(crc, p->given + (p->given_row != NULL ? p->given_row[i] : i) * per, per, sizeof *p->given);
    }
    return crc;
}

/* What a run's images depend on besides the command's options: model, directions or given changes, strengths, timesteps
 * and starting points. */
static uint32_t kind_of(const capture *c, size_t n, const float *x_T)
{
    const hs_edit_plan *p = c->plan;
    uint32_t crc = crc_of(0, p->model->sha256, 1, sizeof p->model->sha256);
    crc = crc_of(crc, x_T, n * c->d_x, sizeof *x_T);
    crc = crc_of(crc, p->strength, p->m, sizeof *p->strength);
    crc = crc_of(crc, p->coef, p->n_dir, sizeof *p->coef);
    crc = crc_of(crc, p->factor, p->steps->S, sizeof *p->factor);
    for (size_t k = 0; k < p->steps->S; k++) {
        crc = crc_of(crc, &p->steps->step[k].t, 1, sizeof p->steps->step[k].t);
    }
    for (size_t i = 0; i < p->n_dir; i++) {
        const hs_direction *d = &p->dir[i];
        crc = crc_of(crc, d->name, strlen(d->name), 1);
        crc = crc_of(crc, d->dh, (d->S > 0 ? d->S : 1) * hs_chw_size(d->shape), sizeof *d->dh);
    }
    return crc_of_given(crc, p, n);
}

/* Between row and the places of an image's numbers in a phase; returns how many floats they are (row NULL: only that).
 */
static size_t copy_cell(const capture *c, int edited, size_t image, int from_row, float *x_0, void *row)
{
    size_t at = 0;
    for (size_t j = 0; j < c->plan->m; j++) {
        if (!is_of(c, edited, j)) {
            continue;
        }
        for (size_t p = 0; p < c->n_phi + (c->kept ? 1 : 0); p++) {
            size_t width = p == c->n_phi ? c->d_x : c->phi[p].features;
            if (row != NULL) {
                float *v = p == c->n_phi ? x_0 + (image * c->plan->m + j) * c->d_x : place(c, p, image, j);
                char *at_row = (char *)row + at * sizeof *v;
                memcpy(from_row ? (char *)v : at_row, from_row ? at_row : (char *)v, width * sizeof *v);
            }
            at += width;
        }
    }
    return at;
}

static uint64_t key_of(const capture *c, int edited, size_t image)
{
    return c->run << 40 | (uint64_t)edited << 32 | image;
}

HS_CHECKED static int had(void *ctx, int edited, float *x_0, size_t *count)
{
    const capture *c = ctx;
    hs_run_cells *cells = c->plan->cells;
    int rc = HS_OK, found = 1;
    size_t doubles = (copy_cell(c, edited, 0, 0, NULL, NULL) + 1) / 2;
    double *row = NULL;
    HS_TRY(hs_alloc(doubles, sizeof *row, &row));
    for (*count = 0; *count < c->out->n;) {
        HS_TRY(hs_cells_get(cells->cells, c->kind, key_of(c, edited, *count), doubles, row, &found));
        if (!found) {
            break;
        }
        copy_cell(c, edited, (*count)++, 1, x_0, row);
    }
    if (is_last(c, edited)) {
        cells->images += c->out->n;
        cells->had += *count;
    }
out:
    free(row);
    return rc;
}

HS_CHECKED static int keep(const capture *c, int edited, size_t image, float *x_0)
{
    int rc = HS_OK;
    size_t doubles = (copy_cell(c, edited, 0, 0, NULL, NULL) + 1) / 2;
    double *row = NULL;
    HS_TRY(hs_calloc(doubles, sizeof *row, &row));
    copy_cell(c, edited, image, 0, x_0, row);
    HS_TRY(hs_cells_put(c->plan->cells->cells, c->kind, key_of(c, edited, image), doubles, row));
out:
    free(row);
    return rc;
}

HS_CHECKED static int ended(void *ctx, int edited, size_t first, size_t count, float *x_0)
{
    const capture *c = ctx;
    int rc = HS_OK;
    for (size_t i = first; i < first + count; i++) {
        HS_TRY(read_x_0(c, edited, i, x_0));
        HS_TRY(c->plan->cells != NULL ? keep(c, edited, i, x_0) : HS_OK);
    }
out:
    return rc;
}

HS_CHECKED static int check_steps(const capture *c)
{
    for (size_t p = 0; p < c->n_phi; p++) {
        if (step_of(c, &c->phi[p]) >= c->plan->steps->S) {
            return hs_fail(HS_ERANGE, "--readout: %.60s: step %zu; the sampler has %zu", c->phi[p].name, c->phi[p].step,
                           c->plan->steps->S);
        }
    }
    return HS_OK;
}

HS_CHECKED static int allocate(hs_sweep *s, size_t n, size_t m, size_t n_phi, const hs_readout *phi)
{
    int rc;
    size_t rows;
    s->n = n;
    s->m = m;
    s->n_phi = n_phi;
    HS_TRY(hs_size_mul(n, m, &rows));
    HS_TRY(hs_calloc(n_phi, sizeof *s->value, &s->value));
    HS_TRY(hs_calloc(n_phi, sizeof *s->noise_floor, &s->noise_floor));
    for (size_t p = 0; p < n_phi; p++) {
        HS_TRY(hs_calloc(rows, phi[p].features * sizeof(float), &s->value[p]));
    }
out:
    return rc;
}

/* Runs the plan and captures; no noise floor yet.  x_0 (n, m, d): room, and where kept the images. */
HS_CHECKED static int run_once(const hs_edit_plan *plan, size_t n, const float *x_T, size_t n_phi,
                               const hs_readout *phi, int kept, float *x_0, hs_sweep *out)
{
    int rc;
    const hs_unet_config *cfg = hs_unet_config_of(plan->model->unet);
    capture c = {.plan = plan, .n_phi = n_phi, .phi = phi, .out = out, .kept = kept, .image = hs_unet_image_shape(cfg)};
    c.d_x = hs_chw_size(c.image);
    while (c.after + 1 < plan->steps->S && plan->steps->step[c.after].t >= plan->t_edit) {
        c.after++;
    }
    hs_edit_watch watch = {.h = see_h, .eps = see_eps, .ended = ended, .ctx = &c};
    if (plan->cells != NULL) {
        c.kind = kind_of(&c, n, x_T);
        c.run = plan->cells->runs++;
        watch.had = had;
    }
    HS_TRY(check_steps(&c));
    HS_TRY(hs_alloc(c.d_x, sizeof *c.buffer, &c.buffer));
    HS_TRY(allocate(out, n, plan->m, n_phi, phi));
    HS_TRY(hs_edit_run(plan, n, x_T, &watch, x_0));
out:
    free(c.buffer);
    return rc;
}

/* out (d) <- x, each number moved to one of its neighbours. */
static void round_anew(size_t d, const float *x, float *out)
{
    for (size_t i = 0; i < d; i++) {
        out[i] = nextafterf(x[i], hs_rng_below((hs_rng){0, HS_RNG_DIRECTION, 0}, i, 2) == 0 ? -INFINITY : INFINITY);
    }
}

/* The unedited image 0 again, from an x_T that differs by rounding. */
HS_CHECKED static int measure_noise_floor(const hs_edit_plan *plan, const float *x_T, const hs_readout *phi,
                                          hs_sweep *s)
{
    int rc = HS_OK;
    static const double zero = 0;
    size_t d = hs_chw_size(hs_unet_image_shape(hs_unet_config_of(plan->model->unet))), j = 0;
    hs_edit_plan other = *plan;
    hs_sweep again = {0};
    float *start = NULL, *x_0 = NULL;
    while (j < plan->m && plan->strength[j] != 0) {
        j++;
    }
    if (j == plan->m) {
        return HS_OK;
    }
    other.m = 1;
    other.strength = &zero;
    other.batch = 1;
    other.progress = NULL;
    other.cells = NULL;
    HS_TRY(hs_alloc(d, sizeof *x_0, &x_0));
    HS_TRY(hs_alloc(d, sizeof *start, &start));
    round_anew(d, x_T, start);
    HS_TRY(run_once(&other, 1, start, s->n_phi, phi, 0, x_0, &again));
    for (size_t p = 0; p < s->n_phi; p++) {
        s->noise_floor[p] = hs_distance_f32(phi[p].features, again.value[p], s->value[p] + j * phi[p].features);
    }
out:
    free(start);
    free(x_0);
    hs_sweep_free(&again);
    return rc;
}

int hs_sweep_run(const hs_edit_plan *plan, size_t n, const float *x_T, size_t n_phi, const hs_readout *phi, float *x_0,
                 hs_sweep *out)
{
    int rc = HS_OK;
    hs_sweep s = {0};
    float *images = x_0;
    if (images == NULL) {
        size_t rows;
        HS_TRY(hs_size_mul(n, plan->m, &rows));
        HS_TRY(hs_alloc(rows, hs_chw_size(hs_unet_image_shape(hs_unet_config_of(plan->model->unet))) * sizeof *images,
                        &images));
    }
    HS_TRY(run_once(plan, n, x_T, n_phi, phi, x_0 != NULL, images, &s));
    HS_TRY(measure_noise_floor(plan, x_T, phi, &s));
    *out = s;
    memset(&s, 0, sizeof s);
out:
    if (images != x_0) {
        free(images);
    }
    hs_sweep_free(&s);
    return rc;
}

void hs_sweep_free(hs_sweep *s)
{
    for (size_t p = 0; p < s->n_phi && s->value != NULL; p++) {
        free(s->value[p]);
    }
    free(s->value);
    free(s->noise_floor);
    memset(s, 0, sizeof *s);
}

/* Index of the smallest strength of this sign (0: of the strength 0); m when there is none. */
static size_t nearest(size_t m, const double *strength, int sign)
{
    size_t best = m;
    for (size_t j = 0; j < m; j++) {
        int fits = sign == 0 ? strength[j] == 0 : strength[j] * sign > 0;
        if (fits && (best == m || fabs(strength[j]) < fabs(strength[best]))) {
            best = j;
        }
    }
    return best;
}

/* u (f) <- unit(a - b); all 0 when they are equal. */
static void unit_difference(size_t f, const float *a, const float *b, double *u)
{
    double norm = hs_distance_f32(f, a, b);
    for (size_t k = 0; k < f; k++) {
        u[k] = norm > 0 ? ((double)a[k] - (double)b[k]) / norm : 0;
    }
}

/* u (f) <- the unit first-order effect of image i: between the smallest strengths on either side, or from 0 to
 * the one there is. */
HS_CHECKED static int first_order(const hs_sweep *s, size_t p, size_t f, const double *strength, size_t i, double *u)
{
    size_t m = s->m, zero = nearest(m, strength, 0), up = nearest(m, strength, 1), down = nearest(m, strength, -1);
    if (zero == m || (up == m && down == m)) {
        return hs_fail(HS_ERANGE, "--strengths: a vector read-out needs 0 and one other strength");
    }
    const float *v = s->value[p] + i * m * f;
    unit_difference(f, v + (up < m ? up : zero) * f, v + (down < m ? down : zero) * f, u);
    return HS_OK;
}

/* <u, v - base> in double. */
static double along(size_t f, const double *u, const float *v, const float *base)
{
    double sum = 0;
    for (size_t k = 0; k < f; k++) {
        sum += u[k] * ((double)v[k] - (double)base[k]);
    }
    return sum;
}

int hs_sweep_score(const hs_sweep *s, size_t p, size_t features, const double *strength, double *score)
{
    int rc = HS_OK;
    double *u = NULL;
    size_t m = s->m, zero = nearest(m, strength, 0);
    if (features == 1) {
        for (size_t r = 0; r < s->n * m; r++) {
            score[r] = (double)s->value[p][r];
        }
        return HS_OK;
    }
    HS_TRY(hs_alloc(features, sizeof *u, &u));
    for (size_t i = 0; i < s->n; i++) {
        const float *v = s->value[p] + i * m * features;
        HS_TRY(first_order(s, p, features, strength, i, u));
        for (size_t j = 0; j < m; j++) {
            score[i * m + j] = along(features, u, v + j * features, v + zero * features);
        }
    }
out:
    free(u);
    return rc;
}

/* Variance, divisor n - 1, of the unedited images along u; of the values themselves where f is 1. */
static double variance_along(const hs_sweep *s, size_t p, size_t f, size_t zero, const double *u)
{
    double sum = 0, squares = 0, n = (double)s->n;
    const float *base = s->value[p] + zero * f; /* of image 0: shifts, for the sake of rounding */
    for (size_t j = 0; j < s->n; j++) {
        double x = along(f, u, s->value[p] + (j * s->m + zero) * f, base);
        sum += x;
        squares += x * x;
    }
    return fmax(0, squares - sum * sum / n) / (n - 1);
}

int hs_sweep_spread(const hs_sweep *s, size_t p, size_t features, const double *strength, double *spread)
{
    int rc = HS_OK;
    double *u = NULL, sum = 0, one = 1;
    size_t zero = nearest(s->m, strength, 0);
    if (s->n < 2 || zero == s->m) {
        *spread = 0;
        return HS_OK;
    }
    if (features == 1) {
        *spread = sqrt(variance_along(s, p, 1, zero, &one));
        return HS_OK;
    }
    HS_TRY(hs_alloc(features, sizeof *u, &u));
    for (size_t i = 0; i < s->n; i++) {
        HS_TRY(first_order(s, p, features, strength, i, u));
        sum += variance_along(s, p, features, zero, u);
    }
    *spread = sqrt(sum / (double)s->n);
out:
    free(u);
    return rc;
}

double hs_sweep_effect(const hs_sweep *s, size_t p, size_t features, size_t j, size_t zero)
{
    double sum = 0;
    for (size_t i = 0; i < s->n; i++) {
        const float *v = s->value[p] + i * s->m * features;
        double d = hs_distance_f32(features, v + j * features, v + zero * features);
        sum += d * d;
    }
    return sqrt(sum / (double)s->n);
}
