/* Which algorithm for which shape; set from `make conv-bench`. */
#include "core/nn/conv_impl.h"

/* Chosen from one image's tiles, never from how many images there are: the same image gives the same bits in every
 * batch. */
enum {
    WINOGRAD_CHANNELS = 16, /* in and out: below, the transforms cost more than they save */
    WINOGRAD_TILES = 4,     /* 4x4 outputs: with fewer, the weights (4 times as many) are what takes time */
    /* 512 x 512 and more: with few tiles the gain is a sixth, paid with 4 times the memory (370 MB of the
     * 256 x 256 DDPM's weights) */
    WIDE = 512 * 512,
    WIDE_TILES = 32
};

static const hs_conv_backend *direct(void)
{
#ifdef HS_HAVE_DNNL
    return &hs_conv_dnnl;
#else
    return &hs_conv_im2col;
#endif
}

const hs_conv_weight_backend *hs_conv_select_weight(const hs_conv *c, hs_conv_mode mode)
{
    const hs_conv_shape *s = &c->shape;
    int applies = s->kernel == 3 && s->stride == 1;
    int pays = s->in_ch >= WINOGRAD_CHANNELS && s->out_ch >= WINOGRAD_CHANNELS;
    if (mode == HS_CONV_IM2COL) {
        return &hs_conv_weight_im2col;
    }
    return applies && (mode == HS_CONV_WINOGRAD || (mode == HS_CONV_AUTO && pays)) ? &hs_conv_weight_winograd
                                                                                   : &hs_conv_weight_direct;
}

const hs_conv_backend *hs_conv_select(const hs_conv *c, hs_conv_mode mode, size_t h, size_t w)
{
    const hs_conv_shape *s = &c->shape;
    size_t tiles = ((hs_conv_out_h(c, h) + 3) / 4) * ((hs_conv_out_w(c, w) + 3) / 4);
    int applies = s->kernel == 3 && s->stride == 1;
    int pays = s->in_ch >= WINOGRAD_CHANNELS && s->out_ch >= WINOGRAD_CHANNELS &&
               tiles >= (s->in_ch * s->out_ch >= WIDE ? WIDE_TILES : WINOGRAD_TILES);
    switch (mode) {
    case HS_CONV_IM2COL: return &hs_conv_im2col;
    case HS_CONV_DIRECT: return direct();
    case HS_CONV_WINOGRAD: return applies ? &hs_conv_winograd : direct();
    case HS_CONV_AUTO: break;
    }
    return applies && pays ? &hs_conv_winograd : direct();
}
