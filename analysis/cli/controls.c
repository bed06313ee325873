#include "analysis/cli/controls.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/properties/verdict.h"
#include "analysis/sweep/freeze.h"
#include "analysis/sweep/h_draws.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/linalg/blas.h"
#include "core/stats/moments.h"

const char *const hs_control_name[HS_CONTROLS] = {"untrained U-Net", "shuffled labels", "untrained delta network",
                                                  "x_T", "h covariance"};
const char *const hs_control_key[HS_CONTROLS] = {"untrained_unet", "shuffled_labels", "untrained_ft", "x_T",
                                                 "h_covariance"};
static const char *const option[HS_CONTROLS] = {"untrained-unet", "shuffled-labels", "untrained-ft", "x-T",
                                                "h-covariance"};

void hs_controls_free(hs_controls *cs)
{
    for (int k = 0; k < HS_CONTROLS; k++) {
        hs_control *o = &cs->of[k];
        for (size_t i = 0; i < o->n; i++) {
            hs_direction_free(&o->twin[i]);
        }
        free(o->twin);
        free(o->factor);
        hs_model_free(&o->model);
    }
    memset(cs, 0, sizeof *cs);
}

/* ---- Which ---- */

int hs_controls_wanted(hs_cmd *c, int wanted[HS_CONTROLS])
{
    const char *const *item;
    size_t n = hs_cmd_list(c, "controls", &item);
    for (size_t i = 0; i < n; i++) {
        int all = strcmp(item[i], "all") == 0, known = all || strcmp(item[i], "none") == 0;
        for (int k = 0; k < HS_CONTROLS; k++) {
            int is = strcmp(item[i], option[k]) == 0;
            wanted[k] |= all || is;
            known |= is;
        }
        if (!known) {
            return hs_fail(HS_ERANGE,
                           "--controls %.40s: wanted untrained-unet, shuffled-labels, untrained-ft, x-T, "
                           "h-covariance, all or none",
                           item[i]);
        }
    }
    return HS_OK;
}

static void say_missing(hs_control *o, const char *why)
{
    snprintf(o->missing, sizeof o->missing, "%s", why);
}

/* ---- Making them ---- */

HS_CHECKED static int make_unet(hs_cmd *c, const hs_edit_job *job, hs_control *o)
{
    if (job->model.untrained) {
        say_missing(o, "the model is itself untrained");
        return HS_OK;
    }
    return hs_cmd_dry_run(c) ? HS_OK : hs_model_untrained(&job->model, hs_cmd_seed(c), job->source.n, &o->model);
}

HS_CHECKED static int make_labels(const hs_edit_job *job, hs_control *o)
{
    int rc = HS_OK;
    if (job->n_dir != 1 || job->dir[0].net != NULL) {
        say_missing(o, job->n_dir != 1 ? "several directions at once" : "a delta network isn't found from labels");
        return HS_OK;
    }
    HS_TRY(hs_direction_shuffled(&job->dir[0], &o->n, &o->twin));
    if (o->n == 0) {
        say_missing(o, "the direction's file holds no twins (direction mean-diff and probe store them)");
    }
out:
    return rc;
}

/* o->factor <- of each twin, what gives it f_t's mean norm at every edited step. */
HS_CHECKED static int match_norms(const hs_edit_job *job, hs_control *o)
{
    int rc;
    size_t S = job->steps.S, edited = hs_edit_plan_edited(&job->plan);
    double *own = NULL, *other = NULL;
    HS_TRY(hs_calloc(S, sizeof *own, &own));
    HS_TRY(hs_calloc(S, sizeof *other, &other));
    HS_TRY(hs_calloc(o->n, S * sizeof *o->factor, &o->factor));
    HS_TRY(hs_network_norms(&job->plan, job->source.n, job->x_T, own));
    for (size_t i = 0; i < o->n; i++) {
        hs_edit_plan plan = job->plan;
        plan.dir = &o->twin[i];
        HS_TRY(hs_network_norms(&plan, job->source.n, job->x_T, other));
        for (size_t k = 0; k < edited; k++) {
            o->factor[i * S + k] = other[k] > 0 ? own[k] / other[k] : 0;
        }
    }
out:
    free(own);
    free(other);
    return rc;
}

HS_CHECKED static int make_networks(hs_cmd *c, const hs_edit_job *job, hs_control *o)
{
    int rc = HS_OK;
    const hs_direction *d = &job->dir[0];
    if (job->n_dir != 1 || d->net == NULL || d->space != HS_SPACE_H) {
        say_missing(o, job->n_dir != 1 ? "several directions at once" : "the direction is no delta network of h");
        return HS_OK;
    }
    size_t channels = hs_deltablock_channels(d->net), hidden = hs_deltablock_hidden(d->net);
    HS_TRY(hs_calloc(HS_CONTROL_NETWORKS, sizeof *o->twin, &o->twin));
    for (; o->n < HS_CONTROL_NETWORKS; o->n++) {
        hs_direction *t = &o->twin[o->n];
        *t = (hs_direction){.space = d->space, .shape = d->shape, .match = d->match, .found_steps = d->found_steps};
        HS_TRY(hs_strdup(d->file, &t->file));
        HS_TRY(hs_strdup("untrained", &t->name));
        HS_TRY(hs_strdup(d->model_sha256, &t->model_sha256));
        HS_TRY(hs_strdup(d->tap, &t->tap));
        HS_TRY((hs_deltablock_param_count(d->net) == 10 ? hs_deltablock_random_adm : hs_deltablock_random)(
            channels, hidden, hs_deltablock_temb_dim(d->net), d->seed + o->n, 0, &t->net));
    }
    HS_TRY(hs_cmd_dry_run(c) ? HS_OK : match_norms(job, o));
out:
    return rc;
}

/* ---- Norms of a network ---- */

typedef struct {
    size_t n, edited, d;
    double *mean;
} norms;

HS_CHECKED static int add_norms(void *ctx, size_t first, size_t count, const float *delta)
{
    const norms *w = ctx;
    (void)first;
    for (size_t i = 0; i < count * w->edited; i++) {
        w->mean[i % w->edited] += hs_nrm2_f32(w->d, delta + i * w->d) / (double)w->n;
    }
    return HS_OK;
}

int hs_network_norms(const hs_edit_plan *plan, size_t n, const float *x_T, double *mean)
{
    const hs_unet_config *cfg = hs_unet_config_of(plan->model->unet);
    norms w = {n, hs_edit_plan_edited(plan), hs_chw_size(hs_unet_h_shape(cfg)), mean};
    memset(mean, 0, w.edited * sizeof *mean);
    return hs_freeze_along(plan, n, x_T, add_norms, &w);
}

/* ---- Draws from the covariance of h ---- */

typedef struct {
    norms of; /* of the direction; of a network the mean over images */
    hs_h_draws draws;
} covariance;

HS_CHECKED static int add_states(void *ctx, size_t first, size_t count, const float *h, const float *delta)
{
    covariance *w = ctx;
    hs_h_draws_add(&w->draws, first, count, h);
    return delta != NULL ? add_norms(&w->of, first, count, delta) : HS_OK;
}

/* Draw k as a direction of the edited steps. */
HS_CHECKED static int direction_of_draw(const hs_edit_job *job, const covariance *w, size_t k, hs_direction *out)
{
    int rc;
    const hs_direction *of = &job->dir[0];
    *out = (hs_direction){.space = HS_SPACE_H,
                          .shape = hs_unet_h_shape(hs_unet_config_of(job->model.unet)),
                          .S = w->of.edited,
                          .match = HS_MATCH_NEAREST};
    HS_TRY(hs_strdup("", &out->file));
    HS_TRY(hs_strdup("covariance", &out->name));
    HS_TRY(hs_strdup(of->model_sha256, &out->model_sha256));
    HS_TRY(hs_strdup(of->tap, &out->tap));
    HS_TRY(hs_alloc(w->of.edited, sizeof *out->t, &out->t));
    HS_TRY(hs_alloc(w->of.edited, w->of.d * sizeof *out->dh, &out->dh));
    for (size_t t = 0; t < w->of.edited; t++) {
        out->t[t] = job->steps.step[t].t;
    }
    HS_TRY(hs_h_draws_take(&w->draws, k, w->of.mean, out->dh));
out:
    return rc;
}

/* w->mean <- of a stored direction. */
HS_CHECKED static int norms_of_stored(const hs_edit_job *job, norms *w)
{
    int rc;
    float *dh = NULL;
    HS_TRY(hs_alloc(w->d, sizeof *dh, &dh));
    for (size_t t = 0; t < w->edited; t++) {
        hs_direction_at(&job->dir[0], job->steps.step[t].t, dh);
        w->mean[t] = hs_nrm2_f32(w->d, dh);
    }
out:
    free(dh);
    return rc;
}

HS_CHECKED static int draw_directions(hs_cmd *c, const hs_edit_job *job, hs_control *o)
{
    int rc;
    covariance w = {.of = {.n = job->source.n, .edited = hs_edit_plan_edited(&job->plan)}};
    w.of.d = hs_chw_size(hs_unet_h_shape(hs_unet_config_of(job->model.unet)));
    HS_TRY(hs_calloc(w.of.edited, sizeof *w.of.mean, &w.of.mean));
    HS_TRY(job->dir[0].net == NULL ? norms_of_stored(job, &w.of) : HS_OK);
    HS_TRY(hs_h_draws_create(w.of.n, HS_CONTROL_DRAWS, w.of.edited, w.of.d, hs_cmd_seed(c), &w.draws));
    HS_TRY(hs_states_along(&job->plan, w.of.n, job->x_T, add_states, &w));
    HS_TRY(hs_calloc(HS_CONTROL_DRAWS, sizeof *o->twin, &o->twin));
    for (o->n = 0; o->n < HS_CONTROL_DRAWS && rc == HS_OK;) {
        rc = direction_of_draw(job, &w, o->n, &o->twin[o->n]);
        o->n++;
    }
    if (rc == HS_EDEGENERATE) { /* an answer, not an error */
        say_missing(o, "h does not vary between the images");
        rc = HS_OK;
    }
out:
    hs_h_draws_free(&w.draws);
    free(w.of.mean);
    return rc;
}

HS_CHECKED static int make_covariance(hs_cmd *c, const hs_edit_job *job, hs_control *o)
{
    const char *why = job->n_dir != 1                             ? "several directions at once"
                      : job->dir[0].space != HS_SPACE_H           ? "the direction is a change of eps"
                      : hs_edit_plan_edited(&job->plan) == 0      ? "no step is edited"
                      : job->source.n < (size_t)HS_CONTROL_IMAGES ? "needs three images or more"
                                                                  : NULL;
    if (why != NULL) {
        say_missing(o, why);
    }
    return why != NULL || hs_cmd_dry_run(c) ? HS_OK : draw_directions(c, job, o);
}

int hs_controls_open(hs_cmd *c, const hs_edit_job *job, hs_controls *out)
{
    int rc, wanted[HS_CONTROLS] = {0};
    hs_controls cs = {0};
    HS_TRY(hs_controls_wanted(c, wanted));
    for (int k = 0; k < HS_CONTROLS; k++) {
        cs.wanted |= wanted[k];
        if (!wanted[k]) {
            say_missing(&cs.of[k], "not asked for (--controls)");
        }
    }
    HS_TRY(wanted[HS_CONTROL_UNET] ? make_unet(c, job, &cs.of[HS_CONTROL_UNET]) : HS_OK);
    HS_TRY(wanted[HS_CONTROL_LABELS] ? make_labels(job, &cs.of[HS_CONTROL_LABELS]) : HS_OK);
    HS_TRY(wanted[HS_CONTROL_NET] ? make_networks(c, job, &cs.of[HS_CONTROL_NET]) : HS_OK);
    HS_TRY(wanted[HS_CONTROL_COVARIANCE] ? make_covariance(c, job, &cs.of[HS_CONTROL_COVARIANCE]) : HS_OK);
    *out = cs;
    memset(&cs, 0, sizeof cs);
out:
    hs_controls_free(&cs);
    return rc;
}

void hs_controls_say_plan(hs_cmd *c, const hs_controls *cs)
{
    json_t *planned = json_array();
    for (int k = 0; k < HS_CONTROLS; k++) {
        const hs_control *o = &cs->of[k];
        if (o->missing[0] == '\0') {
            hs_cmd_say(c, "control: %s\n", hs_control_name[k]);
            json_array_append_new(planned, json_string(hs_control_name[k]));
        } else {
            hs_cmd_say(c, "control not run: %s: %s\n", hs_control_name[k], o->missing);
        }
    }
    json_object_set_new(hs_cmd_results(c), "controls_planned", planned);
}

hs_control_kind hs_controls_twins(const hs_controls *cs)
{
    return cs->of[HS_CONTROL_NET].n > 0 ? HS_CONTROL_NET : HS_CONTROL_LABELS;
}

hs_edit_plan hs_control_plan(const hs_control *o, hs_control_kind kind, size_t i, const hs_edit_job *job)
{
    hs_edit_plan p = job->plan;
    if (kind == HS_CONTROL_UNET) {
        p.model = &o->model;
    } else if (kind != HS_CONTROL_X_T) {
        p.given = NULL;
        p.given_row = NULL;
        p.n_dir = 1;
        p.dir = &o->twin[i];
        p.factor = o->factor != NULL ? o->factor + i * job->steps.S : NULL;
    }
    return p;
}

/* ---- x_T ---- */

void hs_control_shifted(const hs_edit_job *job, const float *shift, double s, float *x)
{
    size_t d = hs_chw_size(job->source.image);
    for (size_t i = 0; i < job->source.n * d; i++) {
        x[i] = (float)((double)job->x_T[i] + s * (double)shift[i % d]);
    }
}

int hs_control_shift(const hs_edit_job *job, double s, uint64_t seed, float **shift)
{
    static const double zero = 0;
    int rc;
    size_t n = job->source.n, d = hs_chw_size(job->source.image);
    float *v = NULL, *x = NULL, *plain = NULL, *moved = NULL;
    hs_edit_plan plan = job->plan;
    plan.m = 1;
    HS_TRY(hs_alloc(d, sizeof *v, &v));
    HS_TRY(hs_alloc(n, d * sizeof *x, &x));
    HS_TRY(hs_alloc(n, d * sizeof *plain, &plain));
    HS_TRY(hs_alloc(n, d * sizeof *moved, &moved));
    hs_rng_normal((hs_rng){seed, HS_RNG_DIRECTION, (uint64_t)1 << 40}, 0, d, v);
    plan.strength = &s;
    HS_TRY(hs_edit_run(&plan, n, job->x_T, NULL, moved));
    plan.strength = &zero;
    HS_TRY(hs_edit_run(&plan, n, job->x_T, NULL, plain));
    double by_h = hs_distance_f32(n * d, moved, plain) / fabs(s), small = 0.01;
    hs_control_shifted(job, v, small, x);
    HS_TRY(hs_edit_run(&plan, n, x, NULL, moved));
    double by_x = hs_distance_f32(n * d, moved, plain) / small;
    for (size_t i = 0; i < d; i++) {
        v[i] = by_x > 0 ? (float)(by_h / by_x * (double)v[i]) : 0;
    }
    *shift = v;
    v = NULL;
out:
    free(v);
    free(x);
    free(plain);
    free(moved);
    return rc;
}

int hs_control_add(hs_measurement *m, hs_control_kind kind, hs_measurement *of)
{
    char why[128];
    if (kind != HS_CONTROL_X_T && of->verdict == HS_VERDICT_HOLDS) {
        snprintf(why, sizeof why, "a control passes, too: %s, %.3f [%.3f, %.3f]", hs_control_name[kind],
                 of->primary.value, of->primary.lo, of->primary.hi);
        hs_withhold(m, why);
    }
    if (kind == HS_CONTROL_UNET) {
        hs_withhold(of, HS_UNTRAINED);
    }
    return hs_measurement_control(m, hs_control_name[kind], of);
}

/* ---- Nulls ---- */

void hs_control_increments(size_t rows, size_t m, size_t zero, size_t far, const double *value, double *effect)
{
    for (size_t i = 0; i < rows; i++) {
        effect[i] = value[i * m + far] - value[i * m + zero];
    }
}

/* *out <- what the root mean square of one more of K effects (K, n) stays below. */
HS_CHECKED static int limit(size_t n, size_t K, const double *effect, int twins, double *out)
{
    int rc;
    double *rms = NULL;
    HS_TRY(hs_alloc(K, sizeof *rms, &rms));
    for (size_t k = 0; k < K; k++) {
        rms[k] = hs_rms(n, effect + k * n, NULL);
    }
    *out = (twins ? hs_twin_limit : hs_null_limit)(K, rms);
out:
    free(rms);
    return rc;
}

int hs_control_harder(size_t n, size_t Ka, const double *a, size_t Kb, const double *b, int *harder)
{
    int rc = HS_OK;
    double la = 0, lb = 0;
    HS_TRY(Ka > 0 ? limit(n, Ka, a, 0, &la) : HS_OK);
    HS_TRY(Kb > 0 ? limit(n, Kb, b, 1, &lb) : HS_OK);
    *harder = Kb > 0 && (Ka == 0 || lb > la);
out:
    return rc;
}

/* Withholds m's verdict where the effect does not exceed reach, which K of `what` do. */
static void beside(hs_measurement *m, size_t K, const char *what, double reach)
{
    char why[192];
    if (K > 0 && !(m->effect.lo > reach)) {
        snprintf(why, sizeof why, "%zu %s may do as much: effect %.3g [%.3g, %.3g], their limit %.3g", K, what,
                 m->effect.value, m->effect.lo, m->effect.hi, reach);
        hs_withhold(m, why);
    }
}

int hs_control_beside_twins(hs_measurement *m, size_t n, size_t K, const double *twins)
{
    int rc = HS_OK;
    double reach = NAN;
    HS_TRY(K > 0 ? limit(n, K, twins, 1, &reach) : HS_OK);
    beside(m, K, "twins of equal norm", reach);
out:
    return rc;
}

int hs_control_draws(hs_measurement *m, size_t n, size_t K, const double *effect)
{
    int rc;
    double reach = NAN;
    char text[160];
    HS_TRY(limit(n, K, effect, 1, &reach));
    beside(m, K, "directions of equal norm from the covariance of h", reach);
    snprintf(text, sizeof text, "%zu directions of equal norm; the effect, %.4g [%.4g, %.4g], must exceed %.4g", K,
             m->effect.value, m->effect.lo, m->effect.hi, reach);
    const hs_estimate e =
        hs_estimate_plain("null", reach, K, "limit of the rms effect of n directions with the covariance of h", NULL);
    HS_TRY(hs_measurement_control_number(m, hs_control_name[HS_CONTROL_COVARIANCE], &e, text));
out:
    return rc;
}
