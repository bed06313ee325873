#include "tests/support/store_sample.h"

#include <stdlib.h>

#include "core/base/alloc.h"

enum { MAX_N = 64 };

hs_store_spec sample_spec(size_t n, size_t unit, hs_dtype dtype, int keep)
{
    static int64_t sample[MAX_N];
    static uint64_t seed[MAX_N];
    static const char *source[MAX_N];
    static const int timestep[3] = {900, 450, 0};
    static const double alpha_bar[3] = {0.01, 0.3, 1.0 / 3};
    static const hs_attr attr[] = {{"tap", "mid_block.out"}, {"model_sha256", "00ff"}, {"note", "two\nlines"}};
    static const hs_attr info[] = {{"hostname", "here"}, {"threads", "2"}, {"command_line", "hspace dump"}};
    for (size_t i = 0; i < MAX_N; i++) {
        sample[i] = (int64_t)i;
        seed[i] = UINT64_MAX - i;
        source[i] = i % 2 == 0 ? "prior" : "d\xc3\xa9j\xc3\xa0.png";
    }
    return (hs_store_spec){.n = n,
                           .S = 3,
                           .h = {4, 2, 3},
                           .image = {3, 5, 5},
                           .dtype = dtype,
                           .sample = sample,
                           .timestep = timestep,
                           .alpha_bar = alpha_bar,
                           .seed = seed,
                           .source = source,
                           .keep_x_T = keep,
                           .keep_x_0 = keep,
                           .keep_eps = keep,
                           .unit = unit,
                           .n_attr = 3,
                           .attr = attr,
                           .n_info = 3,
                           .info = info,
                           .model_config = "{\"a\": 1}",
                           .scheduler_config = "{}"};
}

float sample_value(int part, size_t sample, size_t i)
{
    uint32_t x = (uint32_t)(sample * 1000003 + i * 7919 + (size_t)part * 104729) * 2654435761u;
    return part == 2 ? (float)(x >> 24) : (float)(x >> 8) / 16777216.0f - 0.5f;
}

int sample_put(hs_store_writer *w, const hs_store_spec *s, size_t unit)
{
    int rc = HS_OK;
    size_t count = 0, first = hs_store_unit_first(w, unit, &count);
    size_t d = s->S * hs_chw_size(s->h), px = hs_chw_size(s->image);
    float *h = NULL, *x_T = NULL, *eps = NULL;
    uint8_t *x_0 = NULL;
    HS_TRY(hs_alloc(count * d, sizeof *h, &h));
    HS_TRY(hs_alloc(count * px, sizeof *x_T, &x_T));
    HS_TRY(hs_alloc(count * px, 1, &x_0));
    HS_TRY(hs_alloc(count * s->S * px, sizeof *eps, &eps));
    for (size_t i = 0; i < count; i++) {
        size_t id = (size_t)s->sample[first + i];
        for (size_t j = 0; j < d; j++) {
            h[i * d + j] = sample_value(0, id, j);
        }
        for (size_t j = 0; j < px; j++) {
            x_T[i * px + j] = sample_value(1, id, j);
            x_0[i * px + j] = (uint8_t)sample_value(2, id, j);
        }
        for (size_t j = 0; j < s->S * px; j++) {
            eps[i * s->S * px + j] = sample_value(3, id, j);
        }
    }
    HS_TRY(hs_store_put(w, unit, h, s->keep_x_T ? x_T : NULL, s->keep_x_0 ? x_0 : NULL, s->keep_eps ? eps : NULL));
out:
    free(h);
    free(x_T);
    free(x_0);
    free(eps);
    return rc;
}

int sample_fill(hs_store_writer *w, const hs_store_spec *s, size_t most)
{
    for (size_t u = 0, done = 0; u < hs_store_units(w) && done < most; u++) {
        if (!hs_store_has(w, u)) {
            int rc = sample_put(w, s, u);
            if (rc != HS_OK) {
                return rc;
            }
            done++;
        }
    }
    return HS_OK;
}

int sample_dump(const char *path, const hs_store_spec *s)
{
    int rc = HS_OK, sealed = 0;
    hs_store_writer *w = NULL;
    HS_TRY(hs_store_begin(path, s, 0, &sealed, &w));
    if (!sealed) {
        HS_TRY(sample_fill(w, s, SIZE_MAX));
        HS_TRY(hs_store_seal(w));
    }
out:
    hs_store_writer_free(w);
    return rc;
}
