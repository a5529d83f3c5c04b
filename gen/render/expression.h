// Printing a pointwise chain: values as C expressions, steps as statements.
#ifndef RX_RENDER_EXPRESSION_H
#define RX_RENDER_EXPRESSION_H

#include "gen/target/target.h"

// One chain in one slot.
struct rx_chain_printer {
    const struct rx_problem *problem;
    const struct rx_chain *chain;
    enum rx_domain domain;
    int tail;
    int indent;
    char prefix;                                     // of value names: e3
    const char *pixel, *channel, *lanes, *at, *acc;  // C expressions of the slot
    const char *into;                                // name of a prologue's result
    const char *vector;  // sums are arrays: the element of this slot; NULL where they are not
    const char *raw;     // the array of what a fetch loaded; NULL: maps are loaded here
    const char *once;    // where several run this chain: the condition for the one that stores
    enum rx_call_style style;
    int kept;  // lanes have folded their sums
    int held;  // coefficients have names from its begin
    int named[RX_CHAIN_MAX];
    struct rx_text *out;  // of rx_chain_print
};

// The value that a step stands for: STORE hands its value on, unless it rounds it.
int
rx_chain_resolve(const struct rx_chain_printer *p, int value);

// How often a value is written where it is used.
int
rx_chain_uses(const struct rx_chain_printer *p, int value);

// The first COEF step that loads the same row.
int
rx_chain_same_coef(const struct rx_chain *chain, int value);

// Whether a step loads what a fetch has loaded before: a map in bf16, where the slot says raw=.
int
rx_chain_is_raw(const struct rx_chain_printer *p, const struct rx_step *s);

// What the tile header's loads and stores of an operand have in their names.
const char *
rx_chain_type_suffix(const struct rx_chain_printer *p, int operand);
void
rx_chain_print_load(const struct rx_chain_printer *p, const struct rx_step *s, struct rx_text *out);
void
rx_chain_print_address(const struct rx_chain_printer *p, int operand, struct rx_text *out);
// The register that sums up: "sums0_ab", or its element where there is one for each vector.
void
rx_chain_print_sum(const struct rx_chain_printer *p, int operand, const char *part,
                   struct rx_text *out);
void
rx_chain_print_name(const struct rx_chain_printer *p, int value, struct rx_text *out);

// A value: its name, or its expression where it has none. A factor is the same in parentheses where
// `*` or the right side of `-` asks for them.
void
rx_chain_print_value(const struct rx_chain_printer *p, int value, struct rx_text *out);
void
rx_chain_print_factor(const struct rx_chain_printer *p, int value, struct rx_text *out);
void
rx_chain_print_expression(const struct rx_chain_printer *p, int value, struct rx_text *out);

// Appends the chain's statements.
void
rx_chain_print(struct rx_chain_printer *p, struct rx_text *out);

#endif
