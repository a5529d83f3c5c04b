// Finding templates, headers and the runtime library from where the program lies.
#include "gen/plan/locate.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int
join(char *to, const char *folder, const char *rest)
{
    const int n = snprintf(to, RX_PATH_CHARS, "%s%s", folder, rest);
    return n > 0 && n < RX_PATH_CHARS && access(to, R_OK) == 0;
}

static int
find(char *to, const char *folder, const char *const *rest, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (join(to, folder, rest[i]))
            return 1;
    return 0;
}

int
rx_locate(struct rx_location *location, struct rx_error *error)
{
    // A program in the build folder (tests) uses the library beside it before any other.
    static const char *const shares[] = {"", "/../..", "/../share/rxgen"};
    static const char *const libraries[] = {"/librxruntime.a", "/out/build/librxruntime.a",
                                            "/../share/rxgen/librxruntime.a"};
    char self[RX_PATH_CHARS];
    const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0)
        return rx_error_refused(error, "/proc/self/exe: cannot be read");
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    *slash = '\0';
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        char probe[RX_PATH_CHARS];
        snprintf(location->share, sizeof location->share, "%.4000s%s", self, shares[i]);
        if (join(location->templates, location->share, "/templates") &&
            join(probe, location->share, "/runtime/plan.h") &&
            find(location->library, self, libraries, sizeof libraries / sizeof libraries[0]))
            return RX_OK;
    }
    return rx_error_refused(error,
                            "%.900s: templates/ and librxruntime.a are neither beside rxgen "
                            "nor under ../share/rxgen: `make`, or `make install` anew",
                            self);
}
