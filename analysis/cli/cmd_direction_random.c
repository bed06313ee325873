/* hspace direction random: controls of equal norm. */
#include <stdlib.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/common.h"
#include "analysis/directions/dir_random.h"
#include "core/base/alloc.h"

static const hs_opt options[] = {
    {"like", 0, HS_OPT_STR, NULL, 0, 0, NULL, "D[:NAME]", "Input", "the direction whose norm per timestep is copied"},
    {"covariance", 0, HS_OPT_STR, NULL, 0, 0, NULL, "ACTS.h5", "Input",
     "draw with the covariance of this store's h instead of isotropically"},
    {"count", 'k', HS_OPT_INT, "1", 1, 10000, NULL, "K", "Output", "number of directions: random0, random1, ..."},
    {0}};
static const hs_opt *const tables[] = {options, NULL};

HS_CHECKED static int write_random(hs_cmd *c, const hs_direction *like, const hs_store *store, size_t count)
{
    int rc;
    hs_result *r = NULL;
    hs_direction d = {0};
    char(*text)[32] = NULL;
    const char **name = NULL;
    HS_TRY(hs_alloc(count, sizeof *text, &text));
    HS_TRY(hs_alloc(count, sizeof *name, &name));
    for (size_t i = 0; i < count; i++) {
        snprintf(text[i], sizeof text[i], "random%zu", i);
        name[i] = text[i];
    }
    hs_direction_set set = {.method = "random",
                            .tap = like->tap,
                            .model_sha256 = like->model_sha256,
                            .space = like->space,
                            .shape = like->shape,
                            .n = count,
                            .name = name,
                            .S = like->S,
                            .t = like->t};
    HS_TRY(hs_result_create(hs_cmd_out(c), "directions", hs_cmd_force(c), &r));
    HS_TRY(hs_common_provenance(c, r));
    HS_TRY(hs_direction_put(r, &set));
    for (size_t i = 0; i < count; i++) {
        HS_TRY(hs_direction_random(like, store, hs_cmd_seed(c), i, &d));
        HS_TRY(hs_result_put_rows(r, hs_direction_array(like->space), i, 1, d.dh));
        hs_direction_free(&d);
    }
    HS_TRY(hs_result_commit(r));
out:
    hs_direction_free(&d);
    hs_result_free(r);
    free(text);
    free(name);
    return rc;
}

static int run(hs_cmd *c)
{
    int rc;
    hs_direction like = {0};
    hs_store *store = NULL;
    size_t count = (size_t)hs_cmd_int(c, "count");
    HS_TRY(hs_cmd_need_out(c));
    HS_TRY(hs_cmd_check_file(c, hs_cmd_out(c)));
    if (hs_cmd_str(c, "like") == NULL) {
        rc = hs_fail(HS_ERANGE, "direction random: wanted --like D[:NAME], whose norms are copied");
        goto out;
    }
    HS_TRY(hs_direction_open(hs_cmd_str(c, "like"), &like));
    HS_TRY(hs_cmd_input(c, like.file));
    if (hs_cmd_str(c, "covariance") != NULL) {
        HS_TRY(hs_store_open(hs_cmd_str(c, "covariance"), &store));
        HS_TRY(hs_cmd_input(c, hs_cmd_str(c, "covariance")));
    }
    json_object_set_new(hs_cmd_results(c), "count", json_integer((json_int_t)count));
    json_object_set_new(hs_cmd_results(c), "like", json_string(like.name));
    if (hs_cmd_out(c) != NULL && !hs_cmd_dry_run(c)) {
        HS_TRY(write_random(c, &like, store, count));
        hs_cmd_say(c, "%s: %zu random direction%s with the norms of %s\n", hs_cmd_out(c), count, count > 1 ? "s" : "",
                   like.name);
    }
out:
    hs_store_close(store);
    hs_direction_free(&like);
    return rc;
}

const hs_command hs_cmd_direction_random = {
    .name = "direction random",
    .usage = "--like D[:NAME] [-k K] -o R.h5",
    .purpose = "Random directions with the norm per timestep of a given one: the control of every measurement.",
    .examples = "hspace direction random --like pca.h5:pc0 -o random.h5\n"
                "hspace direction random --like pca.h5:pc0 --covariance acts.h5 -k 8 --seed 1 -o random8.h5",
    .options = tables,
    .run = run,
};
