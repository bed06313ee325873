#include "core/model/ckpt.h"

static const char *const ignorable[] = {NULL};

const hs_name_table hs_name_table_adm = {
    .anchor = "input_blocks.0.0.weight",
    .site =
        {
            [HS_SITE_CONV_IN] = "input_blocks.0.0",
            [HS_SITE_TEMB_0] = "time_embed.0",
            [HS_SITE_TEMB_1] = "time_embed.2",
            [HS_SITE_CLASS] = "label_emb",
            [HS_SITE_DOWN_BLOCK] = "input_blocks.{e}.0",
            [HS_SITE_DOWN_ATTN] = "input_blocks.{e}.1",
            [HS_SITE_DOWN_SAMPLE] = "input_blocks.{e}.0.op",
            [HS_SITE_DOWN_SAMPLE_RES] = "input_blocks.{e}.0",
            [HS_SITE_MID_BLOCK_0] = "middle_block.0",
            [HS_SITE_MID_ATTN] = "middle_block.1",
            [HS_SITE_MID_BLOCK_1] = "middle_block.2",
            [HS_SITE_UP_BLOCK] = "output_blocks.{d}.0",
            [HS_SITE_UP_ATTN] = "output_blocks.{d}.1",
            [HS_SITE_UP_SAMPLE] = "output_blocks.{d}.{a}.conv",
            [HS_SITE_UP_SAMPLE_RES] = "output_blocks.{d}.{a}",
            [HS_SITE_NORM_OUT] = "out.0",
            [HS_SITE_CONV_OUT] = "out.2",
        },
    .part =
        {
            [HS_PART_NORM1] = "in_layers.0",
            [HS_PART_CONV1] = "in_layers.2",
            [HS_PART_TEMB] = "emb_layers.1",
            [HS_PART_NORM2] = "out_layers.0",
            [HS_PART_CONV2] = "out_layers.3",
            [HS_PART_SHORTCUT] = "skip_connection",
            [HS_PART_ATTN_NORM] = "norm",
            [HS_PART_QKV] = "qkv",
            [HS_PART_PROJ] = "proj_out",
        },
    .ignorable = ignorable,
};
