/* Delta networks in direction files: what direction.c needs of direction_net.c. */
#ifndef HS_DIRECTIONS_DIRECTION_NET_H
#define HS_DIRECTIONS_DIRECTION_NET_H

#include "analysis/directions/direction.h"

/* d->net, d->shape <- the network stored under d->name.  HS_EFORMAT. */
HS_CHECKED int hs_direction_read_network(hs_result_in *r, hs_direction *d);

#endif
