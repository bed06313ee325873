#include "analysis/sweep/cost.h"

#include "analysis/sweep/freeze.h"

void hs_cost_add(hs_cost *to, double times, hs_cost what)
{
    to->encodes += times * what.encodes;
    to->decodes += times * what.decodes;
    to->images += times * what.images;
    to->setups += times * what.setups;
}

hs_cost_of hs_cost_of_plan(const hs_edit_plan *p)
{
    hs_cost_of c = {p->steps->S, hs_edit_plan_edited(p), p->target != NULL || p->given != NULL || p->n_dir == 0,
                    p->symmetric};
    for (size_t i = 0; i < p->n_dir; i++) {
        c.on_h |= p->dir[i].space == HS_SPACE_H;
    }
    return c;
}

/* n images at k strengths other than 0. */
static hs_cost edited_columns(const hs_cost_of *p, double n, double k)
{
    double S = (double)p->S, e = (double)p->edited, plain = p->symmetric ? 0 : 1;
    if (p->edited == 0) {
        return (hs_cost){n * S, n * S, 0, 1};
    }
    hs_cost c = {n + n * k * (S - 1), n + n * k * (S - 1), 0, 1};
    if (p->on_h) {
        c.decodes = n * (k + plain) + n * k * (1 + plain) * (e - 1) + n * k * (S - e);
    }
    return c;
}

hs_cost hs_cost_edit(const hs_cost_of *p, size_t n, size_t zeros, size_t others)
{
    hs_cost c = {0};
    double plain = (double)n * (double)p->S;
    hs_cost_add(&c, zeros > 0, (hs_cost){plain, plain, 0, 1});
    hs_cost_add(&c, others > 0, edited_columns(p, (double)n, (double)others));
    return c;
}

hs_cost hs_cost_sweep(const hs_cost_of *p, size_t n, size_t zeros, size_t others)
{
    hs_cost c = hs_cost_edit(p, n, zeros, others);
    c.images = (double)n * (double)(zeros + others);
    hs_cost_add(&c, zeros > 0, (hs_cost){(double)p->S, (double)p->S, 1, 1});
    return c;
}

hs_cost hs_cost_first_order(const hs_cost_of *p, size_t n)
{
    hs_cost_of asymmetric = *p;
    asymmetric.symmetric = 0;
    return hs_cost_edit(&asymmetric, n, 0, 1);
}

hs_cost hs_cost_freeze(const hs_cost_of *p, size_t n)
{
    double states = (double)n * (double)p->edited;
    return (hs_cost){states, states, 0, 1};
}

hs_cost hs_cost_tangent(const hs_cost_of *p, size_t n)
{
    double images = (double)n, S = (double)p->S;
    return (hs_cost){2 * images * S, images * (2 * S + (double)p->edited), 0, 1};
}
