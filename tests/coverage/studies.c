/* Data sets off the null, and the truth of what is measured on them in closed form. */
#include <math.h>
#include <stdlib.h>

#include "analysis/properties/common_share.h"
#include "analysis/properties/consistency.h"
#include "analysis/properties/homogeneity.h"
#include "analysis/properties/linearity.h"
#include "analysis/properties/robustness.h"
#include "core/base/alloc.h"
#include "core/stats/special.h"
#include "tests/coverage/coverage.h"
#include "tests/coverage/planted.h"
#include "tests/support/support.h"

/* ---- Deltas ---- */

static const deltas_plan deltas = {.g = 0.4, .tau = 0.2, .gain_sd = 0.3};

/* |mean unit delta|^2 of step 1, from 100,000 images. */
static double concentration_truth(void)
{
    enum { MANY = 100000 };
    static double truth = -1;
    if (truth < 0) {
        double mean[PLANTED_D] = {0}, square = 0;
        float *v = planted_values(&deltas, MANY, 0);
        for (size_t i = 0; i < MANY; i++) {
            const float *row = v + (i * PLANTED_STEPS + 1) * PLANTED_D;
            double norm = 0;
            for (size_t j = 0; j < PLANTED_D; j++) {
                norm += (double)row[j] * (double)row[j];
            }
            for (size_t j = 0; j < PLANTED_D; j++) {
                mean[j] += (double)row[j] / sqrt(norm) / MANY;
            }
        }
        for (size_t j = 0; j < PLANTED_D; j++) {
            square += mean[j] * mean[j];
        }
        free(v);
        truth = (MANY * square - 1) / (MANY - 1);
    }
    return truth;
}

/* exp of the entropy of the eigenvalues of S unit vectors with pairwise cosine c. */
static double equal_rank(double S, double c)
{
    double one = (1 + (S - 1) * c) / S, rest = (1 - c) / S;
    return exp(-one * log(one) - (S - 1) * rest * log(rest));
}

static size_t of_deltas(size_t n, uint64_t set, coverage_number *out)
{
    hs_deltas x = planted_deltas(&deltas, n, set);
    hs_homogeneity_options h = HS_HOMOGENEITY_OPTIONS_INIT;
    hs_consistency_options o = HS_CONSISTENCY_OPTIONS_INIT;
    hs_measurement m;
    hs_consistency c;
    const double g = deltas.g, tau = deltas.tau, spread = 1 + deltas.gain_sd * deltas.gain_sd;
    const double cosine = (g - tau / (PLANTED_STEPS - 1)) / (g + tau), alike = concentration_truth();
    h.K = 0;
    h.bootstrap.seed = o.bootstrap.seed = set;
    assert_ok(hs_homogeneity_deltas(&x, &h, &m));
    assert_ok(hs_consistency_measure(&x, &o, &c));
    coverage_take(&m, "share_homogeneous_corrected", (g + tau) / spread, &out[0]);
    coverage_take(&m, "share_common_corrected", g / spread, &out[1]);
    coverage_take(&m, "concentration[1]", alike, &out[2]);
    coverage_take(&m, "mean_cosine", alike, &out[3]);
    coverage_take(&c.result, "share_consistent", g / (g + tau), &out[4]);
    coverage_take(&c.result, "cosine_disattenuated[0,2]", cosine, &out[5]);
    coverage_take(&c.result, "effective_rank", equal_rank(PLANTED_STEPS, cosine), &out[6]);
    coverage_take(&c.result, "effective_rank_raw", equal_rank(PLANTED_STEPS, cosine), &out[7]);
    hs_measurement_free(&m);
    hs_consistency_free(&c);
    hs_deltas_free(&x);
    return 8;
}

static size_t of_decay(size_t n, uint64_t set, coverage_number *out)
{
    hs_deltas x = planted_decay(0.35, n, set);
    hs_consistency_options o = HS_CONSISTENCY_OPTIONS_INIT;
    hs_consistency c;
    o.bootstrap.seed = set;
    assert_ok(hs_consistency_measure(&x, &o, &c));
    coverage_take(&c.result, "decay_length", 200, &out[0]);
    coverage_take(&c.result, "cosine_disattenuated[0,1]", exp(-0.5), &out[1]);
    coverage_take(&c.result, "cosine_disattenuated[0,4]", exp(-2), &out[2]);
    hs_consistency_free(&c);
    hs_deltas_free(&x);
    return 3;
}

/* ---- Effects of one fixed delta ---- */

static size_t of_effects(const sweep_plan *p, double cv, double signs, size_t n, uint64_t set, coverage_number *out)
{
    hs_effects e = planted_sweep(p, n, set);
    hs_homogeneity_options o = HS_HOMOGENEITY_OPTIONS_INIT;
    hs_measurement m;
    o.bootstrap.seed = set;
    assert_ok(hs_homogeneity_effects(&e, &o, &m));
    coverage_take(&m, "common_share", 1 / (1 + cv * cv), &out[0]);
    coverage_take(&m, "sign_agreement", signs, &out[1]);
    coverage_take(&m, "effect_cv", cv, &out[2]);
    coverage_take(&m, "effect_mean", p->scale, &out[3]);
    hs_measurement_free(&m);
    hs_effects_free(&e);
    return 4;
}

static size_t of_normal_effects(size_t n, uint64_t set, coverage_number *out)
{
    static const sweep_plan p = {
        .g = planted_line, .m = 3, .reach = 1, .scale = 2, .gain_sd = 0.6, .spread = 0.5, .null = 0.1};
    return of_effects(&p, 0.6, hs_normal_cdf(1 / 0.6), n, set, out);
}

/* a = .4 + .6 x exponential, of which one in 30 is above 2.4. */
static size_t of_skewed_effects(size_t n, uint64_t set, coverage_number *out)
{
    static const sweep_plan p = {
        .g = planted_line, .m = 3, .reach = 1, .scale = 2, .skew = 0.6, .spread = 0.5, .null = 0.1};
    size_t k = of_effects(&p, 0.6, 1, n, set, out);
    out[1] = out[3]; /* all signs agree: an interval of no width */
    return k - 1;
}

/* e_ij = .8 (1 + .4 (receiver + donor) + .3 noise), e_ii = 1 + .3 noise. */
static size_t of_transfers(size_t n, uint64_t set, coverage_number *out)
{
    enum { R = 4 };
    double *own, *other;
    size_t *from;
    hs_measurement m;
    static const sweep_plan p = {
        .g = planted_line, .m = 3, .reach = 1, .scale = 1, .gain_sd = 0.3, .spread = 0.5, .null = 0.1};
    hs_effects e = planted_sweep(&p, n, set);
    assert_ok(hs_alloc(n, sizeof *own, &own));
    assert_ok(hs_alloc(n * R, sizeof *other, &other));
    assert_ok(hs_alloc(n * R, sizeof *from, &from));
    for (size_t i = 0; i < n; i++) {
        own[i] = e.value[i * 3 + 2] - e.value[i * 3 + 1];
        for (size_t q = 0; q < R; q++) {
            size_t j = (i + 1 + q * (n / 5)) % n;
            from[i * R + q] = j;
            other[i * R + q] = 0.8 * (1 + 0.4 * (planted_normal(set, 1, i) + planted_normal(set, 2, j)) +
                                      0.3 * planted_normal(set, 3, i * R + q));
        }
    }
    const hs_transfers t = {n, R, own, from, other};
    hs_homogeneity_options o = HS_HOMOGENEITY_OPTIONS_INIT;
    o.bootstrap.seed = set;
    o.transfers = &t;
    assert_ok(hs_homogeneity_effects(&e, &o, &m));
    coverage_take(&m, "transfer", 0.8, &out[0]);
    coverage_take(&m, "transfer_common_share", 1 / (1 + 2 * 0.16 + 0.09), &out[1]);
    hs_measurement_free(&m);
    hs_effects_free(&e);
    free(own);
    free(other);
    free(from);
    return 2;
}

/* ---- Linearity ---- */

/* Sums over the grid of the mean curve y. */
typedef struct {
    double ss, b, rest, square, sum, ratio;
} curve;

static curve curve_of(const sweep_plan *p)
{
    curve c = {0};
    double side[2] = {0}, below[2] = {0}, sy = 0;
    for (size_t j = 0; j < p->m; j++) {
        double s = p->reach * ((double)j / (double)(p->m / 2) - 1), y = p->scale * (p->g(s) - p->g(0));
        c.ss += s * s;
        sy += s * y;
        c.square += y * y;
        c.sum += y;
        side[s > 0] += s * y;
        below[s > 0] += s * s;
    }
    c.b = sy / c.ss;
    c.rest = c.square - c.b * sy;
    c.ratio = side[1] / below[1] / (side[0] / below[0]);
    return c;
}

/* Noise of E_s = y_s + nu_s - nu_0 is 2 (m - 1) noise^2 over the grid, of which noise^2 falls on the line. */
static void line_truth(const sweep_plan *p, double *index, double *r2, double *r2_all)
{
    curve c = curve_of(p);
    double m = (double)p->m, a2 = 1 + p->gain_sd * p->gain_sd, v = p->noise * p->noise, all = 2 * (m - 1) * v;
    *index = 1 - sqrt((a2 * c.rest + all - v) / (a2 * c.b * c.b * c.ss + v));
    *r2 = 1 - c.rest / (c.square - c.sum * c.sum / m);
    *r2_all = 1 - ((a2 - 1) * c.square + c.rest + all) / (a2 * c.square + all - c.sum * c.sum / m);
}

static size_t of_line(const sweep_plan *p, double spearman, size_t n, uint64_t set, coverage_number *out)
{
    hs_effects e = planted_sweep(p, n, set);
    hs_linearity_options o = HS_LINEARITY_OPTIONS_INIT;
    hs_linearity l;
    double index, r2, r2_all;
    line_truth(p, &index, &r2, &r2_all);
    o.bootstrap.seed = set;
    assert_ok(hs_linearity_measure(&e, &o, &l));
    coverage_take(&l.result, "linearity_index", index, &out[0]);
    coverage_take(&l.result, "slope", curve_of(p).b, &out[1]);
    coverage_take(&l.result, "r2", r2, &out[2]);
    coverage_take(&l.result, "r2_increments", r2_all, &out[3]);
    coverage_take(&l.result, "slope_ratio", curve_of(p).ratio, &out[4]);
    coverage_take(&l.result, "spearman", spearman, &out[5]);
    hs_linearity_free(&l);
    hs_effects_free(&e);
    return 6;
}

static size_t of_bent_line(size_t n, uint64_t set, coverage_number *out)
{
    static const sweep_plan p = {.g = planted_bent,
                                 .m = 17,
                                 .reach = 2,
                                 .scale = 1.5,
                                 .gain_sd = 0.3,
                                 .noise = 0.15,
                                 .unequal = 0.4,
                                 .spread = 1,
                                 .null = 0.1};
    return of_line(&p, 1, n, set, out) - 1; /* spearman is 1: an interval of no width */
}

/* Ranks of s - .25 s^3 on the grid: sum of squared differences by hand is what hs_spearman gives without noise. */
static size_t of_turning_line(size_t n, uint64_t set, coverage_number *out)
{
    static sweep_plan p = {.g = planted_turning,
                           .m = 11,
                           .reach = 1.9,
                           .scale = 1.5,
                           .gain_sd = 0.3,
                           .noise = 0.15,
                           .unequal = 0.4,
                           .spread = 1,
                           .null = 0.1};
    static double spearman = NAN;
    if (isnan(spearman)) {
        sweep_plan exact = p;
        coverage_number without[6];
        exact.noise = 0;
        of_line(&exact, NAN, 8, 0, without);
        spearman = without[5].value;
    }
    size_t k = of_line(&p, spearman, n, set, out);
    out[1] = out[5]; /* what a bent line hasn't */
    return k - 4;
}

/* Linear to .48 and flat from 1.2 on: off its central slope by 5 % at .48, by 13 % at .72; local slopes .54 of it up to
 * .96, .38 up to 1.2. */
static size_t of_saturation(size_t n, uint64_t set, coverage_number *out)
{
    static const sweep_plan p = {.g = planted_tanh,
                                 .m = 17,
                                 .reach = 1.92,
                                 .scale = 1.5,
                                 .gain_sd = 0.3,
                                 .noise = 0.02,
                                 .spread = 1,
                                 .null = 0.1};
    hs_effects e = planted_sweep(&p, n, set);
    hs_linearity_options o = HS_LINEARITY_OPTIONS_INIT;
    hs_linearity l;
    o.bootstrap.seed = set;
    assert_ok(hs_linearity_measure(&e, &o, &l));
    coverage_take(&l.result, "linear_range", 0.48, &out[0]);
    coverage_take(&l.result, "saturation", 1.2, &out[1]);
    hs_linearity_free(&l);
    hs_effects_free(&e);
    return 2;
}

/* ---- Vector read-outs: phi = a (s u + c s^2 w), unit u and w, c = .3 (1 + .3 z) of an image ---- */

enum { SHAPE_M = 9 };

static double shape_c(uint64_t set, size_t i)
{
    return 0.3 * (1 + 0.3 * planted_normal(set, 5, i));
}

/* Of one image, mean over the strengths but 0 and s0 = 2 (curvature: but 0). */
static void shape_of(double c, double want[4])
{
    double s0 = 2, far = sqrt(1 + c * c * s0 * s0), counts[4] = {0};
    want[0] = want[1] = want[2] = want[3] = 0;
    for (size_t j = 0; j < SHAPE_M; j++) {
        double s = 0.5 * ((double)j - 4), len = sqrt(1 + c * c * s * s);
        const double one[4] = {(1 + c * c * s * s0) / (len * far), len / far, fabs(c * (s - s0)) / len,
                               fabs(c * s) / len};
        for (size_t k = 0; k < 4; k++) {
            int counted = fabs(s) > 0 && (k == 3 || s < s0);
            want[k] += counted ? one[k] : 0;
            counts[k] += counted;
        }
    }
    for (size_t k = 0; k < 4; k++) {
        want[k] /= counts[k];
    }
}

static const double *shape_truth(void)
{
    enum { MANY = 200000 };
    static double truth[4];
    for (size_t i = 0; i < MANY && truth[0] <= 0.0; i++) {
        double sum[4] = {0}, one[4];
        for (; i < MANY; i++) {
            shape_of(shape_c(0, i), one);
            for (size_t k = 0; k < 4; k++) {
                sum[k] += one[k] / MANY;
            }
        }
        for (size_t k = 0; k < 4; k++) {
            truth[k] = sum[k];
        }
    }
    return truth;
}

static size_t of_shape(size_t n, uint64_t set, coverage_number *out)
{
    static const char *const name[] = {"direction_cosine", "gain", "residual", "curvature"};
    static const sweep_plan p = {
        .g = planted_line, .m = SHAPE_M, .reach = 2, .scale = 1, .gain_sd = 0.3, .spread = 0.5, .null = 0.05};
    hs_effects e = planted_sweep(&p, n, set);
    hs_vector_shape v;
    hs_linearity_options o = HS_LINEARITY_OPTIONS_INIT;
    hs_linearity l;
    float phi[SHAPE_M * 2];
    assert_ok(hs_vector_shape_create(n, SHAPE_M, &v));
    for (size_t i = 0; i < n; i++) {
        double a = 1 + 0.3 * planted_normal(set, 6, i), c = shape_c(set, i);
        for (size_t j = 0; j < SHAPE_M; j++) {
            double s = e.strength[j];
            phi[2 * j] = (float)(a * s);
            phi[2 * j + 1] = (float)(a * c * s * s);
        }
        assert_ok(hs_vector_shape_image(&v, i, e.strength, 2, phi));
    }
    o.bootstrap.seed = set;
    o.shape = &v;
    assert_ok(hs_linearity_measure(&e, &o, &l));
    for (size_t k = 0; k < 4; k++) {
        coverage_take(&l.result, name[k], shape_truth()[k], &out[k]);
    }
    hs_linearity_free(&l);
    hs_vector_shape_free(&v);
    hs_effects_free(&e);
    return 4;
}

/* ---- Robustness ---- */

static const damage_plan damage = {.s = {0.8, 0.25}, .noise = 0.25, .spread = 0.4, .m = 14};

static size_t of_damage(size_t n, uint64_t set, coverage_number *out)
{
    static const char *const name[] = {"log_ratio_sigma50", "sigma50[h_p]", "sigma50[eps_p]"};
    static double truth[3];
    hs_robustness_options o = HS_ROBUSTNESS_OPTIONS_INIT;
    hs_robustness r;
    if (truth[0] <= 0.0) { /* the crossings of the mean curves themselves */
        damage_plan exact = damage;
        exact.noise = exact.spread = 0;
        hs_damage d = planted_damage(&exact, 2, 0);
        assert_ok(hs_robustness_measure(&d, &o, &r));
        truth[0] = r.result.primary.value;
        truth[1] = r.sigma50[HS_ARM_H_P];
        truth[2] = r.sigma50[HS_ARM_EPS_P];
        hs_robustness_free(&r);
        hs_damage_free(&d);
    }
    hs_damage d = planted_damage(&damage, n, set);
    o.bootstrap.seed = set;
    assert_ok(hs_robustness_measure(&d, &o, &r));
    for (size_t k = 0; k < 3; k++) {
        coverage_take(&r.result, name[k], truth[k], &out[k]);
    }
    hs_robustness_free(&r);
    hs_damage_free(&d);
    return 3;
}

/* ---- Effects between steps: E_kl = a_i (1 + k) ((k = l or .7) + .4 z) ---- */

static size_t of_steps(size_t n, uint64_t set, coverage_number *out)
{
    enum { P = 4, CELLS = P * P };
    double *E, *whole, *mean;
    hs_consistency_options o = HS_CONSISTENCY_OPTIONS_INIT;
    hs_consistency c;
    assert_ok(hs_alloc(n, CELLS * sizeof *E, &E));
    assert_ok(hs_alloc(n, sizeof *whole, &whole));
    assert_ok(hs_alloc(n, sizeof *mean, &mean));
    for (size_t i = 0; i < n; i++) {
        double a = 1 + 0.4 * planted_normal(set, 7, i);
        for (size_t k = 0; k < CELLS; k++) {
            E[i * CELLS + k] =
                a * (double)(1 + k / P) * ((k % (P + 1) == 0 ? 1 : 0.7) + 0.4 * planted_normal(set, 8, i * CELLS + k));
        }
        whole[i] = 4 * a;
        mean[i] = 0.75 * whole[i] + 0.5 * planted_normal(set, 9, i);
    }
    const hs_step_effects f = {.n = n, .P = P, .E = E, .whole = whole, .mean = mean};
    o.bootstrap.seed = set;
    o.effects = &f;
    assert_ok(hs_consistency_measure(NULL, &o, &c));
    coverage_take(&c.result, "transfer_steps", 0.7, &out[0]);
    coverage_take(&c.result, "effect_mean_ratio", 0.75, &out[1]);
    hs_consistency_free(&c);
    free(E);
    free(whole);
    free(mean);
    return 2;
}

/* ---- The vector common to all h: h_ik = mu_k + (1 + .3 z_i) noise, |mu|^2 over the noise's square 9 and 1 ---- */

static size_t of_common(size_t n, uint64_t set, coverage_number *out)
{
    enum { S = 2, D = 24 };
    static const char *const name[] = {"common_share_h", "common_share_h[0]", "common_share_h[1]"};
    static const double over[S] = {9, 1}, truth[] = {10. / 12, 0.9, 0.5};
    hs_measurement m = {.property = "robustness"};
    hs_bootstrap_options o = HS_BOOTSTRAP_OPTIONS_INIT;
    double *gram;
    float *h;
    assert_ok(hs_alloc(S * n, n * sizeof *gram, &gram));
    assert_ok(hs_alloc(n, D * sizeof *h, &h));
    for (size_t k = 0; k < S; k++) {
        planted_normals(set, 10 + k, 0, n * D, h);
        for (size_t q = 0; q < n * D; q++) { /* E(1 + .3 z)^2 = 1.09 of every axis */
            h[q] = (float)(sqrt(1.09 * over[k]) + (1 + 0.3 * planted_normal(set, 12, q / D)) * (double)h[q]);
        }
        assert_ok(hs_common_gram(n, D, h, gram + k * n * n));
    }
    o.seed = set;
    assert_ok(hs_common_put(n, S, gram, &o, &m));
    for (size_t k = 0; k <= S; k++) {
        coverage_take(&m, name[k], truth[k], &out[k]);
    }
    hs_measurement_free(&m);
    free(gram);
    free(h);
    return S + 1;
}

const coverage_study coverage_studies[] = {
    {"deltas", of_deltas},
    {"decaying deltas", of_decay},
    {"effects", of_normal_effects},
    {"skewed effects", of_skewed_effects},
    {"transfers", of_transfers},
    {"bent line", of_bent_line},
    {"turning line", of_turning_line},
    {"saturating line", of_saturation},
    {"vector read-out", of_shape},
    {"damage", of_damage},
    {"effects of steps", of_steps},
    {"h about a vector", of_common},
};
const size_t coverage_studies_n = sizeof coverage_studies / sizeof *coverage_studies;
