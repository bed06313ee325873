/* hspace train --readout attr: the attribute network. */
#include <math.h>
#include <string.h>

#include "analysis/cli/common.h"
#include "analysis/cli/train_run.h"
#include "analysis/train/task_attr.h"

const hs_opt hs_opts_train_attr[] = {
    {"readout", 0, HS_OPT_STR, NULL, 0, 0, "attr|clip", "KIND", "Read-out",
     "attr: a network from pixels to attributes; clip: two towers, from pixels and from captions"},
    {"attributes", 0, HS_OPT_LIST, NULL, 0, 0, NULL, "A,B,...", "Read-out",
     "columns of attributes.csv; all when left out"},
    {"size", 0, HS_OPT_INT, "32", 8, 1024, NULL, "R", "Read-out", "side of the images"},
    {"channels", 0, HS_OPT_GRID, "32,64,96,128", 1, 4096, NULL, "C1,C2,...", "Read-out", "channels of its levels"},
    {"groups", 0, HS_OPT_INT, "8", 1, 4096, NULL, "G", "Read-out", "groups of its norms"},
    {"features", 0, HS_OPT_INT, "128", 1, 65536, NULL, "F", "Read-out", "features before the answers"},
    {"held-out", 0, HS_OPT_INT, "2000", 0, 1000000, NULL, "N", "Read-out",
     "further renders of a generator that score it at the end"},
    {0}};

HS_CHECKED static int read_options(const hs_cmd *c, const hs_train_run *r, hs_attr_options *o)
{
    const double *ch;
    *o = (hs_attr_options){.seed = hs_cmd_seed(c),
                           .batch = (size_t)hs_cmd_int(c, "batch"),
                           .levels = hs_cmd_grid(c, "channels", &ch),
                           .groups = (size_t)hs_cmd_int(c, "groups"),
                           .features = (size_t)hs_cmd_int(c, "features"),
                           .half = strcmp(hs_cmd_str(c, "dtype"), "f16") == 0,
                           .conv = hs_common_conv(c),
                           .n_meta = r->n_meta,
                           .meta = r->meta};
    if (o->levels > HS_ATTR_LEVELS_MAX) {
        return hs_fail(HS_ERANGE, "--channels: %zu levels; wanted 1 to %d", o->levels, HS_ATTR_LEVELS_MAX);
    }
    for (size_t i = 0; i < o->levels; i++) {
        if (ch[i] != floor(ch[i])) {
            return hs_fail(HS_ERANGE, "--channels: %g is not a whole number", ch[i]);
        }
        o->ch[i] = (size_t)ch[i];
    }
    return HS_OK;
}

static void answer(hs_cmd *c, const hs_data *d, const hs_attr_score *score)
{
    json_t *list = json_array();
    for (size_t f = 0; f < d->n_factors; f++) {
        json_t *o = json_object();
        int binary = d->factor[f].binary;
        json_object_set_new(o, "name", json_string(d->factor[f].name));
        json_object_set_new(o, binary ? "accuracy" : "r2", hs_json_num(binary ? score[f].accuracy : score[f].r2));
        json_object_set_new(o, "n", json_integer((json_int_t)d->n));
        json_array_append_new(list, o);
        hs_cmd_say(c, "  %-20s %s %.4f\n", d->factor[f].name, binary ? "accuracy" : "R^2",
                   binary ? score[f].accuracy : score[f].r2);
    }
    json_object_set_new(hs_cmd_results(c), "held_out", list);
}

/* Renders that follow those of the training; the network as it was published. */
HS_CHECKED static int score_held_out(hs_cmd *c, hs_train_run *r)
{
    hs_data_options o = {.image = r->data.image,
                         .factors = 1,
                         .seed = hs_train_data_seed(c),
                         .first = r->data.n,
                         .images = (size_t)hs_cmd_int(c, "held-out")};
    hs_attr_score score[HS_ATTR_FACTORS_MAX];
    hs_data held_out = {0};
    hs_attrnet *net = NULL;
    int rc = HS_OK;
    HS_TRY(hs_data_open(hs_cmd_str(c, "data"), &o, &held_out));
    HS_TRY(hs_attrnet_open(r->folder, &net));
    HS_TRY(hs_attr_score_on(net, hs_common_conv(c), &held_out, score));
    answer(c, &held_out, score);
    json_object_set(r->described, "results", hs_cmd_results(c));
    HS_TRY(hs_train_run_write(r));
out:
    hs_attrnet_free(net);
    hs_data_free(&held_out);
    return rc;
}

int hs_train_attr(hs_cmd *c)
{
    hs_train_run r = {0};
    hs_attr_options o;
    hs_attr_task *a = NULL;
    size_t side = (size_t)hs_cmd_int(c, "size");
    int rc = HS_OK;
    HS_TRY(hs_train_run_open(c, (hs_chw){3, side, side}, 1, &r));
    HS_TRY(read_options(c, &r, &o));
    HS_TRY(hs_attr_task_create(&r.data, &o, r.folder, &a));
    const hs_task task = hs_attr_task_of(a);
    if (hs_cmd_dry_run(c)) {
        HS_TRY(hs_train_run_plan(c, &r, &task));
        goto out;
    }
    HS_TRY(hs_train_run_go(c, &r, &task));
    if (hs_data_is_generated(hs_cmd_str(c, "data")) && hs_cmd_int(c, "held-out") > 0) {
        HS_TRY(score_held_out(c, &r));
    }
out:
    hs_attr_task_free(a);
    hs_train_run_free(&r);
    return rc;
}
