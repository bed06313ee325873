/* A step of f_t's training as Asyrp's program makes it, against PyTorch's, in time and memory. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analysis/bench/bench.h"
#include "analysis/train/task_asyrp.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/model/arch_write.h"
#include "core/model/unet_params.h"

enum { STEPS = 2 }; /* timesteps of a trajectory, which is what a round takes; a first one warms up */

static const char *const mode[] = {"eager", "channels_last"};
enum { MODES = sizeof mode / sizeof *mode };
static const double rate = 1e-3, l1 = 2.7;

/* ---- Ours ---- */

typedef struct {
    hs_model model;
    hs_steps steps;
    hs_clip *clip;
    hs_goal goal;
    hs_deltablock *net;
    hs_delta_var *v;
    hs_asyrp_task *task;
    hs_task t;
    size_t n, d;
    float *x_T, *x_0, *along;
    uint64_t k;
} trainee;

static void trainee_free(trainee *s)
{
    hs_asyrp_task_free(s->task);
    hs_delta_free(s->v);
    hs_deltablock_free(s->net);
    hs_goal_free(&s->goal);
    hs_clip_free(s->clip);
    hs_steps_free(&s->steps);
    hs_model_free(&s->model);
    free(s->x_T);
    free(s->x_0);
    free(s->along);
}

/* A network of random weights in a file that is then opened, as a user's is: where it lies decides what it weighs. */
HS_CHECKED static int open_random(const char *arch, const char *folder, hs_model *out)
{
    static const char *const file[] = {"config.json", "diffusion_pytorch_model.safetensors", "scheduler_config.json"};
    char dir[4096], path[4200];
    hs_unet_config cfg = {0};
    hs_unet *u = NULL;
    size_t count;
    int n = snprintf(dir, sizeof dir, "%s/hspace-bench-asyrp-%ld", folder, (long)getpid()), rc = HS_OK;
    if (n < 0 || (size_t)n >= sizeof dir || mkdir(dir, 0700) != 0) {
        return hs_fail_errno(folder, "a folder of its own cannot be made in it");
    }
    HS_TRY(hs_arch_builtin(arch, &cfg));
    HS_TRY(hs_unet_trainable(&cfg, 0, NULL, &u));
    HS_TRY(hs_unet_save(u, hs_unet_theta(u, &count), 0, 0, NULL, dir));
    hs_unet_free(u);
    u = NULL;
    HS_TRY(hs_model_open(dir, NULL, NULL, out));
out:
    hs_unet_free(u);
    hs_unet_config_free(&cfg);
    for (size_t i = 0; i < sizeof file / sizeof *file; i++) { /* mapped files stay until they are closed */
        snprintf(path, sizeof path, "%s/%s", dir, file[i]);
        unlink(path);
    }
    rmdir(dir);
    return rc;
}

HS_CHECKED static int make_images(trainee *s)
{
    int rc = HS_OK;
    HS_TRY(hs_alloc(s->n, s->d * sizeof(float), &s->x_T));
    HS_TRY(hs_alloc(s->n, s->d * sizeof(float), &s->x_0));
    hs_rng_normal((hs_rng){0, HS_RNG_TEST, 0}, 0, s->n * s->d, s->x_T);
    hs_rng_normal((hs_rng){0, HS_RNG_TEST, 1}, 0, s->n * s->d, s->x_0);
    for (size_t i = 0; i < s->n * s->d; i++) {
        s->x_0[i] = fminf(fmaxf(s->x_0[i] / 2, -1), 1);
    }
out:
    return rc;
}

HS_CHECKED static int make(const hs_bench_options *o, const hs_bench_asyrp_case *k, trainee *s)
{
    const int t[STEPS] = {900, 700};
    int rc = HS_OK;
    HS_TRY(k->arch != NULL ? open_random(k->arch, k->folder, &s->model)
                           : hs_model_open(k->model, NULL, NULL, &s->model));
    HS_TRY(hs_clip_random(k->clip, 1, &s->clip));
    const hs_unet_config *cfg = hs_unet_config_of(s->model.unet);
    size_t P = k->clip->projection, width = hs_unet_h_shape(cfg).c;
    s->n = k->batch;
    s->d = hs_chw_size(hs_unet_image_shape(cfg));
    HS_TRY(hs_steps_from_list(&s->model.schedule, STEPS, t, &s->steps));
    HS_TRY(make_images(s));
    HS_TRY(hs_alloc(P, sizeof *s->along, &s->along));
    hs_rng_normal((hs_rng){0, HS_RNG_TEST, 2}, 0, P, s->along);
    HS_TRY(hs_goal_clip_along(s->clip, hs_unet_image_shape(cfg), s->along, HS_CLIP_UNIT, 1, s->n, "", &s->goal));
    HS_TRY(hs_deltablock_random(width, width, cfg->temb_dim, 0, 0, &s->net));
    const hs_delta_spec spec = {.kind = HS_DELTA_NET, .n = s->n, .S = STEPS, .batch = s->n, .net = s->net};
    HS_TRY(hs_delta_create(cfg, &spec, &s->v));
    const hs_asyrp_task_options task = {.against = HS_AGAINST_IMAGE, .weight = 1, .l1 = l1, .conv = o->conv};
    HS_TRY(hs_asyrp_task_create(s->model.unet, &s->steps, s->v, &s->goal, s->x_T, s->x_0, &task, "", ".", &s->task));
    s->t = hs_asyrp_task_of(s->task);
out:
    return rc;
}

/* *seconds <- a timestep's update, of a whole trajectory. */
HS_CHECKED static int time_updates(trainee *s, double *seconds)
{
    int rc = HS_OK;
    double t0 = hs_clock(), loss;
    for (size_t i = 0; i < STEPS; i++) {
        s->k++;
        memset(s->t.grad, 0, s->t.n * sizeof *s->t.grad);
        HS_TRY(s->t.loss(s->t.ctx, s->k, &loss));
        if (!isfinite(loss)) {
            rc = hs_fail(HS_EDEGENERATE, "bench: the loss of update %llu is %g", (unsigned long long)s->k, loss);
            goto out;
        }
        hs_sgd_step(rate, s->t.n, 1, s->t.grad, s->t.theta);
    }
    *seconds = (hs_clock() - t0) / STEPS;
out:
    return rc;
}

/* ---- Theirs ---- */

typedef struct {
    hs_peer *peer[MODES];
    int ok[MODES];
    double peak[MODES];
    json_t *config; /* of diffusers */
} peers;

static void peers_free(peers *p)
{
    for (size_t k = 0; k < MODES; k++) {
        hs_peer_stop(p->peer[k]);
    }
    json_decref(p->config);
}

HS_CHECKED static int peers_start(const hs_bench_options *o, const trainee *s, peers *p)
{
    hs_str config = {0}, scheduler = {0};
    int rc = HS_OK;
    HS_TRY(hs_arch_write_diffusers(hs_unet_config_of(s->model.unet), &config, &scheduler));
    p->config = json_loads(config.s, 0, NULL);
    for (size_t k = 0; k < MODES; k++) {
        p->ok[k] = o->python != NULL;
    }
out:
    hs_str_free(&config);
    hs_str_free(&scheduler);
    return rc;
}

static json_t *request(const trainee *s, const peers *p, size_t k)
{
    const hs_clip_config *c = hs_clip_config_of(s->clip);
    json_t *vit = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "size", (json_int_t)c->image_size, "patch",
                            (json_int_t)c->patch_size, "hidden", (json_int_t)c->vision.hidden, "layers",
                            (json_int_t)c->vision.layers, "heads", (json_int_t)c->vision.heads, "mlp",
                            (json_int_t)c->vision.mlp, "projection", (json_int_t)c->projection);
    json_t *t = json_array();
    for (size_t i = 0; i < STEPS; i++) {
        json_array_append_new(t, json_integer(s->steps.step[i].t));
    }
    return json_pack("{s:s, s:O, s:o, s:I, s:s, s:o, s:f, s:f}", "cmd", "asyrp", "config", p->config, "vit", vit,
                     "batch", (json_int_t)s->n, "mode", mode[k], "t", t, "rate", rate, "l1", l1);
}

/* *seconds <- a timestep's update of mode k; a peer that fails is left out from then on.  Each lives in a process of
 * its own, and with networks of this size only while it is asked. */
HS_CHECKED static int ask(const hs_bench_options *o, peers *p, size_t k, const trainee *s, int keep, double *seconds)
{
    json_t *answer = NULL;
    int rc = HS_OK;
    if (p->peer[k] == NULL) {
        HS_TRY(hs_peer_start(o->python, o->script, o->threads, &p->peer[k]));
    }
    if (hs_peer_ask_all(p->peer[k], request(s, p, k), &answer) != HS_OK) {
        hs_log(HS_LOG_WARNING, "%s: %s", mode[k], hs_error_message());
        p->ok[k] = 0;
        goto out;
    }
    size_t count = (size_t)json_integer_value(json_object_get(answer, "parameters"));
    if (count != hs_unet_parameters(s->model.unet) + s->t.n) {
        rc = hs_fail(HS_EIO, "bench: the peer's U-Net and f_t have %zu parameters, ours %zu", count,
                     hs_unet_parameters(s->model.unet) + s->t.n);
        goto out;
    }
    *seconds = json_number_value(json_object_get(answer, "seconds"));
    p->peak[k] = json_number_value(json_object_get(answer, "peak_rss"));
out:
    json_decref(answer);
    if (!keep) {
        hs_peer_stop(p->peer[k]);
        p->peer[k] = NULL;
    }
    return rc;
}

/* ---- Together ---- */

HS_CHECKED static int rounds(const hs_bench_options *o, const hs_bench_asyrp_case *c, trainee *s, peers *p,
                             double *ours, double *theirs)
{
    double warm;
    int rc = HS_OK;
    HS_TRY(time_updates(s, &warm));
    for (size_t r = 0; r < o->rounds; r++) {
        HS_TRY(hs_progress_tell(o->progress, "asyrp", r, o->rounds));
        HS_TRY(time_updates(s, &ours[r]));
        for (size_t k = 0; k < MODES; k++) {
            if (p->ok[k]) {
                HS_TRY(ask(o, p, k, s, c->arch == NULL, &theirs[k * o->rounds + r]));
            }
        }
    }
out:
    return rc;
}

HS_CHECKED static int report(const hs_bench_asyrp_case *c, const trainee *s, const peers *p, double seconds,
                             json_t *medians, double ratio, double peak, json_t **out)
{
    json_t *bytes = json_object();
    for (size_t k = 0; k < MODES; k++) {
        json_object_set_new(bytes, mode[k], p->ok[k] ? json_real(p->peak[k]) : json_null());
    }
    *out = json_pack("{s:s, s:s, s:s, s:I, s:I, s:f, s:O, s:o, s:f, s:o}", "work",
                     c->arch != NULL ? "asyrp256" : "asyrp", "model", c->name, "clip", c->clip_name, "batch",
                     (json_int_t)s->n, "parameters", (json_int_t)s->t.n, "seconds", seconds, "peers", medians, "ratio",
                     hs_bench_number(ratio), "peak_rss_bytes", peak, "peers_rss_bytes", bytes);
    return *out != NULL ? HS_OK : hs_fail(HS_ENOMEM, "bench: out of memory");
}

int hs_bench_asyrp(const hs_bench_options *o, const hs_bench_asyrp_case *c, json_t **out)
{
    int rc = HS_OK;
    trainee s = {0};
    peers p = {0};
    double *ours = NULL, *theirs = NULL, ratio = NAN;
    json_t *medians = json_object();
    (void)hs_bench_reset_rss();
    HS_TRY(hs_alloc(o->rounds, sizeof *ours, &ours));
    HS_TRY(hs_calloc(MODES * o->rounds, sizeof *theirs, &theirs));
    HS_TRY(make(o, c, &s));
    HS_TRY(peers_start(o, &s, &p));
    HS_TRY(rounds(o, c, &s, &p, ours, theirs));
    double peak = hs_bench_peak_rss();
    HS_TRY(hs_bench_compare(o->rounds, ours, MODES, mode, theirs, p.ok, medians, &ratio));
    HS_TRY(report(c, &s, &p, hs_bench_median(o->rounds, ours), medians, ratio, peak, out));
out:
    peers_free(&p);
    trainee_free(&s);
    json_decref(medians);
    free(ours);
    free(theirs);
    return rc;
}
