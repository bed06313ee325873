#include "analysis/cli/shard.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/io/shards.h"

/* *value <- the number of an environment variable; HS_ERANGE when it is none. */
HS_CHECKED static int number_of(const char *name, int64_t *value)
{
    const char *text = getenv(name);
    return hs_fail_in(hs_text_i64(text != NULL ? text : "", 0, INT32_MAX, value), name);
}

HS_CHECKED static int from_text(const char *text, hs_shard *out)
{
    int64_t i = 0, N = 0;
    char *copy = NULL;
    int rc = hs_strdup(text, &copy);
    if (rc != HS_OK) {
        return rc;
    }
    char *slash = strchr(copy, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
    if (slash == NULL || hs_text_i64(copy, 0, HS_SHARDS_MOST, &i) != HS_OK ||
        hs_text_i64(slash + 1, 1, HS_SHARDS_MOST, &N) != HS_OK || i >= N) {
        rc = hs_fail(HS_ERANGE, "--shard: '%.40s'; wanted I/N, 0 <= I < N <= %d", text, (int)HS_SHARDS_MOST);
    }
    free(copy);
    *out = (hs_shard){(size_t)i, (size_t)N};
    return rc;
}

HS_CHECKED static int from_array(hs_shard *out)
{
    int64_t id, N, low = 0, high;
    int rc = HS_OK;
    HS_TRY(number_of("SLURM_ARRAY_TASK_ID", &id));
    HS_TRY(number_of("SLURM_ARRAY_TASK_COUNT", &N));
    high = N - 1;
    if (getenv("SLURM_ARRAY_TASK_MIN") != NULL && getenv("SLURM_ARRAY_TASK_MAX") != NULL) {
        HS_TRY(number_of("SLURM_ARRAY_TASK_MIN", &low));
        HS_TRY(number_of("SLURM_ARRAY_TASK_MAX", &high));
    }
    if (low > 1 || high - low + 1 != N || id < low || id > high) {
        rc = hs_fail(HS_ERANGE,
                     "SLURM_ARRAY_TASK_ID: task %lld of an array of %lld from %lld to %lld; wanted one from 0 or 1 on "
                     "without gaps, or --shard I/N",
                     (long long)id, (long long)N, (long long)low, (long long)high);
        goto out;
    }
    *out = (hs_shard){(size_t)(id - low), (size_t)N};
out:
    return rc;
}

HS_CHECKED static int from_rank(const char *rank, const char *size, hs_shard *out)
{
    int64_t i, N;
    int rc = HS_OK;
    HS_TRY(number_of(rank, &i));
    HS_TRY(number_of(size, &N));
    if (i >= N) {
        rc = hs_fail(HS_ERANGE, "%s: %lld, and %s is %lld; wanted a smaller one, or --shard I/N", rank, (long long)i,
                     size, (long long)N);
        goto out;
    }
    *out = (hs_shard){(size_t)i, (size_t)N};
out:
    return rc;
}

/* *by <- the option or variable that decides, NULL: none. */
HS_CHECKED static int choose(const hs_cmd *c, hs_shard *out, const char **by)
{
    static const char *const ranks[][2] = {
        {"SLURM_PROCID", "SLURM_NTASKS"}, {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"}, {"PMI_RANK", "PMI_SIZE"}};
    *by = NULL;
    *out = (hs_shard){0, 1};
    if (hs_cmd_str(c, "shard") != NULL) {
        *by = "--shard";
        return from_text(hs_cmd_str(c, "shard"), out);
    }
    if (getenv("SLURM_ARRAY_TASK_ID") != NULL) {
        *by = "SLURM_ARRAY_TASK_ID";
        return from_array(out);
    }
    for (size_t k = 0; k < sizeof ranks / sizeof *ranks; k++) {
        if (getenv(ranks[k][0]) != NULL && getenv(ranks[k][1]) != NULL) {
            *by = ranks[k][0];
            return from_rank(ranks[k][0], ranks[k][1], out);
        }
    }
    return HS_OK;
}

int hs_shard_choose(hs_cmd *c, hs_shard *out)
{
    const char *by;
    int rc = choose(c, out, &by);
    if (rc != HS_OK) {
        return rc;
    }
    json_object_set_new(hs_cmd_params(c), "shard", json_integer((json_int_t)out->i));
    json_object_set_new(hs_cmd_params(c), "shards", json_integer((json_int_t)out->N));
    json_object_set_new(hs_cmd_params(c), "shard_by", by != NULL ? json_string(by) : json_null());
    if (out->N > 1) {
        hs_log(HS_LOG_INFO, "dump: shard %zu of %zu, by %s", out->i, out->N, by);
    }
    return HS_OK;
}
