#include "analysis/cli/consistency_store.h"

#include <string.h>

#include "analysis/cli/property.h"
#include "core/io/store.h"

enum { DRAWS = 20 };

typedef struct {
    hs_store *store;
    size_t at[HS_STEP_SPACES_MOST];
} chosen;

HS_CHECKED static int read_step(void *ctx, size_t k, size_t first, size_t count, float *out)
{
    const chosen *s = ctx;
    return hs_store_read_h(s->store, s->at[k], first, count, out);
}

void hs_consistency_store_free(hs_consistency_store *s)
{
    hs_step_spaces_free(&s->spaces);
}

int hs_consistency_store_of(hs_cmd *c, hs_consistency_store *out)
{
    const char *path = hs_cmd_str(c, "store");
    chosen s = {0};
    int rc = HS_OK;
    memset(out, 0, sizeof *out);
    if (path == NULL) {
        return hs_cmd_given(c, "rank") ? hs_fail(HS_ERANGE, "--rank: of the components of --store; there is none")
                                       : HS_OK;
    }
    HS_TRY(hs_store_open(path, &s.store));
    HS_TRY(hs_cmd_input(c, path));
    const size_t S = hs_store_S(s.store), P = S < HS_STEP_SPACES_MOST ? S : HS_STEP_SPACES_MOST;
    for (size_t k = 0; k < P; k++) {
        s.at[k] = P > 1 ? k * (S - 1) / (P - 1) : 0;
        out->t[k] = hs_store_timesteps(s.store)[s.at[k]];
    }
    const hs_step_spaces_source source = {.n = hs_store_n(s.store),
                                          .d = hs_chw_size(hs_store_h(s.store)),
                                          .P = P,
                                          .r = (size_t)hs_cmd_int(c, "rank"),
                                          .read = read_step,
                                          .ctx = &s,
                                          .draws = DRAWS,
                                          .seed = hs_cmd_seed(c),
                                          .level = hs_property_bootstrap(c).level,
                                          .progress = hs_cmd_progress(c)};
    HS_TRY(hs_cmd_dry_run(c) ? HS_OK : hs_step_spaces_of(&source, &out->spaces));
out:
    hs_store_close(s.store);
    return rc;
}

void hs_consistency_store_say(hs_cmd *c, const hs_consistency_store *s)
{
    const hs_step_spaces *p = &s->spaces;
    if (p->P == 0) {
        return;
    }
    json_t *t = json_array();
    for (size_t k = 0; k < p->P; k++) {
        json_array_append_new(t, json_integer(s->t[k]));
    }
    json_object_set_new(hs_cmd_results(c), "store_timesteps", t);
    if (p->P > 1) {
        const size_t l = p->P - 1;
        hs_cmd_say(
            c,
            "h at t = %lld and %lld: Grassmann distance of %zu components %.3g (halves of the images %.3g, drawn "
            "from the covariances %.3g), debiased CKA %.3g [%.3g, %.3g]\n",
            (long long)s->t[0], (long long)s->t[l], p->r, p->grassmann[l], p->split[0], p->null[l], p->cka[l],
            p->cka_lo[l], p->cka_hi[l]);
    }
}

int hs_consistency_store_put(hs_result *r, const hs_consistency_store *s)
{
    const hs_step_spaces *p = &s->spaces;
    const size_t dim[2] = {p->P, p->P};
    const struct {
        const char *name;
        const double *v;
    } matrix[] = {
        {"grassmann", p->grassmann}, {"principal_angle", p->angle},      {"principal_angle_mean", p->angle_mean},
        {"grassmann_null", p->null}, {"grassmann_null_low", p->null_lo}, {"grassmann_null_high", p->null_hi},
        {"cka_debiased", p->cka},    {"cka_debiased_low", p->cka_lo},    {"cka_debiased_high", p->cka_hi}};
    int rc = HS_OK;
    for (size_t i = 0; i < sizeof matrix / sizeof *matrix && p->P > 0; i++) {
        HS_TRY(hs_result_put_f64(r, matrix[i].name, "store_step,store_step_l", 2, dim, matrix[i].v));
    }
    if (p->P > 0) {
        HS_TRY(hs_result_put_f64(r, "grassmann_split", "store_step", 1, dim, p->split));
        HS_TRY(hs_result_put_i64(r, "store_timestep", "store_step", 1, dim, s->t));
        HS_TRY(hs_result_attr_i64(r, NULL, "subspace_rank", (int64_t)p->r));
    }
out:
    return rc;
}
