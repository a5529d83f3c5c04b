// The vocabulary of model files: one function a primitive. A layer's output is a table
// {id, channels, height, width}.
//
//   x = input(height, width, channels)
//   x = conv(name, x, {channels = K, kernel = 3, stride = 1, pad = 1, groups = 1})
//   x = bn(name, x)   x = relu(name, x)   x = add(name, a, b)
//   x = maxpool(name, x, {kernel = 3, stride = 2, pad = 1})   x = gap(name, x)
//   x = fc(name, x, classes)
#include <lauxlib.h>
#include <limits.h>
#include <string.h>

#include "gen/front/internal.h"
#include "gen/ir/build.h"

enum { NAME_MAX_CHARS = 64 };

static struct rx_graph *
graph(lua_State *lua)
{
    return rx_sandbox_of(lua)->output->graph;
}

static int
to_int(lua_State *lua, int index, const char *what)
{
    int is_integer;
    const lua_Integer v = lua_tointegerx(lua, index, &is_integer);
    if (!is_integer || v < INT_MIN || v > INT_MAX)
        rx_sandbox_raise(lua, "%s: is not an integer", what);
    return (int)v;
}

static const char *
name_argument(lua_State *lua)
{
    const char *name = lua_type(lua, 1) == LUA_TSTRING ? lua_tostring(lua, 1) : "";
    const size_t n = strlen(name);
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.";
    if (n < 1 || n > NAME_MAX_CHARS || strspn(name, allowed) != n)
        rx_sandbox_raise(lua, "a layer's name is 1 to %d of A-Z a-z 0-9 _ and .", NAME_MAX_CHARS);
    return name;
}

static int
tensor_argument(lua_State *lua, int index)
{
    if (!lua_istable(lua, index))
        return -1;
    lua_getfield(lua, index, "id");
    const int id = to_int(lua, -1, "a layer's output");
    lua_pop(lua, 1);
    return id;
}

static int
option(lua_State *lua, int index, const char *key, int otherwise)
{
    if (!lua_istable(lua, index))
        return otherwise;
    lua_getfield(lua, index, key);
    const int value = lua_isnil(lua, -1) ? otherwise : to_int(lua, -1, key);
    lua_pop(lua, 1);
    return value;
}

static void
set(lua_State *lua, const char *key, int value)
{
    lua_pushinteger(lua, value);
    lua_setfield(lua, -2, key);
}

// Returns a layer's output to Lua, or raises what the builder said.
static int
give(lua_State *lua, int status, int y)
{
    if (status != RX_OK)
        return rx_sandbox_raise(lua, "layer");
    const struct rx_tensor *t = &graph(lua)->tensor[y];
    lua_createtable(lua, 0, 4);
    set(lua, "id", y);
    set(lua, "channels", t->c);
    set(lua, "height", t->h);
    set(lua, "width", t->w);
    return 1;
}

static int
lua_input(lua_State *lua)
{
    int y = -1;
    const int status = rx_build_input(graph(lua), rx_sandbox_where(lua), to_int(lua, 1, "height"),
                                      to_int(lua, 2, "width"), to_int(lua, 3, "channels"), &y,
                                      rx_sandbox_of(lua)->error);
    return give(lua, status, y);
}

static int
lua_conv(lua_State *lua)
{
    const char *name = name_argument(lua);
    const int kernel = option(lua, 3, "kernel", 1);
    const struct rx_conv_spec spec = {.k = option(lua, 3, "channels", 0),
                                      .r = kernel,
                                      .s = kernel,
                                      .stride = option(lua, 3, "stride", 1),
                                      .pad = option(lua, 3, "pad", kernel / 2),
                                      .groups = option(lua, 3, "groups", 1)};
    int y = -1;
    const int status = rx_build_conv(graph(lua), rx_sandbox_where(lua), name,
                                     tensor_argument(lua, 2), &spec, &y, rx_sandbox_of(lua)->error);
    return give(lua, status, y);
}

static int
lua_bn(lua_State *lua)
{
    int y = -1;
    const char *name = name_argument(lua);
    const int status = rx_build_bn(graph(lua), rx_sandbox_where(lua), name, tensor_argument(lua, 2),
                                   &y, rx_sandbox_of(lua)->error);
    return give(lua, status, y);
}

static int
lua_relu(lua_State *lua)
{
    int y = -1;
    const char *name = name_argument(lua);
    const int status = rx_build_relu(graph(lua), rx_sandbox_where(lua), name,
                                     tensor_argument(lua, 2), &y, rx_sandbox_of(lua)->error);
    return give(lua, status, y);
}

static int
lua_add(lua_State *lua)
{
    int y = -1;
    const char *name = name_argument(lua);
    const int status =
        rx_build_add(graph(lua), rx_sandbox_where(lua), name, tensor_argument(lua, 2),
                     tensor_argument(lua, 3), &y, rx_sandbox_of(lua)->error);
    return give(lua, status, y);
}

static int
lua_maxpool(lua_State *lua)
{
    int y = -1;
    const char *name = name_argument(lua);
    const int status =
        rx_build_maxpool(graph(lua), rx_sandbox_where(lua), name, tensor_argument(lua, 2),
                         option(lua, 3, "kernel", 2), option(lua, 3, "stride", 2),
                         option(lua, 3, "pad", 0), &y, rx_sandbox_of(lua)->error);
    return give(lua, status, y);
}

static int
lua_gap(lua_State *lua)
{
    int y = -1;
    const char *name = name_argument(lua);
    const int status = rx_build_gap(graph(lua), rx_sandbox_where(lua), name,
                                    tensor_argument(lua, 2), &y, rx_sandbox_of(lua)->error);
    return give(lua, status, y);
}

static int
lua_fc(lua_State *lua)
{
    int y = -1;
    const char *name = name_argument(lua);
    const int status = rx_build_fc(graph(lua), rx_sandbox_where(lua), name, tensor_argument(lua, 2),
                                   to_int(lua, 3, "classes"), &y, rx_sandbox_of(lua)->error);
    return give(lua, status, y);
}

void
rx_vocabulary_open(lua_State *lua)
{
    static const luaL_Reg functions[] = {
        {"input", lua_input}, {"conv", lua_conv},       {"bn", lua_bn},   {"relu", lua_relu},
        {"add", lua_add},     {"maxpool", lua_maxpool}, {"gap", lua_gap}, {"fc", lua_fc},
    };
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        lua_register(lua, functions[i].name, functions[i].func);
}
