/* hspace direction jacobian: singular directions of the network's derivatives. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/common.h"
#include "analysis/directions/dir_jacobian.h"
#include "core/base/alloc.h"

static const hs_opt options[] = {
    {"map", 0, HS_OPT_STR, "eps/h", 0, 0, "eps/h|x0/h|h/x", "MAP", "Statistics",
     "derivative of eps or x0hat in h, skips fixed, or of h in x_t"},
    {"count", 'k', HS_OPT_INT, "5", 1, 10000, NULL, "K", "Statistics", "number of triplets a timestep: sv0, sv1, ..."},
    {"t", 0, HS_OPT_GRID, NULL, 0, 0x1p30, NULL, "T1,T2,...", "Statistics",
     "timesteps; between two of the sampler's: one step from the one above"},
    {"mask", 0, HS_OPT_GRID, NULL, 0, 0x1p30, NULL, "X0,Y0,X1,Y1", "Statistics",
     "eps/h, x0/h: only what happens to pixels X0 <= x < X1, Y0 <= y < Y1"},
    {"tol", 0, HS_OPT_NUM, "1e-3", 1e-7, 1e-1, NULL, "X", "Statistics",
     "residuals |Jv - su| / s1 and |J'u - sv| / s1 each triplet must reach"},
    {0}};
static const hs_opt *const tables[] = {hs_opts_model, hs_opts_source, hs_opts_steps, options, NULL};

typedef struct {
    hs_model model;
    hs_steps steps;
    hs_source source;
    size_t S;
    int *t;
    hs_jacobian_options o;
    float *x_T, *x; /* (n, d_x), (S, n, d_x) */
    hs_jacobian found;
} job;

static void job_free(job *j)
{
    hs_jacobian_free(&j->found);
    free(j->x_T);
    free(j->x);
    free(j->t);
    hs_source_free(&j->source);
    hs_steps_free(&j->steps);
    hs_model_free(&j->model);
}

/* Falling, as a direction's timesteps are. */
static int compare(const void *a, const void *b)
{
    return *(const int *)b - *(const int *)a;
}

HS_CHECKED static int read_times(hs_cmd *c, job *j)
{
    int rc = HS_OK;
    const double *t;
    HS_TRY(hs_cmd_need(c, "t"));
    j->S = hs_cmd_grid(c, "t", &t);
    HS_TRY(hs_alloc(j->S, sizeof *j->t, &j->t));
    for (size_t k = 0; k < j->S; k++) {
        if (t[k] != floor(t[k]) || t[k] >= (double)j->model.schedule.T) {
            HS_TRY(hs_fail(HS_ERANGE, "--t: %.17g; wanted whole numbers from 0 to %zu", t[k], j->model.schedule.T - 1));
        }
        j->t[k] = (int)t[k];
    }
    qsort(j->t, j->S, sizeof *j->t, compare);
out:
    return rc;
}

HS_CHECKED static int read_options(hs_cmd *c, job *j)
{
    static const char *const map[] = {"eps/h", "x0/h", "h/x"};
    const double *box;
    size_t n = hs_cmd_grid(c, "mask", &box);
    j->o = (hs_jacobian_options){.k = (size_t)hs_cmd_int(c, "count"),
                                 .tol = hs_cmd_num(c, "tol"),
                                 .rows = (size_t)hs_cmd_int(c, "batch"),
                                 .conv = hs_common_conv(c),
                                 .seed = hs_cmd_seed(c),
                                 .progress = hs_cmd_progress(c)};
    while (strcmp(map[j->o.map], hs_cmd_str(c, "map")) != 0) {
        j->o.map++;
    }
    if (n != 0 && n != 4) {
        return hs_fail(HS_ERANGE, "--mask: %zu numbers; wanted X0,Y0,X1,Y1", n);
    }
    for (size_t i = 0; i < n; i++) {
        if (box[i] != floor(box[i])) {
            return hs_fail(HS_ERANGE, "--mask: %.17g; wanted whole pixels", box[i]);
        }
        j->o.box[i] = (size_t)box[i];
    }
    if (n == 4 && j->o.box[2] + j->o.box[3] == 0) {
        return hs_fail(HS_ERANGE, "--mask: an empty rectangle; wanted X0 < X1 and Y0 < Y1");
    }
    return HS_OK;
}

HS_CHECKED static int open_job(hs_cmd *c, job *j)
{
    int rc = HS_OK;
    HS_TRY(hs_cmd_need_out(c));
    HS_TRY(hs_cmd_check_file(c, hs_cmd_out(c)));
    HS_TRY(hs_common_model(c, &j->model));
    HS_TRY(hs_common_steps(c, &j->model.schedule, &j->steps));
    HS_TRY(read_times(c, j));
    HS_TRY(read_options(c, j));
    HS_TRY(hs_source_open(c, &j->model, &j->steps, &j->source));
out:
    return rc;
}

/* Products of a few sweeps: how many it takes is known afterwards. */
HS_CHECKED static int say_plan(hs_cmd *c, const job *j)
{
    enum { SWEEPS = 5 };
    double seconds, n = (double)j->source.n, batch = (double)hs_common_batch(c, j->source.n);
    double products = 2.0 * SWEEPS * (double)(j->o.k + HS_SVDS_OPTIONS.oversample) * n * (double)j->S;
    double visited = 0;
    const hs_unet_config *cfg = hs_unet_config_of(j->model.unet);
    int rc = hs_common_forward_time(c, &j->model, hs_common_batch(c, j->source.n), &seconds);
    if (rc != HS_OK) {
        return rc;
    }
    for (size_t k = 0; k < j->steps.S; k++) {
        visited += j->steps.step[k].t >= j->t[j->S - 1];
    }
    double evaluations = visited * n + products;
    double cells = (double)j->o.k * (double)j->S * sizeof(float);
    hs_common_say_plan(c, evaluations, seconds * evaluations / batch,
                       cells * (double)hs_chw_size(hs_unet_h_shape(cfg)) +
                           cells * n * (double)hs_chw_size(j->source.image));
    return HS_OK;
}

HS_CHECKED static int compute(job *j)
{
    int rc;
    size_t n = j->source.n, d = hs_chw_size(j->source.image), rows;
    HS_TRY(hs_size_mul(n, j->S, &rows));
    HS_TRY(hs_alloc(n, d * sizeof *j->x_T, &j->x_T));
    HS_TRY(hs_alloc(rows, d * sizeof *j->x, &j->x));
    HS_TRY(hs_source_x_T(&j->source, 0, n, j->x_T));
    HS_TRY(hs_jacobian_states(&j->model, j->o.conv, &j->steps, j->source.batch, n, j->x_T, j->S, j->t, j->o.progress,
                              j->x));
    HS_TRY(hs_jacobian_directions(&j->model, &j->o, j->S, j->t, n, j->x, &j->found));
out:
    return rc;
}

/* ---- Out ---- */

HS_CHECKED static int put_statistics(const job *j, hs_result *r)
{
    int rc = HS_OK;
    const hs_jacobian *f = &j->found;
    const hs_chw s = j->source.image;
    const size_t cells[2] = {f->k, f->S}, image[6] = {f->k, f->S, f->n, s.c, s.h, s.w};
    int64_t *count = NULL;
    HS_TRY(hs_alloc(f->S, 3 * sizeof *count, &count));
    for (size_t k = 0; k < f->S; k++) {
        count[k] = (int64_t)f->counts[k].applied;
        count[f->S + k] = (int64_t)f->counts[k].adjoint;
        count[2 * f->S + k] = (int64_t)f->counts[k].sweeps;
    }
    HS_TRY(hs_result_put_f64(r, "sigma", "direction,timestep", 2, cells, f->sigma));
    HS_TRY(hs_result_put_f64(r, "residual_jv", "direction,timestep", 2, cells, f->residual[0]));
    HS_TRY(hs_result_put_f64(r, "residual_jtu", "direction,timestep", 2, cells, f->residual[1]));
    HS_TRY(hs_result_put_f64(r, "h_norm", "timestep", 1, &f->S, f->h_norm));
    HS_TRY(hs_result_put_i64(r, "products", "timestep", 1, &f->S, count));
    HS_TRY(hs_result_put_i64(r, "products_transposed", "timestep", 1, &f->S, count + f->S));
    HS_TRY(hs_result_put_i64(r, "sweeps", "timestep", 1, &f->S, count + 2 * f->S));
    HS_TRY(hs_result_put_f32(r, "x_vector", "direction,timestep,sample,image_channel,image_y,image_x", 6, image, f->x));
    HS_TRY(hs_result_attr_str(r, "x_vector", "long_name",
                              "the singular vector on the image's side, of length 1 over all samples"));
out:
    free(count);
    return rc;
}

HS_CHECKED static int write_file(hs_cmd *c, const job *j)
{
    int rc;
    const hs_jacobian *f = &j->found;
    char(*text)[24] = NULL;
    const char **name = NULL;
    hs_result *r = NULL;
    HS_TRY(hs_alloc(f->k, sizeof *text, &text));
    HS_TRY(hs_alloc(f->k, sizeof *name, &name));
    for (size_t i = 0; i < f->k; i++) {
        snprintf(text[i], sizeof text[i], "sv%zu", i);
        name[i] = text[i];
    }
    const hs_direction_set set = {.method = "jacobian",
                                  .tap = "mid_block.out",
                                  .model_sha256 = j->model.sha256,
                                  .shape = hs_unet_h_shape(hs_unet_config_of(j->model.unet)),
                                  .n = f->k,
                                  .name = name,
                                  .S = f->S,
                                  .t = j->t};
    HS_TRY(hs_result_create(hs_cmd_out(c), "directions", hs_cmd_force(c), &r));
    HS_TRY(hs_common_provenance(c, r));
    HS_TRY(hs_direction_put(r, &set));
    HS_TRY(hs_result_put_rows(r, "delta_h", 0, f->k, f->dh));
    HS_TRY(put_statistics(j, r));
    HS_TRY(hs_result_attr_str(r, NULL, "map", hs_cmd_str(c, "map")));
    HS_TRY(hs_result_attr_i64(r, NULL, "n", (int64_t)f->n));
    HS_TRY(hs_result_commit(r));
out:
    hs_result_free(r);
    free(text);
    free(name);
    return rc;
}

/* Column s of (k, S) numbers. */
static json_t *column(const hs_jacobian *f, const double *v, size_t s)
{
    json_t *a = json_array();
    for (size_t j = 0; j < f->k; j++) {
        json_array_append_new(a, hs_json_num(v[j * f->S + s]));
    }
    return a;
}

static void answer(hs_cmd *c, const job *j)
{
    const hs_jacobian *f = &j->found;
    json_t *list = json_array();
    for (size_t s = 0; s < f->S; s++) {
        const hs_svds_counts *n = &f->counts[s];
        json_array_append_new(list, json_pack("{s:i, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:o}", "t", j->t[s], "sigma",
                                              column(f, f->sigma, s), "residual_jv", column(f, f->residual[0], s),
                                              "residual_jtu", column(f, f->residual[1], s), "residual",
                                              hs_json_num(n->worst), "products", (json_int_t)n->applied,
                                              "products_transposed", (json_int_t)n->adjoint, "sweeps",
                                              (json_int_t)n->sweeps, "h_norm", hs_json_num(f->h_norm[s])));
        hs_cmd_say(c, "t = %4d  s1 %-9.4g s%zu %-9.4g |h| %-8.4g residual <= %.1e after %zu + %zu products\n", j->t[s],
                   f->sigma[s], f->k, f->sigma[(f->k - 1) * f->S + s], f->h_norm[s], n->worst, n->applied, n->adjoint);
    }
    json_object_set_new(hs_cmd_results(c), "map", json_string(hs_cmd_str(c, "map")));
    json_object_set_new(hs_cmd_results(c), "n", json_integer((json_int_t)f->n));
    json_object_set_new(hs_cmd_results(c), "steps", list);
}

static int run(hs_cmd *c)
{
    int rc;
    job j = {0};
    HS_TRY(open_job(c, &j));
    if (hs_cmd_dry_run(c)) {
        HS_TRY(say_plan(c, &j));
        goto out;
    }
    HS_TRY(compute(&j));
    HS_TRY(hs_cmd_out(c) != NULL ? write_file(c, &j) : HS_OK);
    answer(c, &j);
out:
    job_free(&j);
    return rc;
}

const hs_command hs_cmd_direction_jacobian = {
    .name = "direction jacobian",
    .usage = "--model M [--map eps/h|x0/h|h/x] [-k K] --t T1,T2,... (-N n | --images PATH... | --x-T X.npy) -o D.h5",
    .purpose = "Singular directions of the network's derivatives: unit vectors of h that change eps or x0hat most, or "
               "that x_t moves most (with their pullbacks to the image); of several samples, for their mean metric.",
    .examples = "hspace direction jacobian --model faces-a --map eps/h -k 5 --t 700,500,300 -N 1 -o jacobian.h5\n"
                "hspace direction jacobian --model faces-a --map x0/h --mask 8,18,24,28 --t 500 -N 8 -o mouth.h5\n"
                "hspace direction jacobian --model faces-a --map h/x -k 3 --t 600 --images face.png -o pullback.h5\n"
                "hspace sweep --model faces-a --direction jacobian.h5:sv0 --strengths -8:8:4 -N 4 -o sweep.h5",
    .options = tables,
    .run = run,
};
