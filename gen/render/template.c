// Expands a template, line by line.
#include "gen/render/template.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "gen/render/parts.h"
#include "gen/render/tidy.h"
#include "runtime/base/memory.h"

enum { NEST_MAX = 16, CONSTANTS_MARK = '\1', TILE_MARK = '\2' };

// An open //@ if.
struct branch {
    int line;
    int keep;      // this side is kept
    int any_else;  // its //@ else was seen
};

struct expansion {
    const char *file;
    int line;
    const struct rx_template_names *names;
    struct rx_error *error;
    struct branch branch[NEST_MAX];
    int depth;
    char block[32];  // the slot or constants whose sample lines are being skipped; "" outside
    int block_line;
    int has_constants;
    struct rx_text constants, body;
};

static int
fault(struct expansion *e, const char *what, const char *name)
{
    return rx_error_refused(e->error, "%s:%d: internal error in the template: %s%s%s", e->file,
                            e->line, what, *name ? ": " : "", name);
}

const char *
rx_slot_value(const struct rx_slot *slot, const char *key)
{
    for (int i = 0; i < slot->n; i++)
        if (strcmp(slot->key[i], key) == 0)
            return slot->value[i];
    return NULL;
}

static int
dropping(const struct expansion *e)
{
    for (int i = 0; i < e->depth; i++)
        if (!e->branch[i].keep)
            return 1;
    return 0;
}

static void
copy_text(char *to, size_t size, const char *from, size_t n)
{
    n = n < size - 1 ? n : size - 1;
    memcpy(to, from, n);
    to[n] = '\0';
}

// "FLAG" or "not FLAG"; *value becomes 1 or 0.
static int
eval_flag(struct expansion *e, const char *text, int *value)
{
    const int negated = strncmp(text, "not ", 4) == 0;
    char name[64];
    text += negated ? 4 : 0;
    copy_text(name, sizeof name, text, strcspn(text, " "));
    const int flag = e->names->flag(e->names->context, name);
    if (flag < 0)
        return fault(e, "unknown flag", name);
    *value = negated ? !flag : flag;
    return RX_OK;
}

// The end of an argument's value: at a blank, or behind the parenthesis that closes it.
static const char *
value_end(const char *at)
{
    int depth = 0;
    for (; *at && (depth > 0 || *at != ' '); at++)
        depth += (*at == '(') - (*at == ')');
    return at;
}

static int
add_argument(struct expansion *e, struct rx_slot *slot, const char *word, const char *end)
{
    const char *equals = memchr(word, '=', (size_t)(end - word));
    if (!equals || slot->n == RX_SLOT_ARGS_MAX)
        return fault(e, "not KEY=VALUE", word);
    const char *value = equals + 1;
    const int wrapped = *value == '(' && end[-1] == ')' && strchr(value, ' ');
    copy_text(slot->key[slot->n], sizeof slot->key[0], word, (size_t)(equals - word));
    copy_text(slot->value[slot->n], sizeof slot->value[0], value + wrapped,
              (size_t)(end - value) - 2 * (size_t)wrapped);
    slot->n++;
    return RX_OK;
}

static int
parse_slot(struct expansion *e, const char *text, int indent, struct rx_slot *slot)
{
    *slot = (struct rx_slot){.index = -1, .indent = indent};
    const size_t n = strcspn(text, " ");
    copy_text(slot->name, sizeof slot->name, text, n);
    text += n;
    for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
        const char *end = value_end(text);
        if (isdigit((unsigned char)*text))
            slot->index = atoi(text);
        else if (add_argument(e, slot, text, end) != RX_OK)
            return e->error->status;
        text = end;
    }
    return RX_OK;
}

// Replaces the number of `NAME = 123` by the problem's value.
static int
print_enumerator(struct expansion *e, const char *text, size_t n)
{
    char name[64], expression[128];
    const char *equals = memchr(text, '=', n);
    if (!equals)
        return fault(e, "a constant without a value", "");
    copy_text(name, sizeof name, text, strcspn(text, " ="));
    const char *value = equals + 1 + strspn(equals + 1, " ");
    copy_text(expression, sizeof expression, value, n - (size_t)(value - text));
    char *rest;
    (void)strtol(expression, &rest, 0);
    if (*rest != '\0') {
        rx_text_printf(&e->constants, "%s = %s", name, expression);
        return RX_OK;
    }
    int64_t known;
    if (!e->names->constant(e->names->context, name, &known))
        return fault(e, "unknown constant", name);
    rx_text_printf(&e->constants, "%s = %lld", name, (long long)known);
    return RX_OK;
}

// A line of the constants block: `enum { A = 1, B = A + 1 };  // comment`.
static int
expand_constants(struct expansion *e, const char *line)
{
    if (line[strspn(line, " ")] == '\0')
        return RX_OK;
    const char *at = strchr(line, '{'), *end = strchr(line, '}');
    if (strncmp(line, "enum {", 6) != 0 || !end)
        return fault(e, "not a line `enum { NAME = VALUE };`", line);
    rx_text_add(&e->constants, "enum { ");
    for (int first = 1; at < end; first = 0) {
        at += 1 + strspn(at + 1, " ");
        size_t n = strcspn(at, ",}");
        const char *next = at + n;
        while (n > 0 && at[n - 1] == ' ')
            n--;
        rx_text_add(&e->constants, first ? "" : ", ");
        if (print_enumerator(e, at, n) != RX_OK)
            return e->error->status;
        at = next;
    }
    rx_text_printf(&e->constants, " };%s\n", strchr(end, ';') ? strchr(end, ';') + 1 : "");
    return RX_OK;
}

static int
open_block(struct expansion *e, const char *name)
{
    copy_text(e->block, sizeof e->block, name, strlen(name));
    e->block_line = e->line;
    return RX_OK;
}

static int
open_constants(struct expansion *e)
{
    if (e->has_constants)
        return fault(e, "a second constants block", "");
    e->has_constants = 1;
    rx_text_printf(&e->body, "%c\n", CONSTANTS_MARK);
    return open_block(e, "consts");
}

static int
open_branch(struct expansion *e, const char *flag)
{
    if (e->depth == NEST_MAX)
        return fault(e, "ifs nest too deep", "");
    struct branch *b = &e->branch[e->depth];
    *b = (struct branch){.line = e->line};
    if (eval_flag(e, flag, &b->keep) != RX_OK)
        return e->error->status;
    e->depth++;
    return RX_OK;
}

static int
turn_branch(struct expansion *e)
{
    struct branch *b = e->depth > 0 ? &e->branch[e->depth - 1] : NULL;
    if (!b || b->any_else)
        return fault(e, "else without if", "");
    b->any_else = 1;
    b->keep = !b->keep;
    return RX_OK;
}

static int
expand_slot(struct expansion *e, const char *text, int indent)
{
    static const char *const slots[] = {
        "operands",       "rows",           "clear",         "prologue_begin", "prologue",
        "epilogue",       "epilogue_begin", "epilogue_end",  "epilogue_sums",  "ahead_prologue",
        "ahead_epilogue", "fetch",          "epilogue_kept", "epilogue_fold",  "copy"};
    struct rx_slot slot;
    if (parse_slot(e, text, indent, &slot) != RX_OK)
        return e->error->status;
    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++) {
        if (strcmp(slot.name, slots[i]) != 0)
            continue;
        const char *wrong = dropping(e) ? NULL : e->names->slot(e->names->context, &slot, &e->body);
        return wrong ? fault(e, wrong, slot.name) : open_block(e, slot.name);
    }
    return fault(e, "unknown directive", slot.name);
}

// A line that is a directive; `text` is what follows "//@ ".
static int
expand_directive(struct expansion *e, const char *text, int indent)
{
    const size_t n = strcspn(text, " ");
    const char *argument = text + n + strspn(text + n, " ");
    if (strncmp(text, "doc", 3) == 0 && n == 3)
        return RX_OK;
    if (strcmp(text, "end") == 0) {
        if (e->depth == 0)
            return fault(e, "end without a beginning", "");
        e->depth--;
        return RX_OK;
    }
    if (strcmp(text, "else") == 0)
        return turn_branch(e);
    if (n == 2 && strncmp(text, "if", 2) == 0)
        return open_branch(e, argument);
    if (strcmp(text, "consts") == 0)
        return dropping(e) ? fault(e, "constants inside an if", "") : open_constants(e);
    return expand_slot(e, text, indent);
}

// Code, with RX_KERNEL replaced.
static void
print_code(struct expansion *e, const char *line, size_t n)
{
    static const char word[] = "RX_KERNEL";
    const char *end = line + n;
    while (n > 0 && end[-1] == ' ')
        end--, n--;
    for (const char *at; (at = strstr(line, word)) != NULL && at < end;
         line = at + sizeof word - 1) {
        rx_text_add_bytes(&e->body, line, (size_t)(at - line));
        rx_text_add(&e->body, e->names->kernel);
    }
    rx_text_add_bytes(&e->body, line, (size_t)(end - line));
    rx_text_add(&e->body, "\n");
}

// What keeps a formatter from the template; the expansion is tidy by itself.
static int
is_formatting(const char *line)
{
    line += strspn(line, " ");
    return strcmp(line, "// clang-format off") == 0 || strcmp(line, "// clang-format on") == 0;
}

// A line of code, perhaps with a directive behind it.
static int
expand_code(struct expansion *e, const char *line, const char *directive)
{
    if (!directive) {
        print_code(e, line, strlen(line));
        return RX_OK;
    }
    const char *text = directive + 3 + strspn(directive + 3, " ");
    if (strcmp(text, "tile") == 0) {
        if (e->names->tile_text)
            rx_text_printf(&e->body, "%c\n", TILE_MARK);
        else
            rx_text_printf(&e->body, "#include \"%s\"\n", e->names->tile);
        return RX_OK;
    }
    if (strncmp(text, "when ", 5) != 0)
        return fault(e, "unknown directive", text);
    int keep = 0;
    if (eval_flag(e, text + 5, &keep) != RX_OK)
        return e->error->status;
    if (keep)
        print_code(e, line, (size_t)(directive - line));
    return RX_OK;
}

static int
expand_line(struct expansion *e, const char *line)
{
    const size_t indent = strspn(line, " ");
    const char *directive = strstr(line, "//@");
    const int whole = directive == line + indent;
    const char *text = directive ? directive + 3 + strspn(directive + 3, " ") : "";
    if (e->block[0]) {
        if (whole && strcmp(text, "end") == 0)
            e->block[0] = '\0';
        else if (strcmp(e->block, "consts") == 0)
            return expand_constants(e, line);
        return RX_OK;
    }
    if (whole)
        return expand_directive(e, text, (int)indent);
    return dropping(e) || is_formatting(line) ? RX_OK : expand_code(e, line, directive);
}

static int
expand_lines(struct expansion *e, const char *source)
{
    struct rx_text line = {0};
    int status = RX_OK;
    for (const char *at = source; *at && status == RX_OK;) {
        const char *end = strchrnul(at, '\n');
        rx_text_clear(&line);
        rx_text_add_bytes(&line, at, (size_t)(end - at));
        e->line++;
        status = expand_line(e, rx_text_str(&line));
        at = end + (*end == '\n');
    }
    rx_text_close(&line);
    if (status == RX_OK && (e->block[0] || e->depth > 0)) {
        e->line = e->block[0] ? e->block_line : e->branch[e->depth - 1].line;
        status = fault(e, "no end", e->block[0] ? e->block : "if");
    }
    return status;
}

// Puts the tile header's parts where it was included, now that it is known which are used.
static void
join_tile(struct expansion *e)
{
    const char *body = rx_text_str(&e->body), *mark = strchr(body, TILE_MARK);
    if (!mark)
        return;
    struct rx_text whole = {0};
    rx_text_add_bytes(&whole, body, (size_t)(mark - body));
    rx_parts_select(e->names->tile_text, body, &whole);
    rx_text_add(&whole, mark + 2);
    rx_text_close(&e->body);
    e->body = whole;
}

// Puts the constants where their block was, now that it is known which are used.
static void
join(struct expansion *e, struct rx_text *out)
{
    join_tile(e);
    struct rx_text whole = {0};
    const char *body = rx_text_str(&e->body), *mark = strchr(body, CONSTANTS_MARK);
    if (mark) {
        e->names->more_constants(e->names->context, &e->constants);
        rx_text_add_bytes(&whole, body, (size_t)(mark - body));
        rx_tidy_constants(rx_text_str(&e->constants), body, &whole);
        body = mark + 2;
    }
    rx_text_add(&whole, body);
    rx_tidy_lines(rx_text_str(&whole), out);
    rx_text_close(&whole);
}

int
rx_template_expand(const char *file, const char *source, const struct rx_template_names *names,
                   struct rx_text *out, struct rx_error *error)
{
    struct expansion e = {.file = file, .names = names, .error = error};
    const int status = expand_lines(&e, source);
    if (status == RX_OK)
        join(&e, out);
    rx_text_close(&e.constants);
    rx_text_close(&e.body);
    return status;
}
