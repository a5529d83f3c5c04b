// safetensors: what is written is read, and every way in which a file can be wrong is refused with
// a message that says so.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "runtime/base/file.h"
#include "runtime/base/text.h"
#include "runtime/safetensors.h"
#include "tests/support/folder.h"

#define U4(name, begin, end)                                                                       \
    "\"" name "\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[" begin "," end "]}"

// A header and how many bytes of data follow it.
struct malformed {
    const char *header;
    size_t n_data;
    const char *message;  // part of it
};

static const struct malformed malformed[] = {
    {"", 0, "does not start with '{'"},
    {"[]", 0, "does not start with '{'"},
    {" {}", 0, "does not start with '{'"},
    {"{", 0, "not valid JSON"},
    {"{} x", 0, "not valid JSON"},
    {"{\"a\":1e999}", 0, "not valid JSON"},
    {"{\"\\u0000\":{}}", 0, "not valid JSON"},
    {"{\"\xff\":{}}", 0, "not valid JSON"},
    {"{" U4("a", "0", "4") "," U4("a", "4", "8") "}", 8, "duplicate"},
    {"{\"a\":[]}", 0, "a: its entry is not an object"},
    {"{\"a\\n\":{}}", 0, "tensor 0 has control characters"},
    {"{\"a\":{\"shape\":[4],\"data_offsets\":[0,4]}}", 4, "a: dtype is missing"},
    {"{\"a\":{\"dtype\":7,\"shape\":[4],\"data_offsets\":[0,4]}}", 4, "dtype is missing or not"},
    {"{\"a\":{\"dtype\":\"U9\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4, "unknown dtype U9"},
    {"{\"a\":{\"dtype\":\"u8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4, "unknown dtype u8"},
    {"{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,4]}}", 4, "a: shape is missing"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":4,\"data_offsets\":[0,4]}}", 4, "not an array"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[-4],\"data_offsets\":[0,4]}}", 4, "shape[0] is not"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4.0],\"data_offsets\":[0,4]}}", 4, "shape[0] is not"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1,\"4\"],\"data_offsets\":[0,4]}}", 4, "shape[1] is not"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,4],\"data_offsets\":[0,4]}}", 4,
     "9 dimensions: at most 8"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0,
     "overflows 64 bits at shape[1]"},
    {"{\"a\":{\"dtype\":\"F64\",\"shape\":[2305843009213693952],\"data_offsets\":[0,0]}}", 0,
     "size overflows"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4]}}", 4, "data_offsets is not an array of two"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4]}}", 4, "array of two"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4,8]}}", 8, "array of two"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4.0]}}", 4, "array of two"},
    {"{" U4("a", "-4", "0") "}", 4, "[-4, 0] are not inside the 4 bytes"},
    {"{" U4("a", "4", "0") "}", 4, "[4, 0] are not inside"},
    {"{" U4("a", "0", "4") "}", 3, "[0, 4] are not inside the 3 bytes"},
    {"{" U4("a", "0", "9223372036854775807") "}", 4, "are not inside"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4,
     "hold 4 bytes: dtype and shape ask for 16"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,8]}}", 8,
     "hold 8 bytes: dtype and shape ask for 4"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4],\"more\":1}}", 4,
     "fields besides"},
    {"{" U4("a", "0", "4") "," U4("b", "2", "6") "}", 6, "b: its data at byte 2 overlap"},
    {"{" U4("a", "0", "4") "," U4("b", "0", "4") "}", 4, "overlap"},
    {"{" U4("a", "0", "4") "," U4("b", "6", "10") "}", 10, "b: its data at byte 6 leave a gap"},
    {"{" U4("a", "1", "5") "}", 5, "a: its data at byte 1 leave a gap after byte 0"},
    {"{" U4("a", "0", "4") "}", 7, "3 bytes follow"},
    {"{}", 1, "1 bytes follow"},
    {"{\"__metadata__\":[]}", 0, "__metadata__ is not an object"},
    {"{\"__metadata__\":{\"epoch\":3}}", 0, "epoch is not a string"},
};

static void
add_length(struct rx_text *text, uint64_t length)
{
    rx_text_add_bytes(text, &length, sizeof length);
}

static void
build(struct rx_text *text, const char *header, size_t n_data)
{
    rx_text_clear(text);
    add_length(text, strlen(header));
    rx_text_add(text, header);
    for (size_t i = 0; i < n_data; i++)
        rx_text_add_bytes(text, "\x2a", 1);
}

// Parses a copy of exactly n bytes, so that a sanitizer sees any step outside.
static int
parse(const void *bytes, size_t n, struct rx_error *error)
{
    void *copy = malloc(n > 0 ? n : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, n);
    struct rx_safetensors file = {0};
    const int status = rx_safetensors_parse(&file, "w.safetensors", copy, n, error);
    if (status == RX_OK)
        rx_safetensors_close(&file);
    assert_null(file.tensor);
    assert_null(file.header);
    free(copy);
    return status;
}

static void
refuses_malformed_headers(void **state)
{
    (void)state;
    struct rx_text text = {0};
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        struct rx_error error = {0};
        build(&text, malformed[i].header, malformed[i].n_data);
        const int status = parse(text.s, text.n, &error);
        if (status != RX_USER || strstr(error.text, malformed[i].message) == NULL ||
            strncmp(error.text, "w.safetensors: ", 15) != 0)
            fail_msg("%s: %d \"%s\" without \"%s\"", malformed[i].header, status, error.text,
                     malformed[i].message);
    }
    rx_text_close(&text);
}

static void
refuses_wrong_lengths(void **state)
{
    (void)state;
    struct rx_error error = {0};
    assert_int_equal(parse("", 0, &error), RX_USER);
    assert_non_null(strstr(error.text, "is 0 bytes long"));
    error = (struct rx_error){0};
    assert_int_equal(parse("\x02\0\0\0\0\0\0", 7, &error), RX_USER);
    assert_non_null(strstr(error.text, "is 7 bytes long"));
    static const uint64_t lengths[] = {3, 100000001, UINT64_C(1) << 63, UINT64_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct rx_text text = {0};
        add_length(&text, lengths[i]);
        rx_text_add(&text, "{}");
        error = (struct rx_error){0};
        assert_int_equal(parse(text.s, text.n, &error), RX_USER);
        assert_non_null(strstr(error.text, "at most 2 fit"));
        rx_text_close(&text);
    }
}

// Also a header inside the file may not pass the limit of 100 MB.
static void
refuses_a_huge_header(void **state)
{
    (void)state;
    const uint64_t length = 100000001;
    char *bytes = calloc(1, sizeof length + length);
    assert_non_null(bytes);
    memcpy(bytes, &length, sizeof length);
    struct rx_safetensors file = {0};
    struct rx_error error = {0};
    const size_t n = sizeof length + length;
    assert_int_equal(rx_safetensors_parse(&file, "w.safetensors", bytes, n, &error), RX_USER);
    assert_non_null(strstr(error.text, "100000000 is the limit"));
    free(bytes);
}

// A good file cut at every length is refused.
static void
refuses_every_truncation(void **state)
{
    (void)state;
    struct rx_text text = {0};
    build(&text, "{\"__metadata__\":{\"k\":\"v\"}," U4("a", "0", "4") "}", 4);
    struct rx_error error = {0};
    assert_int_equal(parse(text.s, text.n, &error), RX_OK);
    for (size_t n = 0; n < text.n; n++) {
        error = (struct rx_error){0};
        assert_int_equal(parse(text.s, n, &error), RX_USER);
    }
    rx_text_close(&text);
}

static void
refuses_what_is_no_file(void **state)
{
    const struct rx_test_folder *folder = *state;
    char path[RX_FOLDER_CHARS];
    struct rx_safetensors file = {0};
    struct rx_error error = {0};
    rx_test_folder_file(folder, "none", path);
    assert_int_equal(rx_safetensors_open(&file, path, &error), RX_USER);
    assert_non_null(strstr(error.text, "none: cannot be opened: No such file"));
    error = (struct rx_error){0};
    assert_int_equal(rx_safetensors_open(&file, folder->path, &error), RX_USER);
    assert_non_null(strstr(error.text, "is not a regular file"));
    assert_int_equal(mkfifo(path, 0600), 0);
    error = (struct rx_error){0};
    assert_int_equal(rx_safetensors_open(&file, path, &error), RX_USER);
    assert_non_null(strstr(error.text, "is not a regular file"));
    remove(path);
    rx_test_folder_write(path, "", 0);
    error = (struct rx_error){0};
    assert_int_equal(rx_safetensors_open(&file, path, &error), RX_USER);
    assert_non_null(strstr(error.text, "is 0 bytes long"));
}

// What other writers may do: space around the JSON, any order of fields, tensors and data, empty
// tensors, scalars.
static void
accepts_other_writers(void **state)
{
    (void)state;
    static const char header[] =
        "{ \"b\" : {\"data_offsets\":[4,8], \"shape\":[4], \"dtype\":\"I8\"},\n"
        " \"empty\":{\"dtype\":\"F32\",\"shape\":[0,3],\"data_offsets\":[4,4]},"
        " \"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},"
        " \"__metadata__\":{\"format\":\"pt\"} }   ";
    struct rx_text text = {0};
    build(&text, header, 8);
    struct rx_safetensors file = {0};
    struct rx_error error = {0};
    assert_int_equal(rx_safetensors_parse(&file, "x", text.s, text.n, &error), RX_OK);
    assert_int_equal(file.n, 3);
    assert_string_equal(file.tensor[0].name, "a");
    assert_string_equal(file.tensor[1].name, "empty");
    assert_string_equal(file.tensor[2].name, "b");
    const struct rx_safetensor *a = rx_safetensors_find(&file, "a");
    assert_int_equal(a->rank, 0);
    assert_int_equal(a->count, 1);
    assert_int_equal(a->bytes, 4);
    assert_int_equal(rx_safetensors_find(&file, "empty")->bytes, 0);
    assert_ptr_equal(rx_safetensors_find(&file, "b")->data, text.s + text.n - 4);
    assert_null(rx_safetensors_find(&file, "c"));
    assert_null(rx_safetensors_find(&file, "__metadata__"));
    assert_string_equal(rx_safetensors_metadata(&file, "format"), "pt");
    assert_null(rx_safetensors_metadata(&file, "epoch"));
    rx_safetensors_close(&file);
    build(&text, "{}", 0);
    assert_int_equal(rx_safetensors_parse(&file, "x", text.s, text.n, &error), RX_OK);
    assert_int_equal(file.n, 0);
    rx_safetensors_close(&file);
    rx_text_close(&text);
}

static void
fill_halves(void *context, int entry, void *out)
{
    int *asked = context;
    asked[entry]++;
    float *x = out;
    for (int i = 0; i < 6; i++)
        x[i] = (float)i * 0.5f;
}

static const uint8_t three_bytes[3] = {1, 2, 3};
static const int64_t scalar = -7;

static int
write_sample(const char *path, int asked[3], struct rx_error *error)
{
    const struct rx_safetensors_entry entry[3] = {
        {.name = "bytes", .dtype = "U8", .rank = 1, .shape = {3}, .data = three_bytes},
        {.name = "layer1.0.conv/x", .dtype = "F32", .rank = 2, .shape = {2, 3}},
        {.name = "n", .dtype = "I64", .rank = 0, .data = &scalar},
    };
    const struct rx_metadata metadata[] = {{"epoch", "3"},
                                           {"recipe", "{\"lr\": \"0,1 \xc3\xa9\"}"}};
    const struct rx_safetensors_content content = {.n = 3,
                                                   .entry = entry,
                                                   .fill = fill_halves,
                                                   .context = asked,
                                                   .n_metadata = 2,
                                                   .metadata = metadata};
    return rx_safetensors_write(path, &content, error);
}

static void
reads_what_it_writes(void **state)
{
    char path[RX_FOLDER_CHARS];
    rx_test_folder_file(*state, "w", path);
    int asked[3] = {0};
    struct rx_error error = {0};
    assert_int_equal(write_sample(path, asked, &error), RX_OK);
    assert_int_equal(asked[0], 0);
    assert_int_equal(asked[1], 1);
    struct rx_safetensors file = {0};
    assert_int_equal(rx_safetensors_open(&file, path, &error), RX_OK);
    assert_int_equal(file.n, 3);
    assert_string_equal(file.path, path);
    assert_memory_equal(rx_safetensors_find(&file, "bytes")->data, three_bytes, 3);
    assert_memory_equal(rx_safetensors_find(&file, "n")->data, &scalar, sizeof scalar);
    const struct rx_safetensor *x = rx_safetensors_find(&file, "layer1.0.conv/x");
    assert_int_equal(x->rank, 2);
    assert_int_equal(x->shape[1], 3);
    const float *value = x->data;
    for (int i = 0; i < 6; i++)
        assert_true(value[i] == (float)i * 0.5f);
    assert_string_equal(rx_safetensors_metadata(&file, "epoch"), "3");
    assert_string_equal(rx_safetensors_metadata(&file, "recipe"), "{\"lr\": \"0,1 \xc3\xa9\"}");
    // Other readers map the file and want elements aligned.
    for (int i = 0; i < file.n; i++) {
        const uintptr_t width = (uintptr_t)rx_safetensors_dtype_bytes(file.tensor[i].dtype);
        assert_int_equal((uintptr_t)file.tensor[i].data % width, 0);
    }
    rx_safetensors_close(&file);
}

static void
writes_the_same_bytes_again(void **state)
{
    char first[RX_FOLDER_CHARS], second[RX_FOLDER_CHARS];
    rx_test_folder_file(*state, "1", first);
    rx_test_folder_file(*state, "2", second);
    int asked[3] = {0};
    struct rx_error error = {0};
    assert_int_equal(write_sample(first, asked, &error), RX_OK);
    assert_int_equal(write_sample(second, asked, &error), RX_OK);
    struct rx_text a = {0}, b = {0};
    assert_int_equal(rx_file_read(first, &a, &error), RX_OK);
    assert_int_equal(rx_file_read(second, &b, &error), RX_OK);
    assert_int_equal(a.n, b.n);
    assert_memory_equal(a.s, b.s, a.n);
    uint64_t length;
    memcpy(&length, a.s, sizeof length);
    assert_int_equal(length % 8, 0);
    // Metadata first, then the entries in the caller's order.
    static const char start[] = "{\"__metadata__\":{\"epoch\":\"3\",\"recipe\":";
    assert_memory_equal(a.s + sizeof length, start, sizeof start - 1);
    assert_true(strstr(a.s + 8, "\"bytes\":") < strstr(a.s + 8, "\"layer1.0.conv/x\":"));
    rx_text_close(&a);
    rx_text_close(&b);
}

static void
reports_what_cannot_be_written(void **state)
{
    char path[RX_FOLDER_CHARS];
    int asked[3] = {0};
    struct rx_error error = {0};
    rx_test_folder_file(*state, "none/w", path);
    assert_int_equal(write_sample(path, asked, &error), RX_REFUSED);
    assert_non_null(strstr(error.text, "cannot be written"));
    const struct rx_metadata broken = {"key", "\xff"};
    const struct rx_safetensors_content content = {.n_metadata = 1, .metadata = &broken};
    error = (struct rx_error){0};
    rx_test_folder_file(*state, "w", path);
    assert_int_equal(rx_safetensors_write(path, &content, &error), RX_USER);
    assert_non_null(strstr(error.text, "metadata key: is not UTF-8"));
    struct stat st;
    assert_int_not_equal(stat(path, &st), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_malformed_headers), cmocka_unit_test(refuses_wrong_lengths),
        cmocka_unit_test(refuses_a_huge_header),     cmocka_unit_test(refuses_every_truncation),
        WITH_FOLDER(refuses_what_is_no_file),        cmocka_unit_test(accepts_other_writers),
        WITH_FOLDER(reads_what_it_writes),           WITH_FOLDER(writes_the_same_bytes_again),
        WITH_FOLDER(reports_what_cannot_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
