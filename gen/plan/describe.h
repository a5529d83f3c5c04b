// What --describe prints.
#ifndef RX_PLAN_DESCRIBE_H
#define RX_PLAN_DESCRIBE_H

#include "gen/plan/network.h"

// Bytes that training and evaluation take at the recipe's batch with these threads.
struct rx_describe_memory {
    int batch, threads;
    int64_t bytes;
};

// The layer table, the totals, the memory (where it is not NULL) and the model's fields; `forward`
// is a graph before any pass, so that layers are the author's. As JSON: one object on one line.
void
rx_describe_print(const struct rx_graph *forward, const struct rx_front_output *front,
                  const struct rx_describe_memory *memory, struct rx_text *text);
void
rx_describe_print_json(const struct rx_graph *forward, const struct rx_front_output *front,
                       const struct rx_describe_memory *memory, struct rx_text *text);

#endif
