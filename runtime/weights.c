// Where each convolution weight lies.
#include "runtime/weights.h"

static int
blocks(int channels)
{
    return (channels + RX_BLOCK - 1) / RX_BLOCK;
}

enum rx_layout
rx_weights_layout(const struct rx_geometry *g)
{
    const int narrow =
        g->c / g->groups <= RX_LANES_GROUP_MAX && g->k / g->groups <= RX_LANES_GROUP_MAX;
    return g->groups > 1 && narrow ? RX_LAYOUT_LANES : RX_LAYOUT_PANEL;
}

int64_t
rx_weights_count(const struct rx_geometry *g)
{
    const int64_t taps = (int64_t)g->r * g->s * (g->c / g->groups);
    if (rx_weights_layout(g) == RX_LAYOUT_LANES)
        return taps * blocks(g->k) * RX_BLOCK;
    return taps * g->groups * blocks(g->k / g->groups) * RX_BLOCK;
}

int64_t
rx_weights_index(const struct rx_geometry *g, int k, int c, int r, int s)
{
    const int cg = g->c / g->groups, kg = g->k / g->groups;
    const int64_t tap = ((int64_t)r * g->s + s) * cg + c;
    if (rx_weights_layout(g) == RX_LAYOUT_LANES)
        return tap * blocks(g->k) * RX_BLOCK + k;
    const int64_t block = (int64_t)(k / kg) * blocks(kg) + k % kg / RX_BLOCK;
    return (block * g->r * g->s * cg + tap) * RX_BLOCK + k % kg % RX_BLOCK;
}

static int64_t
pairs(const struct rx_geometry *g)
{
    return ((int64_t)g->r * g->s * (g->c / g->groups) + 1) / 2;
}

int64_t
rx_weights_count_of(const struct rx_geometry *g, enum rx_dtype dtype)
{
    const int64_t outputs = (int64_t)g->groups * blocks(g->k / g->groups) * RX_BLOCK;
    if (dtype == RX_BF16X2)
        return pairs(g) * outputs;
    return dtype == RX_BF16 ? outputs * g->r * g->s * (g->c / g->groups) : rx_weights_count(g);
}

int64_t
rx_weights_index_of(const struct rx_geometry *g, enum rx_dtype dtype, int k, int c, int r, int s)
{
    if (dtype == RX_F32)
        return rx_weights_index(g, k, c, r, s);
    const int cg = g->c / g->groups, kg = g->k / g->groups, lane = k % kg % RX_BLOCK;
    const int64_t tap = ((int64_t)r * g->s + s) * cg + c;
    const int64_t block = (int64_t)(k / kg) * blocks(kg) + k % kg / RX_BLOCK;
    if (dtype == RX_BF16)
        return (block * RX_BLOCK + lane) * g->r * g->s * cg + tap;
    return ((block * pairs(g) + tap / 2) * RX_BLOCK + lane) * 2 + tap % 2;
}

struct rx_geometry
rx_weights_transposed(const struct rx_geometry *g)
{
    struct rx_geometry t = *g;
    t.h = g->oh, t.w = g->ow, t.c = g->k;
    t.oh = g->h, t.ow = g->w, t.k = g->c;
    return t;
}
