#include "analysis/cli/compare_pair.h"

#include <stdlib.h>

#include "core/base/alloc.h"

void hs_compared_pair_free(hs_compared_pair *p)
{
    hs_comparison_free(&p->x);
    hs_measurement_free(&p->m);
    hs_carrier_free(p->carrier);
    hs_compared_dirs_free(&p->dirs);
    free(p->answer);
    hs_compared_effects_free(&p->effects);
}

/* The directions, where there are any: what may fail on one rank and not on another. */
HS_CHECKED static int open_directions(hs_compared *a, hs_compared *b, const hs_compare_options *o, int effects,
                                      hs_compared_pair *p)
{
    int rc;
    HS_TRY(hs_compared_dirs_of(a, b, &p->dirs));
    if (p->dirs.D > 0) {
        HS_TRY(hs_carrier_new(&a->view, &b->view, p->dirs.D, p->dirs.pair, o, &p->carrier));
        HS_TRY(hs_alloc(p->dirs.D, sizeof *p->answer, &p->answer));
        HS_TRY(effects ? hs_carrier_keep(p->carrier, HS_CARRIED_NULLS) : HS_OK);
    }
out:
    return rc;
}

int hs_compared_pair_run(hs_compared *a, hs_compared *b, const hs_compare_options *o, int effects, hs_compared_pair *p)
{
    int rc;
    hs_compare_watch watch = {0};
    HS_TRY(hs_team_agree(o->team, open_directions(a, b, o, effects, p)));
    if (p->carrier != NULL) {
        watch = hs_carrier_watch(p->carrier);
    }
    HS_TRY(hs_compare_run(&a->view, &b->view, o, p->carrier != NULL ? &watch : NULL, &p->x));
out:
    return rc;
}

int hs_compared_pair_judge(hs_cmd *c, hs_compared *a, hs_compared *b, const hs_compare_options *o,
                           const double pooled[2], hs_run_cells *cells, hs_compared_pair *p)
{
    int rc;
    HS_TRY(hs_compare_judge(&p->x, o, pooled, &p->m));
    HS_TRY(p->carrier != NULL ? hs_carrier_judge(p->carrier, p->answer) : HS_OK);
    if (p->carrier != NULL && cells != NULL) {
        HS_TRY(hs_compared_effects_run(c, a, b, &p->dirs, p->carrier, cells, &p->effects));
        hs_compared_effects_decide(&p->effects, p->answer);
    }
out:
    return rc;
}
