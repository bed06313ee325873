#include "analysis/train/data.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "analysis/train/data_sources.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/io/file.h"
#include "core/io/resize.h"

void hs_data_free(hs_data *d)
{
    free(d->px);
    free(d->value);
    memset(d, 0, sizeof *d);
}

double hs_data_mean(const hs_data *d)
{
    uint64_t sum = 0;
    size_t n = d->n * hs_chw_size(d->image);
    for (size_t i = 0; i < n; i++) {
        sum += d->px[i];
    }
    return (double)sum / (double)n / 127.5 - 1;
}

int hs_data_room(hs_data *d, const hs_data_options *o, size_t n, size_t n_factors)
{
    size_t bytes;
    int rc = HS_OK;
    d->image = o->image;
    d->n_factors = n_factors;
    HS_TRY(hs_size_mul(n, hs_chw_size(o->image), &bytes));
    HS_TRY(hs_file_fits_memory(bytes));
    HS_TRY(hs_alloc(bytes, 1, &d->px));
    if (n_factors > 0) {
        HS_TRY(hs_calloc(n * n_factors, sizeof *d->value, &d->value));
    }
    d->n = n;
out:
    return rc;
}

/* Planes from pixels; grey fills every plane. */
static void put_planes(const hs_image *im, hs_chw s, uint8_t *px)
{
    size_t pixels = s.h * s.w;
    for (size_t c = 0; c < s.c; c++) {
        for (size_t p = 0; p < pixels; p++) {
            px[c * pixels + p] = im->px[p * im->c + (im->c == 1 ? 0 : c)];
        }
    }
}

int hs_data_put(hs_data *d, const hs_data_options *o, size_t i, const hs_image *im, const char *where)
{
    hs_image fitted = {0};
    hs_chw s = d->image;
    int rc = HS_OK;
    if (im->w != s.w || im->h != s.h) {
        if (!o->fit) {
            return hs_fail(HS_ESHAPE, "%s: %zu x %zu pixels; wanted %zu x %zu (--fit resizes and crops)", where, im->w,
                           im->h, s.w, s.h);
        }
        HS_TRY(hs_fail_in(hs_image_fit(im, s.w, &fitted), where));
    }
    put_planes(fitted.px != NULL ? &fitted : im, s, d->px + i * hs_chw_size(s));
out:
    hs_image_free(&fitted);
    return rc;
}

/* Mean and standard deviation of each continuous factor. */
static void measure_factors(hs_data *d)
{
    for (size_t f = 0; f < d->n_factors; f++) {
        double sum = 0, square = 0;
        if (d->factor[f].binary) {
            d->factor[f].mean = 0;
            d->factor[f].sd = 1;
            continue;
        }
        for (size_t i = 0; i < d->n; i++) {
            sum += d->value[i * d->n_factors + f];
        }
        d->factor[f].mean = sum / (double)d->n;
        for (size_t i = 0; i < d->n; i++) {
            double e = d->value[i * d->n_factors + f] - d->factor[f].mean;
            square += e * e;
        }
        d->factor[f].sd = square > 0 ? sqrt(square / (double)d->n) : 1;
    }
}

HS_CHECKED static int digest(hs_data *d)
{
    hs_sha256 *h = NULL;
    int rc = HS_OK;
    HS_TRY(hs_sha256_new(&h));
    HS_TRY(hs_sha256_add(h, d->px, d->n * hs_chw_size(d->image)));
    HS_TRY(hs_sha256_add(h, d->value != NULL ? (const void *)d->value : "", d->n * d->n_factors * sizeof *d->value));
    HS_TRY(hs_sha256_hex(h, d->sha256));
out:
    hs_sha256_free(h);
    return rc;
}

int hs_data_is_generated(const char *source)
{
    struct stat st;
    return stat(source, &st) != 0 && strncmp(source, "faces", 5) == 0 && (source[5] == '\0' || source[5] == ':');
}

HS_CHECKED static int open_source(const char *source, const hs_data_options *o, hs_data *d)
{
    struct stat st;
    if (stat(source, &st) == 0) {
        return S_ISDIR(st.st_mode) ? hs_data_folder(source, o, d) : hs_data_idx(source, o, d);
    }
    if (hs_data_is_generated(source)) {
        return hs_data_faces(source[5] == ':' ? source + 6 : NULL, o, d);
    }
    return hs_fail_errno(source, "is neither a generator (faces[:STYLE]), a folder nor a file");
}

int hs_data_open(const char *source, const hs_data_options *o, hs_data *out)
{
    hs_data d = {0};
    int rc = HS_OK;
    if ((o->image.c != 1 && o->image.c != 3) || o->image.h != o->image.w) {
        return hs_fail(HS_ERANGE, "%s: images of %zu x %zu x %zu; wanted 1 or 3 channels and a square", source,
                       o->image.c, o->image.h, o->image.w);
    }
    HS_TRY(open_source(source, o, &d));
    measure_factors(&d);
    HS_TRY(digest(&d));
    *out = d;
    return HS_OK;
out:
    hs_data_free(&d);
    return rc;
}

static void to_float(const uint8_t *px, hs_chw s, int mirrored, float *x)
{
    for (size_t row = 0; row < s.c * s.h; row++) {
        const uint8_t *from = px + row * s.w;
        float *to = x + row * s.w;
        for (size_t i = 0; i < s.w; i++) {
            to[i] = (float)from[mirrored ? s.w - 1 - i : i] / 127.5f - 1.0f;
        }
    }
}

void hs_data_batch(const hs_data *d, uint64_t seed, uint64_t k, int flip, size_t n, float *x, size_t *index)
{
    size_t size = hs_chw_size(d->image);
    for (size_t i = 0; i < n; i++) {
        hs_rng stream = {seed, HS_RNG_TRAIN_DATA, k << 16 | i};
        index[i] = hs_rng_below(stream, 0, (uint32_t)d->n);
        int mirrored = flip && hs_rng_below(stream, 1, 2) == 1;
        to_float(d->px + index[i] * size, d->image, mirrored, x + i * size);
    }
}
