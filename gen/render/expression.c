// Values of a chain as C expressions. A value that is used once is written where it is used, the
// others have names.
#include "gen/render/expression.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "gen/render/names.h"

static int
hands_on(const struct rx_chain_printer *p, const struct rx_step *s)
{
    return s->op == RX_STEP_STORE && p->problem->operand[s->operand].dtype == RX_F32;
}

int
rx_chain_resolve(const struct rx_chain_printer *p, int value)
{
    while (hands_on(p, &p->chain->step[value]))
        value = p->chain->step[value].a;
    return value;
}

int
rx_chain_uses(const struct rx_chain_printer *p, int value)
{
    int n = 0;
    for (int i = 0; i < p->chain->n; i++) {
        const struct rx_step *s = &p->chain->step[i];
        n += s->a >= 0 && rx_chain_resolve(p, s->a) == value;
        n += s->b >= 0 && rx_chain_resolve(p, s->b) == value;
        n += s->op == RX_STEP_SUMS && s->a >= 0 && rx_chain_resolve(p, s->a) == value;
    }
    return n;
}

// The first COEF step that loads the same row.
int
rx_chain_same_coef(const struct rx_chain *chain, int value)
{
    const struct rx_step *s = &chain->step[value];
    for (int i = 0; i < value; i++) {
        const struct rx_step *first = &chain->step[i];
        if (first->op == RX_STEP_COEF && first->operand == s->operand && first->row == s->row)
            return i;
    }
    return value;
}

static void
coef_text(const struct rx_problem *p, const struct rx_step *s, struct rx_text *out)
{
    const struct rx_operand *o = &p->operand[s->operand];
    rx_text_add(out, rx_render_operand_name(p, s->operand));
    if (o->kind == RX_OPERAND_COEF)
        rx_text_printf(out, "_%s", rx_render_row_name(o, s->row));
}

// "x0 + pixel * C + c", or with X0_PITCH where pixels are further apart than their channels.
void
rx_chain_print_address(const struct rx_chain_printer *p, int operand, struct rx_text *out)
{
    const struct rx_operand *o = &p->problem->operand[operand];
    const struct rx_geometry *g = &p->problem->geometry;
    const int in = p->domain == RX_DOMAIN_IN, sum = strchr(p->pixel, ' ') != NULL;
    char pitch[RX_NAME_CHARS + 8];
    rx_render_pitch_name(p->problem, operand, pitch, sizeof pitch);
    if (o->pitch == (in ? g->c : g->k))
        snprintf(pitch, sizeof pitch, "%s", in ? "C" : "K");
    rx_text_printf(out, "%s + %s%s%s * %s + %s", rx_render_operand_name(p->problem, operand),
                   sum ? "(" : "", p->pixel, sum ? ")" : "", pitch, p->channel);
}

const char *
rx_chain_type_suffix(const struct rx_chain_printer *p, int operand)
{
    return p->problem->operand[operand].dtype == RX_BF16 ? "_bf16" : "";
}

int
rx_chain_is_raw(const struct rx_chain_printer *p, const struct rx_step *s)
{
    return p->raw && s->op == RX_STEP_LOAD && p->problem->operand[s->operand].dtype == RX_BF16;
}

// What a fetch loaded: its maps are counted as they come in the chain.
static void
print_raw(const struct rx_chain_printer *p, const struct rx_step *s, struct rx_text *out)
{
    int map = 0;
    for (const struct rx_step *before = p->chain->step; before < s; before++)
        map += before->op == RX_STEP_LOAD;
    rx_text_printf(out, "rx_widen8(%s[%d])", p->raw, map);
}

void
rx_chain_print_load(const struct rx_chain_printer *p, const struct rx_step *s, struct rx_text *out)
{
    if (rx_chain_is_raw(p, s)) {
        print_raw(p, s, out);
        return;
    }
    const char *type = rx_chain_type_suffix(p, s->operand);
    rx_text_printf(out, "rx_load%s%s(", type, p->tail ? "_n" : "");
    if (s->op == RX_STEP_LOAD) {
        rx_chain_print_address(p, s->operand, out);
    } else {
        coef_text(p->problem, s, out);
        rx_text_printf(out, " + %s", p->channel);
    }
    rx_text_printf(out, p->tail ? ", %s)" : ")", p->lanes);
}

void
rx_chain_print_sum(const struct rx_chain_printer *p, int operand, const char *part,
                   struct rx_text *out)
{
    rx_text_printf(out, "%s_%s", rx_render_operand_name(p->problem, operand), part);
    if (p->vector)
        rx_text_printf(out, "[%s]", p->vector);
}

void
rx_chain_print_name(const struct rx_chain_printer *p, int value, struct rx_text *out)
{
    const struct rx_step *s = &p->chain->step[value];
    if (p->into && value == rx_chain_resolve(p, p->chain->result)) {
        rx_text_add(out, p->into);
    } else if (s->op == RX_STEP_ACC && p->acc) {
        rx_text_add(out, p->acc);
    } else if (s->op == RX_STEP_COEF && p->held) {
        coef_text(p->problem, s, out);
        rx_text_add(out, "_v");
    } else {
        rx_text_printf(out, "%c%d", p->prefix, value);
    }
}

void
rx_chain_print_expression(const struct rx_chain_printer *p, int value, struct rx_text *out);

void
rx_chain_print_value(const struct rx_chain_printer *p, int value, struct rx_text *out)
{
    value = rx_chain_resolve(p, value);
    if (p->named[value])
        rx_chain_print_name(p, value, out);
    else
        rx_chain_print_expression(p, value, out);
}

// An operand of `*` or the right one of `-`.
void
rx_chain_print_factor(const struct rx_chain_printer *p, int value, struct rx_text *out)
{
    value = rx_chain_resolve(p, value);
    const enum rx_step_op op = p->chain->step[value].op;
    const int sum = !p->named[value] && (op == RX_STEP_ADD || op == RX_STEP_SUB);
    rx_text_add(out, sum ? "(" : "");
    rx_chain_print_value(p, value, out);
    rx_text_add(out, sum ? ")" : "");
}

void
rx_chain_print_expression(const struct rx_chain_printer *p, int value, struct rx_text *out)
{
    const struct rx_step *s = &p->chain->step[value];
    switch (s->op) {
    case RX_STEP_ACC:
        rx_text_printf(out, "rx_load(%s)", p->at);
        break;
    case RX_STEP_LOAD:
    case RX_STEP_COEF:
        rx_chain_print_load(p, s, out);
        break;
    case RX_STEP_ADD:
        rx_chain_print_value(p, s->a, out);
        rx_text_add(out, " + ");
        rx_chain_print_value(p, s->b, out);
        break;
    case RX_STEP_SUB:
    case RX_STEP_MUL:
        if (s->op == RX_STEP_SUB)
            rx_chain_print_value(p, s->a, out);
        else
            rx_chain_print_factor(p, s->a, out);
        rx_text_add(out, s->op == RX_STEP_SUB ? " - " : " * ");
        rx_chain_print_factor(p, s->b, out);
        break;
    case RX_STEP_RELU:
        rx_text_add(out, "rx_relu(");
        rx_chain_print_value(p, s->a, out);
        rx_text_add(out, ")");
        break;
    case RX_STEP_MASK:
        rx_text_add(out, "rx_mask(");
        rx_chain_print_value(p, s->a, out);
        rx_text_add(out, ", ");
        rx_chain_print_value(p, s->b, out);
        rx_text_add(out, ")");
        break;
    default:
        assert(!"a step without a value");
    }
}
