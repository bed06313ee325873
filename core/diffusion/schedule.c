#include "core/diffusion/schedule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

enum { T_MAX = 1000000 };

static double linspace(double a, double b, size_t n, size_t i)
{
    return i + 1 == n && n > 1 ? b : a + (double)i * ((b - a) / (double)(n > 1 ? n - 1 : 1));
}

/* Nichol and Dhariwal's f(t) / f(0) up to a constant: cos^2((u + s) / (1 + s) pi / 2), u = t / T. */
static double cosine_f(double u, double s)
{
    double c = cos((u + s) / (1.0 + s) * 1.5707963267948966);
    return c * c;
}

static double beta_at(const hs_schedule_spec *p, size_t i)
{
    double T = (double)p->T, u = (double)i;
    switch (p->kind) {
    case HS_SCHEDULE_LINEAR: return linspace(p->beta_start, p->beta_end, p->T, i);
    case HS_SCHEDULE_SCALED_LINEAR: {
        double r = linspace(sqrt(p->beta_start), sqrt(p->beta_end), p->T, i);
        return r * r;
    }
    case HS_SCHEDULE_COSINE: {
        double b = 1.0 - cosine_f((u + 1) / T, p->cosine_s) / cosine_f(u / T, p->cosine_s);
        return fmin(fmax(b, p->beta_min), p->beta_max);
    }
    case HS_SCHEDULE_TABLE: return p->table[i];
    }
    return NAN;
}

int hs_schedule_create(const hs_schedule_spec *spec, hs_schedule *out)
{
    int rc = HS_OK;
    hs_schedule s = {.T = spec->T, .beta = NULL, .alpha_bar = NULL};
    if (spec->T < 1 || spec->T > T_MAX) {
        return hs_fail(HS_ERANGE, "schedule: T = %zu; from 1 to %d", spec->T, T_MAX);
    }
    HS_TRY(hs_alloc(s.T, sizeof *s.beta, &s.beta));
    HS_TRY(hs_alloc(s.T, sizeof *s.alpha_bar, &s.alpha_bar));
    double ab = 1.0;
    for (size_t i = 0; i < s.T; i++) {
        double b = beta_at(spec, i);
        if (!(b > 0.0 && b < 1.0)) {
            HS_TRY(hs_fail(HS_ERANGE, "schedule: beta[%zu] = %g; above 0 and below 1", i, b));
        }
        ab *= 1.0 - b;
        if (!(ab >= 1e-300)) {
            HS_TRY(hs_fail(HS_ERANGE, "schedule: alpha_bar[%zu] vanishes; the betas are too large", i));
        }
        s.beta[i] = b;
        s.alpha_bar[i] = ab;
    }
    *out = s;
    return HS_OK;
out:
    hs_schedule_free(&s);
    return rc;
}

void hs_schedule_free(hs_schedule *s)
{
    if (s != NULL) {
        free(s->beta);
        free(s->alpha_bar);
        *s = (hs_schedule){.T = 0, .beta = NULL, .alpha_bar = NULL};
    }
}

double hs_schedule_kept(const hs_schedule *s)
{
    return sqrt(s->alpha_bar[s->T - 1]);
}

double hs_schedule_offset(const hs_schedule *s, double mean, size_t d)
{
    double a = s->alpha_bar[s->T - 1];
    return sqrt(a / (1 - a) * (double)d) * fabs(mean);
}

/* Timestep k of S in ascending order.  diffusers rounds halves to even, as rint does. */
static long ascending_t(const hs_steps_spec *p, size_t T, size_t k)
{
    double dT = (double)T;
    switch (p->spacing) {
    case HS_SPACING_ASYRP: return (long)(linspace(0.0, 1.0, p->S, k) * (dT - 1.0) + 1e-6);
    case HS_SPACING_LEADING: return (long)(k * (T / p->S)) + p->steps_offset;
    case HS_SPACING_TRAILING: return (long)rint(dT - (double)(p->S - 1 - k) * (dT / (double)p->S)) - 1;
    case HS_SPACING_LINSPACE: return (long)rint(linspace(0.0, dT - 1.0, p->S, k));
    }
    return -1;
}

static void link_step(const hs_schedule *s, long t, long next, double end, hs_step *out)
{
    *out = (hs_step){.t = (int)t,
                     .t_next = next < 0 ? -1 : (int)next,
                     .alpha_bar = s->alpha_bar[t],
                     .alpha_bar_next = next < 0 ? end : s->alpha_bar[next]};
}

static int check_count(const hs_schedule *s, size_t S)
{
    if (S < 1 || S > s->T) {
        return hs_fail(HS_ERANGE, "timesteps: %zu steps; from 1 to the model's T = %zu", S, s->T);
    }
    return HS_OK;
}

int hs_steps_create(const hs_schedule *s, const hs_steps_spec *spec, hs_steps *out)
{
    int rc = HS_OK;
    hs_steps st = {.S = spec->S, .step = NULL};
    HS_TRY(check_count(s, spec->S));
    HS_TRY(hs_alloc(st.S, sizeof *st.step, &st.step));
    double end = spec->spacing == HS_SPACING_ASYRP || spec->set_alpha_to_one ? 1.0 : s->alpha_bar[0];
    long below = -1;
    for (size_t k = 0; k < st.S; k++) {
        long t = ascending_t(spec, s->T, k);
        if (t <= below || t >= (long)s->T) {
            HS_TRY(hs_fail(HS_ERANGE, "timesteps: step %zu from below falls on t = %ld; distinct, from 0 to %zu", k, t,
                           s->T - 1));
        }
        long next = spec->spacing == HS_SPACING_ASYRP ? below : t - (long)(s->T / st.S);
        link_step(s, t, next, end, &st.step[st.S - 1 - k]);
        below = t;
    }
    *out = st;
    return HS_OK;
out:
    hs_steps_free(&st);
    return rc;
}

int hs_steps_from_list(const hs_schedule *s, size_t S, const int *t, hs_steps *out)
{
    int rc = HS_OK;
    hs_steps st = {.S = S, .step = NULL};
    HS_TRY(check_count(s, S));
    HS_TRY(hs_alloc(S, sizeof *st.step, &st.step));
    for (size_t k = 0; k < S; k++) {
        if (t[k] < 0 || (size_t)t[k] >= s->T || (k > 0 && t[k] >= t[k - 1])) {
            HS_TRY(hs_fail(HS_ERANGE, "timesteps: entry %zu is %d; descending, from %zu to 0", k, t[k], s->T - 1));
        }
    }
    for (size_t k = 0; k < S; k++) {
        link_step(s, t[k], k + 1 < S ? t[k + 1] : -1, 1.0, &st.step[k]);
    }
    *out = st;
    return HS_OK;
out:
    hs_steps_free(&st);
    return rc;
}

void hs_steps_free(hs_steps *s)
{
    if (s != NULL) {
        free(s->step);
        *s = (hs_steps){.S = 0, .step = NULL};
    }
}
