#include <stdlib.h>

#include "analysis/train/goal.h"
#include "core/base/alloc.h"
#include "core/base/text.h"

typedef struct {
    hs_clip_loss *loss;
    float *source; /* (batch, P) embeddings */
} goal;

static void drop(void *ctx)
{
    goal *g = ctx;
    if (g != NULL) {
        hs_clip_loss_free(g->loss);
        free(g->source);
        free(g);
    }
}

static int source(void *ctx, size_t n, const float *images)
{
    goal *g = ctx;
    return hs_clip_loss_embed(g->loss, n, images, g->source);
}

static int judge(void *ctx, size_t n, const float *edited, double weight, double *value, float *grad)
{
    goal *g = ctx;
    return hs_clip_loss_at(g->loss, n, edited, g->source, weight, value, NULL, grad);
}

HS_CHECKED static int describe(const hs_goal_texts *x, hs_str *about)
{
    hs_str_addf(about, "source %s\ntarget %s\nform %s%s\ntemplates %zu", x->source, x->target,
                x->form == HS_CLIP_UNIT ? "unit" : "plain", x->logarithm ? ", logarithm" : "", x->n_templates);
    for (size_t i = 0; i < x->n_templates; i++) {
        hs_str_addf(about, " | %s", x->templates[i]);
    }
    hs_str_add(about, "\n");
    return hs_str_ok(about);
}

int hs_goal_clip_along(const hs_clip *c, hs_chw image, const float *t, hs_clip_form form, int logarithm, size_t batch,
                       const char *about, hs_goal *out)
{
    goal *g = NULL;
    char *lines = NULL;
    int rc = HS_OK;
    HS_TRY(hs_calloc(1, sizeof *g, &g));
    HS_TRY(hs_strdup(about, &lines));
    HS_TRY(hs_clip_loss_create(c, batch, image, form, logarithm, t, &g->loss));
    HS_TRY(hs_alloc(batch, hs_clip_config_of(c)->projection * sizeof(float), &g->source));
    *out = (hs_goal){.source = source, .judge = judge, .free = drop, .ctx = g, .about = lines};
    g = NULL;
    lines = NULL;
out:
    free(lines);
    drop(g);
    return rc;
}

int hs_goal_clip(const hs_clip *c, hs_chw image, const hs_goal_texts *x, size_t batch, hs_goal *out)
{
    float *t = NULL;
    hs_str about = {0};
    int rc = HS_OK;
    HS_TRY(hs_alloc(hs_clip_config_of(c)->projection, sizeof *t, &t));
    HS_TRY(hs_clip_text_direction(c, x->form, x->source, x->target, x->n_templates, x->templates, t));
    HS_TRY(describe(x, &about));
    HS_TRY(hs_goal_clip_along(c, image, t, x->form, x->logarithm, batch, about.s, out));
out:
    hs_str_free(&about);
    free(t);
    return rc;
}
