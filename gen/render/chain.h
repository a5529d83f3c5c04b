// Slots of a template: operands and pointwise chains become code.
#ifndef RX_RENDER_CHAIN_H
#define RX_RENDER_CHAIN_H

#include "gen/render/template.h"
#include "gen/target/target.h"

// Each appends a slot's code and returns NULL, or what is wrong with the directive.
const char *
rx_slot_operands(const struct rx_kernel *kernel, const struct rx_slot *slot, struct rx_text *out);
const char *
rx_slot_rows(const struct rx_kernel *kernel, const struct rx_slot *slot, struct rx_text *out);
const char *
rx_slot_clear(const struct rx_kernel *kernel, const struct rx_slot *slot, struct rx_text *out);
const char *
rx_slot_prologue(const struct rx_kernel *kernel, const struct rx_slot *slot, struct rx_text *out);
const char *
rx_slot_prologue_begin(const struct rx_kernel *kernel, const struct rx_slot *slot,
                       struct rx_text *out);
const char *
rx_slot_epilogue_kept(const struct rx_kernel *kernel, const struct rx_slot *slot,
                      struct rx_text *out);
const char *
rx_slot_epilogue_fold(const struct rx_kernel *kernel, const struct rx_slot *slot,
                      struct rx_text *out);
const char *
rx_slot_fetch(const struct rx_kernel *kernel, const struct rx_slot *slot, struct rx_text *out);
const char *
rx_slot_copy(const struct rx_kernel *kernel, const struct rx_slot *slot, struct rx_text *out);
const char *
rx_slot_epilogue_begin(const struct rx_kernel *kernel, const struct rx_slot *slot,
                       struct rx_text *out);
const char *
rx_slot_epilogue(const struct rx_kernel *kernel, const struct rx_slot *slot, struct rx_text *out);
const char *
rx_slot_epilogue_sums(const struct rx_kernel *kernel, const struct rx_slot *slot,
                      struct rx_text *out);
const char *
rx_slot_ahead_prologue(const struct rx_kernel *kernel, const struct rx_slot *slot,
                       struct rx_text *out);
const char *
rx_slot_ahead_epilogue(const struct rx_kernel *kernel, const struct rx_slot *slot,
                       struct rx_text *out);
const char *
rx_slot_epilogue_end(const struct rx_kernel *kernel, const struct rx_slot *slot,
                     struct rx_text *out);

// Appends `enum { ... };` lines of the constants that slots use: channels and pitches.
void
rx_slot_constants(const struct rx_kernel *kernel, struct rx_text *out);

#endif
