/* The sources of hs_data_open, one file each; internal to analysis/train. */
#ifndef HS_TRAIN_DATA_SOURCES_H
#define HS_TRAIN_DATA_SOURCES_H

#include "analysis/train/data.h"
#include "core/io/image.h"

/* Room for n images of o->image, and n_factors values each. */
HS_CHECKED int hs_data_room(hs_data *d, const hs_data_options *o, size_t n, size_t n_factors);
/* Image i of d <- im, resized where it must be; messages start with where. */
HS_CHECKED int hs_data_put(hs_data *d, const hs_data_options *o, size_t i, const hs_image *im, const char *where);

HS_CHECKED int hs_data_faces(const char *style, const hs_data_options *o, hs_data *d);
HS_CHECKED int hs_data_folder(const char *folder, const hs_data_options *o, hs_data *d);
HS_CHECKED int hs_data_idx(const char *path, const hs_data_options *o, hs_data *d);
/* The factors of the d->n images called name (paths) from the folder's attributes.csv. */
HS_CHECKED int hs_data_attributes(const char *folder, char *const *name, const hs_data_options *o, hs_data *d);

#endif
