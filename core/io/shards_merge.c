#include <stdlib.h>
#include <string.h>

#include "core/io/shards.h"
#include "core/io/store_set.h"

/* *n attributes <- those of the parameter record, in its order. */
static int fixed_attributes(const hs_store_file *f, hs_arena *arena, hs_attr **out, size_t *n)
{
    int rc = HS_OK;
    hs_attr *list = NULL;
    size_t most = 0;
    for (const char *p = f->params; (p = strstr(p, "attr.")) != NULL; p++) {
        most++;
    }
    HS_TRY(hs_arena_alloc(arena, most, sizeof *list, &list));
    *n = 0;
    for (const char *line = f->params; *line != '\0';) {
        size_t l = strcspn(line, "\n"), k = strcspn(line, " ");
        if (l > 5 && memcmp(line, "attr.", 5) == 0) {
            char *name = NULL;
            HS_TRY(hs_arena_alloc(arena, k - 4, 1, &name));
            memcpy(name, line + 5, k - 5);
            name[k - 5] = '\0';
            list[(*n)++] = (hs_attr){name, hs_store_file_attr(f, name)};
        }
        line += l + (line[l] == '\n');
    }
    *out = list;
out:
    return rc;
}

int hs_store_spec_of(const hs_store *s, hs_arena *arena, hs_store_spec *spec)
{
    const hs_store_file *f = &s->file;
    hs_attr *attr = NULL;
    size_t n = 0;
    int rc = fixed_attributes(f, arena, &attr, &n);
    if (rc != HS_OK) {
        return rc;
    }
    *spec = (hs_store_spec){.n = f->n,
                            .S = f->S,
                            .h = f->h,
                            .image = f->image,
                            .dtype = f->dtype,
                            .sample = f->sample,
                            .timestep = f->timestep,
                            .alpha_bar = f->alpha_bar,
                            .seed = f->seed,
                            .source = (const char *const *)f->source,
                            .keep_x_T = f->part[HS_PART_XT].present,
                            .keep_x_0 = f->part[HS_PART_X0].present,
                            .keep_eps = f->part[HS_PART_EPS].present,
                            .unit = f->unit,
                            .n_attr = n,
                            .attr = attr,
                            .model_config = f->model_config,
                            .scheduler_config = f->scheduler_config};
    return HS_OK;
}

/* One unit of work, as hs_store_put takes it. */
typedef struct {
    float *v[HS_PARTS]; /* NULL: not kept */
    uint8_t *x_0;
} unit_buffer;

static int buffer_new(const hs_store_file *f, size_t count, hs_arena *arena, unit_buffer *b)
{
    int rc = HS_OK;
    size_t values;
    for (int p = 0; p < HS_PARTS; p++) {
        const hs_store_part *q = &f->part[p];
        if (q->present) {
            HS_TRY(hs_size_product(3, (uint64_t[]){count, q->cells, q->cell / hs_dtype_size(q->dtype)}, &values));
            HS_TRY(hs_arena_alloc(arena, values, sizeof(float), &b->v[p]));
        }
    }
    if (f->part[HS_PART_X0].present) {
        HS_TRY(hs_arena_alloc(arena, count, f->part[HS_PART_X0].cell, &b->x_0));
    }
out:
    return rc;
}

static int copy_unit(const hs_store *s, hs_store_writer *w, size_t unit, unit_buffer *b)
{
    int rc = HS_OK;
    size_t count, first = hs_store_unit_first(w, unit, &count);
    for (int p = 0; p < HS_PARTS; p++) {
        if (b->v[p] != NULL) {
            HS_TRY(hs_store_read(s, s->file.part[p].name, first, count, b->v[p]));
        }
    }
    for (size_t i = 0; b->x_0 != NULL && i < count * s->file.part[HS_PART_X0].cell; i++) {
        b->x_0[i] = (uint8_t)b->v[HS_PART_X0][i];
    }
    HS_TRY(hs_store_put(w, unit, b->v[HS_PART_H], b->v[HS_PART_XT], b->x_0, b->v[HS_PART_EPS]));
out:
    return rc;
}

int hs_shards_merge(const hs_store *s, const char *out, size_t n_info, const hs_attr *info, int force,
                    const hs_progress *progress)
{
    int rc = HS_OK, sealed = 0;
    hs_arena arena = {0};
    hs_store_writer *w = NULL;
    hs_store_spec spec;
    unit_buffer b = {0};
    HS_TRY(hs_store_spec_of(s, &arena, &spec));
    spec.n_info = n_info;
    spec.info = info;
    HS_TRY(hs_store_begin(out, &spec, force, &sealed, &w));
    if (sealed) {
        goto out;
    }
    HS_TRY(buffer_new(&s->file, spec.unit < spec.n ? spec.unit : spec.n, &arena, &b));
    for (size_t u = 0; u < hs_store_units(w); u++) {
        HS_TRY(hs_progress_tell(progress, "merge", u, hs_store_units(w)));
        if (!hs_store_has(w, u)) {
            HS_TRY(copy_unit(s, w, u, &b));
        }
    }
    HS_TRY(hs_store_seal(w));
out:
    hs_store_writer_free(w);
    hs_arena_free(&arena);
    return rc;
}
