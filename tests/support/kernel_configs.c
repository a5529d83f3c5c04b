// Candidates of a problem and configs around them.
#include "tests/support/kernel_configs.h"

#include <string.h>

enum { ROWS_MAX = 16, VECTORS_MAX = 4 };  // of the register tiles that are tried

struct list {
    const struct rx_target *target;
    const struct rx_machine *machine;
    const struct rx_problem *problem;
    struct rx_config *config;
    int n, max;
};

static int
known(const struct list *list, const struct rx_config *config)
{
    for (int i = 0; i < list->n; i++)
        if (memcmp(&list->config[i], config, sizeof *config) == 0)
            return 1;
    return 0;
}

static void
add(struct list *list, const struct rx_config *config)
{
    struct rx_text why = {0};
    if (list->n < list->max && !known(list, config) &&
        list->target->applicable(list->machine, list->problem, config, &why))
        list->config[list->n++] = *config;
    rx_text_close(&why);
}

// One field of a candidate changed at a time.
static void
add_around(struct list *list, const struct rx_config *candidate)
{
    static const int pixels[] = {1, 3, 500};
    struct rx_config config = *candidate;
    for (size_t i = 0; i < sizeof pixels / sizeof *pixels; i++) {
        config.tile_pixels = pixels[i];
        add(list, &config);
    }
    config.tile_pixels = candidate->tile_pixels * 2 + 16;
    add(list, &config);
    config = *candidate;
    for (config.tile_m = 0; config.tile_m <= ROWS_MAX; config.tile_m++)
        add(list, &config);
    config = *candidate;
    for (config.tile_n = 0; config.tile_n <= VECTORS_MAX; config.tile_n++)
        add(list, &config);
}

// Whether an earlier candidate differs in its task and tile only.
static int
has_sibling(const struct list *list, int i)
{
    for (int j = 0; j < i; j++) {
        struct rx_config config = list->config[j];
        config.tile_pixels = list->config[i].tile_pixels;
        config.tile_m = list->config[i].tile_m;
        config.tile_n = list->config[i].tile_n;
        if (memcmp(&config, &list->config[i], sizeof config) == 0)
            return 1;
    }
    return 0;
}

int
rx_case_configs(const struct rx_target *target, const struct rx_machine *machine,
                const struct rx_problem *problem, struct rx_config *config, int max)
{
    struct list list = {
        .target = target, .machine = machine, .problem = problem, .config = config, .max = max};
    list.n = target->candidates(machine, problem, config, max);
    const int candidates = list.n;
    for (int i = 0; i < candidates; i++)
        if (!has_sibling(&list, i))
            add_around(&list, &config[i]);
    return list.n;
}
