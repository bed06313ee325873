/* The rival and the controls of homogeneity with a model. */
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/homogeneity_work.h"
#include "core/base/alloc.h"

int hs_homogeneity_rival(hs_homogeneity_work *w)
{
    int rc = HS_OK;
    const char *spec = hs_cmd_str(w->c, "rival");
    static const double one = 1;
    double *factor = NULL;
    hs_direction d = {0};
    hs_seen seen = {0};
    w->no_rival = spec == NULL ? "no direction of eps was given (--rival)"
                  : w->R > 0   ? "its transfers between images are not run in eps-space"
                               : NULL;
    if (w->no_rival != NULL) {
        return HS_OK;
    }
    HS_TRY(hs_rival_open(w->c, &w->m.job, spec, &d));
    HS_TRY(hs_alloc(w->m.job.steps.S, sizeof *factor, &factor));
    hs_edit_plan plan = hs_property_plan(&w->m, &d, &one);
    HS_TRY(hs_edit_match(&w->m.job.plan, &plan, w->m.n, w->m.job.x_T, w->strength, factor));
    plan.factor = factor;
    HS_TRY(hs_property_see(&w->m, &plan, w->m.job.x_T, w->strength, &seen));
    HS_TRY(hs_property_tables(w->m.n_phi, w->m.n, &w->rival));
    for (size_t p = 0; p < w->m.n_phi; p++) {
        HS_TRY(hs_homogeneity_effects_of(w, p, seen.value[p], seen.value[p], w->rival[p], NULL));
    }
out:
    free(factor);
    hs_property_seen_free(&w->m, &seen);
    hs_direction_free(&d);
    return rc;
}

/* ---- Controls ---- */

/* Sees twin i in the network of run o; effect[p] (n). */
HS_CHECKED static int see_twin(const hs_homogeneity_work *w, const hs_homogeneity_work *o, hs_control_kind kind,
                               size_t i, size_t row, double **effect)
{
    int rc;
    float *delta = NULL;
    hs_edit_plan plan;
    hs_seen seen = {0};
    HS_TRY(hs_property_twin(&w->m, &w->controls.of[kind], kind, i, &delta, &plan));
    plan.model = o->m.job.plan.model;
    HS_TRY(hs_property_see(&w->m, &plan, w->m.job.x_T, w->strength, &seen));
    for (size_t p = 0; p < w->m.n_phi; p++) {
        HS_TRY(hs_homogeneity_effects_of(o, p, seen.value[p], seen.value[p], effect[p] + row * w->m.n, NULL));
    }
out:
    free(delta);
    hs_property_seen_free(&w->m, &seen);
    return rc;
}

/* The direction in the untrained network; its null the direction's twins there, else random directions. */
HS_CHECKED static int run_unet(hs_homogeneity_work *w, hs_homogeneity_work *o)
{
    int rc;
    const hs_control_kind kind = hs_controls_twins(&w->controls);
    size_t twins = w->controls.of[kind].n;
    o->m.job.plan.model = &w->controls.of[HS_CONTROL_UNET].model;
    o->K = twins > 0 ? 0 : w->K < HS_CONTROL_NULLS ? w->K : HS_CONTROL_NULLS;
    HS_TRY(hs_property_see(&o->m, &o->m.job.plan, o->m.job.x_T, 0, &o->plain));
    HS_TRY(hs_property_see(&o->m, &o->m.job.plan, o->m.job.x_T, o->strength, &o->edited));
    HS_TRY(o->R > 0 ? hs_homogeneity_transfers(o) : HS_OK);
    HS_TRY(o->K > 0 ? hs_homogeneity_nulls(o) : HS_OK);
    o->Kt = twins;
    HS_TRY(twins > 0 ? hs_property_tables(w->m.n_phi, twins * w->m.n, &o->twins) : HS_OK);
    for (size_t i = 0; i < twins; i++) {
        HS_TRY(see_twin(w, o, kind, i, i, o->twins));
    }
out:
    return rc;
}

/* ---- The common mode ---- */

/* w->removed <- of the deltas less the mean of what the network said before its training, delta over factor (edited):
 * a factor brought that to the norms of the trained one's. */
HS_CHECKED static int remove_common(hs_homogeneity_work *w, const float *delta, const double *factor)
{
    int rc;
    const hs_property_model *m = &w->m;
    size_t d = m->d_h, per = m->edited * d;
    const hs_deltas_source source = hs_property_deltas_source(&w->m);
    float *mean = NULL;
    HS_TRY(hs_alloc(per, sizeof *mean, &mean));
    for (size_t j = 0; j < per; j++) {
        double sum = 0, scale = factor[j / d];
        for (size_t i = 0; i < m->n; i++) {
            sum += (double)delta[i * per + j];
        }
        mean[j] = scale > 0 ? (float)(sum / scale / (double)m->n) : 0;
    }
    HS_TRY(hs_deltas_reduce_without(&source, mean, hs_cmd_progress(w->c), &w->removed));
    w->has_removed = 1;
out:
    free(mean);
    return rc;
}

/* A twin; the other ones are its null, and all of them one of the direction. */
HS_CHECKED static int run_twins(hs_homogeneity_work *w, hs_homogeneity_work *o, hs_control_kind kind)
{
    int rc;
    size_t twins = w->controls.of[kind].n, n = w->m.n;
    float *delta = NULL;
    HS_TRY(hs_property_twin(&w->m, &w->controls.of[kind], kind, 0, &delta, &o->m.job.plan));
    HS_TRY(kind == HS_CONTROL_NET ? remove_common(w, delta, w->controls.of[kind].factor) : HS_OK);
    HS_TRY(hs_property_see(&o->m, &o->m.job.plan, o->m.job.x_T, o->strength, &o->edited));
    HS_TRY(o->R > 0 ? hs_homogeneity_transfers(o) : HS_OK);
    w->Kt = twins;
    o->Kt = twins - 1;
    HS_TRY(hs_property_tables(w->m.n_phi, twins * n, &w->twins));
    HS_TRY(hs_property_tables(w->m.n_phi, twins * n, &o->twins));
    for (size_t i = 1; i < twins; i++) {
        HS_TRY(see_twin(w, w, kind, i, i - 1, o->twins));
    }
    for (size_t p = 0; p < w->m.n_phi; p++) {
        HS_TRY(hs_homogeneity_effects_of(w, p, o->edited.value[p], o->edited.value[p], w->twins[p], NULL));
        memcpy(w->twins[p] + n, o->twins[p], (twins - 1) * n * sizeof(double));
    }
out:
    free(delta);
    return rc;
}

/* Directions with the covariance of h: what they do. */
HS_CHECKED static int run_draws(hs_homogeneity_work *w)
{
    int rc;
    size_t K = w->controls.of[HS_CONTROL_COVARIANCE].n;
    HS_TRY(hs_property_tables(w->m.n_phi, K * w->m.n, &w->draws));
    for (size_t i = 0; i < K; i++) {
        HS_TRY(see_twin(w, w, HS_CONTROL_COVARIANCE, i, i, w->draws));
    }
out:
    return rc;
}

HS_CHECKED static int run_x_T(hs_homogeneity_work *w, hs_homogeneity_work *o)
{
    int rc;
    float *shift = NULL, *x = NULL;
    o->R = 0;
    HS_TRY(hs_control_shift(&w->m.job, w->strength, hs_cmd_seed(w->c), &shift));
    HS_TRY(hs_alloc(w->m.n, hs_chw_size(w->m.job.source.image) * sizeof *x, &x));
    hs_control_shifted(&w->m.job, shift, w->strength, x);
    HS_TRY(hs_property_see(&o->m, &o->m.job.plan, x, 0, &o->edited));
out:
    free(shift);
    free(x);
    return rc;
}

int hs_homogeneity_controls(hs_homogeneity_work *w)
{
    int rc;
    HS_TRY(hs_calloc(HS_CONTROLS, sizeof *w->control, &w->control));
    for (int k = 0; k < HS_CONTROLS; k++) {
        hs_homogeneity_work *o = &w->control[k];
        if (w->controls.of[k].missing[0] != '\0') {
            continue;
        }
        if (k == HS_CONTROL_COVARIANCE) {
            HS_TRY(run_draws(w));
            continue;
        }
        *o = (hs_homogeneity_work){.c = w->c,
                                   .options = w->options,
                                   .m = w->m,
                                   .strength = w->strength,
                                   .natural = w->natural,
                                   .R = w->R,
                                   .K = w->K,
                                   .plain = w->plain};
        HS_TRY(k == HS_CONTROL_UNET  ? run_unet(w, o)
               : k == HS_CONTROL_X_T ? run_x_T(w, o)
                                     : run_twins(w, o, (hs_control_kind)k));
    }
    for (int k = 0; k < HS_CONTROLS; k++) { /* random directions in the same network serve all */
        if (k != HS_CONTROL_UNET) {
            w->control[k].null = w->null;
        }
    }
out:
    return rc;
}

static void twins_free(hs_homogeneity_work *w)
{
    hs_property_tables_free(w->m.n_phi, w->draws);
    hs_property_tables_free(w->m.n_phi, w->twins);
}

void hs_homogeneity_controls_free(hs_homogeneity_work *w)
{
    for (int k = 0; w->control != NULL && k < HS_CONTROLS; k++) {
        hs_homogeneity_work *o = &w->control[k];
        if (k != HS_CONTROL_UNET) {
            o->null = NULL;
        } else if (o->plain.value != w->plain.value) {
            hs_property_seen_free(&w->m, &o->plain);
        }
        twins_free(o);
        hs_homogeneity_run_free(o);
    }
    free(w->control);
    twins_free(w);
    hs_controls_free(&w->controls);
}

const double *hs_homogeneity_twins(const hs_homogeneity_work *w, size_t p, size_t *Kt)
{
    *Kt = w->twins == NULL || (w->control != NULL && w->K == 0) ? 0 : w->Kt;
    return *Kt > 0 ? w->twins[p] : NULL;
}
