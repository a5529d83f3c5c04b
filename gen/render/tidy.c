// The last touch on rendered text; the rules are those of the repository's .clang-format.
#include "gen/render/tidy.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

static int
is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static int
has_word_n(const char *text, const char *word, size_t n)
{
    for (const char *at = text; (at = strstr(at, word)) != NULL; at += n)
        if ((at == text || !is_word(at[-1])) && !is_word(at[n]))
            return 1;
    return 0;
}

int
rx_text_has_word(const char *text, const char *word)
{
    return has_word_n(text, word, strlen(word));
}

// A line of the text being tidied.
struct line {
    const char *s;
    size_t n;
    size_t code;  // characters before the trailing comment and its blanks; n where there is none
    size_t comment;
};

static struct line
read_line(const char *at)
{
    struct line l = {.s = at, .n = (size_t)(strchrnul(at, '\n') - at)};
    while (l.n > 0 && at[l.n - 1] == ' ')
        l.n--;
    l.code = l.comment = l.n;
    for (size_t i = 0; i + 1 < l.n; i++)
        if (at[i] == '/' && at[i + 1] == '/') {
            l.code = l.comment = i;
            break;
        }
    while (l.code > 0 && l.code < l.n && at[l.code - 1] == ' ')
        l.code--;
    return l;
}

// The text without comments, so that a word in one is no use of a constant.
static void
strip_comments(const char *text, struct rx_text *out)
{
    for (const char *at = text; *at; at = strchrnul(at, '\n'), at += *at == '\n') {
        const struct line l = read_line(at);
        rx_text_add_bytes(out, l.s, l.code);
        rx_text_add(out, "\n");
    }
}

// One enumerator of a constants line.
struct constant {
    char name[64];
    const char *text;  // "A = B * 2", not NUL-terminated
    int n;
    int line;
    int used;
    int repeated;  // an earlier line has it
};

// Adds the enumerators of one `enum { ... };` line.
static int
read_enumerators(const char *line, size_t n, int number, struct constant *c, int count, int max)
{
    const char *at = memchr(line, '{', n), *end = memchr(line, '}', n);
    while (at && end && at < end && count < max) {
        at++;
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma ? comma : end;
        const char *first = at, *last = stop;
        while (first < last && *first == ' ')
            first++;
        while (last > first && last[-1] == ' ')
            last--;
        struct constant *k = &c[count++];
        *k = (struct constant){.text = first, .n = (int)(last - first), .line = number};
        for (size_t i = 0; i + 1 < sizeof k->name && is_word(first[i]); i++)
            k->name[i] = first[i];
        at = stop;
    }
    return count;
}

static void
mark_repeated(struct constant *c, int n)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++)
            c[i].repeated |= strcmp(c[i].name, c[j].name) == 0;
}

// Marks constants that the code uses, then those that marked ones use, until nothing changes.
static void
mark_used(struct constant *c, int n, const char *code)
{
    for (int i = 0; i < n; i++)
        c[i].used = rx_text_has_word(code, c[i].name);
    for (int changed = 1; changed;) {
        changed = 0;
        for (int i = 0; i < n; i++) {
            struct rx_text text = {0};
            rx_text_add_bytes(&text, c[i].text, (size_t)c[i].n);
            for (int j = 0; c[i].used && j < n; j++)
                if (!c[j].used && rx_text_has_word(rx_text_str(&text), c[j].name))
                    c[j].used = changed = 1;
            rx_text_close(&text);
        }
    }
}

static void
print_constants_line(const struct constant *c, int n, int line, const char *comment,
                     size_t comment_n, struct rx_text *out)
{
    int printed = 0;
    for (int i = 0; i < n; i++)
        if (c[i].line == line && c[i].used && !c[i].repeated)
            rx_text_printf(out, "%s%.*s", printed++ ? ", " : "enum { ", c[i].n, c[i].text);
    if (!printed)
        return;
    rx_text_add(out, " };");
    rx_text_add_bytes(out, comment, comment_n);
    rx_text_add(out, "\n");
}

void
rx_tidy_constants(const char *constants, const char *body, struct rx_text *out)
{
    enum { MAX = 128 };
    struct constant *c = rx_memory_alloc(MAX * sizeof *c);
    int n = 0, line = 0;
    for (const char *at = constants; *at; at = strchrnul(at, '\n'), at += *at == '\n')
        n = read_enumerators(at, (size_t)(strchrnul(at, '\n') - at), line++, c, n, MAX);
    struct rx_text code = {0};
    strip_comments(body, &code);
    mark_repeated(c, n);
    mark_used(c, n, rx_text_str(&code));
    rx_text_close(&code);
    line = 0;
    for (const char *at = constants; *at; at = strchrnul(at, '\n'), at += *at == '\n', line++) {
        const char *end = strchrnul(at, '\n'), *semicolon = memchr(at, ';', (size_t)(end - at));
        const char *comment = semicolon ? semicolon + 1 : end;
        print_constants_line(c, n, line, comment, (size_t)(end - comment), out);
    }
    free(c);
}

static int
has_trailing_comment(const struct line *l)
{
    return l->comment < l->n && l->code > 0;
}

static int
starts_with(const struct line *l, char c)
{
    size_t i = 0;
    while (i < l->n && l->s[i] == ' ')
        i++;
    return i < l->n && l->s[i] == c;
}

// Writes lines [first, last), whose comments share one column.
static void
print_aligned(const struct line *l, int first, int last, size_t column, struct rx_text *out)
{
    for (int i = first; i < last; i++) {
        rx_text_add_bytes(out, l[i].s, l[i].code);
        if (has_trailing_comment(&l[i])) {
            rx_text_printf(out, "%*s", (int)(column - l[i].code), "");
            rx_text_add_bytes(out, l[i].s + l[i].comment, l[i].n - l[i].comment);
        } else {
            rx_text_add_bytes(out, l[i].s + l[i].code, l[i].n - l[i].code);
        }
        rx_text_add(out, "\n");
    }
}

// Puts trailing comments of neighbouring lines into one column as long as all of them fit.
static void
align_comments(const struct line *l, int n, struct rx_text *out)
{
    for (int first = 0; first < n;) {
        size_t low = l[first].code + 2, high = RX_COLUMNS;
        int last = first;
        while (last < n && has_trailing_comment(&l[last])) {
            const size_t least = l[last].code + 2, length = l[last].n - l[last].comment;
            const size_t most = length + least > RX_COLUMNS ? least : RX_COLUMNS - length;
            if (last > first && (least > high || most < low))
                break;
            low = least > low ? least : low;
            high = most < high ? most : high;
            last++;
        }
        last += last == first;
        print_aligned(l, first, last, low, out);
        first = last;
    }
}

// Whether a blank line may stand between these two.
static int
keep_blank(const struct line *before, const struct line *after)
{
    if (before->n == 0 || after->n == 0)
        return 0;
    return before->s[before->n - 1] != '{' && !starts_with(after, '}');
}

// Breaks a function head or a call that its names pushed over the limit, after the last of its
// arguments that fits; a head whose first one does not, before all of them.
static void
print_list(const struct line *l, struct rx_text *out)
{
    const char *open = memchr(l->s, '(', l->n);
    const char *comma = l->n > RX_COLUMNS ? memrchr(l->s, ',', RX_COLUMNS) : NULL;
    const int head = l->n > RX_COLUMNS && open && l->s[0] != ' ' && l->s[l->n - 1] == ')';
    if (head && l->s[0] != '/' && (!comma || comma < open)) {
        rx_text_add_bytes(out, l->s, (size_t)(open + 1 - l->s));
        rx_text_add(out, "\n    ");
        rx_text_add_bytes(out, open + 1, l->n - (size_t)(open + 1 - l->s));
    } else if (l->s[0] == '/' || !open || !comma || comma < open) {
        rx_text_add_bytes(out, l->s, l->n);
    } else {
        rx_text_add_bytes(out, l->s, (size_t)(comma + 1 - l->s));
        rx_text_printf(out, "\n%*s", (int)(open + 1 - l->s), "");
        rx_text_add_bytes(out, comma + 2, l->n - (size_t)(comma + 2 - l->s));
    }
    rx_text_add(out, "\n");
}

// Blank lines and argument lists; what is left is to be aligned.
static void
squeeze(const char *text, struct rx_text *out)
{
    struct line before = {0};
    int blank = 0;
    for (const char *at = text; *at; at = strchrnul(at, '\n'), at += *at == '\n') {
        const struct line l = read_line(at);
        if (l.n == 0) {
            blank = 1;
            continue;
        }
        if (blank && keep_blank(&before, &l))
            rx_text_add(out, "\n");
        print_list(&l, out);
        before = l;
        blank = 0;
    }
}

void
rx_tidy_lines(const char *text, struct rx_text *out)
{
    struct rx_text squeezed = {0};
    squeeze(text, &squeezed);
    int n = 0;
    for (const char *at = rx_text_str(&squeezed); *at; at++)
        n += *at == '\n';
    struct line *l = rx_memory_alloc((size_t)(n + 1) * sizeof *l);
    const char *at = rx_text_str(&squeezed);
    for (int i = 0; i < n; i++, at = strchr(at, '\n') + 1)
        l[i] = read_line(at);
    align_comments(l, n, out);
    free(l);
    rx_text_close(&squeezed);
}

void
rx_tidy_comment(const char *first, const char *next, const char *words, struct rx_text *out)
{
    rx_text_add(out, first);
    size_t column = strlen(first);
    int fresh = 1;
    while (*words) {
        const size_t n = strcspn(words, " ");
        if (!fresh && column + 1 + n > RX_COLUMNS) {
            rx_text_printf(out, "\n%s", next);
            column = strlen(next);
            fresh = 1;
        }
        rx_text_add(out, fresh ? "" : " ");
        rx_text_add_bytes(out, words, n);
        column += n + !fresh;
        fresh = 0;
        words += n;
        words += *words == ' ';
    }
    rx_text_add(out, "\n");
}
