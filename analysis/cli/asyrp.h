/* The parts of `direction asyrp`: what a recipe means, the goal, and the files that come out. */
#ifndef HS_CLI_ASYRP_H
#define HS_CLI_ASYRP_H

#include "analysis/cli/common.h"
#include "analysis/train/paths.h"
#include "analysis/train/task_asyrp.h"

extern const hs_opt hs_opts_asyrp[];

/* Every choice of a run, the recipe's where the user made none. */
typedef struct {
    const char *recipe;
    hs_asyrp_against against;
    hs_asyrp_update update;
    int sgd, silent, logarithm; /* silent: D begins as 0 */
    hs_clip_form form;
    double weight, l1; /* l1: before the texts' cosine multiplies it */
    double rate, gamma, max_norm;
    uint64_t every;        /* passes over the images between falls of the rate; 0: the loop's own law */
    uint64_t trajectories; /* 0: one for each batch of images */
    hs_delta_kind kind;
    int eps, clip;     /* space; the goal is CLIP's */
    const char *start; /* FILE.h5[:NAME] to begin from, or NULL */
} hs_asyrp_choice;

/* *out <- the choices; all of them are put into params.  HS_ERANGE: what excludes each other. */
HS_CHECKED int hs_asyrp_choose(hs_cmd *c, hs_asyrp_choice *out);

/* Everything a run needs, owned. */
typedef struct {
    hs_asyrp_choice o;
    hs_model model;
    hs_steps steps;
    hs_source source;
    hs_attrnet *phi;
    hs_clip *clip;
    char **templates;
    size_t n_templates;
    hs_goal goal;
    double cosine; /* of the two texts; 1 without */
    hs_deltablock *net;
    hs_delta_var *v;
    hs_asyrp_task *task;
    int t_edit;
    float *x_T, *x_0; /* (n, d); x_0 where images are what edits are held against */
    char folder[HS_TRAIN_PATH], name[64];
    hs_str about;
} hs_asyrp_job;

/* j->goal, and what it is made of, for j->model and batches of this size; the texts' cosine into params. */
HS_CHECKED int hs_asyrp_open_goal(hs_cmd *c, size_t batch, hs_asyrp_job *j);

/* -o: the trained network or D shared by all images as a direction; D of each image as deltas, with the directions
 * mean, global and global_unit in them, as `direction freeze` writes them. */
HS_CHECKED int hs_asyrp_write(hs_cmd *c, const hs_asyrp_job *j);

#endif
