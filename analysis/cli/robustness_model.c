#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/child.h"
#include "analysis/cli/resume.h"
#include "analysis/cli/robustness.h"
#include "analysis/cli/shipped.h"
#include "analysis/cli/work.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"

const hs_opt hs_opts_robust[] = {
    {"arms", 0, HS_OPT_LIST, NULL, 0, 0, NULL, "A,B", "Noise",
     "h_p, eps_p, h_both, eps_both, x_t; all when left out; the first two decide"},
    {"levels", 0, HS_OPT_GRID, "0.002,0.006,0.02,0.06,0.2,0.6,1.2,2.4", 0, 0, NULL, "L1,L2,...", "Noise",
     "levels of the noise above 0, in the unit of the matching"},
    {"matching", 0, HS_OPT_STR, "first-order", 0, 0, "norm|relative|spread|first-order", "RULE", "Noise",
     "equal length; equal share of the space's own vectors, or of their spread between images; equal first-order "
     "change of P_t, which is fair"},
    {"damage", 0, HS_OPT_STR, "auto", 0, 0, "auto|l2|ssim|hf|attr|feat", "KIND", "Noise",
     "what decides; auto: feat where --attr is for images of the model's size, else l2"},
    HS_OPT_ATTR,
    {0}};

enum { MATCH_IMAGES = 8 };

typedef struct {
    hs_model model;
    hs_steps steps;
    hs_source source;
    hs_scorer *scorer;
    float *x_T, *x_fresh, *x_match;
    double *level;
    hs_robust_plan plan;
} job;

static void job_free(job *j)
{
    free(j->x_T);
    free(j->x_fresh);
    free(j->x_match);
    free(j->level);
    hs_scorer_free(j->scorer);
    hs_source_free(&j->source);
    hs_steps_free(&j->steps);
    hs_model_free(&j->model);
}

void hs_robust_case_free(hs_robust_case *k, int rc)
{
    hs_resume_close(k->cells, rc);
    hs_damage_free(&k->table);
    hs_robust_run_free(&k->run);
}

const hs_damage *hs_robust_decides(const hs_robust_case *k)
{
    return k->has_run ? &k->run.damage[k->kind] : &k->table;
}

/* All arms when none are named. */
HS_CHECKED static int set_arms(size_t n, const char *const *name, hs_robust_plan *p)
{
    int rc = HS_OK;
    for (int a = 0; a < HS_ARMS; a++) {
        p->arm[a] = n == 0;
    }
    for (size_t i = 0; i < n; i++) {
        hs_arm arm;
        HS_TRY(hs_fail_in(hs_arm_find(name[i], &arm), "--arms"));
        p->arm[arm] = 1;
    }
    if (!p->arm[HS_ARM_H_P] || !p->arm[HS_ARM_EPS_P]) {
        rc = hs_fail(HS_ERANGE, "--arms: h_p and eps_p are needed, they decide");
    }
out:
    return rc;
}

/* Levels ascending, 0 left out: it is there by itself. */
HS_CHECKED static int set_levels(hs_cmd *c, job *j)
{
    const double *v;
    size_t n = hs_cmd_grid(c, "levels", &v);
    int rc = HS_OK;
    HS_TRY(hs_alloc(n, sizeof *j->level, &j->level));
    j->plan.level = j->level;
    for (size_t i = 0; i < n; i++) {
        size_t k = j->plan.m;
        if (v[i] < 0) {
            return hs_fail(HS_ERANGE, "--levels: %g; wanted 0 or more", v[i]);
        }
        if (v[i] > 0) {
            for (; k > 0 && j->level[k - 1] > v[i]; k--) {
                j->level[k] = j->level[k - 1];
            }
            if (k > 0 && j->level[k - 1] >= v[i]) {
                return hs_fail(HS_ERANGE, "--levels: %g is there twice", v[i]);
            }
            j->level[k] = v[i];
            j->plan.m++;
        }
    }
    if (j->plan.m == 0) {
        rc = hs_fail(HS_ERANGE, "--levels: none above 0");
    }
out:
    return rc;
}

/* The attribute network where it fits, and the damage that decides. */
HS_CHECKED static int set_damage(hs_cmd *c, job *j, hs_damage_kind *kind)
{
    char path[HS_SHIPPED_PATH];
    const char *name = hs_cmd_str(c, "damage");
    hs_chw image = hs_unet_image_shape(hs_unet_config_of(j->model.unet));
    hs_attrnet *net = NULL;
    int wanted = strcmp(name, "attr") == 0 || strcmp(name, "feat") == 0 || hs_cmd_given(c, "attr"), fits = 0,
        rc = HS_OK;
    if (!wanted && hs_attrnet_open(hs_shipped_or(hs_cmd_str(c, "attr"), path), &net) == HS_OK) {
        size_t side = hs_attrnet_config_of(net)->image_size;
        fits = image.h == side && image.w == side && (image.c == 1 || image.c == 3);
        hs_attrnet_free(net);
    }
    if (wanted || fits) {
        HS_TRY(hs_common_scorer(c, hs_common_conv(c), &j->scorer));
    }
    *kind = j->scorer != NULL ? HS_DAMAGE_FEAT : HS_DAMAGE_L2;
    for (int k = 0; k < HS_DAMAGES; k++) {
        *kind = strcmp(name, hs_damage_kind_name((hs_damage_kind)k)) == 0 ? (hs_damage_kind)k : *kind;
    }
    json_object_set_new(hs_cmd_params(c), "damage", json_string(hs_damage_kind_name(*kind)));
out:
    return rc;
}

/* x (n, d) <- starting noise of samples that the source doesn't name. */
static void draw(uint64_t seed, size_t first, size_t n, size_t d, float *x)
{
    for (size_t i = 0; i < n; i++) {
        hs_rng_normal((hs_rng){seed, HS_RNG_X_T, first + i}, 0, d, x + i * d);
    }
}

static void set_counts(hs_robust_plan *p, size_t n, int prior)
{
    p->n = n;
    p->n_fresh = prior ? n : 0;
    p->n_match = prior || n > MATCH_IMAGES ? MATCH_IMAGES : n;
}

/* Fresh samples and those of the matching follow the command's own; images and arrays have no others. */
HS_CHECKED static int set_samples(hs_cmd *c, job *j)
{
    hs_robust_plan *p = &j->plan;
    size_t n = j->source.n, d = hs_chw_size(j->source.image);
    int rc = HS_OK, prior = j->source.kind == HS_SOURCE_PRIOR;
    set_counts(p, n, prior);
    if (hs_cmd_dry_run(c)) {
        return HS_OK;
    }
    HS_TRY(hs_alloc(n, d * sizeof(float), &j->x_T));
    HS_TRY(hs_alloc(p->n_match, d * sizeof(float), &j->x_match));
    HS_TRY(hs_source_x_T(&j->source, 0, n, j->x_T));
    if (prior) {
        HS_TRY(hs_alloc(n, d * sizeof(float), &j->x_fresh));
        draw(hs_cmd_seed(c), n, n, d, j->x_fresh);
        draw(hs_cmd_seed(c), 2 * n, p->n_match, d, j->x_match);
    } else {
        memcpy(j->x_match, j->x_T, p->n_match * d * sizeof(float));
    }
    p->x_T = j->x_T;
    p->x_fresh = j->x_fresh;
    p->x_match = j->x_match;
out:
    return rc;
}

/* Every column of noise is seen once, and the plain and the fresh images; the inversion comes first. */
static hs_cost cost_of(const hs_robust_plan *p, int inverted)
{
    hs_cost cost = {.setups = 5};
    double all = inverted ? (double)p->n * (double)(p->perturb.steps->S - 1) : 0, arms = 0;
    hs_robust_cost(p, &cost.encodes, &cost.decodes);
    for (int a = 0; a < HS_ARMS; a++) {
        arms += p->arm[a];
    }
    cost.images = (double)p->n * (arms * (double)p->m + 2) + (double)(p->n + p->n_fresh);
    hs_cost_add(&cost, 1, (hs_cost){all, all, 0, inverted});
    return cost;
}

HS_CHECKED static int dry_run(hs_cmd *c, const job *j)
{
    return hs_work_planned(c, &j->model, j->plan.n, cost_of(&j->plan, j->source.kind == HS_SOURCE_IMAGES), 65536);
}

/* Numbers in the text of a grid option's default: they are listed. */
static size_t default_levels(void)
{
    size_t n = 1;
    for (const hs_opt *o = hs_opts_robust; o->name != NULL; o++) {
        for (const char *at = o->value; strcmp(o->name, "levels") == 0 && *at != '\0'; at++) {
            n += *at == ',';
        }
    }
    return n;
}

int hs_robust_work(const char *arms, const hs_steps *steps, size_t n, int prior, hs_cost *out)
{
    hs_robust_plan p = {.perturb = {.steps = steps}, .matching = HS_MATCH_FIRST_ORDER, .m = default_levels()};
    hs_words name = {0};
    double *level = NULL;
    char *rest = NULL, *text = NULL;
    int rc = HS_OK;
    set_counts(&p, n, prior);
    HS_TRY(hs_strdup(arms, &text));
    for (char *t = strtok_r(text, ",", &rest); t != NULL; t = strtok_r(NULL, ",", &rest)) {
        hs_words_add(&name, t);
    }
    HS_TRY(hs_words_ok(&name));
    HS_TRY(set_arms(name.n, (const char *const *)name.word, &p));
    HS_TRY(hs_alloc(p.m, sizeof *level, &level));
    for (size_t j = 0; j < p.m; j++) {
        level[j] = (double)(j + 1);
    }
    p.level = level;
    *out = cost_of(&p, 0);
out:
    hs_words_free(&name);
    free(level);
    free(text);
    return rc;
}

HS_CHECKED static int open(hs_cmd *c, job *j, hs_robust_case *k)
{
    int rc = HS_OK;
    const char *matching = hs_cmd_str(c, "matching"), *const * arm;
    size_t arms = hs_cmd_list(c, "arms", &arm);
    HS_TRY(set_arms(arms, arm, &j->plan));
    HS_TRY(set_levels(c, j));
    HS_TRY(hs_common_model(c, &j->model));
    HS_TRY(hs_common_steps(c, &j->model.schedule, &j->steps));
    HS_TRY(hs_source_open(c, &j->model, &j->steps, &j->source));
    HS_TRY(set_damage(c, j, &k->kind));
    HS_TRY(set_samples(c, j));
    j->plan.matching = matching[0] == 'n'   ? HS_MATCH_NORM
                       : matching[0] == 'r' ? HS_MATCH_RELATIVE
                       : matching[0] == 's' ? HS_MATCH_SPREAD
                                            : HS_MATCH_FIRST_ORDER;
    j->plan.scorer = j->scorer;
    j->plan.perturb = (hs_perturb_plan){.model = &j->model,
                                        .steps = &j->steps,
                                        .batch = (size_t)hs_cmd_int(c, "batch"),
                                        .conv = hs_common_conv(c),
                                        .seed = hs_cmd_seed(c),
                                        .progress = hs_cmd_progress(c)};
    snprintf(k->matching, sizeof k->matching, "%s", matching);
    snprintf(k->model_sha256, sizeof k->model_sha256, "%s", j->model.sha256);
    k->untrained = j->model.untrained;
out:
    return rc;
}

/* The cells of this very run: of its model, its starting points and its steps, whatever files they came from. */
HS_CHECKED static int open_cells(hs_cmd *c, job *j, hs_cells **out)
{
    const hs_robust_plan *p = &j->plan;
    hs_str also = {0};
    int rc;
    HS_TRY(hs_resume_describe(&also, &j->model, &j->steps, p->n, p->x_T));
    HS_TRY(hs_resume_open(c, hs_resume_statistics, also.s, out));
    j->plan.cells = *out;
out:
    hs_str_free(&also);
    return rc;
}

int hs_robust_of_model(hs_cmd *c, hs_robust_case *k)
{
    job j = {0};
    int rc = HS_OK;
    HS_TRY(open(c, &j, k));
    if (hs_cmd_dry_run(c)) {
        HS_TRY(dry_run(c, &j));
        goto out;
    }
    HS_TRY(open_cells(c, &j, &k->cells));
    HS_TRY(hs_robust_run_model(&j.plan, &k->run));
    k->has_run = 1;
    hs_resume_say(c, k->run.resumed, k->run.n);
    hs_work_done(c, &j.model, (hs_unet_work){0});
out:
    job_free(&j);
    return rc;
}
