// Data sources: Fashion-MNIST, synthetic images, tensors; what is wrong with a source is
// said.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include <cmocka.h>

#include "runtime/base/text.h"
#include "runtime/data/data.h"
#include "runtime/data/source.h"
#include "runtime/safetensors.h"
#include "tests/support/folder.h"
#include "tests/support/idx_file.h"

// The tiny set that the tests write: images of 2x3, pixel values counted up.
enum { H = RX_IDX_FILE_H, W = RX_IDX_FILE_W, CLASSES = 4, TRAIN = 5, VAL = 3 };

static const struct rx_data_shape tiny = {.h = H, .w = W, .c = 1, .classes = CLASSES};

static void
write_set(const struct rx_test_folder *folder)
{
    char path[RX_FOLDER_CHARS];
    struct rx_text text = {0};
    rx_idx_file_images(&text, TRAIN);
    rx_idx_file_gzip(rx_test_folder_file(folder, "train-images-idx3-ubyte.gz", path), &text);
    rx_idx_file_labels(&text, TRAIN, CLASSES);
    rx_idx_file_gzip(rx_test_folder_file(folder, "train-labels-idx1-ubyte.gz", path), &text);
    rx_idx_file_images(&text, VAL);
    rx_idx_file_gzip(rx_test_folder_file(folder, "t10k-images-idx3-ubyte.gz", path), &text);
    rx_idx_file_labels(&text, VAL, CLASSES);
    rx_idx_file_gzip(rx_test_folder_file(folder, "t10k-labels-idx1-ubyte.gz", path), &text);
    rx_text_close(&text);
}

static int
open_spec(const char *spec, const struct rx_data_shape *shape, const struct rx_recipe *recipe,
          struct rx_data **data, struct rx_error *error)
{
    static const struct rx_recipe plain;
    *data = NULL;
    *error = (struct rx_error){0};
    return rx_data_open(spec, shape, recipe != NULL ? recipe : &plain, data, error);
}

static void
refuse_spec(const char *spec, const struct rx_data_shape *shape, const char *message)
{
    struct rx_data *data;
    struct rx_error error;
    const int status = open_spec(spec, shape, NULL, &data, &error);
    if (status != RX_USER || data != NULL || strstr(error.text, message) == NULL)
        fail_msg("%s: %d \"%s\" without \"%s\"", spec, status, error.text, message);
}

static void
specs_that_are_unknown(void **state)
{
    (void)state;
    refuse_spec("mnist", &tiny,
                "--data mnist: unknown data source: known are fashion-mnist[:DIR], "
                "synthetic[:N], tensors:FILE.safetensors");
    refuse_spec("", &tiny, "unknown data source");
    refuse_spec("synthetic2", &tiny, "unknown data source");
    refuse_spec("synth", &tiny, "unknown data source");
    static const char *const later[] = {"cifar10:x", "cifar100:x", "imagenet:x", "folder:x",
                                        "shards:x"};
    for (size_t i = 0; i < sizeof later / sizeof later[0]; i++)
        refuse_spec(later[i], &tiny, "comes with a later version");
}

// --- Fashion-MNIST ---

static void
fashion_reads_and_normalises(void **state)
{
    const struct rx_test_folder *folder = *state;
    write_set(folder);
    char spec[RX_FOLDER_CHARS + 16];
    snprintf(spec, sizeof spec, "fashion-mnist:%s", folder->path);
    const struct rx_recipe recipe = {.n_mean = 1, .mean = {0.25}, .std = {0.5}};
    struct rx_data *data;
    struct rx_error error;
    assert_int_equal(open_spec(spec, &tiny, &recipe, &data, &error), RX_OK);
    assert_int_equal(rx_data_count(data, RX_SPLIT_TRAIN), TRAIN);
    assert_int_equal(rx_data_count(data, RX_SPLIT_VAL), VAL);
    assert_int_equal(rx_data_bytes(data), (TRAIN + VAL) * (H * W + 4));
    float image[H * W];
    assert_int_equal(data->read(data, RX_SPLIT_TRAIN, 4, image, &error), RX_OK);
    for (int i = 0; i < H * W; i++)
        assert_true(image[i] == (float)(((4 * H * W + i) / 255.0 - 0.25) / 0.5));
    assert_int_equal(data->labels[RX_SPLIT_TRAIN][4], 0);
    assert_int_equal(data->labels[RX_SPLIT_VAL][2], 2);
    rx_data_close(data);
}

// Not all classes of the network must occur, but none may lie outside.
static void
fashion_refuses_what_does_not_fit(void **state)
{
    const struct rx_test_folder *folder = *state;
    char spec[RX_FOLDER_CHARS + 16], path[RX_FOLDER_CHARS];
    snprintf(spec, sizeof spec, "fashion-mnist:%s", folder->path);
    write_set(folder);
    const struct rx_data_shape wide = {.h = H, .w = 4, .c = 1, .classes = CLASSES};
    refuse_spec(spec, &wide, "images are 2x3x1 (height, width, channels): the network takes 2x4x1");
    const struct rx_data_shape colour = {.h = H, .w = W, .c = 3, .classes = CLASSES};
    refuse_spec(spec, &colour, "the network takes 2x3x3");
    const struct rx_data_shape few = {.h = H, .w = W, .c = 1, .classes = 3};
    refuse_spec(spec, &few, "label 3 of image 3 is outside the network's classes: 0 to 2");
    struct rx_data *data;
    struct rx_error error;
    const struct rx_recipe colours = {.n_mean = 3, .std = {1, 1, 1}};
    assert_int_equal(open_spec(spec, &tiny, &colours, &data, &error), RX_USER);
    assert_non_null(strstr(error.text, "have 3 channels: the images have 1"));
    struct rx_text text = {0};
    rx_idx_file_labels(&text, VAL + 1, CLASSES);
    rx_idx_file_gzip(rx_test_folder_file(folder, "t10k-labels-idx1-ubyte.gz", path), &text);
    refuse_spec(spec, &tiny, "holds 4 labels: there are 3 images");
    remove(path);
    refuse_spec(spec, &tiny, "t10k-labels-idx1-ubyte.gz: cannot be opened: No such file");
    rx_idx_file_images(&text, 0);
    rx_idx_file_gzip(rx_test_folder_file(folder, "train-images-idx3-ubyte.gz", path), &text);
    refuse_spec(spec, &tiny, "holds no images");
    refuse_spec("fashion-mnist:/nonexistent", &tiny,
                "no folder /nonexistent: apt-get install dataset-fashion-mnist, or "
                "fashion-mnist:DIR");
    rx_text_close(&text);
}

// The package's files, where it is installed: 60000 and 10000 images, all classes equally often.
static void
fashion_reads_the_package(void **state)
{
    (void)state;
    struct stat st;
    if (stat("/usr/share/datasets/fashion-mnist", &st) != 0)
        skip();
    const struct rx_data_shape shape = {.h = 28, .w = 28, .c = 1, .classes = 10};
    struct rx_data *data;
    struct rx_error error;
    assert_int_equal(open_spec("fashion-mnist", &shape, NULL, &data, &error), RX_OK);
    assert_int_equal(rx_data_count(data, RX_SPLIT_TRAIN), 60000);
    assert_int_equal(rx_data_count(data, RX_SPLIT_VAL), 10000);
    int n[10] = {0};
    for (int i = 0; i < 60000; i++)
        n[data->labels[RX_SPLIT_TRAIN][i]]++;
    for (int i = 0; i < 10; i++)
        assert_int_equal(n[i], 6000);
    rx_data_close(data);
}

// --- synthetic ---

static double
distance(const float *a, const float *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    return sum / (double)n;
}

// Images of one class are near each other: their noise differs by 2 * 0.5^2 / 3 = 0.17 in mean
// square, over 3072 elements to about 2 %. Two classes' waves differ by about 1 on top of that.
static void
synthetic_classes_are_apart(void **state)
{
    (void)state;
    enum { N = 32 * 32 * 3, N_CLASSES = 10 };
    const struct rx_data_shape shape = {.h = 32, .w = 32, .c = 3, .classes = N_CLASSES};
    struct rx_data *data;
    struct rx_error error;
    assert_int_equal(open_spec("synthetic:40", &shape, NULL, &data, &error), RX_OK);
    assert_int_equal(rx_data_count(data, RX_SPLIT_TRAIN), 40);
    assert_int_equal(rx_data_count(data, RX_SPLIT_VAL), 40);
    static float image[2 * N_CLASSES][N], val[N], again[N];
    for (int i = 0; i < 2 * N_CLASSES; i++) {
        assert_int_equal(data->labels[RX_SPLIT_TRAIN][i], i % N_CLASSES);
        data->read(data, RX_SPLIT_TRAIN, i, image[i], &error);
    }
    for (int i = 0; i < N_CLASSES; i++)
        for (int k = 0; k < N_CLASSES; k++) {
            const double d = distance(image[i], image[N_CLASSES + k], N);
            assert_true(i == k ? d > 0.15 && d < 0.19 : d > 0.3);
        }
    // The two splits share classes, not images; reading again gives the same.
    data->read(data, RX_SPLIT_VAL, 0, val, &error);
    const double d = distance(image[0], val, N);
    assert_true(d > 0.15 && d < 0.19);
    data->read(data, RX_SPLIT_VAL, 0, again, &error);
    assert_memory_equal(val, again, sizeof val);
    rx_data_close(data);
}

static void
synthetic_counts(void **state)
{
    (void)state;
    struct rx_data *data;
    struct rx_error error;
    assert_int_equal(open_spec("synthetic", &tiny, NULL, &data, &error), RX_OK);
    assert_int_equal(rx_data_count(data, RX_SPLIT_TRAIN), 1024);
    rx_data_close(data);
    static const char *const wrong[] = {"synthetic:",
                                        "synthetic:0",
                                        "synthetic:-1",
                                        "synthetic:x",
                                        "synthetic:1x",
                                        "synthetic:1.5",
                                        "synthetic:99999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        refuse_spec(wrong[i], &tiny, "not a number of images: 1 to");
}

// --- tensors ---

enum { N_TENSORS = 2, C = 2 };

static const struct rx_data_shape pair = {.h = H, .w = W, .c = C, .classes = CLASSES};

static const struct rx_safetensors_entry good_images = {
    .name = "images", .dtype = "F32", .rank = 4, .shape = {N_TENSORS, C, H, W}};
static const struct rx_safetensors_entry good_labels = {
    .name = "labels", .dtype = "I64", .rank = 1, .shape = {N_TENSORS}};

// Images count up; labels are 3, 0.
static void
write_tensors(const char *path, struct rx_safetensors_entry images,
              struct rx_safetensors_entry labels, int64_t first_label)
{
    static float image[8 * C * H * W];
    static int64_t label[8];
    for (int i = 0; i < 8 * C * H * W; i++)
        image[i] = (float)i;
    label[0] = first_label;
    images.data = image;
    labels.data = label;
    const struct rx_safetensors_entry entry[] = {images, labels};
    const struct rx_safetensors_content content = {.n = 2, .entry = entry};
    struct rx_error error = {0};
    assert_int_equal(rx_safetensors_write(path, &content, &error), RX_OK);
}

static void
tensors_are_used_as_they_are(void **state)
{
    char path[RX_FOLDER_CHARS], spec[RX_FOLDER_CHARS + 16];
    snprintf(spec, sizeof spec, "tensors:%s", rx_test_folder_file(*state, "t", path));
    write_tensors(path, good_images, good_labels, 3);
    const struct rx_recipe recipe = {
        .n_mean = 2, .mean = {0.5, 0.5}, .std = {0.1, 0.1}, .crop_pad = 1, .flip = 1};
    struct rx_data *data;
    struct rx_error error;
    assert_int_equal(open_spec(spec, &pair, &recipe, &data, &error), RX_OK);
    assert_int_equal(data->fixed, 1);
    for (int split = 0; split < RX_SPLITS; split++) {
        const enum rx_split which = split == 0 ? RX_SPLIT_TRAIN : RX_SPLIT_VAL;
        assert_int_equal(rx_data_count(data, which), N_TENSORS);
        assert_int_equal(data->labels[split][0], 3);
        assert_int_equal(data->labels[split][1], 0);
        float image[H * W * C];
        assert_int_equal(data->read(data, which, 1, image, &error), RX_OK);
        for (int h = 0; h < H; h++)
            for (int w = 0; w < W; w++)
                for (int c = 0; c < C; c++)
                    assert_true(image[(h * W + w) * C + c] == (float)(((C + c) * H + h) * W + w));
    }
    rx_data_close(data);
}

static void
tensors_that_do_not_fit(void **state)
{
    char path[RX_FOLDER_CHARS], spec[RX_FOLDER_CHARS + 16];
    snprintf(spec, sizeof spec, "tensors:%s", rx_test_folder_file(*state, "t", path));
    refuse_spec(spec, &pair, "cannot be opened");
    refuse_spec("tensors", &pair, "names no file");
    refuse_spec("tensors:", &pair, "names no file");
    write_tensors(path, good_images, good_labels, 4);
    refuse_spec(spec, &pair, "label 4 of image 0 is outside the network's classes: 0 to 3");
    write_tensors(path, good_images, good_labels, -1);
    refuse_spec(spec, &pair, "label -1 of image 0");
    write_tensors(path, good_images, good_labels, INT64_C(1) << 32);
    refuse_spec(spec, &pair, "label 4294967296 of image 0");
    write_tensors(path, good_images, good_labels, 0);
    refuse_spec(spec, &tiny, "images are 2x3x2 (height, width, channels): the network takes 2x3x1");
    struct rx_safetensors_entry entry = good_images;
    entry.name = "pictures";
    write_tensors(path, entry, good_labels, 0);
    refuse_spec(spec, &pair, "images: the tensor is missing");
    entry = good_images;
    entry.dtype = "I32";
    write_tensors(path, entry, good_labels, 0);
    refuse_spec(spec, &pair, "images: is I32 with 4 dimensions: F32 [N,C,H,W]");
    entry = good_images;
    entry.rank = 3;
    write_tensors(path, entry, good_labels, 0);
    refuse_spec(spec, &pair, "images: is F32 with 3 dimensions");
    entry = good_images;
    entry.shape[0] = 0;
    write_tensors(path, entry, good_labels, 0);
    refuse_spec(spec, &pair, "holds no images");
    entry = good_labels;
    entry.name = "targets";
    write_tensors(path, good_images, entry, 0);
    refuse_spec(spec, &pair, "labels: the tensor is missing");
    entry = good_labels;
    entry.dtype = "I32";
    write_tensors(path, good_images, entry, 0);
    refuse_spec(spec, &pair, "labels: is I32 with 1 dimensions");
    entry = good_labels;
    entry.shape[0] = 3;
    write_tensors(path, good_images, entry, 0);
    refuse_spec(spec, &pair, "holds 3 labels: there are 2 images");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(specs_that_are_unknown),       WITH_FOLDER(fashion_reads_and_normalises),
        WITH_FOLDER(fashion_refuses_what_does_not_fit), cmocka_unit_test(fashion_reads_the_package),
        cmocka_unit_test(synthetic_classes_are_apart),  cmocka_unit_test(synthetic_counts),
        WITH_FOLDER(tensors_are_used_as_they_are),      WITH_FOLDER(tensors_that_do_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
