// The slots of pointwise chains: prologue, and the epilogue's beginning, middle and end.
#include "gen/render/chain.h"

#include <string.h>

#include "gen/render/expression.h"
#include "gen/render/names.h"

// Fills what prologue and epilogue have in common; NULL or the fault.
static const char *
open_printer(struct rx_chain_printer *p, const struct rx_kernel *kernel, const struct rx_slot *slot)
{
    p->problem = kernel->problem;
    p->style = kernel->language->style;
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
    struct rx_chain_printer p = {
        .chain = &kernel->problem->prologue[slot->index],
        .domain = rx_problem_prologue_domain(kernel->problem->op, slot->index),
        .prefix = "ab"[slot->index],
        .into = rx_slot_value(slot, "into"),
        .once = rx_slot_value(slot, "once"),
        .held = rx_slot_value(slot, "held") != NULL,
        .raw = rx_slot_value(slot, "raw"),
    };
    const char *wrong = open_printer(&p, kernel, slot);
    if (!wrong && (!p.pixel || !p.into))
        wrong = "pixel= or into= is missing";
    if (!wrong)
        rx_chain_print(&p, out);
    return wrong;
}

// Loads what a chain reads of maps in bf16 as it lies in memory; the chain gets it as raw=.
static const char *
print_fetch(const struct rx_chain_printer *p, const char *into, struct rx_text *out)
{
    if (!p->pixel || !into)
        return "pixel= or into= is missing";
    for (int i = 0, map = 0; i < p->chain->n; i++) {
        const struct rx_step *s = &p->chain->step[i];
        if (s->op != RX_STEP_LOAD)
            continue;
        if (rx_chain_is_raw(p, s)) {
            rx_text_printf(out, "%*s%s[%d] = rx_load16(", p->indent, "", into, map);
            rx_chain_print_address(p, s->operand, out);
            rx_text_add(out, ");\n");
        }
        map++;
    }
    return NULL;
}

static const char *
open_fetch(struct rx_chain_printer *p, const struct rx_kernel *kernel, const struct rx_slot *slot)
{
    if (slot->index < 0 || slot->index >= RX_PROLOGUES)
        return "the prologue's number is missing";
    *p = (struct rx_chain_printer){
        .chain = &kernel->problem->prologue[slot->index],
        .domain = rx_problem_prologue_domain(kernel->problem->op, slot->index),
        .raw = "raw",
    };
    const char *wrong = open_printer(p, kernel, slot);
    for (int i = 0; !wrong && i < p->chain->n; i++)
        if (p->chain->step[i].op == RX_STEP_LOAD && !rx_chain_is_raw(p, &p->chain->step[i]))
            wrong = "a map is not bf16";
    return wrong;
}

const char *
rx_slot_fetch(const struct rx_kernel *kernel, const struct rx_slot *slot, struct rx_text *out)
{
    struct rx_chain_printer p;
    const char *wrong = open_fetch(&p, kernel, slot);
    return wrong ? wrong : print_fetch(&p, rx_slot_value(slot, "into"), out);
}

// The same, copied into shared memory: each map `apart` elements behind the one before.
const char *
rx_slot_copy(const struct rx_kernel *kernel, const struct rx_slot *slot, struct rx_text *out)
{
    struct rx_chain_printer p;
    const char *to = rx_slot_value(slot, "to"), *apart = rx_slot_value(slot, "apart");
    const char *bytes = rx_slot_value(slot, "bytes"), *wrong = open_fetch(&p, kernel, slot);
    if (!wrong && (!p.pixel || !to || !apart || !bytes))
        wrong = "pixel=, to=, apart= or bytes= is missing";
    for (int i = 0, map = 0; !wrong && i < p.chain->n; i++) {
        if (p.chain->step[i].op != RX_STEP_LOAD)
            continue;
        rx_text_printf(out, "%*srx_cp_async16(%s", p.indent, "", to);
        if (map == 1)
            rx_text_printf(out, " + %s", apart);
        else if (map > 1)
            rx_text_printf(out, " + %d * %s", map, apart);
        rx_text_add(out, ", ");
        rx_chain_print_address(&p, p.chain->step[i].operand, out);
        rx_text_printf(out, ", %s);\n", bytes);
        map++;
    }
    return wrong;
}

// Loads the coefficients of a vector of channels, which then have names.
static void
print_coefs(const struct rx_chain_printer *p, struct rx_text *out)
{
    for (int i = 0; i < p->chain->n; i++) {
        const struct rx_step *s = &p->chain->step[i];
        if (s->op != RX_STEP_COEF || rx_chain_uses(p, i) == 0 ||
            rx_chain_same_coef(p->chain, i) != i)
            continue;
        rx_text_printf(out, "%*sconst rx_v ", p->indent, "");
        rx_chain_print_name(p, i, out);
        rx_text_add(out, " = ");
        rx_chain_print_load(p, s, out);
        rx_text_add(out, ";\n");
    }
}

const char *
rx_slot_prologue_begin(const struct rx_kernel *kernel, const struct rx_slot *slot,
                       struct rx_text *out)
{
    if (slot->index < 0 || slot->index >= RX_PROLOGUES)
        return "the prologue's number is missing";
    struct rx_chain_printer p = {
        .chain = &kernel->problem->prologue[slot->index],
        .domain = rx_problem_prologue_domain(kernel->problem->op, slot->index),
        .held = 1,
    };
    const char *wrong = open_printer(&p, kernel, slot);
    if (!wrong)
        print_coefs(&p, out);
    return wrong;
}

static const char *
open_epilogue(struct rx_chain_printer *p, const struct rx_kernel *kernel,
              const struct rx_slot *slot)
{
    *p = (struct rx_chain_printer){
        .chain = &kernel->problem->epilogue,
        .domain = rx_problem_epilogue_domain(kernel->problem->op),
        .prefix = 'e',
        .at = rx_slot_value(slot, "at"),
        .acc = rx_slot_value(slot, "acc"),
        .vector = rx_slot_value(slot, "vector"),
        .held = !rx_slot_value(slot, "vector"),
        .kept = rx_slot_value(slot, "kept") != NULL,
    };
    return open_printer(p, kernel, slot);
}

const char *
rx_slot_epilogue(const struct rx_kernel *kernel, const struct rx_slot *slot, struct rx_text *out)
{
    struct rx_chain_printer p;
    const char *wrong = open_epilogue(&p, kernel, slot);
    if (!wrong && !p.pixel)
        wrong = "pixel= is missing";
    if (!wrong && !p.at && !p.acc)
        wrong = "at= is missing";
    if (!wrong)
        rx_chain_print(&p, out);
    return wrong;
}

// Where the epilogue looks at several vectors by turns: an array for each sum, cleared.
static void
declare_sums(const struct rx_chain_printer *p, const char *vectors, struct rx_text *out)
{
    for (int i = 0; i < p->chain->n; i++) {
        const struct rx_step *s = &p->chain->step[i];
        if (s->op != RX_STEP_STATS && s->op != RX_STEP_SUMS)
            continue;
        const char *to = rx_render_operand_name(p->problem, s->operand);
        if (p->style == RX_CALL_LAUNCH && s->op == RX_STEP_STATS)
            rx_text_printf(out, "%*srx_moments %s_own[%s] = {};\n", p->indent, "", to, vectors);
        else if (p->style == RX_CALL_LAUNCH)
            rx_text_printf(out, "%*srx_v %s_a[%s] = {}, %s_ab[%s] = {};\n", p->indent, "", to,
                           vectors, to, vectors);
        else if (s->op == RX_STEP_STATS)
            rx_text_printf(out, "%*sstruct rx_moments %s_own[%s] = {0};\n", p->indent, "", to,
                           vectors);
        else
            rx_text_printf(out, "%*srx_v %s_a[%s] = {{0}}, %s_ab[%s] = {{0}};\n", p->indent, "", to,
                           vectors, to, vectors);
    }
}

const char *
rx_slot_epilogue_sums(const struct rx_kernel *kernel, const struct rx_slot *slot,
                      struct rx_text *out)
{
    const char *vectors = rx_slot_value(slot, "vectors");
    if (!vectors)
        return "vectors= is missing";
    const struct rx_chain_printer p = {
        .problem = kernel->problem,
        .chain = &kernel->problem->epilogue,
        .indent = slot->indent,
        .style = kernel->language->style,
    };
    declare_sums(&p, vectors, out);
    return NULL;
}

// Where the lanes of a warp fold their sums: what each keeps of its channels, cleared.
const char *
rx_slot_epilogue_kept(const struct rx_kernel *kernel, const struct rx_slot *slot,
                      struct rx_text *out)
{
    const struct rx_chain *chain = &kernel->problem->epilogue;
    const char *vectors = rx_slot_value(slot, "vectors");
    if (!vectors)
        return "vectors= is missing";
    for (int i = 0; i < chain->n; i++) {
        const struct rx_step *s = &chain->step[i];
        if (s->op != RX_STEP_STATS && s->op != RX_STEP_SUMS)
            continue;
        const char *to = rx_render_operand_name(kernel->problem, s->operand);
        if (s->op == RX_STEP_STATS)
            rx_text_printf(out, "%*srx_kept %s_kept[%s] = {};\n", slot->indent, "", to, vectors);
        else
            rx_text_printf(out, "%*sfloat %s_a_kept[%s] = {}, %s_ab_kept[%s] = {};\n", slot->indent,
                           "", to, vectors, to, vectors);
    }
    return NULL;
}

// What a vector's epilogue has summed is folded into what the lanes keep.
const char *
rx_slot_epilogue_fold(const struct rx_kernel *kernel, const struct rx_slot *slot,
                      struct rx_text *out)
{
    const struct rx_chain *chain = &kernel->problem->epilogue;
    const char *v = rx_slot_value(slot, "vector");
    const int n = slot->indent;
    if (!v)
        return "vector= is missing";
    for (int i = 0; i < chain->n; i++) {
        const struct rx_step *s = &chain->step[i];
        if (s->op != RX_STEP_STATS && s->op != RX_STEP_SUMS)
            continue;
        const char *to = rx_render_operand_name(kernel->problem, s->operand);
        if (s->op == RX_STEP_STATS) {
            rx_text_printf(out, "%*srx_fold_moments(%s_kept[%s], %s_own, lane);\n", n, "", to, v,
                           to);
        } else {
            rx_text_printf(out, "%*s%s_a_kept[%s] += rx_fold_sum(%s_a, lane);\n", n, "", to, v, to);
            rx_text_printf(out, "%*s%s_ab_kept[%s] += rx_fold_sum(%s_ab, lane);\n", n, "", to, v,
                           to);
        }
    }
    return NULL;
}

// The addresses of this element in the maps that a chain reads are prefetched at once. Or they are
// noted to be, and those in the maps that it stores too: a store that misses keeps others waiting.
static const char *
note_addresses(struct rx_chain_printer *p, const struct rx_slot *slot, struct rx_text *out)
{
    const char *to = rx_slot_value(slot, "to");
    p->indent = slot->indent;
    p->pixel = rx_slot_value(slot, "pixel");
    p->channel = rx_slot_value(slot, "channel");
    if (!p->pixel || !p->channel)
        return "pixel= or channel= is missing";
    for (int i = 0; i < p->chain->n; i++) {
        const enum rx_step_op op = p->chain->step[i].op;
        if (op != RX_STEP_LOAD && !(to && op == RX_STEP_STORE))
            continue;
        rx_text_printf(out, "%*s%s%s%s", p->indent, "", to ? "*" : "rx_prefetch(", to ? to : "",
                       to ? "++ = " : "");
        rx_chain_print_address(p, p->chain->step[i].operand, out);
        rx_text_add(out, to ? ";\n" : ");\n");
    }
    return NULL;
}

const char *
rx_slot_ahead_prologue(const struct rx_kernel *kernel, const struct rx_slot *slot,
                       struct rx_text *out)
{
    if (slot->index < 0 || slot->index >= RX_PROLOGUES)
        return "the prologue's number is missing";
    struct rx_chain_printer p = {
        .problem = kernel->problem,
        .chain = &kernel->problem->prologue[slot->index],
        .domain = rx_problem_prologue_domain(kernel->problem->op, slot->index),
    };
    return note_addresses(&p, slot, out);
}

const char *
rx_slot_ahead_epilogue(const struct rx_kernel *kernel, const struct rx_slot *slot,
                       struct rx_text *out)
{
    struct rx_chain_printer p = {
        .problem = kernel->problem,
        .chain = &kernel->problem->epilogue,
        .domain = rx_problem_epilogue_domain(kernel->problem->op),
    };
    return note_addresses(&p, slot, out);
}

const char *
rx_slot_epilogue_begin(const struct rx_kernel *kernel, const struct rx_slot *slot,
                       struct rx_text *out)
{
    struct rx_chain_printer p;
    const char *only = rx_slot_value(slot, "only"), *wrong = open_epilogue(&p, kernel, slot);
    const int coefs = !only || strcmp(only, "coefs") == 0, sums = !only || !coefs;
    for (int i = 0; !wrong && i < p.chain->n; i++) {
        const struct rx_step *s = &p.chain->step[i];
        const char *to = s->operand >= 0 ? rx_render_operand_name(p.problem, s->operand) : "";
        if (coefs && s->op == RX_STEP_COEF && rx_chain_uses(&p, i) > 0 &&
            rx_chain_same_coef(p.chain, i) == i) {
            rx_text_printf(out, "%*sconst rx_v ", p.indent, "");
            rx_chain_print_name(&p, i, out);
            rx_text_add(out, " = ");
            rx_chain_print_load(&p, s, out);
            rx_text_add(out, ";\n");
        } else if (sums && s->op == RX_STEP_STATS && p.style == RX_CALL_LAUNCH) {
            rx_text_printf(out, "%*srx_moments %s_own = {};\n", p.indent, "", to);
        } else if (sums && s->op == RX_STEP_STATS) {
            rx_text_printf(out, "%*sstruct rx_moments %s_own = {0};\n", p.indent, "", to);
        } else if (sums && s->op == RX_STEP_SUMS) {
            rx_text_printf(out, "%*srx_v %s_a = rx_zero(), %s_ab = rx_zero();\n", p.indent, "", to,
                           to);
        }
    }
    return wrong;
}

// Moments go to the partials.
static void
print_moments(const struct rx_chain_printer *p, int operand, const char *lanes, struct rx_text *out)
{
    char pitch[RX_NAME_CHARS + 8];
    const char *name = rx_render_operand_name(p->problem, operand);
    rx_render_pitch_name(p->problem, operand, pitch, sizeof pitch);
    rx_text_printf(out, "%*srx_moments_merge_f64(%s + %s, %s, &", p->indent, "", name, p->channel,
                   pitch);
    rx_chain_print_sum(p, operand, "own", out);
    rx_text_printf(out, ", %s);\n", lanes);
}

// Sums go to the partials.
static void
print_merge(const struct rx_chain_printer *p, int operand, const char *lanes, struct rx_text *out)
{
    char pitch[RX_NAME_CHARS + 8];
    const char *name = rx_render_operand_name(p->problem, operand);
    rx_render_pitch_name(p->problem, operand, pitch, sizeof pitch);
    rx_text_printf(out, "%*srx_sum_f64(%s + %s, ", p->indent, "", name, p->channel);
    rx_chain_print_sum(p, operand, "a", out);
    rx_text_printf(out, ", %s);\n", lanes);
    rx_text_printf(out, "%*srx_sum_f64(%s + %s + %s, ", p->indent, "", name, pitch, p->channel);
    rx_chain_print_sum(p, operand, "ab", out);
    rx_text_printf(out, ", %s);\n", lanes);
}

// A block's threads add up what each has: the rows of threads in their order, into the block's
// part.
static void
print_block_sum(const struct rx_chain_printer *p, int operand, int row, const char *what,
                struct rx_text *out)
{
    char pitch[RX_NAME_CHARS + 8];
    const struct rx_operand *o = &p->problem->operand[operand];
    const char *name = rx_render_operand_name(p->problem, operand);
    const int moments = o->rows == RX_STATS_ROWS;
    rx_render_pitch_name(p->problem, operand, pitch, sizeof pitch);
    const char *const calls[2][2] = {
        {"rx_block_sum<ROWS, WIDTH>(", "rx_block_moments<ROWS, WIDTH>("},
        {"rx_block_kept_sum<ROWS, WIDTH>(", "rx_block_kept<ROWS, WIDTH>("}};
    const char *call = calls[p->kept][moments];
    rx_text_printf(out, "%*s%s%s + (blockIdx.x * %d + %d) * %s + %s,\n%*s", p->indent, "", call,
                   name, o->rows, row, pitch, p->channel, p->indent + (int)strlen(call), "");
    if (moments)
        rx_text_printf(out, "%s, ", pitch);
    rx_text_add(out, "shared, ");
    rx_chain_print_sum(p, operand, what, out);
    rx_text_printf(out, ", row, column, %s);\n", p->lanes);
}

static const char *
print_block_sums(const struct rx_chain_printer *p, struct rx_text *out)
{
    for (int i = 0; i < p->chain->n; i++) {
        const struct rx_step *s = &p->chain->step[i];
        if ((s->op == RX_STEP_STATS || s->op == RX_STEP_SUMS) && !p->lanes)
            return "lanes= is missing";
        if (s->op == RX_STEP_STATS) {
            print_block_sum(p, s->operand, 0, p->kept ? "kept" : "own", out);
        } else if (s->op == RX_STEP_SUMS) {
            print_block_sum(p, s->operand, RX_SUMS_A, p->kept ? "a_kept" : "a", out);
            print_block_sum(p, s->operand, RX_SUMS_AB, p->kept ? "ab_kept" : "ab", out);
        }
    }
    return NULL;
}

const char *
rx_slot_epilogue_end(const struct rx_kernel *kernel, const struct rx_slot *slot,
                     struct rx_text *out)
{
    struct rx_chain_printer p;
    const char *wrong = open_epilogue(&p, kernel, slot);
    if (!wrong && p.style == RX_CALL_LAUNCH)
        return print_block_sums(&p, out);
    const char *lanes = p.tail ? p.lanes : "RX_LANES";
    for (int i = 0; !wrong && i < p.chain->n; i++) {
        const struct rx_step *s = &p.chain->step[i];
        if (s->op != RX_STEP_STATS && s->op != RX_STEP_SUMS)
            continue;
        if (s->op == RX_STEP_STATS)
            print_moments(&p, s->operand, lanes, out);
        else
            print_merge(&p, s->operand, lanes, out);
    }
    return wrong;
}
