#include "analysis/cli/compare_in.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/shipped.h"
#include "core/base/alloc.h"
#include "core/base/text.h"

enum { MOST_GIB = 2 };

void hs_compared_free(hs_compared *s)
{
    hs_side_dirs_free(&s->dirs);
    hs_scorer_free(s->scorer);
    hs_side_free(&s->side);
    hs_source_free(&s->source);
    hs_steps_free(&s->steps);
    if (s->is_model) {
        hs_model_free(&s->model);
    }
    free(s->x_T);
    free(s->h);
    free(s->t);
    free(s->step);
    memset(s, 0, sizeof *s);
}

static void name_after(hs_compared *s, const char *path)
{
    const char *slash = strrchr(path, '/');
    hs_text_escape(slash != NULL && slash[1] != '\0' ? slash + 1 : path, s->name, sizeof s->name);
}

/* ---- Files ---- */

HS_CHECKED static int open_file(hs_cmd *c, const char *spec, hs_compared *s)
{
    int rc;
    HS_TRY(hs_side_open(c, spec, &s->side));
    if (s->side.dir.dh != NULL) {
        rc = hs_fail(HS_ERANGE, "%s: a direction; wanted activations (directions go to --directions-a and -b)", spec);
        goto out;
    }
    s->n = s->side.n;
    s->S = s->side.S;
    s->d = s->side.d;
    name_after(s, spec);
    if (s->side.store != NULL) {
        const char *model = hs_store_attr(s->side.store, "model_name"), *tap = hs_store_attr(s->side.store, "tap");
        const char *sha = hs_store_attr(s->side.store, "model_sha256"),
                   *untrained = hs_store_attr(s->side.store, "untrained");
        if (model != NULL && model[0] != '\0') {
            snprintf(s->name, sizeof s->name, "%s", model);
        }
        snprintf(s->tap, sizeof s->tap, "%s", tap != NULL ? tap : "");
        snprintf(s->sha256, sizeof s->sha256, "%s", sha != NULL ? sha : "");
        s->untrained = untrained != NULL && strcmp(untrained, "1") == 0;
        HS_TRY(hs_store_pairing(s->side.store, s->pairing));
    }
    if (s->side.t != NULL) {
        HS_TRY(hs_alloc(s->S, sizeof *s->t, &s->t));
        memcpy(s->t, s->side.t, s->S * sizeof *s->t);
    }
out:
    return rc;
}

/* ---- Models ---- */

typedef struct {
    hs_compared *s;
    const hs_unet *u;
    hs_unet_ws *ws;
    int *t;
    float *batch_h;
    size_t first; /* image of the batch at hand */
} asking;

/* The plain predictor, with h put aside. */
HS_CHECKED static int predict(void *ctx, size_t n, const float *x_t, int t, size_t step, float *eps_p, float *eps_d)
{
    asking *a = ctx;
    int rc;
    size_t d_x = hs_chw_size(hs_unet_image_shape(hs_unet_config_of(a->u)));
    for (size_t i = 0; i < n; i++) {
        a->t[i] = t;
    }
    float *h = a->s->h + (step * a->s->n + a->first) * a->s->d;
    HS_TRY(hs_unet_encode(a->u, a->ws, n, x_t, a->t, h));
    HS_TRY(hs_side_dirs_see(&a->s->dirs, a->u, a->ws, step, n, h));
    HS_TRY(hs_unet_decode(a->u, a->ws, n, NULL, h, eps_p));
    memcpy(eps_d, eps_p, n * d_x * sizeof *eps_d);
out:
    return rc;
}

/* s->h <- of every image at every step. */
HS_CHECKED static int ask(hs_cmd *c, hs_compared *s)
{
    int rc;
    size_t B = hs_common_batch(c, s->n), d_x = hs_chw_size(s->source.image);
    asking a = {.s = s, .u = s->model.unet};
    float *x = NULL;
    const hs_ddim_options o = {.clip = hs_common_clipping(c, &s->model)};
    HS_TRY(hs_unet_ws_create(s->model.unet, B, B, hs_common_conv(c), &a.ws));
    HS_TRY(hs_alloc(B, sizeof *a.t, &a.t));
    HS_TRY(hs_alloc(B, d_x * sizeof *x, &x));
    for (a.first = 0; a.first < s->n; a.first += B) {
        size_t count = s->n - a.first < B ? s->n - a.first : B;
        HS_TRY(hs_progress_tell(hs_cmd_progress(c), s->name, a.first, s->n));
        hs_unet_ws_first(a.ws, a.first);
        memcpy(x, s->x_T + a.first * d_x, count * d_x * sizeof *x);
        HS_TRY(hs_ddim_sample(&(hs_predictor){predict, &a}, &s->steps, &o, count, d_x, x));
    }
out:
    hs_unet_ws_free(a.ws);
    free(a.t);
    free(x);
    return rc;
}

HS_CHECKED static int open_weights(hs_cmd *c, hs_compared *s)
{
    int rc;
    HS_TRY(hs_common_model_named(c, s->spec, &s->model));
    s->is_model = 1;
    s->untrained = s->model.untrained;
    name_after(s, s->spec);
    snprintf(s->sha256, sizeof s->sha256, "%s", s->model.sha256);
    snprintf(s->tap, sizeof s->tap, "mid_block.out");
out:
    return rc;
}

/* Hash of what the samples start from: x_T itself, but for images that each model inverts by itself. */
HS_CHECKED static int hash_start(hs_compared *s)
{
    int rc = HS_OK;
    if (s->source.kind != HS_SOURCE_IMAGES) {
        return hs_sha256_of(s->x_T, s->n * hs_chw_size(s->source.image) * sizeof *s->x_T, s->pairing);
    }
    hs_str names = {0};
    for (size_t i = 0; i < s->n; i++) {
        hs_str_addf(&names, "%s\n", s->source.name[i]);
    }
    HS_TRY(hs_str_ok(&names));
    HS_TRY(hs_sha256_of(names.s, names.len, s->pairing));
out:
    hs_str_free(&names);
    return rc;
}

HS_CHECKED static int open_model(hs_cmd *c, hs_compared *s)
{
    int rc;
    uint64_t bytes = (uint64_t)MOST_GIB << 30;
    size_t cells;
    HS_TRY(open_weights(c, s));
    HS_TRY(hs_common_steps(c, &s->model.schedule, &s->steps));
    HS_TRY(hs_source_open(c, &s->model, &s->steps, &s->source));
    s->n = s->source.n;
    s->S = s->steps.S;
    s->d = hs_chw_size(hs_unet_h_shape(hs_unet_config_of(s->model.unet)));
    HS_TRY(hs_size_product(3, (const uint64_t[]){s->n, s->S, s->d}, &cells));
    if (cells > bytes / sizeof(float)) {
        rc =
            hs_fail(HS_ELIMIT, "%s: h of %zu images x %zu steps takes more than %d GiB; dump it and compare the stores",
                    s->spec, s->n, s->S, MOST_GIB);
        goto out;
    }
    HS_TRY(hs_alloc(s->S, sizeof *s->t, &s->t));
    for (size_t k = 0; k < s->S; k++) {
        s->t[k] = s->steps.step[k].t;
    }
out:
    return rc;
}

int hs_compared_ask(hs_cmd *c, hs_compared *s)
{
    int rc = HS_OK;
    if (!s->is_model) {
        return HS_OK;
    }
    HS_TRY(hs_alloc(s->n, hs_chw_size(s->source.image) * sizeof *s->x_T, &s->x_T));
    HS_TRY(hs_source_x_T(&s->source, 0, s->n, s->x_T));
    HS_TRY(hash_start(s));
    HS_TRY(hs_alloc(s->n * s->S, s->d * sizeof *s->h, &s->h));
    HS_TRY(ask(c, s));
out:
    return rc;
}

int hs_compared_is_model(const char *spec)
{
    const char *dot = strrchr(spec, '.');
    return dot == NULL || (strcmp(dot, ".h5") != 0 && strcmp(dot, ".hdf5") != 0 && strcmp(dot, ".npy") != 0);
}

int hs_compared_open(hs_cmd *c, const hs_compared_spec *spec, hs_compared *s)
{
    int rc;
    memset(s, 0, sizeof *s);
    s->spec = spec->spec;
    HS_TRY(hs_compared_is_model(s->spec) ? open_model(c, s) : open_file(c, s->spec, s));
    if (spec->directions != NULL) {
        const hs_side_home home = {s->spec, s->sha256, s->is_model ? s->model.unet : NULL, s->S, s->d};
        HS_TRY(hs_side_dirs_open(c, spec->directions, &home, &s->dirs));
    }
out:
    if (rc != HS_OK) {
        hs_compared_free(s);
    }
    return rc;
}

/* ---- Attribute networks ---- */

static const char *factor_of(const hs_attrnet_config *a, size_t f)
{
    return f < a->n_factors ? a->factor[f].name : "missing";
}

/* The network reads s's images, and the factors of the first one. */
HS_CHECKED static int check_reader(const hs_compared *s, const char *attr, const hs_scorer *first,
                                   const char *first_attr)
{
    const size_t channels = hs_unet_image_shape(hs_unet_config_of(s->model.unet)).c;
    const hs_attrnet_config *a = hs_scorer_config(first), *b = hs_scorer_config(s->scorer);
    size_t f = 0;
    if (channels != 1 && channels != 3) {
        return hs_fail(HS_ESHAPE, "%.60s: images of %zu channels; %.60s reads 1 or 3", s->spec, channels, attr);
    }
    while (f < a->n_factors && f < b->n_factors && strcmp(factor_of(a, f), factor_of(b, f)) == 0) {
        f++;
    }
    return f == a->n_factors && f == b->n_factors
               ? HS_OK
               : hs_fail(HS_ESHAPE,
                         "%.60s and %.60s don't read the same factors: number %zu is %.31s beside %.31s (of %zu and "
                         "%zu); effects are compared factor by factor",
                         first_attr, attr, f + 1, factor_of(a, f), factor_of(b, f), a->n_factors, b->n_factors);
}

int hs_compared_readers(hs_cmd *c, size_t count, const hs_compared_spec *spec, hs_compared *list)
{
    int rc = HS_OK, all = 1;
    const char *const *each;
    int listed = hs_cmd_list(c, "attrs", &each) > 0;
    for (size_t i = 0; i < count; i++) {
        all = all && list[i].is_model && list[i].dirs.n > 0;
    }
    for (size_t i = 0; i < count && all; i++) {
        size_t j = 0;
        while (strcmp(spec[j].attr, spec[i].attr) != 0) {
            j++;
        }
        if (j < i) {
            list[i].scorer = hs_scorer_share(list[j].scorer);
        } else {
            HS_TRY(hs_common_scorer_named(c, listed ? "attrs" : (i == 0 ? "attr" : "attr-b"), spec[i].attr,
                                          hs_common_conv(c), &list[i].scorer));
        }
        HS_TRY(check_reader(&list[i], spec[i].attr, list[0].scorer, spec[0].attr));
    }
out:
    return rc;
}

/* ---- Together ---- */

HS_CHECKED static int read_common(void *ctx, size_t k, size_t first, size_t count, float *out)
{
    const hs_compared *s = ctx;
    size_t at = s->step[k];
    if (s->side.store != NULL) {
        return hs_store_read_h(s->side.store, at, first, count, out);
    }
    const float *from = s->h != NULL ? s->h + (at * s->n + first) * s->d : s->side.array.v + first * s->d;
    memcpy(out, from, count * s->d * sizeof *out);
    return HS_OK;
}

/* Where timestep t stands; S when nowhere.  Files without timesteps have one step, whichever it is. */
static size_t step_of(const hs_compared *s, int t)
{
    size_t k = 0;
    while (s->t != NULL && k < s->S && s->t[k] != t) {
        k++;
    }
    return k;
}

HS_CHECKED static int common_steps(size_t count, hs_compared *list)
{
    int rc = HS_OK;
    const hs_compared *lead = &list[0];
    for (size_t i = 0; i < count; i++) {
        list[i].view = (hs_compare_side){list[i].n, 0, list[i].d, NULL, read_common, &list[i]};
        HS_TRY(hs_alloc(list[i].S > lead->S ? list[i].S : lead->S, sizeof *list[i].step, &list[i].step));
    }
    for (size_t k = 0; k < lead->S; k++) {
        int all = 1;
        for (size_t i = 0; i < count; i++) {
            all = all && (lead->t == NULL || step_of(&list[i], lead->t[k]) < list[i].S);
        }
        for (size_t i = 0; i < count && all; i++) {
            list[i].step[list[i].view.S++] = lead->t != NULL ? step_of(&list[i], lead->t[k]) : k;
        }
    }
    if (lead->view.S == 0) {
        rc = hs_fail(HS_ESHAPE, "%s and %s: no timestep in common", lead->spec, list[1].spec);
    }
out:
    return rc;
}

/* t of the common steps, in the views. */
static void put_timesteps(size_t count, hs_compared *list)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < list[i].view.S && list[i].t != NULL; k++) {
            list[i].t[k] = list[i].t[list[i].step[k]]; /* step rises: nothing is read after it was written */
        }
        list[i].view.t = list[i].t;
    }
}

HS_CHECKED static int check_pair(hs_cmd *c, const hs_compared *a, const hs_compared *b)
{
    if (a->n != b->n) {
        return hs_fail(HS_ESHAPE, "%s has %zu images, %s %zu; wanted the same", a->spec, a->n, b->spec, b->n);
    }
    if (strcmp(a->tap, b->tap) != 0 && a->tap[0] != '\0' && b->tap[0] != '\0') {
        if (!hs_cmd_flag(c, "any-tap")) {
            return hs_fail(HS_ESHAPE, "%s is of tap %s, %s of %s; wanted the same, or --any-tap", a->spec, a->tap,
                           b->spec, b->tap);
        }
        hs_cmd_warn(c, "%s is of tap %s, %s of %s", a->spec, a->tap, b->spec, b->tap);
    }
    return HS_OK;
}

int hs_compared_check(hs_cmd *c, size_t count, const hs_compared *list)
{
    int rc = HS_OK;
    for (size_t i = 1; i < count; i++) {
        HS_TRY(check_pair(c, &list[0], &list[i]));
    }
out:
    return rc;
}

HS_CHECKED static int check_starts(const hs_compared *a, const hs_compared *b)
{
    return a->pairing[0] == '\0' || b->pairing[0] == '\0' || strcmp(a->pairing, b->pairing) == 0
               ? HS_OK
               : hs_fail(HS_ESHAPE,
                         "%.60s and %.60s: samples don't pair, they start from %s and %s; wanted the same x_T", a->spec,
                         b->spec, a->pairing, b->pairing);
}

/* NaN where an array doesn't say. */
static double alpha_bar_at(const hs_compared *s, size_t k)
{
    return s->is_model             ? s->steps.step[s->step[k]].alpha_bar
           : s->side.store != NULL ? hs_store_alpha_bar(s->side.store)[s->step[k]]
                                   : NAN;
}

/* Of log(alpha_bar / (1 - alpha_bar)): smaller differences are none. */
#define NOISE_APART 0.1

/* Steps pair by their timestep; a network of another schedule sees more noise there, or less. */
static void warn_of_noise(hs_cmd *c, const hs_compared *a, const hs_compared *b)
{
    size_t differ = 0, at = 0;
    double most = NOISE_APART;
    for (size_t k = 0; a->t != NULL && b->t != NULL && k < a->view.S; k++) {
        double x = alpha_bar_at(a, k), y = alpha_bar_at(b, k), apart = fabs(log(x / (1 - x)) - log(y / (1 - y)));
        differ += apart > NOISE_APART;
        if (apart > most) {
            most = apart, at = k;
        }
    }
    if (differ > 0) {
        hs_cmd_warn(c, "%s and %s hold other noise at %zu of %zu timesteps, most at t = %d (alpha_bar %.2g and %.2g)",
                    a->name, b->name, differ, a->view.S, a->view.t[at], alpha_bar_at(a, at), alpha_bar_at(b, at));
    }
}

int hs_compared_match(hs_cmd *c, size_t count, hs_compared *list)
{
    int rc = HS_OK, unknown = 0;
    for (size_t i = 0; i < count; i++) {
        HS_TRY(check_starts(&list[0], &list[i]));
        unknown |= list[i].pairing[0] == '\0' && !hs_cmd_dry_run(c);
        if ((list[i].t == NULL) != (list[0].t == NULL) && (list[i].S > 1 || list[0].S > 1)) {
            rc = hs_fail(HS_ESHAPE, "%s has timesteps, %s does not", list[list[0].t == NULL ? i : 0].spec,
                         list[list[0].t == NULL ? 0 : i].spec);
            goto out;
        }
    }
    if (unknown) {
        hs_cmd_warn(c, "an array, or a store made of arrays, doesn't say what its rows start from: row i of each is "
                       "taken for the same image");
    }
    HS_TRY(common_steps(count, list));
    if (list[0].view.S < list[0].S) {
        hs_cmd_warn(c, "%zu of %zu timesteps are common to all; the others are left out", list[0].view.S, list[0].S);
    }
    put_timesteps(count, list);
    for (size_t i = 1; i < count; i++) {
        warn_of_noise(c, &list[0], &list[i]);
    }
    for (size_t i = 0; i < count && !hs_cmd_dry_run(c); i++) {
        const hs_compared *s = &list[i];
        HS_TRY(hs_side_dirs_at(&list[i].dirs, s->d, s->view.S, s->step, s->view.t, s->n));
    }
out:
    return rc;
}

int hs_compared_data(size_t count, const hs_compared *list, char hex[HS_SHA256_HEX])
{
    int rc = HS_OK;
    hs_sha256 *sha = NULL;
    HS_TRY(hs_sha256_new(&sha));
    for (size_t i = 0; i < count; i++) {
        const hs_side *s = &list[i].side;
        const char *id = s->store != NULL ? hs_store_attr(s->store, "hspace_store_id") : NULL;
        HS_TRY(id != NULL ? hs_sha256_add(sha, id, strlen(id))
                          : hs_sha256_add(sha, s->array.v, s->n * s->d * sizeof(float)));
    }
    HS_TRY(hs_sha256_hex(sha, hex));
out:
    hs_sha256_free(sha);
    return rc;
}
