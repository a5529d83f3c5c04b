// Writing out/<model>/: sources, plan, objects, programs.
#ifndef RX_PLAN_EMIT_H
#define RX_PLAN_EMIT_H

#include "gen/plan/compile.h"
#include "gen/plan/locate.h"
#include "gen/plan/network.h"

struct rx_emit {
    const struct rx_location *location;
    const char *folder;  // out/<model>
    const char *remake;  // "rxgen models/x.lua --form a --set width=8": how to come here again
    struct rx_compile compile;
};

// Builds everything in a folder beside the final one and moves it there when all is done, so that a
// failure leaves what was there before.
int
rx_emit_network(const struct rx_emit *emit, struct rx_network *net, struct rx_error *error);

// --only: one kernel (by name, or by the first digits of its hash) with a driver, built there.
int
rx_emit_only(const struct rx_emit *emit, struct rx_network *net, const char *which,
             struct rx_error *error);

#endif
