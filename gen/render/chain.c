// Pointwise chains become statements on vectors. A value that is used once is written where it is
// used; the others, and parts of lines that would be too long, get a name.
#include "gen/render/chain.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "gen/render/names.h"
#include "gen/render/tidy.h"

struct printer {
    const struct rx_problem *problem;
    const struct rx_chain *chain;
    enum rx_domain domain;
    int tail;
    int indent;
    char prefix;                                     // of value names: e3
    const char *pixel, *channel, *lanes, *at, *acc;  // C expressions of the slot
    const char *into;                                // name of a prologue's result
    int is_epilogue;                                 // coefficients have names from its begin
    int named[RX_CHAIN_MAX];
    struct rx_text *out;
};

// STORE hands its value on.
static int
resolve(const struct rx_chain *chain, int value)
{
    while (chain->step[value].op == RX_STEP_STORE)
        value = chain->step[value].a;
    return value;
}

static int
uses(const struct rx_chain *chain, int value)
{
    int n = 0;
    for (int i = 0; i < chain->n; i++) {
        const struct rx_step *s = &chain->step[i];
        n += s->a >= 0 && resolve(chain, s->a) == value;
        n += s->b >= 0 && resolve(chain, s->b) == value;
        n += s->op == RX_STEP_STATS && s->a >= 0 && resolve(chain, s->a) == value;
        n += s->op == RX_STEP_SUMS && s->a >= 0 && resolve(chain, s->a) == value;
    }
    return n;
}

static int
statistics_of(const struct rx_chain *chain)
{
    for (int i = 0; i < chain->n; i++)
        if (chain->step[i].op == RX_STEP_STATS)
            return resolve(chain, chain->step[i].a);
    return -1;
}

// The first COEF step that loads the same row.
static int
same_coef(const struct rx_chain *chain, int value)
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
static void
print_address(const struct printer *p, int operand, struct rx_text *out)
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

static void
print_load(const struct printer *p, const struct rx_step *s, struct rx_text *out)
{
    rx_text_add(out, p->tail ? "rx_load_n(" : "rx_load(");
    if (s->op == RX_STEP_LOAD) {
        print_address(p, s->operand, out);
    } else {
        coef_text(p->problem, s, out);
        rx_text_printf(out, " + %s", p->channel);
    }
    rx_text_printf(out, p->tail ? ", %s)" : ")", p->lanes);
}

static void
print_name(const struct printer *p, int value, struct rx_text *out)
{
    const struct rx_step *s = &p->chain->step[value];
    if (p->into && value == resolve(p->chain, p->chain->result)) {
        rx_text_add(out, p->into);
    } else if (s->op == RX_STEP_ACC && p->acc) {
        rx_text_add(out, p->acc);
    } else if (s->op == RX_STEP_COEF && p->is_epilogue) {
        coef_text(p->problem, s, out);
        rx_text_add(out, "_v");
    } else {
        rx_text_printf(out, "%c%d", p->prefix, value);
    }
}

static void
print_expression(const struct printer *p, int value, struct rx_text *out);

static void
print_value(const struct printer *p, int value, struct rx_text *out)
{
    value = resolve(p->chain, value);
    if (p->named[value])
        print_name(p, value, out);
    else
        print_expression(p, value, out);
}

// An operand of `*` or the right one of `-`.
static void
print_factor(const struct printer *p, int value, struct rx_text *out)
{
    value = resolve(p->chain, value);
    const enum rx_step_op op = p->chain->step[value].op;
    const int sum = !p->named[value] && (op == RX_STEP_ADD || op == RX_STEP_SUB);
    rx_text_add(out, sum ? "(" : "");
    print_value(p, value, out);
    rx_text_add(out, sum ? ")" : "");
}

static void
print_expression(const struct printer *p, int value, struct rx_text *out)
{
    const struct rx_step *s = &p->chain->step[value];
    switch (s->op) {
    case RX_STEP_ACC:
        rx_text_printf(out, "rx_load(%s)", p->at);
        break;
    case RX_STEP_LOAD:
    case RX_STEP_COEF:
        print_load(p, s, out);
        break;
    case RX_STEP_ADD:
        print_value(p, s->a, out);
        rx_text_add(out, " + ");
        print_value(p, s->b, out);
        break;
    case RX_STEP_SUB:
    case RX_STEP_MUL:
        if (s->op == RX_STEP_SUB)
            print_value(p, s->a, out);
        else
            print_factor(p, s->a, out);
        rx_text_add(out, s->op == RX_STEP_SUB ? " - " : " * ");
        print_factor(p, s->b, out);
        break;
    case RX_STEP_RELU:
        rx_text_add(out, "rx_relu(");
        print_value(p, s->a, out);
        rx_text_add(out, ")");
        break;
    case RX_STEP_MASK:
        rx_text_add(out, "rx_mask(");
        print_value(p, s->a, out);
        rx_text_add(out, ", ");
        print_value(p, s->b, out);
        rx_text_add(out, ")");
        break;
    default:
        assert(!"a step without a value");
    }
}

// The longest part of an expression that has no name yet, -1 where all have.
static int
longest_part(const struct printer *p, int value)
{
    const struct rx_step *s = &p->chain->step[value];
    const int part[] = {s->a, s->b};
    int longest = -1;
    size_t length = 0;
    for (int i = 0; i < 2; i++) {
        const int v = part[i] < 0 ? -1 : resolve(p->chain, part[i]);
        if (v < 0 || p->named[v])
            continue;
        struct rx_text text = {0};
        print_expression(p, v, &text);
        if (text.n > length) {
            longest = v;
            length = text.n;
        }
        rx_text_close(&text);
    }
    return longest;
}

// Appends a line; 0 where it is too long and a part of it got a name, so that all must be printed
// again.
static int
add_line(struct printer *p, int value, const struct rx_text *line)
{
    if (p->indent + (int)line->n > RX_COLUMNS) {
        const int part = longest_part(p, value);
        if (part >= 0) {
            p->named[part] = 1;
            return 0;
        }
    }
    rx_text_printf(p->out, "%*s%s\n", p->indent, "", rx_text_str(line));
    return 1;
}

static void
print_statement(const struct printer *p, int value, struct rx_text *line)
{
    const struct rx_step *s = &p->chain->step[value];
    const char *to = s->operand >= 0 ? rx_render_operand_name(p->problem, s->operand) : "";
    if (s->op == RX_STEP_STORE) {
        rx_text_add(line, p->tail ? "rx_store_n(" : "rx_store(");
        print_address(p, s->operand, line);
        rx_text_add(line, ", ");
        print_value(p, s->a, line);
        rx_text_printf(line, p->tail ? ", %s);" : ");", p->lanes);
    } else if (s->op == RX_STEP_STATS) {
        rx_text_printf(line, "%s_sum += ", to);
        print_value(p, s->a, line);
        rx_text_add(line, ";");
    } else {
        rx_text_add(line, "const rx_v ");
        print_name(p, value, line);
        rx_text_add(line, " = ");
        print_expression(p, value, line);
        rx_text_add(line, ";");
    }
}

static int
print_line(struct printer *p, int value)
{
    struct rx_text line = {0};
    print_statement(p, value, &line);
    const int done = add_line(p, value, &line);
    rx_text_close(&line);
    return done;
}

// Two lines: the sum, and the sum of products.
static int
print_sums(struct printer *p, const struct rx_step *s, int value)
{
    const char *to = rx_render_operand_name(p->problem, s->operand);
    struct rx_text line = {0};
    rx_text_printf(&line, "%s_a += ", to);
    print_value(p, s->a, &line);
    rx_text_add(&line, ";");
    int done = add_line(p, value, &line);
    rx_text_clear(&line);
    rx_text_printf(&line, "%s_ab += ", to);
    print_factor(p, s->a, &line);
    rx_text_add(&line, " * ");
    print_factor(p, s->b, &line);
    rx_text_add(&line, ";");
    done = done && add_line(p, value, &line);
    rx_text_close(&line);
    return done;
}

// Statistics read the tile again, so it must hold what they look at.
static int
print_keep(struct printer *p, int value)
{
    if (p->chain->step[value].op == RX_STEP_ACC && !p->acc)
        return 1;
    struct rx_text line = {0};
    rx_text_printf(&line, "rx_store(%s, ", p->at);
    print_value(p, value, &line);
    rx_text_add(&line, ");");
    const int done = add_line(p, value, &line);
    rx_text_close(&line);
    return done;
}

// Whether the value needs no statement of its own although it has a name.
static int
is_given(const struct printer *p, int value)
{
    const enum rx_step_op op = p->chain->step[value].op;
    return (op == RX_STEP_ACC && p->acc) || (op == RX_STEP_COEF && p->is_epilogue);
}

// Prints all statements; 0 where a line was too long.
static int
print_steps(struct printer *p)
{
    const int kept = statistics_of(p->chain);
    for (int i = 0; i < p->chain->n; i++) {
        const struct rx_step *s = &p->chain->step[i];
        const int writes = s->op == RX_STEP_STORE || s->op == RX_STEP_STATS;
        if ((writes || (p->named[i] && !is_given(p, i))) && !print_line(p, i))
            return 0;
        if (s->op == RX_STEP_SUMS && !print_sums(p, s, i))
            return 0;
        if (s->op == RX_STEP_STATS && !print_keep(p, kept))
            return 0;
    }
    return 1;
}

static void
print_chain(struct printer *p, struct rx_text *out)
{
    struct rx_text text = {0};
    const int result = p->into ? resolve(p->chain, p->chain->result) : -1;
    for (int i = 0; i < p->chain->n; i++) {
        const enum rx_step_op op = p->chain->step[i].op;
        const int effect = op == RX_STEP_STORE || op == RX_STEP_STATS || op == RX_STEP_SUMS;
        p->named[i] = !effect && (i == result || uses(p->chain, i) > 1 || is_given(p, i));
    }
    p->out = &text;
    while (!print_steps(p))
        rx_text_clear(&text);
    rx_text_add(out, rx_text_str(&text));
    rx_text_close(&text);
}

// Fills what prologue and epilogue have in common; NULL or the fault.
static const char *
open_printer(struct printer *p, const struct rx_kernel *kernel, const struct rx_slot *slot)
{
    p->problem = kernel->problem;
    p->tail = rx_render_tail(kernel, p->domain);
    p->indent = slot->indent;
    p->pixel = rx_slot_value(slot, "pixel");
    p->channel = rx_slot_value(slot, "channel");
    p->lanes = rx_slot_value(slot, "lanes");
    if (p->domain == RX_DOMAIN_NONE || p->chain->n == 0)
        return "the problem has no such chain";
    if (!p->channel)
        return "channel= is missing";
    return p->tail && !p->lanes ? "lanes= is missing" : NULL;
}

const char *
rx_slot_prologue(const struct rx_kernel *kernel, const struct rx_slot *slot, struct rx_text *out)
{
    if (slot->index < 0 || slot->index >= RX_PROLOGUES)
        return "the prologue's number is missing";
    struct printer p = {
        .chain = &kernel->problem->prologue[slot->index],
        .domain = rx_problem_prologue_domain(kernel->problem->op, slot->index),
        .prefix = "ab"[slot->index],
        .into = rx_slot_value(slot, "into"),
    };
    const char *wrong = open_printer(&p, kernel, slot);
    if (!wrong && (!p.pixel || !p.into))
        wrong = "pixel= or into= is missing";
    if (!wrong)
        print_chain(&p, out);
    return wrong;
}

static const char *
open_epilogue(struct printer *p, const struct rx_kernel *kernel, const struct rx_slot *slot)
{
    *p = (struct printer){
        .chain = &kernel->problem->epilogue,
        .domain = rx_problem_epilogue_domain(kernel->problem->op),
        .prefix = 'e',
        .at = rx_slot_value(slot, "at"),
        .acc = rx_slot_value(slot, "acc"),
        .is_epilogue = 1,
    };
    return open_printer(p, kernel, slot);
}

const char *
rx_slot_epilogue(const struct rx_kernel *kernel, const struct rx_slot *slot, struct rx_text *out)
{
    struct printer p;
    const char *wrong = open_epilogue(&p, kernel, slot);
    if (!wrong && !p.pixel)
        wrong = "pixel= is missing";
    if (!wrong && !p.at && (!p.acc || statistics_of(p.chain) >= 0))
        wrong = "at= is missing";
    if (!wrong)
        print_chain(&p, out);
    return wrong;
}

const char *
rx_slot_epilogue_begin(const struct rx_kernel *kernel, const struct rx_slot *slot,
                       struct rx_text *out)
{
    struct printer p;
    const char *wrong = open_epilogue(&p, kernel, slot);
    for (int i = 0; !wrong && i < p.chain->n; i++) {
        const struct rx_step *s = &p.chain->step[i];
        const char *to = s->operand >= 0 ? rx_render_operand_name(p.problem, s->operand) : "";
        if (s->op == RX_STEP_COEF && uses(p.chain, i) > 0 && same_coef(p.chain, i) == i) {
            rx_text_printf(out, "%*sconst rx_v ", p.indent, "");
            print_name(&p, i, out);
            rx_text_add(out, " = ");
            print_load(&p, s, out);
            rx_text_add(out, ";\n");
        } else if (s->op == RX_STEP_STATS) {
            rx_text_printf(out, "%*srx_v %s_sum = rx_zero();\n", p.indent, "", to);
        } else if (s->op == RX_STEP_SUMS) {
            rx_text_printf(out, "%*srx_v %s_a = rx_zero(), %s_ab = rx_zero();\n", p.indent, "", to,
                           to);
        }
    }
    return wrong;
}

// The second look at the tile, and Chan's merge.
static void
print_statistics(const struct printer *p, const char *name, const char *pitch, const char *lanes,
                 const struct rx_slot *slot, struct rx_text *out)
{
    const char *row = rx_slot_value(slot, "row"), *rows = rx_slot_value(slot, "rows");
    const int sum = strchr(rows, ' ') != NULL, n = p->indent;
    rx_text_printf(out, "%*sconst rx_v %s_mean = %s_sum * rx_set1(1.0f / (float)%s%s%s);\n", n, "",
                   name, name, sum ? "(" : "", rows, sum ? ")" : "");
    rx_text_printf(out, "%*srx_v %s_m2 = rx_zero();\n", n, "", name);
    rx_text_printf(out, "%*sfor (int %s = 0; %s < %s; %s++) {\n", n, "", row, row, rows, row);
    rx_text_printf(out, "%*sconst rx_v deviation = rx_load(%s) - %s_mean;\n", n + 4, "", p->at,
                   name);
    rx_text_printf(out, "%*s%s_m2 += deviation * deviation;\n%*s}\n", n + 4, "", name, n, "");
    rx_text_printf(out, "%*srx_merge_f64(%s + %s, %s, %s_mean, %s_m2, %s, %s);\n", n, "", name,
                   p->channel, pitch, name, name, rows, lanes);
}

const char *
rx_slot_epilogue_end(const struct rx_kernel *kernel, const struct rx_slot *slot,
                     struct rx_text *out)
{
    struct printer p;
    const char *wrong = open_epilogue(&p, kernel, slot);
    if (!wrong && statistics_of(p.chain) >= 0 &&
        (!p.at || !rx_slot_value(slot, "row") || !rx_slot_value(slot, "rows")))
        wrong = "at=, row= or rows= is missing";
    const char *lanes = p.tail ? p.lanes : "RX_LANES";
    for (int i = 0; !wrong && i < p.chain->n; i++) {
        const struct rx_step *s = &p.chain->step[i];
        if (s->op != RX_STEP_STATS && s->op != RX_STEP_SUMS)
            continue;
        char pitch[RX_NAME_CHARS + 8];
        const char *name = rx_render_operand_name(p.problem, s->operand);
        rx_render_pitch_name(p.problem, s->operand, pitch, sizeof pitch);
        if (s->op == RX_STEP_STATS) {
            print_statistics(&p, name, pitch, lanes, slot, out);
            continue;
        }
        rx_text_printf(out, "%*srx_sum_f64(%s + %s, %s_a, %s);\n", p.indent, "", name, p.channel,
                       name, lanes);
        rx_text_printf(out, "%*srx_sum_f64(%s + %s + %s, %s_ab, %s);\n", p.indent, "", name, pitch,
                       p.channel, name, lanes);
    }
    return wrong;
}
