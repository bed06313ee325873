/* The attribute network's insides, shared by attrnet*.c; private to core/model. */
#ifndef HS_MODEL_ATTRNET_NET_H
#define HS_MODEL_ATTRNET_NET_H

#include "core/base/alloc.h"
#include "core/model/attrnet.h"
#include "core/nn/norm.h"

enum {
    HS_ATTR_UNITS_MAX = 2 * HS_ATTR_LEVELS_MAX - 1,
    HS_ATTR_PARAMS_MAX = 4 * HS_ATTR_UNITS_MAX + 4,
    HS_ATTR_COUNT_MAX = 1 << 28 /* parameters; 1 GiB */
};

/* One tensor of the block. */
typedef struct {
    char name[64]; /* "levels.0.conv1.weight" */
    size_t rank, dim[4], count, offset;
    size_t fan_in; /* weights that are drawn; 0: a constant */
    float constant;
} hs_attr_param;

/* conv3x3, GroupNorm, SiLU. */
typedef struct {
    hs_conv_shape shape;
    size_t side, out_side; /* of its input, of its output */
    size_t weight, bias, gamma, beta;
} hs_attr_unit;

/* Where everything lies in the block. */
typedef struct {
    size_t n_units;
    hs_attr_unit unit[HS_ATTR_UNITS_MAX];
    size_t flat; /* numbers in the last map */
    size_t feat_w, feat_b, head_w, head_b;
    size_t n_params, count;
    hs_attr_param param[HS_ATTR_PARAMS_MAX];
} hs_attr_layout;

struct hs_attrnet {
    hs_attrnet_config cfg;
    hs_attr_layout at;
    float *theta; /* (at.count) */
};

/* Everything but the sizes the network can have is refused with `code` (HS_ERANGE or HS_EFORMAT). */
HS_CHECKED int hs_attr_lay_out(const hs_attrnet_config *cfg, int code, hs_attr_layout *out);
/* *out <- a network with an uninitialised block. */
HS_CHECKED int hs_attr_new(const hs_attrnet_config *cfg, const hs_attr_layout *at, hs_attrnet **out);

struct hs_attrnet_ws {
    const hs_attrnet *a;
    size_t n, last; /* room; images of the last forward, 0 before it */
    int grads;
    hs_arena arena;
    hs_conv *conv[HS_ATTR_UNITS_MAX];
    float *x;                        /* (n, R, R, 3) */
    float *pre[HS_ATTR_UNITS_MAX];   /* (n, h, w, c) before the norm */
    float *act[HS_ATTR_UNITS_MAX];   /* (n, h, w, c) after SiLU; pre where derivatives aren't wanted */
    float *stats[HS_ATTR_UNITS_MAX]; /* (n, groups, 2); NULL where derivatives aren't wanted */
    float *flat;                     /* (n, c h w) the last map, channels first */
    float *z, *f;                    /* (n, F) before and after SiLU */
    float *d[2];                     /* derivatives: (n, the largest map) each */
    float *dflat, *dz;
    void *scratch;
};

hs_groupnorm hs_attr_norm(const hs_attrnet *a, size_t unit);
/* HS_ERANGE unless 1 <= n <= the room. */
HS_CHECKED int hs_attr_rows(const hs_attrnet_ws *ws, size_t n);
/* What derivatives need beyond forward: buffers and plans; *scratch grows to their need. */
HS_CHECKED int hs_attr_plan_grads(hs_attrnet_ws *ws, hs_conv_mode mode, size_t *scratch);

#endif
