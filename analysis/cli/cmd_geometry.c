/* hspace geometry: noise against identity, dimension, stretching and flatness of h-space. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/geometry_out.h"
#include "analysis/cli/plot.h"
#include "analysis/cli/property.h"
#include "analysis/cli/strip_out.h"
#include "analysis/geometry/cloud.h"
#include "analysis/geometry/summary.h"
#include "analysis/geometry/tangent.h"
#include "core/base/alloc.h"
#include "core/io/store.h"

enum { SAMPLES = 128, TIMESTEPS = 5 };

static const hs_opt options[] = {
    {"t", 0, HS_OPT_GRID, NULL, 0, 0x1p30, NULL, "T1,T2,...", "Statistics",
     "timesteps, of those that the sampler visits; five of them when left out"},
    {"sections", 0, HS_OPT_LIST, NULL, 0, 0, NULL, "noise,...", "Statistics",
     "what is measured: noise, cloud, pullback, tangent, flatness, skips; all when left out"},
    {"identities", 0, HS_OPT_INT, "16", 2, 1024, NULL, "N", "Statistics", "noise: images"},
    {"noises", 0, HS_OPT_INT, "16", 2, 1024, NULL, "M", "Statistics", "noise: noises of each"},
    {"neighbours", 0, HS_OPT_INT, "10", 2, 1000, NULL, "K", "Statistics", "cloud: of the maximum likelihood dimension"},
    {"quadruples", 0, HS_OPT_INT, "500000", 100, 1e9, NULL, "Q", "Statistics",
     "cloud: drawn for Gromov's delta of more than 100 samples"},
    {"bases", 0, HS_OPT_INT, "4", 2, 4096, NULL, "N", "Statistics", "pullback, tangent: samples"},
    {"rank", 0, HS_OPT_INT, "8", 1, 1000, NULL, "R", "Statistics", "pullback, tangent: leading directions"},
    {"probes", 0, HS_OPT_INT, "16", 2, 4096, NULL, "P", "Statistics", "pullback: of the traces"},
    {"twins", 0, HS_OPT_INT, "3", 0, 64, NULL, "K", "Statistics",
     "pullback: networks with random weights, the null; 0: a matrix of normal numbers is"},
    {"tol", 0, HS_OPT_NUM, "1e-4", 1e-7, 1e-1, NULL, "X", "Statistics",
     "pullback: residuals |Jv - su| / s1 and |J'u - sv| / s1"},
    {"pairs", 0, HS_OPT_INT, "16", 1, 4096, NULL, "P", "Statistics", "flatness: pairs of samples"},
    {"paths", 0, HS_OPT_INT, "3", 0, 4096, NULL, "P", "Statistics", "flatness: pairs whose path is relaxed"},
    {"segments", 0, HS_OPT_INT, "8", 2, 256, NULL, "K", "Statistics", "flatness: of a path"},
    {"relax", 0, HS_OPT_INT, "25", 1, 100000, NULL, "I", "Statistics", "flatness: steps of the relaxation"},
    {"standard", 0, HS_OPT_NUM, "0.1", 0, 1, NULL, "D", "Statistics",
     "flatness: midpoint deviation that counts as linear"},
    {"draws", 0, HS_OPT_INT, "20", 3, 10000, NULL, "K", "Statistics", "of every null that is drawn"},
    {"bootstrap", 0, HS_OPT_INT, "2000", 1, 1000000, NULL, "B", "Statistics", "resamples of images and noises"},
    {"ci", 0, HS_OPT_NUM, "95", 1, 99.999, NULL, "P", "Statistics", "confidence level of the intervals, percent"},
    {"plot", 0, HS_OPT_STR, NULL, 0, 0, NULL, "F.pdf", "Output", "the figure (.pdf, .svg or .png); needs -o"},
    {"strip", 0, HS_OPT_STR, NULL, 0, 0, NULL, "STRIP.png|.pdf", "Output",
     "flatness: images along straight and relaxed paths"},
    {0}};
static const hs_opt *const tables[] = {hs_opts_model, hs_opts_source, hs_opts_steps, options, NULL};

static const char *const section_name[] = {"noise", "cloud", "pullback", "tangent", "flatness", "skips"};
enum { NOISE, CLOUD, PULLBACK, TANGENT, FLATNESS, SKIPS, SECTIONS };

typedef struct {
    hs_model model;
    hs_steps steps;
    hs_source source;
    hs_store *store; /* NULL: none given */
    size_t n;
    int wanted[SECTIONS];
    int *t;     /* (run.S) */
    float *x_T; /* (n, d_x) */
    hs_geometry_run run;
    hs_geometry_statistics statistics;
    hs_geometry_states states;
    hs_geometry_results results;
    hs_geometry_flatness_options flatness;
} job;

static void job_free(job *j)
{
    hs_geometry_results_free(&j->results);
    hs_geometry_states_free(&j->states);
    hs_geometry_statistics_free(&j->statistics);
    free(j->t);
    free(j->x_T);
    hs_source_free(&j->source);
    hs_store_close(j->store);
    hs_steps_free(&j->steps);
    hs_model_free(&j->model);
}

/* ---- What is asked for ---- */

HS_CHECKED static int read_sections(hs_cmd *c, job *j)
{
    const char *const *item;
    size_t n = hs_cmd_list(c, "sections", &item);
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < SECTIONS && strcmp(item[i], section_name[k]) != 0) {
            k++;
        }
        if (k == SECTIONS) {
            return hs_fail(HS_ERANGE, "--sections: %s; wanted noise, cloud, pullback, tangent, flatness or skips",
                           item[i]);
        }
        j->wanted[k] = 1;
    }
    for (size_t k = 0; k < SECTIONS && n == 0; k++) {
        j->wanted[k] = 1;
    }
    if (hs_cmd_str(c, "strip") != NULL && (!j->wanted[FLATNESS] || hs_cmd_int(c, "paths") == 0)) {
        return hs_fail(HS_ERANGE, "--strip without the paths of section flatness");
    }
    return HS_OK;
}

/* The store's own timesteps are what the sampler visits. */
HS_CHECKED static int open_store(hs_cmd *c, job *j)
{
    const char *const *in;
    const char *sha;
    int rc = HS_OK;
    if (hs_cmd_inputs(c, &in) == 0) {
        return hs_common_steps(c, &j->model.schedule, &j->steps);
    }
    HS_TRY(hs_store_open(in[0], &j->store));
    HS_TRY(hs_cmd_input(c, in[0]));
    sha = hs_store_attr(j->store, "model_sha256");
    if (sha == NULL || strcmp(sha, j->model.sha256) != 0) {
        rc = hs_fail(HS_ESHAPE, "%s: activations of model %.16s, --model is %.16s", in[0],
                     sha != NULL ? sha : "unknown", j->model.sha256);
        goto out;
    }
    HS_TRY(hs_steps_from_list(&j->model.schedule, hs_store_S(j->store), hs_store_timesteps(j->store), &j->steps));
out:
    return rc;
}

/* Falling, as states are. */
static int falling(const void *a, const void *b)
{
    return *(const int *)b - *(const int *)a;
}

HS_CHECKED static int read_times(hs_cmd *c, job *j)
{
    const double *t;
    size_t given = hs_cmd_grid(c, "t", &t), S = j->steps.S;
    json_t *list = json_array();
    int rc = HS_OK;
    j->run.S = given > 0 ? given : S < TIMESTEPS ? S : TIMESTEPS;
    HS_TRY(hs_alloc(j->run.S, sizeof *j->t, &j->t));
    for (size_t k = 0; k < j->run.S; k++) {
        j->t[k] = given > 0 ? (int)t[k] : j->steps.step[(2 * k + 1) * S / (2 * j->run.S)].t;
    }
    qsort(j->t, j->run.S, sizeof *j->t, falling);
    for (size_t k = 0; k < j->run.S; k++) {
        size_t at = 0;
        while (at < S && j->steps.step[at].t != j->t[k]) {
            at++;
        }
        if (at == S || (k > 0 && j->t[k] == j->t[k - 1])) {
            rc = hs_fail(HS_ERANGE, "--t: %d; wanted different ones of the sampler's %zu timesteps, such as %d",
                         j->t[k], S, j->steps.step[S / 2].t);
            goto out;
        }
        json_array_append_new(list, json_integer(j->t[k]));
    }
    json_object_set(hs_cmd_params(c), "t", list);
    j->run.t = j->t;
out:
    json_decref(list);
    return rc;
}

HS_CHECKED static int open_source(hs_cmd *c, job *j)
{
    int rc = HS_OK;
    size_t most = j->store != NULL ? hs_store_n(j->store) : SIZE_MAX;
    HS_TRY(hs_source_open_or(c, &j->model, &j->steps, SAMPLES < most ? SAMPLES : most, &j->source));
    j->n = j->source.n;
    if (j->n > most) {
        rc = hs_fail(HS_ERANGE, "-N: %zu samples; the store has %zu", j->n, most);
    } else if (j->store != NULL && j->source.kind != HS_SOURCE_PRIOR) {
        rc = hs_fail(HS_ERANGE, "--images, --x-T: the samples are those of the store");
    } else if (j->n < 5) {
        rc = hs_fail(HS_ERANGE, "geometry of %zu samples; wanted 5 or more", j->n);
    }
    json_object_set_new(hs_cmd_params(c), "N", json_integer((json_int_t)j->n));
out:
    return rc;
}

HS_CHECKED static int open_job(hs_cmd *c, job *j)
{
    const char *const *classes;
    int rc = HS_OK;
    HS_TRY(hs_cmd_need_out(c));
    HS_TRY(hs_cmd_check_file(c, hs_cmd_out(c)));
    HS_TRY(hs_plot_check(c, hs_cmd_str(c, "plot")));
    HS_TRY(hs_strip_check(c, hs_cmd_str(c, "strip")));
    if (hs_cmd_str(c, "plot") != NULL && hs_cmd_out(c) == NULL) {
        HS_TRY(hs_fail(HS_ERANGE, "geometry: --plot without -o; wanted -o R.h5, which is drawn"));
    }
    HS_TRY(read_sections(c, j));
    HS_TRY(hs_common_model(c, &j->model));
    if (hs_cmd_list(c, "class", &classes) > 1) {
        HS_TRY(hs_fail(HS_ERANGE, "--class: several; geometry takes one class for all images"));
    }
    HS_TRY(open_store(c, j));
    HS_TRY(read_times(c, j));
    HS_TRY(open_source(c, j));
    j->run.m = &j->model;
    j->run.conv = hs_common_conv(c);
    j->run.batch = (size_t)hs_cmd_int(c, "batch");
    j->run.seed = hs_cmd_seed(c);
    j->run.draws = (size_t)hs_cmd_int(c, "draws");
    j->run.bootstrap = hs_property_bootstrap(c);
    j->run.progress = hs_cmd_progress(c);
    j->run.statistics = &j->statistics;
    j->results.run = &j->run;
    j->results.statistics = &j->statistics;
    j->results.n = j->n;
    j->results.image = j->source.image;
    j->results.untrained = j->model.untrained;
out:
    return rc;
}

/* ---- Sections ---- */

static size_t least(hs_cmd *c, const char *option, size_t most)
{
    size_t v = (size_t)hs_cmd_int(c, option);
    return v < most ? v : most;
}

/* The store's x_T where it was kept, so that its h and ours are of the same samples. */
HS_CHECKED static int make_states(job *j)
{
    const size_t d = hs_chw_size(j->source.image);
    int rc = HS_OK;
    HS_TRY(hs_alloc(j->n, d * sizeof *j->x_T, &j->x_T));
    if (j->store == NULL || hs_store_read(j->store, "x_T", 0, j->n, j->x_T) != HS_OK) {
        HS_TRY(hs_source_x_T(&j->source, 0, j->n, j->x_T));
    }
    HS_TRY(hs_geometry_states_of(&j->run, &j->steps, j->n, j->x_T, &j->states));
out:
    return rc;
}

/* h (n, d) of timestep number k, the store's own where there is one. */
static int read_h(void *ctx, size_t k, float *h)
{
    const job *j = ctx;
    const hs_geometry_states *s = &j->states;
    size_t at = 0;
    if (j->store == NULL) {
        memcpy(h, s->h + k * s->n * s->d_h, s->n * s->d_h * sizeof *h);
        return HS_OK;
    }
    while (hs_store_timesteps(j->store)[at] != j->t[k]) {
        at++;
    }
    return hs_store_read_h(j->store, at, 0, j->n, h);
}

HS_CHECKED static int measure_noise(hs_cmd *c, job *j)
{
    const size_t N = least(c, "identities", j->n), d = hs_chw_size(j->source.image);
    float *x_0 = NULL;
    int rc = HS_OK;
    if (j->source.kind != HS_SOURCE_IMAGES) {
        return hs_geometry_noise_of(&j->run, N, j->states.x_0, (size_t)hs_cmd_int(c, "noises"), &j->results.noise);
    }
    HS_TRY(hs_alloc(N, d * sizeof *x_0, &x_0));
    HS_TRY(hs_source_x_0(&j->source, 0, N, x_0));
    HS_TRY(hs_geometry_noise_of(&j->run, N, x_0, (size_t)hs_cmd_int(c, "noises"), &j->results.noise));
out:
    free(x_0);
    return rc;
}

HS_CHECKED static int measure_pullback(hs_cmd *c, job *j)
{
    const size_t n = least(c, "bases", j->n);
    hs_geometry_pullback_options o = HS_GEOMETRY_PULLBACK_OPTIONS;
    double worst = 0;
    int rc = HS_OK;
    o.r = (size_t)hs_cmd_int(c, "rank");
    o.probes = (size_t)hs_cmd_int(c, "probes");
    o.tol = hs_cmd_num(c, "tol");
    o.twins = (size_t)hs_cmd_int(c, "twins");
    HS_TRY(hs_geometry_pullback_of(&j->run, &j->states, n, &o, &j->results.pullback));
    for (size_t i = 0; i < HS_PULLBACK_MAPS * j->run.S * n; i++) {
        worst = fmax(worst, j->results.pullback.metric[i].residual);
    }
    if (worst > o.tol) {
        hs_cmd_warn(c, "pullback: residuals of up to %.1e; wanted %.1e", worst, o.tol);
    }
    HS_TRY(j->wanted[TANGENT] ? hs_geometry_tangent_of(&j->run, &j->states, &j->results.pullback) : HS_OK);
out:
    return rc;
}

HS_CHECKED static int measure_flatness(hs_cmd *c, job *j)
{
    hs_geometry_flatness_options o = HS_GEOMETRY_FLATNESS_OPTIONS;
    o.pairs = least(c, "pairs", j->n / 2);
    o.paths = least(c, "paths", o.pairs);
    o.segments = (size_t)hs_cmd_int(c, "segments");
    o.iterations = (size_t)hs_cmd_int(c, "relax");
    o.draws = least(c, "draws", o.draws);
    o.standard = hs_cmd_num(c, "standard");
    return hs_geometry_flatness_of(&j->run, &j->states, &o, &j->results.flatness);
}

HS_CHECKED static int measure(hs_cmd *c, job *j)
{
    hs_geometry_cloud_options cloud = HS_GEOMETRY_CLOUD_OPTIONS;
    int rc = HS_OK;
    cloud.neighbours = least(c, "neighbours", j->n - 1);
    cloud.quadruples = (size_t)hs_cmd_int(c, "quadruples");
    HS_TRY(make_states(j));
    HS_TRY(j->wanted[NOISE] ? measure_noise(c, j) : HS_OK);
    HS_TRY(j->wanted[CLOUD] ? hs_geometry_cloud_of(&j->run, &cloud, j->n, j->states.d_h, read_h, j) : HS_OK);
    HS_TRY(j->wanted[PULLBACK] || j->wanted[TANGENT] ? measure_pullback(c, j) : HS_OK);
    HS_TRY(j->wanted[FLATNESS] ? measure_flatness(c, j) : HS_OK);
    HS_TRY(j->wanted[SKIPS] ? hs_geometry_skips_of(&j->run, &j->states, least(c, "identities", j->n), &j->results.skips)
                            : HS_OK);
out:
    return rc;
}

/* ---- Plan and answer ---- */

/* Evaluations, a product of a derivative counted as one. */
HS_CHECKED static int say_plan(hs_cmd *c, job *j)
{
    enum { SWEEPS = 12 };
    const double S = (double)j->run.S, n = (double)j->n, bases = (double)least(c, "bases", j->n);
    const double pairs = (double)least(c, "pairs", j->n / 2), paths = (double)least(c, "paths", j->n / 2);
    const double block = (double)(hs_cmd_int(c, "rank") + 10), twins = (double)hs_cmd_int(c, "twins");
    double seconds, count = n * (double)j->steps.S;
    int rc = hs_common_forward_time(c, &j->model, hs_common_batch(c, j->n), &seconds);
    if (rc != HS_OK) {
        return rc;
    }
    count += j->wanted[NOISE] * S * (double)least(c, "identities", j->n) * (double)hs_cmd_int(c, "noises");
    count += (j->wanted[PULLBACK] || j->wanted[TANGENT]) * 2 * S * (bases + twins) *
             (2 * SWEEPS * block + 2 * (double)hs_cmd_int(c, "probes"));
    count += j->wanted[FLATNESS] * S * pairs * 9 * 18;
    count += j->wanted[FLATNESS] * S * paths * (double)(hs_cmd_int(c, "segments") * hs_cmd_int(c, "relax")) * 3;
    hs_common_say_plan(c, count, seconds * count / (double)hs_common_batch(c, j->n), 1e6);
    return HS_OK;
}

HS_CHECKED static int answer(hs_cmd *c, job *j)
{
    const char *out = hs_cmd_out(c), *plot = hs_cmd_str(c, "plot"), *strip = hs_cmd_str(c, "strip");
    hs_str paragraph = {0};
    int rc = HS_OK;
    hs_geometry_paragraph(&j->statistics, hs_cmd_num(c, "standard"), &paragraph);
    HS_TRY(hs_str_ok(&paragraph));
    j->results.paragraph = paragraph.s != NULL ? paragraph.s : "";
    HS_TRY(out != NULL ? hs_geometry_write(c, &j->results, out) : HS_OK);
    HS_TRY(plot != NULL ? hs_plot_files(c, &out, 1, plot) : HS_OK);
    HS_TRY(strip != NULL ? hs_geometry_strip(c, &j->results, strip) : HS_OK);
    hs_geometry_json(c, &j->results);
    hs_geometry_say(c, &j->results);
out:
    hs_str_free(&paragraph);
    return rc;
}

static int run(hs_cmd *c)
{
    job j = {0};
    int rc = HS_OK;
    HS_TRY(open_job(c, &j));
    if (hs_cmd_dry_run(c)) {
        HS_TRY(say_plan(c, &j));
        goto out;
    }
    HS_TRY(measure(c, &j));
    HS_TRY(answer(c, &j));
out:
    job_free(&j);
    return rc;
}

const hs_command hs_cmd_geometry = {
    .name = "geometry",
    .usage = "--model M [ACTS.h5] [-N n | --images PATH... | --x-T X.npy] -o R.h5 [--plot F.pdf] [--strip STRIP.png]",
    .purpose =
        "The shape of h-space: what noise and image have to do with distances, how many dimensions there are, how "
        "unevenly the network stretches, and how curved the decoder is; each with an interval and a null.",
    .examples = "hspace geometry --model faces-a -o geometry.h5 --plot geometry.pdf --strip paths.png\n"
                "hspace geometry --model faces-a acts.h5 --sections cloud,noise --json | jq .results.paragraph\n"
                "hspace geometry --model M --images photos/ --t 900,500,100 --sections flatness -o flat.h5\n"
                "hspace report geometry.h5 paths.png -o report.html",
    .options = tables,
    .max_inputs = 1,
    .run = run,
};
