#include "analysis/cli/side_dirs.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/text.h"

/* *n, *specs (free each and the list) <- FILE:NAME of all directions that a spec names. */
HS_CHECKED static int list_specs(const char *spec, size_t *n, char ***specs)
{
    int rc;
    char **names = NULL, **list = NULL;
    size_t count = 0;
    hs_str text = {0};
    if (hs_direction_names(spec, &count, &names) != HS_OK) { /* no file of that name: FILE:NAME */
        count = 0;
        HS_TRY(hs_calloc(1, sizeof *list, &list));
        HS_TRY(hs_strdup(spec, &list[0]));
        *n = 1;
    } else {
        HS_TRY(hs_calloc(count, sizeof *list, &list));
        for (size_t i = 0; i < count; i++) {
            HS_TRY(hs_direction_spec(spec, i, names[i], &text));
            HS_TRY(hs_strdup(text.s, &list[i]));
        }
        *n = count;
    }
    *specs = list;
    list = NULL;
out:
    hs_strings_free(count, names);
    hs_strings_free(count, list);
    hs_str_free(&text);
    return rc;
}

void hs_side_dirs_free(hs_side_dirs *s)
{
    for (size_t i = 0; i < s->n; i++) {
        hs_direction_free(&s->d[i]);
        free(s->sum[i]);
        free(s->at[i]);
    }
    free(s->d);
    free(s->sum);
    free(s->at);
    free(s->own);
    memset(s, 0, sizeof *s);
}

HS_CHECKED static int check(hs_cmd *c, const char *spec, const hs_direction *d, const hs_side_home *home)
{
    if (d->space != HS_SPACE_H) {
        return hs_fail(HS_ERANGE, "%s: of eps; wanted a direction of h", spec);
    }
    if (d->net != NULL && home->unet == NULL) {
        return hs_fail(HS_ERANGE,
                       "%s: a delta network, and %s is no model that it could be asked with; hspace direction freeze "
                       "gives its mean",
                       spec, home->spec);
    }
    if (d->model_sha256[0] != '\0' && home->sha256[0] != '\0' && strcmp(d->model_sha256, home->sha256) != 0 &&
        !hs_cmd_force(c)) {
        return hs_fail(HS_ESHAPE, "%s: of a model with other weights than %s (%.12s, %.12s); -f takes it all the same",
                       spec, home->spec, d->model_sha256, home->sha256);
    }
    if (d->net != NULL) {
        return hs_direction_fits(d, hs_unet_config_of(home->unet), home->sha256, 1);
    }
    return hs_chw_size(d->shape) == home->d ? HS_OK
                                            : hs_fail(HS_ESHAPE, "%s: %zu numbers; h of %s has %zu", spec,
                                                      hs_chw_size(d->shape), home->spec, home->d);
}

/* The last one's name is none of the others'. */
HS_CHECKED static int check_new(const char *spec, const hs_side_dirs *s)
{
    const char *name = s->d[s->n - 1].name;
    for (size_t j = 0; j + 1 < s->n; j++) {
        if (strcmp(s->d[j].name, name) == 0) {
            return hs_fail(HS_ERANGE, "%.200s: two directions are called %.60s", spec, name);
        }
    }
    return HS_OK;
}

int hs_side_dirs_open(hs_cmd *c, const char *spec, const hs_side_home *home, hs_side_dirs *out)
{
    int rc;
    size_t n = 0;
    char **specs = NULL;
    hs_side_dirs s = {0};
    HS_TRY(list_specs(spec, &n, &specs));
    HS_TRY(hs_calloc(n, sizeof *s.d, &s.d));
    HS_TRY(hs_calloc(n, sizeof *s.sum, &s.sum));
    HS_TRY(hs_calloc(n, sizeof *s.at, &s.at));
    for (; s.n < n;) {
        hs_direction *d = &s.d[s.n];
        HS_TRY(hs_direction_open(specs[s.n], d));
        s.n++;
        HS_TRY(check_new(specs[s.n - 1], &s));
        HS_TRY(check(c, specs[s.n - 1], d, home));
        HS_TRY(d->net != NULL ? hs_calloc(home->S, home->d * sizeof(double), &s.sum[s.n - 1]) : HS_OK);
    }
    HS_TRY(hs_cmd_input(c, s.d[0].file));
    *out = s;
    memset(&s, 0, sizeof s);
out:
    hs_strings_free(n, specs);
    hs_side_dirs_free(&s);
    return rc;
}

int hs_side_dirs_see(hs_side_dirs *s, const hs_unet *unet, const hs_unet_ws *ws, size_t k, size_t n, const float *h)
{
    int rc = HS_OK;
    const hs_chw shape = hs_unet_h_shape(hs_unet_config_of(unet));
    const size_t d = hs_chw_size(shape);
    float *temb = NULL, *dh = NULL;
    for (size_t j = 0; j < s->n; j++) {
        if (s->d[j].net == NULL) {
            continue;
        }
        size_t width = hs_deltablock_temb_dim(s->d[j].net);
        HS_TRY(hs_alloc(n, width * sizeof *temb, &temb));
        HS_TRY(hs_alloc(n, d * sizeof *dh, &dh));
        for (size_t i = 0; i < n; i++) {
            memcpy(temb + i * width, hs_unet_temb(ws, i), width * sizeof *temb);
        }
        HS_TRY(hs_deltablock_forward(s->d[j].net, n, shape, h, temb, dh));
        for (size_t i = 0; i < n * d; i++) {
            s->sum[j][k * d + i % d] += (double)dh[i];
        }
        free(temb);
        free(dh);
        temb = dh = NULL;
    }
out:
    free(temb);
    free(dh);
    return rc;
}

/* to (d) <- direction j at a step. */
static void put(const hs_side_dirs *s, size_t j, size_t d, size_t step, const int *t, size_t images, float *to)
{
    if (s->sum[j] != NULL) {
        for (size_t i = 0; i < d; i++) {
            to[i] = (float)(s->sum[j][step * d + i] / (double)images);
        }
    } else if (t != NULL) {
        hs_direction_at(&s->d[j], *t, to);
    } else {
        memcpy(to, s->d[j].dh, d * sizeof *to);
    }
}

int hs_side_dirs_at(hs_side_dirs *s, size_t d, size_t count, const size_t *step, const int *t, size_t images)
{
    int rc = HS_OK;
    for (size_t j = 0; j < s->n; j++) {
        HS_TRY(hs_alloc(count, d * sizeof(float), &s->at[j]));
        for (size_t i = 0; i < count; i++) {
            put(s, j, d, step[i], t != NULL ? t + i : NULL, images, s->at[j] + i * d);
        }
    }
out:
    return rc;
}

/* list (D) <- those picked, which leave `from`. */
HS_CHECKED static int move(hs_side_dirs *from, size_t D, const size_t *which, hs_side_dirs *to)
{
    int rc;
    HS_TRY(hs_calloc(D, sizeof *to->d, &to->d));
    HS_TRY(hs_calloc(D, sizeof *to->sum, &to->sum));
    HS_TRY(hs_calloc(D, sizeof *to->at, &to->at));
    for (; to->n < D; to->n++) {
        size_t i = which[to->n];
        to->d[to->n] = from->d[i];
        to->sum[to->n] = from->sum[i];
        memset(&from->d[i], 0, sizeof from->d[i]);
        from->sum[i] = NULL;
    }
out:
    return rc;
}

int hs_side_dirs_pick(hs_side_dirs *s, size_t D, const size_t *which)
{
    hs_side_dirs to = {0};
    int rc = move(s, D, which, &to);
    hs_side_dirs_free(s);
    *s = to;
    return rc;
}
