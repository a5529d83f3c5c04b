// Sums of vectors, over what the tile header has that includes this.
#ifndef RX_TILE_SUMS_H
#define RX_TILE_SUMS_H

// to[i] += v[i] for the first n lanes.
static inline void
rx_sum_f64(double *to, rx_v v, int n)
{
    for (int i = 0; i < n; i++)
        to[i] += (double)v[i];
}

// Merges `rows` values with this mean and sum of squared deviations into the first n channels of
// stats: rows {count, mean, M2}, `pitch` apart (Chan, Golub, LeVeque 1979, eq. 2.1).
static inline void
rx_merge_f64(double *stats, int pitch, rx_v mean, rx_v m2, int rows, int n)
{
    double *const count = stats, *const old_mean = stats + pitch, *const old_m2 = old_mean + pitch;
    for (int i = 0; i < n; i++) {
        const double total = count[i] + rows, delta = (double)mean[i] - old_mean[i];
        old_m2[i] += (double)m2[i] + delta * delta * count[i] * rows / total;
        old_mean[i] += delta * rows / total;
        count[i] = total;
    }
}

// What statistics of some values of each lane are made of: their sum and sum of squares, both taken
// around the first one, which is as near to their mean as a value is.
struct rx_moments {
    int n;
    rx_v first, sum, squares;
};

static inline void
rx_moments_add(struct rx_moments *m, rx_v x)
{
    if (m->n++ == 0)
        m->first = x;
    const rx_v d = x - m->first;
    m->sum += d;
    m->squares = rx_fma(d, d, m->squares);
}

// Merges the moments of at least one value into the first n channels of stats. M2 loses m->n
// roundings of the sum of squares. That is two times M2 where the first value is as far from the
// mean as they are on average, and never more than m->n + 1 times, as it is one of them.
static inline void
rx_moments_merge_f64(double *stats, int pitch, const struct rx_moments *m, int n)
{
    const rx_v mean = m->sum * rx_set1(1.0f / (float)m->n);
    rx_merge_f64(stats, pitch, m->first + mean, m->squares - m->sum * mean, m->n, n);
}

#endif
