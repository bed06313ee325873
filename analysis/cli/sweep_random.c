/* Random directions beside a sweep's own: of one its length at every step, of several their lengths and angles. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/sweep_beside.h"
#include "analysis/directions/dir_random.h"
#include "analysis/sweep/freeze.h"
#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/linalg/blas.h"

/* What random ones are like. */
typedef struct {
    const hs_direction *one; /* T 1: a stored direction, */
    hs_direction network;    /* or what stands for a network */
    size_t T, S;
    int *t;       /* (S) the edited steps, */
    double *gram; /* (S, T, T) lengths and angles at each */
} likeness;

static void likeness_free(likeness *l)
{
    hs_direction_free(&l->network);
    free(l->t);
    free(l->gram);
}

/* like <- a stored direction of the norms that random ones shall have, for a network in place of it; freed by
 * hs_direction_free. */
HS_CHECKED static int stand_in(const hs_sweep_file *f, const hs_edit_plan *plan, hs_direction *like)
{
    int rc;
    const hs_direction *of = &f->job->dir[0];
    const hs_steps *steps = plan->steps;
    double *norm = NULL;
    *like = (hs_direction){.space = of->space, .S = steps->S, .match = HS_MATCH_LINEAR};
    like->shape = hs_unet_h_shape(hs_unet_config_of(f->job->model.unet));
    size_t d = hs_chw_size(like->shape);
    HS_TRY(hs_strdup(of->file, &like->file));
    HS_TRY(hs_strdup(of->name, &like->name));
    HS_TRY(hs_strdup(of->model_sha256, &like->model_sha256));
    HS_TRY(hs_strdup(of->tap, &like->tap));
    HS_TRY(hs_calloc(steps->S, sizeof *norm, &norm));
    HS_TRY(hs_alloc(steps->S, sizeof *like->t, &like->t));
    HS_TRY(hs_calloc(steps->S, d * sizeof *like->dh, &like->dh));
    HS_TRY(hs_network_norms(plan, f->sweep.n, f->job->x_T, norm));
    for (size_t k = 0; k < steps->S; k++) {
        like->t[k] = steps->step[k].t;
        like->dh[k * d] = (float)norm[k];
    }
out:
    free(norm);
    return rc;
}

HS_CHECKED static int add_deltas(void *ctx, size_t first, size_t count, const float *delta)
{
    (void)first;
    hs_freeze_mean_add(ctx, count, delta);
    return HS_OK;
}

/* mean <- direction i of the job at every edited step: the stored one, or what the network says on the images. */
HS_CHECKED static int mean_of(const hs_sweep_file *f, const hs_edit_plan *of, size_t i, size_t S, size_t d,
                              hs_freeze_mean *mean)
{
    int rc;
    const hs_direction *dir = &f->job->dir[i];
    hs_edit_plan plan = *of;
    float *dh = NULL;
    plan.dir = dir;
    HS_TRY(hs_freeze_mean_create(S, d, mean));
    if (dir->net != NULL) {
        return hs_freeze_along(&plan, f->sweep.n, f->job->x_T, add_deltas, mean);
    }
    HS_TRY(hs_alloc(S, d * sizeof *dh, &dh));
    for (size_t k = 0; k < S; k++) {
        hs_direction_at(dir, of->steps->step[k].t, dh + k * d);
    }
    hs_freeze_mean_add(mean, 1, dh);
out:
    free(dh);
    return rc;
}

/* gram (S, T, T) <- of mean lengths, and the angles between the means. */
static void fill_gram(size_t T, size_t S, size_t d, const hs_freeze_mean *mean, double *gram)
{
    for (size_t k = 0; k < S; k++) {
        for (size_t i = 0; i < T * T; i++) {
            const hs_freeze_mean *a = &mean[i / T], *b = &mean[i % T];
            const double *u = a->sum + k * d, *v = b->sum + k * d;
            double norms = hs_nrm2_f64(d, u) * hs_nrm2_f64(d, v), cosine = i / T == i % T ? 1 : 0;
            if (a != b && norms > 0) {
                cosine = hs_dot_f64(d, u, v) / norms;
            }
            gram[k * T * T + i] = cosine * a->norm[k] / (double)a->n * b->norm[k] / (double)b->n;
        }
    }
}

HS_CHECKED static int likeness_of_set(const hs_sweep_file *f, const hs_edit_plan *of, likeness *l)
{
    int rc;
    const hs_unet_config *cfg = hs_unet_config_of(f->job->model.unet);
    hs_direction *like = &l->network;
    hs_freeze_mean *mean = NULL;
    size_t T = f->job->n_dir;
    l->T = T;
    l->S = hs_edit_plan_edited(of);
    like->space = f->job->dir[0].space;
    like->shape = like->space == HS_SPACE_H ? hs_unet_h_shape(cfg) : hs_unet_image_shape(cfg);
    size_t d = hs_chw_size(like->shape);
    HS_TRY(hs_strdup(f->job->dir[0].model_sha256, &like->model_sha256));
    HS_TRY(hs_strdup(f->job->dir[0].tap, &like->tap));
    HS_TRY(hs_calloc(T, sizeof *mean, &mean));
    HS_TRY(hs_alloc(l->S, sizeof *l->t, &l->t));
    HS_TRY(hs_alloc(l->S, T * T * sizeof *l->gram, &l->gram));
    for (size_t k = 0; k < l->S; k++) {
        l->t[k] = of->steps->step[k].t;
    }
    for (size_t i = 0; i < T; i++) {
        HS_TRY(mean_of(f, of, i, l->S, d, &mean[i]));
    }
    fill_gram(T, l->S, d, mean, l->gram);
out:
    for (size_t i = 0; mean != NULL && i < T; i++) {
        hs_freeze_mean_free(&mean[i]);
    }
    free(mean);
    return rc;
}

HS_CHECKED static int likeness_of(const hs_sweep_file *f, const hs_edit_plan *of, likeness *l)
{
    if (f->job->n_dir > 1) {
        return likeness_of_set(f, of, l);
    }
    l->T = 1;
    l->one = f->job->dir[0].net != NULL ? &l->network : &f->job->dir[0];
    return f->job->dir[0].net != NULL ? stand_in(f, of, &l->network) : HS_OK;
}

/* set (T) <- number k. */
HS_CHECKED static int draw(const likeness *l, uint64_t seed, size_t k, hs_direction *set)
{
    return l->one != NULL ? hs_direction_random(l->one, NULL, seed, k, set)
                          : hs_direction_random_set(&l->network, l->T, l->S, l->t, l->gram, seed, k, set);
}

/* Random set k: at the ends, and for terms each of it alone. */
HS_CHECKED static int run_set(const hs_sweep_file *f, const hs_sweep *own, const hs_edit_plan *plan, size_t k,
                              double *const *null, hs_line_terms *terms)
{
    int rc;
    hs_sweep seen = {0};
    HS_TRY(hs_sweep_run_ends(f, own, *plan, k, null, terms != NULL ? &seen : NULL));
    HS_TRY(terms != NULL ? hs_sweep_add_random_terms(f, plan, &seen, k, terms) : HS_OK);
out:
    hs_sweep_free(&seen);
    return rc;
}

int hs_sweep_run_random(const hs_sweep_file *f, const hs_sweep *own, const hs_edit_plan *of, size_t K, uint64_t seed,
                        double *const *null, hs_line_terms *terms)
{
    int rc;
    likeness l = {0};
    hs_direction *set = NULL;
    hs_edit_plan plan = *of;
    HS_TRY(hs_calloc(f->job->n_dir, sizeof *set, &set));
    HS_TRY(likeness_of(f, of, &l));
    plan.dir = set;
    plan.n_dir = l.T;
    for (size_t k = 0; k < K; k++) {
        HS_TRY(draw(&l, seed, k, set));
        HS_TRY(run_set(f, own, &plan, k, null, terms));
        for (size_t i = 0; i < l.T; i++) {
            hs_direction_free(&set[i]);
        }
    }
out:
    for (size_t i = 0; set != NULL && i < f->job->n_dir; i++) {
        hs_direction_free(&set[i]);
    }
    free(set);
    likeness_free(&l);
    return rc;
}

int hs_sweep_check_set(const hs_edit_job *job)
{
    for (size_t i = 0; i < job->n_dir && job->n_dir > 1; i++) {
        const hs_direction *d = &job->dir[i];
        if (d->space != job->dir[0].space || (d->space == HS_SPACE_EPS && d->net != NULL)) {
            return hs_fail(HS_ERANGE, "--direction %.200s:%.60s: %s; several are all of h, or all stored ones of eps",
                           d->file, d->name,
                           d->space == HS_SPACE_H ? "of h"
                           : d->net != NULL       ? "a network of eps"
                                                  : "of eps");
        }
    }
    return HS_OK;
}
