// The vocabulary: each word checks what it is given, calls the builder with the line of Lua that
// asked, and returns the layer's output.
#include "gen/front/vocabulary.h"

#include <lauxlib.h>
#include <string.h>

#include "gen/front/read.h"
#include "runtime/base/suggest.h"
#include "gen/ir/build.h"

#define VALUE_TYPE "layer output"

static const char names_key[] = "rx.names";

enum {
    NUMBER_MAX = 1 << 30,    // what the builder's int arguments take; it knows the real bounds
    CHANNELS_MAX = 1 << 16,  // as the builder's
    LAYER_STEPS = 200,       // what building a layer costs, in instructions
};

// Above these the 64-bit counts of a network could overflow.
static const double MACS_MAX = 1e15, WEIGHTS_MAX = 1e11;

static void
push_value(lua_State *L, int tensor)
{
    int *value = lua_newuserdatauv(L, sizeof *value, 0);
    *value = tensor;
    luaL_setmetatable(L, VALUE_TYPE);
}

int
rx_vocabulary_tensor(lua_State *L, int index)
{
    const int *value = luaL_testudata(L, index, VALUE_TYPE);
    return value != NULL ? *value : -1;
}

static const struct rx_tensor *
tensor_of(lua_State *L, int index)
{
    return &rx_front_of(L)->output->graph->tensor[rx_vocabulary_tensor(L, index)];
}

// x.channels, x.height, x.width
static int
read_field(lua_State *L)
{
    static const char *const known[] = {"channels", "height", "width"};
    const struct rx_tensor *t = tensor_of(L, 1);
    const int values[] = {t->c, t->h, t->w};
    const char *field = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : luaL_typename(L, 2);
    for (int i = 0; i < 3; i++)
        if (strcmp(field, known[i]) == 0) {
            lua_pushinteger(L, values[i]);
            return 1;
        }
    const char *near = rx_suggest(field, known, 3);
    if (near != NULL)
        rx_front_fail(L, VALUE_TYPE, "it has no field %.64s; nearest: %s", field, near);
    rx_front_fail(L, VALUE_TYPE, "it has no field %.64s: it has channels, height and width", field);
}

static int
write_field(lua_State *L)
{
    rx_front_fail(L, VALUE_TYPE, "its fields cannot be assigned: they are the layer's shape");
}

static int
value_text(lua_State *L)
{
    const struct rx_tensor *t = tensor_of(L, 1);
    lua_pushfstring(L, "%dx%dx%d", t->h, t->w, t->c);
    return 1;
}

static int
layer_argument(lua_State *L, const char *word, int index)
{
    const int tensor = rx_vocabulary_tensor(L, index);
    if (tensor < 0)
        rx_front_fail(L, word, "argument %d is a %s: it is the output of another layer", index,
                      luaL_typename(L, index));
    return tensor;
}

// A layer's name: valid, and the first of that name.
static const char *
name_argument(lua_State *L, const char *word, int index)
{
    if (lua_type(L, index) != LUA_TSTRING)
        rx_front_fail(L, word, "argument %d is a %s: it is the layer's name, such as \"conv1\"",
                      index, luaL_typename(L, index));
    size_t n;
    const char *name = lua_tolstring(L, index, &n);
    if (!rx_name_is_valid(name, n))
        rx_front_fail(L, word, "the name \"%.64s\": names are 1..64 of A-Z a-z 0-9 _ .", name);
    lua_getfield(L, LUA_REGISTRYINDEX, names_key);
    lua_pushvalue(L, index);
    if (lua_rawget(L, -2) != LUA_TNIL)
        rx_front_fail(L, word, "a layer is named %s already: choose another name", name);
    lua_pushvalue(L, index);
    lua_pushboolean(L, 1);
    lua_rawset(L, -4);
    lua_pop(L, 2);
    return name;
}

static void
check_count(lua_State *L, const char *word, int most)
{
    if (lua_gettop(L) > most)
        rx_front_fail(L, word, "%d arguments: it takes at most %d", lua_gettop(L), most);
}

// Charges for a layer and refuses networks whose counts could not be held.
static void
begin(lua_State *L, const char *word)
{
    const struct rx_front *f = rx_front_of(L);
    rx_front_charge(L, LAYER_STEPS);
    if (f->output->graph->n_nodes >= RX_LIMIT_NODES)
        rx_front_fail(L, word, "the network has more than %d layers: make it smaller",
                      RX_LIMIT_NODES);
}

// Work and weights of a convolution of these numbers, before the builder counts them as integers.
static void
check_size(lua_State *L, const char *word, int x, const struct rx_conv_spec *spec)
{
    struct rx_front *f = rx_front_of(L);
    const struct rx_tensor *t = &f->output->graph->tensor[x];
    const double group = (double)t->c / (spec->groups > 0 ? spec->groups : 1);
    const double weights = group * spec->k * spec->r * spec->s;
    f->weights += weights;
    f->macs += weights * t->h * t->w;  // stride 1 is the most
    if (f->weights > WEIGHTS_MAX || f->macs > MACS_MAX)
        rx_front_fail(L, word,
                      "the network has %.3g weights and %.3g multiply-adds an image: at "
                      "most %.0g and %.0g",
                      f->weights, f->macs, WEIGHTS_MAX, MACS_MAX);
}

// Ends a word: the layer's output, or the builder's error.
static int
finish(lua_State *L, int status, int y)
{
    if (status != RX_OK)
        rx_front_raise(L);
    push_value(L, y);
    return 1;
}

static int
word_input(lua_State *L)
{
    static const char *const known[] = {"channels", "height", "width", NULL};
    struct rx_front *f = rx_front_of(L);
    begin(L, "input");
    check_count(L, "input", 1);
    const struct rx_reader r = rx_reader_open(L, 1, "input", known);
    const int h = (int)rx_read_integer(&r, "height", 1, NUMBER_MAX);
    const int w = (int)rx_read_integer(&r, "width", 1, NUMBER_MAX);
    const int c = (int)rx_read_integer(&r, "channels", 1, NUMBER_MAX);
    int y = -1;
    const int status = rx_build_input(f->output->graph, rx_front_where(L), h, w, c, &y, f->error);
    return finish(L, status, y);
}

static int
word_conv(lua_State *L)
{
    static const char *const known[] = {"channels", "groups", "pad", "stride", "window", NULL};
    struct rx_front *f = rx_front_of(L);
    begin(L, "conv");
    check_count(L, "conv", 3);
    const int x = layer_argument(L, "conv", 1);
    const char *name = name_argument(L, "conv", 2);
    const struct rx_reader r = rx_reader_open(L, 3, "conv", known);
    const int window = (int)rx_read_integer_or(&r, "window", 1, NUMBER_MAX, 1);
    const struct rx_conv_spec spec = {
        .k = (int)rx_read_integer(&r, "channels", 1, CHANNELS_MAX),
        .r = window,
        .s = window,
        .stride = (int)rx_read_integer_or(&r, "stride", 1, NUMBER_MAX, 1),
        .pad = (int)rx_read_integer_or(&r, "pad", 0, NUMBER_MAX, (window - 1) / 2),
        .groups = (int)rx_read_integer_or(&r, "groups", 1, NUMBER_MAX, 1)};
    check_size(L, "conv", x, &spec);
    int y = -1;
    const int status =
        rx_build_conv(f->output->graph, rx_front_where(L), name, x, &spec, &y, f->error);
    return finish(L, status, y);
}

typedef int
unary(struct rx_graph *g, struct rx_where where, const char *name, int x, int *y,
      struct rx_error *error);

static int
word_unary(lua_State *L, const char *word, unary *build)
{
    struct rx_front *f = rx_front_of(L);
    begin(L, word);
    check_count(L, word, 2);
    const int x = layer_argument(L, word, 1);
    const char *name = name_argument(L, word, 2);
    int y = -1;
    const int status = build(f->output->graph, rx_front_where(L), name, x, &y, f->error);
    return finish(L, status, y);
}

static int
word_bn(lua_State *L)
{
    return word_unary(L, "bn", rx_build_bn);
}

static int
word_relu(lua_State *L)
{
    return word_unary(L, "relu", rx_build_relu);
}

static int
word_gap(lua_State *L)
{
    return word_unary(L, "gap", rx_build_gap);
}

static int
word_add(lua_State *L)
{
    struct rx_front *f = rx_front_of(L);
    begin(L, "add");
    check_count(L, "add", 3);
    const int a = layer_argument(L, "add", 1);
    const int b = layer_argument(L, "add", 2);
    const char *name = name_argument(L, "add", 3);
    int y = -1;
    const int status = rx_build_add(f->output->graph, rx_front_where(L), name, a, b, &y, f->error);
    return finish(L, status, y);
}

static int
word_maxpool(lua_State *L)
{
    static const char *const known[] = {"pad", "stride", "window", NULL};
    struct rx_front *f = rx_front_of(L);
    begin(L, "maxpool");
    check_count(L, "maxpool", 3);
    const int x = layer_argument(L, "maxpool", 1);
    const char *name = name_argument(L, "maxpool", 2);
    const struct rx_reader r = rx_reader_open(L, 3, "maxpool", known);
    const int window = (int)rx_read_integer(&r, "window", 1, NUMBER_MAX);
    const int stride = (int)rx_read_integer(&r, "stride", 1, NUMBER_MAX);
    const int pad = (int)rx_read_integer_or(&r, "pad", 0, NUMBER_MAX, (window - 1) / 2);
    int y = -1;
    const int status = rx_build_maxpool(f->output->graph, rx_front_where(L), name, x, window,
                                        stride, pad, &y, f->error);
    return finish(L, status, y);
}

static int
word_fc(lua_State *L)
{
    static const char *const known[] = {"classes", NULL};
    struct rx_front *f = rx_front_of(L);
    begin(L, "fc");
    check_count(L, "fc", 3);
    const int x = layer_argument(L, "fc", 1);
    const char *name = name_argument(L, "fc", 2);
    const struct rx_reader r = rx_reader_open(L, 3, "fc", known);
    const int classes = (int)rx_read_integer(&r, "classes", 2, CHANNELS_MAX);
    int y = -1;
    const int status =
        rx_build_fc(f->output->graph, rx_front_where(L), name, x, classes, &y, f->error);
    return finish(L, status, y);
}

static int
word_refuse(lua_State *L)
{
    char place[RX_PLACE_CHARS];
    const char *text = luaL_checkstring(L, 1);
    rx_front_fail_at(L, rx_front_place(rx_front_author(L), place), "%s", text);
}

void
rx_vocabulary_add(lua_State *L)
{
    static const luaL_Reg words[] = {
        {"input", word_input},   {"conv", word_conv}, {"bn", word_bn}, {"relu", word_relu},
        {"add", word_add},       {"gap", word_gap},   {"fc", word_fc}, {"maxpool", word_maxpool},
        {"refuse", word_refuse}, {NULL, NULL},
    };
    static const luaL_Reg methods[] = {{"__index", read_field},
                                       {"__newindex", write_field},
                                       {"__tostring", value_text},
                                       {NULL, NULL}};
    luaL_setfuncs(L, words, 0);
    luaL_newmetatable(L, VALUE_TYPE);
    luaL_setfuncs(L, methods, 0);
    lua_newtable(L);
    lua_setfield(L, LUA_REGISTRYINDEX, names_key);
    lua_pop(L, 1);
}
