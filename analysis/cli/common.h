/* What several commands share: the model, the timesteps, the images an evaluation starts from, stored
 * noise, arrays in and images out.  Everything read is recorded in "inputs" of --json. */
#ifndef HS_CLI_COMMON_H
#define HS_CLI_COMMON_H

#include "analysis/cli/command.h"
#include "analysis/directions/direction.h"
#include "core/diffusion/ddim.h"
#include "core/io/result.h"
#include "core/io/tensors.h"
#include "core/model/model.h"

/* ---- Model and steps (hs_opts_model, hs_opts_sampler) ---- */

/* *out <- the model of --model, --arch and --schedule, with the classes of --class; records its weights and the files
 * of --arch and --schedule, puts "model_sha256" and "schedule" into params, warns when it is untrained.  HS_ERANGE when
 * --model is missing; else as hs_model_open. */
HS_CHECKED int hs_common_model(hs_cmd *c, hs_model *out);
/* The same of a model named otherwise than by --model; puts nothing into params. */
HS_CHECKED int hs_common_model_named(hs_cmd *c, const char *name, hs_model *out);
/* HS_ERANGE unless --class gives none, one class, or one to each of n images.  Of --model it is checked above: there
 * where the network is class-conditional, not elsewhere, and whole numbers below its classes. */
HS_CHECKED int hs_common_classes_fit(const hs_cmd *c, size_t n);
/* What --clip means for this model: a hs_clip, guided-diffusion's for its networks. */
int hs_common_clipping(const hs_cmd *c, const hs_model *m);
/* The timesteps come from --timesteps or --respacing. */
int hs_common_listed(const hs_cmd *c);
/* The schedule's name: that of --schedule, else the model's own. */
const char *hs_common_schedule(const hs_cmd *c, const hs_unet_config *cfg);
/* HS_EIO when what --model names is neither a random network nor there. */
HS_CHECKED int hs_common_model_there(const char *model);
hs_conv_mode hs_common_conv(const hs_cmd *c);
size_t hs_common_batch(const hs_cmd *c, size_t n); /* min(--batch, n) */

/* *out <- the steps of --timesteps or --respacing, else of --steps and --spacing; puts "timesteps" into params. */
HS_CHECKED int hs_common_steps(hs_cmd *c, const hs_schedule *s, hs_steps *out);

/* *out <- S steps, spaced as --spacing says. */
HS_CHECKED int hs_common_spaced(const hs_cmd *c, const hs_schedule *s, size_t S, hs_steps *out);

/* *seconds <- one evaluation (encode and decode) of a batch of n images, measured; for --dry-run. */
HS_CHECKED int hs_common_forward_time(const hs_cmd *c, const hs_model *m, size_t n, double *seconds);
/* Says and records what --dry-run found: evaluations, their seconds, bytes of output. */
void hs_common_say_plan(hs_cmd *c, double evaluations, double seconds, double bytes);

/* ---- Arrays ---- */

typedef struct {
    size_t rank, dim[HS_RANK_MAX], count;
    float *v; /* owned, count */
} hs_array;
void hs_array_free(hs_array *a);

/* *out <- t as float32. */
HS_CHECKED int hs_array_of(const hs_tensor *t, hs_array *out);
/* *out <- the one array of a .npy (or the only one of another tensor file) as float32. */
HS_CHECKED int hs_common_array(hs_cmd *c, const char *path, hs_array *out);
/* The same, which must be (n, C, H, W) of this shape (or one (C, H, W): n = 1) and finite. HS_ESHAPE. */
HS_CHECKED int hs_common_batch_of(hs_cmd *c, const char *path, hs_chw shape, hs_array *out, size_t *n);
/* The same of rank 3 to 5: (C, H, W), (n, C, H, W) or (n, k, C, H, W). */
HS_CHECKED int hs_common_stack_of(hs_cmd *c, const char *path, hs_chw shape, hs_array *out);

/* One array to be written. */
typedef struct {
    const char *name; /* in .npz and .safetensors */
    size_t rank, dim[HS_RANK_MAX];
    hs_dtype dtype;
    const void *v; /* C order, aligned */
} hs_out_array;
/* Before any work: path (NULL: nothing to check) may be written and ends in one of the formats,
 * "npy|npz|safetensors|csv". */
HS_CHECKED int hs_arrays_check(const hs_cmd *c, const char *path, const char *formats);
/* Writes n arrays by the name's ending; one array only for .npy and .csv. */
HS_CHECKED int hs_arrays_write(const hs_cmd *c, const char *path, size_t n, const hs_out_array *a);
/* {"shape": [...], "min", "max", "mean", "std"} of a float array. */
json_t *hs_common_summary(size_t rank, const size_t *dim, const float *v);

/* ---- Where x_T comes from (hs_opts_source) ---- */

typedef enum { HS_SOURCE_PRIOR, HS_SOURCE_ARRAY, HS_SOURCE_IMAGES } hs_source_kind;
typedef struct {
    hs_source_kind kind;
    size_t n;
    hs_chw image;
    int64_t *sample;   /* (n) global ids 0 ... n - 1 */
    uint64_t *seed;    /* (n) --seed */
    const char **name; /* (n) "prior", the file of x_T, or the image file; borrowed from below */
    hs_array array;    /* ARRAY */
    char **path;       /* IMAGES, (n) */
    int fit;
    const hs_model *model; /* IMAGES: the inversion; borrowed */
    const hs_steps *steps;
    hs_unet_ws *ws; /* made by the first inversion */
    hs_conv_mode conv;
    size_t batch;
    const hs_progress *progress;
} hs_source;

/* *out <- exactly one of -N, --images and --x-T.  Image files are listed (and --images are recorded), not
 * read yet.  steps: what images are inverted over (NULL: x_T is never asked of images).  Everything
 * passed is borrowed until hs_source_free. */
HS_CHECKED int hs_source_open(hs_cmd *c, const hs_model *m, const hs_steps *steps, hs_source *out);
/* The same where none need be given: then `otherwise` samples from the prior. */
HS_CHECKED int hs_source_open_or(hs_cmd *c, const hs_model *m, const hs_steps *steps, size_t otherwise, hs_source *out);
/* The images of a list of files and folders alone (invert). */
HS_CHECKED int hs_source_open_images(hs_cmd *c, const char *opt, const hs_model *m, const hs_steps *steps,
                                     hs_source *out);
/* The rows of one array (N, C, H, W) named by an option of its own (interpolate's --from). */
HS_CHECKED int hs_source_open_array(hs_cmd *c, const char *opt, const hs_model *m, hs_source *out);
void hs_source_free(hs_source *s);

/* x (n, c R R) <- x_T of samples [first, first + n): normals of stream (seed, HS_RNG_X_T, sample id), rows of
 * the array, or the inversion of the images (in batches of s->batch, cut by sample index).
 * ctx is the hs_source: fits hs_dump_source. */
HS_CHECKED int hs_source_x_T(void *ctx, size_t first, size_t n, float *x);
/* x (n, c R R) <- the images themselves, scaled to [-1, 1].  HS_ESHAPE: another size without --fit. */
HS_CHECKED int hs_source_x_0(const hs_source *s, size_t first, size_t n, float *x);

/* ---- z of stochastic steps: --noise Z.npy (S, N, C, H, W), else stream (seed, HS_RNG_STEP_NOISE,
 * sample id << 16 | step) ---- */

typedef struct {
    uint64_t seed;
    size_t n, d;
    hs_array stored; /* v NULL: from the stream */
    size_t first;    /* of the batch in work, for hs_step_noise_next */
} hs_step_noise;

/* Reads --noise where given; HS_ESHAPE unless it is (S, n, C, H, W). */
HS_CHECKED int hs_step_noise_open(hs_cmd *c, size_t S, size_t n, hs_chw image, hs_step_noise *out);
void hs_step_noise_free(hs_step_noise *z);
/* ctx is the hs_step_noise.  z (n, d) of images [first, first + n): fits hs_image_noise. */
HS_CHECKED int hs_step_noise_fill(void *ctx, size_t first, size_t n, size_t step, float *z);
/* The same of the n images from ->first: fits hs_noise. */
HS_CHECKED int hs_step_noise_next(void *ctx, size_t n, size_t step, float *z);

/* ---- Images out ---- */

/* Before any work: path (NULL: nothing to check) is a .npy or .png that may be written, or a folder
 * (ends in '/', or is one) that is absent, empty or forced.  HS_ERANGE, HS_EIO. */
HS_CHECKED int hs_images_check(const hs_cmd *c, const char *path);

/* Writes x (n, m, C H W): .npy as (n, C, H, W) when m is 0 (one image each), else (n, m, C, H, W); .png as a
 * grid, a row per image when m > 0, else near-square; a folder: 0000.png ..., or 0000_00.png ... for m > 0. */
HS_CHECKED int hs_images_write(const hs_cmd *c, const char *path, size_t n, size_t m, hs_chw shape, const float *x);

/* ---- Provenance ---- */

/* Puts source, command_line, created, seed and params (JSON) into a result file. */
HS_CHECKED int hs_common_provenance(const hs_cmd *c, hs_result *r);

/* The row --space of commands that find directions in a store, and what it says. */
#define HS_OPT_SPACE                                                                     \
    {                                                                                    \
        "space", 0, HS_OPT_STR, "h", 0, 0, "h|eps", "SPACE", "Input",                    \
            "of h, or of the predicted noise (dump --keep eps), which is the rival of h" \
    }
hs_space hs_common_space(const hs_cmd *c);

#endif
