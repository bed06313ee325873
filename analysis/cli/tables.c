/* The option tables that several commands share. */
#include "analysis/cli/command.h"
#include "analysis/cli/internal.h"

const hs_opt hs_opts_run[] = {
    {"output", 'o', HS_OPT_STR, NULL, 0, 0, NULL, "FILE", "Output", "where the result goes"},
    {"force", 'f', HS_OPT_FLAG, NULL, 0, 0, NULL, NULL, "Output", "replace an existing output"},
    {"json", 0, HS_OPT_FLAG, NULL, 0, 0, NULL, NULL, "Output", "one JSON object on stdout instead of text"},
    {"dry-run", 'n', HS_OPT_FLAG, NULL, 0, 0, NULL, NULL, "Run", "say the work and the disk it needs, do nothing"},
    {"seed", 0, HS_OPT_INT, "0", 0, 0x1p63, NULL, "N", "Run", "seed of everything random"},
    {"threads", 0, HS_OPT_INT, NULL, 1, 1024, NULL, "N", "Run", "threads; all cores when left out"},
    {"quiet", 'q', HS_OPT_FLAG, NULL, 0, 0, NULL, NULL, "Run", "errors only"},
    {"verbose", 'v', HS_OPT_FLAG, NULL, 0, 0, NULL, NULL, "Run", "say more about what happens"},
    {"config", 0, HS_OPT_STR, NULL, 0, 0, NULL, "FILE", "Run", "options from this INI file instead of hspace.ini"},
    {"print-config", 0, HS_OPT_FLAG, NULL, 0, 0, NULL, NULL, "Run", "print the resolved options as INI and stop"},
    {"help", 'h', HS_OPT_FLAG, NULL, 0, 0, NULL, NULL, "Run", "this text; -h: the short one"},
    {"version", 0, HS_OPT_FLAG, NULL, 0, 0, NULL, NULL, "Run", "version of hspace and of its libraries"},
    {0}};

const hs_opt hs_opts_model[] = {
    {"model", 0, HS_OPT_STR, NULL, 0, 0, NULL, "M", "Model",
     "diffusers folder, weight file, random:ARCH, or a name that ships (faces-a)"},
    {"arch", 0, HS_OPT_STR, NULL, 0, 0, NULL, "NAME|FILE", "Model", "architecture of a weight file (info --archs)"},
    {"schedule", 0, HS_OPT_STR, NULL, 0, 0, NULL, "S", "Model",
     "linear, cosine, scaled_linear or a .npy table of beta; the model's own when left out"},
    {"class", 0, HS_OPT_GRID, NULL, 0, 0x1p30, NULL, "K|K1,K2,...", "Model",
     "class of every image of a class-conditional model, or one an image"},
    {"conv", 0, HS_OPT_STR, "auto", 0, 0, "auto|winograd|direct|im2col", "MODE", "Model", "convolution algorithm"},
    {"batch", 0, HS_OPT_INT, "8", 1, 4096, NULL, "N", "Model", "images evaluated at once"},
    {0}};

/* clang-format off */
#define STEPS_ROWS \
    {"steps", 0, HS_OPT_INT, "40", 1, 0x1p30, NULL, "S", "Sampler", "number of timesteps visited"}, \
    {"spacing", 0, HS_OPT_STR, "asyrp", 0, 0, "asyrp|leading|trailing|linspace", "NAME", "Sampler", \
     "how they are spread over 0 ... T-1"}, \
    {"timesteps", 0, HS_OPT_GRID, NULL, 0, 0x1p30, NULL, "T1,T2,...", "Sampler", \
     "the timesteps themselves, falling; instead of --steps"}, \
    {"respacing", 0, HS_OPT_STR, NULL, 0, 0, NULL, "R", "Sampler", \
     "guided-diffusion's timestep_respacing: N, A,B,... or ddimN; instead of --steps"},
/* clang-format on */

const hs_opt hs_opts_steps[] = {STEPS_ROWS{0}};

const hs_opt hs_opts_sampler[] = {
    STEPS_ROWS{"eta", 0, HS_OPT_NUM, "0", 0, 1, NULL, "X", "Sampler", "0: DDIM, deterministic; 1: DDPM"},
    {"noise", 0, HS_OPT_STR, NULL, 0, 0, NULL, "Z.npy", "Sampler", "stored z (steps, N, C, H, W) for eta > 0"},
    {"clip", 0, HS_OPT_FLAG, NULL, 0, 0, NULL, NULL, "Sampler", "clip the predicted x_0 to [-1, 1]"},
    {0}};

const hs_opt hs_opts_source[] = {
    {"N", 'N', HS_OPT_INT, NULL, 1, 0x1p31, NULL, "n", "Input", "number of samples from the prior"},
    {"images", 0, HS_OPT_LIST, NULL, 0, 0, NULL, "PATH...", "Input",
     "PNG or JPEG files or folders of them, inverted to x_T"},
    {"x-T", 0, HS_OPT_STR, NULL, 0, 0, NULL, "X.npy", "Input", "starting noise (N, C, H, W)"},
    {"fit", 0, HS_OPT_FLAG, NULL, 0, 0, NULL, NULL, "Input", "resize and crop images of another size"},
    {0}};
