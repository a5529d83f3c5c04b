// libnvrtc.so.13 whose compiler is g++: its "cubin" is a shared library for the emulator.
#include <dlfcn.h>
#include <limits.h>
#include <nvrtc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fstream>
#include <regex>
#include <sstream>
#include <string>

#define API extern "C" __attribute__((visibility("default")))

// Of the emulator that compiled kernels run on.
extern "C" __attribute__((visibility("default"))) const char rx_emulator_build[] = EMU_BUILD;

struct _nvrtcProgram {
    std::string source, name, log, image;
};

// Every load and store is instrumented and none is merged, split or vectorised. Lines are known for
// messages, variables are not, which would double the time.
static const char *const FLAGS =
    "-std=c++17 -O2 -gdwarf-4 -g1 -fPIC -w -fsanitize=thread --param tsan-instrument-func-entry-exit=0 "
    "-fno-tree-vectorize -fno-tree-slp-vectorize -fno-store-merging -ffp-contract=off";

static std::string
own_folder(void)
{
    Dl_info info;
    dladdr((void *)own_folder, &info);
    char absolute[PATH_MAX];  // g++ runs in a folder of its own
    const std::string path = realpath(info.dli_fname, absolute) != nullptr ? absolute : "";
    const size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, slash);
}

static std::string
read_file(const std::string &path)
{
    std::ifstream file(path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

static void
write_file(const std::string &path, const std::string &text)
{
    std::ofstream(path, std::ios::binary) << text;
}

// g++ knows the pragma by another name. Unrolled, arrays of a thread are registers, which need no
// hooks.
static std::string
unrolled(const std::string &source)
{
    static const std::regex pragma("#pragma unroll(?=\\s*\n)");
    return std::regex_replace(source, pragma, "#pragma GCC unroll 32");
}

// An export for every kernel that the source defines.
static std::string
exports(const std::string &source)
{
    static const std::regex definition("__global__\\s+void\\s+(?:__launch_bounds__\\s*\\((?:[^()]|"
                                       "\\([^()]*\\))*\\)\\s*)?(\\w+)\\s*\\(");
    std::string text = "EMU_LIBRARY\n";
    for (std::sregex_iterator i(source.begin(), source.end(), definition), end; i != end; ++i)
        text += "EMU_EXPORT(" + (*i)[1].str() + ")\n";
    return text;
}

API const char *
nvrtcGetErrorString(nvrtcResult result)
{
    switch (result) {
    case NVRTC_SUCCESS:
        return "NVRTC_SUCCESS";
    case NVRTC_ERROR_COMPILATION:
        return "NVRTC_ERROR_COMPILATION";
    case NVRTC_ERROR_INVALID_OPTION:
        return "NVRTC_ERROR_INVALID_OPTION";
    default:
        return "NVRTC_ERROR_INTERNAL_ERROR";
    }
}

API nvrtcResult
nvrtcVersion(int *major, int *minor)
{
    *major = 13;
    *minor = 0;
    return NVRTC_SUCCESS;
}

API nvrtcResult
nvrtcCreateProgram(nvrtcProgram *program, const char *source, const char *name, int,
                   const char *const *, const char *const *)
{
    *program = new _nvrtcProgram{source, name != nullptr ? name : "kernel.cu", "", ""};
    return NVRTC_SUCCESS;
}

API nvrtcResult
nvrtcDestroyProgram(nvrtcProgram *program)
{
    delete *program;
    *program = nullptr;
    return NVRTC_SUCCESS;
}

static bool
known(const std::string &option)
{
    return option.rfind("--gpu-architecture=sm_", 0) == 0 || option.rfind("-arch=sm_", 0) == 0;
}

static int
compile(nvrtcProgram p, const std::string &folder)
{
    const size_t slash = p->name.rfind('/');
    const std::string base = slash == std::string::npos ? p->name : p->name.substr(slash + 1);
    write_file(folder + "/kernel.cc",
               "#line 1 \"" + base + "\"\n" + unrolled(p->source) + "\n" + exports(p->source));
    const std::string own = own_folder();
    // Linked by itself, without the sanitizer's own library: librxemu takes its place.
    const std::string command = "{ cd '" + folder + "' && g++ " + FLAGS + " -include '" + own +
                                "/kernel.h' -c kernel.cc && g++ -shared kernel.o -o kernel.so -L'" +
                                own + "' -lrxemu -Wl,-rpath,'" + own + "'; } > '" + folder +
                                "/log' 2>&1";
    const int status = system(command.c_str());
    p->log += read_file(folder + "/log");
    p->image = read_file(folder + "/kernel.so");
    return status;
}

API nvrtcResult
nvrtcCompileProgram(nvrtcProgram p, int n, const char *const *options)
{
    for (int i = 0; i < n; i++)
        if (!known(options[i])) {
            p->log = std::string("nvrtc: error: invalid value for option: ") + options[i] + "\n";
            return NVRTC_ERROR_INVALID_OPTION;
        }
    const char *parent = getenv("TMPDIR");
    std::string folder = std::string(parent != nullptr ? parent : "/tmp") + "/rxemu-XXXXXX";
    if (mkdtemp(&folder[0]) == nullptr)
        return NVRTC_ERROR_INTERNAL_ERROR;
    const int status = compile(p, folder);
    for (const char *name : {"kernel.cc", "kernel.o", "kernel.so", "log"})
        unlink((folder + "/" + name).c_str());
    rmdir(folder.c_str());
    return status == 0 ? NVRTC_SUCCESS : NVRTC_ERROR_COMPILATION;
}

API nvrtcResult
nvrtcGetProgramLogSize(nvrtcProgram p, size_t *bytes)
{
    *bytes = p->log.size() + 1;
    return NVRTC_SUCCESS;
}

API nvrtcResult
nvrtcGetProgramLog(nvrtcProgram p, char *log)
{
    memcpy(log, p->log.c_str(), p->log.size() + 1);
    return NVRTC_SUCCESS;
}

API nvrtcResult
nvrtcGetCUBINSize(nvrtcProgram p, size_t *bytes)
{
    *bytes = p->image.size();
    return NVRTC_SUCCESS;
}

API nvrtcResult
nvrtcGetCUBIN(nvrtcProgram p, char *image)
{
    memcpy(image, p->image.data(), p->image.size());
    return NVRTC_SUCCESS;
}
