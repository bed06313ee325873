#include "core/model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/io/file.h"
#include "core/io/json.h"

enum { PATH_BYTES = 4096 };

/* What a user's words come down to. */
typedef struct {
    char config[PATH_BYTES], scheduler[PATH_BYTES], weights[PATH_BYTES]; /* "" where there is none */
} places;

static int is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

static int ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), e = strlen(end);
    return n >= e && strcmp(s + n - e, end) == 0;
}

static int join(char out[PATH_BYTES], const char *folder, const char *name)
{
    int n = snprintf(out, PATH_BYTES, "%s/%s", folder, name);
    return n < PATH_BYTES ? HS_OK : hs_fail(HS_ERANGE, "a path of %d bytes is too long", n);
}

/* ---- Folders ------------------------------------------------------------------------------------- */

/* out <- the first of the files that is in the folder, or "". */
static int first_of(const char *folder, const char *const *names, char out[PATH_BYTES])
{
    int rc = HS_OK;
    for (; *names != NULL; names++) {
        HS_TRY(join(out, folder, *names));
        if (is_there(out)) {
            return HS_OK;
        }
    }
    out[0] = '\0';
out:
    return rc;
}

/* diffusers' two layouts: unet/ and scheduler/ inside, or everything at the root. */
static int look_into(const char *folder, places *at)
{
    static const char *const config[] = {"config.json", NULL};
    static const char *const scheduler[] = {"scheduler/scheduler_config.json", "scheduler_config.json", NULL};
    static const char *const weights[] = {"diffusion_pytorch_model.safetensors",
                                          "diffusion_pytorch_model.safetensors.index.json",
                                          "diffusion_pytorch_model.bin", "model.safetensors", NULL};
    char unet[PATH_BYTES];
    int rc = HS_OK;
    HS_TRY(join(unet, folder, "unet"));
    const char *root = is_folder(unet) ? unet : folder;
    HS_TRY(first_of(root, config, at->config));
    HS_TRY(first_of(root, weights, at->weights));
    HS_TRY(first_of(folder, scheduler, at->scheduler));
    if (at->config[0] == '\0') {
        return hs_fail(HS_EFORMAT, "%s: no model folder: neither config.json nor unet/config.json is there", folder);
    }
out:
    return rc;
}

/* ---- Configurations ------------------------------------------------------------------------------ */

static int arch_by_name_or_file(const char *arch, hs_unet_config *out)
{
    return is_there(arch) && !is_folder(arch) ? hs_arch_read(arch, NULL, out) : hs_arch_builtin(arch, out);
}

static int table_from_file(const char *path, hs_unet_config *c)
{
    hs_tensors *ts = NULL;
    double *v = NULL;
    int rc = HS_OK;
    HS_TRY(hs_tensors_open(path, &ts));
    const hs_tensor *t = hs_tensors_count(ts) == 1 ? hs_tensors_at(ts, 0) : NULL;
    if (t == NULL || t->rank != 1 || t->count == 0 || t->count > 1000000) {
        rc = hs_fail(HS_EFORMAT, "%s: a table of betas must be one array of 1 to 1000000 numbers", path);
        goto out;
    }
    HS_TRY(hs_alloc(t->count, sizeof *v, &v));
    hs_to_f64(t->dtype, t->bytes, t->count, v);
    free(c->schedule_table);
    c->schedule_table = v;
    c->schedule = (hs_schedule_spec){.kind = HS_SCHEDULE_TABLE, .T = t->count, .table = v};
    v = NULL;
out:
    free(v);
    hs_tensors_free(ts);
    return rc;
}

/* --schedule: a kind over the model's T and ends, or a table. */
static int override_schedule(const char *schedule, hs_unet_config *c)
{
    hs_schedule_spec *s = &c->schedule;
    if (ends_with(schedule, ".npy")) {
        return table_from_file(schedule, c);
    }
    if (s->kind == HS_SCHEDULE_COSINE || s->kind == HS_SCHEDULE_TABLE) {
        s->beta_start = 1e-4;
        s->beta_end = 0.02;
    }
    if (strcmp(schedule, "linear") == 0) {
        s->kind = HS_SCHEDULE_LINEAR;
    } else if (strcmp(schedule, "scaled_linear") == 0) {
        s->kind = HS_SCHEDULE_SCALED_LINEAR;
    } else if (strcmp(schedule, "cosine") == 0) {
        *s = (hs_schedule_spec){.kind = HS_SCHEDULE_COSINE, .T = s->T, .cosine_s = 0.008, .beta_max = 0.999};
    } else {
        char shown[80];
        hs_text_escape(schedule, shown, sizeof shown);
        return hs_fail(HS_ERANGE, "schedule \"%s\" must be linear, cosine, scaled_linear or FILE.npy", shown);
    }
    return HS_OK;
}

static int configure(const char *model, const char *arch, const char *schedule, const places *at, hs_unet_config *c)
{
    int rc = HS_OK;
    if (arch != NULL) {
        HS_TRY(arch_by_name_or_file(arch, c));
    } else if (at != NULL && at->config[0] != '\0') {
        HS_TRY(hs_arch_read(at->config, at->scheduler[0] != '\0' ? at->scheduler : NULL, c));
        if (at->scheduler[0] == '\0' && schedule == NULL) {
            hs_log(HS_LOG_WARNING, "%s: no scheduler_config.json: linear betas 1e-4 ... 0.02, T = 1000 are assumed",
                   model);
        }
    } else {
        return hs_fail(HS_ERANGE, "%s: weights alone don't say the architecture: give --arch NAME or --arch FILE",
                       model);
    }
    if (schedule != NULL) {
        HS_TRY(override_schedule(schedule, c));
        HS_TRY(hs_fail_in(hs_unet_config_check(c), schedule));
    }
out:
    return rc;
}

/* ---- Digests ------------------------------------------------------------------------------------- */

static int add_file(hs_sha256 *sum, const char *path)
{
    enum { BLOCK = 1 << 20 };
    unsigned char *block = NULL;
    hs_file f = {.fd = -1};
    int rc = HS_OK;
    HS_TRY(hs_alloc(BLOCK, 1, &block));
    HS_TRY(hs_file_open(path, &f));
    for (uint64_t at = 0; at < f.size; at += BLOCK) {
        size_t n = f.size - at < BLOCK ? (size_t)(f.size - at) : BLOCK;
        HS_TRY(hs_file_read_at(&f, path, at, block, n));
        HS_TRY(hs_sha256_add(sum, block, n));
    }
out:
    if (f.fd >= 0) {
        hs_file_close(&f);
    }
    free(block);
    return rc;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The shards of an index, each once, in the order of their names.  Their names were found plain when
 * the tensors were opened. */
static int add_shards(hs_sha256 *sum, const char *index)
{
    json_t *root = NULL;
    const char **shard = NULL, *key;
    json_t *v;
    size_t n = 0;
    char path[PATH_BYTES], folder[PATH_BYTES];
    int rc = HS_OK;
    HS_TRY(hs_json_read(index, &root));
    json_t *map = json_object_get(root, "weight_map");
    HS_TRY(hs_alloc(json_object_size(map), sizeof *shard, &shard));
    json_object_foreach(map, key, v)
    {
        shard[n++] = json_string_value(v);
    }
    qsort(shard, n, sizeof *shard, by_text);
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(index, '/') - index), index);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || strcmp(shard[i], shard[i - 1]) != 0) {
            HS_TRY(join(path, folder, shard[i]));
            HS_TRY(add_file(sum, path));
        }
    }
out:
    free(shard);
    json_decref(root);
    return rc;
}

static int digest(const char *weights, char hex[HS_SHA256_HEX])
{
    hs_sha256 *sum = NULL;
    int rc = HS_OK;
    if (!ends_with(weights, ".index.json")) {
        return hs_file_sha256(weights, hex);
    }
    HS_TRY(hs_sha256_new(&sum));
    HS_TRY(add_shards(sum, weights));
    HS_TRY(hs_sha256_hex(sum, hex));
out:
    hs_sha256_free(sum);
    return rc;
}

/* ---- Opening ------------------------------------------------------------------------------------- */

static int finish(hs_model *m, const hs_unet_config *c, const char *model, const char *path, const char *format)
{
    size_t len = strlen(model);
    int rc = HS_OK;
    while (len > 1 && model[len - 1] == '/') {
        len--;
    }
    const char *last = model + len;
    while (last > model && last[-1] != '/') {
        last--;
    }
    HS_TRY(hs_strdup(last, &m->name));
    m->name[strcspn(m->name, "/")] = '\0';
    HS_TRY(hs_strdup(path, &m->path));
    snprintf(m->format, sizeof m->format, "%s", format);
    HS_TRY(hs_schedule_create(&c->schedule, &m->schedule));
    if (strcmp(c->prediction, "v_prediction") == 0) {
        HS_TRY(hs_unet_predicts_v(m->unet, m->schedule.T, m->schedule.alpha_bar));
    }
out:
    return rc;
}

/* "random:ARCH[:SEED]".  Untrained weights have no file: their digest is that of the words. */
static int open_random(const char *model, const char *schedule, hs_model *m, hs_unet_config *c)
{
    char arch[PATH_BYTES];
    uint64_t seed = 0;
    int rc = HS_OK;
    if (snprintf(arch, sizeof arch, "%s", model + 7) >= PATH_BYTES) {
        return hs_fail(HS_ERANGE, "a model name of %zu bytes is too long", strlen(model));
    }
    char *colon = strrchr(arch, ':');
    if (colon != NULL) {
        *colon = '\0';
        HS_TRY(hs_fail_in(hs_text_u64(colon + 1, &seed), "the seed of random:ARCH:SEED"));
    }
    HS_TRY(configure(model, arch, schedule, NULL, c));
    HS_TRY(hs_unet_random(c, seed, &m->unet));
    HS_TRY(hs_sha256_of(model, strlen(model), m->sha256));
    HS_TRY(finish(m, c, model, "", "random"));
    m->untrained = 1;
out:
    return rc;
}

/* Gives u the classes that another network has for the first n images. */
HS_CHECKED static int copy_classes(const hs_unet *from, size_t n, hs_unet *u)
{
    int *y = NULL, rc = HS_OK;
    if (n == 0 || hs_unet_class_of(from, 0) < 0) {
        return HS_OK;
    }
    HS_TRY(hs_alloc(n, sizeof *y, &y));
    for (size_t i = 0; i < n; i++) {
        y[i] = hs_unet_class_of(from, i);
    }
    HS_TRY(hs_unet_set_classes(u, n, y));
out:
    free(y);
    return rc;
}

int hs_model_untrained(const hs_model *of, uint64_t seed, size_t n, hs_model *out)
{
    const hs_unet_config *c = hs_unet_config_of(of->unet);
    hs_model m = {.untrained = 1};
    char name[128];
    int rc = HS_OK;
    snprintf(name, sizeof name, "untrained %.80s", of->name);
    HS_TRY(hs_unet_random(c, seed, &m.unet));
    HS_TRY(copy_classes(of->unet, n, m.unet));
    HS_TRY(hs_sha256_of(name, strlen(name), m.sha256));
    HS_TRY(finish(&m, c, name, "", "random"));
    *out = m;
    m = (hs_model){0};
out:
    hs_model_free(&m);
    return rc;
}

static int open_trained(const char *model, const char *arch, const char *schedule, hs_model *m, hs_unet_config *c)
{
    places *at = NULL;
    int rc = HS_OK;
    HS_TRY(hs_calloc(1, sizeof *at, &at));
    if (is_folder(model)) {
        HS_TRY(look_into(model, at));
    } else {
        if (snprintf(at->weights, PATH_BYTES, "%s", model) >= PATH_BYTES) {
            rc = hs_fail(HS_ERANGE, "a path of %zu bytes is too long", strlen(model));
            goto out;
        }
    }
    HS_TRY(configure(model, arch, schedule, at, c));
    if (at->weights[0] == '\0') {
        rc = hs_fail(HS_EFORMAT, "%s: no weights: diffusion_pytorch_model.safetensors or .bin is not there", model);
        goto out;
    }
    HS_TRY(hs_tensors_map(at->weights, &m->weights));
    HS_TRY(hs_fail_in(hs_unet_load(c, m->weights, &m->unet), at->weights));
    HS_TRY(digest(at->weights, m->sha256));
    HS_TRY(hs_fail_in(hs_tensors_check(m->weights), at->weights));
    hs_tensors_drop(m->weights);
    int safe = ends_with(at->weights, ".safetensors") || ends_with(at->weights, ".json");
    HS_TRY(finish(m, c, model, at->weights, safe ? "safetensors" : "pytorch"));
out:
    free(at);
    return rc;
}

int hs_model_config(const char *arch, const char *schedule, hs_unet_config *out)
{
    hs_unet_config c = {0};
    int rc = configure("--arch", arch, schedule, NULL, &c);
    if (rc != HS_OK) {
        hs_unet_config_free(&c);
        return rc;
    }
    *out = c;
    return HS_OK;
}

int hs_model_open(const char *model, const char *arch, const char *schedule, hs_model *out)
{
    hs_model m = {0};
    hs_unet_config c = {0};
    int rc = HS_OK;
    if (strncmp(model, "random:", 7) == 0) {
        if (arch != NULL) {
            return hs_fail(HS_ERANGE, "%s names its architecture: --arch doesn't go with it", model);
        }
        HS_TRY(open_random(model, schedule, &m, &c));
    } else {
        HS_TRY(open_trained(model, arch, schedule, &m, &c));
    }
    *out = m;
    m = (hs_model){0};
out:
    hs_model_free(&m);
    hs_unet_config_free(&c);
    return rc;
}

void hs_model_free(hs_model *m)
{
    if (m == NULL) {
        return;
    }
    free(m->name);
    free(m->path);
    hs_unet_free(m->unet);
    hs_schedule_free(&m->schedule);
    hs_tensors_free(m->weights);
    *m = (hs_model){0};
}
