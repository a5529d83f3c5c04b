// The pipeline: from a model file to a network with its kernels and plan.
#ifndef RX_PIPELINE_H
#define RX_PIPELINE_H

#include "gen/options.h"
#include "gen/plan/locate.h"
#include "gen/plan/network.h"

// Runs the front alone: the graph as its author sees it. The caller closes the graph in any case.
int
rx_pipeline_front(const struct rx_options *options, const struct rx_location *location,
                  struct rx_graph *graph, struct rx_front_output *front, struct rx_error *error);

// Runs all passes on both graphs, for net->target. The caller closes the network in any case.
int
rx_pipeline_run(const struct rx_options *options, const struct rx_location *location,
                struct rx_network *net, struct rx_error *error);

#endif
