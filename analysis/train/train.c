#include "analysis/train/train.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "analysis/train/checkpoint.h"
#include "analysis/train/pictures.h"
#include "analysis/train/table.h"
#include "core/base/alloc.h"
#include "core/base/clock.h"

typedef struct {
    const hs_task *task;
    const hs_train_options *o;
    const char *folder;
    hs_train_state s;
    hs_str fingerprint;
    hs_table_row row; /* the last */
    int table, lock;
    double began, before; /* clock at the start; seconds of the runs before */
    double saved, shown;  /* clock of the last checkpoint and pictures */
    uint64_t saved_at;    /* update of the last checkpoint */
} job;

/* The block of theta that an update moves, see hs_task.span. */
typedef struct {
    size_t first, count;
    uint64_t visit;
} span;

int hs_train_fingerprint(const hs_task *task, const hs_train_options *o, hs_str *out)
{
    hs_str_add(out, task->fingerprint);
    hs_str_addf(out, "rate %.17g\nwarmup %llu\nflat %.17g\nlast %.17g\n", o->rate.rate,
                (unsigned long long)o->rate.warmup, o->rate.flat, o->rate.last);
    hs_str_addf(out, "beta1 %.17g\nbeta2 %.17g\neps %.17g\ndecay %.17g\nclip %.17g\nema %.17g\n", o->adam.beta1,
                o->adam.beta2, o->adam.eps, o->adam.decay, o->clip, o->ema);
    if (o->sgd || o->rate.every > 0) { /* not said otherwise: checkpoints made before there was a choice */
        hs_str_addf(out, "optimizer %s\nevery %llu\ngamma %.17g\n", o->sgd ? "sgd" : "adam",
                    (unsigned long long)o->rate.every, o->rate.gamma);
    }
    return hs_str_ok(out);
}

static double seconds_of(const job *j)
{
    return j->before + hs_clock() - j->began;
}

/* Two runs in one folder would take turns to overwrite each other's checkpoint. */
HS_CHECKED static int lock_folder(job *j)
{
    j->lock = open(j->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (j->lock < 0) {
        return hs_fail_errno(j->folder, "cannot be opened as a folder");
    }
    if (flock(j->lock, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) {
        return HS_OK; /* a file system without locks is no reason not to train */
    }
    return hs_fail(HS_ELOCKED, "%s: another run trains in this folder", j->folder);
}

HS_CHECKED static int save(job *j)
{
    int rc = HS_OK;
    j->s.seconds = seconds_of(j);
    HS_TRY(hs_checkpoint_finite(&j->s));
    HS_TRY(j->task->publish(j->task->ctx, j->s.average, j->s.update)); /* a checkpoint never lacks its model */
    HS_TRY(hs_checkpoint_write(j->folder, &j->s));
    j->saved = hs_clock();
    j->saved_at = j->s.update;
out:
    return rc;
}

HS_CHECKED static int begin(job *j)
{
    hs_train_state *s = &j->s;
    const hs_task *task = j->task;
    int rc = HS_OK;
    HS_TRY(lock_folder(j));
    hs_checkpoint_sweep(j->folder);
    HS_TRY(hs_train_fingerprint(task, j->o, &j->fingerprint));
    *s = (hs_train_state){.n = task->n, .theta = task->theta, .fingerprint = j->fingerprint.s};
    HS_TRY(hs_calloc(s->n, sizeof *s->m, &s->m));
    HS_TRY(hs_calloc(s->n, sizeof *s->v, &s->v));
    HS_TRY(hs_alloc(s->n, sizeof *s->average, &s->average));
    if (j->o->resume) {
        HS_TRY(hs_checkpoint_read(j->folder, s));
        HS_TRY(task->refresh(task->ctx));
        j->saved_at = s->update;
    } else if (hs_checkpoint_there(j->folder) && !j->o->force) {
        rc = hs_fail(HS_ERANGE, "%s: holds a checkpoint; use --resume to continue it or -f to begin anew", j->folder);
        goto out;
    } else {
        memcpy(s->average, s->theta, s->n * sizeof *s->average);
    }
    HS_TRY(hs_table_open(j->folder, s->update, &j->table));
    j->before = s->seconds;
    j->began = j->saved = j->shown = hs_clock();
    if (!j->o->resume) {
        HS_TRY(save(j)); /* so that a run killed early can be resumed too */
    }
out:
    return rc;
}

HS_CHECKED static int show(job *j)
{
    int rc = HS_OK;
    if (j->task->show != NULL) {
        HS_TRY(j->task->show(j->task->ctx, j->s.average, j->s.update));
    }
    hs_train_draw_loss(j->folder);
    j->shown = hs_clock();
out:
    return rc;
}

HS_CHECKED static int check_finite(const job *j, uint64_t k, const char *what, double value)
{
    if (isfinite(value)) {
        return HS_OK;
    }
    return hs_fail(HS_EDEGENERATE, "train: the %s of update %llu is %g; the checkpoint of update %llu stays", what,
                   (unsigned long long)k, value, (unsigned long long)j->saved_at);
}

/* theta, its moments and its average move by the gradient. */
static void move(job *j, const span *at, double rate, double scale)
{
    const hs_task *t = j->task;
    hs_train_state *s = &j->s;
    hs_adam adam = j->o->adam;
    size_t first = at->first;
    adam.rate = rate;
    if (j->o->sgd) {
        hs_sgd_step(rate, at->count, scale, t->grad + first, t->theta + first);
    } else {
        hs_adam_step(&adam, at->visit, at->count, scale, t->grad + first, s->m + first, s->v + first, t->theta + first);
    }
    hs_ema_step(j->o->ema, at->visit, at->count, t->theta + first, s->average + first);
}

/* Update k; allocates nothing. */
HS_CHECKED static int update(job *j, uint64_t k)
{
    const hs_task *t = j->task;
    hs_train_state *s = &j->s;
    span at = {0, t->n, k};
    double loss = 0, norm, started = hs_clock();
    int rc = HS_OK;
    if (t->span != NULL) {
        t->span(t->ctx, k, &at.first, &at.count, &at.visit);
    }
    memset(t->grad + at.first, 0, at.count * sizeof *t->grad);
    HS_TRY(t->loss(t->ctx, k, &loss));
    HS_TRY(check_finite(j, k, "loss", loss));
    norm = hs_grad_norm(at.count, t->grad + at.first);
    HS_TRY(check_finite(j, k, "gradient's norm", norm));
    move(j, &at, hs_rate_at(&j->o->rate, k), hs_clip_scale(norm, j->o->clip));
    HS_TRY(t->refresh(t->ctx));
    s->update = k;
    s->row.updates++;
    s->row.loss += loss;
    s->row.grad_norm += norm;
    s->row.seconds += hs_clock() - started;
out:
    return rc;
}

HS_CHECKED static int end_row(job *j)
{
    hs_row_sums *r = &j->s.row;
    double n = (double)r->updates;
    j->row = (hs_table_row){.update = j->s.update,
                            .loss = r->loss / n,
                            .grad_norm = r->grad_norm / n,
                            .rate = hs_rate_at(&j->o->rate, j->s.update),
                            .images_per_second = n * (double)j->task->images / fmax(r->seconds, 1e-9),
                            .seconds = seconds_of(j)};
    *r = (hs_row_sums){0};
    return hs_table_add(j->table, &j->row);
}

/* What is due after an update: a row, a stop, a checkpoint, pictures. */
HS_CHECKED static int between(job *j)
{
    const hs_train_options *o = j->o;
    int rc = HS_OK;
    if (j->s.row.updates >= o->table_every || j->s.update == o->rate.total) {
        HS_TRY(end_row(j));
    }
    if (o->whole > 0 && j->s.update % o->whole != 0) {
        goto out;
    }
    if (hs_progress_tell(o->progress, "update", (size_t)j->s.update, (size_t)o->rate.total) != HS_OK) {
        HS_TRY(save(j));
        rc = hs_fail(HS_ESTOPPED, "train: stopped at update %llu of %llu; --resume continues",
                     (unsigned long long)j->s.update, (unsigned long long)o->rate.total);
        goto out;
    }
    if (hs_clock() - j->saved >= o->save_seconds) {
        HS_TRY(save(j));
    }
    if (o->show_seconds > 0 && hs_clock() - j->shown >= o->show_seconds) {
        HS_TRY(show(j));
    }
out:
    return rc;
}

HS_CHECKED static int last_row(job *j)
{
    hs_table_row *row = NULL;
    size_t n = 0;
    int rc = hs_table_read(j->folder, &row, &n);
    if (rc == HS_OK && n > 0) {
        j->row = row[n - 1];
    }
    free(row);
    return rc;
}

int hs_train(const hs_task *task, const hs_train_options *o, const char *folder, hs_train_result *out)
{
    job j = {.task = task, .o = o, .folder = folder, .table = -1, .lock = -1};
    int rc = HS_OK;
    HS_TRY(begin(&j));
    while (j.s.update < o->rate.total) {
        HS_TRY(update(&j, j.s.update + 1));
        HS_TRY(between(&j));
    }
    HS_TRY(save(&j));
    HS_TRY(show(&j));
    if (j.row.update == 0) { /* nothing was left to do */
        HS_TRY(last_row(&j));
    }
    *out = (hs_train_result){.updates = j.s.update,
                             .loss = j.row.loss,
                             .grad_norm = j.row.grad_norm,
                             .images_per_second = j.row.images_per_second,
                             .seconds = j.s.seconds};
out:
    free(j.s.m);
    free(j.s.v);
    free(j.s.average);
    hs_str_free(&j.fingerprint);
    if (j.table >= 0) {
        close(j.table);
    }
    if (j.lock >= 0) {
        close(j.lock);
    }
    return rc;
}
