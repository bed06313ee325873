/* hspace edit-success: what sweeps did to their targets, to everything else, and to the images. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/common.h"
#include "analysis/cli/judged_sweep.h"
#include "analysis/cli/shipped.h"
#include "analysis/properties/edit_success.h"
#include "core/base/alloc.h"

static const hs_opt options[] = {
    {"target", 0, HS_OPT_LIST, NULL, 0, 0, NULL, "NAME", "Statistics",
     "factor each sweep is for, one for all or one a sweep; its first attr:NAME when left out"},
    {"clean", 0, HS_OPT_STR, NULL, 0, 0, NULL, "FEAT.csv", "Input",
     "features of clean images (hspace score --readout feat) that judge naturalness; the unedited ones when left out"},
    HS_OPT_ATTR,
    {"bootstrap", 0, HS_OPT_INT, "2000", 1, 1000000, NULL, "B", "Statistics", "resamples of the images"},
    {0}};
static const hs_opt *const tables[] = {options, NULL};

/* A row of the answer. */
typedef struct {
    char name[64], target[32], most_else[32];
    double strength;
    size_t n;
    hs_edit_success s;
} row;

/* ---- A row ---- */

/* out (64) <- the file's name without folder and .h5. */
static void stem(const char *path, char out[64])
{
    const char *slash = strrchr(path, '/');
    snprintf(out, 64, "%s", slash != NULL ? slash + 1 : path);
    char *dot = strrchr(out, '.');
    if (dot != NULL && dot != out) {
        *dot = '\0';
    }
}

HS_CHECKED static int measure(hs_cmd *c, const char *path, const char *target, const hs_attrnet *net,
                              const hs_clean_set *clean, row *out)
{
    hs_judged_sweep s = {0};
    size_t zero = 0;
    hs_bootstrap_options o = HS_BOOTSTRAP_OPTIONS_INIT;
    int rc = HS_OK;
    o.B = (size_t)hs_cmd_int(c, "bootstrap");
    o.seed = hs_cmd_seed(c);
    HS_TRY(hs_judged_sweep_read(c, path, target, net, clean, &zero, &s));
    const hs_edit_effects e = {.n = s.n,
                               .m = s.in.m,
                               .factors = s.factors,
                               .zero = zero,
                               .strength = s.strength,
                               .value = s.value,
                               .sd = s.sd,
                               .target = s.target,
                               .binary = s.binary,
                               .change = s.change,
                               .naturalness = s.is_natural ? &s.natural : NULL,
                               .K = s.K,
                               .null = s.null};
    HS_TRY(hs_fail_in(hs_edit_success_measure(&e, &o, &out->s), path));
    if (!s.is_natural) {
        hs_cmd_warn(c, "%s: naturalness not tested: the sweep has no read-out feat that can be judged", path);
    }
    stem(path, out->name);
    memcpy(out->target, s.factor[s.target], sizeof out->target);
    if (out->s.most_else < s.factors) {
        memcpy(out->most_else, s.factor[out->s.most_else], sizeof out->most_else);
    }
    out->strength = s.strength[out->s.at];
    out->n = s.n;
out:
    hs_judged_sweep_free(&s);
    return rc;
}

/* ---- The answer ---- */

static json_t *row_json(const row *r)
{
    const hs_edit_success *s = &r->s;
    json_t *o = json_object();
    json_object_set_new(o, "name", json_string(r->name));
    json_object_set_new(o, "target", json_string(r->target));
    json_object_set_new(o, "strength", hs_json_num(r->strength));
    json_object_set_new(o, "effect",
                        hs_json_estimate("effect", s->effect.value, s->effect.lo, s->effect.hi, r->n,
                                         "mean over images in sd, percentile bootstrap", s->effect.reason));
    json_object_set_new(o, "put_on",
                        hs_json_estimate("put_on", s->put_on.value, s->put_on.lo, s->put_on.hi, r->n,
                                         "share of the images without, percentile bootstrap", s->put_on.reason));
    json_object_set_new(o, "most_else", r->most_else[0] != '\0' ? json_string(r->most_else) : json_null());
    json_object_set_new(o, "else_effect",
                        hs_json_estimate("else_effect", s->else_effect.value, s->else_effect.lo, s->else_effect.hi,
                                         r->n, "mean over images in sd, percentile bootstrap", s->else_effect.reason));
    json_object_set_new(o, "change", hs_json_num(s->change));
    json_object_set_new(o, "naturalness", hs_json_num(s->naturalness));
    json_object_set_new(o, "limit", hs_json_num(s->limit));
    json_object_set_new(o, "outside", hs_json_num(s->outside));
    json_object_set_new(o, "random", hs_json_num(s->random));
    return o;
}

static void say(hs_cmd *c, const row *r)
{
    const hs_edit_success *s = &r->s;
    hs_cmd_say(c, "%-24s %-12s %8.4g  %6.2f [%5.2f, %5.2f]", r->name, r->target, r->strength, s->effect.value,
               s->effect.lo, s->effect.hi);
    if (!isnan(s->put_on.value)) {
        hs_cmd_say(c, "  put on %3.0f %% [%.0f, %.0f]", 100 * s->put_on.value, 100 * s->put_on.lo, 100 * s->put_on.hi);
    }
    hs_cmd_say(c, "  %s %.2f  image %.3f", r->most_else, s->else_effect.value, s->change);
    if (!isnan(s->limit)) {
        hs_cmd_say(c, "  natural %.2f of %.2f", s->naturalness, s->limit);
    }
    if (!isnan(s->random)) {
        hs_cmd_say(c, "  random %.3f", s->random);
    }
    hs_cmd_say(c, "\n");
}

/* One array of the file from a number of each row. */
HS_CHECKED static int put(hs_result *r, const char *name, size_t n, const row *list, size_t offset)
{
    double *v = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(n, sizeof *v, &v));
    for (size_t i = 0; i < n; i++) {
        memcpy(&v[i], (const char *)&list[i] + offset, sizeof *v);
    }
    HS_TRY(hs_result_put_f64(r, name, "sweep", 1, &n, v));
out:
    free(v);
    return rc;
}

HS_CHECKED static int write_file(hs_cmd *c, size_t n, const row *list)
{
    static const struct {
        const char *name;
        size_t at;
    } array[] = {{"strength", offsetof(row, strength)},
                 {"effect", offsetof(row, s.effect.value)},
                 {"effect_low", offsetof(row, s.effect.lo)},
                 {"effect_high", offsetof(row, s.effect.hi)},
                 {"put_on", offsetof(row, s.put_on.value)},
                 {"put_on_low", offsetof(row, s.put_on.lo)},
                 {"put_on_high", offsetof(row, s.put_on.hi)},
                 {"else_effect", offsetof(row, s.else_effect.value)},
                 {"else_effect_low", offsetof(row, s.else_effect.lo)},
                 {"else_effect_high", offsetof(row, s.else_effect.hi)},
                 {"change", offsetof(row, s.change)},
                 {"naturalness", offsetof(row, s.naturalness)},
                 {"naturalness_limit", offsetof(row, s.limit)},
                 {"outside", offsetof(row, s.outside)},
                 {"random", offsetof(row, s.random)}};
    const char **text = NULL;
    hs_result *r = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(3 * n, sizeof *text, &text));
    HS_TRY(hs_result_create(hs_cmd_out(c), "edit-success", hs_cmd_force(c), &r));
    HS_TRY(hs_common_provenance(c, r));
    for (size_t i = 0; i < n; i++) {
        text[i] = list[i].name;
        text[n + i] = list[i].target;
        text[2 * n + i] = list[i].most_else;
    }
    HS_TRY(hs_result_put_strings(r, "sweep", "sweep", n, text));
    HS_TRY(hs_result_put_strings(r, "target", "sweep", n, text + n));
    HS_TRY(hs_result_put_strings(r, "most_else", "sweep", n, text + 2 * n));
    for (size_t k = 0; k < sizeof array / sizeof *array; k++) {
        HS_TRY(put(r, array[k].name, n, list, array[k].at));
    }
    HS_TRY(hs_result_commit(r));
out:
    hs_result_free(r);
    free(text);
    return rc;
}

static int run(hs_cmd *c)
{
    const char *const *in, *const *target;
    size_t n = hs_cmd_inputs(c, &in), targets = hs_cmd_given(c, "target") ? hs_cmd_list(c, "target", &target) : 0;
    char path[HS_SHIPPED_PATH];
    hs_attrnet *net = NULL;
    hs_clean_set clean = {0};
    row *list = NULL;
    json_t *rows = json_array();
    int rc = HS_OK;
    HS_TRY(hs_cmd_need_out(c));
    HS_TRY(hs_cmd_check_file(c, hs_cmd_out(c)));
    if (targets > 1 && targets != n) {
        rc = hs_fail(HS_ERANGE, "--target: %zu given for %zu sweeps; wanted one, or one each", targets, n);
        goto out;
    }
    HS_TRY(hs_attrnet_open(hs_shipped_or(hs_cmd_str(c, "attr"), path), &net));
    HS_TRY(hs_clean_read(c, hs_attrnet_config_of(net), &clean));
    HS_TRY(hs_calloc(n, sizeof *list, &list));
    for (size_t i = 0; i < n; i++) {
        const char *wanted = targets == 0 ? NULL : target[targets > 1 ? i : 0];
        HS_TRY(hs_progress_tell(hs_cmd_progress(c), "edit-success", i, n));
        HS_TRY(measure(c, in[i], wanted, net, &clean, &list[i]));
        json_array_append_new(rows, row_json(&list[i]));
        say(c, &list[i]);
    }
    json_object_set(hs_cmd_results(c), "edits", rows);
    HS_TRY(hs_cmd_out(c) != NULL ? write_file(c, n, list) : HS_OK);
out:
    json_decref(rows);
    free(list);
    free(clean.feat);
    hs_attrnet_free(net);
    return rc;
}

const hs_command hs_cmd_edit_success = {
    .name = "edit-success",
    .usage = "SWEEP.h5... [--target NAME] [--clean FEAT.csv] -o TABLE.h5",
    .purpose = "How far edits move their target, in standard deviations, what else they move, and whether images stay "
               "natural.",
    .examples = "hspace sweep --model faces-a --direction smile.h5 --strengths 0,0.25,0.5 -N 64 "
                "--readout attr:smile,attr:age,attr:glasses,feat,x0 -o smile.h5\n"
                "hspace edit-success smile.h5 -o success.h5\n"
                "hspace score clean/ --readout feat -o clean.csv && hspace edit-success *.h5 --clean clean.csv --json",
    .options = tables,
    .min_inputs = 1,
    .max_inputs = 1000,
    .run = run,
};
