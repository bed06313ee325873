/* The lexicon: what can be said of a face, when it is true, and in which words. */
#include <stddef.h>

#include "datasets/captions.h"
#include "datasets/captions_words.h"
#include "datasets/faces_parts.h"

static const hs_caption_term terms[] = {
    {HS_F_SMILE, 0.2, 1, 0.4, {"smiling", "happy", "cheerful"}, {"a smile"}, {0}, {0}},
    {HS_F_SMILE, 0.6, 1, 0.3, {"grinning", "very happy"}, {"a broad smile", "a big smile"}, {0}, {0}},
    {HS_F_SMILE, 0.15, 0.5, 0.2, {"slightly smiling"}, {"a slight smile", "a little smile"}, {0}, {0}},
    {HS_F_SMILE, -0.2, 0.2, 0.2, {"serious", "neutral"}, {0}, {0}, {0}},
    {HS_F_SMILE, -1, -0.2, 0.4, {"sad", "unhappy", "frowning"}, {"a frown"}, {0}, {0}},
    {HS_F_SMILE, -1, -0.6, 0.3, {"very sad", "very unhappy"}, {0}, {0}, {0}},
    {HS_F_SMILE, -1, 0, 0.3, {"not smiling"}, {"no smile"}, {"without a smile"}, {0}},
    {HS_F_MOUTH_OPEN, 0.5, 1, 0.3, {0}, {"an open mouth"}, {"showing teeth"}, {0}},
    {HS_F_MOUTH_OPEN, 0.8, 1, 0.2, {0}, {"a wide open mouth"}, {0}, {0}},
    {HS_F_MOUTH_OPEN, 0, 0.25, 0.25, {0}, {"a closed mouth", "closed lips"}, {0}, {0}},
    {HS_F_EYE_OPEN, 0.65, 1, 0.3, {"wide eyed"}, {"wide open eyes", "round eyes", "big eyes"}, {0}, {0}},
    {HS_F_EYE_OPEN, 0, 0.35, 0.3, {"squinting", "sleepy"}, {"narrow eyes", "small eyes"}, {0}, {0}},
    {HS_F_EYE_OPEN, 0, 0.15, 0.15, {0}, {"closed eyes", "nearly closed eyes"}, {0}, {0}},
    {HS_F_BROW, -1, -0.3, 0.4, {"angry", "cross"}, {"lowered brows", "angry brows"}, {0}, {0}},
    {HS_F_BROW, 0.3, 1, 0.4, {"worried", "anxious"}, {"raised brows", "worried brows"}, {0}, {0}},
    {HS_F_BROW, -1, -0.65, 0.25, {"very angry", "furious"}, {0}, {0}, {0}},
    {HS_F_FACE_WIDTH, 0.8, 0.9, 0.06, {"narrow", "thin", "slim"}, {0}, {0}, {0}},
    {HS_F_FACE_WIDTH, 1, 1.1, 0.06, {"wide", "broad", "round"}, {0}, {0}, {0}},
    {HS_F_AGE, 0, 0.35, 0.2, {"young", "youthful"}, {"smooth skin"}, {0}, {0}},
    {HS_F_AGE, 0, 0.15, 0.15, {"very young"}, {0}, {0}, {0}},
    {HS_F_AGE, 0.4, 0.6, 0.1, {"middle aged"}, {0}, {0}, {0}},
    {HS_F_AGE, 0.65, 1, 0.2, {"old", "elderly", "aged"}, {"wrinkles", "greying hair", "grey hair"}, {0}, {0}},
    {HS_F_AGE, 0.85, 1, 0.15, {"very old", "wrinkled"}, {"deep wrinkles"}, {0}, {0}},
    {HS_F_SKIN, 0, 0.3, 0.2, {"pale", "fair"}, {"fair skin", "pale skin", "light skin"}, {0}, {0}},
    {HS_F_SKIN, 0.4, 0.6, 0.1, {"tanned"}, {"tan skin", "tanned skin"}, {0}, {0}},
    {HS_F_SKIN, 0.7, 1, 0.2, {"dark skinned"}, {"dark skin", "deep skin", "brown skin"}, {0}, {0}},
    {HS_F_HAIR_LENGTH, 0, 0.35, 0.2, {"short haired"}, {0}, {0}, {"short"}},
    {HS_F_HAIR_LENGTH, 0.4, 0.6, 0.1, {0}, {0}, {0}, {"medium length", "medium"}},
    {HS_F_HAIR_LENGTH, 0.65, 1, 0.2, {"long haired"}, {0}, {0}, {"long"}},
    {HS_F_HAIR_LENGTH, 0.85, 1, 0.15, {0}, {0}, {0}, {"very long", "shoulder length"}},
    {HS_F_HAIR_HUE, 0, 0.14, 0.08, {"blond"}, {0}, {0}, {"blond", "golden", "yellow"}},
    {HS_F_HAIR_HUE, 0.12, 0.26, 0.06, {0}, {0}, {0}, {"orange", "ginger"}},
    {HS_F_HAIR_HUE, 0.26, 0.44, 0.08, {"red haired"}, {0}, {0}, {"red"}},
    {HS_F_HAIR_HUE, 0.48, 0.66, 0.08, {0}, {0}, {0}, {"pink", "magenta"}},
    {HS_F_HAIR_HUE, 0.7, 1, 0.1, {"purple haired"}, {0}, {0}, {"purple"}},
    {HS_F_HAIR_HUE, 0.85, 1, 0.1, {0}, {0}, {0}, {"violet"}},
    {HS_F_BEARD, 1, 1, 0.5, {"bearded"}, {"a beard", "a full beard"}, {0}, {0}},
    {HS_F_BEARD, 0, 0, 0.5, {"shaven", "beardless"}, {"no beard"}, {"without a beard"}, {0}},
    {HS_F_GLASSES, 1, 1, 0.5, {0}, {"glasses", "spectacles", "round glasses"}, {"wearing glasses"}, {0}},
    {HS_F_GLASSES, 0, 0, 0.5, {0}, {"no glasses"}, {"without glasses", "not wearing glasses"}, {0}},
    {HS_F_HAT, 1, 1, 0.5, {0}, {"a hat", "a hat on"}, {"wearing a hat", "in a hat"}, {0}},
    {HS_F_HAT, 0, 0, 0.5, {"bareheaded"}, {"no hat"}, {"without a hat", "not wearing a hat"}, {0}},
    {HS_F_YAW, -1, -0.3, 0.4, {0}, {0}, {"looking left", "facing left", "turned to the left"}, {0}},
    {HS_F_YAW, -1, -0.65, 0.25, {0}, {0}, {"looking far left", "turned far to the left"}, {0}},
    {HS_F_YAW, -0.2, 0.2, 0.2, {0}, {0}, {"looking straight ahead", "facing forward", "facing the camera"}, {0}},
    {HS_F_YAW, 0.3, 1, 0.4, {0}, {0}, {"looking right", "facing right", "turned to the right"}, {0}},
    {HS_F_YAW, 0.65, 1, 0.25, {0}, {0}, {"looking far right", "turned far to the right"}, {0}},
    {HS_F_LIGHT, -1, -0.3, 0.4, {0}, {"light from the left"}, {"lit from the left"}, {0}},
    {HS_F_LIGHT, -0.2, 0.2, 0.2, {"evenly lit"}, {"light from the front"}, {"lit from the front"}, {0}},
    {HS_F_LIGHT, 0.3, 1, 0.4, {0}, {"light from the right"}, {"lit from the right"}, {0}},
    {HS_F_BACKGROUND, 0, 0.06, 0.04, {0}, {"an orange background"}, {"on orange", "on an orange background"}, {0}},
    {HS_F_BACKGROUND, 0.08, 0.2, 0.06, {0}, {"a yellow background"}, {"on yellow", "on a yellow background"}, {0}},
    {HS_F_BACKGROUND, 0.25, 0.6, 0.1, {0}, {"a green background"}, {"on green", "on a green background"}, {0}},
    {HS_F_BACKGROUND, 0.64, 0.8, 0.06, {0}, {"a turquoise background"}, {"on a cyan background"}, {0}},
    {HS_F_BACKGROUND, 0.82, 1, 0.08, {0}, {"a blue background"}, {"on blue", "on a blue background"}, {0}},
};

const char *const hs_caption_nouns[] = {"face", "person", "human face", NULL};
const char *const hs_caption_prefixes[] = {"a photo of",
                                           "a picture of",
                                           "an image of",
                                           "a painting of",
                                           "a drawing of",
                                           "a portrait of",
                                           "a rendering of",
                                           "the image of",
                                           "a close up of",
                                           "a good photo of",
                                           "a bad photo of",
                                           "this is",
                                           NULL};
const char *const hs_caption_glue[] = {"a", "an", "the", "with", "and", ",", "hair", ".", NULL};

size_t hs_caption_term_count(void)
{
    return sizeof terms / sizeof *terms;
}

const hs_caption_term *hs_caption_term_at(size_t i)
{
    return i < hs_caption_term_count() ? &terms[i] : NULL;
}

/* Entry i of a NULL-terminated list, else NULL with its length taken from *i. */
static const char *entry(const char *const *list, size_t most, size_t *i)
{
    for (size_t k = 0; k < most && list[k] != NULL; k++) {
        if ((*i)-- == 0) {
            return list[k];
        }
    }
    return NULL;
}

const char *hs_caption_phrase(size_t i)
{
    const char *const *const lists[] = {hs_caption_glue, hs_caption_nouns, hs_caption_prefixes};
    const char *found = NULL;
    for (size_t k = 0; k < sizeof lists / sizeof *lists && found == NULL; k++) {
        found = entry(lists[k], SIZE_MAX, &i);
    }
    for (size_t k = 0; k < hs_caption_term_count() && found == NULL; k++) {
        const char *const *const forms[] = {terms[k].adjective, terms[k].with, terms[k].tail, terms[k].hair};
        for (size_t f = 0; f < 4 && found == NULL; f++) {
            found = entry(forms[f], HS_CAPTION_FORMS, &i);
        }
    }
    return found;
}
