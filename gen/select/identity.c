// What follows from a chosen kernel's problem, config and files, whatever its target: hash, name,
// work.
#include <stdio.h>
#include <string.h>

#include "gen/select/name.h"
#include "gen/select/problem.h"
#include "runtime/base/file.h"

static int
add_file(struct rx_text *key, const char *templates, const struct rx_language *language,
         const char *stem, const char *end, struct rx_error *error)
{
    char path[4096];
    struct rx_text text = {0};
    snprintf(path, sizeof path, "%s/%s/%s%s", templates, language->folder, stem, end);
    const int status = rx_file_read(path, &text, error);
    rx_text_add(key, rx_text_str(&text));
    rx_text_close(&text);
    return status;
}

// The key: problem, config, template with its headers, toolchain, and the renderer's version.
static int
set_hash(struct rx_kernel *k, const struct rx_machine *machine, const char *templates,
         const char *toolchain, struct rx_error *error)
{
    const struct rx_language *l = k->language;
    struct rx_text key = {0};
    rx_text_printf(&key, "rxgen " RX_VERSION "\n%s %s\n", toolchain, machine->flags);
    rx_problem_print(k->problem, &key);
    rx_config_print(&k->config, &key);
    char tile[32];
    snprintf(tile, sizeof tile, "tile_%s", machine->isa);
    rx_text_printf(&key, "\n%s\n", tile);
    int status = add_file(&key, templates, l, k->config.skeleton, l->suffix, error);
    if (status == RX_OK)
        status = add_file(&key, templates, l, tile, l->header_suffix, error);
    if (status == RX_OK && machine->tiles[0] != '\0') {
        snprintf(tile, sizeof tile, "tile_%s", machine->tiles);
        status = add_file(&key, templates, l, tile, l->header_suffix, error);
    }
    if (status == RX_OK)
        status = add_file(&key, templates, l, l->shared_header, "", error);
    rx_hash_bytes(rx_text_str(&key), key.n, k->hash);
    rx_text_close(&key);
    return status;
}

int
rx_kernel_identify(struct rx_kernel *k, const struct rx_machine *machine, const char *templates,
                   const char *toolchain, struct rx_error *error)
{
    const int status = set_hash(k, machine, templates, toolchain, error);
    if (status != RX_OK)
        return status;
    rx_kernel_name_write(k->problem, &k->config, k->hash, k->name);
    const struct rx_work work = rx_problem_work(k->problem);
    k->flops_image = work.flops_image;
    k->flops_fixed = work.flops_fixed;
    k->bytes_image = work.bytes_image;
    k->bytes_fixed = work.bytes_fixed;
    return RX_OK;
}

const char *
rx_kernel_tile_header(const struct rx_machine *machine, const struct rx_config *config)
{
    const int tiles = machine->tiles[0] != '\0' && strstr(config->skeleton, machine->tiles) != NULL;
    return tiles ? machine->tiles : machine->isa;
}
