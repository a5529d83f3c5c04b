// Files of a model.
#include "gen/front/source.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gen/front/read.h"

enum { NAME_PARTS = 2, LIB_PARTS = 2, DEPTH_MAX = 16 };

static const char loaded_key[] = "rx.loaded", depth_key[] = "rx.depth";

// The path without "./", or the last `parts` components of an absolute one.
static const char *
shown(const char *path, int parts)
{
    while (strncmp(path, "./", 2) == 0)
        path += 2;
    if (path[0] != '/')
        return path;
    const char *start = path + strlen(path);
    while (start > path && start[-1] == '/')
        start--;
    for (int i = 0; i < parts && start > path; i++) {
        if (i > 0)
            start--;
        while (start > path && start[-1] != '/')
            start--;
    }
    return start;
}

static const char *
beside(struct rx_arena *arena, const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    const int n = slash != NULL ? (int)(slash - path) + 1 : 0;
    return rx_arena_printf(arena, "%.*s%s", n, path, name);
}

void
rx_source_name(struct rx_front *front)
{
    struct rx_arena *arena = &front->output->graph->arena;
    const struct rx_front_input *in = front->input;
    front->model = rx_arena_text(arena, shown(in->path, NAME_PARTS));
    front->lib = in->lib != NULL ? in->lib : beside(arena, in->path, "lib");
    front->lib_shown = in->lib != NULL ? rx_arena_text(arena, shown(in->lib, LIB_PARTS))
                                       : beside(arena, front->model, "lib");
}

// Reads at most the limit; returns the bytes, or -1 with errno. Only plain files: a pipe or a
// device might never end.
static ssize_t
read_bounded(const char *path, char *out, size_t size)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -1;
    struct stat st;
    ssize_t n = fstat(fd, &st);
    if (n == 0 && !S_ISREG(st.st_mode)) {
        errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
        n = -1;
    }
    size_t used = 0;
    while (n >= 0 && used < size) {
        n = read(fd, out + used, size - used);
        if (n < 0 && errno == EINTR)
            n = 0;
        else if (n <= 0)
            break;
        used += (size_t)n;
    }
    const int code = errno;
    close(fd);
    errno = code;
    return n < 0 ? -1 : (ssize_t)used;
}

// Pushes a file's text as a function. `name` is what messages call it.
static void
push_chunk(lua_State *L, const char *path, const char *name, int environment)
{
    char text[RX_LIMIT_SOURCE + 1];
    const ssize_t n = read_bounded(path, text, sizeof text);
    if (n < 0)
        rx_front_fail_at(L, path, "cannot be read: %s", strerror(errno));
    if (n > RX_LIMIT_SOURCE)
        rx_front_fail_at(L, name, "the file is longer than %d KB", RX_LIMIT_SOURCE >> 10);
    lua_pushfstring(L, "@%s", name);
    const int status = luaL_loadbufferx(L, text, (size_t)n, lua_tostring(L, -1), "t");
    if (status == LUA_ERRMEM)
        rx_front_fail_at(L, name, "limit: the file needs too much memory: make it shorter");
    if (status != LUA_OK)
        lua_error(L);
    lua_remove(L, -2);
    lua_pushvalue(L, environment);
    lua_setupvalue(L, -2, 1);
}

void
rx_source_push_model(lua_State *L, int environment)
{
    const struct rx_front *f = rx_front_of(L);
    push_chunk(L, f->input->path, f->model, environment);
}

// The x of "lib.x", checked.
static const char *
file_of(lua_State *L)
{
    size_t n = 0;
    const char *name = lua_type(L, 1) == LUA_TSTRING ? lua_tolstring(L, 1, &n) : "";
    static const char prefix[] = "lib.";
    const size_t skip = sizeof prefix - 1;
    if (n <= skip || strncmp(name, prefix, skip) != 0 || !rx_name_is_valid(name, n) ||
        strchr(name + skip, '.') != NULL)
        rx_front_fail(L, "require", "\"%.64s\": it takes \"lib.x\" for the file x.lua of %s", name,
                      rx_front_of(L)->lib_shown);
    return name + skip;
}

static lua_Integer
change_depth(lua_State *L, lua_Integer by)
{
    lua_getfield(L, LUA_REGISTRYINDEX, depth_key);
    const lua_Integer depth = lua_tointeger(L, -1) + by;
    lua_pushinteger(L, depth);
    lua_setfield(L, LUA_REGISTRYINDEX, depth_key);
    lua_pop(L, 1);
    return depth;
}

static int
word_require(lua_State *L)
{
    const struct rx_front *f = rx_front_of(L);
    const char *file = file_of(L);
    lua_settop(L, 1);
    lua_getfield(L, LUA_REGISTRYINDEX, loaded_key);
    lua_pushvalue(L, 1);
    if (lua_rawget(L, 2) == LUA_TLIGHTUSERDATA)
        rx_front_fail(L, "require",
                      "lib.%s needs itself: two files that need each other have a "
                      "third in common",
                      file);
    if (!lua_isnil(L, -1))
        return 1;
    if (change_depth(L, 1) > DEPTH_MAX)
        rx_front_fail(L, "require", "more than %d files that need each other", DEPTH_MAX);
    lua_pushvalue(L, 1);
    lua_pushlightuserdata(L, NULL);  // it is being loaded
    lua_rawset(L, 2);
    struct rx_arena *arena = &f->output->graph->arena;
    push_chunk(L, rx_arena_printf(arena, "%s/%s.lua", f->lib, file),
               rx_arena_printf(arena, "%s/%s.lua", f->lib_shown, file), lua_upvalueindex(1));
    lua_call(L, 0, 1);
    change_depth(L, -1);
    if (lua_isnil(L, -1))
        lua_pushboolean(L, 1);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, -2);
    lua_rawset(L, 2);
    return 1;
}

void
rx_source_add_require(lua_State *L, int environment)
{
    lua_newtable(L);
    lua_setfield(L, LUA_REGISTRYINDEX, loaded_key);
    lua_pushvalue(L, environment);
    lua_pushcclosure(L, word_require, 1);
    lua_setfield(L, -2, "require");
}
