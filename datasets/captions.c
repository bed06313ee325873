#include "datasets/captions.h"

#include <stdio.h>
#include <string.h>

#include "core/base/rng.h"
#include "datasets/captions_words.h"
#include "datasets/faces.h"

double hs_caption_term_truth(const hs_caption_term *t, double value)
{
    double beyond = value < t->lo ? t->lo - value : value > t->hi ? value - t->hi : 0;
    double truth = 1 - beyond / t->ramp;
    return truth > 0 ? truth : 0;
}

double hs_caption_truth(const hs_caption *c, const double *factor)
{
    double truth = 1;
    for (size_t k = 0; k < c->n && truth > 0; k++) {
        const hs_caption_term *t = hs_caption_term_at(c->term[k]);
        truth *= hs_caption_term_truth(t, factor[t->factor]);
    }
    return truth;
}

/* Numbers of one stream, in the order they are asked for. */
typedef struct {
    hs_rng stream;
    uint64_t next;
} dice;

static size_t below(dice *d, size_t bound)
{
    return hs_rng_below(d->stream, d->next++, (uint32_t)bound);
}

/* A caption being composed. */
typedef struct {
    const char *prefix, *noun;
    const char *adjective[HS_CAPTION_MENTIONS], *with[HS_CAPTION_MENTIONS], *tail[HS_CAPTION_MENTIONS];
    size_t adjectives, withs, tails;
    const char *length, *hue; /* of hair; one phrase of the two */
    size_t words;             /* at most, glue included */
    int bare;                 /* no article */
} plan;

static size_t count_words(const char *text)
{
    size_t n = *text != '\0';
    for (; *text != '\0'; text++) {
        n += *text == ' ';
    }
    return n;
}

static size_t count_list(const char *const *list, size_t most)
{
    size_t n = 0;
    while (n < most && list[n] != NULL) {
        n++;
    }
    return n;
}

static const char *pick(dice *d, const char *const *list)
{
    return list[below(d, count_list(list, SIZE_MAX))];
}

/* Says the term in one of its phrases; 0 where the words would run out. */
static int mention(dice *d, const hs_caption_term *t, plan *p)
{
    size_t a = count_list(t->adjective, HS_CAPTION_FORMS), w = count_list(t->with, HS_CAPTION_FORMS);
    size_t l = count_list(t->tail, HS_CAPTION_FORMS), h = count_list(t->hair, HS_CAPTION_FORMS);
    size_t i = below(d, a + w + l + h);
    const char *text = i < a           ? t->adjective[i]
                       : i < a + w     ? t->with[i - a]
                       : i < a + w + l ? t->tail[i - a - w]
                                       : t->hair[i - a - w - l];
    size_t words = count_words(text) + (i < a ? 0 : i < a + w + l ? 1 : 2); /* and, with or a comma; hair */
    if (p->words + words > HS_CAPTION_WORDS) {
        return 0;
    }
    p->words += words;
    if (i < a) {
        p->adjective[p->adjectives++] = text;
    } else if (i < a + w) {
        p->with[p->withs++] = text;
    } else if (i < a + w + l) {
        p->tail[p->tails++] = text;
    } else if (strcmp(hs_face_factor_at((size_t)t->factor)->name, "hair_length") == 0) {
        p->length = text;
    } else {
        p->hue = text;
    }
    return 1;
}

/* One of the factor's terms that are true without reserve, or -1. */
static int choose_term(dice *d, size_t factor, double value)
{
    int found = -1;
    size_t seen = 0;
    for (size_t k = 0; k < hs_caption_term_count(); k++) {
        const hs_caption_term *t = hs_caption_term_at(k);
        if ((size_t)t->factor == factor && hs_caption_term_truth(t, value) >= 1 && below(d, ++seen) == 0) {
            found = (int)k;
        }
    }
    return found;
}

static size_t how_many(dice *d)
{
    size_t u = below(d, 100);
    return u < 10 ? 0 : u < 45 ? 1 : u < 65 ? 2 : u < 77 ? 3 : 4 + below(d, 7);
}

static void choose_frame(dice *d, plan *p)
{
    size_t noun = below(d, 20);
    p->noun = hs_caption_nouns[noun < 13 ? 0 : noun < 18 ? 1 : 2];
    p->prefix = below(d, 4) == 0 ? pick(d, hs_caption_prefixes) : "";
    p->bare = below(d, 8) == 0 && p->prefix[0] == '\0';
    p->words = count_words(p->prefix) + count_words(p->noun) + !p->bare;
}

static void shuffle(dice *d, size_t n, size_t *order)
{
    for (size_t i = 0; i < n; i++) {
        order[i] = i;
    }
    for (size_t i = n; i > 1; i--) {
        size_t k = below(d, i), kept = order[i - 1];
        order[i - 1] = order[k];
        order[k] = kept;
    }
}

static void append(char *text, const char *more)
{
    size_t n = strlen(text);
    snprintf(text + n, HS_CAPTION_BYTES - n, "%s%s", n > 0 && strcmp(more, ",") != 0 ? " " : "", more);
}

static void append_hair(const plan *p, char *text)
{
    if (p->length != NULL) {
        append(text, p->length);
    }
    if (p->hue != NULL) {
        append(text, p->hue);
    }
    append(text, "hair");
}

/* "with A, B and C"; the hair has its place among them. */
static void append_things(const plan *p, size_t hair_at, char *text)
{
    int hair = p->length != NULL || p->hue != NULL;
    size_t n = p->withs + (size_t)hair;
    for (size_t i = 0, k = 0; i < n; i++) {
        append(text, i == 0 ? "with" : i + 1 < n ? "," : "and");
        if (hair && i == hair_at) {
            append_hair(p, text);
        } else {
            append(text, p->with[k++]);
        }
    }
}

static void compose(dice *d, const plan *p, char *text)
{
    char body[HS_CAPTION_BYTES] = "";
    for (size_t i = 0; i < p->adjectives; i++) {
        append(body, p->adjective[i]);
    }
    append(body, p->noun);
    append_things(p, below(d, p->withs + 1), body);
    for (size_t i = 0; i < p->tails; i++) {
        if (i > 0 && below(d, 2) == 0) {
            append(body, "and");
        }
        append(body, p->tail[i]);
    }
    text[0] = '\0';
    if (p->prefix[0] != '\0') {
        append(text, p->prefix);
    }
    if (!p->bare) {
        append(text, strchr("aeiou", body[0]) != NULL ? "an" : "a");
    }
    append(text, body);
}

void hs_caption_draw(const double *factor, uint64_t seed, uint64_t index, size_t mentions, hs_caption *out)
{
    dice d = {{seed, HS_RNG_CAPTION, index}, 0};
    size_t order[HS_FACE_FACTORS_MAX], K = hs_face_factor_count();
    plan p = {0};
    size_t want = mentions == HS_CAPTION_ANY ? how_many(&d) : mentions;
    choose_frame(&d, &p);
    shuffle(&d, K, order);
    out->n = 0;
    for (size_t i = 0; i < K && out->n < want && out->n < HS_CAPTION_MENTIONS; i++) {
        int t = choose_term(&d, order[i], factor[order[i]]);
        if (t >= 0 && mention(&d, hs_caption_term_at((size_t)t), &p)) {
            out->term[out->n++] = (uint8_t)t;
        }
    }
    compose(&d, &p, out->text);
}
