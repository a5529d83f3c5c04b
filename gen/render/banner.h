// What stands on top of every emitted kernel.
#ifndef RX_RENDER_BANNER_H
#define RX_RENDER_BANNER_H

#include "gen/target/target.h"

// Appends the banner: who asked for the kernel, what it computes, how, and how to make it again.
void
rx_render_banner(const struct rx_machine *machine, const struct rx_kernel *kernel,
                 const struct rx_banner *banner, struct rx_text *out);

#endif
