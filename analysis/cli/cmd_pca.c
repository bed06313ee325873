/* hspace pca: principal directions of an activation store. */
#include <string.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/common.h"
#include "analysis/cli/team.h"
#include "analysis/directions/dir_pca.h"

static const hs_opt options[] = {
    {"scope", 0, HS_OPT_STR, "step", 0, 0, "step|pooled|trajectory", "SCOPE", "Statistics",
     "a PCA per timestep, one over all (image, timestep) pairs, or one of whole trajectories"},
    {"components", 'k', HS_OPT_INT, "20", 1, 100000, NULL, "K", "Statistics", "number of components"},
    {"solver", 0, HS_OPT_STR, "auto", 0, 0, "auto|gram|covariance|block|randomized", "NAME", "Statistics",
     "auto is never randomized"},
    {"center", 0, HS_OPT_STR, "step", 0, 0, "step|grand", "MEAN", "Statistics",
     "pooled: each timestep on its own mean, or one mean for all"},
    HS_OPT_SPACE,
    {"tol", 0, HS_OPT_NUM, "1e-5", 1e-12, 1e-1, NULL, "X", "Statistics",
     "residual |Av - su| / s1 each component must reach"},
    {"memory", 0, HS_OPT_INT, "256", 16, 1 << 20, NULL, "MIB", "Run", "most memory of the solver, MiB"},
    {0}};
static const hs_opt *const tables[] = {options, NULL};

static size_t position(const char *const *names, const char *name)
{
    size_t i = 0;
    while (strcmp(names[i], name) != 0) {
        i++;
    }
    return i;
}

static hs_dir_pca_options read_options(const hs_cmd *c)
{
    static const char *const scope[] = {"step", "pooled", "trajectory"};
    static const char *const solver[] = {"auto", "gram", "covariance", "block", "randomized"};
    hs_dir_pca_options o = {.scope = (hs_scope)position(scope, hs_cmd_str(c, "scope")),
                            .space = hs_common_space(c),
                            .grand = strcmp(hs_cmd_str(c, "center"), "grand") == 0,
                            .pca = HS_PCA_OPTIONS};
    o.pca.k = (size_t)hs_cmd_int(c, "components");
    o.pca.solver = (hs_pca_solver)position(solver, hs_cmd_str(c, "solver"));
    o.pca.tol = hs_cmd_num(c, "tol");
    o.pca.seed = hs_cmd_seed(c);
    o.pca.memory = (size_t)hs_cmd_int(c, "memory") << 20;
    o.pca.progress = hs_cmd_progress(c);
    return o;
}

static json_t *fit_object(const hs_pca *p, json_t *t)
{
    json_t *o = json_pack("{s:o, s:I, s:I, s:s, s:o, s:o, s:o, s:o, s:o}", "t", t, "n", (json_int_t)p->n, "d",
                          (json_int_t)p->d, "solver", hs_pca_solver_name(p->solver), "explained_variance",
                          hs_json_nums(p->k, p->explained_variance), "explained_variance_ratio",
                          hs_json_nums(p->k, p->explained_variance_ratio), "singular_value",
                          hs_json_nums(p->k, p->singular_value), "residual", hs_json_nums(p->k, p->residual),
                          "effective_rank", hs_json_num(p->participation[0]));
    json_object_set_new(o, "effective_rank_bounds", hs_json_nums(2, p->participation));
    json_object_set_new(o, "total_variance", hs_json_num(p->total_variance));
    json_object_set_new(o, "numerical_rank", json_integer((json_int_t)p->rank));
    return o;
}

static void report(hs_cmd *c, const hs_store *store, const hs_dir_pca_options *o, const hs_dir_pca *p)
{
    json_t *steps = json_array();
    json_object_set_new(hs_cmd_results(c), "steps", steps);
    json_object_set_new(hs_cmd_results(c), "scope", json_string(hs_cmd_str(c, "scope")));
    for (size_t f = 0; f < p->n; f++) {
        const hs_pca *fit = p->fit[f];
        int t = o->scope == HS_SCOPE_STEP ? hs_store_timesteps(store)[f] : -1;
        json_array_append_new(steps, fit_object(fit, t >= 0 ? json_integer(t) : json_null()));
        double shown = 0;
        for (size_t j = 0; j < fit->k; j++) {
            shown += fit->explained_variance_ratio[j];
        }
        if (t >= 0) {
            hs_cmd_say(c, "t = %4d  ", t);
        }
        hs_cmd_say(c, "pc0 %5.1f %%  first %zu %5.1f %% of the variance  effective rank %.1f  residual <= %.1e\n",
                   100 * fit->explained_variance_ratio[0], fit->k, 100 * shown, fit->participation[0], fit->worst);
    }
}

/* What may fail on one rank and not on another. */
HS_CHECKED static int open_input(hs_cmd *c, hs_store **store)
{
    int rc;
    const char *const *in;
    hs_cmd_inputs(c, &in);
    HS_TRY(hs_cmd_need_out(c));
    HS_TRY(hs_cmd_check_file(c, hs_cmd_out(c)));
    HS_TRY(hs_store_open(in[0], store));
    HS_TRY(hs_cmd_input(c, in[0]));
out:
    return rc;
}

HS_CHECKED static int open_output(hs_cmd *c, hs_result **r)
{
    int rc = HS_OK;
    if (hs_cmd_out(c) != NULL) {
        HS_TRY(hs_result_create(hs_cmd_out(c), "pca", hs_cmd_force(c), r));
        HS_TRY(hs_common_provenance(c, *r));
    }
out:
    return rc;
}

static int run(hs_cmd *c)
{
    int rc;
    hs_store *store = NULL;
    hs_result *r = NULL;
    hs_team *team = NULL;
    hs_dir_pca p = {0};
    hs_dir_pca_options o = read_options(c);
    HS_TRY(hs_team_begin(c, &team));
    HS_TRY(hs_team_agree(team, open_input(c, &store)));
    HS_TRY(hs_team_check(c, team, hs_store_attr(store, "hspace_store_id")));
    if (hs_cmd_dry_run(c)) {
        hs_cmd_say(c, "%zu samples x %zu timesteps of %zu numbers\n", hs_store_n(store), hs_store_S(store),
                   hs_chw_size(hs_store_h(store)));
        goto out;
    }
    HS_TRY(hs_team_agree(team, hs_team_leads(team) ? open_output(c, &r) : HS_OK));
    o.pca.team = team;
    HS_TRY(hs_dir_pca_put(store, &o, r, &p));
    HS_TRY(r != NULL ? hs_result_commit(r) : HS_OK);
    report(c, store, &o, &p);
out:
    hs_dir_pca_free(&p);
    hs_result_free(r);
    hs_store_close(store);
    return hs_team_end(team, rc);
}

const hs_command hs_cmd_pca = {
    .name = "pca",
    .usage = "ACTS.h5 [--scope step|pooled|trajectory] [-k 20] -o PCA.h5",
    .purpose = "Principal components of h as directions pc0, pc1, ... in units of one standard deviation.",
    .examples = "hspace pca acts.h5 -o pca.h5\n"
                "hspace pca acts.h5 --scope pooled -k 50 -o pooled.h5\n"
                "mpirun -n 4 hspace pca acts.h5 -o pca.h5   # built by make MPI=1: the same bits\n"
                "hspace pca acts.h5 --json -o pca.h5 | jq '.results.steps[0].explained_variance_ratio'",
    .options = tables,
    .min_inputs = 1,
    .max_inputs = 1,
    .run = run,
};
