/* A configuration as hspace's own architecture JSON: what a store keeps of its model. */
#ifndef HS_MODEL_ARCH_WRITE_H
#define HS_MODEL_ARCH_WRITE_H

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/model/unet_config.h"

/* out gets the JSON text of c, every field by its name, keys in a fixed order: hs_arch_read of it gives
 * c back.  HS_ENOMEM. */
HS_CHECKED int hs_arch_write(const hs_unet_config *c, hs_str *out);
/* The same of the schedule alone. */
HS_CHECKED int hs_arch_write_schedule(const hs_schedule_spec *s, hs_str *out);
/* config.json and scheduler_config.json as diffusers' UNet2DModel and DDIMScheduler read them.  HS_EFORMAT: a
 * value that diffusers has no word for, named. */
HS_CHECKED int hs_arch_write_diffusers(const hs_unet_config *c, hs_str *config, hs_str *scheduler);

#endif
