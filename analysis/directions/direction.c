#include "analysis/directions/direction.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/directions/direction_net.h"
#include "core/base/alloc.h"
#include "core/base/text.h"

hs_chw hs_space_shape(const hs_store *store, hs_space space)
{
    return space == HS_SPACE_EPS ? hs_store_image(store) : hs_store_h(store);
}

int hs_space_read(const hs_store *store, hs_space space, size_t k, size_t first, size_t count, float *out)
{
    return space == HS_SPACE_EPS ? hs_store_read_eps(store, k, first, count, out)
                                 : hs_store_read_h(store, k, first, count, out);
}

const char *hs_direction_array(hs_space space)
{
    return space == HS_SPACE_EPS ? "delta_eps" : "delta_h";
}

int hs_direction_split(const char *spec, char **file, char **name)
{
    int rc = HS_OK;
    const char *colon = strrchr(spec, ':');
    *name = NULL;
    HS_TRY(hs_strdup(spec, file));
    if (access(spec, F_OK) != 0 && colon != NULL) {
        (*file)[colon - spec] = '\0';
        HS_TRY(hs_strdup(colon + 1, name));
    }
out:
    return rc;
}

HS_CHECKED static int fail_with_list(const char *file, const char *why, size_t n, char *const *names)
{
    hs_str list = {0};
    for (size_t i = 0; i < n && i < 12; i++) {
        hs_str_addf(&list, "%s%s", i > 0 ? ", " : "", names[i]);
    }
    int rc =
        hs_fail(HS_ERANGE, "%.200s: %s: %.120s%s", file, why, list.s != NULL ? list.s : "none", n > 12 ? ", ..." : "");
    hs_str_free(&list);
    return rc;
}

HS_CHECKED static int find_name(const char *file, const char *name, size_t n, char *const *names, size_t *index)
{
    if (name == NULL) {
        *index = 0;
        return n == 1 ? HS_OK : fail_with_list(file, "holds several directions, name one with FILE:NAME", n, names);
    }
    for (size_t i = 0; i < n; i++) {
        if (strcmp(names[i], name) == 0) {
            *index = i;
            return HS_OK;
        }
    }
    int64_t k = 0;
    if (n > 0 && hs_text_i64(name, 0, (int64_t)n - 1, &k) == HS_OK) {
        *index = (size_t)k;
        return HS_OK;
    }
    char why[128];
    snprintf(why, sizeof why, "no direction '%.60s'; there are", name);
    return fail_with_list(file, why, n, names);
}

HS_CHECKED static int read_names(hs_result_in *r, const char *file, size_t *n, char ***names)
{
    if (!hs_result_has_texts(r, "direction")) {
        return hs_fail(HS_EFORMAT,
                       "%.200s: holds no directions (kind '%.40s'); wanted a file of hspace pca, direction or import",
                       file, hs_result_kind(r));
    }
    return hs_result_get_strings(r, "direction", n, names);
}

int hs_direction_names(const char *path, size_t *n, char ***names)
{
    int rc;
    hs_result_in *r = NULL;
    HS_TRY(hs_result_open(path, &r));
    HS_TRY(read_names(r, path, n, names));
out:
    hs_result_close(r);
    return rc;
}

int hs_direction_spec(const char *path, size_t i, const char *name, hs_str *spec)
{
    spec->len = 0;
    if (strchr(name, ':') == NULL) {
        hs_str_addf(spec, "%s:%s", path, name);
    } else {
        hs_str_addf(spec, "%s:%zu", path, i);
    }
    return hs_str_ok(spec);
}

HS_CHECKED static int read_timesteps(hs_result_in *r, const char *array, hs_direction *d)
{
    int rc;
    double *v = NULL;
    size_t rank, dim[8];
    HS_TRY(hs_result_shape(r, array, &rank, dim));
    if (rank != 1 || dim[0] != d->S) {
        rc = hs_fail(HS_EFORMAT, "%.200s: /%.80s does not match the %zu steps of dh", d->file, array, d->S);
        goto out;
    }
    HS_TRY(hs_result_get_f64(r, array, &v));
    HS_TRY(hs_alloc(d->S, sizeof *d->t, &d->t));
    for (size_t k = 0; k < d->S; k++) {
        if (!(v[k] >= 0 && v[k] < 1e9) || (k > 0 && v[k] >= v[k - 1])) {
            rc = hs_fail(HS_EFORMAT, "%.200s: /%.80s must be descending and not negative", d->file, array);
            goto out;
        }
        d->t[k] = (int)v[k];
    }
out:
    free(v);
    return rc;
}

HS_CHECKED static int check_finite(const hs_direction *d, size_t size)
{
    for (size_t k = 0; k < size; k++) {
        if (!isfinite(d->dh[k])) {
            return hs_fail(HS_EFORMAT, "%.200s:%.60s: /%s holds a value that is not finite", d->file, d->name,
                           hs_direction_array(d->space));
        }
    }
    return HS_OK;
}

HS_CHECKED static int read_match(hs_result_in *r, const char *array, hs_direction *d)
{
    char *text = NULL;
    int rc = HS_OK;
    if (hs_result_attr_get_str(r, array, "match", &text) == HS_OK) {
        rc = hs_match_of(text, &d->match) == HS_OK
                 ? HS_OK
                 : hs_fail(HS_EFORMAT, "%.200s: /%.80s: match '%.40s' is unknown", d->file, array, text);
    }
    free(text);
    return rc;
}

/* Room for the dh of shape ([S,] C, H, W), the last `rank` of dim. */
HS_CHECKED static int make_room(size_t rank, const size_t *dim, hs_direction *d, size_t *size)
{
    int rc;
    const size_t *chw = dim + rank - 3;
    d->shape = (hs_chw){chw[0], chw[1], chw[2]};
    d->S = rank == 4 ? dim[0] : 0;
    HS_TRY(hs_size_mul(d->S > 0 ? d->S : 1, hs_chw_size(d->shape), size));
    HS_TRY(hs_alloc(*size, sizeof *d->dh, &d->dh));
out:
    return rc;
}

/* The dh of direction i of n in /delta_h: rank 5 with timesteps, rank 4 without. */
HS_CHECKED static int read_delta(hs_result_in *r, size_t i, size_t n, hs_direction *d)
{
    int rc;
    const char *array = hs_direction_array(d->space);
    size_t rank, dim[8], size;
    HS_TRY(hs_result_shape(r, array, &rank, dim));
    if ((rank != 4 && rank != 5) || dim[0] != n) {
        rc = hs_fail(HS_EFORMAT, "%.200s: /%s has %zu dimensions, first %zu; wanted (%zu, [timestep,] channel, y, x)",
                     d->file, array, rank, dim[0], n);
        goto out;
    }
    HS_TRY(make_room(rank - 1, dim + 1, d, &size));
    HS_TRY(hs_result_get_rows(r, array, i, 1, d->dh));
    HS_TRY(check_finite(d, size));
    HS_TRY(read_match(r, array, d));
    if (d->S > 0) {
        HS_TRY(read_timesteps(r, "timestep", d));
    }
out:
    return rc;
}

/* The dh in an array of its own, NAME.delta_h: rank 4 with NAME.timestep, rank 3 without. */
HS_CHECKED static int read_named(hs_result_in *r, const char *array, hs_direction *d)
{
    int rc;
    size_t rank, dim[8], size;
    char times[128];
    HS_TRY(hs_result_shape(r, array, &rank, dim));
    if (rank != 3 && rank != 4) {
        rc = hs_fail(HS_EFORMAT, "%.200s: /%.80s has %zu dimensions; wanted ([timestep,] channel, y, x)", d->file,
                     array, rank);
        goto out;
    }
    HS_TRY(make_room(rank, dim, d, &size));
    HS_TRY(hs_result_get_rows(r, array, 0, dim[0], d->dh));
    HS_TRY(check_finite(d, size));
    HS_TRY(read_match(r, array, d));
    if (d->S > 0) {
        snprintf(times, sizeof times, "%.80s.timestep", d->name);
        HS_TRY(read_timesteps(r, times, d));
    }
out:
    return rc;
}

HS_CHECKED static int optional_attr(hs_result_in *r, const char *name, char **out)
{
    return hs_result_attr_get_str(r, NULL, name, out) == HS_OK ? HS_OK : hs_strdup("", out);
}

/* A number, of steps or of a stream, 0 where the file doesn't say a sensible one. */
static size_t read_count(hs_result_in *r, const char *name)
{
    double v = 0;
    return hs_result_attr_get_f64(r, NULL, name, &v) == HS_OK && v >= 1 && v <= 1e6 ? (size_t)v : 0;
}

HS_CHECKED static int read_space(hs_result_in *r, hs_direction *d)
{
    char *space = NULL;
    int rc = HS_OK;
    HS_TRY(optional_attr(r, "space", &space));
    if (strcmp(space, "eps") == 0) {
        d->space = HS_SPACE_EPS;
    } else if (space[0] != '\0' && strcmp(space, "h") != 0) {
        rc = hs_fail(HS_EFORMAT, "%.200s: directions in the space \"%.20s\"; wanted h or eps", d->file, space);
    }
out:
    free(space);
    return rc;
}

int hs_direction_open(const char *spec, hs_direction *out)
{
    int rc;
    hs_result_in *r = NULL;
    size_t n = 0, i = 0;
    char **names = NULL, *name = NULL, own[128];
    hs_direction d = {0};
    HS_TRY(hs_direction_split(spec, &d.file, &name));
    HS_TRY(hs_result_open(d.file, &r));
    HS_TRY(read_names(r, d.file, &n, &names));
    HS_TRY(find_name(d.file, name, n, names, &i));
    HS_TRY(hs_strdup(names[i], &d.name));
    HS_TRY(optional_attr(r, "model_sha256", &d.model_sha256));
    HS_TRY(optional_attr(r, "tap", &d.tap));
    d.found_steps = read_count(r, "found_steps");
    d.found_t_edit = (int)read_count(r, "t_edit");
    d.seed = (unsigned long long)read_count(r, "seed");
    HS_TRY(read_space(r, &d));
    snprintf(own, sizeof own, "%.80s.%s", d.name, hs_direction_array(d.space));
    HS_TRY(hs_result_has(r, own)                           ? read_named(r, own, &d)
           : hs_result_has(r, hs_direction_array(d.space)) ? read_delta(r, i, n, &d)
                                                           : hs_direction_read_network(r, &d));
    *out = d;
    memset(&d, 0, sizeof d);
out:
    hs_result_close(r);
    hs_strings_free(n, names);
    free(name);
    hs_direction_free(&d);
    return rc;
}

void hs_direction_free(hs_direction *d)
{
    free(d->file);
    free(d->name);
    free(d->t);
    free(d->dh);
    hs_deltablock_free(d->net);
    free(d->model_sha256);
    free(d->tap);
    memset(d, 0, sizeof *d);
}

size_t hs_direction_patch(const hs_unet_config *cfg)
{
    return hs_unet_image_shape(cfg).h / hs_unet_h_shape(cfg).h;
}

HS_CHECKED static int shape_fits(const hs_direction *d, const hs_unet_config *cfg)
{
    int eps = d->space == HS_SPACE_EPS;
    hs_chw want = eps ? hs_unet_image_shape(cfg) : hs_unet_h_shape(cfg);
    size_t patch = eps ? hs_direction_patch(cfg) : 1, channels = want.c * patch * patch;
    if (d->net != NULL && (d->shape.c != channels || hs_deltablock_temb_dim(d->net) != cfg->temb_dim)) {
        return hs_fail(HS_ESHAPE,
                       "%.200s:%.60s: f_t of %zu channels and a time embedding of %zu; the model has %zu and %zu",
                       d->file, d->name, d->shape.c, hs_deltablock_temb_dim(d->net), channels, cfg->temb_dim);
    }
    if (d->net == NULL && (d->shape.c != want.c || d->shape.h != want.h || d->shape.w != want.w)) {
        return hs_fail(HS_ESHAPE,
                       "%.200s:%.60s: a direction of shape (%zu, %zu, %zu); %s of the model is (%zu, %zu, %zu)",
                       d->file, d->name, d->shape.c, d->shape.h, d->shape.w, eps ? "eps" : "h", want.c, want.h, want.w);
    }
    return HS_OK;
}

/* The middle block's output, by its names, or a place that nobody told. */
static int is_our_tap(const char *tap)
{
    static const char *const names[] = {"", "unknown", "mid", "mid_block.out"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(tap, names[i]) == 0) {
            return 1;
        }
    }
    return 0;
}

int hs_direction_fits(const hs_direction *d, const hs_unet_config *cfg, const char *model_sha256, int force)
{
    int rc = HS_OK;
    HS_TRY(shape_fits(d, cfg));
    if (!force && d->space == HS_SPACE_H && !is_our_tap(d->tap)) {
        rc = hs_fail(HS_ESHAPE,
                     "%.200s:%.60s: of the tap '%.60s'; edits act at mid_block.out (--force: there all the same)",
                     d->file, d->name, d->tap);
        goto out;
    }
    if (!force && d->model_sha256[0] != '\0' && strcmp(d->model_sha256, model_sha256) != 0) {
        rc = hs_fail(HS_ESHAPE, "%.200s:%.60s: found on model %.12s, --model is %.12s; use the same model or --force",
                     d->file, d->name, d->model_sha256, model_sha256);
    }
out:
    return rc;
}

static const char *const match_names[] = {"linear", "nearest", "exact"};

const char *hs_match_name(hs_match m)
{
    return match_names[m];
}

int hs_match_of(const char *text, hs_match *out)
{
    for (size_t i = 0; i < sizeof match_names / sizeof *match_names; i++) {
        if (strcmp(text, match_names[i]) == 0) {
            *out = (hs_match)i;
            return HS_OK;
        }
    }
    return hs_fail(HS_ERANGE, "'%.40s' is unknown; wanted exact, nearest or linear", text);
}

int hs_direction_covers(const hs_direction *d, const hs_steps *steps, int t_edit)
{
    size_t at = 0;
    for (size_t k = 0; d->S > 0 && d->match == HS_MATCH_EXACT && k < steps->S && steps->step[k].t >= t_edit; k++) {
        int t = steps->step[k].t;
        while (at < d->S && d->t[at] > t) {
            at++;
        }
        if (at == d->S || d->t[at] != t) {
            return hs_fail(HS_ESHAPE,
                           "%.200s:%.60s: nothing at t = %d, which the sampler visits; --match nearest or linear takes "
                           "what is there",
                           d->file, d->name, t);
        }
    }
    return HS_OK;
}

void hs_direction_at(const hs_direction *d, int t, float *out)
{
    size_t size = hs_chw_size(d->shape), above = 0;
    if (d->S == 0) {
        memcpy(out, d->dh, size * sizeof *out);
        return;
    }
    while (above + 1 < d->S && d->t[above + 1] >= t) {
        above++;
    }
    size_t below = above + 1 < d->S && d->t[above] > t ? above + 1 : above;
    double w = below == above ? 0 : (double)(d->t[above] - t) / (double)(d->t[above] - d->t[below]);
    if (d->match != HS_MATCH_LINEAR) {
        w = w > 0.5 ? 1 : 0;
    }
    const float *a = d->dh + above * size, *b = d->dh + below * size;
    for (size_t i = 0; i < size; i++) {
        out[i] = (float)((1 - w) * (double)a[i] + w * (double)b[i]);
    }
}

int hs_direction_rescale(const hs_direction *d, const hs_schedule *schedule, const hs_steps *steps, int t_edit,
                         hs_rescale rule, double *factor)
{
    int rc = HS_OK;
    hs_steps found = {0};
    if (rule == HS_RESCALE_NONE) {
        *factor = 1;
        return HS_OK;
    }
    if (d->S == 0 && d->found_steps == 0) {
        return hs_fail(HS_ERANGE,
                       "--rescale: %.200s:%.60s does not say with which steps it was found; use none, or --found-steps",
                       d->file, d->name);
    }
    const hs_steps_spec spaced = {HS_SPACING_ASYRP, d->found_steps, 0, 1};
    HS_TRY(d->S > 0 ? hs_steps_from_list(schedule, d->S, d->t, &found) : hs_steps_create(schedule, &spaced, &found));
    HS_TRY(hs_rescale_factor(rule, &found, steps, t_edit, factor));
out:
    hs_steps_free(&found);
    return hs_fail_in(rc, "--rescale");
}

int hs_direction_put_space(hs_result *r, hs_space space)
{
    return space == HS_SPACE_EPS ? hs_result_attr_str(r, NULL, "space", "eps") : HS_OK;
}

int hs_direction_put_origin(hs_result *r, const char *method, const char *tap, const char *model_sha256)
{
    int rc;
    HS_TRY(hs_result_attr_str(r, NULL, "method", method));
    HS_TRY(hs_result_attr_str(r, NULL, "tap", tap));
    HS_TRY(hs_result_attr_str(r, NULL, "model_sha256", model_sha256));
out:
    return rc;
}

HS_CHECKED static int describe_array(hs_result *r, const char *array, hs_space space)
{
    int rc;
    HS_TRY(hs_result_attr_str(r, array, "long_name",
                              space == HS_SPACE_EPS ? "change of the predicted noise added at strength 1"
                                                    : "change of h added at strength 1"));
    HS_TRY(hs_result_attr_str(r, array, "units", "1"));
out:
    return rc;
}

int hs_direction_put(hs_result *r, const hs_direction_set *set)
{
    int rc;
    int64_t *t = NULL;
    size_t with_t[] = {set->n, set->S, set->shape.c, set->shape.h, set->shape.w};
    const char *array = hs_direction_array(set->space);
    size_t constant[] = {set->n, set->shape.c, set->shape.h, set->shape.w};
    HS_TRY(hs_result_put_strings(r, "direction", "direction", set->n, set->name));
    if (set->S > 0) {
        HS_TRY(hs_alloc(set->S, sizeof *t, &t));
        for (size_t k = 0; k < set->S; k++) {
            t[k] = set->t[k];
        }
        HS_TRY(hs_result_put_i64(r, "timestep", "timestep", 1, &set->S, t));
        HS_TRY(hs_result_define_f32(r, array, "direction,timestep,channel,y,x", 5, with_t));
    } else {
        HS_TRY(hs_result_define_f32(r, array, "direction,channel,y,x", 4, constant));
    }
    HS_TRY(describe_array(r, array, set->space));
    HS_TRY(hs_direction_put_space(r, set->space));
    HS_TRY(hs_direction_put_origin(r, set->method, set->tap, set->model_sha256));
out:
    free(t);
    return rc;
}

int hs_direction_put_named(hs_result *r, hs_space space, const char *name, hs_chw shape, size_t S, const int *t,
                           hs_match match, const float *dh)
{
    int rc;
    int64_t *list = NULL;
    char times[128], array[128], dims[160];
    const size_t with_t[] = {S, shape.c, shape.h, shape.w};
    if (strlen(name) > 50 || name[0] == '\0' || strpbrk(name, "/,") != NULL) {
        return hs_fail(HS_ERANGE, "direction '%.60s': wanted a name of 1 to 50 bytes without '/' and ','", name);
    }
    snprintf(times, sizeof times, "%s.timestep", name);
    snprintf(array, sizeof array, "%s.%s", name, hs_direction_array(space));
    snprintf(dims, sizeof dims, "%s,channel,y,x", times);
    if (S > 0) {
        HS_TRY(hs_alloc(S, sizeof *list, &list));
        for (size_t k = 0; k < S; k++) {
            list[k] = t[k];
        }
        HS_TRY(hs_result_put_i64(r, times, times, 1, &S, list));
        HS_TRY(hs_result_put_f32(r, array, dims, 4, with_t, dh));
    } else {
        HS_TRY(hs_result_put_f32(r, array, "channel,y,x", 3, with_t + 1, dh));
    }
    HS_TRY(describe_array(r, array, space));
    HS_TRY(hs_result_attr_str(r, array, "match", hs_match_name(match)));
out:
    free(list);
    return rc;
}
