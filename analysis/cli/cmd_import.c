/* hspace import: data made elsewhere, as a store, deltas or directions. */
#include <string.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/import.h"

static const hs_opt options[] = {
    {"kind", 0, HS_OPT_STR, NULL, 0, 0, "activations|direction|deltas", "KIND", "Input",
     "what the arrays are; direction for .pth files, else activations, when left out"},
    {"t", 0, HS_OPT_GRID, NULL, 0, 0x1p30, NULL, "T1,T2,...", "Input", "timesteps of the array's positions, falling"},
    {"what", 0, HS_OPT_STR, NULL, 0, 0, NULL, "ARRAY", "Input", "name of the array in an HDF5 file; h or delta_h"},
    {"name", 0, HS_OPT_STR, NULL, 0, 0, NULL, "NAME", "Output",
     "name of the one direction; the file's own, or the file's, when left out"},
    {"match", 0, HS_OPT_STR, NULL, 0, 0, "exact|nearest|linear", "HOW", "Output",
     "what a direction gives at a timestep it doesn't store; exact for {t: tensor}, else linear, when left out"},
    {"tap", 0, HS_OPT_STR, "unknown", 0, 0, NULL, "PLACE", "Output", "where in the network h was taken"},
    {"space", 0, HS_OPT_STR, "h", 0, 0, "h|eps", "SPACE", "Output",
     "of a direction: what it is added to; eps: the predicted noise, of the image's shape"},
    {"labels", 0, HS_OPT_STR, NULL, 0, 0, NULL, "L.csv", "Input", "labels of the samples"},
    {0}};
static const hs_opt *const tables[] = {options, NULL};

static const char *kind_of(hs_cmd *c)
{
    const char *const *path;
    hs_cmd_inputs(c, &path);
    const char *dot = strrchr(path[0], '.');
    if (hs_cmd_str(c, "kind") != NULL) {
        return hs_cmd_str(c, "kind");
    }
    return dot != NULL && strcmp(dot, ".pth") == 0 ? "direction" : "activations";
}

static int run(hs_cmd *c)
{
    const char *kind = kind_of(c);
    int rc = HS_OK;
    HS_TRY(hs_cmd_need(c, "output"));
    HS_TRY(hs_cmd_check_file(c, hs_cmd_out(c)));
    if (hs_cmd_given(c, "labels")) {
        return hs_fail(HS_ERANGE, "--labels: nothing in this version reads them; wanted a run without labels");
    }
    json_object_set_new(hs_cmd_params(c), "kind", json_string(kind));
    json_object_set_new(hs_cmd_results(c), "kind", json_string(kind));
    if (hs_cmd_dry_run(c)) {
        hs_cmd_say(c, "would import %s into %s\n", kind, hs_cmd_out(c));
        return HS_OK;
    }
    if (strcmp(kind, "direction") == 0) {
        return hs_import_directions(c);
    }
    return strcmp(kind, "deltas") == 0 ? hs_import_deltas(c) : hs_import_activations(c);
out:
    return rc;
}

const hs_command hs_cmd_import = {
    .name = "import",
    .usage = "FILE... [--kind activations|direction|deltas] [--t T1,T2,...] -o OUT.h5",
    .purpose =
        "Makes a store, a file of directions or per-sample deltas of arrays from elsewhere; directions of several "
        "files, own ones too, go into one.",
    .examples = "hspace import h.npy --t 900,700,500 -o acts.h5\n"
                "hspace import smiling_LC_CelebA_HQ.pth --kind direction -o smiling.h5\n"
                "hspace import pca.h5:pc0 smile.h5 delta_h_by_t.pth --kind direction -o all.h5",
    .options = tables,
    .min_inputs = 1,
    .max_inputs = (size_t)-1,
    .run = run,
};
