/* hspace train --readout clip: an image tower and a text tower, from faces and captions of them. */
#include <math.h>
#include <string.h>

#include "analysis/cli/common.h"
#include "analysis/cli/train_run.h"
#include "analysis/train/clip_score.h"
#include "analysis/train/task_clip.h"

const hs_opt hs_opts_train_clip[] = {
    {"captions", 0, HS_OPT_INT, "4", 1, 16, NULL, "N", "Read-out", "clip: captions of each image of an update"},
    {"guide", 0, HS_OPT_NUM, "1", 0, 1e6, NULL, "W", "Read-out",
     "clip: weight of the factors that a linear map should find in an image's embedding"},
    {"no-augment", 0, HS_OPT_FLAG, NULL, 0, 0, NULL, NULL, "Read-out",
     "clip: images as they are, not shifted, blurred and noisy"},
    {0}};

HS_CHECKED static int open_data(hs_cmd *c, hs_train_run *r, hs_clip_config *cfg)
{
    int rc = HS_OK;
    HS_TRY(hs_cmd_need(c, "arch"));
    HS_TRY(hs_fail_in(hs_clip_arch_named(hs_cmd_str(c, "arch"), cfg), "--arch"));
    HS_TRY(hs_train_run_open(c, (hs_chw){3, cfg->image_size, cfg->image_size}, 1, r));
out:
    return rc;
}

static json_t *pair_json(const hs_data *d, const hs_clip_pair *p, const hs_clip_pair_score *s)
{
    json_t *o = json_pack("{s:s, s:s, s:s, s:o, s:o, s:s}", "factor", p->factor, "source", p->source, "target",
                          p->target, "pearson", hs_json_num(s->pearson), "stray", hs_json_num(s->stray), "stray_factor",
                          d->factor[s->stray_factor].name);
    if (p->opposite) {
        json_object_set_new(o, "accuracy", hs_json_num(s->accuracy));
    }
    return o;
}

static void answer(hs_cmd *c, const char *name, const hs_data *d, const hs_clip_scores *s)
{
    json_t *o = json_object(), *pairs = json_array();
    json_object_set_new(o, "n", json_integer((json_int_t)s->n));
    json_object_set_new(o, "pool", json_integer(HS_CLIP_POOL));
    json_object_set_new(o, "image_to_caption", hs_json_num(s->image_to_caption));
    json_object_set_new(o, "caption_to_image", hs_json_num(s->caption_to_image));
    hs_cmd_say(c, "%s: of %d, the right caption %.3f, the right image %.3f\n", name, (int)HS_CLIP_POOL,
               s->image_to_caption, s->caption_to_image);
    for (size_t k = 0; k < HS_CLIP_PAIRS; k++) {
        const hs_clip_pair *p = &hs_clip_pairs[k];
        json_array_append_new(pairs, pair_json(d, p, &s->pair[k]));
        hs_cmd_say(c, "  %-28s -> %-28s r %.3f, strays to %s %.3f", p->source, p->target, s->pair[k].pearson,
                   d->factor[s->pair[k].stray_factor].name, s->pair[k].stray);
        hs_cmd_say(c, p->opposite ? ", accuracy %.3f\n" : "\n", s->pair[k].accuracy);
    }
    json_object_set_new(o, "pairs", pairs);
    json_object_set_new(hs_cmd_results(c), name, o);
}

/* Renders that follow those of the training, as they are and augmented; the network as it was published. */
HS_CHECKED static int score_held_out(hs_cmd *c, hs_train_run *r)
{
    hs_data_options o = {.image = r->data.image,
                         .factors = 1,
                         .seed = hs_train_data_seed(c),
                         .first = r->data.n,
                         .images = (size_t)hs_cmd_int(c, "held-out")};
    hs_clip_scores scores;
    hs_data held_out = {0};
    hs_clip *net = NULL;
    int rc = HS_OK;
    HS_TRY(hs_data_open(hs_cmd_str(c, "data"), &o, &held_out));
    HS_TRY(hs_clip_open(r->folder, &net));
    HS_TRY(hs_fail_in(hs_clip_score_on(net, &held_out, o.seed, 0, &scores), "--held-out"));
    answer(c, "held_out", &held_out, &scores);
    HS_TRY(hs_clip_score_on(net, &held_out, o.seed, 1, &scores));
    answer(c, "held_out_augmented", &held_out, &scores);
    json_object_set(r->described, "results", hs_cmd_results(c));
    HS_TRY(hs_train_run_write(r));
out:
    hs_clip_free(net);
    hs_data_free(&held_out);
    return rc;
}

int hs_train_clip(hs_cmd *c)
{
    hs_clip_config cfg;
    hs_train_run r = {0};
    hs_clip_task *a = NULL;
    int rc = HS_OK;
    HS_TRY(open_data(c, &r, &cfg));
    const hs_clip_train_options o = {.seed = hs_cmd_seed(c),
                                     .batch = (size_t)hs_cmd_int(c, "batch"),
                                     .captions = (size_t)hs_cmd_int(c, "captions"),
                                     .arch = hs_cmd_str(c, "arch"),
                                     .guide = hs_cmd_num(c, "guide"),
                                     .augment = !hs_cmd_flag(c, "no-augment"),
                                     .half = strcmp(hs_cmd_str(c, "dtype"), "f16") == 0,
                                     .n_meta = r.n_meta,
                                     .meta = r.meta};
    HS_TRY(hs_clip_task_create(&r.data, &o, r.folder, &a));
    const hs_task task = hs_clip_task_of(a);
    if (hs_cmd_dry_run(c)) {
        HS_TRY(hs_train_run_plan(c, &r, &task));
        goto out;
    }
    HS_TRY(hs_train_run_go(c, &r, &task));
    if (hs_data_is_generated(hs_cmd_str(c, "data")) && hs_cmd_int(c, "held-out") >= HS_CLIP_POOL) {
        HS_TRY(score_held_out(c, &r));
    }
out:
    hs_clip_task_free(a);
    hs_train_run_free(&r);
    return rc;
}
