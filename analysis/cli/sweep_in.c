#include "analysis/cli/sweep_in.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/sweep_file.h"
#include "core/base/alloc.h"
#include "core/base/text.h"

void hs_sweep_in_close(hs_sweep_in *in)
{
    hs_result_close(in->r);
    hs_strings_free(in->n_readouts, in->readout);
    hs_strings_free(in->n_terms, in->term);
    free(in->coef);
    free(in->direction);
    free(in->strength);
    memset(in, 0, sizeof *in);
}

void hs_sweep_readout_free(hs_sweep_readout *s)
{
    free(s->value);
    free(s->score);
    free(s->null);
    free(s->rival);
    for (int k = 0; k < HS_CONTROLS; k++) {
        free(s->control[k].score);
        free(s->control[k].null);
    }
    memset(s, 0, sizeof *s);
}

/* The names, a line each. */
HS_CHECKED static int read_names(hs_sweep_in *in)
{
    char *text = NULL;
    size_t lines = 1;
    int rc = HS_OK;
    if (hs_result_attr_get_str(in->r, NULL, "readouts", &text) != HS_OK) {
        HS_TRY(hs_strdup("effect", &text));
    }
    for (const char *p = text; *p != '\0'; p++) {
        lines += *p == '\n';
    }
    HS_TRY(hs_calloc(lines, sizeof *in->readout, &in->readout));
    for (char *save = NULL, *name = strtok_r(text, "\n", &save); name != NULL; name = strtok_r(NULL, "\n", &save)) {
        HS_TRY(hs_strdup(name, &in->readout[in->n_readouts]));
        in->n_readouts++;
    }
out:
    free(text);
    return rc;
}

/* Which controls the file says were not run, and why. */
static void read_missing(hs_sweep_in *in)
{
    for (int k = 0; k < HS_CONTROLS; k++) {
        char name[64], *text = NULL;
        snprintf(name, sizeof name, "control_%s_missing", hs_control_key[k]);
        snprintf(in->missing[k], sizeof in->missing[k], "the sweep was made without (--controls)");
        if (hs_result_attr_get_str(in->r, NULL, name, &text) == HS_OK) {
            snprintf(in->missing[k], sizeof in->missing[k], "%s", text);
        }
        free(text);
    }
}

HS_CHECKED static int read_terms(hs_sweep_in *in)
{
    size_t rank = 0, dim[8];
    int rc = HS_OK;
    if (!hs_result_has(in->r, "term") || !hs_result_has(in->r, "coefficient")) {
        return HS_OK;
    }
    HS_TRY(hs_result_get_strings(in->r, "term", &in->n_terms, &in->term));
    HS_TRY(hs_result_shape(in->r, "coefficient", &rank, dim));
    if (rank != 1 || dim[0] != in->n_terms) {
        rc = hs_fail(HS_ESHAPE, "%s: /coefficient does not have %zu numbers", in->path, in->n_terms);
        goto out;
    }
    HS_TRY(hs_result_get_f64(in->r, "coefficient", &in->coef));
out:
    return rc;
}

int hs_sweep_in_open(const char *path, hs_sweep_in *out)
{
    hs_sweep_in in = {.path = path};
    size_t rank = 0, dim[8];
    int rc = HS_OK;
    HS_TRY(hs_result_open(path, &in.r));
    if (!hs_result_has(in.r, "strength") || !hs_result_has(in.r, "effect")) {
        rc = hs_fail(HS_EFORMAT, "%s: no sweep: /strength or /effect is missing", path);
        goto out;
    }
    HS_TRY(hs_result_shape(in.r, "strength", &rank, dim));
    if (rank != 1) {
        rc = hs_fail(HS_ESHAPE, "%s: /strength has %zu dimensions; wanted 1", path, rank);
        goto out;
    }
    in.m = dim[0];
    HS_TRY(hs_result_get_f64(in.r, "strength", &in.strength));
    if (hs_result_attr_get_str(in.r, NULL, "direction", &in.direction) != HS_OK) {
        HS_TRY(hs_strdup("", &in.direction));
    }
    if (hs_result_attr_get_f64(in.r, NULL, "natural_strength", &in.natural) != HS_OK) {
        in.natural = NAN;
    }
    read_missing(&in);
    HS_TRY(read_names(&in));
    HS_TRY(read_terms(&in));
    *out = in;
    in = (hs_sweep_in){0};
out:
    hs_sweep_in_close(&in);
    return rc;
}

/* The read-out's number of a file, or the fallback. */
static double number_of(hs_sweep_in *in, const char *prefix, const char *readout, double fallback)
{
    char name[128];
    double v = fallback;
    hs_sweep_array_name(prefix, readout, name);
    return hs_result_attr_get_f64(in->r, NULL, name, &v) == HS_OK ? v : fallback;
}

/* value (n, m[, f]) of /effect_NAME, or of /effect. */
HS_CHECKED static int read_value(hs_sweep_in *in, const char *readout, hs_sweep_readout *s)
{
    char name[128];
    size_t rank = 0, dim[8] = {0};
    int rc = HS_OK;
    hs_sweep_array_name("effect_", readout, name);
    const char *array = hs_result_has(in->r, name) ? name : "effect";
    HS_TRY(hs_result_shape(in->r, array, &rank, dim));
    if ((rank != 2 && rank != 3) || dim[1] != in->m || dim[0] == 0 || (rank == 3 && dim[2] == 0)) {
        rc =
            hs_fail(HS_ESHAPE, "%s: /%s is not (sample, strength[, feature]) of %zu strengths", in->path, array, in->m);
        goto out;
    }
    s->n = dim[0];
    s->f = rank == 3 ? dim[2] : 1;
    HS_TRY(hs_result_get_f32(in->r, array, &s->value));
out:
    return rc;
}

/* True when the file has PREFIXNAME; *rows <- what its first dimension holds beyond (n, m) of the read-out.  HS_ESHAPE:
 * it is not ([rows,] n, m), rank dimensions. */
HS_CHECKED static int find_beside(hs_sweep_in *in, const char *prefix, const char *readout, size_t rank,
                                  const hs_sweep_readout *s, char name[128], int *there, size_t *rows)
{
    size_t have = 0, dim[8] = {0};
    int rc = HS_OK;
    hs_sweep_array_name(prefix, readout, name);
    *there = hs_result_has(in->r, name);
    if (*there) {
        HS_TRY(hs_result_shape(in->r, name, &have, dim));
        if (have != rank || dim[rank - 2] != s->n || dim[rank - 1] != in->m) {
            rc = hs_fail(HS_ESHAPE, "%s: /%s does not fit /effect", in->path, name);
        }
        *rows = dim[0];
    }
out:
    return rc;
}

/* The scalar: the file's own score in double, else computed from the values; its nulls and its rival. */
HS_CHECKED static int read_scores(hs_sweep_in *in, const char *readout, hs_sweep_readout *s)
{
    char name[128];
    size_t rows;
    int rc, there;
    HS_TRY(find_beside(in, "score_", readout, 2, s, name, &there, &rows));
    if (there) {
        HS_TRY(hs_result_get_f64(in->r, name, &s->score));
    } else {
        hs_sweep sweep = {.n = s->n, .m = in->m, .n_phi = 1, .value = &s->value};
        HS_TRY(hs_alloc(s->n * in->m, sizeof *s->score, &s->score));
        HS_TRY(hs_sweep_score(&sweep, 0, s->f, in->strength, s->score));
    }
    HS_TRY(find_beside(in, "null_score_", readout, 3, s, name, &there, &rows));
    HS_TRY(there ? hs_result_get_f64(in->r, name, &s->null) : HS_OK);
    s->K = there ? rows : 0;
    HS_TRY(find_beside(in, "rival_score_", readout, 2, s, name, &there, &rows));
    HS_TRY(there ? hs_result_get_f64(in->r, name, &s->rival) : HS_OK);
out:
    return rc;
}

/* Control `kind` of the read-out, where it was run. */
HS_CHECKED static int read_control(hs_sweep_in *in, const char *readout, hs_control_kind kind, hs_sweep_readout *s)
{
    char prefix[64], name[128];
    size_t rows;
    int rc, there;
    hs_control_scores *o = &s->control[kind];
    snprintf(prefix, sizeof prefix, "control_%s_score_", hs_control_key[kind]);
    HS_TRY(find_beside(in, prefix, readout, 2, s, name, &there, &rows));
    if (!there && kind != HS_CONTROL_COVARIANCE) {
        return HS_OK;
    }
    HS_TRY(there ? hs_result_get_f64(in->r, name, &o->score) : HS_OK);
    snprintf(prefix, sizeof prefix, "control_%s_null_", hs_control_key[kind]);
    HS_TRY(find_beside(in, prefix, readout, 3, s, name, &there, &rows));
    HS_TRY(there ? hs_result_get_f64(in->r, name, &o->null) : HS_OK);
    o->K = there ? rows : 0;
    snprintf(prefix, sizeof prefix, "control_%s_spread_", hs_control_key[kind]);
    o->spread = number_of(in, prefix, readout, NAN);
    snprintf(prefix, sizeof prefix, "control_%s_noise_floor_", hs_control_key[kind]);
    o->noise_floor = number_of(in, prefix, readout, 0);
out:
    return rc;
}

int hs_sweep_in_has(const hs_sweep_in *in, const char *readout)
{
    for (size_t p = 0; p < in->n_readouts; p++) {
        if (strcmp(in->readout[p], readout) == 0) {
            return 1;
        }
    }
    return 0;
}

int hs_sweep_in_read(hs_sweep_in *in, const char *readout, hs_sweep_readout *out)
{
    hs_sweep_readout s = {0};
    int rc = HS_OK;
    HS_TRY(read_value(in, readout, &s));
    HS_TRY(read_scores(in, readout, &s));
    for (int k = 0; k < HS_CONTROLS; k++) {
        HS_TRY(read_control(in, readout, (hs_control_kind)k, &s));
    }
    s.noise_floor = number_of(in, "noise_floor_", readout, 0);
    s.spread = number_of(in, "spread_", readout, NAN);
    *out = s;
    s = (hs_sweep_readout){0};
out:
    hs_sweep_readout_free(&s);
    return rc;
}
