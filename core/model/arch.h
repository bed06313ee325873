/* Reading configurations: what the readers of one format each share.  Internal to core/model. */
#ifndef HS_MODEL_ARCH_H
#define HS_MODEL_ARCH_H

#include <jansson.h>

#include "core/base/error.h"
#include "core/model/unet_config.h"

/* Values of the DDPM family that its configuration files don't spell out. */
void hs_arch_ddpm_defaults(hs_unet_config *c);
/* Those of guided-diffusion's create_model (Dhariwal and Nichol, arXiv:2105.05233). */
void hs_arch_adm_defaults(hs_unet_config *c);
/* ch[i] = base mult[i], the same number of blocks everywhere, temb_base = base, temb_dim = 4 base. */
void hs_arch_set_levels(hs_unet_config *c, size_t base, size_t levels, const size_t *mult, size_t blocks);

/* The words of hspace's own format for hs_names and hs_qkv_order, in their order. */
enum { HS_ARCH_NAMES = 3, HS_ARCH_QKV = 3 };
extern const char *const hs_arch_names[HS_ARCH_NAMES], *const hs_arch_qkv[HS_ARCH_QKV];

/* The fields of o are among these n, or HS_EFORMAT says which isn't: a misspelt one would silently mean a default. */
HS_CHECKED int hs_json_only(const json_t *o, const char *what, const char *const *known, size_t n);

/* One value of a JSON object, by key; an absent key or null leaves *out as it is.  HS_EFORMAT names the
 * key, what was found and the legal range. */
HS_CHECKED int hs_json_size(const json_t *o, const char *key, size_t lo, size_t hi, size_t *out);
HS_CHECKED int hs_json_real(const json_t *o, const char *key, double lo, double hi, double *out);
HS_CHECKED int hs_json_flag(const json_t *o, const char *key, int *out);
/* *out: borrowed. */
HS_CHECKED int hs_json_text(const json_t *o, const char *key, const char **out);
/* *n and v[0..*n) <- an array of whole numbers of 1 to max entries. */
HS_CHECKED int hs_json_sizes(const json_t *o, const char *key, size_t lo, size_t hi, size_t max, size_t *n, size_t *v);
/* *out (malloc) <- an array of n reals. */
HS_CHECKED int hs_json_reals(const json_t *o, const char *key, size_t n, double **out);

/* Whole documents; out is complete and checked on HS_OK, untouched otherwise. */
HS_CHECKED int hs_arch_read_diffusers(const json_t *root, const json_t *scheduler, hs_unet_config *out);
HS_CHECKED int hs_arch_read_adm(const json_t *root, hs_unet_config *out);
HS_CHECKED int hs_arch_read_hspace(const json_t *root, hs_unet_config *out);
HS_CHECKED int hs_arch_read_ddpm(const char *text, size_t len, hs_unet_config *out);

#endif
