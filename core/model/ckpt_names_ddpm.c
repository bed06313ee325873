#include "core/model/ckpt.h"

/* The "bayesian" type of the DDPM code learns a variance per timestep beside the network. */
static const char *const ignorable[] = {"logvar", NULL};

const hs_name_table hs_name_table_ddpm = {
    .anchor = "conv_in.weight",
    .site =
        {
            [HS_SITE_CONV_IN] = "conv_in",
            [HS_SITE_TEMB_0] = "temb.dense.0",
            [HS_SITE_TEMB_1] = "temb.dense.1",
            [HS_SITE_DOWN_BLOCK] = "down.{l}.block.{j}",
            [HS_SITE_DOWN_ATTN] = "down.{l}.attn.{j}",
            [HS_SITE_DOWN_SAMPLE] = "down.{l}.downsample.conv",
            [HS_SITE_DOWN_SAMPLE_RES] = "down.{l}.downsample",
            [HS_SITE_MID_BLOCK_0] = "mid.block_1",
            [HS_SITE_MID_ATTN] = "mid.attn_1",
            [HS_SITE_MID_BLOCK_1] = "mid.block_2",
            [HS_SITE_UP_BLOCK] = "up.{l}.block.{j}",
            [HS_SITE_UP_ATTN] = "up.{l}.attn.{j}",
            [HS_SITE_UP_SAMPLE] = "up.{l}.upsample.conv",
            [HS_SITE_UP_SAMPLE_RES] = "up.{l}.upsample",
            [HS_SITE_NORM_OUT] = "norm_out",
            [HS_SITE_CONV_OUT] = "conv_out",
        },
    .part =
        {
            [HS_PART_NORM1] = "norm1",
            [HS_PART_CONV1] = "conv1",
            [HS_PART_TEMB] = "temb_proj",
            [HS_PART_NORM2] = "norm2",
            [HS_PART_CONV2] = "conv2",
            [HS_PART_SHORTCUT] = "nin_shortcut",
            [HS_PART_ATTN_NORM] = "norm",
            [HS_PART_Q] = "q",
            [HS_PART_K] = "k",
            [HS_PART_V] = "v",
            [HS_PART_PROJ] = "proj_out",
        },
    .ignorable = ignorable,
};
