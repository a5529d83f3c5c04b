// Selects the parts of a header that code uses.
#include "gen/render/parts.h"

#include <assert.h>
#include <string.h>

#include "gen/render/tidy.h"

enum { PARTS_MAX = 96 };

static const char MARK[] = "//@ part ";

struct part {
    struct rx_text names, body;
    int used;
};

// Cuts the header; returns how many parts it has.
static int
read_parts(const char *header, struct part *part)
{
    int n = 0;
    for (const char *at = strstr(header, MARK); at != NULL; n++) {
        assert(n < PARTS_MAX);
        const char *names = at + strlen(MARK), *body = strchr(names, '\n') + 1;
        const char *next = strstr(body, MARK), *end = next ? next : body + strlen(body);
        rx_text_add_bytes(&part[n].names, names, (size_t)(body - 1 - names));
        rx_text_add_bytes(&part[n].body, body, (size_t)(end - body));
        at = next;
    }
    return n;
}

// Whether the code has one of the words.
static int
uses(const char *code, const char *words)
{
    char name[64];
    for (const char *at = words + strspn(words, " "); *at; at += strspn(at, " ")) {
        const size_t n = strcspn(at, " ");
        assert(n < sizeof name);
        memcpy(name, at, n);
        name[n] = '\0';
        if (rx_text_has_word(code, name))
            return 1;
        at += n;
    }
    return 0;
}

// Marks what the code uses, then what marked parts use, until nothing changes.
static void
mark_used(struct part *part, int n, const char *code)
{
    for (int i = 0; i < n; i++) {
        if (part[i].used || !uses(code, rx_text_str(&part[i].names)))
            continue;
        part[i].used = 1;
        mark_used(part, n, rx_text_str(&part[i].body));
    }
}

void
rx_parts_select(const char *header, const char *code, struct rx_text *out)
{
    struct part part[PARTS_MAX] = {0};
    const int n = read_parts(header, part);
    mark_used(part, n, code);
    for (int i = 0; i < n; i++) {
        if (part[i].used)
            rx_text_add(out, rx_text_str(&part[i].body));
        rx_text_close(&part[i].names);
        rx_text_close(&part[i].body);
    }
}
