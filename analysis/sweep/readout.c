#include "analysis/sweep/readout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/io/npy.h"

static const struct {
    const char *word;
    hs_phi phi;
} words[] = {{"x0", HS_PHI_X0},
             {"x0hat", HS_PHI_X0HAT},
             {"eps", HS_PHI_EPS},
             {"h_later", HS_PHI_H_LATER},
             {"brightness", HS_PHI_BRIGHTNESS},
             {"probe", HS_PHI_PROBE_X0},
             {"attr", HS_PHI_ATTR},
             {"feat", HS_PHI_FEAT},
             {"clip", HS_PHI_CLIP}};

HS_CHECKED static int find_word(const char *text, size_t len, hs_phi *phi)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strlen(words[i].word) == len && strncmp(text, words[i].word, len) == 0) {
            *phi = words[i].phi;
            return HS_OK;
        }
    }
    return hs_fail(HS_ERANGE,
                   "--readout: '%.80s' is not known; there are x0, x0hat[:k], eps[:k], h_later:m, "
                   "brightness[:x0,y0,x1,y1], probe:FILE.npy, attr:NAME, feat, clip:A|B",
                   text);
}

HS_CHECKED static int parse_box(const char *text, hs_chw image, size_t box[4])
{
    char copy[96], *save = NULL;
    size_t n = 0;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *word = strtok_r(copy, ",", &save); word != NULL; word = strtok_r(NULL, ",", &save)) {
        int64_t v = 0;
        if (n == 4 || hs_text_i64(word, 0, (int64_t)(n % 2 == 0 ? image.w : image.h), &v) != HS_OK) {
            n = 0;
            break;
        }
        box[n++] = (size_t)v;
    }
    if (n != 4 || box[0] >= box[2] || box[1] >= box[3]) {
        return hs_fail(HS_ERANGE, "--readout: brightness:%.60s; wanted x0,y0,x1,y1 inside an image of %zu x %zu", text,
                       image.w, image.h);
    }
    return HS_OK;
}

HS_CHECKED static int load_probe(const char *file, hs_chw image, hs_chw h, hs_readout *r)
{
    int rc;
    size_t rank, size = 0;
    uint64_t dim[HS_RANK_MAX];
    HS_TRY(hs_npy_read_f32(file, &rank, dim, &r->weight));
    HS_TRY(hs_size_product(rank, dim, &size));
    r->weights = size;
    if (size == hs_chw_size(image)) {
        r->phi = HS_PHI_PROBE_X0;
    } else if (size == hs_chw_size(h)) {
        r->phi = HS_PHI_PROBE_H;
    } else {
        rc = hs_fail(HS_ESHAPE, "%.200s: a probe of %zu weights; h has %zu numbers, x0 has %zu", file, size,
                     hs_chw_size(h), hs_chw_size(image));
    }
out:
    return rc;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

HS_CHECKED static int attach(const char *text, const char *arg, hs_scorer *scorer, hs_readout *r)
{
    int rc = HS_OK;
    if ((arg != NULL) != (r->phi == HS_PHI_ATTR)) {
        return hs_fail(HS_ERANGE, "--readout: %.60s; wanted attr:NAME, or feat alone", text);
    }
    if (scorer == NULL) {
        return hs_fail(HS_ERANGE, "--readout: %.60s: no attribute network is given", text);
    }
    if (arg != NULL) {
        HS_TRY(hs_fail_in(hs_scorer_find(scorer, arg, &r->factor), "--readout"));
    }
    r->scorer = scorer;
out:
    return rc;
}

HS_CHECKED static int attach_clip(const char *text, const char *arg, hs_clip_reader *clip, hs_readout *r)
{
    int rc = HS_OK;
    if (arg == NULL) {
        return hs_fail(HS_ERANGE, "--readout: clip needs two texts: clip:A|B");
    }
    if (clip == NULL) {
        return hs_fail(HS_ERANGE, "--readout: %.60s: no CLIP is given", text);
    }
    r->weights = hs_clip_config_of(hs_clip_reader_clip(clip))->projection;
    HS_TRY(hs_alloc(r->weights, sizeof *r->weight, &r->weight));
    HS_TRY(hs_fail_in(hs_clip_reader_axis(clip, arg, r->weight), "--readout: clip"));
    r->clip = clip;
out:
    return rc;
}

/* The part behind the colon, or the defaults without one. */
HS_CHECKED static int parse_argument(const char *text, const char *arg, hs_chw image, hs_chw h, hs_scorer *scorer,
                                     hs_clip_reader *clip, hs_readout *r)
{
    int64_t k = 0;
    switch (r->phi) {
    case HS_PHI_PROBE_X0:
    case HS_PHI_PROBE_H:
        if (arg == NULL) {
            return hs_fail(HS_ERANGE, "--readout: probe needs a file: probe:FILE.npy");
        }
        snprintf(r->name, sizeof r->name, "probe:%s", base_name(arg));
        return load_probe(arg, image, h, r);
    case HS_PHI_BRIGHTNESS:
        r->box[2] = image.w;
        r->box[3] = image.h;
        return arg == NULL ? HS_OK : parse_box(arg, image, r->box);
    case HS_PHI_ATTR:
    case HS_PHI_FEAT: return attach(text, arg, scorer, r);
    case HS_PHI_CLIP: return attach_clip(text, arg, clip, r);
    case HS_PHI_X0: return arg == NULL ? HS_OK : hs_fail(HS_ERANGE, "--readout: %.60s: x0 takes no argument", text);
    case HS_PHI_H_LATER:
    case HS_PHI_X0HAT:
    case HS_PHI_EPS: break;
    }
    if (arg == NULL && r->phi == HS_PHI_H_LATER) {
        return hs_fail(HS_ERANGE, "--readout: h_later needs the number of steps: h_later:m");
    }
    if (arg != NULL && hs_text_i64(arg, r->phi == HS_PHI_H_LATER ? 1 : 0, 100000, &k) != HS_OK) {
        return hs_fail_in(HS_ERANGE, "--readout");
    }
    r->step = (size_t)k;
    return HS_OK;
}

static size_t features_of(const hs_readout *r, hs_chw image, hs_chw h)
{
    if (!hs_readout_is_vector(r)) {
        return 1;
    }
    return r->phi == HS_PHI_FEAT      ? hs_scorer_config(r->scorer)->features
           : r->phi == HS_PHI_H_LATER ? hs_chw_size(h)
                                      : hs_chw_size(image);
}

int hs_readout_parse(const char *text, hs_chw image, hs_chw h, hs_scorer *scorer, hs_clip_reader *clip, hs_readout *out)
{
    int rc;
    hs_readout r = {0};
    const char *colon = strchr(text, ':');
    snprintf(r.name, sizeof r.name, "%s", text);
    HS_TRY(find_word(text, colon != NULL ? (size_t)(colon - text) : strlen(text), &r.phi));
    HS_TRY(parse_argument(text, colon != NULL ? colon + 1 : NULL, image, h, scorer, clip, &r));
    r.features = features_of(&r, image, h);
    if (r.scorer != NULL) {
        hs_scorer_share(r.scorer);
    }
    if (r.clip != NULL) {
        hs_clip_reader_share(r.clip);
    }
    *out = r;
    r.weight = NULL;
out:
    free(r.weight);
    return rc;
}

int hs_readout_needs_scorer(const char *text)
{
    return strncmp(text, "attr:", 5) == 0 || strcmp(text, "feat") == 0;
}

int hs_readout_needs_clip(const char *text)
{
    return strncmp(text, "clip:", 5) == 0;
}

void hs_readout_free(hs_readout *r)
{
    free(r->weight);
    r->weight = NULL;
    hs_scorer_free(r->scorer);
    r->scorer = NULL;
    hs_clip_reader_free(r->clip);
    r->clip = NULL;
}

int hs_readout_is_vector(const hs_readout *r)
{
    return r->phi == HS_PHI_X0 || r->phi == HS_PHI_X0HAT || r->phi == HS_PHI_EPS || r->phi == HS_PHI_H_LATER ||
           r->phi == HS_PHI_FEAT;
}

/* Mean of (x + 1) / 2 over the box, all channels. */
static double brightness(const hs_readout *r, hs_chw image, const float *x)
{
    double sum = 0;
    for (size_t c = 0; c < image.c; c++) {
        for (size_t y = r->box[1]; y < r->box[3]; y++) {
            for (size_t i = r->box[0]; i < r->box[2]; i++) {
                sum += (double)x[(c * image.h + y) * image.w + i];
            }
        }
    }
    double pixels = (double)(image.c * (r->box[2] - r->box[0]) * (r->box[3] - r->box[1]));
    return (sum / pixels + 1) / 2;
}

void hs_readout_eval(const hs_readout *r, hs_chw image, const float *src, float *out)
{
    if (hs_readout_is_vector(r)) {
        memcpy(out, src, r->features * sizeof *out);
        return;
    }
    if (r->phi == HS_PHI_BRIGHTNESS) {
        out[0] = (float)brightness(r, image, src);
        return;
    }
    double sum = 0;
    for (size_t i = 0; i < r->weights; i++) {
        sum += (double)r->weight[i] * (double)src[i];
    }
    out[0] = (float)sum;
}

/* Every read-out from the first one on that shares its scorer. */
HS_CHECKED static int eval_scorer(size_t n_phi, const hs_readout *phi, size_t first, hs_chw image, size_t n,
                                  const float *x_0, float *const *value)
{
    hs_scorer *s = phi[first].scorer;
    size_t K = hs_scorer_config(s)->n_factors, F = hs_scorer_config(s)->features;
    double *factor = NULL;
    float *feature = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(n, K * sizeof *factor, &factor));
    HS_TRY(hs_alloc(n, F * sizeof *feature, &feature));
    HS_TRY(hs_scorer_eval(s, image, n, x_0, factor, feature));
    for (size_t p = first; p < n_phi; p++) {
        if (phi[p].scorer == s && phi[p].phi == HS_PHI_FEAT) {
            memcpy(value[p], feature, n * F * sizeof *feature);
        }
        for (size_t i = 0; phi[p].scorer == s && phi[p].phi == HS_PHI_ATTR && i < n; i++) {
            value[p][i] = (float)factor[i * K + phi[p].factor];
        }
    }
out:
    free(factor);
    free(feature);
    return rc;
}

/* Every read-out from the first one on that shares its CLIP. */
HS_CHECKED static int eval_clip(size_t n_phi, const hs_readout *phi, size_t first, hs_chw image, size_t n,
                                const float *x_0, float *const *value)
{
    const size_t P = phi[first].weights;
    float *e = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(n, P * sizeof *e, &e));
    HS_TRY(hs_clip_reader_images(phi[first].clip, image, n, x_0, e));
    for (size_t p = first; p < n_phi; p++) {
        for (size_t i = 0; phi[p].clip == phi[first].clip && i < n; i++) {
            double cosine = 0;
            for (size_t j = 0; j < P; j++) {
                cosine += (double)phi[p].weight[j] * (double)e[i * P + j];
            }
            value[p][i] = (float)cosine;
        }
    }
out:
    free(e);
    return rc;
}

/* True when an earlier read-out has the same scorer and CLIP. */
static int is_done(const hs_readout *phi, size_t p)
{
    size_t q = 0;
    while (phi[q].scorer != phi[p].scorer || phi[q].clip != phi[p].clip) {
        q++;
    }
    return q < p;
}

int hs_readout_eval_x0(size_t n_phi, const hs_readout *phi, hs_chw image, size_t n, const float *x_0,
                       float *const *value)
{
    int rc = HS_OK;
    for (size_t p = 0; p < n_phi; p++) {
        const hs_readout *r = &phi[p];
        if (r->scorer != NULL && !is_done(phi, p)) {
            HS_TRY(eval_scorer(n_phi, phi, p, image, n, x_0, value));
        }
        if (r->clip != NULL && !is_done(phi, p)) {
            HS_TRY(eval_clip(n_phi, phi, p, image, n, x_0, value));
        }
        if (r->phi != HS_PHI_X0 && r->phi != HS_PHI_BRIGHTNESS && r->phi != HS_PHI_PROBE_X0) {
            continue;
        }
        for (size_t i = 0; i < n; i++) {
            hs_readout_eval(r, image, x_0 + i * hs_chw_size(image), value[p] + i * r->features);
        }
    }
out:
    return rc;
}
