// One kernel: banner, then its template expanded.
#include "gen/render/render.h"

#include <stdio.h>
#include <string.h>

#include "gen/render/banner.h"
#include "gen/render/chain.h"
#include "gen/render/names.h"
#include "gen/render/template.h"
#include "runtime/base/file.h"

struct rendering {
    const struct rx_machine *machine;
    const struct rx_kernel *kernel;
};

static int
find_constant(void *context, const char *name, int64_t *value)
{
    const struct rendering *r = context;
    return rx_render_constant(r->kernel, name, value);
}

static int
find_flag(void *context, const char *name)
{
    const struct rendering *r = context;
    return rx_render_flag(r->machine, r->kernel, name);
}

static void
add_constants(void *context, struct rx_text *out)
{
    const struct rendering *r = context;
    rx_slot_constants(r->kernel, out);
}

static const char *
expand_slot(void *context, const struct rx_slot *slot, struct rx_text *out)
{
    static const struct {
        const char *name;
        const char *(*expand)(const struct rx_kernel *kernel, const struct rx_slot *slot,
                              struct rx_text *out);
    } table[] = {
        {"operands", rx_slot_operands},
        {"rows", rx_slot_rows},
        {"clear", rx_slot_clear},
        {"prologue", rx_slot_prologue},
        {"prologue_begin", rx_slot_prologue_begin},
        {"epilogue_begin", rx_slot_epilogue_begin},
        {"epilogue", rx_slot_epilogue},
        {"epilogue_end", rx_slot_epilogue_end},
        {"epilogue_sums", rx_slot_epilogue_sums},
        {"epilogue_kept", rx_slot_epilogue_kept},
        {"epilogue_fold", rx_slot_epilogue_fold},
        {"fetch", rx_slot_fetch},
        {"copy", rx_slot_copy},
        {"ahead_prologue", rx_slot_ahead_prologue},
        {"ahead_epilogue", rx_slot_ahead_epilogue},
    };
    const struct rendering *r = context;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].name, slot->name) == 0)
            return table[i].expand(r->kernel, slot, out);
    return "unknown slot";
}

// Appends a file of the target's templates.
static int
read_template(const char *templates, const struct rx_language *l, const char *name,
              struct rx_text *text, struct rx_error *error)
{
    char path[4096];
    struct rx_text file = {0};
    snprintf(path, sizeof path, "%s/%s/%s", templates, l->folder, name);
    const int status = rx_file_read(path, &file, error);
    rx_text_add(text, rx_text_str(&file));
    rx_text_close(&file);
    return status;
}

int
rx_render_kernel(const struct rx_machine *machine, const char *templates,
                 const struct rx_kernel *kernel, const struct rx_banner *banner,
                 struct rx_text *source, struct rx_error *error)
{
    struct rendering r = {machine, kernel};
    const struct rx_language *l = kernel->language;
    char tile[64], name[64], file[96];
    snprintf(tile, sizeof tile, "tile_%s%s", machine->isa, l->header_suffix);
    snprintf(name, sizeof name, "%s%s", kernel->config.skeleton, l->suffix);
    snprintf(file, sizeof file, "templates/%s/%s", l->folder, name);
    struct rx_text text = {0}, header = {0};
    int status = read_template(templates, l, name, &text, error);
    if (status == RX_OK)
        status = read_template(templates, l, l->shared_header, &header, error);
    if (status == RX_OK && l->style == RX_CALL_LAUNCH)
        status = read_template(templates, l, tile, &header, error);
    const struct rx_template_names names = {
        .context = &r,
        .kernel = kernel->name,
        .tile = tile,
        .tile_text = l->style == RX_CALL_LAUNCH ? rx_text_str(&header) : NULL,
        .constant = find_constant,
        .flag = find_flag,
        .slot = expand_slot,
        .more_constants = add_constants,
    };
    if (status == RX_OK) {
        rx_render_banner(machine, kernel, banner, source);
        rx_text_add(source, "\n");
        status = rx_template_expand(file, rx_text_str(&text), &names, source, error);
    }
    rx_text_close(&header);
    rx_text_close(&text);
    return status;
}
