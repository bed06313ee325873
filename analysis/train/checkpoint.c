#include "analysis/train/checkpoint.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "analysis/train/paths.h"
#include "core/base/text.h"
#include "core/io/file.h"
#include "core/io/safetensors.h"
#include "core/nn/optim.h"

enum { NUMBER = 40, BLOCKS = 4 };

static const char file_name[] = "checkpoint.safetensors";
static const char *const block_name[BLOCKS] = {"theta", "m", "v", "average"};

int hs_checkpoint_there(const char *folder)
{
    char path[HS_TRAIN_PATH];
    return hs_train_path(folder, file_name, path) == HS_OK && access(path, F_OK) == 0;
}

void hs_checkpoint_sweep(const char *folder)
{
    char path[HS_TRAIN_PATH];
    DIR *d = opendir(folder);
    for (struct dirent *e = d != NULL ? readdir(d) : NULL; e != NULL; e = readdir(d)) {
        if (hs_outfile_is_left(e->d_name) && hs_train_path(folder, e->d_name, path) == HS_OK) {
            unlink(path);
        }
    }
    if (d != NULL) {
        closedir(d);
    }
}

int hs_checkpoint_finite(const hs_train_state *s)
{
    return isfinite(hs_grad_norm(s->n, s->theta))
               ? HS_OK
               : hs_fail(HS_EDEGENERATE,
                         "train: parameters are no longer finite at update %llu; the last checkpoint stays",
                         (unsigned long long)s->update);
}

static void blocks_of(const hs_train_state *s, float *block[BLOCKS])
{
    block[0] = s->theta;
    block[1] = s->m;
    block[2] = s->v;
    block[3] = s->average;
}

/* The numbers of a state, by the key that the file gives them. */
typedef struct {
    const char *key;
    double *real;
    uint64_t *whole;
} number;
enum { NUMBERS = 6 };

static void numbers_of(hs_train_state *s, number out[NUMBERS])
{
    out[0] = (number){"update", NULL, &s->update};
    out[1] = (number){"seconds", &s->seconds, NULL};
    out[2] = (number){"row_updates", NULL, &s->row.updates};
    out[3] = (number){"row_loss", &s->row.loss, NULL};
    out[4] = (number){"row_grad_norm", &s->row.grad_norm, NULL};
    out[5] = (number){"row_seconds", &s->row.seconds, NULL};
}

int hs_checkpoint_write(const char *folder, const hs_train_state *s)
{
    char path[HS_TRAIN_PATH], text[NUMBERS][NUMBER];
    hs_train_state copy = *s;
    float *block[BLOCKS];
    number num[NUMBERS];
    hs_pair meta[NUMBERS + 1];
    hs_tensor tensor[BLOCKS];
    int rc = HS_OK;
    HS_TRY(hs_train_path(folder, file_name, path));
    blocks_of(s, block);
    for (size_t i = 0; i < BLOCKS; i++) {
        tensor[i] = (hs_tensor){.name = block_name[i],
                                .dtype = HS_F32,
                                .rank = 1,
                                .dim = {s->n},
                                .count = s->n,
                                .bytes = (const unsigned char *)block[i]};
    }
    numbers_of(&copy, num);
    for (size_t i = 0; i < NUMBERS; i++) {
        if (num[i].whole != NULL) {
            snprintf(text[i], NUMBER, "%llu", (unsigned long long)*num[i].whole);
        } else {
            snprintf(text[i], NUMBER, "%.17g", *num[i].real);
        }
        meta[i] = (hs_pair){num[i].key, text[i]};
    }
    meta[NUMBERS] = (hs_pair){"fingerprint", s->fingerprint};
    HS_TRY(hs_safetensors_write(path, BLOCKS, tensor, NUMBERS + 1, meta, 1));
out:
    return rc;
}

/* HS_OK when both are the same lines; else the first pair that differs is named. */
HS_CHECKED static int same_run(const char *path, const char *found, const char *wanted)
{
    if (strcmp(found, wanted) == 0) {
        return HS_OK;
    }
    while (*found != '\0' && *wanted != '\0') {
        size_t f = strcspn(found, "\n"), w = strcspn(wanted, "\n");
        if (f != w || memcmp(found, wanted, f) != 0) {
            break;
        }
        found += f + (found[f] == '\n');
        wanted += w + (wanted[w] == '\n');
    }
    return hs_fail(HS_ERANGE, "%s: of another run: \"%.*s\"; wanted \"%.*s\"", path,
                   (int)(strcspn(found, "\n") < 120 ? strcspn(found, "\n") : 120), found,
                   (int)(strcspn(wanted, "\n") < 120 ? strcspn(wanted, "\n") : 120), wanted);
}

HS_CHECKED static int read_numbers(const char *path, const hs_tensors *ts, hs_train_state *s)
{
    number num[NUMBERS];
    int rc = HS_OK;
    numbers_of(s, num);
    for (size_t i = 0; i < NUMBERS && rc == HS_OK; i++) {
        const char *text = hs_tensors_metadata(ts, num[i].key);
        rc = text == NULL           ? hs_fail(HS_ERANGE, "not there")
             : num[i].whole != NULL ? hs_text_u64(text, num[i].whole)
                                    : hs_text_f64(text, -1e300, 1e300, num[i].real);
        if (rc != HS_OK) {
            rc = hs_fail(HS_EFORMAT, "%s: no checkpoint of hspace train: metadata %s is missing or no number", path,
                         num[i].key);
        }
    }
    return rc;
}

HS_CHECKED static int read_blocks(const char *path, const hs_tensors *ts, const hs_train_state *s)
{
    float *block[BLOCKS];
    const hs_tensor *t[BLOCKS];
    blocks_of(s, block);
    for (size_t i = 0; i < BLOCKS; i++) {
        t[i] = hs_tensors_find(ts, block_name[i]);
        if (t[i] == NULL || t[i]->dtype != HS_F32 || t[i]->count != s->n) {
            return hs_fail(HS_EFORMAT, "%s: tensor %s %s; wanted %zu float32 numbers", path, block_name[i],
                           t[i] == NULL ? "is missing" : "is of another size or type", s->n);
        }
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        memcpy(block[i], t[i]->bytes, s->n * sizeof(float));
    }
    return HS_OK;
}

int hs_checkpoint_read(const char *folder, hs_train_state *s)
{
    char path[HS_TRAIN_PATH];
    hs_tensors *ts = NULL;
    hs_train_state in = *s;
    int rc = HS_OK;
    HS_TRY(hs_train_path(folder, file_name, path));
    if (access(path, F_OK) != 0) {
        return hs_fail(HS_ERANGE, "%s: no checkpoint to resume from; leave --resume out to begin", path);
    }
    HS_TRY(hs_safetensors_open(path, &ts));
    const char *fingerprint = hs_tensors_metadata(ts, "fingerprint");
    if (fingerprint == NULL) {
        rc = hs_fail(HS_EFORMAT, "%s: no checkpoint of hspace train: metadata fingerprint is missing", path);
        goto out;
    }
    HS_TRY(same_run(path, fingerprint, s->fingerprint));
    HS_TRY(read_numbers(path, ts, &in));
    HS_TRY(read_blocks(path, ts, s));
    *s = in;
out:
    hs_tensors_free(ts);
    return rc;
}
