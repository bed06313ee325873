/* hspace info: what a path holds. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/info.h"
#include "analysis/directions/direction.h"

static const hs_opt options[] = {
    {"archs", 0, HS_OPT_FLAG, NULL, 0, 0, NULL, NULL, "Model", "list the architectures that --arch knows"},
    {"arch", 0, HS_OPT_STR, NULL, 0, 0, NULL, "NAME|FILE", "Model", "architecture of a weight file"},
    {"schedule", 0, HS_OPT_STR, NULL, 0, 0, NULL, "S", "Model",
     "linear, cosine, scaled_linear or a .npy table of beta; the model's own when left out"},
    {0}};
static const hs_opt *const tables[] = {options, NULL};

static int has_journal(const char *path)
{
    hs_str journal = {0};
    hs_str_addf(&journal, "%s.journal", path);
    int found = journal.s != NULL && access(journal.s, F_OK) == 0;
    hs_str_free(&journal);
    return found;
}

static int is_hdf5(const char *path)
{
    static const unsigned char magic[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    unsigned char head[8];
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    int same = fd >= 0 && read(fd, head, sizeof head) == sizeof head && memcmp(head, magic, sizeof head) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return same;
}

/* FILE.h5:NAME, whose FILE is HDF5. */
static int is_named(const char *spec)
{
    char *file = NULL, *name = NULL;
    int named = hs_direction_split(spec, &file, &name) == HS_OK && name != NULL && is_hdf5(file);
    free(file);
    free(name);
    return named;
}

static int run(hs_cmd *c)
{
    const char *const *path;
    struct stat st;
    size_t n = hs_cmd_inputs(c, &path);
    if (hs_cmd_flag(c, "archs")) {
        return hs_info_archs(c);
    }
    if (n == 0) {
        return hs_fail(HS_ERANGE, "info: no PATH; usage: hspace info PATH, or hspace info --archs");
    }
    int exists = stat(path[0], &st) == 0;
    if (!exists && has_journal(path[0])) {
        return hs_info_store(c, path[0]);
    }
    if (is_named(path[0])) {
        return hs_info_direction(c, path[0]);
    }
    if (!exists || S_ISDIR(st.st_mode) || hs_cmd_str(c, "arch") != NULL) {
        return hs_info_model(c, path[0]);
    }
    if (S_ISREG(st.st_mode) && (has_journal(path[0]) || is_hdf5(path[0]))) {
        return has_journal(path[0]) ? hs_info_store(c, path[0]) : hs_info_hdf5(c, path[0]);
    }
    return hs_info_tensors(c, path[0]);
}

const hs_command hs_cmd_info = {
    .name = "info",
    .usage = "PATH | D.h5:NAME",
    .purpose = "Shows what a model, activation store, direction, result or weight file holds.",
    .examples = "hspace info --archs\nhspace info random:tiny\nhspace info smile.h5:smile\n"
                "hspace info acts.h5 --json | jq .results.units_committed",
    .options = tables,
    .max_inputs = 1,
    .run = run,
};
