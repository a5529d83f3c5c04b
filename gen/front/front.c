// Running a model file: name its paths, run it in the sandbox, check what it returns.
#include "gen/front/front.h"

#include <lauxlib.h>
#include <string.h>

#include "gen/front/library.h"
#include "gen/front/read.h"
#include "gen/front/recipe.h"
#include "gen/front/sandbox.h"
#include "gen/front/settings.h"
#include "gen/front/source.h"
#include "gen/front/state.h"
#include "runtime/base/suggest.h"
#include "gen/front/vocabulary.h"

// The model's name: it becomes a folder beside out/train, out/eval ...
static void
take_name(lua_State *L, const struct rx_reader *r)
{
    static const char *const reserved[] = {"train", "eval", "infer", "bench", "emu", "build"};
    struct rx_graph *g = rx_front_of(L)->output->graph;
    const char *name = rx_read_text(r, "name");
    if (!rx_name_is_valid(name, strlen(name)) || name[0] == '.')
        rx_front_fail(L, r->what,
                      "name \"%.64s\": names are 1..64 of A-Z a-z 0-9 _ . and begin "
                      "with no dot",
                      name);
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
        if (strcmp(name, reserved[i]) == 0)
            rx_front_fail(L, r->what, "name %s: it is the name of a link in out/, choose another",
                          name);
    g->name = rx_arena_text(&g->arena, name);
}

static void
check_output(lua_State *L, const struct rx_reader *r)
{
    const struct rx_graph *g = rx_front_of(L)->output->graph;
    lua_getfield(L, r->table, "output");
    const int tensor = rx_vocabulary_tensor(L, -1);
    if (g->input < 0)
        rx_front_fail(L, r->what, "the network has no input: it begins with input { ... }");
    if (g->logits < 0)
        rx_front_fail(L, r->what, "the network has no classifier: it ends with fc(...)");
    if (tensor != g->logits)
        rx_front_fail(L, r->what, "output is not the classifier's: output = fc(...)");
    lua_pop(L, 1);
}

// What the model file returned: { name, output, recipe }.
static void
take_result(lua_State *L)
{
    static const char *const known[] = {"name", "output", "recipe", NULL};
    struct rx_front_output *output = rx_front_of(L)->output;
    if (!lua_istable(L, -1))
        rx_front_fail(L, "model",
                      "the file returns a %s: "
                      "it returns { name = ..., output = ..., recipe = ... }",
                      luaL_typename(L, -1));
    const struct rx_reader r = rx_reader_open(L, -1, "model", known);
    take_name(L, &r);
    check_output(L, &r);
    rx_settings_check(L);
    lua_getfield(L, r.table, "recipe");
    rx_recipe_read(L, output->graph->tensor[output->graph->input].c, &output->recipe);
}

static int
body(lua_State *L)
{
    lua_newtable(L);
    const int words = lua_gettop(L);
    rx_library_add(L);
    rx_vocabulary_add(L);
    rx_settings_add(L);
    lua_pushvalue(L, words);
    rx_sandbox_push_environment(L);
    const int environment = lua_gettop(L);
    lua_pushvalue(L, words);
    rx_source_add_require(L, environment);
    rx_source_push_model(L, environment);
    lua_call(L, 0, 1);
    take_result(L);
    return 0;
}

// A message is one line of printable text, whatever a model file puts into it.
static void
clean(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p != '\0'; p++)
        if (*p < ' ' || *p == 0x7f)
            *p = ' ';
}

int
rx_front_load(const struct rx_front_input *input, struct rx_front_output *output,
              struct rx_error *error)
{
    struct rx_front front = {.input = input, .output = output, .error = error};
    output->n_fields = 0;
    rx_source_name(&front);
    const int status = rx_sandbox_run(&front, body);
    clean(error->text);
    return status;
}
