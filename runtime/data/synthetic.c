// Synthetic images: no file, any size, and a network can learn them. Image i is of class
// i % classes; a class is a wave across the image, with its own frequencies and a phase for each
// channel, under uniform noise.
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "runtime/base/memory.h"
#include "runtime/data/source.h"
#include "runtime/random.h"

enum { DEFAULT_IMAGES = 1024, IMAGES_MAX = 1 << 30 };

// The images are the same for every run: another seed draws others in another order.
static const uint64_t seed = 1;

// Streams of random numbers: of classes, of the phases of channels, then one for each image.
enum { STREAM_FREQUENCY, STREAM_PHASE, STREAM_IMAGES };

static const double frequency_max = 4.0;    // waves across the image
static const double noise_amplitude = 0.5;  // beside a wave of amplitude 1

struct wave {
    double across, down;  // radians a pixel
};

static struct wave
wave_of(const struct rx_data *data, int class)
{
    const uint64_t first = 2 * (uint64_t) class;
    const double u = rx_random_uniform(seed, STREAM_FREQUENCY, first);
    const double v = rx_random_uniform(seed, STREAM_FREQUENCY, first + 1);
    return (struct wave){.across = 2.0 * M_PI * frequency_max * u / data->shape.w,
                         .down = 2.0 * M_PI * frequency_max * v / data->shape.h};
}

// Uniform in [-1, 1) from one word.
static double
noise_of(uint32_t word)
{
    return (double)word * 0x1p-31 - 1.0;
}

static void
add_noise(float *image, int64_t n, uint64_t stream)
{
    for (int64_t i = 0; i < n; i += RX_RANDOM_WORDS) {
        uint32_t word[RX_RANDOM_WORDS];
        rx_random_block(seed, stream, (uint64_t)i, word);
        for (int k = 0; k < RX_RANDOM_WORDS && i + k < n; k++)
            image[i + k] += (float)(noise_amplitude * noise_of(word[k]));
    }
}

static int
read_image(const struct rx_data *data, enum rx_split split, int64_t index, float *image,
           struct rx_error *error)
{
    (void)error;
    const struct rx_data_shape *s = &data->shape;
    const int class = data->labels[split][index];
    const struct wave wave = wave_of(data, class);
    for (int c = 0; c < s->c; c++) {
        const uint64_t channel = (uint64_t) class * (uint64_t)s->c + (uint64_t)c;
        const double phase = 2.0 * M_PI * rx_random_uniform(seed, STREAM_PHASE, channel);
        for (int h = 0; h < s->h; h++)
            for (int w = 0; w < s->w; w++)
                image[((int64_t)h * s->w + w) * s->c + c] =
                    cosf((float)(wave.across * w + wave.down * h + phase));
    }
    const uint64_t number = (uint64_t)index * RX_SPLITS + (uint64_t)split;
    add_noise(image, rx_data_elements(data), STREAM_IMAGES + number);
    return RX_OK;
}

int
rx_synthetic_open(struct rx_data *data, const char *argument, struct rx_error *error)
{
    int64_t n = DEFAULT_IMAGES;
    if (argument != NULL) {
        char *end;
        errno = 0;
        n = strtoll(argument, &end, 10);
        if (errno != 0 || end == argument || *end != '\0' || n < 1 || n > IMAGES_MAX)
            return rx_error_user(error, "--data synthetic:%.40s: not a number of images: 1 to %d",
                                 argument, IMAGES_MAX);
    }
    data->read = read_image;
    for (int split = 0; split < RX_SPLITS; split++) {
        data->count[split] = n;
        data->labels[split] = rx_memory_alloc((size_t)n * sizeof *data->labels[split]);
        for (int64_t i = 0; i < n; i++)
            data->labels[split][i] = (int32_t)(i % data->shape.classes);
    }
    return RX_OK;
}
