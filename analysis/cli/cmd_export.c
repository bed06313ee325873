/* hspace export: arrays of a store, a direction or a result, for other programs. */
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/common.h"
#include "analysis/directions/direction.h"
#include "core/base/alloc.h"
#include "core/io/store.h"

static const hs_opt options[] = {{"what", 0, HS_OPT_STR, NULL, 0, 0, NULL, "ARRAY", "Input",
                                  "h, x_T, x_0, eps of a store; any array of a result; delta_h of a direction"},
                                 {"t", 0, HS_OPT_INT, NULL, 0, 0x1p30, NULL, "T", "Input", "this timestep only"},
                                 {0}};
static const hs_opt *const tables[] = {options, NULL};

/* One array read, to be written. */
typedef struct {
    hs_out_array a;
    void *owned;
} found;

HS_CHECKED static int put_chw(found *f, const char *name, size_t lead_rank, const size_t *lead, hs_chw s)
{
    size_t count = hs_chw_size(s);
    f->a = (hs_out_array){.name = name, .rank = lead_rank + 3, .dtype = HS_F32};
    for (size_t i = 0; i < lead_rank; i++) {
        f->a.dim[i] = lead[i];
        int rc = hs_size_mul(count, lead[i], &count);
        if (rc != HS_OK) {
            return rc;
        }
    }
    f->a.dim[lead_rank] = s.c;
    f->a.dim[lead_rank + 1] = s.h;
    f->a.dim[lead_rank + 2] = s.w;
    int rc = hs_alloc(count, sizeof(float), &f->owned);
    f->a.v = f->owned;
    return rc;
}

HS_CHECKED static int step_of(const hs_store *s, const char *path, int64_t t, size_t *k)
{
    for (size_t i = 0; i < hs_store_S(s); i++) {
        if (hs_store_timesteps(s)[i] == t) {
            *k = i;
            return HS_OK;
        }
    }
    return hs_fail(HS_ERANGE, "--t: %s has no timestep %lld; hspace info lists them", path, (long long)t);
}

/* h as (n, C, H, W) at one step or (n, S, C, H, W). */
HS_CHECKED static int store_h(hs_cmd *c, const char *path, const hs_store *s, found *f)
{
    size_t n = hs_store_n(s), S = hs_store_S(s), d = hs_chw_size(hs_store_h(s)), only = 0;
    float *row = NULL;
    int one = hs_cmd_given(c, "t"), rc = HS_OK;
    const size_t lead[2] = {n, S};
    if (one) {
        HS_TRY(step_of(s, path, hs_cmd_int(c, "t"), &only));
    }
    HS_TRY(put_chw(f, "h", one ? 1 : 2, lead, hs_store_h(s)));
    float *out = f->owned;
    HS_TRY(hs_alloc(n * d, sizeof *row, &row));
    for (size_t k = one ? only : 0; k < (one ? only + 1 : S); k++) {
        HS_TRY(hs_progress_tell(hs_cmd_progress(c), "export", k, S));
        HS_TRY(hs_store_read_h(s, k, 0, n, row));
        for (size_t i = 0; i < n; i++) {
            memcpy(out + (one ? i : i * S + k) * d, row + i * d, d * sizeof *row);
        }
    }
out:
    free(row);
    return rc;
}

HS_CHECKED static int from_store(hs_cmd *c, const char *path, found *f)
{
    const char *what = hs_cmd_str(c, "what") != NULL ? hs_cmd_str(c, "what") : "h";
    hs_store *s = NULL;
    int rc = HS_OK;
    HS_TRY(hs_store_open(path, &s));
    if (strcmp(what, "h") == 0) {
        HS_TRY(store_h(c, path, s, f));
        goto out;
    }
    const size_t lead[2] = {hs_store_n(s), hs_store_S(s)};
    int eps = strcmp(what, "eps") == 0;
    if (!eps && strcmp(what, "x_T") != 0 && strcmp(what, "x_0") != 0) {
        rc = hs_fail(HS_ERANGE, "--what: '%.80s' is unknown; wanted h, x_T, x_0 or eps", what);
        goto out;
    }
    hs_chw im = hs_store_image(s);
    HS_TRY(put_chw(f, what, eps ? 2 : 1, lead, strcmp(what, "x_0") == 0 ? (hs_chw){im.h, im.w, im.c} : im));
    HS_TRY(hs_store_read(s, what, 0, lead[0], f->owned));
out:
    hs_store_close(s);
    return rc;
}

HS_CHECKED static int from_direction(hs_cmd *c, const char *spec, found *f)
{
    hs_direction d = {0};
    int rc = HS_OK;
    HS_TRY(hs_direction_open(spec, &d));
    if (d.net != NULL) {
        rc = hs_fail(HS_ERANGE, "%s: a delta network: its dh depends on h and t; wanted a stored direction", spec);
        goto out;
    }
    if (hs_cmd_given(c, "t") || d.S == 0) {
        HS_TRY(put_chw(f, hs_direction_array(d.space), 0, NULL, d.shape));
        hs_direction_at(&d, (int)hs_cmd_int(c, "t"), f->owned);
    } else {
        HS_TRY(put_chw(f, hs_direction_array(d.space), 1, &d.S, d.shape));
        memcpy(f->owned, d.dh, d.S * hs_chw_size(d.shape) * sizeof *d.dh);
    }
out:
    hs_direction_free(&d);
    return rc;
}

HS_CHECKED static int from_result(hs_cmd *c, const char *path, hs_result_in *r, found *f)
{
    const char *what = hs_cmd_str(c, "what");
    size_t dim[8];
    double *v = NULL;
    if (what == NULL) {
        return hs_cmd_need(c, "what");
    }
    if (!hs_result_has(r, what)) {
        return hs_fail(HS_ERANGE, "--what: %s has no array '%.80s'; hspace info lists them", path, what);
    }
    f->a = (hs_out_array){.name = what, .dtype = HS_F64};
    int rc = hs_result_shape(r, what, &f->a.rank, dim);
    if (rc == HS_OK) {
        memcpy(f->a.dim, dim, f->a.rank * sizeof *dim);
        rc = hs_result_get_f64(r, what, &v);
        f->a.v = f->owned = v;
    }
    return rc;
}

typedef enum { STORE, DIRECTION, RESULT } source_kind;

/* Which reader the file wants; closed again, since HDF5 is not asked for one file twice at a time. */
HS_CHECKED static int kind_of(const hs_cmd *c, const char *path, int named, source_kind *kind)
{
    const char *what = hs_cmd_str(c, "what");
    hs_result_in *r = NULL;
    int rc = hs_result_open(path, &r);
    if (rc != HS_OK) {
        return rc;
    }
    int directions =
        hs_result_has_texts(r, "direction") && (what == NULL || (named && strncmp(what, "delta_", 6) == 0));
    *kind = hs_store_kind(hs_result_kind(r)) ? STORE : directions ? DIRECTION : RESULT;
    hs_result_close(r);
    return HS_OK;
}

HS_CHECKED static int read_any(hs_cmd *c, const char *spec, found *f)
{
    hs_result_in *r = NULL;
    source_kind kind = RESULT;
    char *path = NULL, *name = NULL;
    int rc = HS_OK;
    HS_TRY(hs_direction_split(spec, &path, &name));
    int named = name != NULL;
    HS_TRY(kind_of(c, path, named, &kind));
    if (named && kind == STORE) {
        rc = hs_fail(HS_ERANGE, "%s: a store has no directions to name; wanted %s alone", spec, path);
        goto out;
    }
    if (kind == STORE) {
        HS_TRY(from_store(c, path, f));
    } else if (kind == DIRECTION) {
        HS_TRY(from_direction(c, spec, f));
    } else {
        HS_TRY(hs_result_open(path, &r));
        HS_TRY(from_result(c, path, r, f));
    }
    HS_TRY(hs_cmd_input(c, path));
out:
    hs_result_close(r);
    free(path);
    free(name);
    return rc;
}

static int run(hs_cmd *c)
{
    const char *const *spec;
    found f = {0};
    int rc = HS_OK;
    hs_cmd_inputs(c, &spec);
    HS_TRY(hs_cmd_need(c, "output"));
    HS_TRY(hs_arrays_check(c, hs_cmd_out(c), "npy|npz|safetensors|csv"));
    HS_TRY(read_any(c, spec[0], &f));
    size_t count = 1;
    json_t *shape = json_array();
    for (size_t i = 0; i < f.a.rank; i++) {
        count *= f.a.dim[i];
        json_array_append_new(shape, json_integer((json_int_t)f.a.dim[i]));
    }
    json_object_set_new(hs_cmd_results(c), "what", json_string(f.a.name));
    json_object_set_new(hs_cmd_results(c), "shape", shape);
    if (hs_cmd_dry_run(c)) {
        hs_common_say_plan(c, 0, 0, (double)count * (double)hs_dtype_size(f.a.dtype));
        goto out;
    }
    HS_TRY(hs_arrays_write(c, hs_cmd_out(c), 1, &f.a));
    hs_cmd_say(c, "%s in %s\n", f.a.name, hs_cmd_out(c));
out:
    free(f.owned);
    return rc;
}

const hs_command hs_cmd_export = {
    .name = "export",
    .usage = "FILE.h5[:NAME] [--what ARRAY] [--t T] -o OUT.npy|.npz|.safetensors|.csv",
    .purpose = "Writes an array of a store, direction or result file in another format.",
    .examples = "hspace export acts.h5 --t 500 -o h.npy\nhspace export pca.h5:pc0 -o pc0.safetensors\n"
                "hspace export pca.h5 --what explained_variance -o ev.csv",
    .options = tables,
    .min_inputs = 1,
    .max_inputs = 1,
    .run = run,
};
