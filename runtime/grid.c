// Cutting work into tasks, and tasks into shares.
#include "runtime/grid.h"

// Reading (and packing) the inputs of a part, in quarters of the work of one column.
enum { COLUMN_COST = 4, PACK_COST = 1 };

// The work of the busiest thread.
static int64_t
busiest(int64_t units, int columns, int parts, int threads)
{
    const int64_t tasks = (units * parts + threads - 1) / threads;
    const int64_t widest = (columns + parts - 1) / parts;
    return tasks * (widest * COLUMN_COST + PACK_COST);
}

struct rx_grid
rx_grid_cut(int64_t units, int columns, int threads)
{
    int best = 1;
    for (int parts = 2; parts <= columns && parts <= 2 * threads; parts++)
        if (busiest(units, columns, parts, threads) < busiest(units, columns, best, threads))
            best = parts;
    return (struct rx_grid){.tasks = units * best, .parts = best};
}

struct rx_call
rx_grid_share(const struct rx_grid *grid, int n, int thread, int n_threads, void *scratch)
{
    return (struct rx_call){.n = n,
                            .thread = thread,
                            .n_threads = n_threads,
                            .parts = grid->parts,
                            .first = grid->tasks * thread / n_threads,
                            .last = grid->tasks * (thread + 1) / n_threads,
                            .scratch = scratch};
}
