/* libhspace in one include, for programs outside this repository:
 *
 *   cc prog.c $(pkg-config --cflags --libs hspace)
 *
 * Every header begins with what it is for; start with core/model/model.h and core/io/store.h. */
#ifndef HS_HSPACE_H
#define HS_HSPACE_H

#include "core/base/alloc.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/rng.h"
#include "core/base/sha256.h"
#include "core/base/text.h"
#include "core/diffusion/ddim.h"
#include "core/diffusion/editing.h"
#include "core/diffusion/schedule.h"
#include "core/geom/angle.h"
#include "core/geom/cca.h"
#include "core/geom/cka.h"
#include "core/geom/cloud.h"
#include "core/geom/dimension.h"
#include "core/geom/hyperbolicity.h"
#include "core/geom/interp.h"
#include "core/geom/pca.h"
#include "core/geom/procrustes.h"
#include "core/geom/rsa.h"
#include "core/io/image.h"
#include "core/io/npy.h"
#include "core/io/resize.h"
#include "core/io/result.h"
#include "core/io/safetensors.h"
#include "core/io/store.h"
#include "core/io/tensors.h"
#include "core/linalg/factor.h"
#include "core/linalg/linop.h"
#include "core/linalg/svds.h"
#include "core/model/asyrp.h"
#include "core/model/deltablock.h"
#include "core/model/model.h"
#include "core/model/unet.h"
#include "core/model/unet_config.h"
#include "core/stats/bootstrap.h"
#include "core/stats/moments.h"
#include "core/stats/regress.h"
#include "core/stats/twoway.h"
#include "core/tensor/dtype.h"
#include "core/tensor/layout.h"
#include "core/tensor/view.h"

#endif
