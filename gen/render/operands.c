// The pointers of a kernel: their declarations, their constants, the clearing of partials.
#include <stdio.h>
#include <string.h>

#include "gen/render/chain.h"
#include "gen/render/names.h"
#include "runtime/plan.h"
#include "runtime/weights.h"

enum { SHAPE_CHARS = 96 };

static const char *
channel_constant(enum rx_domain domain)
{
    return domain == RX_DOMAIN_OUT ? "K" : "C";
}

static int
is_chained(const struct rx_problem *p)
{
    return p->prologue[0].n > 0;
}

static void
weights_shape(const struct rx_geometry *g, enum rx_dtype dtype, char *shape)
{
    const int cg = g->c / g->groups, kg = g->k / g->groups;
    if (dtype == RX_BF16X2)
        snprintf(shape, SHAPE_CHARS, "[%d][%d][%d][%d], pairs of bf16", g->groups,
                 (kg + RX_BLOCK - 1) / RX_BLOCK, (g->r * g->s * cg + 1) / 2, RX_BLOCK);
    else if (dtype == RX_BF16)
        snprintf(shape, SHAPE_CHARS, "[%d][%d][%d][%d][%d]", g->groups,
                 (kg + RX_BLOCK - 1) / RX_BLOCK * RX_BLOCK, g->r, g->s, cg);
    else if (rx_weights_layout(g) == RX_LAYOUT_LANES)
        snprintf(shape, SHAPE_CHARS, "[%d][%d][%d][%d]", g->r, g->s, cg,
                 (g->k + RX_BLOCK - 1) / RX_BLOCK * RX_BLOCK);
    else
        snprintf(shape, SHAPE_CHARS, "[%d][%d][%d][%d][%d][%d]", g->groups,
                 (kg + RX_BLOCK - 1) / RX_BLOCK, g->r, g->s, cg, RX_BLOCK);
}

static void
print_shape(const struct rx_problem *p, int operand, char *shape)
{
    const struct rx_operand *o = &p->operand[operand];
    const struct rx_geometry *g = &p->geometry, transposed = rx_weights_transposed(g);
    const int in = o->domain == RX_DOMAIN_IN;
    char inner[SHAPE_CHARS - 8];
    switch (o->kind) {
    case RX_OPERAND_MAP:
        snprintf(shape, SHAPE_CHARS, "[N][%d][%d][%lld]", in ? g->h : g->oh, in ? g->w : g->ow,
                 (long long)o->c);
        break;
    case RX_OPERAND_INDEX:
        snprintf(shape, SHAPE_CHARS, "[N][%d][%d][%lld]", g->oh, g->ow, (long long)o->c);
        break;
    case RX_OPERAND_LABELS:
    case RX_OPERAND_LOSS:
        snprintf(shape, SHAPE_CHARS, "[N]");
        break;
    case RX_OPERAND_COEF:
        snprintf(shape, SHAPE_CHARS, "[%d][%d]", o->rows, o->pitch);
        break;
    case RX_OPERAND_PARTIAL:
        snprintf(shape, SHAPE_CHARS, "%s[%d][%d]", is_chained(p) ? "" : "[T]", o->rows, o->pitch);
        break;
    case RX_OPERAND_WEIGHTS:
        weights_shape(g, o->dtype, shape);
        break;
    case RX_OPERAND_WEIGHTS_DGRAD:
        weights_shape(&transposed, o->dtype, shape);
        break;
    case RX_OPERAND_WEIGHTS_PARTIAL:
        if (p->op == RX_PROBLEM_CONV_WGRAD) {
            weights_shape(g, RX_F32, inner);
            snprintf(shape, SHAPE_CHARS, "[T]%.80s", inner);
            break;
        }
        snprintf(shape, SHAPE_CHARS, "[T][%lld]", (long long)p->operand[1].c);
        break;
    case RX_OPERAND_HYPER:
        snprintf(shape, SHAPE_CHARS, "[%d]", RX_HYPER_N);
        break;
    case RX_OPERAND_VECTOR:
    default:
        snprintf(shape, SHAPE_CHARS, "[%lld]", (long long)o->c);
        break;
    }
}

// A kernel that is launched includes nothing, so it knows no names for integers of a size.
static const char *
element_type(const struct rx_operand *o, enum rx_call_style style)
{
    const int launched = style == RX_CALL_LAUNCH;
    switch (o->dtype) {
    case RX_F32:
    case RX_BF16X2:  // vectors of 4 bytes a lane are loaded, whatever these are
        return "float";
    case RX_BF16:
        return launched ? "unsigned short" : "uint16_t";
    case RX_F64:
        return "double";
    case RX_U8:
        return launched ? "unsigned char" : "uint8_t";
    case RX_I32:
    default:
        return launched ? "int" : "int32_t";
    }
}

static int
row_is_used(const struct rx_chain *chain, int operand, int row)
{
    for (int i = 0; i < chain->n; i++)
        if (chain->step[i].op == RX_STEP_COEF && chain->step[i].operand == operand &&
            chain->step[i].row == row)
            return 1;
    return 0;
}

// A pointer for each row of a COEF that a chain reads: of a launched kernel from its parameter, of
// another from the table.
static void
print_rows(const struct rx_kernel *k, int operand, int indent, struct rx_text *out)
{
    const struct rx_problem *p = k->problem;
    const int launched = k->language->style == RX_CALL_LAUNCH;
    const struct rx_operand *o = &p->operand[operand];
    char pitch[RX_NAME_CHARS + 8], offset[RX_NAME_CHARS + 24];
    rx_render_pitch_name(p, operand, pitch, sizeof pitch);
    for (int row = 0; row < o->rows; row++) {
        if (!row_is_used(&p->prologue[0], operand, row) &&
            !row_is_used(&p->prologue[1], operand, row) && !row_is_used(&p->epilogue, operand, row))
            continue;
        offset[0] = '\0';
        if (row == 1)
            snprintf(offset, sizeof offset, " + %s", pitch);
        else if (row > 1)
            snprintf(offset, sizeof offset, " + %d * %s", row, pitch);
        const char *name = rx_render_operand_name(p, operand);
        if (launched)
            rx_text_printf(out, "%*sconst float *const %s_%s = %s%s;  // [%lld]\n", indent, "",
                           name, rx_render_row_name(o, row), name, offset, (long long)o->c);
        else
            rx_text_printf(out, "%*sconst float *restrict %s_%s = %st[%d]%s;  // [%lld]\n", indent,
                           "", name, rx_render_row_name(o, row), row == 0 ? "" : "(const float *)",
                           operand, offset, (long long)o->c);
    }
}

// Whether the epilogue reads and writes maps: a running sum goes on in the same memory, so its
// pointers must not promise to be the only ones.
static int
may_overlap(const struct rx_problem *p, int operand)
{
    int loads = 0, stores = 0, mine = 0;
    for (int i = 0; i < p->epilogue.n; i++) {
        const struct rx_step *s = &p->epilogue.step[i];
        loads |= s->op == RX_STEP_LOAD;
        stores |= s->op == RX_STEP_STORE;
        mine |= s->operand == operand;
    }
    return p->operand[operand].kind == RX_OPERAND_MAP && loads && stores && mine;
}

static void
print_pointer(const struct rx_problem *p, int operand, int indent, struct rx_text *out)
{
    const struct rx_operand *o = &p->operand[operand];
    char shape[SHAPE_CHARS], pitch[RX_NAME_CHARS + 8];
    rx_render_pitch_name(p, operand, pitch, sizeof pitch);
    print_shape(p, operand, shape);
    const int constant = !(o->access & RX_WRITE);
    rx_text_printf(out, "%*s%s%s *%s%s = ", indent, "", constant ? "const " : "",
                   element_type(o, RX_CALL_TABLE), may_overlap(p, operand) ? "" : "restrict ",
                   rx_render_operand_name(p, operand));
    if (o->kind == RX_OPERAND_PARTIAL && is_chained(p))
        rx_text_printf(out, "(double *)t[%d] + call->thread * %d * %s;  // %s\n", operand, o->rows,
                       pitch, shape);
    else
        rx_text_printf(out, "t[%d];  // %s\n", operand, shape);
}

// The pointers as parameters, the last ones of the list.
static void
print_parameters(const struct rx_problem *p, int indent, struct rx_text *out)
{
    for (int i = 0; i < p->n_operands; i++) {
        const struct rx_operand *o = &p->operand[i];
        char shape[SHAPE_CHARS];
        print_shape(p, i, shape);
        const int parts = o->kind == RX_OPERAND_PARTIAL && is_chained(p);
        rx_text_printf(out, "%*s%s%s *%s%s%s  // %s%s\n", indent, "",
                       o->access & RX_WRITE ? "" : "const ", element_type(o, RX_CALL_LAUNCH),
                       may_overlap(p, i) ? "" : "__restrict__ ", rx_render_operand_name(p, i),
                       i + 1 < p->n_operands ? "," : ")", parts ? "[T]" : "", shape);
    }
}

const char *
rx_slot_rows(const struct rx_kernel *kernel, const struct rx_slot *slot, struct rx_text *out)
{
    const struct rx_problem *p = kernel->problem;
    for (int i = 0; i < p->n_operands; i++)
        if (p->operand[i].kind == RX_OPERAND_COEF)
            print_rows(kernel, i, slot->indent, out);
    return NULL;
}

const char *
rx_slot_operands(const struct rx_kernel *kernel, const struct rx_slot *slot, struct rx_text *out)
{
    const struct rx_problem *p = kernel->problem;
    if (kernel->language->style == RX_CALL_LAUNCH) {
        print_parameters(p, slot->indent, out);
        return NULL;
    }
    for (int i = 0; i < p->n_operands; i++)
        if (p->operand[i].kind == RX_OPERAND_COEF && is_chained(p))
            print_rows(kernel, i, slot->indent, out);
        else
            print_pointer(p, i, slot->indent, out);
    return NULL;
}

const char *
rx_slot_clear(const struct rx_kernel *kernel, const struct rx_slot *slot, struct rx_text *out)
{
    const struct rx_problem *p = kernel->problem;
    const char *channels = channel_constant(rx_problem_epilogue_domain(p->op));
    for (int i = 0; i < p->n_operands; i++) {
        if (p->operand[i].kind != RX_OPERAND_PARTIAL)
            continue;
        char pitch[RX_NAME_CHARS + 8];
        const char *name = rx_render_operand_name(p, i);
        rx_render_pitch_name(p, i, pitch, sizeof pitch);
        rx_text_printf(out,
                       "%*sfor (int i = 0; i < %s; i++)\n%*s%s[i] = %s[%s + i] = ", slot->indent,
                       "", channels, slot->indent + 4, "", name, name, pitch);
        if (p->operand[i].rows == RX_STATS_ROWS)
            rx_text_printf(out, "%s[2 * %s + i] = ", name, pitch);
        rx_text_add(out, "0.0;\n");
    }
    return NULL;
}

static void
print_pitch(const struct rx_problem *p, int operand, struct rx_text *out)
{
    const struct rx_operand *o = &p->operand[operand];
    char pitch[RX_NAME_CHARS + 8];
    rx_render_pitch_name(p, operand, pitch, sizeof pitch);
    const int map = o->kind == RX_OPERAND_MAP;
    rx_text_printf(out, "enum { %s = %d };  // elements from one %s of %s to the next\n", pitch,
                   o->pitch, map ? "pixel" : "row", rx_render_operand_name(p, operand));
}

void
rx_slot_constants(const struct rx_kernel *kernel, struct rx_text *out)
{
    const struct rx_problem *p = kernel->problem;
    rx_text_printf(out, "enum { C = %d };  // channels of the input map\n", p->geometry.c);
    rx_text_printf(out, "enum { K = %d };  // channels of the output map\n", p->geometry.k);
    for (int i = 0; i < p->n_operands; i++) {
        const enum rx_operand_kind kind = p->operand[i].kind;
        if (kind == RX_OPERAND_MAP || kind == RX_OPERAND_COEF || kind == RX_OPERAND_PARTIAL)
            print_pitch(p, i, out);
    }
}
