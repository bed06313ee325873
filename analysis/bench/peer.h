/* A peer: a Python process that runs what a user would otherwise run, one JSON request a line
 * (scripts/bench_peers.py).  It lives as long as the benchmark, so that both can take turns. */
#ifndef HS_BENCH_PEER_H
#define HS_BENCH_PEER_H

#include <jansson.h>

#include "core/base/error.h"

typedef struct hs_peer hs_peer;

/* Starts python (a program name or path) on script, with threads in OMP_NUM_THREADS.  HS_EIO when it
 * can't be started. */
HS_CHECKED int hs_peer_start(const char *python, const char *script, int threads, hs_peer **out);
/* Sends request (taken over) and waits: *seconds <- the peer's "seconds".  HS_EIO with the peer's own
 * "error", or when it has ended. */
HS_CHECKED int hs_peer_ask(hs_peer *p, json_t *request, double *seconds);
/* The same; *answer <- the whole answer, an object that the caller lets go of. */
HS_CHECKED int hs_peer_ask_all(hs_peer *p, json_t *request, json_t **answer);
void hs_peer_stop(hs_peer *p);

#endif
