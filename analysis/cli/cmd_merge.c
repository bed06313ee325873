/* hspace merge: the shards of a dump into one file, or their index. */
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/common.h"
#include "analysis/dump/spec.h"
#include "core/io/shards.h"

static const hs_opt options[] = {{"index", 0, HS_OPT_FLAG, NULL, 0, 0, NULL, NULL, "Output",
                                  "write the index alone, which reads as the whole; the shards stay where they are"},
                                 {0}};
static const hs_opt *const tables[] = {options, NULL};

/* The shards that are named, those of the index that is, or those beside the output. */
HS_CHECKED static int open_inputs(hs_cmd *c, hs_store **out)
{
    int rc = HS_OK;
    const char *const *in;
    char **list = NULL;
    size_t n = hs_cmd_inputs(c, &in), found = 0;
    hs_store *s = NULL;
    if (n == 0) {
        HS_TRY(hs_shards_beside(hs_cmd_out(c), &found, &list));
        n = found;
        in = (const char *const *)list;
    }
    if (n == 1) {
        HS_TRY(hs_store_open(in[0], &s));
    }
    if (s == NULL || hs_store_shards(s) == 0) {
        hs_store_close(s);
        s = NULL;
        HS_TRY(hs_shards_open(n, in, &s));
    }
    for (size_t i = 0; i < n; i++) {
        HS_TRY(hs_cmd_input(c, in[i]));
    }
    *out = s;
    s = NULL;
out:
    hs_store_close(s);
    hs_strings_free(found, list);
    return rc;
}

HS_CHECKED static int report(hs_cmd *c, const hs_store *s)
{
    hs_store_info info = {0};
    json_t *r = hs_cmd_results(c);
    int rc = hs_store_inspect(hs_cmd_out(c), &info);
    if (rc != HS_OK) {
        return rc;
    }
    json_object_set_new(r, "kind", json_string("activations"));
    json_object_set_new(r, "n", json_integer((json_int_t)info.n));
    json_object_set_new(r, "shards", json_integer((json_int_t)hs_store_shards(s)));
    json_object_set_new(r, "content_sha256", json_string(info.content_sha256));
    hs_cmd_say(c, "%s: %zu shards, %zu samples x %zu timesteps; content %.16s\n", hs_cmd_out(c), hs_store_shards(s),
               info.n, info.S, info.content_sha256);
    free(info.timestep);
    return HS_OK;
}

static int run(hs_cmd *c)
{
    int rc = HS_OK;
    hs_store *s = NULL;
    hs_arena arena = {0};
    const hs_attr *info;
    size_t n_info;
    if (hs_cmd_out(c) == NULL) {
        return hs_fail(HS_ERANGE, "merge: no output file; give -o ACTS.h5");
    }
    HS_TRY(hs_dump_information(hs_cmd_line(c), (size_t)omp_get_max_threads(), &arena, &info, &n_info));
    HS_TRY(open_inputs(c, &s));
    if (hs_cmd_dry_run(c)) {
        hs_cmd_say(c, "%zu shards, %zu samples x %zu timesteps\n", hs_store_shards(s), hs_store_n(s), hs_store_S(s));
        goto out;
    }
    if (hs_cmd_flag(c, "index")) {
        HS_TRY(hs_shards_index(s, hs_cmd_out(c), n_info, info, hs_cmd_force(c)));
    } else {
        HS_TRY(hs_shards_merge(s, hs_cmd_out(c), n_info, info, hs_cmd_force(c), hs_cmd_progress(c)));
    }
    HS_TRY(report(c, s));
out:
    hs_store_close(s);
    hs_arena_free(&arena);
    return rc;
}

const hs_command hs_cmd_merge = {
    .name = "merge",
    .usage = "[--index] [SHARD.h5... | INDEX.h5] -o ACTS.h5",
    .purpose = "Copy the shards of a dump into one store, the same as the dump in one piece; or write their index. "
               "Without inputs: those in ACTS.shards/.",
    .examples = "hspace merge acts.shards/*.h5 -o one.h5\n"
                "hspace merge acts.h5 -o one.h5\n"
                "hspace merge --index -o acts.h5",
    .options = tables,
    .min_inputs = 0,
    .max_inputs = (size_t)-1,
    .run = run,
};
