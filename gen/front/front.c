// The front: runs a model file in the sandbox and hands out what it built.
#include "gen/front/front.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen/front/internal.h"

// How messages and banners name the model file: as given, but never an absolute path.
static const char *
shown_path(const char *path)
{
    const char *slash = strrchr(path, '/');
    return path[0] == '/' && slash != NULL ? slash + 1 : path;
}

static int
finish(const struct rx_sandbox *s)
{
    const struct rx_graph *g = s->output->graph;
    const char *shown = shown_path(s->input->path);
    if (!s->named)
        return rx_error_user(s->error, "%s: the model has no name: model(\"NAME\") gives it one",
                             shown);
    if (g->logits < 0 || g->logits != g->node[g->n_nodes - 1].out[0])
        return rx_error_user(s->error, "%s: the network does not end with fc", shown);
    if (s->output->recipe.epochs == 0)
        return rx_error_user(s->error, "%s: there is no recipe { ... }", shown);
    return rx_settings_check(s);
}

int
rx_front_load(const struct rx_front_input *input, struct rx_front_output *output,
              struct rx_error *error)
{
    char lib[4096];
    const char *slash = strrchr(input->path, '/');
    snprintf(lib, sizeof lib, "%.*slib", slash != NULL ? (int)(slash - input->path) + 1 : 0,
             input->path);
    struct rx_front_input given = *input;
    if (given.lib == NULL)
        given.lib = lib;
    struct rx_sandbox s = {.input = &given, .output = output, .error = error};
    s.used = rx_memory_alloc((size_t)input->n_settings);
    int status = rx_sandbox_open(&s);
    if (status == RX_OK)
        status = rx_sandbox_run(&s, input->path, shown_path(input->path));
    if (status == RX_OK)
        status = finish(&s);
    rx_sandbox_close(&s);
    free(s.used);
    return status;
}
