/* Processes on this machine as a team, talking over sockets. */
#ifndef HS_TESTS_TEAM_H
#define HS_TESTS_TEAM_H

#include "core/geom/team.h"

enum { TEAM_MOST = 7 };

/* What a rank came back with. */
typedef struct {
    int rc, agreed;
    char text[404]; /* what work wrote, or the error's message */
} team_answer;

/* all (size) <- what work gives each rank; a team of one is NULL.  The parent must not have run anything in parallel: a
 * fork has no threads. */
void run_team(size_t size, int (*work)(hs_team *team, char text[404]), team_answer *all);

#endif
