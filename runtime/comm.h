// The seam for more than one device: what processes that train one network together exchange.
// A single process, the only kind there is yet, has nobody to exchange with.
#ifndef RX_COMM_H
#define RX_COMM_H

struct rx_comm {
    int rank, size;
};

static inline struct rx_comm
rx_comm_single(void)
{
    return (struct rx_comm){.rank = 0, .size = 1};
}

// Replaces each value by its sum over the ranks, the same bits on all of them.
static inline void
rx_comm_sum(const struct rx_comm *comm, double *value, int n)
{
    (void)comm;
    (void)value;
    (void)n;
}

#endif
