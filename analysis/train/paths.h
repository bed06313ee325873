/* Names of the files of a run. */
#ifndef HS_TRAIN_PATHS_H
#define HS_TRAIN_PATHS_H

#include <stddef.h>

#include "core/base/error.h"

enum { HS_TRAIN_PATH = 4096 }; /* bytes that hold any of them */

/* out (HS_TRAIN_PATH) <- FOLDER/NAME; HS_ERANGE when it is too long. */
HS_CHECKED int hs_train_path(const char *folder, const char *name, char out[HS_TRAIN_PATH]);

/* Makes the folder, unless it is there already.  HS_EIO. */
HS_CHECKED int hs_train_make_folder(const char *folder);

#endif
