/* hspace import: directions of one file or several, of whatever form, into one. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/import.h"
#include "analysis/directions/direction.h"
#include "core/base/alloc.h"

enum { NAME_MAX_BYTES = 64 };

/* What has been put into the file so far. */
typedef struct {
    hs_cmd *c;
    hs_result *out;
    size_t n;
    char **name;        /* (n) owned */
    char **origin;      /* (n) owned: the file it came from */
    char *tap;          /* of own files, the first that says; owned */
    char *model_sha256; /* the same */
    hs_space space;     /* of all */
    hs_chw h;           /* of the first dh; c 0: none yet */
} gathering;

static void gathering_free(gathering *g)
{
    for (size_t i = 0; i < g->n; i++) {
        free(g->name[i]);
        free(g->origin[i]);
    }
    free(g->name);
    free(g->origin);
    free(g->tap);
    free(g->model_sha256);
    hs_result_free(g->out);
}

static int has_extension(const char *path, const char *a, const char *b)
{
    const char *dot = strrchr(path, '.');
    return dot != NULL && (strcmp(dot, a) == 0 || strcmp(dot, b) == 0);
}

/* "smile" of "dir/smile.npy". */
static void name_of_file(const char *path, char out[NAME_MAX_BYTES])
{
    const char *base = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
    snprintf(out, NAME_MAX_BYTES, "%.50s", base);
    char *dot = strrchr(out, '.');
    if (dot != NULL && dot != out) {
        *dot = '\0';
    }
}

/* Takes a name down, once each; --name replaces the only one. */
HS_CHECKED static int note(gathering *g, const char *name, const char *path)
{
    int rc;
    for (size_t i = 0; i < g->n; i++) {
        if (strcmp(g->name[i], name) == 0) {
            return hs_fail(HS_ERANGE,
                           "%s: a second direction called '%.60s' (the first: %s); import it alone with --name", path,
                           name, g->origin[i]);
        }
    }
    char **names = realloc(g->name, (g->n + 1) * sizeof *names);
    g->name = names != NULL ? names : g->name;
    char **origins = realloc(g->origin, (g->n + 1) * sizeof *origins);
    g->origin = origins != NULL ? origins : g->origin;
    if (names == NULL || origins == NULL) {
        return hs_fail(HS_ENOMEM, "%s: out of memory", path);
    }
    g->name[g->n] = g->origin[g->n] = NULL;
    g->n++; /* from here on the gathering frees both */
    HS_TRY(hs_strdup(name, &g->name[g->n - 1]));
    HS_TRY(hs_strdup(path, &g->origin[g->n - 1]));
out:
    return rc;
}

HS_CHECKED static int check_shape(gathering *g, hs_chw h, const char *path)
{
    if (g->h.c > 0 && memcmp(&h, &g->h, sizeof h) != 0) {
        return hs_fail(HS_ESHAPE, "%s: dh of shape (%zu, %zu, %zu); that of %s is (%zu, %zu, %zu)", path, h.c, h.h, h.w,
                       g->origin[0], g->h.c, g->h.h, g->h.w);
    }
    g->h = h;
    return HS_OK;
}

/* The name of the one direction of a file that has none of its own. */
static const char *only_name(const gathering *g, const char *path, char buffer[NAME_MAX_BYTES])
{
    if (hs_cmd_str(g->c, "name") != NULL) {
        return hs_cmd_str(g->c, "name");
    }
    name_of_file(path, buffer);
    return buffer;
}

HS_CHECKED static int match_or(const gathering *g, hs_match fallback, hs_match *out)
{
    const char *text = hs_cmd_str(g->c, "match");
    *out = fallback;
    return text != NULL ? hs_match_of(text, out) : HS_OK;
}

/* ---- Networks ---- */

HS_CHECKED static int add_networks(gathering *g, const char *path, const hs_tensors *ts)
{
    char prefix[HS_DIRECTION_NETWORKS][8], buffer[NAME_MAX_BYTES], name[NAME_MAX_BYTES + 24];
    size_t n = hs_direction_networks(ts, prefix);
    int rc = HS_OK;
    if (n == 0) {
        return hs_fail(HS_EFORMAT,
                       "%s: no delta network (conv1, temb_proj, norm2, conv2; or in_layers, emb_layers, out_layers)",
                       path);
    }
    for (size_t i = 0; i < n; i++) {
        snprintf(name, sizeof name, i == 0 ? "%.60s" : "%.60s_%zu", only_name(g, path, buffer), i);
        HS_TRY(note(g, name, path));
        HS_TRY(hs_fail_in(hs_direction_put_network(g->out, ts, prefix[i], name), path));
    }
    HS_TRY(hs_cmd_input(g->c, path));
out:
    return rc;
}

/* ---- Dictionaries {t: tensor} ---- */

typedef struct {
    int t;
    const hs_tensor *tensor;
} timed;

static int by_falling_time(const void *a, const void *b)
{
    return ((const timed *)b)->t - ((const timed *)a)->t;
}

static int is_dictionary(const hs_tensors *ts)
{
    size_t n = hs_tensors_count(ts);
    int digits = n > 0;
    for (size_t i = 0; i < n; i++) {
        const char *name = hs_tensors_at(ts, i)->name;
        digits &= name[0] != '\0' && name[strspn(name, "0123456789")] == '\0' && strlen(name) < 8;
    }
    return digits;
}

/* One tensor, (1, C, H, W) or (C, H, W), into v (C H W); *h is its shape, that of the first where `first` is not it. */
HS_CHECKED static int take_tensor(const char *path, const timed *x, int first, hs_chw *h, float *v)
{
    const hs_tensor *s = x->tensor;
    size_t lead = s->rank == 4 && s->dim[0] == 1;
    if (s->rank - lead != 3 || s->count == 0) {
        return hs_fail(HS_ESHAPE, "%s: the tensor of t = %d has rank %zu; wanted (1, C, H, W)", path, x->t, s->rank);
    }
    hs_chw shape = {(size_t)s->dim[lead], (size_t)s->dim[lead + 1], (size_t)s->dim[lead + 2]};
    if (!first && memcmp(&shape, h, sizeof shape) != 0) {
        return hs_fail(HS_ESHAPE, "%s: the tensor of t = %d has another shape than the others", path, x->t);
    }
    *h = shape;
    if (v == NULL) {
        return HS_OK;
    }
    hs_to_f32(s->dtype, s->bytes, s->count, v);
    for (size_t i = 0; i < s->count; i++) {
        if (!isfinite(v[i])) {
            return hs_fail(HS_EFORMAT, "%s: the tensor of t = %d: element %zu is not finite", path, x->t, i);
        }
    }
    return HS_OK;
}

/* True when the last of S rows is the mean of the others: what the released code keeps under 0. */
static int last_is_mean(size_t S, size_t d, const float *v)
{
    double off = 0, all = 0;
    for (size_t j = 0; j < d && S > 2; j++) {
        double sum = 0, last = (double)v[(S - 1) * d + j];
        for (size_t k = 0; k + 1 < S; k++) {
            sum += (double)v[k * d + j];
        }
        off += pow(sum / (double)(S - 1) - last, 2);
        all += last * last;
    }
    return S > 2 && off <= 1e-8 * all;
}

HS_CHECKED static int put_dh(gathering *g, const char *name, const char *path, hs_chw h, size_t S, const int *t,
                             hs_match match, const float *v)
{
    int rc;
    HS_TRY(check_shape(g, h, path));
    HS_TRY(note(g, name, path));
    HS_TRY(hs_fail_in(hs_direction_put_named(g->out, g->space, name, h, S, t, match, v), path));
out:
    return rc;
}

/* Sorted by falling t; t (S) is filled. */
static void sort_by_time(const hs_tensors *ts, timed *list, int *t)
{
    size_t S = hs_tensors_count(ts);
    for (size_t i = 0; i < S; i++) {
        list[i] = (timed){(int)strtol(hs_tensors_at(ts, i)->name, NULL, 10), hs_tensors_at(ts, i)};
    }
    qsort(list, S, sizeof *list, by_falling_time);
    for (size_t i = 0; i < S; i++) {
        t[i] = list[i].t;
    }
}

HS_CHECKED static int add_dictionary(gathering *g, const char *path, const hs_tensors *ts)
{
    size_t S = hs_tensors_count(ts), d = 0;
    char buffer[NAME_MAX_BYTES], global[NAME_MAX_BYTES];
    const char *name = only_name(g, path, buffer);
    timed *list = NULL;
    int *t = NULL, rc = HS_OK;
    float *v = NULL;
    hs_chw h = {0};
    hs_match match;
    HS_TRY(match_or(g, HS_MATCH_EXACT, &match));
    HS_TRY(hs_alloc(S, sizeof *list, &list));
    HS_TRY(hs_alloc(S, sizeof *t, &t));
    sort_by_time(ts, list, t);
    for (size_t i = 0; i < S; i++) {
        HS_TRY(take_tensor(path, &list[i], i == 0, &h, NULL));
    }
    d = hs_chw_size(h);
    HS_TRY(hs_alloc(S, d * sizeof *v, &v));
    for (size_t i = 0; i < S; i++) {
        if (i > 0 && t[i] == t[i - 1]) {
            rc = hs_fail(HS_EFORMAT, "%s: t = %d is there twice", path, t[i]);
            goto out;
        }
        HS_TRY(take_tensor(path, &list[i], 0, &h, v + i * d));
    }
    int with_global = t[S - 1] == 0 && last_is_mean(S, d, v);
    HS_TRY(put_dh(g, name, path, h, S - (size_t)with_global, t, match, v));
    if (with_global) {
        snprintf(global, sizeof global, "%.40s_global", name);
        HS_TRY(put_dh(g, global, path, h, 0, NULL, HS_MATCH_LINEAR, v + (S - 1) * d));
    }
    HS_TRY(hs_cmd_input(g->c, path));
out:
    free(list);
    free(t);
    free(v);
    return rc;
}

/* ---- Arrays ---- */

HS_CHECKED static int add_array(gathering *g, const char *path)
{
    hs_imported r = {0};
    char buffer[NAME_MAX_BYTES];
    int *t = NULL, rc = HS_OK;
    hs_match match;
    HS_TRY(match_or(g, HS_MATCH_LINEAR, &match));
    HS_TRY(hs_import_rows_of(g->c, 1, &path, 1, &r));
    if (r.S > 0) {
        HS_TRY(hs_import_times(g->c, &r, &t));
    }
    HS_TRY(put_dh(g, only_name(g, path, buffer), path, r.h, r.S, t, match, r.v));
out:
    free(t);
    hs_import_free(&r);
    return rc;
}

HS_CHECKED static int add_tensors(gathering *g, const char *path)
{
    hs_tensors *ts = NULL;
    int rc = hs_tensors_open(path, &ts), network = 0;
    for (size_t i = 0; rc == HS_OK && i < hs_tensors_count(ts); i++) {
        const char *name = hs_tensors_at(ts, i)->name;
        network |= strstr(name, "conv1.weight") != NULL || strstr(name, "in_layers.0.weight") != NULL;
    }
    if (rc == HS_OK && hs_tensors_count(ts) == 0) {
        rc = hs_fail(HS_EFORMAT, "%s: holds no tensors", path);
    }
    if (rc == HS_OK) {
        rc = network ? add_networks(g, path, ts) : is_dictionary(ts) ? add_dictionary(g, path, ts) : add_array(g, path);
    }
    hs_tensors_free(ts);
    return rc;
}

/* ---- Own files ---- */

/* The first file that says where h was taken, or of which model, speaks for all; another model needs --force. */
HS_CHECKED static int agree(gathering *g, const hs_direction *d)
{
    int rc = HS_OK;
    if (d->model_sha256[0] != '\0') {
        if (g->model_sha256 == NULL) {
            HS_TRY(hs_strdup(d->model_sha256, &g->model_sha256));
        } else if (strcmp(g->model_sha256, d->model_sha256) != 0 && !hs_cmd_force(g->c)) {
            rc = hs_fail(HS_ESHAPE, "%s:%s: found on model %.12s, %s on %.12s; directions of two models need --force",
                         d->file, d->name, d->model_sha256, g->origin[0], g->model_sha256);
            goto out;
        }
    }
    g->space = g->n == 0 ? d->space : g->space;
    if (g->space != d->space) {
        rc = hs_fail(HS_ESHAPE, "%s:%s: changes %s, %s %s; wanted one kind a file", d->file, d->name,
                     d->space == HS_SPACE_EPS ? "eps" : "h", g->origin[0], g->space == HS_SPACE_EPS ? "eps" : "h");
        goto out;
    }
    if (d->tap[0] != '\0' && g->tap == NULL) {
        HS_TRY(hs_strdup(d->tap, &g->tap));
    }
out:
    return rc;
}

HS_CHECKED static int add_own(gathering *g, const char *spec, int named)
{
    hs_direction d = {0};
    const char *rename = named ? hs_cmd_str(g->c, "name") : NULL;
    int rc = HS_OK;
    HS_TRY(hs_direction_open(spec, &d));
    if (hs_cmd_str(g->c, "match") != NULL) {
        HS_TRY(hs_match_of(hs_cmd_str(g->c, "match"), &d.match));
    }
    HS_TRY(agree(g, &d));
    if (d.net == NULL) {
        HS_TRY(check_shape(g, d.shape, spec));
    }
    HS_TRY(note(g, rename != NULL ? rename : d.name, spec));
    HS_TRY(hs_fail_in(hs_direction_copy(&d, g->out, g->name[g->n - 1]), spec));
    HS_TRY(hs_cmd_input(g->c, d.file));
out:
    hs_direction_free(&d);
    return rc;
}

/* All directions of an own file. */
HS_CHECKED static int add_all(gathering *g, const char *path)
{
    char **names = NULL, spec[4200];
    size_t n = 0;
    int rc = hs_direction_names(path, &n, &names);
    if (rc == HS_OK && n > 1 && hs_cmd_str(g->c, "name") != NULL) {
        rc = hs_fail(HS_ERANGE, "--name: %s holds %zu directions; wanted one of them, %s:%.60s", path, n, path,
                     names[0]);
    }
    for (size_t i = 0; i < n && rc == HS_OK; i++) {
        int len = snprintf(spec, sizeof spec, "%s:%s", path, names[i]);
        rc = len > 0 && (size_t)len < sizeof spec ? add_own(g, spec, n == 1)
                                                  : hs_fail(HS_ERANGE, "%s: the path is too long", path);
    }
    for (size_t i = 0; i < n; i++) {
        free(names[i]);
    }
    free(names);
    return rc;
}

/* 1 when the file holds directions; opened and closed, since HDF5 is asked for a file once at a time. */
HS_CHECKED static int holds_directions(const char *path, int *yes)
{
    hs_result_in *r = NULL;
    int rc = hs_result_open(path, &r);
    *yes = rc == HS_OK && hs_result_has_texts(r, "direction");
    hs_result_close(r);
    return rc;
}

HS_CHECKED static int add_hdf5(gathering *g, const char *path)
{
    int own = 0, rc = HS_OK;
    if (hs_cmd_str(g->c, "what") == NULL) {
        HS_TRY(holds_directions(path, &own));
    }
    HS_TRY(own ? add_all(g, path) : add_array(g, path));
out:
    return rc;
}

/* FILE or, of an own file, FILE.h5:NAME. */
HS_CHECKED static int add(gathering *g, const char *spec)
{
    const char *colon = strrchr(spec, ':');
    FILE *there = fopen(spec, "re");
    if (there != NULL) {
        fclose(there);
        return has_extension(spec, ".h5", ".hdf5") ? add_hdf5(g, spec) : add_tensors(g, spec);
    }
    if (colon == NULL) {
        return hs_fail_errno(spec, "open");
    }
    return add_own(g, spec, 1);
}

HS_CHECKED static int finish(gathering *g)
{
    int rc;
    const char *tap = g->tap != NULL && !hs_cmd_given(g->c, "tap") ? g->tap : hs_cmd_str(g->c, "tap");
    HS_TRY(hs_result_put_strings(g->out, "direction", "direction", g->n, (const char *const *)g->name));
    HS_TRY(hs_result_put_strings(g->out, "origin", "direction", g->n, (const char *const *)g->origin));
    HS_TRY(hs_direction_put_space(g->out, g->space));
    HS_TRY(hs_direction_put_origin(g->out, "import", tap, g->model_sha256 != NULL ? g->model_sha256 : ""));
    HS_TRY(hs_common_provenance(g->c, g->out));
    HS_TRY(hs_result_commit(g->out));
out:
    return rc;
}

int hs_import_directions(hs_cmd *c)
{
    const char *const *spec;
    size_t n = hs_cmd_inputs(c, &spec);
    gathering g = {.c = c, .space = strcmp(hs_cmd_str(c, "space"), "eps") == 0 ? HS_SPACE_EPS : HS_SPACE_H};
    json_t *names = json_array();
    int rc = HS_OK;
    if (hs_cmd_str(c, "name") != NULL && n > 1) {
        rc = hs_fail(HS_ERANGE, "--name: %zu files; wanted one to name", n);
        goto out;
    }
    HS_TRY(hs_result_create(hs_cmd_out(c), "directions", hs_cmd_force(c), &g.out));
    for (size_t i = 0; i < n; i++) {
        HS_TRY(add(&g, spec[i]));
    }
    HS_TRY(finish(&g));
    for (size_t i = 0; i < g.n; i++) {
        json_array_append_new(names, json_string(g.name[i]));
        hs_cmd_say(c, "%s   from %s\n", g.name[i], g.origin[i]);
    }
    json_object_set_new(hs_cmd_results(c), "directions", json_integer((json_int_t)g.n));
    json_object_set(hs_cmd_results(c), "names", names);
out:
    json_decref(names);
    gathering_free(&g);
    return rc;
}
