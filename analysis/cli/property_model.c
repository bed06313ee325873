#include "analysis/cli/property_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/directions/dir_random.h"
#include "analysis/sweep/freeze.h"
#include "core/base/alloc.h"
#include "core/linalg/blas.h"

void hs_property_model_free(hs_property_model *m)
{
    hs_edit_readouts_free(m->n_phi, m->phi);
    free(m->t);
    free(m->delta);
    hs_deltas_free(&m->reduced);
    hs_direction_free(&m->step);
    hs_direction_free(&m->like);
    hs_edit_job_free(&m->job);
    memset(m, 0, sizeof *m);
}

int hs_property_direction(const hs_property_model *m, const char *name, size_t S, const float *dh, hs_direction *out)
{
    int rc;
    size_t rows = S > 0 ? S : 1;
    hs_direction d = {
        .shape = hs_unet_h_shape(hs_unet_config_of(m->job.model.unet)), .S = S, .match = HS_MATCH_NEAREST};
    HS_TRY(hs_strdup(name, &d.name));
    HS_TRY(hs_strdup("", &d.file));
    HS_TRY(hs_strdup(m->job.model.sha256, &d.model_sha256));
    HS_TRY(hs_strdup("", &d.tap));
    HS_TRY(hs_alloc(rows, m->d_h * sizeof *d.dh, &d.dh));
    memcpy(d.dh, dh, rows * m->d_h * sizeof *d.dh);
    if (S > 0) {
        HS_TRY(hs_alloc(S, sizeof *d.t, &d.t));
        memcpy(d.t, m->t, S * sizeof *d.t);
    }
    *out = d;
    memset(&d, 0, sizeof d);
out:
    hs_direction_free(&d);
    return rc;
}

hs_edit_plan hs_property_plan(const hs_property_model *m, const hs_direction *d, const double *one)
{
    hs_edit_plan p = m->job.plan;
    p.given = NULL;
    p.given_row = NULL;
    p.n_dir = 1;
    p.dir = d;
    p.coef = one;
    return p;
}

/* Keeps the deltas of a batch, as the job weighs them. */
HS_CHECKED static int keep_deltas(void *ctx, size_t first, size_t count, const float *delta)
{
    hs_property_model *m = ctx;
    size_t per = m->edited * m->d_h;
    for (size_t i = 0; i < count * per; i++) {
        m->delta[first * per + i] = delta[i] * (float)m->job.coef[0];
    }
    return HS_OK;
}

/* m->delta <- what the network says on the job's images. */
HS_CHECKED static int ask_network(hs_property_model *m)
{
    int rc;
    size_t cells;
    HS_TRY(hs_size_mul(m->n, m->edited, &cells));
    HS_TRY(hs_alloc(cells, m->d_h * sizeof *m->delta, &m->delta));
    HS_TRY(hs_freeze_along(&m->job.plan, m->n, m->job.x_T, keep_deltas, m));
out:
    return rc;
}

HS_CHECKED static int read_delta(void *ctx, size_t first, size_t n, float *room, const float **v)
{
    const hs_property_model *m = ctx;
    (void)n, (void)room;
    *v = m->delta + first * m->edited * m->d_h;
    return HS_OK;
}

hs_deltas_source hs_property_deltas_source(hs_property_model *m)
{
    return (hs_deltas_source){.n = m->n, .S = m->edited, .d = m->d_h, .t = m->t, .read = read_delta, .ctx = m};
}

/* step and like <- of the deltas: their means over images, and those at their root mean square norms. */
HS_CHECKED static int directions_of_deltas(hs_cmd *c, hs_property_model *m)
{
    int rc;
    const hs_deltas_limits limits = HS_DELTAS_LIMITS_INIT;
    const hs_deltas_source source = hs_property_deltas_source(m);
    size_t per = m->edited * m->d_h;
    float *mean = NULL;
    HS_TRY(hs_deltas_reduce(&source, &limits, hs_cmd_progress(c), &m->reduced));
    HS_TRY(hs_alloc(per, sizeof *mean, &mean));
    hs_deltas_mean(&m->reduced, mean);
    HS_TRY(hs_property_direction(m, m->job.dir[0].name, m->edited, mean, &m->step));
    for (size_t k = 0; k < m->edited; k++) {
        double square = 0, norm = hs_nrm2_f32(m->d_h, mean + k * m->d_h);
        for (size_t u = 0; u < m->reduced.units; u++) {
            square += m->reduced.square[u * m->edited + k] / (double)m->reduced.n;
        }
        for (size_t j = 0; j < m->d_h && norm > 0; j++) {
            mean[k * m->d_h + j] *= (float)(sqrt(square) / norm);
        }
    }
    HS_TRY(hs_property_direction(m, m->job.dir[0].name, m->edited, mean, &m->like));
    m->job.plan.given = m->delta;
    m->job.plan.given_S = m->edited;
out:
    free(mean);
    return rc;
}

/* step and like <- the stored direction at each edited step, as the job scales it. */
HS_CHECKED static int directions_of_stored(hs_property_model *m)
{
    int rc;
    const hs_direction *d = &m->job.dir[0];
    float *dh = NULL;
    HS_TRY(hs_alloc(m->edited, m->d_h * sizeof *dh, &dh));
    for (size_t k = 0; k < m->edited; k++) {
        hs_direction_at(d, m->t[k], dh + k * m->d_h);
    }
    for (size_t i = 0; i < m->edited * m->d_h; i++) {
        dh[i] *= (float)m->job.coef[0];
    }
    HS_TRY(hs_property_direction(m, d->name, m->edited, dh, &m->step));
    HS_TRY(hs_property_direction(m, d->name, m->edited, dh, &m->like));
out:
    free(dh);
    return rc;
}

int hs_property_model_open(hs_cmd *c, hs_property_model *m)
{
    int rc;
    memset(m, 0, sizeof *m);
    HS_TRY(hs_edit_job_open(c, 1, &m->job));
    const hs_edit_job *job = &m->job;
    m->n = job->source.n;
    m->d_h = hs_chw_size(hs_unet_h_shape(hs_unet_config_of(job->model.unet)));
    m->edited = hs_edit_plan_edited(&job->plan);
    if (job->dir[0].space != HS_SPACE_H || m->edited == 0) {
        rc = hs_fail(HS_ERANGE, "--direction: %s",
                     m->edited == 0 ? "no step of the sampler is edited (--t-edit)"
                                    : "of eps; the property is one of h");
        goto out;
    }
    HS_TRY(hs_edit_readouts(c, &job->model, &m->n_phi, &m->phi));
    HS_TRY(hs_alloc(m->edited, sizeof *m->t, &m->t));
    for (size_t k = 0; k < m->edited; k++) {
        m->t[k] = job->steps.step[k].t;
    }
    if (!hs_cmd_dry_run(c)) {
        HS_TRY(job->dir[0].net != NULL ? ask_network(m) : HS_OK);
        HS_TRY(job->dir[0].net != NULL ? directions_of_deltas(c, m) : directions_of_stored(m));
    }
out:
    if (rc != HS_OK) {
        hs_property_model_free(m);
    }
    return rc;
}

void hs_property_seen_free(const hs_property_model *m, hs_seen *s)
{
    for (size_t p = 0; s->value != NULL && p < m->n_phi; p++) {
        free(s->value[p]);
    }
    free(s->value);
    free(s->noise_floor);
    memset(s, 0, sizeof *s);
}

int hs_property_see(const hs_property_model *m, const hs_edit_plan *plan, const float *x_T, double strength,
                    hs_seen *out)
{
    hs_edit_plan p = *plan;
    hs_sweep s = {0};
    p.m = 1;
    p.strength = &strength;
    int rc = hs_sweep_run(&p, m->n, x_T, m->n_phi, m->phi, NULL, &s);
    if (rc == HS_OK) {
        *out = (hs_seen){s.value, s.noise_floor};
    }
    return rc;
}

int hs_property_tables(size_t n_phi, size_t n, double ***out)
{
    int rc;
    HS_TRY(hs_calloc(n_phi, sizeof **out, out));
    for (size_t p = 0; p < n_phi; p++) {
        HS_TRY(hs_calloc(n, sizeof ***out, &(*out)[p]));
    }
out:
    return rc;
}

void hs_property_tables_free(size_t n_phi, double **table)
{
    for (size_t p = 0; table != NULL && p < n_phi; p++) {
        free(table[p]);
    }
    free(table);
}

/* ---- Twins ---- */

/* What hs_freeze_along gives, scaled to be given to the images. */
typedef struct {
    float *delta;
    size_t edited, d;
    const double *factor; /* (edited) */
    double coef;
} given;

HS_CHECKED static int keep_scaled(void *ctx, size_t first, size_t count, const float *delta)
{
    const given *g = ctx;
    size_t per = g->edited * g->d;
    for (size_t i = 0; i < count * per; i++) {
        g->delta[first * per + i] = (float)(g->coef * g->factor[i / g->d % g->edited] * (double)delta[i]);
    }
    return HS_OK;
}

int hs_property_twin(const hs_property_model *m, const hs_control *of, hs_control_kind kind, size_t i, float **delta,
                     hs_edit_plan *out)
{
    int rc = HS_OK;
    hs_edit_plan plan = hs_control_plan(of, kind, i, &m->job);
    *delta = NULL;
    if (kind == HS_CONTROL_NET) {
        HS_TRY(hs_alloc(m->n * m->edited, m->d_h * sizeof **delta, delta));
        given g = {*delta, m->edited, m->d_h, plan.factor, m->job.coef[0]};
        HS_TRY(hs_freeze_along(&plan, m->n, m->job.x_T, keep_scaled, &g));
        plan.factor = NULL;
        plan.given = *delta;
        plan.given_S = m->edited;
    }
    *out = plan;
out:
    return rc;
}
