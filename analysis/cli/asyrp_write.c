/* The files that `direction asyrp` leaves. */
#include <stdlib.h>

#include "analysis/cli/asyrp.h"
#include "analysis/directions/direction.h"
#include "analysis/sweep/freeze.h"
#include "core/base/alloc.h"

static hs_space space_of(const hs_asyrp_job *j)
{
    return j->o.eps ? HS_SPACE_EPS : HS_SPACE_H;
}

/* Timesteps of the edited steps, as ints and as the file has them. */
HS_CHECKED static int edited_times(const hs_asyrp_job *j, int **t, int64_t **wide)
{
    size_t S = hs_delta_spec_of(j->v)->S;
    int rc = HS_OK;
    HS_TRY(hs_alloc(S, sizeof **t, t));
    HS_TRY(hs_alloc(S, sizeof **wide, wide));
    for (size_t k = 0; k < S; k++) {
        (*t)[k] = j->steps.step[k].t;
        (*wide)[k] = (*t)[k];
    }
out:
    return rc;
}

/* The published weights. */
HS_CHECKED static int put_network(const hs_asyrp_job *j, hs_result *r)
{
    char path[HS_TRAIN_PATH];
    hs_tensors *ts = NULL;
    size_t count;
    int rc = HS_OK;
    HS_TRY(hs_train_path(j->folder, "f_t.safetensors", path));
    HS_TRY(hs_safetensors_open(path, &ts));
    HS_TRY(hs_direction_put_networks(r, ts, j->name, "asyrp", j->model.sha256, &count));
    HS_TRY(hs_direction_put_space(r, space_of(j)));
out:
    hs_tensors_free(ts);
    return rc;
}

HS_CHECKED static int put_shared(const hs_asyrp_job *j, hs_result *r)
{
    const char *name = j->name;
    size_t S = hs_delta_spec_of(j->v)->S;
    int *t = NULL, rc = HS_OK;
    int64_t *wide = NULL;
    float *delta = NULL;
    HS_TRY(edited_times(j, &t, &wide));
    const hs_direction_set set = {.method = "asyrp",
                                  .tap = "",
                                  .model_sha256 = j->model.sha256,
                                  .space = space_of(j),
                                  .shape = hs_delta_shape(j->v),
                                  .n = 1,
                                  .name = &name,
                                  .S = S,
                                  .t = t};
    HS_TRY(hs_alloc(S, hs_chw_size(set.shape) * sizeof *delta, &delta));
    hs_delta_of_image(j->v, 0, delta);
    HS_TRY(hs_direction_put(r, &set));
    HS_TRY(hs_result_put_rows(r, hs_direction_array(set.space), 0, 1, delta));
out:
    free(t);
    free(wide);
    free(delta);
    return rc;
}

/* The means of what has been summed, as three directions. */
HS_CHECKED static int put_means(const hs_asyrp_job *j, const hs_freeze_mean *sum, const int *t, hs_result *r)
{
    static const char *const names[] = {"mean", "global", "global_unit"};
    const hs_chw shape = hs_delta_shape(j->v);
    float *mean = NULL, *global = NULL;
    double *norm = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(sum->S, sum->d * sizeof *mean, &mean));
    HS_TRY(hs_alloc(2, sum->d * sizeof *global, &global));
    HS_TRY(hs_alloc(2, sum->S * sizeof *norm, &norm));
    HS_TRY(hs_freeze_mean_finish(sum, mean, global, global + sum->d, norm, norm + sum->S));
    HS_TRY(hs_result_put_strings(r, "direction", "direction", 3, names));
    HS_TRY(hs_direction_put_named(r, space_of(j), names[0], shape, sum->S, t, HS_MATCH_LINEAR, mean));
    HS_TRY(hs_direction_put_named(r, space_of(j), names[1], shape, 0, NULL, HS_MATCH_LINEAR, global));
    HS_TRY(hs_direction_put_named(r, space_of(j), names[2], shape, 0, NULL, HS_MATCH_LINEAR, global + sum->d));
    HS_TRY(hs_result_put_f64(r, "norm", "timestep", 1, &sum->S, norm));
    HS_TRY(hs_result_put_f64(r, "norm_of_mean", "timestep", 1, &sum->S, norm + sum->S));
out:
    free(mean);
    free(global);
    free(norm);
    return rc;
}

HS_CHECKED static int put_free(const hs_asyrp_job *j, hs_result *r)
{
    const hs_chw shape = hs_delta_shape(j->v);
    const hs_delta_spec *spec = hs_delta_spec_of(j->v);
    const char *array = hs_direction_array(space_of(j));
    size_t n = spec->n, S = spec->S, d = hs_chw_size(shape);
    const size_t dim[5] = {n, S, shape.c, shape.h, shape.w};
    int *t = NULL, rc = HS_OK;
    int64_t *wide = NULL;
    float *delta = NULL;
    hs_freeze_mean sum = {0};
    HS_TRY(edited_times(j, &t, &wide));
    HS_TRY(hs_freeze_mean_create(S, d, &sum));
    HS_TRY(hs_alloc(S, d * sizeof *delta, &delta));
    HS_TRY(hs_result_put_i64(r, "timestep", "timestep", 1, &S, wide));
    HS_TRY(hs_result_define_f32(r, array, "sample,timestep,channel,y,x", 5, dim));
    for (size_t i = 0; i < n; i++) {
        hs_delta_of_image(j->v, i, delta);
        hs_freeze_mean_add(&sum, 1, delta);
        HS_TRY(hs_result_put_rows(r, array, i, 1, delta));
    }
    HS_TRY(put_means(j, &sum, t, r));
    HS_TRY(hs_direction_put_space(r, space_of(j)));
    HS_TRY(hs_direction_put_origin(r, "asyrp", "", j->model.sha256));
out:
    hs_freeze_mean_free(&sum);
    free(t);
    free(wide);
    free(delta);
    return rc;
}

int hs_asyrp_write(hs_cmd *c, const hs_asyrp_job *j)
{
    const char *kind = j->o.kind == HS_DELTA_FREE ? "deltas" : "directions";
    hs_result *r = NULL;
    int rc = HS_OK;
    HS_TRY(hs_result_create(hs_cmd_out(c), kind, hs_cmd_force(c), &r));
    HS_TRY(hs_common_provenance(c, r));
    HS_TRY(j->o.kind == HS_DELTA_NET    ? put_network(j, r)
           : j->o.kind == HS_DELTA_FREE ? put_free(j, r)
                                        : put_shared(j, r));
    HS_TRY(hs_result_attr_i64(r, NULL, "t_edit", j->t_edit));
    HS_TRY(hs_result_attr_i64(r, NULL, "found_steps", (int64_t)j->steps.S));
    HS_TRY(hs_result_attr_str(r, NULL, "training", j->about.s));
    HS_TRY(hs_result_commit(r));
out:
    hs_result_free(r);
    return rc;
}
