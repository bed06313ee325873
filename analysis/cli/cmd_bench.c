/* hspace bench: speed against what a user would otherwise run, in one run, as ratios. */
#include <omp.h>
#include <string.h>

#include "analysis/bench/bench.h"
#include "analysis/cli/commands.h"
#include "analysis/cli/common.h"
#include "analysis/cli/shipped.h"

static const hs_opt options[] = {
    {"work", 0, HS_OPT_LIST, "unet,pca,store", 0, 0,
     "unet|unet256|strengths|train|asyrp|asyrp256|jvp|clip|pca|cka|cka8000|store", "WORK", "Input",
     "what to time; strengths needs --model"},
    {"rounds", 0, HS_OPT_INT, "5", 1, 1000, NULL, "N", "Statistics", "rounds in which all take turns"},
    {"peer", 0, HS_OPT_STR, "python3", 0, 0, NULL, "PYTHON", "Input",
     "Python with torch, diffusers, transformers, scikit-learn; none: ours alone"},
    {"peer-script", 0, HS_OPT_STR, "scripts/bench_peers.py", 0, 0, NULL, "FILE", "Input", "the peers' side"},
    {"folder", 0, HS_OPT_STR, "/tmp", 0, 0, NULL, "DIR", "Run",
     "where files of up to 524 MB may be written (cka8000: 1.05 GB)"},
    {0}};
static const hs_opt *const tables[] = {hs_opts_model, options, NULL};

static void say(hs_cmd *c, const json_t *o)
{
    const char *key;
    json_t *v;
    hs_cmd_say(c, "%s:", json_string_value(json_object_get(o, "work")));
    json_object_foreach((json_t *)(uintptr_t)o, key, v)
    {
        if (json_is_real(v)) {
            hs_cmd_say(c, "  %s %.4g", key, json_real_value(v));
        } else if (json_is_integer(v)) {
            hs_cmd_say(c, "  %s %lld", key, (long long)json_integer_value(v));
        } else if (json_is_object(v)) {
            char *text = json_dumps(v, JSON_REAL_PRECISION(4));
            hs_cmd_say(c, "  %s %s", key, text != NULL ? text : "");
            free(text);
        }
    }
    hs_cmd_say(c, "\n");
}

/* Adds one answer to results.bench[] and prints it. */
HS_CHECKED static int add(hs_cmd *c, json_t *list, int rc, json_t *const *answer)
{
    if (rc == HS_OK) {
        say(c, *answer);
        json_array_append_new(list, *answer);
    }
    return rc;
}

HS_CHECKED static int strengths(hs_cmd *c, const hs_bench_options *o, json_t **answer)
{
    int rc;
    hs_model m = {0};
    HS_TRY(hs_common_model(c, &m));
    HS_TRY(hs_bench_strengths(o, &m, 8, answer));
out:
    hs_model_free(&m);
    return rc;
}

/* Sizes of faces-clip's image tower. */
static hs_clip_config small_clip(void)
{
    const hs_clip_tower_config tower = {.hidden = 128, .layers = 4, .heads = 4, .mlp = 256, .eps = 1e-5};
    hs_clip_config c = {.vision = tower,
                        .text = tower,
                        .image_size = 32,
                        .patch_size = 4,
                        .vocab = 64,
                        .context = 16,
                        .begin = 62,
                        .end = 63,
                        .projection = 64,
                        .resize = 32};
    hs_clip_config_usual_scale(&c);
    return c;
}

HS_CHECKED static int asyrp(hs_cmd *c, const hs_bench_options *o, int large, json_t **answer)
{
    char path[HS_SHIPPED_PATH];
    hs_clip_config clip = small_clip();
    hs_bench_asyrp_case k = {.name = "faces-a",
                             .clip_name = "32 px, patch 4, 128 x 4",
                             .model = hs_shipped_or("faces-a", path),
                             .folder = hs_cmd_str(c, "folder"),
                             .clip = &clip,
                             .batch = 8};
    int rc = HS_OK;
    if (large) {
        HS_TRY(hs_clip_config_named("ViT-B/16", &clip));
        k.name = k.arch = "ddpm-256";
        k.clip_name = "ViT-B/16";
        k.batch = 1;
    }
    HS_TRY(hs_bench_asyrp(o, &k, answer));
out:
    return rc;
}

HS_CHECKED static int run_work(hs_cmd *c, const hs_bench_options *o, const char *work, json_t *list)
{
    int rc = HS_OK;
    json_t *a = NULL;
    const char *folder = hs_cmd_str(c, "folder");
    if (strcmp(work, "unet") == 0) {
        HS_TRY(add(c, list, hs_bench_unet(o, "cifar10", 8, &a), &a));
        HS_TRY(add(c, list, hs_bench_unet(o, "cifar10", 1, &a), &a));
    } else if (strcmp(work, "unet256") == 0) {
        HS_TRY(add(c, list, hs_bench_unet(o, "ddpm256", 1, &a), &a));
    } else if (strcmp(work, "strengths") == 0) {
        HS_TRY(add(c, list, strengths(c, o, &a), &a));
    } else if (strcmp(work, "train") == 0) {
        HS_TRY(add(c, list, hs_bench_train(o, "faces-32", 32, &a), &a));
    } else if (strncmp(work, "asyrp", 5) == 0) {
        HS_TRY(add(c, list, asyrp(c, o, strcmp(work, "asyrp256") == 0, &a), &a));
    } else if (strcmp(work, "jvp") == 0) {
        HS_TRY(add(c, list, hs_bench_jvp(o, "faces-32", 8, &a), &a));
    } else if (strcmp(work, "clip") == 0) {
        HS_TRY(add(c, list, hs_bench_clip(o, "ViT-B/16", 4, &a), &a));
        HS_TRY(add(c, list, hs_bench_clip(o, "ViT-B/32", 4, &a), &a));
    } else if (strcmp(work, "pca") == 0) {
        HS_TRY(add(c, list, hs_bench_pca(o, folder, 4000, 32768, 50, &a), &a));
        HS_TRY(add(c, list, hs_bench_pca(o, folder, 10000, 4096, 50, &a), &a));
    } else if (strncmp(work, "cka", 3) == 0) {
        size_t large = strcmp(work, "cka8000") == 0;
        HS_TRY(add(c, list, hs_bench_cka(o, folder, large ? 8000 : 3000, large ? 32768 : 8192, &a), &a));
    } else {
        HS_TRY(add(c, list, hs_bench_store(o, folder, 256, 16, &a), &a));
    }
out:
    return rc;
}

static int run(hs_cmd *c)
{
    int rc = HS_OK;
    const char *const *work;
    size_t n = hs_cmd_list(c, "work", &work);
    json_t *list = json_array();
    hs_bench_options o = {.rounds = (size_t)hs_cmd_int(c, "rounds"),
                          .conv = hs_common_conv(c),
                          .threads = omp_get_max_threads(),
                          .progress = hs_cmd_progress(c)};
    json_object_set_new(hs_cmd_results(c), "bench", list);
    json_object_set_new(hs_cmd_results(c), "threads", json_integer(o.threads));
    if (hs_cmd_dry_run(c)) {
        for (size_t i = 0; i < n; i++) {
            hs_cmd_say(c, "%s: %zu rounds\n", work[i], o.rounds);
        }
        goto out;
    }
    if (strcmp(hs_cmd_str(c, "peer"), "none") != 0) {
        o.python = hs_cmd_str(c, "peer");
        o.script = hs_cmd_str(c, "peer-script");
        HS_TRY(hs_peer_start(o.python, o.script, o.threads, &o.peer));
    }
    for (size_t i = 0; i < n; i++) {
        HS_TRY(run_work(c, &o, work[i], list));
    }
out:
    hs_peer_stop(o.peer);
    return rc;
}

const hs_command hs_cmd_bench = {
    .name = "bench",
    .usage = "[--work WORK,...] [--peer PYTHON]",
    .purpose =
        "Time the network, its training, CLIP, PCA and the store, taking turns with PyTorch and scikit-learn; ratios "
        "hold, times do not.",
    .examples = "hspace bench --threads 2\n"
                "hspace bench --work unet256 --rounds 3 --peer venv/bin/python --json\n"
                "hspace bench --work train,jvp --peer venv/bin/python\n"
                "hspace bench --work asyrp,asyrp256 --rounds 3 --peer venv/bin/python\n"
                "hspace bench --work strengths --model anime64.safetensors --arch anime64",
    .options = tables,
    .run = run,
};
