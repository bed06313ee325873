#include "core/geom/team.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

int hs_team_broadcast(hs_team *team, size_t from, void *bytes, size_t len)
{
    if (team == NULL || team->size < 2) {
        return HS_OK;
    }
    /* Seen from `from`, who has the number 0: a number has the bytes of the one with its highest bit cleared. */
    size_t me = (team->rank + team->size - from) % team->size, bit = 1;
    while (bit <= me) {
        bit <<= 1;
    }
    int rc = me == 0 ? HS_OK : team->receive(team->ctx, (me - bit / 2 + from) % team->size, bytes, len);
    for (; rc == HS_OK && me + bit < team->size; bit <<= 1) {
        rc = team->send(team->ctx, (me + bit + from) % team->size, bytes, len);
    }
    return rc;
}

int hs_team_pass(hs_team *team, size_t from, size_t to, void *bytes, size_t len)
{
    if (team == NULL || from == to || (team->rank != from && team->rank != to)) {
        return HS_OK;
    }
    return team->rank == from ? team->send(team->ctx, to, bytes, len) : team->receive(team->ctx, from, bytes, len);
}

typedef struct {
    int rc;
    char message[404];
} verdict;

int hs_team_agree(hs_team *team, int rc)
{
    verdict mine = {.rc = rc}, other;
    int failed = HS_OK;
    if (team == NULL || team->size < 2) {
        return rc;
    }
    snprintf(mine.message, sizeof mine.message, "%s", rc == HS_OK ? "" : hs_error_message());
    if (team->rank > 0) {
        failed = team->send(team->ctx, 0, &mine, sizeof mine);
    }
    for (size_t r = 1; team->rank == 0 && r < team->size && failed == HS_OK; r++) {
        failed = team->receive(team->ctx, r, &other, sizeof other);
        if (failed == HS_OK && mine.rc == HS_OK) {
            mine = other;
        }
    }
    failed = failed == HS_OK ? hs_team_broadcast(team, 0, &mine, sizeof mine) : failed;
    if (failed != HS_OK) {
        return failed;
    }
    team->agreed = mine.rc != HS_OK;
    mine.message[sizeof mine.message - 1] = '\0';
    return mine.rc == HS_OK ? HS_OK : hs_fail(mine.rc, "%s", mine.message);
}

int hs_team_max(hs_team *team, double *v, size_t n)
{
    int rc = HS_OK;
    double *theirs = NULL;
    if (team == NULL || team->size < 2) {
        return HS_OK;
    }
    HS_TRY(hs_alloc(n, sizeof *theirs, &theirs));
    HS_TRY(team->rank > 0 ? team->send(team->ctx, 0, v, n * sizeof *v) : HS_OK);
    for (size_t r = 1; team->rank == 0 && r < team->size; r++) {
        HS_TRY(team->receive(team->ctx, r, theirs, n * sizeof *v));
        for (size_t i = 0; i < n; i++) {
            v[i] = theirs[i] > v[i] ? theirs[i] : v[i];
        }
    }
    HS_TRY(hs_team_broadcast(team, 0, v, n * sizeof *v));
out:
    free(theirs);
    return rc;
}

int hs_team_same(hs_team *team, const char *text, const char *what)
{
    char first[65] = {0};
    snprintf(first, sizeof first, "%s", text);
    int rc = hs_team_broadcast(team, 0, first, sizeof first);
    if (rc != HS_OK) {
        return rc;
    }
    return hs_team_agree(team, strncmp(first, text, sizeof first - 1) == 0
                                   ? HS_OK
                                   : hs_fail(HS_ERANGE, "ranks 0 and %zu: not the same %s", team->rank, what));
}

int hs_team_leads(const hs_team *team)
{
    return team == NULL || team->rank == 0;
}

size_t hs_team_size(const hs_team *team)
{
    return team != NULL ? team->size : 1;
}

size_t hs_team_first(const hs_team *team, size_t rank, size_t n)
{
    return rank * n / hs_team_size(team);
}
