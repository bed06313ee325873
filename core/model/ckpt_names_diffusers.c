#include "core/model/ckpt.h"

static const char *const ignorable[] = {NULL};

const hs_name_table hs_name_table_diffusers = {
    .anchor = "conv_in.weight",
    .site =
        {
            [HS_SITE_CONV_IN] = "conv_in",
            [HS_SITE_TEMB_0] = "time_embedding.linear_1",
            [HS_SITE_TEMB_1] = "time_embedding.linear_2",
            [HS_SITE_DOWN_BLOCK] = "down_blocks.{l}.resnets.{j}",
            [HS_SITE_DOWN_ATTN] = "down_blocks.{l}.attentions.{j}",
            [HS_SITE_DOWN_SAMPLE] = "down_blocks.{l}.downsamplers.0.conv",
            [HS_SITE_DOWN_SAMPLE_RES] = "down_blocks.{l}.downsamplers.0",
            [HS_SITE_MID_BLOCK_0] = "mid_block.resnets.0",
            [HS_SITE_MID_ATTN] = "mid_block.attentions.0",
            [HS_SITE_MID_BLOCK_1] = "mid_block.resnets.1",
            [HS_SITE_UP_BLOCK] = "up_blocks.{u}.resnets.{j}",
            [HS_SITE_UP_ATTN] = "up_blocks.{u}.attentions.{j}",
            [HS_SITE_UP_SAMPLE] = "up_blocks.{u}.upsamplers.0.conv",
            [HS_SITE_UP_SAMPLE_RES] = "up_blocks.{u}.upsamplers.0",
            [HS_SITE_NORM_OUT] = "conv_norm_out",
            [HS_SITE_CONV_OUT] = "conv_out",
        },
    .part =
        {
            [HS_PART_NORM1] = "norm1",
            [HS_PART_CONV1] = "conv1",
            [HS_PART_TEMB] = "time_emb_proj",
            [HS_PART_NORM2] = "norm2",
            [HS_PART_CONV2] = "conv2",
            [HS_PART_SHORTCUT] = "conv_shortcut",
            [HS_PART_ATTN_NORM] = "group_norm",
            [HS_PART_Q] = "to_q",
            [HS_PART_K] = "to_k",
            [HS_PART_V] = "to_v",
            [HS_PART_PROJ] = "to_out.0",
        },
    .older =
        {
            [HS_PART_Q] = "query",
            [HS_PART_K] = "key",
            [HS_PART_V] = "value",
            [HS_PART_PROJ] = "proj_attn",
        },
    .ignorable = ignorable,
};
