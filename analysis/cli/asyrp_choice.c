/* What a recipe means, option by option. */
#include <string.h>

#include "analysis/cli/asyrp.h"
#include "analysis/cli/shipped.h"

const hs_opt hs_opts_asyrp[] = {
    {"readout", 0, HS_OPT_STR, NULL, 0, 0, NULL, "attr:NAME", "Goal", "the factor that shall change"},
    HS_OPT_ATTR,
    {"by", 0, HS_OPT_NUM, "1", -1000, 1000, NULL, "X", "Goal",
     "how far, in its standard deviations (of 0 and 1: in its logit)"},
    {"source", 0, HS_OPT_STR, NULL, 0, 0, NULL, "TEXT", "Goal", "what the images are, to CLIP: \"a face\""},
    {"target", 0, HS_OPT_STR, NULL, 0, 0, NULL, "TEXT", "Goal", "what they shall become: \"a smiling face\""},
    {"clip", 0, HS_OPT_STR, "faces-clip", 0, 0, NULL, "DIR", "Goal",
     "CLIP that reads the texts: a Hugging Face folder, or the name of one that ships"},
    {"templates", 0, HS_OPT_STR, NULL, 0, 0, NULL, "FILE", "Goal",
     "sentences with {} for the texts, one a line; the direction is their mean"},
    {"clip-form", 0, HS_OPT_STR, NULL, 0, 0, "unit|plain", "FORM", "Goal",
     "CLIP's embeddings scaled to unit length or as they are; the recipe's: unit, of paper plain"},
    {"t-edit", 0, HS_OPT_STR, "0", 0, 0, NULL, "T|auto", "Edit",
     "edited where t >= T; auto: by curves of the model (hspace curves), with texts by their cosine"},
    {"space", 0, HS_OPT_STR, "h", 0, 0, "h|eps", "SPACE", "Edit",
     "what is changed: h, or the predicted noise, in the predicted x_0 alone (h's rival)"},
    {"free", 0, HS_OPT_FLAG, NULL, 0, 0, NULL, NULL, "Edit",
     "no network: a change of each image and step of its own, stored as deltas with their mean"},
    {"shared", 0, HS_OPT_FLAG, NULL, 0, 0, NULL, NULL, "Edit",
     "no network: a change of each step, the same for all images"},
    {"name", 0, HS_OPT_STR, NULL, 0, 0, NULL, "NAME", "Edit",
     "of the direction; the factor's or the target's when left out"},
    {"recipe", 0, HS_OPT_STR, "hspace", 0, 0, "hspace|code|paper", "RECIPE", "Training",
     "code: as Asyrp's program; paper: as its article; hspace: Adam against the prediction at the state at hand"},
    {"against", 0, HS_OPT_STR, NULL, 0, 0, "state|trajectory|image", "WHAT", "Training",
     "what edits are held against: the unedited prediction at hand, that of the unedited trajectory, the image; the "
     "recipe's"},
    {"update", 0, HS_OPT_STR, NULL, 0, 0, "timestep|trajectory", "WHEN", "Training",
     "at every timestep, or one a trajectory by the sum of its gradients; the recipe's"},
    {"trajectories", 0, HS_OPT_INT, NULL, 1, 0x1p30, NULL, "N", "Training",
     "batches taken from x_T to t-edit; 50, of code and paper one for each batch of images"},
    {"optimizer", 0, HS_OPT_STR, NULL, 0, 0, "adam|sgd", "HOW", "Training", "adam; of code and paper sgd"},
    {"rate", 0, HS_OPT_NUM, NULL, 0, 1000, NULL, "R", "Training",
     "learning rate: 1e-3, falling over the second half; of code and paper 0.5, in steps"},
    {"rate-every", 0, HS_OPT_INT, NULL, 0, 0x1p30, NULL, "N", "Training",
     "the rate is multiplied by rate-gamma after so many passes over the images; 0: as above; of code and paper 20"},
    {"rate-gamma", 0, HS_OPT_NUM, "0.9", 0, 1, NULL, "G", "Training", "factor of the rate"},
    {"max-norm", 0, HS_OPT_NUM, NULL, 0, 1e9, NULL, "L", "Training",
     "gradients longer than this are cut; 1; 0, as of code and paper: none"},
    {"weight", 0, HS_OPT_NUM, NULL, 0, 1e6, NULL, "W", "Training", "of the goal; 1, of paper 0.8"},
    {"l1", 0, HS_OPT_NUM, NULL, 0, 1e6, NULL, "W", "Training",
     "of mean |P_edit - P_src|; 1, with texts 3 times their cosine"},
    {"l1-scale", 0, HS_OPT_STR, "cosine", 0, 0, "cosine|none", "HOW", "Training",
     "with texts the weight l1 is multiplied by the cosine of source and target"},
    {"init", 0, HS_OPT_STR, NULL, 0, 0, NULL, "HOW", "Training",
     "zero: begins without an effect, last layer 0 (hspace with a factor); torch: as PyTorch's layers, as the released "
     "networks did, without a network normal of 0.2 (all others); FILE.h5[:NAME]: from a network there"},
    {"save-every", 0, HS_OPT_NUM, "120", 0, 1e9, NULL, "S", "Training", "seconds between checkpoints"},
    {"resume", 0, HS_OPT_FLAG, NULL, 0, 0, NULL, NULL, "Training", "continue from the checkpoint in FILE.train/"},
    {0}};

/* The first letter of an option's text, or of what the recipe has instead. */
static char letter(const hs_cmd *c, const char *opt, char fallback)
{
    const char *text = hs_cmd_str(c, opt);
    return text != NULL ? text[0] : fallback;
}

static double number(const hs_cmd *c, const char *opt, double fallback)
{
    return hs_cmd_given(c, opt) ? hs_cmd_num(c, opt) : fallback;
}

static uint64_t whole(const hs_cmd *c, const char *opt, uint64_t fallback)
{
    return hs_cmd_given(c, opt) ? (uint64_t)hs_cmd_int(c, opt) : fallback;
}

HS_CHECKED static int choose_goal(const hs_cmd *c, hs_asyrp_choice *o)
{
    int texts = (hs_cmd_str(c, "source") != NULL) + (hs_cmd_str(c, "target") != NULL);
    int factor = hs_cmd_str(c, "readout") != NULL;
    if (factor + (texts > 0) != 1 || texts == 1) {
        return hs_fail(HS_ERANGE,
                       "direction asyrp: wanted --readout attr:NAME, the factor that shall change, or --source "
                       "and --target, texts for CLIP");
    }
    if (factor && (hs_cmd_given(c, "clip") || hs_cmd_given(c, "templates") || hs_cmd_given(c, "clip-form"))) {
        return hs_fail(HS_ERANGE, "--readout: --clip, --templates and --clip-form go with --source and --target");
    }
    o->clip = !factor;
    return HS_OK;
}

HS_CHECKED static int choose_delta(const hs_cmd *c, hs_asyrp_choice *o)
{
    const char *init = hs_cmd_str(c, "init");
    int own = o->recipe[0] == 'h';
    if (hs_cmd_flag(c, "free") && hs_cmd_flag(c, "shared")) {
        return hs_fail(HS_ERANGE, "--free and --shared: wanted one of them");
    }
    o->kind = hs_cmd_flag(c, "free") ? HS_DELTA_FREE : hs_cmd_flag(c, "shared") ? HS_DELTA_SHARED : HS_DELTA_NET;
    o->eps = hs_cmd_str(c, "space")[0] == 'e';
    o->silent = init != NULL ? strcmp(init, "zero") == 0 : own && !o->clip;
    o->start = init != NULL && !o->silent && strcmp(init, "torch") != 0 ? init : NULL;
    if (o->start != NULL && o->kind != HS_DELTA_NET) {
        return hs_fail(HS_ERANGE, "--init %.200s: a network to begin from; --free and --shared have none", o->start);
    }
    if (o->silent && o->clip && o->against != HS_AGAINST_IMAGE) {
        return hs_fail(HS_ERANGE,
                       "--init zero: an edit that does not move its source has no direction for CLIP to turn; "
                       "wanted torch, or --against image");
    }
    return HS_OK;
}

static void put(hs_cmd *c, const hs_asyrp_choice *o)
{
    static const char *const against[] = {"state", "trajectory", "image"};
    json_t *p = hs_cmd_params(c);
    json_object_set_new(p, "against", json_string(against[o->against]));
    json_object_set_new(p, "update", json_string(o->update == HS_UPDATE_TIMESTEP ? "timestep" : "trajectory"));
    json_object_set_new(p, "optimizer", json_string(o->sgd ? "sgd" : "adam"));
    json_object_set_new(p, "rate", hs_json_num(o->rate));
    json_object_set_new(p, "rate-every", json_integer((json_int_t)o->every));
    json_object_set_new(p, "max-norm", hs_json_num(o->max_norm));
    json_object_set_new(p, "weight", hs_json_num(o->weight));
    json_object_set_new(p, "l1", hs_json_num(o->l1));
    json_object_set_new(p, "init", json_string(o->start != NULL ? o->start : o->silent ? "zero" : "torch"));
    if (o->clip) {
        json_object_set_new(p, "clip-form", json_string(o->form == HS_CLIP_UNIT ? "unit" : "plain"));
    }
}

int hs_asyrp_choose(hs_cmd *c, hs_asyrp_choice *out)
{
    hs_asyrp_choice o = {.recipe = hs_cmd_str(c, "recipe")};
    int own = o.recipe[0] == 'h', code = o.recipe[0] == 'c', paper = o.recipe[0] == 'p', rc = HS_OK;
    HS_TRY(choose_goal(c, &o));
    char against = letter(c, "against", own ? 's' : code ? 'i' : 't'), form = paper ? 'p' : 'u';
    o.against = against == 's' ? HS_AGAINST_STATE : against == 'i' ? HS_AGAINST_IMAGE : HS_AGAINST_TRAJECTORY;
    const char *update = hs_cmd_str(c, "update");
    o.update = (update != NULL ? strcmp(update, "trajectory") == 0 : paper) ? HS_UPDATE_TRAJECTORY : HS_UPDATE_TIMESTEP;
    o.sgd = letter(c, "optimizer", own ? 'a' : 's') == 's';
    o.logarithm = code;
    o.form = letter(c, "clip-form", hs_cmd_given(c, "templates") ? 'u' : form) == 'u' ? HS_CLIP_UNIT : HS_CLIP_PLAIN;
    o.weight = number(c, "weight", paper ? 0.8 : 1);
    o.l1 = number(c, "l1", o.clip ? 3 : 1);
    o.rate = number(c, "rate", own ? 1e-3 : 0.5);
    o.every = whole(c, "rate-every", own ? 0 : 20);
    o.gamma = hs_cmd_num(c, "rate-gamma");
    o.max_norm = number(c, "max-norm", own);
    o.trajectories = whole(c, "trajectories", own ? 50 : 0);
    HS_TRY(choose_delta(c, &o));
    put(c, &o);
    *out = o;
out:
    return rc;
}
