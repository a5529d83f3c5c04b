// The template language of docs/templates.md: directives in, plain C out. What constants, flags and
// slots mean is the caller's business; this part knows only their syntax.
#ifndef RX_RENDER_TEMPLATE_H
#define RX_RENDER_TEMPLATE_H

#include <stdint.h>

#include "runtime/base/error.h"
#include "runtime/base/text.h"

enum { RX_SLOT_ARGS_MAX = 8, RX_SLOT_TEXT_CHARS = 128 };

// A slot's directive: `//@ prologue 0 pixel=p channel=(c + i) into=x`.
struct rx_slot {
    char name[32];  // "prologue", "operands" ...
    int index;      // the bare number, -1 where there is none
    int indent;     // columns before the directive
    int n;
    char key[RX_SLOT_ARGS_MAX][16];
    char value[RX_SLOT_ARGS_MAX][RX_SLOT_TEXT_CHARS];  // outer parentheses taken off
};

// The value of a slot's argument, NULL where it is not given.
const char *
rx_slot_value(const struct rx_slot *slot, const char *key);

// What a template's names stand for. A constant or flag that nobody knows is the template's fault.
struct rx_template_names {
    void *context;
    const char *kernel;  // RX_KERNEL
    const char *tile;    // the tile header: "tile_avx2.h"
    // Its text where kernels hold what they use of it instead of including it, else NULL.
    const char *tile_text;
    // 1 and the value, or 0 for a name that is not known.
    int (*constant)(void *context, const char *name, int64_t *value);
    // 1 set, 0 not set, -1 not known.
    int (*flag)(void *context, const char *name);
    // Appends the code of a slot; NULL, or what is wrong with the directive.
    const char *(*slot)(void *context, const struct rx_slot *slot, struct rx_text *out);
    // Appends lines `enum { ... };  // ...` of further constants, which are kept if used.
    void (*more_constants)(void *context, struct rx_text *out);
};

// Appends the expansion of a template's text. `file` is its name for messages.
int
rx_template_expand(const char *file, const char *source, const struct rx_template_names *names,
                   struct rx_text *out, struct rx_error *error);

#endif
