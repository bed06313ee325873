/* The pictures of a run that its table gives.  They are extras: what fails here is said, never returned, since
 * hours of training must not end because a plot couldn't be drawn. */
#ifndef HS_TRAIN_PICTURES_H
#define HS_TRAIN_PICTURES_H

/* FOLDER/loss.png (with .gp and .dat) <- the curve of FOLDER/loss.csv. */
void hs_train_draw_loss(const char *folder);

#endif
