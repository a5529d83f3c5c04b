// A problem's formula for people: what a stranger reads in a kernel's banner.
#include <stdio.h>
#include <string.h>

#include "gen/select/problem.h"

enum { INDEX_CHARS = 96 };

// How a chain's steps are written: the pixel's index without brackets, the channel's name.
struct view {
    const struct rx_problem *problem;
    const struct rx_chain *chain;
    char pixel[INDEX_CHARS];  // "n,oh,ow"
    char channel[8];          // "k"
    const char *acc;          // what ACC is called
    char prefix;              // of named values: a, b in prologues, e in the epilogue
};

static const char *
row_name(const struct rx_operand *o, int row)
{
    static const char *const coef[] = {"scale", "shift", "mean", "invstd"};
    static const char *const grad[] = {"a", "b", "c"};
    return o->rows == RX_GRAD_COEF_ROWS ? grad[row] : coef[row];
}

static int
rounds(const struct view *v, const struct rx_step *s)
{
    return s->op == RX_STEP_STORE && v->problem->operand[s->operand].dtype == RX_BF16;
}

// The value that a step reads: STORE hands its own on, unless it rounds it.
static int
read_value(const struct view *v, int value)
{
    while (value >= 0 && v->chain->step[value].op == RX_STEP_STORE &&
           !rounds(v, &v->chain->step[value]))
        value = v->chain->step[value].a;
    return value;
}

// How often a line reads a value.
static int
uses(const struct view *v, int value)
{
    int n = 0;
    for (int i = 0; i < v->chain->n; i++)
        n += (read_value(v, v->chain->step[i].a) == value) +
             (read_value(v, v->chain->step[i].b) == value);
    return n;
}

static int
is_leaf(enum rx_step_op op)
{
    return op == RX_STEP_ACC || op == RX_STEP_LOAD || op == RX_STEP_COEF;
}

static void
print_value(const struct view *v, int value, int named, struct rx_text *text);

static void
print_leaf(const struct view *v, const struct rx_step *s, struct rx_text *text)
{
    if (s->op == RX_STEP_ACC) {
        rx_text_add(text, v->acc);
        return;
    }
    const struct rx_operand *o = &v->problem->operand[s->operand];
    if (s->op == RX_STEP_LOAD)
        rx_text_printf(text, "%s[%s,%s]", o->name, v->pixel, v->channel);
    else if (o->kind == RX_OPERAND_COEF)
        rx_text_printf(text, "%s.%s[%s]", o->name, row_name(o, s->row), v->channel);
    else
        rx_text_printf(text, "%s[%s]", o->name, v->channel);
}

static void
print_factor(const struct view *v, int value, struct rx_text *text)
{
    const enum rx_step_op op = v->chain->step[read_value(v, value)].op;
    const int sum =
        (op == RX_STEP_ADD || op == RX_STEP_SUB) && !(uses(v, read_value(v, value)) > 1);
    rx_text_add(text, sum ? "(" : "");
    print_value(v, value, 1, text);
    rx_text_add(text, sum ? ")" : "");
}

// Values that are used more than once have a line of their own; `named` says to use its name.
static void
print_value(const struct view *v, int value, int named, struct rx_text *text)
{
    value = read_value(v, value);
    const struct rx_step *s = &v->chain->step[value];
    if (s->op == RX_STEP_STORE) {
        rx_text_printf(text, "%s[%s,%s]", v->problem->operand[s->operand].name, v->pixel,
                       v->channel);
        return;
    }
    if (is_leaf(s->op)) {
        print_leaf(v, s, text);
        return;
    }
    if (named && uses(v, value) > 1) {
        rx_text_printf(text, "%c%d", v->prefix, value);
        return;
    }
    switch (s->op) {
    case RX_STEP_ADD:
        print_value(v, s->a, 1, text);
        rx_text_add(text, " + ");
        print_value(v, s->b, 1, text);
        break;
    case RX_STEP_SUB:
        print_value(v, s->a, 1, text);
        rx_text_add(text, " - ");
        print_factor(v, s->b, text);
        break;
    case RX_STEP_MUL:
        print_factor(v, s->a, text);
        rx_text_add(text, " * ");
        print_factor(v, s->b, text);
        break;
    case RX_STEP_RELU:
        rx_text_add(text, "relu(");
        print_value(v, s->a, 1, text);
        rx_text_add(text, ")");
        break;
    case RX_STEP_MASK:
        rx_text_add(text, "(");
        print_value(v, s->b, 1, text);
        rx_text_add(text, " > 0 ? ");
        print_value(v, s->a, 1, text);
        rx_text_add(text, " : 0)");
        break;
    default:
        break;
    }
}

// The chain's named values and what it writes, a line each.
static void
print_lines(const struct view *v, struct rx_text *text)
{
    for (int i = 0; i < v->chain->n; i++) {
        const struct rx_step *s = &v->chain->step[i];
        const char *to = s->operand >= 0 ? v->problem->operand[s->operand].name : "";
        if (s->op == RX_STEP_STORE) {
            rx_text_printf(text, "%s[%s,%s] = %s", to, v->pixel, v->channel,
                           rounds(v, s) ? "bf16(" : "");
            print_value(v, s->a, 1, text);
            rx_text_add(text, rounds(v, s) ? ")\n" : "\n");
        } else if (s->op == RX_STEP_STATS) {
            rx_text_printf(text, "%s[%s] = {count, mean, M2} over %s of ", to, v->channel,
                           v->pixel);
            print_value(v, s->a, 1, text);
            rx_text_add(text, "\n");
        } else if (s->op == RX_STEP_SUMS) {
            rx_text_printf(text, "%s[%s] = sums over %s of {", to, v->channel, v->pixel);
            print_value(v, s->a, 1, text);
            rx_text_add(text, ", ");
            print_factor(v, s->a, text);
            rx_text_add(text, " * ");
            print_factor(v, s->b, text);
            rx_text_add(text, "}\n");
        } else if (!is_leaf(s->op) && uses(v, i) > 1) {
            rx_text_printf(text, "%c%d = ", v->prefix, i);
            print_value(v, i, 0, text);
            rx_text_add(text, "\n");
        }
    }
}

// The index of a tap: "h", "h+r-1", "2*oh+r-3".
static void
print_tap(char *to, size_t n, const char *name, const char *tap, const struct rx_geometry *g,
          int taps)
{
    char step[16] = "", offset[16] = "";
    if (g->stride > 1)
        snprintf(step, sizeof step, "%d*", g->stride);
    if (g->pad > 0)
        snprintf(offset, sizeof offset, "-%d", g->pad);
    snprintf(to, n, "%s%s%s%s%s", step, name, taps > 1 ? "+" : "", taps > 1 ? tap : "", offset);
}

static void
set_view(struct view *v, const struct rx_problem *p, const struct rx_chain *chain,
         enum rx_domain domain)
{
    *v = (struct view){.problem = p, .chain = chain, .acc = "acc", .prefix = 'e'};
    if (chain != &p->epilogue)
        v->prefix = chain == &p->prologue[0] ? 'a' : 'b';
    const int in = domain == RX_DOMAIN_IN, one = !in && p->geometry.oh * p->geometry.ow == 1;
    snprintf(v->pixel, sizeof v->pixel, "%s", in ? "n,h,w" : one ? "n,0,0" : "n,oh,ow");
    const int channels = p->geometry.c != p->geometry.k || p->op <= RX_PROBLEM_CONV_WGRAD;
    snprintf(v->channel, sizeof v->channel, "%s", in || !channels ? "c" : "k");
}

// Writes what the anchor reads through a prologue at the given index: the load itself, or, where
// the chain does more, its name, which a line before defines.
static void
print_read(const struct rx_problem *p, int prologue, const char *name, const char *index,
           struct rx_text *text)
{
    const struct rx_chain *chain = &p->prologue[prologue];
    const struct rx_step *result = &chain->step[chain->result];
    const int loads = chain->n == 1 && result->op == RX_STEP_LOAD;
    if (loads)
        name = p->operand[result->operand].name;
    const int rounds =
        p->products == RX_BF16 && !(loads && p->operand[result->operand].dtype == RX_BF16);
    rx_text_printf(text, rounds ? "bf16(%s[%s])" : "%s[%s]", name, index);
}

static void
print_prologue(const struct rx_problem *p, int prologue, const char *name, struct rx_text *text)
{
    const struct rx_chain *chain = &p->prologue[prologue];
    if (chain->n <= 1)
        return;
    struct view v;
    set_view(&v, p, chain, rx_problem_prologue_domain(p->op, prologue));
    print_lines(&v, text);
    rx_text_printf(text, "%s[%s,%s] = ", name, v.pixel, v.channel);
    print_value(&v, chain->result, 1, text);
    rx_text_add(text, "\n");
}

// The channel index of the input that output channel k reads as its c-th: "c" or "4*(k/4)+c".
static void
print_group(char *to, size_t n, const char *by, int out, int in, int groups)
{
    if (groups == 1)
        snprintf(to, n, "%s", by[0] == 'k' ? "c" : "k");
    else
        snprintf(to, n, "%d*(%s/%d)+%s", in / groups, by, out / groups, by[0] == 'k' ? "c" : "k");
}

static void
print_conv(const struct rx_problem *p, struct rx_text *text)
{
    const struct rx_geometry *g = &p->geometry;
    const int taps = g->r * g->s > 1;
    char ih[32], iw[32], channel[32], index[INDEX_CHARS + 16];
    print_tap(ih, sizeof ih, "oh", "r", g, g->r);
    print_tap(iw, sizeof iw, "ow", "s", g, g->s);
    if (p->op == RX_PROBLEM_CONV_FWD) {
        print_group(channel, sizeof channel, "k", g->k, g->c, g->groups);
        snprintf(index, sizeof index, "n,%s,%s,%s", ih, iw, channel);
        rx_text_add(text, taps ? "sum_{r,s,c} " : "sum_c ");
        print_read(p, 0, "x", index, text);
        rx_text_add(text, taps ? " * w[k,c,r,s]" : " * w[k,c]");
    } else if (p->op == RX_PROBLEM_CONV_DGRAD) {
        print_group(channel, sizeof channel, "c", g->c, g->k, g->groups);
        snprintf(index, sizeof index, "n,oh,ow,%s", channel);
        rx_text_add(text, taps ? "sum_{oh,ow,r,s,k: " : "sum_{oh,ow,k: ");
        rx_text_printf(text, "%s = h, %s = w} ", ih, iw);
        print_read(p, 0, "x", index, text);
        rx_text_add(text, taps ? " * w[k,c,r,s]" : " * w[k,c]");
    } else {
        print_group(channel, sizeof channel, "k", g->k, g->c, g->groups);
        snprintf(index, sizeof index, "n,%s,%s,%s", ih, iw, channel);
        rx_text_add(text, "sum_{n,oh,ow} ");
        print_read(p, 0, "x", index, text);
        rx_text_add(text, " * ");
        print_read(p, 1, "u", "n,oh,ow,k", text);
    }
}

static void
print_anchor(const struct rx_problem *p, struct rx_text *text)
{
    const struct rx_geometry *g = &p->geometry;
    char ih[32], iw[32], index[INDEX_CHARS];
    print_tap(ih, sizeof ih, "oh", "r", g, g->r);
    print_tap(iw, sizeof iw, "ow", "s", g, g->s);
    switch (p->op) {
    case RX_PROBLEM_MAXPOOL:
        snprintf(index, sizeof index, "n,%s,%s,c", ih, iw);
        rx_text_add(text, "max_{r,s} ");
        print_read(p, 0, "x", index, text);
        break;
    case RX_PROBLEM_MAXPOOL_GRAD:
        rx_text_printf(text, "sum_{oh,ow: winner[n,oh,ow,c] is tap (r,s), %s = h, %s = w} ", ih,
                       iw);
        print_read(p, 0, "x", "n,oh,ow,c", text);
        break;
    case RX_PROBLEM_GAP:
        rx_text_printf(text, "1/%d * sum_{h,w} ", g->h * g->w);
        print_read(p, 0, "x", "n,h,w,c", text);
        break;
    case RX_PROBLEM_GAP_GRAD:
        rx_text_printf(text, "1/%d * ", g->h * g->w);
        print_read(p, 0, "x", "n,0,0,c", text);
        break;
    case RX_PROBLEM_MAP:
        print_read(p, 0, "x", "n,h,w,c", text);
        break;
    default:
        print_conv(p, text);
        break;
    }
}

static void
print_chained(const struct rx_problem *p, struct rx_text *text)
{
    print_prologue(p, 0, "x", text);
    print_prologue(p, 1, "u", text);
    if (rx_problem_epilogue_domain(p->op) == RX_DOMAIN_NONE) {
        rx_text_add(text, p->geometry.r * p->geometry.s > 1 ? "dw[k,c,r,s] = " : "dw[k,c] = ");
        print_anchor(p, text);
        rx_text_add(text, "\n");
        return;
    }
    struct view v;
    set_view(&v, p, &p->epilogue, rx_problem_epilogue_domain(p->op));
    rx_text_printf(text, "acc = ");
    print_anchor(p, text);
    rx_text_add(text, "\n");
    if (rx_problem_find(p, RX_OPERAND_INDEX, 0) >= 0 && p->op == RX_PROBLEM_MAXPOOL)
        rx_text_add(text, "winner[n,oh,ow,c] = r*S+s of the first maximum\n");
    print_lines(&v, text);
}

static void
print_sgd(struct rx_text *text)
{
    rx_text_add(text, "g = gradient + wd * weights\n"
                      "momentum = first step ? g : m * momentum + g\n"
                      "weights -= lr * (nesterov ? g + m * momentum : momentum)\n");
}

void
rx_problem_print_formula(const struct rx_problem *p, struct rx_text *text)
{
    switch (p->op) {
    case RX_PROBLEM_LOSS:
        rx_text_add(text, "q[n,k] = softmax over k of logits[n,k], e = label smoothing\n"
                          "loss[n] = -(1-e) * log q[n,labels[n]] - e/K * sum_k log q[n,k]\n"
                          "dlogits[n,k] = (q[n,k] - (1-e) * (k == labels[n]) - e/K) / N\n");
        break;
    case RX_PROBLEM_BN_COEF:
        rx_text_add(text, "{count, mean, M2} = all threads' stats, var = M2 / count\n"
                          "coef = {scale, shift, mean, invstd}: invstd = 1/sqrt(var + 1e-5),\n"
                          "    scale = gamma * invstd, shift = beta - mean * scale\n"
                          "running_mean += m * (mean - running_mean)\n"
                          "running_var += m * (M2 / (count - 1) - running_var)\n");
        break;
    case RX_PROBLEM_BN_FOLD:
        rx_text_add(text, "coef = {scale, shift, mean, invstd} of the running statistics:\n"
                          "    invstd = 1/sqrt(running_var + 1e-5), scale = gamma * invstd,\n"
                          "    shift = beta - running_mean * scale\n");
        break;
    case RX_PROBLEM_BN_GRAD_COEF:
        rx_text_add(text, "{S, T} = all threads' sums {sum dz, sum dz * (y - mean)}, M = N*H*W\n"
                          "dgamma = T * invstd, dbeta = S\n"
                          "grad_coef = {a, b, c} of dy = a*dz + b*(y - mean) + c:\n"
                          "    a = gamma * invstd, b = -a * invstd^2 * T/M, c = -a * S/M\n");
        break;
    case RX_PROBLEM_TRANSPOSE:
        rx_text_add(text, "wt = w with inputs and outputs exchanged, for the data gradient\n");
        break;
    case RX_PROBLEM_PACK:
        rx_text_add(text, "wp = bf16(w), two neighbouring inputs of an output side by side\n");
        break;
    case RX_PROBLEM_REDUCE:
        rx_text_add(text, "dw[i] = sum over threads, in their order, of parts[thread][i]\n");
        break;
    case RX_PROBLEM_BIAS_GRAD:
        rx_text_add(text, "db[k] = sum_n dy[n,0,0,k]\n");
        break;
    case RX_PROBLEM_UPDATE:
        rx_text_add(text, "gradient[i] = sum over threads, in their order, of parts[thread][i]\n");
        print_sgd(text);
        break;
    case RX_PROBLEM_SGD:
        print_sgd(text);
        break;
    default:
        print_chained(p, text);
        break;
    }
}
