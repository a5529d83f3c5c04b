// Names of kernels and the text of configs.
#include "gen/select/name.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { FUSED_CHARS = 24 };

// What a chain does, each word once, as "bn_relu_stats".
static void
add_fused(const struct rx_problem *p, const struct rx_chain *chain, char fused[FUSED_CHARS])
{
    for (int i = 0; i < chain->n; i++) {
        const struct rx_step *s = &chain->step[i];
        const char *word = "";
        if (s->op == RX_STEP_COEF)
            word = p->operand[s->operand].kind == RX_OPERAND_COEF ? "bn" : "bias";
        else if (s->op == RX_STEP_RELU || s->op == RX_STEP_MASK || s->op == RX_STEP_STATS ||
                 s->op == RX_STEP_SUMS)
            word = rx_step_op_text(s->op);
        if (*word && !strstr(fused, word) && strlen(fused) + strlen(word) + 1 < FUSED_CHARS)
            strcat(strcat(fused, "_"), word);
    }
}

static const char *
dtype_name(const struct rx_problem *p)
{
    for (int i = 0; i < p->n_operands; i++)
        if (p->operand[i].dtype == RX_BF16)
            return "_bf16";
    return "";
}

void
rx_problem_name_write(const struct rx_problem *p, char name[RX_PROBLEM_NAME_CHARS])
{
    const struct rx_geometry *g = &p->geometry;
    const char *const gradient = p->op == RX_PROBLEM_CONV_DGRAD   ? "_dgrad"
                                 : p->op == RX_PROBLEM_CONV_WGRAD ? "_wgrad"
                                                                  : "";
    if (p->op <= RX_PROBLEM_CONV_WGRAD)
        snprintf(name, RX_PROBLEM_NAME_CHARS, "%sconv%dx%d%s", g->groups > 1 ? "g" : "", g->r, g->s,
                 gradient);
    else
        snprintf(name, RX_PROBLEM_NAME_CHARS, "%s", rx_problem_op_text(p->op));
}

static void
shape_name(const struct rx_problem *p, char *name, size_t n)
{
    const struct rx_geometry *g = &p->geometry;
    const int vector = rx_problem_find(p, RX_OPERAND_VECTOR, 0);
    if (p->op == RX_PROBLEM_SGD || p->op == RX_PROBLEM_REDUCE || p->op == RX_PROBLEM_UPDATE)
        snprintf(name, n, "n%lld", (long long)(vector < 0 ? 0 : p->operand[vector].c));
    else if (p->op <= RX_PROBLEM_CONV_WGRAD || p->op == RX_PROBLEM_TRANSPOSE ||
             p->op == RX_PROBLEM_PACK)
        snprintf(name, n, "c%dk%dg%d_%dx%d", g->c, g->k, g->groups, g->h, g->w);
    else if (g->h > 0)
        snprintf(name, n, "c%d_%dx%d", g->c, g->h, g->w);
    else
        snprintf(name, n, "c%lld", (long long)(vector < 0 ? g->k : p->operand[vector].c));
}

void
rx_kernel_name_write(const struct rx_problem *p, const struct rx_config *config, const char *hash,
                     char name[RX_KERNEL_NAME_CHARS])
{
    char op[RX_PROBLEM_NAME_CHARS], fused[FUSED_CHARS] = "", shape[48], variant[32];
    rx_problem_name_write(p, op);
    for (int i = 0; i < RX_PROLOGUES; i++)
        add_fused(p, &p->prologue[i], fused);
    add_fused(p, &p->epilogue, fused);
    shape_name(p, shape, sizeof shape);
    snprintf(variant, sizeof variant, "p%d", config->tile_pixels);
    if (config->tile_m > 0)
        snprintf(variant, sizeof variant, "p%dt%dx%d", config->tile_pixels, config->tile_m,
                 config->tile_n);
    struct rx_text text = {0};
    rx_text_printf(&text, "rx_%s%s%s_%s_%s_%.8s", op, fused, dtype_name(p), shape, variant, hash);
    assert(text.n < RX_KERNEL_NAME_CHARS);
    memcpy(name, text.s, text.n + 1);
    rx_text_close(&text);
}

void
rx_config_print(const struct rx_config *config, struct rx_text *text)
{
    rx_text_printf(text, "%s lanes=%d P=%d", config->skeleton, config->lanes, config->tile_pixels);
    if (config->tile_m > 0)
        rx_text_printf(text, " tile=%dx%d", config->tile_m, config->tile_n);
    if (config->tile_w > 0)
        rx_text_printf(text, " W=%d", config->tile_w);
}
