// How the channels of a grouped convolution are cut into units.
#include "gen/select/units.h"

#include "runtime/weights.h"

enum { TOGETHER = 128 };  // channels, some cache lines of each pixel

static int
round_up(int n, int to)
{
    return (n + to - 1) / to * to;
}

struct rx_geometry
rx_units_roles(const struct rx_problem *p)
{
    return p->op == RX_PROBLEM_CONV_DGRAD ? rx_weights_transposed(&p->geometry) : p->geometry;
}

int
rx_units_permuted(const struct rx_geometry *g, int lanes)
{
    return g->groups > 1 && rx_weights_layout(g) == RX_LAYOUT_LANES && g->c == g->k &&
           lanes % (g->c / g->groups) == 0;
}

static struct rx_units
units_apart(const struct rx_geometry *g, int lanes)
{
    const int groups = g->groups > 0 ? g->groups : 1, cg = g->c / groups, kg = g->k / groups;
    if (rx_weights_layout(g) == RX_LAYOUT_PANEL)
        return (struct rx_units){groups, cg, kg, round_up(cg, lanes), 1};
    if (rx_units_permuted(g, lanes)) {
        const int unit = g->c % RX_BLOCK == 0 ? RX_BLOCK : lanes;
        return (struct rx_units){round_up(g->c, unit) / unit, unit, unit, unit, 1};
    }
    const int in = lanes * cg / kg;
    return (struct rx_units){round_up(g->k, lanes) / lanes, in > 0 ? in : 1, lanes, cg * lanes, 1};
}

struct rx_units
rx_units_of(const struct rx_geometry *g, int lanes)
{
    struct rx_units units = units_apart(g, lanes);
    const int fit = TOGETHER / (units.in > units.out ? units.in : units.out);
    units.together = fit < 1 ? 1 : fit < units.n ? fit : units.n;
    return units;
}
