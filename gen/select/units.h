// How the channels of a grouped convolution are cut into units that need nothing of each other.
#ifndef RX_SELECT_UNITS_H
#define RX_SELECT_UNITS_H

#include "runtime/problem.h"

// Wide groups are a unit each. Narrow ones share units: whole vectors of `lanes` outputs, which
// then hold whole groups (permuted) or parts of them, whose inputs are expanded to a vector each.
struct rx_units {
    int n;         // units
    int in, out;   // channels that each reads (expanded: about so many) and makes
    int column;    // floats of a pixel in the ring of rows
    int together;  // units that are worked off row by row, so that long pieces of maps are read
};

// The forward convolution that computes the problem: itself, or with exchanged roles where it is a
// data gradient.
struct rx_geometry
rx_units_roles(const struct rx_problem *problem);

struct rx_units
rx_units_of(const struct rx_geometry *g, int lanes);

// Whether a vector of channels holds whole narrow groups, the same ones in both maps.
int
rx_units_permuted(const struct rx_geometry *g, int lanes);

#endif
