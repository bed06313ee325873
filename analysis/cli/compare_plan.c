#include "analysis/cli/compare_plan.h"

#include <stdlib.h>
#include <string.h>

#include "analysis/cli/compare_effects.h"
#include "analysis/cli/work.h"
#include "core/base/alloc.h"

/* One model's share. */
static hs_cost cost_of(const hs_cmd *c, size_t count, const hs_compared *s)
{
    const double *strength;
    const size_t m = hs_cmd_grid(c, "strengths", &strength), folds = (size_t)hs_cmd_int(c, "folds");
    const size_t D = s->scorer != NULL ? s->dirs.n : 0;
    hs_work_of w = {.n = s->n, .inverted = s->source.kind == HS_SOURCE_IMAGES};
    w.edit = (hs_cost_of){.S = s->steps.S, .on_h = 1, .symmetric = strcmp(hs_cmd_str(c, "mode"), "symmetric") == 0};
    while (w.edit.edited < s->steps.S && s->steps.step[w.edit.edited].t >= hs_cmd_int(c, "t-edit")) {
        w.edit.edited++;
    }
    return hs_work_compare(&w, D, m, strength, count - 1, (s->n + folds - 1) / folds, HS_CARRIED_NULLS);
}

static double bytes_of(const hs_compared *s)
{
    return (double)s->n * (double)s->view.S * (double)s->d * sizeof(float);
}

int hs_compared_plan(hs_cmd *c, size_t count, const hs_compared *list)
{
    int rc;
    size_t models = 0;
    double bytes = 0;
    const hs_model **model = NULL;
    hs_cost *cost = NULL;
    json_t *r = hs_cmd_results(c);
    HS_TRY(hs_alloc(count, sizeof *model, &model));
    HS_TRY(hs_alloc(count, sizeof *cost, &cost));
    for (size_t i = 0; i < count; i++) {
        bytes += list[i].is_model ? 0 : bytes_of(&list[i]);
        if (list[i].is_model) {
            model[models] = &list[i].model;
            cost[models++] = cost_of(c, count, &list[i]);
        }
    }
    json_object_set_new(r, "n", json_integer((json_int_t)list[0].n));
    json_object_set_new(r, "timesteps", json_integer((json_int_t)list[0].view.S));
    json_object_set_new(r, "store_bytes", hs_json_num(bytes));
    hs_cmd_say(c, "%zu images x %zu timesteps in each of %zu: %zu pair%s, %zu direction%s\n", list[0].n, list[0].view.S,
               count, count * (count - 1) / 2, count > 2 ? "s" : "", list[0].dirs.n, list[0].dirs.n == 1 ? "" : "s");
    if (models < count) {
        hs_cmd_say(c, "h of %zu stores or arrays: %.3g MiB, read some times for each pair\n", count - models,
                   bytes / 0x1p20);
    }
    HS_TRY(models > 0 ? hs_work_planned_all(c, models, model, list[0].n, cost, 0) : HS_OK);
out:
    free(model);
    free(cost);
    return rc;
}

void hs_compared_done(hs_cmd *c, size_t count, const hs_compared *list)
{
    const hs_model *first = NULL;
    hs_unet_work beside = {0};
    for (size_t i = 0; i < count; i++) {
        if (list[i].is_model && first != NULL) {
            hs_unet_work w = hs_unet_work_of(list[i].model.unet);
            beside.encodes += w.encodes;
            beside.decodes += w.decodes;
        } else if (list[i].is_model) {
            first = &list[i].model;
        }
    }
    if (first != NULL) {
        hs_work_done(c, first, beside);
    }
}
