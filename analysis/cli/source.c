/* Where x_T comes from: the prior, an array, or images inverted on demand; and stored noise. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "analysis/cli/common.h"
#include "analysis/cli/internal.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/io/image.h"
#include "core/io/resize.h"
#include "core/model/asyrp.h"

enum { IMAGES_MAX = 1000000 };

/* Commands that only sample have no --images. */
static int has_images(const hs_cmd *c)
{
    return hs_val_find(c, "images") != NULL && hs_cmd_list(c, "images", NULL) > 0;
}

void hs_source_free(hs_source *s)
{
    for (size_t i = 0; s->path != NULL && i < s->n; i++) {
        free(s->path[i]);
    }
    free(s->path);
    free(s->sample);
    free(s->seed);
    free(s->name);
    hs_array_free(&s->array);
    hs_unet_ws_free(s->ws);
    memset(s, 0, sizeof *s);
}

/* Ids, seeds and names of s->n samples. */
HS_CHECKED static int label_samples(hs_cmd *c, hs_source *s, const char *name)
{
    int rc = HS_OK;
    HS_TRY(hs_common_classes_fit(c, s->n));
    HS_TRY(hs_alloc(s->n, sizeof *s->sample, &s->sample));
    HS_TRY(hs_alloc(s->n, sizeof *s->seed, &s->seed));
    HS_TRY(hs_alloc(s->n, sizeof *s->name, &s->name));
    for (size_t i = 0; i < s->n; i++) {
        s->sample[i] = (int64_t)i;
        s->seed[i] = hs_cmd_seed(c);
        s->name[i] = s->path != NULL ? s->path[i] : name;
    }
out:
    return rc;
}

HS_CHECKED static int push_path(hs_source *s, const char *path)
{
    char **list = realloc(s->path, (s->n + 1) * sizeof *list);
    if (list == NULL) {
        return hs_fail(HS_ENOMEM, "%s: out of memory", path);
    }
    s->path = list;
    int rc = hs_strdup(path, &s->path[s->n]);
    s->n += rc == HS_OK;
    return rc;
}

HS_CHECKED static int push_folder(hs_source *s, const char *dir)
{
    char **list = NULL, *plain = NULL;
    size_t n = 0, len = strlen(dir);
    int rc = hs_strdup(dir, &plain);
    while (rc == HS_OK && len > 1 && plain[len - 1] == '/') { /* "dir/" names dir/0000.png, not dir//0000.png */
        plain[--len] = '\0';
    }
    if (rc == HS_OK) {
        rc = hs_image_list(plain, IMAGES_MAX, &list, &n);
    }
    for (size_t i = 0; i < n && rc == HS_OK; i++) {
        rc = push_path(s, list[i]);
    }
    hs_image_list_free(list, n);
    free(plain);
    return rc;
}

/* The model's side of a source; the rest is zero. */
static hs_source source_of(hs_cmd *c, const hs_model *m, const hs_steps *steps)
{
    return (hs_source){.image = hs_unet_image_shape(hs_unet_config_of(m->unet)),
                       .model = m,
                       .steps = steps,
                       .conv = hs_common_conv(c),
                       .batch = (size_t)hs_cmd_int(c, "batch"),
                       .progress = hs_cmd_progress(c)};
}

/* One image file of the model's size, or of any with --fit. */
HS_CHECKED static int read_pixels(const hs_source *s, const char *path, hs_image *out)
{
    hs_image im = {0};
    int rc = HS_OK;
    HS_TRY(hs_image_read(path, s->image.c, NULL, &im));
    if (!s->fit && (im.w != s->image.w || im.h != s->image.h)) {
        rc = hs_fail(HS_ESHAPE, "%s: %zu x %zu pixels; wanted %zu x %zu (--fit resizes and crops)", path, im.w, im.h,
                     s->image.w, s->image.h);
        goto out;
    }
    *out = im;
    im = (hs_image){0};
out:
    hs_image_free(&im);
    return rc;
}

/* As (c, R, R) floats. */
HS_CHECKED static int read_image(const hs_source *s, const char *path, float *x)
{
    hs_image im = {0}, fitted = {0};
    int rc = HS_OK;
    HS_TRY(read_pixels(s, path, &im));
    if (s->fit) {
        HS_TRY(hs_fail_in(hs_image_fit(&im, s->image.w, &fitted), path));
    }
    hs_image_to_float(s->fit ? &fitted : &im, x);
out:
    hs_image_free(&im);
    hs_image_free(&fitted);
    return rc;
}

/* The image is recorded as an input, and refused before any work and any output file. */
HS_CHECKED static int check_image(hs_cmd *c, const hs_source *s, const char *path)
{
    hs_image im = {0};
    int rc = HS_OK;
    HS_TRY(hs_cmd_input(c, path));
    HS_TRY(read_pixels(s, path, &im));
out:
    hs_image_free(&im);
    return rc;
}

int hs_source_open_images(hs_cmd *c, const char *opt, const hs_model *m, const hs_steps *steps, hs_source *out)
{
    hs_source s = source_of(c, m, steps);
    const char *const *items;
    size_t n = hs_cmd_list(c, opt, &items);
    int rc = HS_OK;
    s.kind = HS_SOURCE_IMAGES;
    s.fit = hs_cmd_flag(c, "fit");
    for (size_t i = 0; i < n; i++) {
        struct stat st;
        int folder = stat(items[i], &st) == 0 && S_ISDIR(st.st_mode);
        HS_TRY(folder ? push_folder(&s, items[i]) : push_path(&s, items[i]));
    }
    for (size_t i = 0; i < s.n; i++) {
        HS_TRY(check_image(c, &s, s.path[i]));
    }
    HS_TRY(label_samples(c, &s, NULL));
    *out = s;
    return HS_OK;
out:
    hs_source_free(&s);
    return rc;
}

int hs_source_open_array(hs_cmd *c, const char *opt, const hs_model *m, hs_source *out)
{
    hs_source s = source_of(c, m, NULL);
    int rc;
    s.kind = HS_SOURCE_ARRAY;
    HS_TRY(hs_common_batch_of(c, hs_cmd_str(c, opt), s.image, &s.array, &s.n));
    HS_TRY(label_samples(c, &s, hs_cmd_str(c, opt)));
    *out = s;
    return HS_OK;
out:
    hs_source_free(&s);
    return rc;
}

int hs_source_open(hs_cmd *c, const hs_model *m, const hs_steps *steps, hs_source *out)
{
    return hs_source_open_or(c, m, steps, 0, out);
}

int hs_source_open_or(hs_cmd *c, const hs_model *m, const hs_steps *steps, size_t otherwise, hs_source *out)
{
    int prior = hs_cmd_given(c, "N"), array = hs_cmd_str(c, "x-T") != NULL;
    int images = has_images(c), rc = HS_OK;
    hs_source s = source_of(c, m, steps);
    if (prior + array + images + (otherwise > 0) < 1 || prior + array + images > 1) {
        return hs_fail(HS_ERANGE, "%s: %s given; wanted exactly one",
                       hs_val_find(c, "images") != NULL ? "-N, --images, --x-T" : "-N, --x-T",
                       prior + array + images == 0 ? "none" : "several");
    }
    if (images) {
        return hs_source_open_images(c, "images", m, steps, out);
    }
    if (array) {
        return hs_source_open_array(c, "x-T", m, out);
    }
    s.kind = HS_SOURCE_PRIOR;
    s.n = prior ? (size_t)hs_cmd_int(c, "N") : otherwise;
    HS_TRY(label_samples(c, &s, "prior"));
    *out = s;
    return HS_OK;
out:
    hs_source_free(&s);
    return rc;
}

int hs_source_x_0(const hs_source *s, size_t first, size_t n, float *x)
{
    int rc = HS_OK;
    for (size_t i = 0; i < n && rc == HS_OK; i++) {
        rc = read_image(s, s->path[first + i], x + i * hs_chw_size(s->image));
    }
    return rc;
}

/* x (n, d): x_0 in, x_T out, of the samples from `first`, as one batch. */
HS_CHECKED static int invert_batch(hs_source *s, size_t first, size_t n, float *x)
{
    hs_asyrp *a = NULL;
    hs_ddim_options o = HS_DDIM_OPTIONS_INIT;
    int rc = HS_OK;
    if (s->ws == NULL) {
        size_t states = s->batch < s->n ? s->batch : s->n;
        HS_TRY(hs_unet_ws_create(s->model->unet, states, states, s->conv, &s->ws));
    }
    hs_unet_ws_first(s->ws, first);
    HS_TRY(hs_asyrp_create(s->model->unet, s->ws, NULL, n, &a));
    hs_predictor p = hs_asyrp_predictor(a);
    o.progress = s->progress;
    HS_TRY(hs_ddim_invert(&p, s->steps, &o, n, hs_chw_size(s->image), x));
out:
    hs_asyrp_free(a);
    return rc;
}

/* Batches begin at multiples of s->batch, so that a sample's bits don't depend on who asks for it. */
HS_CHECKED static int invert_range(hs_source *s, size_t first, size_t n, float *x)
{
    size_t d = hs_chw_size(s->image);
    float *block = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(s->batch * d, sizeof *block, &block));
    for (size_t at = first - first % s->batch; at < first + n; at += s->batch) {
        size_t count = s->n - at < s->batch ? s->n - at : s->batch;
        HS_TRY(hs_source_x_0(s, at, count, block));
        HS_TRY(invert_batch(s, at, count, block));
        for (size_t i = 0; i < count; i++) {
            if (at + i >= first && at + i < first + n) {
                memcpy(x + (at + i - first) * d, block + i * d, d * sizeof *x);
            }
        }
    }
out:
    free(block);
    return rc;
}

int hs_source_x_T(void *ctx, size_t first, size_t n, float *x)
{
    hs_source *s = ctx;
    size_t d = hs_chw_size(s->image);
    switch (s->kind) {
    case HS_SOURCE_ARRAY: memcpy(x, s->array.v + first * d, n * d * sizeof *x); return HS_OK;
    case HS_SOURCE_IMAGES: return invert_range(s, first, n, x);
    case HS_SOURCE_PRIOR: break;
    }
    for (size_t i = 0; i < n; i++) {
        hs_rng stream = {s->seed[first + i], HS_RNG_X_T, (uint64_t)s->sample[first + i]};
        hs_rng_normal(stream, 0, d, x + i * d);
    }
    return HS_OK;
}

int hs_step_noise_open(hs_cmd *c, size_t S, size_t n, hs_chw image, hs_step_noise *out)
{
    hs_step_noise z = {.seed = hs_cmd_seed(c), .n = n, .d = hs_chw_size(image)};
    const char *path = hs_cmd_str(c, "noise");
    if (path != NULL) {
        int rc = hs_common_array(c, path, &z.stored);
        if (rc != HS_OK) {
            return rc;
        }
        const size_t want[5] = {S, n, image.c, image.h, image.w};
        if (z.stored.rank != 5 || memcmp(z.stored.dim, want, sizeof want) != 0) {
            hs_array_free(&z.stored);
            return hs_fail(HS_ESHAPE,
                           "%s: not the noise of this run; wanted (steps, N, C, H, W) = (%zu, %zu, %zu, %zu, %zu)",
                           path, S, n, image.c, image.h, image.w);
        }
    }
    *out = z;
    return HS_OK;
}

void hs_step_noise_free(hs_step_noise *z)
{
    hs_array_free(&z->stored);
}

int hs_step_noise_fill(void *ctx, size_t first, size_t n, size_t step, float *z)
{
    const hs_step_noise *s = ctx;
    for (size_t i = 0; i < n; i++) {
        if (s->stored.v != NULL) {
            memcpy(z + i * s->d, s->stored.v + (step * s->n + first + i) * s->d, s->d * sizeof *z);
        } else {
            hs_rng stream = {s->seed, HS_RNG_STEP_NOISE, (uint64_t)(first + i) << 16 | step};
            hs_rng_normal(stream, 0, s->d, z + i * s->d);
        }
    }
    return HS_OK;
}

int hs_step_noise_next(void *ctx, size_t n, size_t step, float *z)
{
    return hs_step_noise_fill(ctx, ((hs_step_noise *)ctx)->first, n, step, z);
}
