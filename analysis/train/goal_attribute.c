#include <stdlib.h>
#include <string.h>

#include "analysis/train/goal.h"
#include "core/base/alloc.h"
#include "core/base/text.h"

typedef struct {
    hs_attrnet_ws *ws;
    size_t K, factor; /* answers; the one that counts */
    double by;
    float *source, *out; /* (batch, K) */
} goal;

static void drop(void *ctx)
{
    goal *g = ctx;
    if (g != NULL) {
        hs_attrnet_ws_free(g->ws);
        free(g->source);
        free(g->out);
        free(g);
    }
}

static int source(void *ctx, size_t n, const float *images)
{
    goal *g = ctx;
    return hs_attrnet_forward(g->ws, n, images, g->source, NULL);
}

static int judge(void *ctx, size_t n, const float *edited, double weight, double *value, float *grad)
{
    goal *g = ctx;
    int rc = HS_OK;
    double sum = 0;
    HS_TRY(hs_attrnet_forward(g->ws, n, edited, g->out, NULL));
    for (size_t i = 0; i < n; i++) {
        size_t at = i * g->K + g->factor;
        double e = (double)g->out[at] - (double)g->source[at] - g->by;
        sum += e * e / (double)n;
        memset(g->out + i * g->K, 0, g->K * sizeof *g->out);
        g->out[at] = (float)(weight * 2 * e / (double)n);
    }
    HS_TRY(hs_attrnet_vjp(g->ws, n, g->out, grad));
    *value = sum;
out:
    return rc;
}

HS_CHECKED static int check(const hs_attrnet *phi, hs_chw image, size_t factor)
{
    const hs_attrnet_config *c = hs_attrnet_config_of(phi);
    size_t R = c->image_size;
    if (image.c != 3 || image.h != R || image.w != R) {
        return hs_fail(HS_ESHAPE, "the attribute network reads 3 x %zu x %zu, the model draws %zu x %zu x %zu", R, R,
                       image.c, image.h, image.w);
    }
    if (factor >= c->n_factors) {
        return hs_fail(HS_ERANGE, "factor %zu of %zu", factor, c->n_factors);
    }
    return HS_OK;
}

int hs_goal_attribute(const hs_attrnet *phi, hs_chw image, size_t factor, double by, size_t batch, hs_conv_mode conv,
                      hs_goal *out)
{
    goal *g = NULL;
    hs_str about = {0};
    int rc = HS_OK;
    HS_TRY(check(phi, image, factor));
    HS_TRY(hs_calloc(1, sizeof *g, &g));
    *g = (goal){.K = hs_attrnet_config_of(phi)->n_factors, .factor = factor, .by = by};
    HS_TRY(hs_attrnet_ws_create(phi, batch, 1, conv, &g->ws));
    HS_TRY(hs_alloc(batch, g->K * sizeof(float), &g->source));
    HS_TRY(hs_alloc(batch, g->K * sizeof(float), &g->out));
    hs_str_addf(&about, "factor %s\nby %.17g\n", hs_attrnet_config_of(phi)->factor[factor].name, by);
    HS_TRY(hs_str_ok(&about));
    *out = (hs_goal){.source = source, .judge = judge, .free = drop, .ctx = g, .about = about.s};
    g = NULL;
    about = (hs_str){0};
out:
    hs_str_free(&about);
    drop(g);
    return rc;
}
