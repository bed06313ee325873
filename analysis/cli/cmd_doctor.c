/* hspace doctor: what the program runs with, and what would slow or break a run. */
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/libraries.h"
#include "core/linalg/panel.h"

static void put_text(hs_cmd *c, const char *key, const char *label, const char *value)
{
    json_object_set_new(hs_cmd_results(c), key, json_string(value));
    hs_cmd_say(c, "%-10s %s\n", label, value);
}

/* OpenBLAS' kernels for the processor are those it would choose, unless the environment says others. */
static void check_kernels(hs_cmd *c, const char *config)
{
    static const char *const avx512[] = {"SkylakeX", "Cooperlake", "Sapphirerapids"};
    const char *set = getenv("OPENBLAS_CORETYPE");
    int used = 0;
    for (size_t i = 0; i < sizeof avx512 / sizeof *avx512; i++) {
        used |= strstr(config, avx512[i]) != NULL;
    }
    if (set != NULL && !used && hs_panel_named("avx512") != NULL) {
        hs_cmd_warn(c,
                    "OPENBLAS_CORETYPE=%.20s keeps OpenBLAS from this processor's AVX-512: large products take twice "
                    "as long; unset it",
                    set);
    }
}

static void check_libraries(hs_cmd *c)
{
    static const char *const threading[] = {"not OpenBLAS", "sequential", "pthreads", "OpenMP"};
    char text[200];
    int kind = hs_lib_blas_threading();
    hs_lib_blas(text, sizeof text);
    put_text(c, "blas", "BLAS", text);
    check_kernels(c, text);
    put_text(c, "blas_threading", "", threading[kind >= -1 && kind <= 2 ? kind + 1 : 0]);
    if (kind == 0 || kind == 1) {
        hs_cmd_warn(c,
                    "OpenBLAS is the %s build: its threads and ours get in each other's way; install "
                    "libopenblas0-openmp",
                    threading[kind + 1]);
    } else if (kind < 0) {
        hs_cmd_warn(c, "the BLAS is not OpenBLAS: matrix products may be slow; install libopenblas0-openmp");
    }
    hs_lib_dnnl(text, sizeof text);
    put_text(c, "onednn", "oneDNN", text);
    if (strcmp(text, "none") == 0) {
        hs_cmd_warn(c, "built without oneDNN: convolutions take the slower fallback; install libdnnl-dev and rebuild");
    }
    hs_lib_hdf5(text, sizeof text);
    put_text(c, "hdf5", "HDF5", text);
}

static void check_cpu(hs_cmd *c)
{
    json_t *features = json_array();
    int fast = 1;
#if defined(__x86_64__) && defined(__GNUC__)
    const struct {
        const char *name;
        int has;
    } list[] = {{"avx2", __builtin_cpu_supports("avx2") != 0},
                {"fma", __builtin_cpu_supports("fma") != 0},
                {"avx512f", __builtin_cpu_supports("avx512f") != 0},
                {"avx512vnni", __builtin_cpu_supports("avx512vnni") != 0}};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        if (list[i].has) {
            json_array_append_new(features, json_string(list[i].name));
            hs_cmd_say(c, "%-10s %s\n", i == 0 ? "CPU" : "", list[i].name);
        }
    }
    fast = list[0].has && list[1].has;
#endif
    json_object_set_new(hs_cmd_results(c), "cpu", features);
    if (!fast) {
        hs_cmd_warn(c, "the CPU has no AVX2 with FMA: everything will be several times slower");
    }
}

static void check_threads(hs_cmd *c)
{
    const char *env = getenv("OMP_NUM_THREADS");
    int cores = omp_get_num_procs(), threads = omp_get_max_threads();
    json_object_set_new(hs_cmd_results(c), "cores", json_integer(cores));
    json_object_set_new(hs_cmd_results(c), "threads", json_integer(threads));
    hs_cmd_say(c, "%-10s %d of %d cores\n", "threads", threads, cores);
    if (threads > cores) {
        hs_cmd_warn(c, "%d threads on %d cores: they will wait for each other; wanted at most %d", threads, cores,
                    cores);
    }
    if (env != NULL && atol(env) > cores) {
        hs_cmd_warn(c, "OMP_NUM_THREADS=%.20s is more than the %d cores", env, cores);
    }
}

static void check_disk(hs_cmd *c)
{
    struct statvfs fs;
    if (statvfs(".", &fs) != 0) {
        hs_cmd_warn(c, "the free space of this folder cannot be read");
        return;
    }
    double bytes = (double)fs.f_bavail * (double)fs.f_frsize;
    json_object_set_new(hs_cmd_results(c), "disk_free_bytes", json_integer((json_int_t)bytes));
    hs_cmd_say(c, "%-10s %.1f GB free here\n", "disk", bytes / 1e9);
    if (bytes < 2e9) {
        hs_cmd_warn(
            c, "%.2f GB free in this folder: a dump of a 256 x 256 model needs about 0.13 MB a sample and timestep",
            bytes / 1e9);
    }
}

static void check_memory(hs_cmd *c)
{
    double bytes = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    json_object_set_new(hs_cmd_results(c), "memory_bytes", json_integer((json_int_t)bytes));
    hs_cmd_say(c, "%-10s %.1f GB\n", "memory", bytes / 1e9);
    if (bytes < 2e9) {
        hs_cmd_warn(c, "%.1f GB of memory: 256 x 256 models need 1.5 GB", bytes / 1e9);
    }
}

/* gnuplot is looked for as a shell would; figures keep their script and data without it. */
static void check_gnuplot(hs_cmd *c)
{
    const char *path = getenv("PATH");
    char file[4096];
    int found = 0;
    for (const char *p = path != NULL ? path : ""; *p != '\0' && !found;) {
        size_t n = strcspn(p, ":");
        snprintf(file, sizeof file, "%.*s/gnuplot", (int)(n < 4000 ? n : 4000), p);
        found = access(file, X_OK) == 0;
        p += n + (p[n] == ':');
    }
    put_text(c, "gnuplot", "gnuplot", found ? file : "none");
    if (!found) {
        hs_cmd_warn(c, "gnuplot is missing: figures are left as script and data; install gnuplot-nox");
    }
}

static int run(hs_cmd *c)
{
    put_text(c, "version", "hspace", hs_version());
    check_libraries(c);
    check_cpu(c);
    check_threads(c);
    check_memory(c);
    check_disk(c);
    check_gnuplot(c);
    return HS_OK;
}

const hs_command hs_cmd_doctor = {
    .name = "doctor",
    .usage = "",
    .purpose = "Shows libraries, CPU, threads, memory and disk, and warns of what would slow or break a run.",
    .examples = "hspace doctor\nhspace doctor --json | jq .warnings",
    .run = run,
};
