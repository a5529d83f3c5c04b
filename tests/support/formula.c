// FNV-1a of the name, then splitmix64 of hash and index, the top 24 bits.
#include "tests/support/formula.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static uint64_t
hash_name(const char *name)
{
    uint64_t h = 0xCBF29CE484222325;
    for (; *name != '\0'; name++)
        h = (h ^ (unsigned char)*name) * 0x100000001B3;
    return h;
}

static double
uniform(uint64_t hash, int64_t index)
{
    uint64_t z = hash + ((uint64_t)index + 1) * 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    z = z ^ (z >> 31);
    return (double)(z >> 40) / 16777216.0;
}

double
rx_formula_uniform(const char *name, int64_t index)
{
    return uniform(hash_name(name), index);
}

static int
ends_with(const char *name, const char *end)
{
    const size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0;
}

float
rx_formula_parameter(const char *name, int rank, const int64_t *shape, int64_t index)
{
    const double u = rx_formula_uniform(name, index);
    if (rank == 4)
        return (float)((2 * u - 1) * sqrt(6.0 / (double)(shape[1] * shape[2] * shape[3])));
    if (strcmp(name, "fc.weight") == 0)
        return (float)((2 * u - 1) / sqrt((double)shape[1]));
    if (ends_with(name, "running_var"))
        return (float)(0.5 + u);
    if (ends_with(name, "bn3.weight"))
        return (float)(0.1 + 0.1 * u);
    if (ends_with(name, "weight"))
        return (float)(0.5 + 0.5 * u);
    return (float)(0.2 * (2 * u - 1));
}

float
rx_formula_clear_parameter(const char *name, int rank, const int64_t *shape, int64_t index)
{
    if (rank != 1 || strstr(name, "running") != NULL || strcmp(name, "fc.bias") == 0)
        return rx_formula_parameter(name, rank, shape, index);
    const double u = rx_formula_uniform(name, index);
    const int last = strstr(name, "bn3.") != NULL || strstr(name, "downsample") != NULL;
    if (ends_with(name, "weight"))
        return (float)(last ? 0.05 + 0.05 * u : 0.025 + 0.025 * u);
    const double size = 0.5 + 0.5 * (8 * u - floor(8 * u));
    return (float)(last ? 1 + u : u < 0.25 ? -size : size);
}

float
rx_formula_image(int64_t index)
{
    return (float)(3 * rx_formula_uniform("images", index) - 1.5);
}

int64_t
rx_formula_label(int64_t image, int classes)
{
    return (int64_t)(rx_formula_uniform("labels", image) * classes);
}

struct rx_formula_probe
rx_formula_probe(const char *name, const float *value, int64_t count)
{
    char seed[160];
    snprintf(seed, sizeof seed, "probe %s", name);
    const uint64_t hash = hash_name(seed);
    double square = 0, dot = 0;
    for (int64_t i = 0; i < count; i++) {
        square += (double)value[i] * value[i];
        dot += value[i] * (2 * uniform(hash, i) - 1);
    }
    return (struct rx_formula_probe){.norm = sqrt(square), .dot = dot};
}
