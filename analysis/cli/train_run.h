/* What `hspace train` shares between its tasks: the options, the data, the folder and its train.json. */
#ifndef HS_CLI_TRAIN_RUN_H
#define HS_CLI_TRAIN_RUN_H

#include "analysis/cli/command.h"
#include "analysis/train/data.h"
#include "analysis/train/train.h"
#include "core/base/text.h"
#include "core/io/safetensors.h"

enum { HS_TRAIN_META = 6 };

extern const hs_opt hs_opts_train[]; /* every option of train but those of its tasks */

typedef struct {
    hs_data data;
    const char *folder;
    hs_train_options loop;
    hs_pair meta[HS_TRAIN_META]; /* for the weights' metadata */
    size_t n_meta;
    char seed_text[24];
    char *line;        /* the command that began the run */
    hs_str source;     /* "hspace 0.1.0 (v0.1.0-3-gabc)" */
    json_t *described; /* train.json */
} hs_train_run;

/* The seed of what a generator renders: --data-seed, else --seed. */
unsigned long long hs_train_data_seed(const hs_cmd *c);
/* Reads the options, makes the folder (or checks it), loads the data: images of this shape, with their factors. */
HS_CHECKED int hs_train_run_open(hs_cmd *c, hs_chw image, int factors, hs_train_run *r);
void hs_train_run_free(hs_train_run *r);

/* --dry-run: says what would be done; times two losses. */
HS_CHECKED int hs_train_run_plan(hs_cmd *c, const hs_train_run *r, const hs_task *task);
/* Writes train.json, trains, writes it again with how it went; fills results. */
HS_CHECKED int hs_train_run_go(hs_cmd *c, hs_train_run *r, const hs_task *task);
/* train.json of the run so far, with results under "results". */
HS_CHECKED int hs_train_run_write(hs_train_run *r);

/* The attribute network (--readout attr): the whole command. */
HS_CHECKED int hs_train_attr(hs_cmd *c);
extern const hs_opt hs_opts_train_attr[];
/* CLIP (--readout clip), the same. */
HS_CHECKED int hs_train_clip(hs_cmd *c);
extern const hs_opt hs_opts_train_clip[];

#endif
