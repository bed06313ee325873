/* hspace edit: images through the asymmetric reverse process along directions. */
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/edit_common.h"
#include "analysis/cli/edit_out.h"
#include "analysis/cli/interval.h"
#include "analysis/cli/shipped.h"
#include "analysis/cli/strip_out.h"
#include "analysis/sweep/sweep.h"
#include "core/base/alloc.h"
#include "core/base/text.h"

static const hs_opt options[] = {{"direction", 0, HS_OPT_LIST, NULL, 0, 0, NULL, "D[:NAME]", "Input",
                                  "direction file and name; several: one strength each, their sum is applied"},
                                 HS_OPT_ATTR,
                                 HS_OPT_CLIP("clip-model"),
                                 {"strength", 0, HS_OPT_GRID, "1", 0, 0, NULL, "S", "Edit",
                                  "of the edit; several with one direction: one image each"},
                                 {"strength-2", 0, HS_OPT_GRID, NULL, 0, 0, NULL, "S", "Edit",
                                  "of the second of two directions: every pair with --strength, a grid an image"},
                                 {0}};
static const hs_opt *const tables[] = {hs_opts_model,          hs_opts_source, hs_opts_sampler,
                                       hs_opts_edit,           hs_opts_strip,  hs_opts_interval,
                                       hs_opts_interval_texts, options,        NULL};

/* One edit: job, what comes out, and the strengths that are owned. */
typedef struct {
    hs_edit_job job;
    hs_edit_out out;
    double *strength;   /* one direction: (m1 + 1), the last 0 */
    double *base;       /* several: (n_dir) their coefficients at strength 1 */
    double one;         /* m1 = 1: of a sum */
    const double *each; /* (n_dir) the strengths of a sum */
    hs_str title;
} edit;

static void edit_free(edit *e)
{
    free(e->out.x_0);
    free(e->strength);
    free(e->base);
    hs_str_free(&e->title);
    hs_edit_job_free(&e->job);
}

/* "smile", "smile, age" of a grid, "1 smile + 0.5 age" of a sum. */
HS_CHECKED static int make_title(edit *e)
{
    for (size_t i = 0; i < e->job.n_dir; i++) {
        const char *name = e->job.dir[i].name;
        if (e->each != NULL) {
            hs_str_addf(&e->title, "%s%g %s", i > 0 ? " + " : "", e->each[i], name);
        } else if (e->out.m2 > 0) {
            hs_str_addf(&e->title, i == 0 ? "columns: %s" : ", rows: %s", name);
        } else {
            hs_str_add(&e->title, name);
        }
    }
    e->out.title = e->title.s;
    return hs_str_ok(&e->title);
}

/* Strengths of one direction, of a grid of two, or one each of a sum. */
HS_CHECKED static int set_strengths(const hs_cmd *c, edit *e)
{
    int rc = HS_OK;
    const double *s, *s2;
    size_t n_dir = e->job.n_dir, n = hs_cmd_grid(c, "strength", &s), n2 = hs_cmd_grid(c, "strength-2", &s2);
    hs_edit_out *o = &e->out;
    o->job = &e->job;
    if (n2 > 0 && n_dir != 2) {
        return hs_fail(HS_ERANGE, "--strength-2: %zu directions; wanted two", n_dir);
    }
    if (n_dir > 1 && n2 == 0 && n != n_dir) {
        return hs_fail(HS_ERANGE, "--strength: %zu given for %zu directions; wanted one each", n, n_dir);
    }
    e->one = 0;
    for (size_t i = 0; i < n; i++) { /* a sum of nothing is the plain sample */
        e->one = s[i] != 0 ? 1 : e->one;
    }
    int sum = n_dir > 1 && n2 == 0;
    e->each = sum ? s : NULL;
    o->m1 = sum ? 1 : n;
    o->s1 = sum ? &e->one : s;
    o->m2 = n2;
    o->s2 = s2;
    HS_TRY(hs_size_mul(o->m1, n2 > 0 ? n2 : 1, &o->cells));
    HS_TRY(make_title(e));
    HS_TRY(hs_alloc(o->m1 + 1, sizeof *e->strength, &e->strength));
    memcpy(e->strength, o->s1, o->m1 * sizeof *s);
    e->strength[o->m1] = 0;
    HS_TRY(hs_alloc(n_dir, sizeof *e->base, &e->base));
    memcpy(e->base, e->job.coef, n_dir * sizeof *e->base);
    for (size_t i = 0; i < n_dir && sum; i++) {
        e->job.coef[i] *= s[i];
    }
out:
    return rc;
}

/* One direction or sum: all strengths and the unedited image in one run. */
HS_CHECKED static int run_strengths(edit *e)
{
    hs_sweep s = {0};
    hs_readout phi = {.name = "x0", .phi = HS_PHI_X0, .features = hs_chw_size(e->job.source.image)};
    e->job.plan.m = e->out.m1 + 1;
    e->job.plan.strength = e->strength;
    int rc = hs_sweep_run(&e->job.plan, e->job.source.n, e->job.x_T, 1, &phi, e->out.x_0, &s);
    e->out.noise_floor = rc == HS_OK ? s.noise_floor[0] : 0;
    hs_sweep_free(&s);
    return rc;
}

/* x (n, d) into column k of the cells. */
static void put_column(const edit *e, size_t k, const float *x)
{
    size_t d = hs_chw_size(e->job.source.image), all = e->out.cells + 1;
    for (size_t i = 0; i < e->job.source.n; i++) {
        memcpy(e->out.x_0 + (i * all + k) * d, x + i * d, d * sizeof *x);
    }
}

/* Every pair of strengths is an edit of its own: after one edited step no two of them share a state. */
HS_CHECKED static int run_grid(edit *e)
{
    static const double zero = 0, one = 1;
    int rc;
    hs_sweep s = {0};
    float *x = NULL, *plain = NULL;
    size_t d = hs_chw_size(e->job.source.image), n = e->job.source.n;
    hs_readout phi = {.name = "x0", .phi = HS_PHI_X0, .features = d};
    hs_edit_plan *p = &e->job.plan;
    p->m = 1;
    p->strength = &zero;
    HS_TRY(hs_alloc(n, d * sizeof *x, &x));
    HS_TRY(hs_alloc(n, d * sizeof *plain, &plain));
    HS_TRY(hs_sweep_run(p, n, e->job.x_T, 1, &phi, plain, &s));
    e->out.noise_floor = s.noise_floor[0];
    put_column(e, e->out.cells, plain);
    p->strength = &one;
    for (size_t k = 0; k < e->out.cells; k++) {
        double s1 = e->out.s1[k % e->out.m1], s2 = e->out.s2[k / e->out.m1];
        e->job.coef[0] = e->base[0] * s1;
        e->job.coef[1] = e->base[1] * s2;
        int edited = s1 != 0 || s2 != 0;
        HS_TRY(edited ? hs_edit_run(p, n, e->job.x_T, NULL, x) : HS_OK);
        put_column(e, k, edited ? x : plain);
    }
out:
    hs_sweep_free(&s);
    free(x);
    free(plain);
    return rc;
}

static int run(hs_cmd *c)
{
    int rc;
    edit e = {0};
    size_t rows;
    HS_TRY(hs_cmd_need_out(c));
    HS_TRY(hs_strip_check(c, hs_cmd_out(c)));
    HS_TRY(hs_edit_job_open(c, 64, &e.job));
    HS_TRY(set_strengths(c, &e));
    if (hs_cmd_dry_run(c)) {
        hs_cmd_say(c, "%zu images x %zu strengths x %zu steps\n", e.job.source.n, e.out.cells, e.job.steps.S);
        goto out;
    }
    HS_TRY(hs_size_mul(e.job.source.n, e.out.cells + 1, &rows));
    HS_TRY(hs_alloc(rows, hs_chw_size(e.job.source.image) * sizeof(float), &e.out.x_0));
    HS_TRY(e.out.m2 > 0 ? run_grid(&e) : run_strengths(&e));
    hs_edit_out_report(c, &e.out);
    HS_TRY(hs_edit_reconstruction(c, &e.job, e.out.x_0, e.out.cells + 1, e.out.cells));
    HS_TRY(hs_cmd_out(c) != NULL ? hs_edit_out_write(c, &e.out) : HS_OK);
out:
    edit_free(&e);
    return rc;
}

const hs_command hs_cmd_edit = {
    .name = "edit",
    .usage = "--model M --direction D[:NAME] --strength S (-N n | --images PATH... | --x-T X.npy) -o OUT",
    .purpose =
        "Edit images in h-space: the asymmetric reverse process along one direction, a sum of them, or a grid of "
        "two.",
    .examples =
        "hspace edit --model ddpm-celebahq-256 --direction pca.h5:pc0 --strength -3,0,3 -N 4 -o edited.pdf\n"
        "hspace edit --model M --direction smile.h5 --direction young.h5 --strength 1,0.5 --images face.png -o out/\n"
        "hspace edit --model M --direction smile.h5 --strength -1:1:0.5 --direction age.h5 --strength-2 -1:1:1 -N 2 "
        "-o grid.png",
    .options = tables,
    .run = run,
};
