// How long a network's steps take on a device: predicted, kernel by kernel, by its target.
#ifndef RX_PLAN_FORECAST_H
#define RX_PLAN_FORECAST_H

#include "gen/plan/network.h"

enum { RX_FORECAST_IMAGES = 256 };  // of a batch
enum { RX_FORECAST_DEVICES_MAX = 8, RX_FORECAST_SHARES = 2 };

// Shares of the memory's bandwidth that are taken: what is expected, and what is less.
extern const double rx_forecast_share[RX_FORECAST_SHARES];

// All launches of a kernel in one run of a program.
struct rx_forecast_sum {
    int launches;
    double seconds, bytes, flops;
};

struct rx_forecast_kernel {
    struct rx_prediction each;  // of its first step
    struct rx_forecast_sum of[RX_PROGRAMS];
};

// Of a network on one device.
struct rx_forecast {
    const struct rx_target_device *device;
    double memory_share;
    struct rx_forecast_kernel *kernel;  // net->n_kernels; the caller frees it
    struct rx_forecast_sum total[RX_PROGRAMS];
};

// Predicts for the device and share. Where its architecture is another one than the network was
// made for, kernels are chosen anew. `resources` (NULL, or one for each kernel) are those of the
// network's own kernels.
int
rx_forecast_make(const struct rx_network *net, const char *templates,
                 const struct rx_target_device *device, double memory_share,
                 const struct rx_resources *resources, struct rx_forecast *forecast,
                 struct rx_error *error);

// The device of the network's architecture.
const struct rx_target_device *
rx_forecast_device(const struct rx_network *net);

// What compiled kernels take, from a build's file RESOURCES: NAME registers N shared N ... a line.
// Kernels that it lacks, and all where there is no such file, have 0 registers.
void
rx_forecast_resources(const struct rx_network *net, const char *path,
                      struct rx_resources *resources);

#endif
