#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/properties/consistency_internal.h"
#include "core/base/alloc.h"
#include "core/linalg/factor.h"

enum { CONSISTENT, EFFECT, RANK, RANK_RAW, DECAY, DROPPED, SCALARS };

static size_t pairs_of(size_t S)
{
    return S * (S - 1) / 2;
}

/* exp of the entropy of the spectrum of G (S, S), which is destroyed; NaN where it has none. */
static double effective_rank(size_t S, double *G, double *w)
{
    double sum = 0, entropy = 0;
    if (hs_sym_eig(S, G, S, w, NULL) != HS_OK) {
        return NAN;
    }
    for (size_t k = 0; k < S; k++) {
        w[k] = fmax(w[k], 0);
        sum += w[k];
    }
    for (size_t k = 0; k < S; k++) {
        double p = w[k] / sum;
        entropy -= p > 0 ? p * log(p) : 0;
    }
    return sum > 0 ? exp(entropy) : NAN;
}

static double ratio(const double *M, size_t S, size_t k, size_t l)
{
    double a = M[k * S + k], b = M[l * S + l];
    return a > 0 && b > 0 ? M[k * S + l] / sqrt(a * b) : NAN;
}

/* work: a matrix (S, S) and S numbers. */
static void ranks(const hs_deltas_moments *m, double *work, double *theta)
{
    size_t S = m->S;
    for (size_t k = 0; k < S; k++) {
        for (size_t l = 0; l < S; l++) {
            work[k * S + l] = k == l ? 1 : ratio(m->plain, S, k, l);
        }
    }
    theta[RANK] = effective_rank(S, work, work + S * S);
    memcpy(work, m->plain, S * S * sizeof *work);
    theta[RANK_RAW] = effective_rank(S, work, work + S * S);
}

/* ctx: timesteps or positions (S).  theta: scalars, then cosines and disattenuated cosines of the pairs k < l. */
static void evaluate(const void *ctx, const hs_deltas_moments *m, double *theta, void *work)
{
    const double *t = ctx;
    size_t S = m->S, at = SCALARS;
    double all = 0, diagonal = 0, xx = 0, xy = 0, dropped = 0, s = (double)S;
    for (size_t k = 0; k < S; k++) {
        for (size_t l = k + 1; l < S; l++, at++) {
            double c = ratio(m->M, S, k, l), x = fabs(t[k] - t[l]);
            theta[at] = ratio(m->plain, S, k, l);
            theta[at + pairs_of(S)] = c;
            dropped += !(c > 0);
            xx += c > 0 ? x * x : 0;
            xy -= c > 0 ? x * log(c) : 0;
            all += 2 * m->M[k * S + l];
        }
        diagonal += m->M[k * S + k];
    }
    theta[CONSISTENT] = diagonal > 0 ? (all + diagonal) / (s * diagonal) : NAN;
    theta[EFFECT] = S > 1 && m->total > 0 ? all / (s * (s - 1)) / m->total : NAN;
    theta[DECAY] = xy > 0 ? xx / xy : NAN;
    theta[DROPPED] = dropped;
    ranks(m, work, theta);
}

HS_CHECKED static int intervals(const hs_deltas *x, const hs_consistency_options *o, hs_interval **ci)
{
    int rc;
    double *t = NULL;
    HS_TRY(hs_alloc(x->S, sizeof *t, &t));
    for (size_t k = 0; k < x->S; k++) {
        t[k] = x->t != NULL ? x->t[k] : (double)k;
    }
    const hs_deltas_statistic st = {.q = SCALARS + 2 * pairs_of(x->S),
                                    .scratch = (x->S * x->S + x->S) * sizeof(double),
                                    .eval = evaluate,
                                    .ctx = t};
    HS_TRY(hs_alloc(st.q, sizeof **ci, ci));
    HS_TRY(hs_deltas_bootstrap(x, &o->bootstrap, &st, o->progress, *ci));
out:
    free(t);
    return rc;
}

static int put(hs_measurement *r, hs_estimate e)
{
    return hs_measurement_put(r, &e);
}

/* NAME[k,l] of the pairs, and the symmetric matrix of them. */
HS_CHECKED static int put_pairs(const hs_deltas *x, const char *name, const char *estimator, const hs_interval *ci,
                                hs_measurement *r, double **matrix)
{
    int rc;
    size_t S = x->S;
    HS_TRY(hs_alloc(S, S * sizeof **matrix, matrix));
    for (size_t k = 0, at = 0; k < S; k++) {
        (*matrix)[k * S + k] = 1;
        for (size_t l = k + 1; l < S; l++, at++) {
            hs_estimate e = hs_estimate_of("", ci[at], x->n, estimator);
            snprintf(e.name, sizeof e.name, "%s[%zu,%zu]", name, k, l);
            (*matrix)[k * S + l] = (*matrix)[l * S + k] = ci[at].value;
            HS_TRY(put(r, e));
        }
    }
out:
    return rc;
}

HS_CHECKED static int set_null(const hs_consistency_options *o, hs_measurement *r)
{
    int rc = HS_OK;
    hs_interval *ci = NULL;
    double limit = 0;
    if (o->null_deltas != NULL) {
        HS_TRY(intervals(o->null_deltas, o, &ci));
        hs_interval e = ci[EFFECT];
        limit = fmax(0, isnan(e.hi) ? e.value : e.hi);
        HS_TRY(put(r, hs_estimate_of("share_consistent_null", ci[CONSISTENT], o->null_deltas->n,
                                     "share_consistent of the null deltas; BCa")));
    }
    r->has_null = 1;
    r->null = hs_estimate_plain("null", limit, o->null_deltas != NULL ? o->null_deltas->n : 0,
                                o->null_deltas != NULL ? "upper limit of the same number of the null deltas, at least 0"
                                                       : "no agreement between steps",
                                NULL);
out:
    free(ci);
    return rc;
}

HS_CHECKED static int put_scalars(const hs_deltas *x, const hs_interval *ci, hs_measurement *r)
{
    int rc;
    hs_interval decay = ci[DECAY];
    if (isnan(decay.value)) {
        decay.reason = x->S < 2 ? "one step" : "the cosines do not fall with the distance of the steps";
    }
    HS_TRY(put(r, r->primary));
    HS_TRY(put(r, hs_estimate_of("effective_rank", ci[RANK], x->n, "exp entropy, Gram of the unit means; BCa")));
    HS_TRY(put(r, hs_estimate_of("effective_rank_raw", ci[RANK_RAW], x->n, "exp entropy, Gram of the means; BCa")));
    HS_TRY(put(r, hs_estimate_of("decay_length", decay, x->n,
                                 x->t != NULL ? "timesteps; least squares of -log C* through the origin; BCa"
                                              : "step positions; least squares of -log C* through the origin; BCa")));
    HS_TRY(put(
        r, hs_estimate_plain("decay_pairs_dropped", ci[DROPPED].value, pairs_of(x->S), "pairs without C* > 0", NULL)));
out:
    return rc;
}

HS_CHECKED static int put_missing(hs_measurement *r)
{
    static const char *const name[] = {"cosine",         "cosine_disattenuated", "share_consistent",
                                       "effective_rank", "effective_rank_raw",   "decay_length"};
    int rc = HS_OK;
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        HS_TRY(put(r, hs_estimate_plain(name[i], NAN, 0, "not computed",
                                        "needs per-sample deltas; the direction is one for all samples")));
    }
out:
    return rc;
}

int hs_consistency_deltas(const hs_deltas *x, const hs_consistency_options *o, hs_consistency *c)
{
    int rc;
    hs_interval *ci = NULL;
    hs_measurement *r = &c->result;
    if (x == NULL) {
        return put_missing(r);
    }
    HS_TRY(intervals(x, o, &ci));
    c->S = x->S;
    r->primary = hs_estimate_of("share_consistent", ci[CONSISTENT], x->n, "corrected g / (g + tau); BCa");
    r->effect = hs_estimate_of("effect", ci[EFFECT], x->n,
                               "mean <delta_ik, delta_jl>, i != j, k != l, over mean |delta|^2; BCa");
    if (isnan(r->effect.value)) {
        r->effect.reason = x->n < 2 ? "one image makes no pair" : x->S < 2 ? "one step" : "the deltas are all zero";
    }
    HS_TRY(put_pairs(x, "cosine", "cosine of the means of two steps; BCa", ci + SCALARS, r, &c->cosine));
    HS_TRY(put_pairs(x, "cosine_disattenuated", "M_kl / sqrt(M_kk M_ll) over pairs of different images; BCa",
                     ci + SCALARS + pairs_of(x->S), r, &c->disattenuated));
    HS_TRY(put_scalars(x, ci, r));
    HS_TRY(set_null(o, r));
out:
    free(ci);
    return rc;
}
