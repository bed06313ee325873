/* hspace compare: do two models share their h-space, and the directions in it? */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/compare_dirs.h"
#include "analysis/cli/compare_in.h"
#include "analysis/cli/compare_many.h"
#include "analysis/cli/compare_out.h"
#include "analysis/cli/compare_pair.h"
#include "analysis/cli/compare_plan.h"
#include "analysis/cli/measurement_out.h"
#include "analysis/cli/plot.h"
#include "analysis/cli/property.h"
#include "analysis/cli/resume.h"
#include "analysis/cli/shipped.h"
#include "analysis/cli/team.h"
#include "analysis/compare/compare.h"
#include "core/base/alloc.h"

static const hs_opt options[] = {
    {"a", 0, HS_OPT_STR, NULL, 0, 0, NULL, "ACTS|M", "Input", "one side: a store, an array .npy (n, d), or a model"},
    {"b", 0, HS_OPT_STR, NULL, 0, 0, NULL, "ACTS|M", "Input", "the other: the same images, in the same order"},
    {"model", 0, HS_OPT_LIST, NULL, 0, 0, NULL, "M...", "Input",
     "two or more models or stores instead of --a and --b; of more than two every pair"},
    {"directions-a", 0, HS_OPT_STR, NULL, 0, 0, NULL, "D.h5[:NAME]", "Input",
     "directions of a, each carried into b and held against its namesake (else by order)"},
    {"directions-b", 0, HS_OPT_STR, NULL, 0, 0, NULL, "E.h5[:NAME]", "Input", "directions of b"},
    {"directions", 0, HS_OPT_LIST, NULL, 0, 0, NULL, "D.h5[:NAME]...", "Input",
     "directions of each --model, in their order; those of one name are held against each other, pair by pair"},
    {"any-tap", 0, HS_OPT_FLAG, NULL, 0, 0, NULL, NULL, "Input", "compare stores of different taps all the same"},
    {"arch", 0, HS_OPT_STR, NULL, 0, 0, NULL, "NAME|FILE", "Model", "architecture of weight files (info --archs)"},
    {"schedule", 0, HS_OPT_STR, NULL, 0, 0, NULL, "S", "Model",
     "linear, cosine, scaled_linear or a .npy table of beta; each model's own when left out"},
    {"class", 0, HS_OPT_GRID, NULL, 0, 0x1p30, NULL, "K|K1,K2,...", "Model",
     "class of every image of class-conditional models, or one an image"},
    {"conv", 0, HS_OPT_STR, "auto", 0, 0, "auto|winograd|direct|im2col", "MODE", "Model", "convolution algorithm"},
    {"batch", 0, HS_OPT_INT, "8", 1, 4096, NULL, "N", "Model", "images evaluated at once"},
    HS_OPT_ATTR,
    {"attr-b", 0, HS_OPT_STR, NULL, 0, 0, NULL, "DIR", "Model",
     "attribute network of b's images, of the same factors; that of a's when left out"},
    {"attrs", 0, HS_OPT_LIST, NULL, 0, 0, NULL, "DIR...", "Model",
     "attribute networks of each --model's images, in their order, instead of --attr and --attr-b"},
    {"strengths", 0, HS_OPT_GRID, "-2:2:1", 0, 0, NULL, "A:B:STEP", "Edit",
     "of the directions' effects in two models; 0 and a positive one among them"},
    {"t-edit", 0, HS_OPT_INT, "0", 0, 0x1p30, NULL, "T", "Edit", "effects: edit where t >= T"},
    {"mode", 0, HS_OPT_STR, "asymmetric", 0, 0, "asymmetric|symmetric", "MODE", "Edit",
     "asymmetric: the edit enters the predicted x_0 only (Asyrp)"},
    {"folds", 0, HS_OPT_INT, "2", 2, 100, NULL, "F", "Statistics",
     "parts of the images: each is measured on under a fit to the others"},
    {"components", 0, HS_OPT_INT, "256", 0, 100000, NULL, "K", "Statistics",
     "principal axes of each side that an alignment may use; 0: all"},
    {"nulls", 0, HS_OPT_INT, "40", 40, 100000, NULL, "B", "Statistics", "fits on shuffled pairs"},
    {"keep", 0, HS_OPT_NUM, "0.99", 0.01, 1, NULL, "P", "Statistics",
     "share of the variance that CCA keeps; when given, too few images for it are an error"},
    {"matrix", 0, HS_OPT_INT, "8", 1, 1000, NULL, "M", "Statistics", "timesteps of the CKA matrix, evenly spaced"},
    {"bootstrap", 0, HS_OPT_INT, "2000", 1, 1000000, NULL, "B", "Statistics", "resamples of the images"},
    {"ci", 0, HS_OPT_NUM, "95", 1, 99.999, NULL, "P", "Statistics", "confidence level of the intervals, percent"},
    {"standard", 0, HS_OPT_NUM, "0.5", -1, 1, NULL, "C", "Statistics",
     "what the aligned cosine over its ceiling must reach"},
    {"plot", 0, HS_OPT_STR, NULL, 0, 0, NULL, "F.pdf", "Output", "the figure (.pdf, .svg or .png); needs -o"},
    {0}};
static const hs_opt *const tables[] = {options, hs_opts_source, hs_opts_sampler, NULL};

static hs_compare_options options_of(const hs_cmd *c, hs_team *team)
{
    hs_compare_options o = HS_COMPARE_OPTIONS_INIT;
    o.fold.folds = (size_t)hs_cmd_int(c, "folds");
    o.fold.components = (size_t)hs_cmd_int(c, "components");
    o.nulls = (size_t)hs_cmd_int(c, "nulls");
    o.matrix = (size_t)hs_cmd_int(c, "matrix");
    o.keep = hs_cmd_num(c, "keep");
    o.strict = hs_cmd_given(c, "keep");
    o.standard = hs_cmd_num(c, "standard");
    o.bootstrap = hs_property_bootstrap(c);
    o.progress = hs_cmd_progress(c);
    o.team = team;
    return o;
}

/* What it found, in short. */
static void say(hs_cmd *c, const hs_compared *list, const hs_measurement *m)
{
    static const char *const shown[] = {"aligned_cosine",
                                        "aligned_cosine_back",
                                        "aligned_cosine_limit",
                                        "aligned_cosine_limit_back",
                                        "aligned_cosine_pooled",
                                        "ridge_cosine",
                                        "svcca_held_out",
                                        "procrustes",
                                        "procrustes_null",
                                        "rsa",
                                        "rsa_null"};
    hs_cmd_say(c, "%s and %s: %s\n  %s\n", list[0].name, list[1].name, hs_measurement_verdict(m), m->reason);
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        const hs_estimate *e = hs_measurement_find(m, shown[i]);
        if (isnan(e->value)) {
            hs_cmd_say(c, "  %-24s undefined: %s\n", e->name, e->reason);
        } else if (isnan(e->lo)) {
            hs_cmd_say(c, "  %-24s %.4f  %s\n", e->name, e->value, e->estimator);
        } else {
            hs_cmd_say(c, "  %-24s %.4f [%.4f, %.4f]  %s\n", e->name, e->value, e->lo, e->hi, e->estimator);
        }
    }
    for (size_t i = 0; i < m->n_notes; i++) {
        hs_cmd_say(c, "  note: %s\n", m->note[i]);
    }
}

HS_CHECKED static int write_file(hs_cmd *c, const hs_compared *list, const hs_compared_pair *f)
{
    int rc = HS_OK;
    hs_result *r = NULL;
    const char *out = hs_cmd_out(c);
    if (out == NULL) {
        return HS_OK;
    }
    HS_TRY(hs_property_begin(c, out, &f->m, "", list[0].untrained || list[1].untrained, NULL, &r));
    HS_TRY(hs_compare_put_file(r, &list[0], &list[1], &f->x));
    HS_TRY(hs_compared_dirs_put(r, &f->dirs, f->answer));
    HS_TRY(hs_compared_effects_file(r, &f->effects));
    HS_TRY(hs_result_commit(r));
out:
    hs_result_free(r);
    return rc;
}

static int both_models(const hs_compared *list)
{
    return list[0].is_model && list[1].is_model;
}

/* After the run. */
HS_CHECKED static int judge(hs_cmd *c, hs_compared *list, const hs_compare_options *o, hs_run_cells *cells,
                            hs_compared_pair *f)
{
    int rc, effects = f->carrier != NULL && both_models(list);
    double pooled[2], ceiling[2];
    size_t rows;
    HS_TRY(hs_compare_pooled(&list[0].view, &list[1].view, o, pooled, ceiling, &rows));
    HS_TRY(effects ? hs_compared_cells_open(c, 2, list, cells) : HS_OK);
    HS_TRY(hs_compared_pair_judge(c, &list[0], &list[1], o, pooled, effects ? cells : NULL, f));
    if (effects) {
        hs_resume_say(c, cells->had, cells->images);
        HS_TRY(hs_compared_effects_put(&f->effects, &f->dirs, &f->m));
    }
    snprintf(f->m.direction, sizeof f->m.direction, "%.60s and %.60s", list[0].name, list[1].name);
out:
    return rc;
}

/* Tells and writes what was found. */
HS_CHECKED static int answer(hs_cmd *c, hs_compared *list, const hs_compare_options *o, hs_run_cells *cells,
                             hs_compared_pair *f)
{
    int rc;
    json_t *results = hs_cmd_results(c);
    HS_TRY(judge(c, list, o, cells, f));
    say(c, list, &f->m);
    if (f->dirs.D > 0) {
        hs_compared_dirs_say(c, &f->dirs, f->answer);
        hs_compared_effects_say(c, &f->effects, &f->dirs);
        json_object_set_new(results, "h",
                            json_pack("{s:s, s:s}", "verdict", hs_measurement_verdict(&f->m), "reason", f->m.reason));
        hs_compared_dirs_decide(&f->dirs, f->answer, f->x.n, &f->m);
        json_object_set_new(results, "directions", hs_compared_dirs_json(&f->dirs, f->answer, f->x.n));
        if (f->effects.D > 0) {
            hs_compared_effects_json(&f->effects, &f->dirs, results);
        }
    }
    json_t *json = hs_measurement_json(&f->m);
    json_object_update(results, json);
    json_decref(json);
    hs_compare_put_json(results, &list[0], &list[1], &f->x);
    hs_cmd_exit(c, hs_verdict_exit(f->m.verdict));
    HS_TRY(write_file(c, list, f));
out:
    return rc;
}

HS_CHECKED static int pair(hs_cmd *c, hs_compared *list, const hs_compare_options *o)
{
    int rc;
    hs_compared_pair f = {0};
    hs_run_cells cells = {0}; /* of their runs */
    HS_TRY(hs_compared_pair_run(&list[0], &list[1], o, both_models(list), &f));
    HS_TRY(hs_team_agree(o->team, hs_team_leads(o->team) ? answer(c, list, o, &cells, &f) : HS_OK));
out:
    hs_resume_close(cells.cells, rc);
    hs_compared_pair_free(&f);
    return rc;
}

/* The i-th of an option with one for each --model; NULL: none is given. */
static const char *nth(const hs_cmd *c, const char *option, size_t i)
{
    const char *const *list;
    return hs_cmd_list(c, option, &list) > i ? list[i] : NULL;
}

/* One for each --model, and not beside the options of a and b that it stands for. */
HS_CHECKED static int check_each(const hs_cmd *c, const char *option, const char *of_a, const char *of_b)
{
    const char *const *list, *const *model;
    size_t count = hs_cmd_list(c, option, &list), models = hs_cmd_list(c, "model", &model);
    if (count > 0 && (count != models || hs_cmd_given(c, of_a) || hs_cmd_given(c, of_b))) {
        return hs_fail(HS_ERANGE, "--%s: %zu beside %zu --model; wanted one for each, and no --%s or --%s", option,
                       count, models, of_a, of_b);
    }
    if (models > 2 && (hs_cmd_given(c, "directions-a") || hs_cmd_given(c, of_b))) {
        return hs_fail(HS_ERANGE, "--%s, --%s: of two models, and %zu are given; wanted --%s", of_a, of_b, models,
                       option);
    }
    return HS_OK;
}

/* *specs (free()) <- the sides: --a and --b, or those of --model. */
HS_CHECKED static int list_sides(const hs_cmd *c, size_t *count, hs_compared_spec **specs)
{
    int rc;
    const char *const *model;
    const char *a = hs_cmd_str(c, "a"), *b = hs_cmd_str(c, "b");
    const char *dirs[2] = {hs_cmd_str(c, "directions-a"), hs_cmd_str(c, "directions-b")};
    const char *attr_b = hs_cmd_str(c, "attr-b"), *each;
    size_t models = hs_cmd_list(c, "model", &model);
    if ((models > 0) == (a != NULL || b != NULL) || models == 1 || (models == 0 && (a == NULL || b == NULL))) {
        return hs_fail(HS_ERANGE, "--a and --b, or --model two times or more: %zu given; usage: %s",
                       models + (a != NULL) + (b != NULL), hs_cmd_compare.usage);
    }
    if ((dirs[0] == NULL) != (dirs[1] == NULL)) {
        return hs_fail(HS_ERANGE, "--directions-a and --directions-b: one of the two; wanted both");
    }
    HS_TRY(check_each(c, "directions", "directions-a", "directions-b"));
    HS_TRY(check_each(c, "attrs", "attr", "attr-b"));
    *count = models > 0 ? models : 2;
    HS_TRY(hs_alloc(*count, sizeof **specs, specs));
    for (size_t i = 0; i < *count; i++) {
        hs_compared_spec *s = *specs + i;
        s->spec = models > 0 ? model[i] : i == 0 ? a : b;
        s->directions = i < 2 && dirs[i] != NULL ? dirs[i] : nth(c, "directions", i);
        each = nth(c, "attrs", i);
        s->attr = each != NULL ? each : i == 1 && attr_b != NULL ? attr_b : hs_cmd_str(c, "attr");
    }
out:
    return rc;
}

typedef struct {
    size_t count, open;
    hs_compared_spec *spec;
    hs_compared *list; /* (count), of which `open` are open */
} sides;

static void sides_free(sides *s)
{
    while (s->open > 0) {
        hs_compared_free(&s->list[--s->open]);
    }
    free(s->list);
    free(s->spec);
}

/* What may fail on one rank and not on another. */
HS_CHECKED static int open_sides(hs_cmd *c, const hs_team *team, sides *s)
{
    int rc;
    HS_TRY(list_sides(c, &s->count, &s->spec));
    HS_TRY(hs_plot_check_outputs(c));
    HS_TRY(hs_calloc(s->count, sizeof *s->list, &s->list));
    for (; s->open < s->count; s->open++) {
        const char *spec = s->spec[s->open].spec;
        if (hs_team_size(team) > 1 && hs_compared_is_model(spec)) {
            rc =
                hs_fail(HS_ERANGE, "%s: a model; several ranks compare stores and arrays: hspace dump makes one", spec);
            goto out;
        }
        HS_TRY(hs_compared_open(c, &s->spec[s->open], &s->list[s->open]));
    }
    HS_TRY(hs_compared_check(c, s->count, s->list));
    HS_TRY(hs_compared_dirs_match(c, s->count, s->list));
    HS_TRY(hs_compared_readers(c, s->count, s->spec, s->list));
    HS_TRY(s->list[0].scorer != NULL ? hs_compared_strengths_check(c) : HS_OK);
    for (size_t i = 0; i < s->count && !hs_cmd_dry_run(c); i++) {
        HS_TRY(hs_compared_ask(c, &s->list[i]));
    }
    HS_TRY(hs_compared_match(c, s->count, s->list));
out:
    return rc;
}

static int run(hs_cmd *c)
{
    int rc;
    const char *const path = hs_cmd_out(c), *plot = hs_cmd_str(c, "plot");
    char data[HS_SHA256_HEX] = "";
    hs_team *team = NULL;
    sides s = {0};
    HS_TRY(hs_team_begin(c, &team));
    HS_TRY(hs_team_agree(team, open_sides(c, team, &s)));
    HS_TRY(team != NULL ? hs_compared_data(s.count, s.list, data) : HS_OK);
    HS_TRY(hs_team_check(c, team, data));
    if (hs_cmd_dry_run(c)) {
        HS_TRY(hs_team_leads(team) ? hs_compared_plan(c, s.count, s.list) : HS_OK);
        goto out;
    }
    const hs_compare_options o = options_of(c, team);
    HS_TRY(s.count == 2 ? pair(c, s.list, &o) : hs_compare_many(c, s.count, s.list, &o));
    hs_compared_done(c, s.count, s.list);
    HS_TRY(hs_team_agree(team, plot != NULL && hs_team_leads(team) ? hs_plot_files(c, &path, 1, plot) : HS_OK));
out:
    sides_free(&s);
    return hs_team_end(team, rc);
}

const hs_command hs_cmd_compare = {
    .name = "compare",
    .usage = "(--a ACTS|M --b ACTS|M [--directions-a D --directions-b E] | --model M... [--directions D...]) -o R.h5",
    .purpose =
        "Measures whether two models share their h-space, and directions in it. Stopped or killed while directions "
        "run, the same command goes on where it stood (R.h5.journal).",
    .examples =
        "hspace compare --a faces-a --b random:tiny -N 64 --steps 10 -o twin.h5\n"
        "hspace compare --a a.h5 --b b.h5 -o shared.h5\n"
        "mpirun -n 4 hspace compare --a a.h5 --b b.h5 -o shared.h5   # built by make MPI=1: the same bits\n"
        "hspace compare --a faces-a --b faces-a --directions-a d.h5 --directions-b d.h5 -N 64 --steps 20 -o twice.h5\n"
        "hspace compare --a a.h5 --b b.h5 --directions-a smile-a.h5 --directions-b smile-b.h5 -o smile.h5\n"
        "hspace compare --model faces-a,faces-b,lines-a --directions a.h5,b.h5,l.h5 -N 64 --steps 20 -o many.h5\n"
        "hspace compare --a x.npy --b y.npy --json | jq .results.verdict",
    .options = tables,
    .run = run,
};
