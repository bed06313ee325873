#include "analysis/train/goal.h"

#include <stdlib.h>
#include <string.h>

void hs_goal_free(hs_goal *g)
{
    if (g->free != NULL) {
        g->free(g->ctx);
    }
    free(g->about);
    memset(g, 0, sizeof *g);
}
