/* Delta networks as arrays of a direction file. */
#include "analysis/directions/direction_net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/io/tensors_build.h"

/* The arrays of a delta network of either type, the first the one it is known by, and the names of their dimensions. */
typedef struct {
    const char *part, *dims;
    size_t rank;
} network_part;
static const network_part ddpm_part[] = {{"conv1.weight", "hidden,channel_in,ky,kx", 4},
                                         {"conv1.bias", "hidden", 1},
                                         {"temb_proj.weight", "hidden,temb", 2},
                                         {"temb_proj.bias", "hidden", 1},
                                         {"norm2.weight", "hidden", 1},
                                         {"norm2.bias", "hidden", 1},
                                         {"conv2.weight", "channel,hidden_in,ky,kx", 4},
                                         {"conv2.bias", "channel", 1},
                                         {0}};
static const network_part adm_part[] = {{"in_layers.0.weight", "channel_in", 1},
                                        {"in_layers.0.bias", "channel_in", 1},
                                        {"in_layers.2.weight", "hidden,channel_in,ky,kx", 4},
                                        {"in_layers.2.bias", "hidden", 1},
                                        {"emb_layers.1.weight", "hidden,temb", 2},
                                        {"emb_layers.1.bias", "hidden", 1},
                                        {"out_layers.0.weight", "hidden", 1},
                                        {"out_layers.0.bias", "hidden", 1},
                                        {"out_layers.3.weight", "channel,hidden_in,ky,kx", 4},
                                        {"out_layers.3.bias", "channel", 1},
                                        {0}};

/* One stored part of a network into ts, which takes its values over. */
HS_CHECKED static int read_part(hs_result_in *r, const char *name, const char *part, hs_tensors *ts)
{
    int rc;
    char full[128];
    size_t dim[8];
    float *values = NULL;
    hs_tensor t = {.name = part, .dtype = HS_F32};
    snprintf(full, sizeof full, "%.80s.%s", name, part);
    HS_TRY(hs_result_shape(r, full, &t.rank, dim));
    HS_TRY(hs_result_get_f32(r, full, &values));
    for (size_t k = 0; k < t.rank; k++) {
        t.dim[k] = dim[k];
    }
    t.bytes = (const unsigned char *)values;
    HS_TRY(hs_tensors_adopt(ts, values));
    HS_TRY(hs_tensors_add(ts, t));
out:
    return rc;
}

/* The parts of the network of that name, of its type. */
static const network_part *parts_of(const hs_result_in *r, const char *name)
{
    char known_by[128];
    snprintf(known_by, sizeof known_by, "%.80s.%s", name, adm_part->part);
    return hs_result_has(r, known_by) ? adm_part : ddpm_part;
}

int hs_direction_read_network(hs_result_in *r, hs_direction *d)
{
    int rc;
    hs_tensors *ts = NULL;
    HS_TRY(hs_tensors_new(&ts));
    for (const network_part *p = parts_of(r, d->name); p->part != NULL; p++) {
        HS_TRY(read_part(r, d->name, p->part, ts));
    }
    HS_TRY(hs_tensors_finish(ts));
    HS_TRY(hs_deltablock_load(ts, "", &d->net));
    d->shape = (hs_chw){hs_deltablock_channels(d->net), 0, 0};
out:
    hs_tensors_free(ts);
    return rc;
}

/* One part of a network as a float32 array of r. */
HS_CHECKED static int put_part(hs_result *r, const char *name, const network_part *p, const hs_tensor *t)
{
    int rc;
    float *v = NULL;
    char full[128];
    size_t dim[4] = {0};
    if (t->rank != p->rank) {
        rc = hs_fail(HS_EFORMAT, "delta network: %s has %zu dimensions; wanted %zu", p->part, t->rank, p->rank);
        goto out;
    }
    snprintf(full, sizeof full, "%.80s.%s", name, p->part);
    for (size_t k = 0; k < t->rank; k++) {
        dim[k] = (size_t)t->dim[k];
    }
    HS_TRY(hs_alloc(t->count, sizeof *v, &v));
    hs_to_f32(t->dtype, t->bytes, t->count, v);
    HS_TRY(hs_result_put_f32(r, full, p->dims, t->rank, dim, v));
out:
    free(v);
    return rc;
}

int hs_direction_put_network(hs_result *r, const hs_tensors *ts, const char *prefix, const char *name)
{
    char key[64];
    int rc = HS_OK;
    snprintf(key, sizeof key, "%s%s", prefix, adm_part->part);
    for (const network_part *p = hs_tensors_find(ts, key) != NULL ? adm_part : ddpm_part; p->part != NULL; p++) {
        snprintf(key, sizeof key, "%s%s", prefix, p->part);
        const hs_tensor *t = hs_tensors_find(ts, key);
        if (t == NULL) {
            rc = hs_fail(HS_EFORMAT, "delta network: tensor %s is missing", key);
            goto out;
        }
        HS_TRY(put_part(r, name, p, t));
    }
out:
    return rc;
}

static int holds_network(const hs_tensors *ts, const char *prefix)
{
    char ddpm[64], adm[64];
    snprintf(ddpm, sizeof ddpm, "%.8s%s", prefix, ddpm_part->part);
    snprintf(adm, sizeof adm, "%.8s%s", prefix, adm_part->part);
    return hs_tensors_find(ts, ddpm) != NULL || hs_tensors_find(ts, adm) != NULL;
}

size_t hs_direction_networks(const hs_tensors *ts, char prefix[HS_DIRECTION_NETWORKS][8])
{
    size_t n = 0;
    prefix[0][0] = '\0';
    if (holds_network(ts, "")) {
        return 1;
    }
    for (; n < HS_DIRECTION_NETWORKS; n++) {
        char at[8];
        snprintf(at, sizeof at, "%zu.", n);
        if (!holds_network(ts, at)) {
            break;
        }
        memcpy(prefix[n], at, sizeof at);
    }
    return n;
}

int hs_direction_put_networks(hs_result *r, const hs_tensors *ts, const char *name, const char *method,
                              const char *model_sha256, size_t *count)
{
    int rc = HS_OK;
    char names[HS_DIRECTION_NETWORKS][96], prefix[HS_DIRECTION_NETWORKS][8];
    const char *list[HS_DIRECTION_NETWORKS];
    size_t n = hs_direction_networks(ts, prefix);
    if (n == 0) {
        rc = hs_fail(HS_EFORMAT,
                     "holds no delta network (conv1, temb_proj, norm2, conv2; or in_layers, emb_layers, out_layers)");
        goto out;
    }
    for (size_t i = 0; i < n; i++) {
        snprintf(names[i], sizeof names[i], i == 0 ? "%.60s" : "%.60s_%zu", name, i);
        list[i] = names[i];
        HS_TRY(hs_direction_put_network(r, ts, prefix[i], names[i]));
    }
    HS_TRY(hs_result_put_strings(r, "direction", "direction", n, list));
    HS_TRY(hs_direction_put_origin(r, method, "", model_sha256));
    *count = n;
out:
    return rc;
}

/* A network's arrays, as they lie in the file. */
HS_CHECKED static int copy_network(const hs_direction *d, hs_result *r, const char *as)
{
    int rc;
    hs_result_in *in = NULL;
    hs_tensors *ts = NULL;
    HS_TRY(hs_tensors_new(&ts));
    HS_TRY(hs_result_open(d->file, &in));
    for (const network_part *p = parts_of(in, d->name); p->part != NULL; p++) {
        HS_TRY(read_part(in, d->name, p->part, ts));
    }
    HS_TRY(hs_tensors_finish(ts));
    HS_TRY(hs_direction_put_network(r, ts, "", as));
out:
    hs_result_close(in);
    hs_tensors_free(ts);
    return rc;
}

int hs_direction_copy(const hs_direction *d, hs_result *r, const char *as)
{
    return d->net != NULL ? copy_network(d, r, as)
                          : hs_direction_put_named(r, d->space, as, d->shape, d->S, d->t, d->match, d->dh);
}
