/* The kinds of things hspace info explains. */
#ifndef HS_CLI_INFO_H
#define HS_CLI_INFO_H

#include "analysis/cli/common.h"
#include "core/io/store.h"

json_t *hs_json_chw(hs_chw s); /* [C, H, W] */

/* Each fills results (with "kind") and says the same as text. */
HS_CHECKED int hs_info_archs(hs_cmd *c);
HS_CHECKED int hs_info_model(hs_cmd *c, const char *path);     /* a U-Net, an attribute network or a CLIP */
HS_CHECKED int hs_info_store(hs_cmd *c, const char *path);     /* an activation store, finished or not */
HS_CHECKED int hs_info_hdf5(hs_cmd *c, const char *path);      /* a direction or result file, or plain HDF5 */
HS_CHECKED int hs_info_direction(hs_cmd *c, const char *spec); /* FILE.h5:NAME: its norm at each timestep, or its f_t */
HS_CHECKED int hs_info_tensors(hs_cmd *c, const char *path);   /* weights without an architecture, .npy, .npz */

#endif
