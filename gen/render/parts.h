// Parts of a header: what a kernel uses of it is copied into the kernel, which then includes
// nothing.
#ifndef RX_RENDER_PARTS_H
#define RX_RENDER_PARTS_H

#include "runtime/base/text.h"

// Appends the parts of `header` that `code`, or a part that is kept, uses, in the header's order.
// A part goes from a line `//@ part NAME...`, which lists what it defines, to the next one; what
// stands before the first is for the header's own reader.
void
rx_parts_select(const char *header, const char *code, struct rx_text *out);

#endif
