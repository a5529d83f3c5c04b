// The banner answers a stranger's questions before the code does.
#include "gen/render/banner.h"

#include <string.h>

#include "gen/render/names.h"
#include "gen/render/tidy.h"
#include "gen/select/name.h"

static void
print_field(const char *name, const char *words, struct rx_text *out)
{
    struct rx_text first = {0};
    rx_text_printf(&first, "//   %-9s ", name);
    rx_tidy_comment(rx_text_str(&first), "//             ", words, out);
    rx_text_close(&first);
}

// Each line of the formula, its own indentation kept.
static void
print_formula(const struct rx_problem *p, struct rx_text *out)
{
    struct rx_text formula = {0}, line = {0};
    rx_problem_print_formula(p, &formula);
    for (const char *at = rx_text_str(&formula); *at;) {
        const char *end = strchrnul(at, '\n');
        const size_t indent = strspn(at, " ");
        rx_text_clear(&line);
        rx_text_add_bytes(&line, at + indent, (size_t)(end - at) - indent);
        rx_tidy_comment(indent ? "//       " : "//   ", "//       ", rx_text_str(&line), out);
        at = end + (*end == '\n');
    }
    rx_text_close(&line);
    rx_text_close(&formula);
}

static void
print_shapes(const struct rx_problem *p, struct rx_text *out)
{
    const struct rx_geometry *g = &p->geometry;
    struct rx_text text = {0};
    for (int i = 0; i < p->n_operands; i++) {
        const struct rx_operand *o = &p->operand[i];
        const int in = o->domain == RX_DOMAIN_IN;
        rx_text_printf(&text, "%s%s=", i ? " " : "", rx_render_operand_name(p, i));
        if (o->kind == RX_OPERAND_MAP)
            rx_text_printf(&text, "Nx%dx%dx%lld", in ? g->h : g->oh, in ? g->w : g->ow,
                           (long long)o->c);
        else if (o->kind == RX_OPERAND_WEIGHTS || o->kind == RX_OPERAND_WEIGHTS_DGRAD ||
                 (o->kind == RX_OPERAND_WEIGHTS_PARTIAL && g->groups > 0))
            rx_text_printf(&text, "%dx%dx%dx%d", g->k, g->c / g->groups, g->r, g->s);
        else if (o->kind == RX_OPERAND_COEF || o->kind == RX_OPERAND_PARTIAL)
            rx_text_printf(&text, "%dx%lld", o->rows, (long long)o->c);
        else if (o->kind == RX_OPERAND_INDEX)
            rx_text_printf(&text, "Nx%dx%dx%lld", g->oh, g->ow, (long long)o->c);
        else if (o->kind == RX_OPERAND_LABELS || o->kind == RX_OPERAND_LOSS)
            rx_text_add(&text, "N");
        else
            rx_text_printf(&text, "%lld", (long long)o->c);
    }
    print_field("shapes", rx_text_str(&text), out);
    rx_text_close(&text);
}

static void
print_amount(double amount, const char *unit, struct rx_text *out)
{
    static const char *const prefix[] = {"", "k", "M", "G", "T"};
    int i = 0;
    for (; amount >= 1000 && i < 4; i++)
        amount /= 1000;
    rx_text_printf(out, "%.3g %s%s", amount, prefix[i], unit);
}

static void
print_work_part(double flops, double bytes, const char *what, struct rx_text *out)
{
    if (flops <= 0 && bytes <= 0)
        return;
    rx_text_printf(out, "%s%s ", out->n > 0 ? "; " : "", what);
    print_amount(flops, "FLOP", out);
    rx_text_add(out, ", ");
    print_amount(bytes, "B moved", out);
    if (flops > 0 && bytes > 0)
        rx_text_printf(out, ", %.1f FLOP/byte", flops / bytes);
}

static void
print_work(const struct rx_kernel *k, struct rx_text *out)
{
    struct rx_text text = {0};
    print_work_part(k->flops_image, k->bytes_image, "per image", &text);
    print_work_part(k->flops_fixed, k->bytes_fixed, "fixed", &text);
    print_field("work", rx_text_str(&text), out);
    rx_text_close(&text);
}

static void
print_units(const struct rx_kernel *k, struct rx_text *text)
{
    struct rx_text count = {0};
    if (k->task_image > 0)
        rx_text_printf(&count, k->task_image > 1 ? "N * %lld" : "N", (long long)k->task_image);
    if (k->task_fixed > 0)
        rx_text_printf(&count, "%s%lld", count.n ? " + " : "", (long long)k->task_fixed);
    if (k->task_divisor > 1)
        rx_text_printf(text, "ceil(%s / %lld)", rx_text_str(&count), (long long)k->task_divisor);
    else
        rx_text_add(text, rx_text_str(&count));
    rx_text_close(&count);
}

static void
print_launch(const struct rx_kernel *k, struct rx_text *out)
{
    struct rx_text text = {0};
    rx_text_add(&text, "grid ");
    if (k->parts > 0)
        rx_text_add(&text, "parts");
    else
        print_units(k, &text);
    if (k->columns > 1)
        rx_text_printf(&text, " x %d", k->columns);
    rx_text_printf(&text, ", block %d", k->block);
    print_field("launch", rx_text_str(&text), out);
    rx_text_close(&text);
}

static void
print_tasks(const struct rx_kernel *k, struct rx_text *out)
{
    struct rx_text text = {0};
    print_units(k, &text);
    if (k->columns > 1)
        rx_text_printf(&text, " of 1 to %d parts", k->columns);
    rx_text_printf(&text, ", %lld bytes of scratch a thread", (long long)k->scratch_bytes);
    print_field("tasks", rx_text_str(&text), out);
    rx_text_close(&text);
}

void
rx_render_banner(const struct rx_machine *machine, const struct rx_kernel *k,
                 const struct rx_banner *banner, struct rx_text *out)
{
    struct rx_text words = {0};
    rx_text_printf(out, "// %s\n//\n// Generated by rxgen " RX_VERSION " -- do not edit.\n",
                   k->name);
    rx_text_printf(&words, "%s   nodes %s", banner->model, banner->nodes);
    print_field("model", rx_text_str(&words), out);
    rx_text_clear(&words);
    const struct rx_language *l = k->language;
    rx_text_printf(&words, "templates/%s/%s%s, tile_%s%s   %.8s", l->folder, k->config.skeleton,
                   l->suffix, rx_kernel_tile_header(machine, &k->config), l->header_suffix,
                   k->hash);
    print_field("template", rx_text_str(&words), out);
    print_field("target", banner->toolchain, out);
    print_field("remake", banner->remake, out);
    rx_text_add(out, "//\n");
    print_formula(k->problem, out);
    rx_text_add(out, "//\n");
    print_shapes(k->problem, out);
    print_work(k, out);
    if (l->style == RX_CALL_LAUNCH)
        print_launch(k, out);
    else
        print_tasks(k, out);
    print_field("chosen", k->why, out);
    rx_text_close(&words);
}
