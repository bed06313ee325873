#include "analysis/cli/verify_cost.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/robustness.h"
#include "analysis/cli/shipped.h"
#include "analysis/cli/work.h"
#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/rng.h"

/* Enough passes that one slow one among them is not what is measured. */
enum { LEAST_PASSES = 3, MOST_PASSES = 40, COMMAND_RUNS = 2 };
#define TIMED_SECONDS  2.0
#define FIGURE_SECONDS 0.3 /* of the report, a command */

void hs_verify_cost_free(hs_verify_cost *v)
{
    hs_scorer_free(v->scorer);
    hs_model_free(&v->model);
    memset(v, 0, sizeof *v);
}

void hs_verify_time(double seconds, char out[32])
{
    if (seconds >= 3600) {
        snprintf(out, 32, "%.0f h %.0f min", floor(seconds / 3600), floor(fmod(seconds, 3600) / 60));
    } else if (seconds >= 60) {
        snprintf(out, 32, "%.0f min %.0f s", floor(seconds / 60), floor(fmod(seconds, 60)));
    } else {
        snprintf(out, 32, "%.2g s", seconds);
    }
}

/* ---- Timing ---- */

/* What is timed: batches of n images, and twice as many rows, as an edited step has them. */
typedef struct {
    size_t n;
    float *x, *h, *eps;
    size_t *state;
    int *t;
    double *value;
    float *feature;
} bench;

static void bench_free(bench *b)
{
    free(b->x);
    free(b->h);
    free(b->eps);
    free(b->state);
    free(b->t);
    free(b->value);
    free(b->feature);
}

HS_CHECKED static int bench_room(const hs_verify_cost *v, size_t n, bench *b)
{
    int rc;
    const hs_unet_config *cfg = hs_unet_config_of(v->model.unet);
    const hs_attrnet_config *attr = hs_scorer_config(v->scorer);
    size_t d = hs_chw_size(hs_unet_image_shape(cfg)), d_h = hs_chw_size(hs_unet_h_shape(cfg));
    b->n = n;
    HS_TRY(hs_alloc(n, d * sizeof *b->x, &b->x));
    HS_TRY(hs_calloc(2 * n, d_h * sizeof *b->h, &b->h));
    HS_TRY(hs_alloc(2 * n, d * sizeof *b->eps, &b->eps));
    HS_TRY(hs_alloc(2 * n, sizeof *b->state, &b->state));
    HS_TRY(hs_calloc(n, sizeof *b->t, &b->t));
    HS_TRY(hs_alloc(n, attr->n_factors * sizeof *b->value, &b->value));
    HS_TRY(hs_alloc(n, attr->features * sizeof *b->feature, &b->feature));
    hs_rng_normal((hs_rng){0, HS_RNG_TEST, 0}, 0, n * d, b->x);
    for (size_t r = 0; r < 2 * n; r++) {
        b->state[r] = r / 2;
    }
out:
    return rc;
}

/* One pass; its seconds are added. */
HS_CHECKED static int pass(const hs_verify_cost *v, hs_unet_ws *ws, bench *b, hs_verify_rates *r)
{
    int rc;
    double n = (double)b->n, start = hs_clock(), encoded, decoded;
    HS_TRY(hs_unet_encode(v->model.unet, ws, b->n, b->x, b->t, b->h));
    encoded = hs_clock();
    HS_TRY(hs_unet_decode(v->model.unet, ws, 2 * b->n, b->state, b->h, b->eps));
    decoded = hs_clock();
    HS_TRY(hs_scorer_eval(v->scorer, hs_unet_image_shape(hs_unet_config_of(v->model.unet)), b->n, b->x, b->value,
                          b->feature));
    r->encode += (encoded - start) / n;
    r->decode += (decoded - encoded) / (2 * n);
    r->image += (hs_clock() - decoded) / n;
out:
    return rc;
}

HS_CHECKED static int time_model(hs_cmd *c, const hs_verify_cost *v, hs_verify_rates *r)
{
    int rc;
    bench b = {0};
    hs_unet_ws *ws = NULL;
    hs_verify_rates unused = {0};
    r->batch = (size_t)hs_cmd_int(c, "batch");
    HS_TRY(bench_room(v, r->batch, &b));
    double start = hs_clock();
    HS_TRY(hs_unet_ws_create(v->model.unet, r->batch, 2 * r->batch, hs_common_conv(c), &ws));
    r->setup = hs_clock() - start;
    HS_TRY(pass(v, ws, &b, &unused)); /* touches the memory */
    start = hs_clock();
    while (r->passes < LEAST_PASSES || (r->passes < MOST_PASSES && hs_clock() - start < TIMED_SECONDS)) {
        HS_TRY(pass(v, ws, &b, r));
        r->passes++;
    }
    r->took = hs_clock() - start;
    r->encode /= (double)r->passes;
    r->decode /= (double)r->passes;
    r->image /= (double)r->passes;
out:
    hs_unet_ws_free(ws);
    bench_free(&b);
    return rc;
}

/* A command that does nothing. */
HS_CHECKED static int time_command(double *seconds)
{
    int rc = HS_OK, code;
    hs_words w = {0};
    json_t *answer = NULL;
    double start = hs_clock();
    hs_words_add(&w, "theorem1");
    hs_words_add(&w, "--dry-run");
    for (int k = 0; k < COMMAND_RUNS; k++) {
        HS_TRY(hs_child_run(&w, &answer, &code));
        json_decref(answer);
        answer = NULL;
    }
    *seconds = (hs_clock() - start) / COMMAND_RUNS;
out:
    hs_words_free(&w);
    return rc;
}

int hs_verify_cost_open(hs_cmd *c, hs_verify_cost *out)
{
    int rc;
    hs_verify_cost v = {0};
    hs_steps steps = {0};
    hs_source source = {0};
    double start = hs_clock(), opened;
    HS_TRY(hs_common_model(c, &v.model));
    HS_TRY(hs_common_scorer(c, hs_common_conv(c), &v.scorer));
    opened = hs_clock() - start;
    if (hs_cmd_given(c, "images") || hs_cmd_given(c, "x-T")) {
        HS_TRY(hs_common_spaced(c, &v.model.schedule, 1, &steps));
        HS_TRY(hs_source_open(c, &v.model, &steps, &source));
        v.n = source.n;
    }
    HS_TRY(time_model(c, &v, &v.rate));
    HS_TRY(time_command(&v.rate.command));
    v.rate.command += opened;
    *out = v;
    memset(&v, 0, sizeof v);
out:
    hs_source_free(&source);
    hs_steps_free(&steps);
    hs_verify_cost_free(&v);
    return rc;
}

/* ---- Counting ---- */

/* *edited <- steps of S with t >= --t-edit. */
static size_t edited_of(const hs_cmd *c, const hs_steps *steps)
{
    const char *text = hs_cmd_str(c, "t-edit");
    int64_t t_edit = 0;
    size_t n = 0;
    if (strcmp(text, "auto") == 0 || hs_text_i64(text, 0, INT32_MAX, &t_edit) != HS_OK) {
        return steps->S;
    }
    while (n < steps->S && steps->step[n].t >= t_edit) {
        n++;
    }
    return n;
}

HS_CHECKED static int count_step(hs_cmd *c, const hs_verify_cost *v, const hs_verify_options *o, const hs_steps *steps,
                                 hs_verify_step *s)
{
    int rc = HS_OK;
    const hs_unet_config *cfg = hs_unet_config_of(v->model.unet);
    size_t d = hs_chw_size(hs_unet_image_shape(cfg)), n = v->n > 0 ? v->n : o->n;
    int images = hs_cmd_given(c, "images"), symmetric = strcmp(hs_cmd_str(c, "mode"), "symmetric") == 0;
    const hs_work_of w = {.edit = {steps->S, edited_of(c, steps), !s->of_eps, symmetric},
                          .nets = s->net ? 1 : 0,
                          .net = s->net,
                          .constant = s->constant,
                          .n = n,
                          .inverted = images,
                          .unet = s->unet,
                          .x_T = s->x_T,
                          .twins = s->twins,
                          .covariance = s->covariance};
    double cells = (double)n * (double)o->m;
    s->bytes = 65536; /* a result file, and its answer */
    switch (s->kind) {
    case HS_VERIFY_SWEEP:
        s->cost = hs_work_sweep(&w, o->m, o->strength, o->nulls, s->rival);
        s->bytes += cells * (double)(5 * d + 4 * hs_scorer_config(v->scorer)->features + 8 * o->nulls);
        break;
    case HS_VERIFY_CONSISTENCY: s->cost = hs_work_consistency(&w, o->at, o->nulls, s->rival); break;
    case HS_VERIFY_ROBUSTNESS:
        HS_TRY(hs_robust_work(hs_cmd_str(c, "arms"), steps, n, v->n == 0, &s->cost));
        hs_cost_add(&s->cost, 1, hs_work_source(&w));
        break;
    case HS_VERIFY_OF_SWEEP: break;
    }
    const hs_verify_rates *r = &v->rate;
    s->seconds = s->cost.encodes * r->encode + s->cost.decodes * r->decode + s->cost.images * r->image +
                 s->cost.setups * r->setup + r->command;
out:
    return rc;
}

int hs_verify_count(hs_cmd *c, const hs_verify_cost *v, const hs_verify_options *o, hs_verify_plan *plan,
                    double *seconds, double *bytes)
{
    int rc;
    hs_steps steps = {0};
    *seconds = v->rate.command + FIGURE_SECONDS * (double)plan->n;
    *bytes = 0;
    HS_TRY(o->steps > 0 ? hs_common_spaced(c, &v->model.schedule, o->steps, &steps)
                        : hs_common_steps(c, &v->model.schedule, &steps));
    for (size_t i = 0; i < plan->n; i++) {
        hs_verify_step *s = &plan->step[i];
        HS_TRY(count_step(c, v, o, &steps, s));
        *seconds += s->seconds;
        *bytes += s->kind == HS_VERIFY_SWEEP ? 1.6 * s->bytes : s->bytes; /* its pictures are in the page, too */
    }
out:
    hs_steps_free(&steps);
    return rc;
}

/* ---- A budget ---- */

/* A number of steps and how many images it is worth: below, fewer steps answer more; above, more steps do. */
typedef struct {
    size_t steps, at, least, most;
    int coarse; /* every other strength */
} stage;
static const stage stages[] = {
    {6, 3, 4, 8, 1}, {8, 3, 8, 16, 0}, {12, 5, 16, 32, 0}, {20, 5, 32, 128, 0}, {40, 5, 128, 4096, 0}};
enum { STAGES = sizeof stages / sizeof *stages };

/* A fit at work. */
typedef struct {
    hs_cmd *c;
    const hs_verify_cost *v;
    hs_verify_make make;
    void *ctx;
    hs_verify_options given; /* as the user has them */
    double *coarse;
    size_t m_coarse;
} fit;

HS_CHECKED static int seconds_of_text(const char *text, double *seconds)
{
    char number[32];
    size_t n = strlen(text);
    double unit = n > 0 && text[n - 1] == 'h' ? 3600 : n > 0 && text[n - 1] == 'm' ? 60 : 1;
    if (n < 2 || n >= sizeof number || strchr("smh", text[n - 1]) == NULL) {
        return hs_fail(HS_ERANGE, "--budget %.40s: wanted a time like 90s, 10m or 1.5h", text);
    }
    memcpy(number, text, n - 1);
    number[n - 1] = '\0';
    int rc = hs_text_f64(number, 0, 1e9, seconds);
    *seconds *= unit;
    return hs_fail_in(rc, "--budget");
}

/* The options of a stage with n images, but what the user gave. */
static hs_verify_options options_of(const fit *f, const stage *s, size_t n)
{
    hs_verify_options o = f->given;
    int listed = hs_cmd_given(f->c, "steps") || hs_common_listed(f->c);
    o.n = hs_cmd_given(f->c, "N") ? o.n : f->v->n > 0 ? f->v->n : n;
    o.steps = listed ? 0 : s->steps < f->v->model.schedule.T ? s->steps : f->v->model.schedule.T;
    o.at = hs_cmd_given(f->c, "at") ? o.at : s->at;
    if (s->coarse && !hs_cmd_given(f->c, "strengths") && f->m_coarse > 2) {
        o.m = f->m_coarse;
        o.strength = f->coarse;
    }
    return o;
}

HS_CHECKED static int price(const fit *f, const hs_verify_options *o, double *seconds)
{
    int rc;
    hs_verify_plan plan = {0};
    double bytes;
    HS_TRY(f->make(f->ctx, o, &plan));
    HS_TRY(hs_verify_count(f->c, f->v, o, &plan, seconds, &bytes));
out:
    hs_verify_plan_free(&plan);
    return rc;
}

/* *n <- the most images of [least, most] that fit, given that least does. */
HS_CHECKED static int most_images(const fit *f, const stage *s, double budget, size_t *n)
{
    int rc = HS_OK;
    size_t low = s->least, high = s->most + 1;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        double seconds;
        const hs_verify_options o = options_of(f, s, middle);
        HS_TRY(price(f, &o, &seconds));
        *(seconds <= budget ? &low : &high) = middle;
    }
    *n = low;
out:
    return rc;
}

/* f->coarse <- every other strength, counted from 0. */
static void make_coarse(fit *f)
{
    const hs_verify_options *o = &f->given;
    size_t zero = 0;
    while (zero + 1 < o->m && o->strength[zero] != 0) {
        zero++;
    }
    for (size_t j = zero % 2; j < o->m; j += 2) {
        f->coarse[f->m_coarse++] = o->strength[j];
    }
}

int hs_verify_fit(hs_cmd *c, const hs_verify_cost *v, const char *budget, hs_verify_make make, void *ctx,
                  double *coarse, hs_verify_options *o)
{
    int rc;
    double limit, seconds = INFINITY;
    fit f = {.c = c, .v = v, .make = make, .ctx = ctx, .given = *o, .coarse = coarse};
    char least[32];
    make_coarse(&f);
    HS_TRY(seconds_of_text(budget, &limit));
    for (size_t k = STAGES; k-- > 0;) {
        size_t n = stages[k].least;
        hs_verify_options tried = options_of(&f, &stages[k], n);
        HS_TRY(price(&f, &tried, &seconds));
        if (seconds <= limit) {
            HS_TRY(most_images(&f, &stages[k], limit, &n));
            *o = options_of(&f, &stages[k], n);
            goto out;
        }
    }
    hs_verify_time(seconds, least);
    rc = hs_fail(HS_ERANGE, "--budget %.40s: the least that is possible takes about %s", budget, least);
out:
    return rc;
}
