#include "core/diffusion/ddim.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

/* x' = next_p P + dir eps_d + sigma z,  P = (x - noise eps_p) inv */
typedef struct {
    double inv, noise, next_p, dir, sigma;
} coefs;

static coefs step_coefs(double ab, double ab_next, double eta)
{
    double sigma = 0.0;
    if (eta > 0.0 && ab < 1.0) {
        sigma = eta * sqrt((1.0 - ab_next) / (1.0 - ab)) * sqrt(fmax(0.0, 1.0 - ab / ab_next));
    }
    return (coefs){.inv = 1.0 / sqrt(ab),
                   .noise = sqrt(1.0 - ab),
                   .next_p = sqrt(ab_next),
                   .dir = sqrt(fmax(0.0, 1.0 - ab_next - sigma * sigma)),
                   .sigma = sigma};
}

/* x' of one number; *p <- P_t after clipping. */
static double next_of(coefs c, int clip, float x_t, float eps_p, float eps_d, float z, double *p)
{
    *p = ((double)x_t - c.noise * (double)eps_p) * c.inv;
    double d = (double)eps_d;
    if (clip != HS_CLIP_NONE) {
        *p = fmin(fmax(*p, -1.0), 1.0);
    }
    if (clip == HS_CLIP_BOTH) {
        double own = ((double)x_t - c.noise * d) * c.inv;
        d = ((double)x_t - fmin(fmax(own, -1.0), 1.0) / c.inv) / c.noise;
    }
    return c.next_p * *p + c.dir * d + c.sigma * (double)z;
}

static void apply(coefs c, int clip, size_t nd, const float *x_t, const float *eps_p, const float *eps_d,
                  const float *z, float *x_next, float *pred_x0)
{
    for (size_t i = 0; i < nd; i++) {
        double p;
        x_next[i] = (float)next_of(c, clip, x_t[i], eps_p[i], eps_d[i], z != NULL ? z[i] : 0, &p);
        if (pred_x0 != NULL) {
            pred_x0[i] = (float)p;
        }
    }
}

void hs_ddim_step(const hs_step *step, double eta, int clip, size_t nd, const float *x_t, const float *eps_p,
                  const float *eps_d, const float *z, float *x_next, float *pred_x0)
{
    apply(step_coefs(step->alpha_bar, step->alpha_bar_next, eta), clip, nd, x_t, eps_p, eps_d, z, x_next, pred_x0);
}

void hs_ddim_step_f64(const hs_step *step, size_t nd, const float *x_t, const float *eps_p, const float *eps_d,
                      double *x_next)
{
    coefs c = step_coefs(step->alpha_bar, step->alpha_bar_next, 0);
    for (size_t i = 0; i < nd; i++) {
        double p;
        x_next[i] = next_of(c, 0, x_t[i], eps_p[i], eps_d[i], 0, &p);
    }
}

/* The state of one run: a copy of x, so that the caller's stays whole when a step fails. */
typedef struct {
    size_t n, d, nd;
    float *x, *eps_p, *eps_d, *z;
} walk;

static void walk_free(walk *w)
{
    free(w->x);
    free(w->eps_p);
    free(w->eps_d);
    free(w->z);
}

static int walk_start(walk *w, size_t n, size_t d, const float *x)
{
    int rc = HS_OK;
    *w = (walk){.n = n, .d = d, .nd = 0, .x = NULL, .eps_p = NULL, .eps_d = NULL, .z = NULL};
    HS_TRY(hs_size_mul(n, d, &w->nd));
    HS_TRY(hs_alloc(w->nd, sizeof *w->x, &w->x));
    HS_TRY(hs_alloc(w->nd, sizeof *w->eps_p, &w->eps_p));
    HS_TRY(hs_alloc(w->nd, sizeof *w->eps_d, &w->eps_d));
    HS_TRY(hs_alloc(w->nd, sizeof *w->z, &w->z));
    memcpy(w->x, x, w->nd * sizeof *x);
out:
    return rc;
}

static int check_finite(const walk *w, int t)
{
    for (size_t i = 0; i < w->nd; i++) {
        if (!isfinite(w->x[i])) {
            return hs_fail(HS_EDEGENERATE, "DDIM: image %zu is not finite after the step at t = %d", i / w->d, t);
        }
    }
    return HS_OK;
}

static int tell(const hs_ddim_options *o, const walk *w, size_t step)
{
    return o->observe == NULL ? HS_OK : o->observe(o->observe_ctx, step, w->n, w->x);
}

static int step_down(const hs_predictor *p, const hs_steps *steps, const hs_ddim_options *o, size_t k, walk *w)
{
    int rc = HS_OK;
    const hs_step *st = &steps->step[k];
    double eta = st->t < o->t_boost ? o->eta_boost : o->eta;
    HS_TRY(p->predict(p->ctx, w->n, w->x, st->t, k, w->eps_p, w->eps_d));
    if (eta > 0.0) {
        HS_TRY(o->noise.noise(o->noise.ctx, w->n, k, w->z));
    }
    hs_ddim_step(st, eta, o->clip, w->nd, w->x, w->eps_p, w->eps_d, eta > 0.0 ? w->z : NULL, w->x, NULL);
    HS_TRY(check_finite(w, st->t));
    HS_TRY(tell(o, w, k + 1));
    HS_TRY(hs_progress_tell(o->progress, "step", k + 1, steps->S));
out:
    return rc;
}

static int check_options(const hs_steps *steps, const hs_ddim_options *o)
{
    double most = fmax(o->eta, o->t_boost > 0 ? o->eta_boost : 0.0);
    if (!(o->eta >= 0.0 && o->eta <= 1.0 && o->eta_boost >= 0.0 && o->eta_boost <= 1.0)) {
        return hs_fail(HS_ERANGE, "DDIM: eta = %g, boosted %g; from 0 to 1", o->eta, o->eta_boost);
    }
    if (most > 0.0 && o->noise.noise == NULL) {
        return hs_fail(HS_ERANGE, "DDIM: eta is above 0 but there is no source of noise");
    }
    return steps->S > 0 ? HS_OK : hs_fail(HS_ERANGE, "DDIM: no steps");
}

int hs_ddim_sample(const hs_predictor *p, const hs_steps *steps, const hs_ddim_options *o, size_t n, size_t d, float *x)
{
    int rc = HS_OK;
    walk w;
    HS_TRY(walk_start(&w, n, d, x));
    HS_TRY(check_options(steps, o));
    HS_TRY(tell(o, &w, 0));
    for (size_t k = 0; k < steps->S; k++) {
        HS_TRY(step_down(p, steps, o, k, &w));
    }
    memcpy(x, w.x, w.nd * sizeof *x);
out:
    walk_free(&w);
    return rc;
}

int hs_ddim_invert(const hs_predictor *p, const hs_steps *steps, const hs_ddim_options *o, size_t n, size_t d, float *x)
{
    int rc = HS_OK;
    walk w;
    HS_TRY(walk_start(&w, n, d, x));
    if (steps->S < 1) {
        HS_TRY(hs_fail(HS_ERANGE, "DDIM: no steps"));
    }
    HS_TRY(tell(o, &w, 0));
    for (size_t k = steps->S - 1; k > 0; k--) {
        const hs_step *at = &steps->step[k], *up = &steps->step[k - 1];
        HS_TRY(p->predict(p->ctx, n, w.x, at->t, k, w.eps_p, w.eps_d));
        apply(step_coefs(at->alpha_bar, up->alpha_bar, 0.0), o->clip, w.nd, w.x, w.eps_p, w.eps_d, NULL, w.x, NULL);
        HS_TRY(check_finite(&w, at->t));
        HS_TRY(tell(o, &w, steps->S - k));
        HS_TRY(hs_progress_tell(o->progress, "inversion step", steps->S - k, steps->S - 1));
    }
    memcpy(x, w.x, w.nd * sizeof *x);
out:
    walk_free(&w);
    return rc;
}
