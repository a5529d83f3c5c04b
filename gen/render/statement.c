// Steps of a chain as statements. Parts of lines that would be too long get a name.
#include <string.h>

#include "gen/render/expression.h"
#include "gen/render/names.h"
#include "gen/render/tidy.h"

// Characters of "const rx_v e12 = ;" around an expression.
enum { AROUND = 19 };
enum { INDENT = 4 };

static size_t
length_of(const struct rx_chain_printer *p, int value)
{
    struct rx_text text = {0};
    rx_chain_print_expression(p, value, &text);
    const size_t n = text.n;
    rx_text_close(&text);
    return n;
}

// The longest part of an expression that has no name yet and fits into a line of its own; *longest
// has its length so far.
static int
part_that_fits(const struct rx_chain_printer *p, int value, size_t *longest)
{
    const struct rx_step *s = &p->chain->step[value];
    const int part[] = {s->a, s->b};
    int found = -1;
    for (int i = 0; i < 2; i++) {
        const int v = part[i] < 0 ? -1 : rx_chain_resolve(p, part[i]);
        if (v < 0 || p->named[v])
            continue;
        const size_t n = length_of(p, v);
        if (n > *longest && p->indent + AROUND + (int)n <= RX_COLUMNS) {
            *longest = n;
            found = v;
        }
        const int deeper = part_that_fits(p, v, longest);
        found = deeper >= 0 ? deeper : found;
    }
    return found;
}

// Appends a line; 0 where it is too long and a part of it got a name, so that all must be printed
// again.
static int
add_line(struct rx_chain_printer *p, int value, const struct rx_text *line)
{
    if (p->indent + (int)line->n > RX_COLUMNS) {
        size_t longest = 0;
        const int part = part_that_fits(p, value, &longest);
        if (part >= 0) {
            p->named[part] = 1;
            return 0;
        }
    }
    rx_text_printf(p->out, "%*s%s\n", p->indent, "", rx_text_str(line));
    return 1;
}

static void
print_statement(const struct rx_chain_printer *p, int value, struct rx_text *line)
{
    const struct rx_step *s = &p->chain->step[value];
    if (s->op == RX_STEP_STORE) {
        if (p->named[value]) {
            rx_text_add(line, "const rx_v ");
            rx_chain_print_name(p, value, line);
            rx_text_add(line, " = ");
        }
        const char *type = rx_chain_type_suffix(p, s->operand);
        rx_text_printf(line, "rx_store%s%s(", type, p->tail ? "_n" : "");
        rx_chain_print_address(p, s->operand, line);
        rx_text_add(line, ", ");
        rx_chain_print_value(p, s->a, line);
        rx_text_printf(line, p->tail ? ", %s);" : ");", p->lanes);
    } else if (s->op == RX_STEP_STATS) {
        rx_text_add(line, p->style == RX_CALL_LAUNCH ? "rx_moments_add(" : "rx_moments_add(&");
        rx_chain_print_sum(p, s->operand, "own", line);
        rx_text_add(line, ", ");
        rx_chain_print_value(p, s->a, line);
        rx_text_add(line, ");");
    } else {
        rx_text_add(line, "const rx_v ");
        rx_chain_print_name(p, value, line);
        rx_text_add(line, " = ");
        rx_chain_print_expression(p, value, line);
        rx_text_add(line, ";");
    }
}

static int
print_line(struct rx_chain_printer *p, int value)
{
    struct rx_text line = {0};
    const int guarded = p->once && p->chain->step[value].op == RX_STEP_STORE;
    if (guarded)
        rx_text_printf(p->out, "%*sif (%s)\n", p->indent, "", p->once);
    p->indent += guarded ? INDENT : 0;
    print_statement(p, value, &line);
    const int done = add_line(p, value, &line);
    p->indent -= guarded ? INDENT : 0;
    rx_text_close(&line);
    return done;
}

// Two lines: the sum, and the sum of products.
static int
print_sums(struct rx_chain_printer *p, const struct rx_step *s, int value)
{
    struct rx_text line = {0};
    rx_chain_print_sum(p, s->operand, "a", &line);
    rx_text_add(&line, " += ");
    rx_chain_print_value(p, s->a, &line);
    rx_text_add(&line, ";");
    int done = add_line(p, value, &line);
    rx_text_clear(&line);
    rx_chain_print_sum(p, s->operand, "ab", &line);
    rx_text_add(&line, " += ");
    rx_chain_print_factor(p, s->a, &line);
    rx_text_add(&line, " * ");
    rx_chain_print_factor(p, s->b, &line);
    rx_text_add(&line, ";");
    done = done && add_line(p, value, &line);
    rx_text_close(&line);
    return done;
}

// Whether the value needs no statement of its own although it has a name.
static int
is_given(const struct rx_chain_printer *p, int value)
{
    const enum rx_step_op op = p->chain->step[value].op;
    return (op == RX_STEP_ACC && p->acc) || (op == RX_STEP_COEF && p->held);
}

// Prints all statements; 0 where a line was too long.
static int
print_steps(struct rx_chain_printer *p)
{
    for (int i = 0; i < p->chain->n; i++) {
        const struct rx_step *s = &p->chain->step[i];
        const int writes = s->op == RX_STEP_STORE || s->op == RX_STEP_STATS;
        if ((writes || (p->named[i] && !is_given(p, i))) && !print_line(p, i))
            return 0;
        if (s->op == RX_STEP_SUMS && !print_sums(p, s, i))
            return 0;
    }
    return 1;
}

// Values that are used more than once have names, and so has what a rounding store leaves.
static int
needs_name(const struct rx_chain_printer *p, int value, int result)
{
    const enum rx_step_op op = p->chain->step[value].op;
    if (op == RX_STEP_STATS || op == RX_STEP_SUMS)
        return 0;
    const int often = op == RX_STEP_STORE ? 0 : 1;
    return value == result || rx_chain_uses(p, value) > often || is_given(p, value);
}

static void
take_back(struct rx_text *text, size_t n)
{
    if (text->n > n) {
        text->n = n;
        text->s[n] = '\0';
    }
}

void
rx_chain_print(struct rx_chain_printer *p, struct rx_text *out)
{
    const int result = p->into ? rx_chain_resolve(p, p->chain->result) : -1;
    for (int i = 0; i < p->chain->n; i++)
        p->named[i] = needs_name(p, i, result);
    const size_t start = out->n;
    p->out = out;
    while (!print_steps(p))
        take_back(out, start);
}
