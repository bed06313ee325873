#include "analysis/cli/verify_plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/common.h"
#include "analysis/cli/controls.h"
#include "analysis/cli/edit_common.h"
#include "analysis/directions/direction.h"
#include "core/base/alloc.h"

enum { STRIP_ROWS = 8 }; /* images a page shows of each sweep, however many are measured */

/* What the plan is made for; borrowed. */
typedef struct {
    hs_cmd *c;
    const hs_verify_options *o;
    size_t n_factors;
    const char *const *factor;
    const char *fallback; /* the read-out of the first direction, which the controls share */
    hs_verify_plan *plan;
} maker;

void hs_verify_plan_free(hs_verify_plan *p)
{
    for (size_t i = 0; i < p->n; i++) {
        hs_words_free(&p->step[i].words);
        free(p->step[i].out);
        free(p->step[i].json);
    }
    free(p->step);
    hs_words_free(&p->strips);
    hs_words_free(&p->controls);
    memset(p, 0, sizeof *p);
}

/* ---- Steps ---- */

/* *step <- a new command whose files are FOLDER/STEM.h5 and .json. */
HS_CHECKED static int add_step(maker *m, hs_verify_kind kind, const char *property, const char *direction, int control,
                               const char *stem, hs_verify_step **step)
{
    hs_verify_plan *p = m->plan;
    hs_str path = {0};
    int rc = HS_OK;
    if (p->n == p->room) {
        size_t room = 2 * p->room + 16;
        hs_verify_step *more = realloc(p->step, room * sizeof *more);
        if (more == NULL) {
            return hs_fail(HS_ENOMEM, "verify: a plan of %zu commands", room);
        }
        p->step = more;
        p->room = room;
    }
    hs_verify_step *s = &p->step[p->n++];
    *s = (hs_verify_step){.kind = kind, .property = property, .control = control};
    snprintf(s->direction, sizeof s->direction, "%s", direction);
    hs_str_addf(&path, "%s/%s.h5", m->o->folder, stem);
    HS_TRY(hs_str_ok(&path));
    HS_TRY(hs_strdup(path.s, &s->out));
    path.len = 0;
    hs_str_addf(&path, "%s/%s.json", m->o->folder, stem);
    HS_TRY(hs_str_ok(&path));
    HS_TRY(hs_strdup(path.s, &s->json));
    *step = s;
out:
    hs_str_free(&path);
    return rc;
}

/* The words every command that runs the model shares. */
static void add_model(const maker *m, hs_verify_step *s, size_t n)
{
    hs_words_forward(&s->words, m->c, hs_opts_model);
    hs_words_forward(&s->words, m->c, hs_opts_sampler);
    if (hs_cmd_given(m->c, "images") || hs_cmd_given(m->c, "x-T")) {
        hs_words_forward(&s->words, m->c, hs_opts_source);
    } else {
        hs_words_addf(&s->words, "-N%zu", n);
    }
    if (!hs_cmd_given(m->c, "steps") && !hs_common_listed(m->c)) {
        hs_words_addf(&s->words, "--steps=%zu", m->o->steps > 0 ? m->o->steps : (size_t)hs_cmd_int(m->c, "steps"));
    }
    hs_words_addf(&s->words, "--attr=%s", hs_cmd_str(m->c, "attr"));
}

/* The words every command shares, at its end. */
static void finish(const maker *m, hs_verify_step *s)
{
    hs_words_addf(&s->words, "--seed=%llu", (unsigned long long)hs_cmd_seed(m->c));
    if (hs_cmd_given(m->c, "threads")) {
        hs_words_addf(&s->words, "--threads=%lld", (long long)hs_cmd_int(m->c, "threads"));
    }
    hs_words_add(&s->words, "-f");
    hs_words_add(&s->words, "-o");
    hs_words_add(&s->words, s->out);
}

/* One direction on its way into the plan. */
typedef struct {
    char spec[4096], name[128], readout[160];
    int control, net, constant, of_eps;
    size_t twins; /* in the file, of shuffled labels */
} subject;

/* FOLDER/NAME-suffix, where NAME is fit for a file name. */
static void stem_of(const subject *d, const char *suffix, char out[192])
{
    size_t n = 0;
    for (const char *c = d->name; *c != '\0' && n < 100; c++) {
        int plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || *c == '-';
        out[n++] = plain ? *c : '_';
    }
    snprintf(out + n, 192 - n, "%s", suffix);
}

/* --controls, of directions that are none themselves. */
static void add_controls(const maker *m, const subject *d, hs_verify_step *s)
{
    const char *const *kind;
    size_t n = d->control ? 0 : hs_cmd_list(m->c, "controls", &kind);
    for (size_t i = 0; i < n; i++) {
        hs_words_addf(&s->words, "--controls=%s", kind[i]);
    }
    if (n == 0) {
        hs_words_add(&s->words, "--controls=none");
    }
}

/* Which of them will run. */
HS_CHECKED static int count_controls(const maker *m, const subject *d, hs_verify_step *s)
{
    int wanted[HS_CONTROLS] = {0}, rc = HS_OK;
    HS_TRY(hs_controls_wanted(m->c, wanted));
    if (!d->control) {
        s->unet = wanted[HS_CONTROL_UNET] && strncmp(hs_cmd_str(m->c, "model"), "random:", 7) != 0;
        s->x_T = wanted[HS_CONTROL_X_T];
        s->covariance = wanted[HS_CONTROL_COVARIANCE] && !d->of_eps;
        s->twins = d->net                      ? (wanted[HS_CONTROL_NET] && !d->of_eps ? HS_CONTROL_NETWORKS : 0)
                   : wanted[HS_CONTROL_LABELS] ? d->twins
                                               : 0;
    }
out:
    return rc;
}

static void describe(hs_verify_step *s, const subject *d)
{
    s->net = d->net;
    s->constant = d->constant;
    s->of_eps = d->of_eps;
}

/* The direction of eps of the same name. */
static void add_rival(const maker *m, const subject *d, hs_verify_step *s)
{
    const char *rival = hs_cmd_str(m->c, "rival");
    if (rival != NULL && !d->control) {
        hs_words_addf(&s->words, "--rival=%s:%s", rival, d->name);
        s->rival = 1;
    }
}

HS_CHECKED static int add_sweep(maker *m, const subject *d, char sweep[4352])
{
    char stem[192], strip[4352];
    hs_verify_step *s = NULL;
    int rc = HS_OK;
    stem_of(d, "", stem);
    HS_TRY(add_step(m, HS_VERIFY_SWEEP, NULL, d->name, d->control, stem, &s));
    hs_words_add(&s->words, "sweep");
    add_model(m, s, m->o->n);
    hs_words_addf(&s->words, "--direction=%s", d->spec);
    hs_words_forward(&s->words, m->c, hs_opts_edit);
    hs_str grid = {0};
    for (size_t j = 0; j < m->o->m; j++) {
        hs_str_addf(&grid, "%s%.17g", j > 0 ? "," : "", m->o->strength[j]);
    }
    hs_words_addf(&s->words, "--strengths=%s", grid.s != NULL ? grid.s : "");
    hs_str_free(&grid);
    hs_words_addf(&s->words, "--readout=%s", d->readout);
    hs_words_addf(&s->words, "--readout=%s", strcmp(d->readout, "x0") == 0 ? "feat" : "feat,x0");
    const char *const *also;
    size_t more = hs_cmd_list(m->c, "also", &also);
    for (size_t i = 0; i < more; i++) {
        if (strcmp(also[i], d->readout) != 0 && strcmp(also[i], "feat") != 0 && strcmp(also[i], "x0") != 0) {
            hs_words_addf(&s->words, "--readout=%s", also[i]);
        }
    }
    hs_words_addf(&s->words, "--null=%zu", m->o->nulls);
    add_rival(m, d, s);
    add_controls(m, d, s);
    HS_TRY(count_controls(m, d, s));
    describe(s, d);
    snprintf(strip, sizeof strip, "%s/%s.png", m->o->folder, stem);
    hs_words_addf(&s->words, "--strip=%s", strip);
    hs_words_addf(&s->words, "--rows=%d", STRIP_ROWS);
    hs_words_add(&m->plan->strips, strip);
    finish(m, s);
    snprintf(sweep, 4352, "%s", s->out);
out:
    return rc;
}

/* A measurement of the sweep just planned. */
HS_CHECKED static int add_from_sweep(maker *m, const subject *d, const char *property, const char *sweep)
{
    char stem[192], suffix[64];
    hs_verify_step *s = NULL;
    int rc = HS_OK;
    snprintf(suffix, sizeof suffix, "-%s", property);
    stem_of(d, suffix, stem);
    HS_TRY(add_step(m, HS_VERIFY_OF_SWEEP, property, d->name, d->control, stem, &s));
    hs_words_add(&s->words, property);
    hs_words_addf(&s->words, "--sweep=%s", sweep);
    hs_words_addf(&s->words, "--readout=%s", d->readout);
    finish(m, s);
out:
    return rc;
}

/* What the direction of one step does at others. */
HS_CHECKED static int add_consistency(maker *m, const subject *d)
{
    char stem[192];
    hs_verify_step *s = NULL;
    double most = 0;
    int rc = HS_OK;
    for (size_t j = 0; j < m->o->m; j++) {
        most = fmax(most, m->o->strength[j]);
    }
    stem_of(d, "-consistency", stem);
    HS_TRY(add_step(m, HS_VERIFY_CONSISTENCY, "consistency", d->name, d->control, stem, &s));
    hs_words_add(&s->words, "consistency");
    add_model(m, s, m->o->n);
    hs_words_addf(&s->words, "--direction=%s", d->spec);
    hs_words_forward(&s->words, m->c, hs_opts_edit);
    hs_words_addf(&s->words, "--strength=%g", most);
    hs_words_addf(&s->words, "--at=%zu", m->o->at);
    describe(s, d);
    hs_words_addf(&s->words, "--nulls=%zu", m->o->nulls);
    add_rival(m, d, s);
    add_controls(m, d, s);
    HS_TRY(count_controls(m, d, s));
    hs_words_addf(&s->words, "--readout=%s", d->readout);
    finish(m, s);
out:
    return rc;
}

/* How much noise in h the model bears, whatever the direction. */
HS_CHECKED static int add_robustness(maker *m)
{
    hs_verify_step *s = NULL;
    int rc = HS_OK;
    HS_TRY(add_step(m, HS_VERIFY_ROBUSTNESS, "robustness", "", 0, "robustness", &s));
    hs_words_add(&s->words, "robustness");
    add_model(m, s, m->o->n);
    hs_words_addf(&s->words, "--arms=%s", hs_cmd_str(m->c, "arms"));
    finish(m, s);
out:
    return rc;
}

HS_CHECKED static int add_subject(maker *m, const subject *d)
{
    char sweep[4352];
    int rc = HS_OK;
    HS_TRY(add_sweep(m, d, sweep));
    HS_TRY(add_from_sweep(m, d, "homogeneity", sweep));
    HS_TRY(add_from_sweep(m, d, "linearity", sweep));
    HS_TRY(m->o->at > 0 ? add_consistency(m, d) : HS_OK);
    if (d->control) {
        hs_words_add(&m->plan->controls, d->name);
    }
out:
    return rc;
}

/* ---- Directions ---- */

/* The read-out that judges a direction: --readout, else the factor it is named after, else the first direction's, else
 * x0. */
static void choose_readout(const maker *m, subject *d)
{
    const char *own = NULL;
    for (size_t k = 0; k < m->n_factors; k++) {
        own = strcmp(m->factor[k], d->name) == 0 ? m->factor[k] : own;
    }
    if (m->o->readout != NULL) {
        snprintf(d->readout, sizeof d->readout, "%s", m->o->readout);
    } else if (own != NULL) {
        snprintf(d->readout, sizeof d->readout, "attr:%s", own);
    } else {
        snprintf(d->readout, sizeof d->readout, "%s", m->fallback);
    }
}

HS_CHECKED static int count_twins(const hs_direction *d, size_t *n)
{
    int rc = HS_OK;
    hs_direction *twin = NULL;
    *n = 0;
    HS_TRY(d->net == NULL ? hs_direction_shuffled(d, n, &twin) : HS_OK);
    for (size_t i = 0; i < *n; i++) {
        hs_direction_free(&twin[i]);
    }
out:
    free(twin);
    return rc;
}

/* Every direction that --direction or --control names: list (n) grows. */
HS_CHECKED static int gather(maker *m, const char *opt, int control, size_t *n, subject **list)
{
    const char *const *spec;
    size_t specs = hs_cmd_list(m->c, opt, &spec);
    int rc = HS_OK;
    for (size_t i = 0; i < specs; i++) {
        hs_direction d = {0};
        size_t names = 0;
        char **name = NULL;
        int whole = hs_direction_names(spec[i], &names, &name) == HS_OK && names > 1;
        for (size_t k = 0; k < (whole ? names : 1) && rc == HS_OK; k++) {
            subject *more = realloc(*list, (*n + 1) * sizeof *more);
            if (more == NULL) {
                rc = hs_fail(HS_ENOMEM, "verify: %zu directions", *n + 1);
                break;
            }
            *list = more;
            subject *s = &more[*n];
            *s = (subject){.control = control};
            snprintf(s->spec, sizeof s->spec, whole ? "%s:%s" : "%s", spec[i], whole ? name[k] : "");
            rc = hs_direction_open(s->spec, &d);
            if (rc == HS_OK) {
                snprintf(s->name, sizeof s->name, "%s", d.name);
                s->net = d.net != NULL;
                s->constant = d.net == NULL && d.S == 0;
                s->of_eps = d.space == HS_SPACE_EPS;
                rc = count_twins(&d, &s->twins);
                hs_direction_free(&d);
                (*n)++;
            }
        }
        hs_strings_free(names, name);
        HS_TRY(rc);
    }
out:
    return rc;
}

HS_CHECKED static int no_name_twice(size_t n, const subject *list)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++) {
            if (strcmp(list[i].name, list[k].name) == 0) {
                return hs_fail(HS_ERANGE, "verify: two directions are called %s; import them under other names",
                               list[i].name);
            }
        }
    }
    return HS_OK;
}

int hs_verify_plan_make(hs_cmd *c, const hs_verify_options *o, size_t n_factors, const char *const *factor,
                        hs_verify_plan *out)
{
    hs_verify_plan plan = {0};
    maker m = {.c = c, .o = o, .n_factors = n_factors, .factor = factor, .fallback = "x0", .plan = &plan};
    subject *list = NULL;
    size_t n = 0;
    int rc = HS_OK;
    HS_TRY(gather(&m, "direction", 0, &n, &list));
    if (n == 0) {
        rc = hs_fail(HS_ERANGE, "verify: no direction; give -D D.h5[:NAME]");
        goto out;
    }
    HS_TRY(gather(&m, "control", 1, &n, &list));
    HS_TRY(no_name_twice(n, list));
    for (size_t i = 0; i < n; i++) {
        choose_readout(&m, &list[i]);
        m.fallback = list[0].readout;
        HS_TRY(add_subject(&m, &list[i]));
    }
    HS_TRY(strcmp(hs_cmd_str(c, "arms"), "none") != 0 ? add_robustness(&m) : HS_OK);
    for (size_t i = 0; i < plan.n; i++) {
        HS_TRY(hs_words_ok(&plan.step[i].words));
    }
    *out = plan;
    plan = (hs_verify_plan){0};
out:
    free(list);
    hs_verify_plan_free(&plan);
    return rc;
}
