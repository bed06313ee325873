#include "analysis/dump/dump.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/io/image.h"

/* One unit at work: the predictor's context, and the arrays it fills. */
typedef struct {
    const hs_unet *unet;
    hs_unet_ws *ws;
    size_t S, dh, dx; /* timesteps; sizes of one h and one image */
    size_t first;     /* sample index of row 0 */
    size_t n;         /* samples in all, for the progress */
    const hs_progress *progress;
    int stopping;  /* the sink has asked; the unit is finished first */
    float *h_step; /* (batch, dh): h of the step at hand */
    float *h;      /* (batch, S, dh) */
    float *eps;    /* (batch, S, dx) or NULL */
    float *x;      /* (batch, dx) */
    float *x_T;    /* (batch, dx) or NULL */
    uint8_t *x_0;  /* (batch, R, R, c) or NULL */
    int *t;        /* (batch) */
} unit_work;

/* Puts the n rows of one step into their places (row, step, ...). */
static void scatter(size_t n, size_t S, size_t step, size_t d, const float *rows, float *all)
{
    for (size_t i = 0; i < n; i++) {
        memcpy(all + (i * S + step) * d, rows + i * d, d * sizeof *all);
    }
}

HS_CHECKED static int check_finite(const unit_work *w, size_t n, int t)
{
    for (size_t i = 0; i < n; i++) {
        const float *h = w->h_step + i * w->dh;
        for (size_t k = 0; k < w->dh; k++) {
            if (!isfinite(h[k])) {
                return hs_fail(HS_EDEGENERATE, "dump: h of sample %zu at t = %d is not finite", w->first + i, t);
            }
        }
    }
    return HS_OK;
}

HS_CHECKED static int predict_and_record(void *ctx, size_t n, const float *x_t, int t, size_t step, float *eps_p,
                                         float *eps_d)
{
    unit_work *w = ctx;
    int rc;
    for (size_t i = 0; i < n; i++) {
        w->t[i] = t;
    }
    int stop = hs_progress_tell(w->progress, "dump", w->first * w->S + n * step, w->n * w->S) != HS_OK;
    if (stop && !w->stopping) {
        w->stopping = 1;
        hs_log(HS_LOG_INFO, "dump: stopping after this unit of %zu samples", n);
    }
    HS_TRY(hs_unet_encode(w->unet, w->ws, n, x_t, w->t, w->h_step));
    HS_TRY(check_finite(w, n, t));
    HS_TRY(hs_unet_decode(w->unet, w->ws, n, NULL, w->h_step, eps_p));
    memcpy(eps_d, eps_p, n * w->dx * sizeof *eps_d);
    scatter(n, w->S, step, w->dh, w->h_step, w->h);
    if (w->eps != NULL) {
        scatter(n, w->S, step, w->dx, eps_p, w->eps);
    }
out:
    return rc;
}

HS_CHECKED static int work_create(const hs_model *m, const hs_dump_options *o, hs_arena *arena, unit_work *w)
{
    int rc;
    const hs_store_spec *spec = o->spec;
    size_t batch = spec->unit;
    *w = (unit_work){.unet = m->unet,
                     .S = spec->S,
                     .dh = hs_chw_size(spec->h),
                     .dx = hs_chw_size(spec->image),
                     .n = spec->n,
                     .progress = o->progress};
    size_t cells, cell_h, cell_x;
    HS_TRY(hs_size_mul(batch, spec->S, &cells));
    HS_TRY(hs_size_mul(w->dh, sizeof(float), &cell_h));
    HS_TRY(hs_size_mul(w->dx, sizeof(float), &cell_x));
    HS_TRY(hs_arena_alloc(arena, batch, cell_h, &w->h_step));
    HS_TRY(hs_arena_alloc(arena, cells, cell_h, &w->h));
    HS_TRY(hs_arena_alloc(arena, batch, cell_x, &w->x));
    HS_TRY(hs_arena_alloc(arena, batch, sizeof *w->t, &w->t));
    if (spec->keep_eps) {
        HS_TRY(hs_arena_alloc(arena, cells, cell_x, &w->eps));
    }
    if (spec->keep_x_T) {
        HS_TRY(hs_arena_alloc(arena, batch, cell_x, &w->x_T));
    }
    if (spec->keep_x_0) {
        HS_TRY(hs_arena_alloc(arena, batch, w->dx, &w->x_0));
    }
    HS_TRY(hs_unet_ws_create(m->unet, batch, batch, o->conv, &w->ws));
out:
    return rc;
}

HS_CHECKED static int run_unit(const hs_dump_source *source, const hs_dump_options *o, size_t first, size_t n,
                               unit_work *w)
{
    int rc;
    hs_predictor predictor = {predict_and_record, w};
    hs_ddim_options ddim = HS_DDIM_OPTIONS_INIT;
    ddim.clip = o->clip;
    w->first = first;
    hs_unet_ws_first(w->ws, o->first + first);
    HS_TRY(source->x_T(source->ctx, o->first + first, n, w->x));
    if (w->x_T != NULL) {
        memcpy(w->x_T, w->x, n * w->dx * sizeof *w->x);
    }
    HS_TRY(hs_ddim_sample(&predictor, o->steps, &ddim, n, w->dx, w->x));
    if (w->x_0 != NULL) {
        for (size_t i = 0; i < n; i++) {
            hs_image_bytes(w->x + i * w->dx, o->spec->image, w->x_0 + i * w->dx);
        }
    }
out:
    return rc;
}

HS_CHECKED static int run_units(const hs_dump_source *source, const hs_dump_options *o, hs_store_writer *writer,
                                unit_work *w, hs_dump_report *report)
{
    int rc = HS_OK;
    for (size_t u = 0; u < hs_store_units(writer); u++) {
        size_t n, first = hs_store_unit_first(writer, u, &n);
        if (hs_store_has(writer, u)) {
            report->already += n;
            continue;
        }
        HS_TRY(hs_progress_tell(o->progress, "dump", first * w->S, o->spec->n * w->S));
        double t0 = hs_clock();
        HS_TRY(run_unit(source, o, first, n, w));
        double t1 = hs_clock();
        HS_TRY(hs_store_put(writer, u, w->h, w->x_T, w->x_0, w->eps));
        report->network_s += t1 - t0;
        report->store_s += hs_clock() - t1;
        report->computed += n;
    }
out:
    return rc;
}

int hs_dump_run(const char *path, const hs_model *m, const hs_dump_source *source, const hs_dump_options *o,
                hs_dump_report *report)
{
    int rc, sealed = 0;
    hs_store_writer *writer = NULL;
    hs_arena arena = {0};
    unit_work w = {0};
    hs_dump_report done = {0};
    double t0 = hs_clock();
    HS_TRY(hs_store_begin(path, o->spec, o->force, &sealed, &writer));
    if (sealed) {
        done.already = o->spec->n;
    } else {
        HS_TRY(work_create(m, o, &arena, &w));
        HS_TRY(run_units(source, o, writer, &w, &done));
        double t1 = hs_clock();
        HS_TRY(hs_store_seal(writer));
        done.store_s += hs_clock() - t1;
    }
    done.total_s = hs_clock() - t0;
    *report = done;
out:
    hs_unet_ws_free(w.ws);
    hs_store_writer_free(writer);
    hs_arena_free(&arena);
    return rc;
}
