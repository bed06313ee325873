/* hspace dump: h of a model over samples x timesteps, into an activation store. */
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/common.h"
#include "analysis/cli/libraries.h"
#include "analysis/cli/shard.h"
#include "analysis/dump/dump.h"
#include "analysis/dump/spec.h"
#include "core/io/shards.h"

static const hs_opt options[] = {
    {"clip", 0, HS_OPT_FLAG, NULL, 0, 0, NULL, NULL, "Sampler", "clip the predicted x_0 to [-1, 1]"},
    {"keep", 0, HS_OPT_LIST, NULL, 0, 0, "x_T|x_0|eps", "x_T,x_0,eps", "Output", "arrays stored beside h"},
    {"dtype", 0, HS_OPT_STR, "f32", 0, 0, "f32|f16", "TYPE", "Output",
     "of h; f16 halves the file, open it with h5py or engine='h5netcdf'"},
    {"tap", 0, HS_OPT_STR, "mid", 0, 0, "mid", "TAP", "Output",
     "which activation: mid, the whole middle block's output"},
    {"shard", 0, HS_OPT_STR, NULL, 0, 0, NULL, "I/N", "Output",
     "part I of N, counted from 0, into ACTS.shards/; by itself from a Slurm array, srun or mpirun; 0/1: the whole"},
    {0}};
static const hs_opt *const tables[] = {hs_opts_model, hs_opts_source, hs_opts_steps, options, NULL};

static int keeps(const hs_cmd *c, const char *what)
{
    const char *const *item;
    size_t n = hs_cmd_list(c, "keep", &item);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(item[i], what) == 0) {
            return 1;
        }
    }
    return 0;
}

HS_CHECKED static int describe(hs_cmd *c, const hs_model *m, const hs_source *source, const hs_steps *steps,
                               hs_arena *arena, hs_store_spec *spec)
{
    int rc;
    char sha[HS_SHA256_HEX], version[160], dnnl[160], backend[200], blas[200];
    hs_dump_choice choice = {.n = source->n,
                             .steps = steps,
                             .spacing = hs_common_listed(c) ? "list" : hs_cmd_str(c, "spacing"),
                             .seed = hs_cmd_seed(c),
                             .source = source->name,
                             .inverted = source->kind == HS_SOURCE_IMAGES,
                             .clip = hs_cmd_flag(c, "clip"),
                             .keep_x_T = keeps(c, "x_T"),
                             .keep_x_0 = keeps(c, "x_0"),
                             .keep_eps = keeps(c, "eps"),
                             .dtype = strcmp(hs_cmd_str(c, "dtype"), "f16") == 0 ? HS_F16 : HS_F32,
                             .batch = hs_common_batch(c, source->n),
                             .conv = hs_cmd_str(c, "conv"),
                             .backend = backend,
                             .blas = blas,
                             .source_version = version,
                             .command_line = hs_cmd_line(c),
                             .threads = (size_t)omp_get_max_threads()};
    snprintf(version, sizeof version, "hspace %s", hs_version());
    hs_lib_dnnl(dnnl, sizeof dnnl);
    snprintf(backend, sizeof backend, "onednn %s", dnnl);
    hs_lib_blas(blas, sizeof blas);
    if (source->kind == HS_SOURCE_ARRAY) {
        HS_TRY(hs_sha256_of(source->array.v, source->array.count * sizeof *source->array.v, sha));
        choice.x_T_sha256 = sha;
    }
    HS_TRY(hs_dump_spec(m, &choice, arena, spec));
out:
    return rc;
}

static double bytes_of(const hs_store_spec *s)
{
    double cells = (double)s->n * (double)s->S;
    double h = cells * (double)hs_chw_size(s->h) * (double)hs_dtype_size(s->dtype);
    double eps = s->keep_eps ? cells * (double)hs_chw_size(s->image) * 4 : 0;
    return (h + eps + (double)s->n * (double)hs_chw_size(s->image) * (4.0 * s->keep_x_T + s->keep_x_0));
}

HS_CHECKED static int report(hs_cmd *c, const char *path, const hs_dump_report *r)
{
    int rc;
    hs_store_info info = {0};
    json_t *out = hs_cmd_results(c);
    HS_TRY(hs_store_inspect(path, &info));
    json_object_set_new(out, "kind", json_string("activations"));
    json_object_set_new(out, "n", json_integer((json_int_t)info.n));
    json_object_set_new(out, "computed", json_integer((json_int_t)r->computed));
    json_object_set_new(out, "resumed", json_integer((json_int_t)r->already));
    json_object_set_new(out, "sealed", json_boolean(info.sealed));
    json_object_set_new(out, "content_sha256", json_string(info.content_sha256));
    json_object_set_new(out, "network_s", hs_json_num(r->network_s));
    json_object_set_new(out, "store_s", hs_json_num(r->store_s));
    hs_cmd_say(c, "%s: %zu samples x %zu timesteps, h %zu x %zu x %zu", path, info.n, info.S, info.h.c, info.h.h,
               info.h.w);
    hs_cmd_say(c, r->already > 0 ? " (%zu computed now, %zu before)\n" : " (%zu computed)\n", r->computed, r->already);
    hs_cmd_say(c, "network %.1f s, store %.1f s; content %.16s\n", r->network_s, r->store_s, info.content_sha256);
out:
    free(info.timestep);
    return rc;
}

HS_CHECKED static int dump_whole(hs_cmd *c, const hs_model *m, hs_source *source, const hs_dump_options *o)
{
    int rc;
    hs_dump_report done;
    HS_TRY(hs_dump_run(hs_cmd_out(c), m, &(hs_dump_source){hs_source_x_T, source}, o, &done));
    HS_TRY(report(c, hs_cmd_out(c), &done));
out:
    return rc;
}

/* One shard, and the index when it was the last. */
HS_CHECKED static int dump_shard(hs_cmd *c, const hs_model *m, hs_source *source, const hs_dump_options *whole,
                                 const hs_shard *shard)
{
    int rc, indexed = 0;
    hs_arena arena = {0};
    hs_store_spec part;
    hs_dump_options o = *whole;
    hs_dump_report done;
    char *path = NULL;
    const char *out = hs_cmd_out(c);
    HS_TRY(hs_shard_spec(whole->spec, shard->i, shard->N, &arena, &part, &o.first));
    o.spec = &part;
    HS_TRY(hs_shard_prepare(out, whole->spec, shard->N, o.force));
    HS_TRY(hs_shard_path(out, whole->spec, shard->i, shard->N, &path));
    HS_TRY(hs_dump_run(path, m, &(hs_dump_source){hs_source_x_T, source}, &o, &done));
    HS_TRY(report(c, path, &done));
    HS_TRY(hs_shards_finish(out, whole->spec, shard->N, o.force, &indexed));
    json_object_set_new(hs_cmd_results(c), "path", json_string(path));
    json_object_set_new(hs_cmd_results(c), "first", json_integer((json_int_t)o.first));
    json_object_set_new(hs_cmd_results(c), "index", indexed ? json_string(out) : json_null());
    if (indexed) {
        hs_cmd_say(c, "%s: all %zu shards are there\n", out, shard->N);
    }
out:
    free(path);
    hs_arena_free(&arena);
    return rc;
}

HS_CHECKED static int dump(hs_cmd *c, const hs_model *m, hs_source *source, const hs_steps *steps,
                           const hs_store_spec *spec, const hs_shard *shard)
{
    hs_dump_options o = {.spec = spec,
                         .steps = steps,
                         .conv = hs_common_conv(c),
                         .clip = hs_common_clipping(c, m),
                         .force = hs_cmd_force(c),
                         .progress = hs_cmd_progress(c)};
    if (hs_cmd_out(c) == NULL) {
        return hs_fail(HS_ERANGE, "dump: no output file; give -o ACTS.h5");
    }
    return shard->N > 1 ? dump_shard(c, m, source, &o, shard) : dump_whole(c, m, source, &o);
}

static int run(hs_cmd *c)
{
    int rc;
    hs_model m = {0};
    hs_steps steps = {0};
    hs_source source = {0};
    hs_arena arena = {0};
    hs_store_spec spec = {0};
    hs_shard shard;
    HS_TRY(hs_shard_choose(c, &shard));
    HS_TRY(hs_common_model(c, &m));
    HS_TRY(hs_common_steps(c, &m.schedule, &steps));
    HS_TRY(hs_source_open(c, &m, &steps, &source));
    HS_TRY(describe(c, &m, &source, &steps, &arena, &spec));
    json_object_set_new(hs_cmd_results(c), "disk_bytes", json_integer((json_int_t)bytes_of(&spec)));
    if (hs_cmd_dry_run(c)) {
        hs_cmd_say(c, "%zu samples x %zu timesteps, %.3f GB on disk\n", spec.n, spec.S, 1e-9 * bytes_of(&spec));
        goto out;
    }
    HS_TRY(dump(c, &m, &source, &steps, &spec, &shard));
out:
    hs_arena_free(&arena);
    hs_source_free(&source);
    hs_steps_free(&steps);
    hs_model_free(&m);
    return rc;
}

const hs_command hs_cmd_dump = {
    .name = "dump",
    .usage = "--model M (-N n | --images PATH... | --x-T X.npy) -o ACTS.h5",
    .purpose = "Record h of a model over samples and timesteps. The same command again continues an interrupted run.",
    .examples = "hspace dump --model ddpm-celebahq-256 -N 64 -o acts.h5\n"
                "hspace dump --model ddpm-celebahq-256 --images photos/ --fit --steps 50 -o photos.h5\n"
                "hspace dump --model anime64.safetensors --arch anime64 -N 8 --timesteps 290,230,169,109,48,0 -o a.h5\n"
                "hspace dump --model ddpm-celebahq-256 -N 2000 --shard 3/8 -o acts.h5",
    .options = tables,
    .run = run,
};
