/* verify as a list of commands: what each measures, and the files it leaves. */
#ifndef HS_CLI_VERIFY_PLAN_H
#define HS_CLI_VERIFY_PLAN_H

#include "analysis/cli/child.h"
#include "analysis/sweep/cost.h"

/* What a command does. */
typedef enum { HS_VERIFY_SWEEP, HS_VERIFY_OF_SWEEP, HS_VERIFY_CONSISTENCY, HS_VERIFY_ROBUSTNESS } hs_verify_kind;

typedef struct {
    hs_words words;
    hs_verify_kind kind;
    int net, constant, of_eps, rival; /* of the direction: as hs_work_of; one of eps; run beside a rival */
    int unet, x_T, covariance;        /* controls */
    size_t twins;
    hs_cost cost; /* by hs_verify_cost */
    double seconds, bytes;
    const char *property; /* NULL: what the measurements stand on (sweeps) */
    char direction[128];  /* "" of the model as a whole */
    int control;
    char *out, *json; /* the files, owned */
} hs_verify_step;

typedef struct {
    size_t n, room;
    hs_verify_step *step;
    hs_words strips;   /* pictures for the report */
    hs_words controls; /* names of the directions that are */
} hs_verify_plan;

/* What every command of the plan gets. */
typedef struct {
    const char *folder;
    size_t n;     /* images */
    size_t steps; /* 0: as the options say */
    size_t m;     /* strengths, 0 among them */
    const double *strength;
    size_t at; /* steps tried at one another; 0: consistency isn't measured */
    size_t nulls;
    const char *readout; /* NULL: each direction's own */
} hs_verify_options;

/* *out <- the commands for --direction and --control (all directions of a file when no NAME is given): a sweep each
 * with linearity and homogeneity from it, consistency each, robustness once.  factors: names of the attribute network
 * (n), for a direction's own read-out.  HS_ERANGE: no direction, one name twice; errors of opening files. */
HS_CHECKED int hs_verify_plan_make(hs_cmd *c, const hs_verify_options *o, size_t n_factors, const char *const *factor,
                                   hs_verify_plan *out);
void hs_verify_plan_free(hs_verify_plan *p);

#endif
