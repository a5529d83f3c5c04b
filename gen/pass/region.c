// Lists of regions and their operands.
#include "gen/pass/region.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 128, PITCH_ROUND = 16 };

void
rx_regions_close(struct rx_regions *list)
{
    free(list->region);
    *list = (struct rx_regions){0};
}

struct rx_region *
rx_regions_add(struct rx_regions *list, enum rx_problem_op op, const struct rx_node *node,
               int program)
{
    if (list->n == list->capacity) {
        list->capacity = list->capacity > 0 ? 2 * list->capacity : FIRST_CAPACITY;
        list->region = rx_memory_grow(list->region, (size_t)list->capacity * sizeof *list->region);
    }
    struct rx_region *r = &list->region[list->n++];
    *r = (struct rx_region){.label = node->name, .where = node->where, .program = program};
    r->problem.op = op;
    r->problem.geometry = node->geometry;
    r->kernel = -1;
    return r;
}

// How operands of each kind are called in emitted code; those of a numbered kind are name0,
// name1...
static void
name_operand(struct rx_problem *p, struct rx_operand *o)
{
    static const char *const fixed[RX_OPERAND_N_KINDS] = {
        [RX_OPERAND_WEIGHTS] = "w",     [RX_OPERAND_WEIGHTS_DGRAD] = "wt",
        [RX_OPERAND_INDEX] = "index",   [RX_OPERAND_WEIGHTS_PARTIAL] = "dw",
        [RX_OPERAND_LABELS] = "labels", [RX_OPERAND_LOSS] = "loss",
        [RX_OPERAND_HYPER] = "hyper",
    };
    if (fixed[o->kind] != NULL) {
        snprintf(o->name, sizeof o->name, "%s", fixed[o->kind]);
        return;
    }
    const char *stem = "v";
    if (o->kind == RX_OPERAND_MAP)
        stem = o->access & RX_READ ? "x" : "y";
    else if (o->kind == RX_OPERAND_COEF)
        stem = "coef";
    else if (o->kind == RX_OPERAND_PARTIAL)
        stem = o->rows == RX_STATS_ROWS ? "stats" : "sums";
    int number = 0;
    const size_t n = strlen(stem);
    for (int i = 0; i < p->n_operands; i++) {
        const char *name = p->operand[i].name;
        number += strncmp(name, stem, n) == 0 && name[n] >= '0' && name[n] <= '9';
    }
    snprintf(o->name, sizeof o->name, "%s%d", stem, number);
}

int
rx_region_operand(struct rx_region *region, const struct rx_graph *g, enum rx_operand_kind kind,
                  int tensor, int channel, int access)
{
    struct rx_problem *p = &region->problem;
    const struct rx_tensor *t = &g->tensor[tensor];
    struct rx_operand *o = &p->operand[p->n_operands];
    *o = (struct rx_operand){.kind = kind, .dtype = t->dtype, .access = access};
    o->c = t->kind == RX_TENSOR_FLAT ? t->count : t->c;
    o->rows = t->rows;
    if (kind == RX_OPERAND_MAP || kind == RX_OPERAND_INDEX)
        o->pitch = t->c;
    else if (kind == RX_OPERAND_COEF || kind == RX_OPERAND_PARTIAL)
        o->pitch = (t->c + PITCH_ROUND - 1) / PITCH_ROUND * PITCH_ROUND;
    name_operand(p, o);
    region->tensor[p->n_operands] = tensor;
    region->channel[p->n_operands] = channel;
    return p->n_operands++;
}

static void
print_chain(const struct rx_problem *p, const char *name, const struct rx_chain *chain,
            struct rx_text *text)
{
    if (chain->n == 0)
        return;
    rx_text_printf(text, "  %s:", name);
    for (int i = 0; i < chain->n; i++) {
        const struct rx_step *s = &chain->step[i];
        rx_text_printf(text, " v%d=%s", i, rx_step_op_text(s->op));
        if (s->a >= 0)
            rx_text_printf(text, " v%d", s->a);
        if (s->b >= 0)
            rx_text_printf(text, " v%d", s->b);
        if (s->operand >= 0)
            rx_text_printf(text, " %s", p->operand[s->operand].name);
        if (s->op == RX_STEP_COEF)
            rx_text_printf(text, ".%d", s->row);
        rx_text_add(text, ";");
    }
    rx_text_add(text, "\n");
}

void
rx_regions_print(const struct rx_graph *g, const struct rx_regions *list, struct rx_text *text)
{
    for (int i = 0; i < list->n; i++) {
        const struct rx_region *r = &list->region[i];
        const struct rx_problem *p = &r->problem;
        const struct rx_geometry *q = &p->geometry;
        rx_text_printf(text, "%s %s %dx%dx%d -> %dx%dx%d g%d f%dx%d s%d p%d\n",
                       rx_problem_op_text(p->op), r->label, q->h, q->w, q->c, q->oh, q->ow, q->k,
                       q->groups, q->r, q->s, q->stride, q->pad);
        for (int j = 0; j < p->n_operands; j++)
            rx_text_printf(text, "  %s = %%%d+%d %s%s%s\n", p->operand[j].name, r->tensor[j],
                           r->channel[j], g->tensor[r->tensor[j]].name,
                           p->operand[j].access & RX_READ ? " r" : "",
                           p->operand[j].access & RX_WRITE ? " w" : "");
        print_chain(p, "prologue0", &p->prologue[0], text);
        print_chain(p, "prologue1", &p->prologue[1], text);
        print_chain(p, "epilogue", &p->epilogue, text);
    }
}
