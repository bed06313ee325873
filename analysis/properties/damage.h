/* Damage tables: how far random perturbations of growing level push images, for up to five arms. */
#ifndef HS_PROPERTIES_DAMAGE_H
#define HS_PROPERTIES_DAMAGE_H

#include <stddef.h>

#include "core/base/error.h"

/* Where the noise goes: into h or eps of P_t alone, of P_t and D_t, or into x_t. */
typedef enum { HS_ARM_H_P, HS_ARM_EPS_P, HS_ARM_H_BOTH, HS_ARM_EPS_BOTH, HS_ARM_X_T, HS_ARMS } hs_arm;
/* "h_p", "eps_p", "h_both", "eps_both", "x_t". */
const char *hs_arm_name(hs_arm arm);
/* *arm <- the arm of that name; HS_ERANGE with the list of them. */
HS_CHECKED int hs_arm_find(const char *name, hs_arm *arm);

/* One damage measure of n images.  m[a] = 0: arm a was not run; else level[a] ascends from 0, the clean floor.  Damage
 * may be NaN: then nothing can be said of that arm. */
typedef struct {
    size_t n, m[HS_ARMS];
    double *level[HS_ARMS];  /* (m) */
    double *damage[HS_ARMS]; /* (n, m) */
} hs_damage;

/* Adds an arm: level (m) in any order, 0 among them; damage (n, m) with columns in that order.  All is copied.
 * HS_ERANGE: an arm that is there already, no level 0, a level twice, negative or not finite. */
HS_CHECKED int hs_damage_add(hs_damage *d, hs_arm arm, size_t m, const double *level, const double *damage);
void hs_damage_free(hs_damage *d);

/* *out <- a CSV with the columns image, arm, level, damage in any order, rows in any order: every image has every
 * level of every arm, once.  damage may be "nan".  HS_EFORMAT: anything else, with the line; HS_ERANGE: an unknown
 * arm, a level as above, no rows; HS_EIO, HS_ELIMIT. */
HS_CHECKED int hs_damage_read(const char *path, hs_damage *out);

#endif
