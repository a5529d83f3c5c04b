// Command lines of the generated programs: every kind of value, every way to be wrong, settings as
// JSON and back.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/data/data.h"
#include "runtime/options.h"
#include "tests/support/tiny_plan.h"

enum { WORDS_MAX = 64, LINE_CHARS = 1024 };

// Parses a line of words. The settings' texts point into `line`.
static int
parse(enum rx_command command, char line[LINE_CHARS], struct rx_settings *s, struct rx_error *error)
{
    char *argv[WORDS_MAX + 1] = {"program"};
    int argc = 1;
    for (char *word = strtok(line, " "); word != NULL; word = strtok(NULL, " "))
        argv[argc++] = word;
    *error = (struct rx_error){0};
    return rx_settings_parse(command, &rx_tiny_plan, argc, argv, s, error);
}

static struct rx_settings
parse_ok(enum rx_command command, const char *text, char line[LINE_CHARS])
{
    struct rx_settings s;
    struct rx_error error;
    snprintf(line, LINE_CHARS, "%s", text);
    if (parse(command, line, &s, &error) != RX_OK)
        fail_msg("%s: %s", text, error.text);
    return s;
}

static void
test_defaults_come_from_the_recipe(void **state)
{
    (void)state;
    char line[LINE_CHARS];
    const struct rx_settings s = parse_ok(RX_COMMAND_TRAIN, "", line);
    assert_int_equal(s.recipe.batch, 16);
    assert_int_equal(s.recipe.epochs, 3);
    assert_true(s.recipe.lr == 0.1);
    assert_string_equal(s.recipe.data, "synthetic:64");
    assert_int_equal(s.seed, 1);
    assert_true(s.threads >= 1);
    assert_int_equal(s.shuffle, 1);
    assert_int_equal(s.split, RX_SPLIT_VAL);
    assert_int_equal(rx_settings_origin(&s, "--lr"), RX_ORIGIN_RECIPE);
    assert_int_equal(rx_settings_origin(&s, "--seed"), RX_ORIGIN_DEFAULT);
}

static void
test_every_training_flag(void **state)
{
    (void)state;
    char line[LINE_CHARS];
    const struct rx_settings s = parse_ok(
        RX_COMMAND_TRAIN,
        "--data tensors:x --epochs 7 --steps 9 --batch 8 --lr 2.5e-1 --momentum 0.5 --wd 0 "
        "--no-nesterov --schedule cosine --milestones 3,5 --gamma 0.2 --warmup-epochs 1.5 "
        "--label-smoothing 0.1 --no-decay-bn --weights w --save s --run r --seed 12 --threads 3 "
        "--workers 0 --augment none --no-shuffle --eval-every 2 --checkpoint-every 4 "
        "--progress json",
        line);
    assert_string_equal(s.recipe.data, "tensors:x");
    assert_int_equal(s.recipe.epochs, 7);
    assert_int_equal(s.steps, 9);
    assert_int_equal(s.recipe.batch, 8);
    assert_true(s.recipe.lr == 0.25);
    assert_true(s.recipe.momentum == 0.5);
    assert_true(s.recipe.wd == 0);
    assert_int_equal(s.recipe.nesterov, 0);
    assert_int_equal(s.recipe.schedule, RX_SCHEDULE_COSINE);
    assert_int_equal(s.recipe.n_milestones, 2);
    assert_int_equal(s.recipe.milestone[0], 3);
    assert_int_equal(s.recipe.milestone[1], 5);
    assert_true(s.recipe.gamma == 0.2);
    assert_true(s.recipe.warmup_epochs == 1.5);
    assert_true(s.recipe.label_smoothing == 0.1);
    assert_int_equal(s.recipe.no_decay_bn, 1);
    assert_string_equal(s.weights, "w");
    assert_string_equal(s.save, "s");
    assert_string_equal(s.run, "r");
    assert_int_equal(s.seed, 12);
    assert_int_equal(s.threads, 3);
    assert_int_equal(s.workers, 0);
    assert_int_equal(s.augment, 0);
    assert_int_equal(s.shuffle, 0);
    assert_int_equal(s.eval_every, 2);
    assert_int_equal(s.checkpoint_every, 4);
    assert_int_equal(s.progress, RX_PROGRESS_JSON);
    assert_int_equal(rx_settings_origin(&s, "--lr"), RX_ORIGIN_FLAG);
    assert_int_equal(rx_settings_origin(&s, "--nesterov"), RX_ORIGIN_FLAG);
}

static void
test_flags_of_the_other_commands(void **state)
{
    (void)state;
    char line[LINE_CHARS];
    struct rx_settings s = parse_ok(
        RX_COMMAND_EVAL, "--weights w --split train --topk 1,3 --json --confusion c", line);
    assert_int_equal(s.split, RX_SPLIT_TRAIN);
    assert_int_equal(s.n_topk, 2);
    assert_int_equal(s.topk[1], 3);
    assert_int_equal(s.json, 1);
    assert_string_equal(s.confusion, "c");
    s = parse_ok(RX_COMMAND_INFER, "--input x --output y --topk 3 --labels l", line);
    assert_string_equal(s.input, "x");
    assert_string_equal(s.output, "y");
    assert_int_equal(s.n_best, 3);
    assert_string_equal(s.labels, "l");
    s = parse_ok(RX_COMMAND_BENCH, "--mode infer --steps 3 --kernels", line);
    assert_int_equal(s.mode, RX_MODE_INFER);
    assert_int_equal(s.steps, 3);
    assert_int_equal(s.kernels, 1);
}

static void
test_the_last_of_repeated_flags_wins(void **state)
{
    (void)state;
    char line[LINE_CHARS];
    const struct rx_settings s =
        parse_ok(RX_COMMAND_TRAIN, "--lr 1 --no-nesterov --lr=0.5 --nesterov", line);
    assert_true(s.recipe.lr == 0.5);
    assert_int_equal(s.recipe.nesterov, 1);
}

static void
test_resume_may_name_its_folder(void **state)
{
    (void)state;
    char line[LINE_CHARS];
    struct rx_settings s = parse_ok(RX_COMMAND_TRAIN, "--resume --run r", line);
    assert_int_equal(s.resume, 1);
    assert_null(s.resume_folder);
    s = parse_ok(RX_COMMAND_TRAIN, "--resume d --seed 2", line);
    assert_string_equal(s.resume_folder, "d");
    s = parse_ok(RX_COMMAND_TRAIN, "--seed 2 --resume", line);
    assert_int_equal(s.resume, 1);
    assert_null(s.resume_folder);
}

static void
test_rate_is_scaled_with_the_batch(void **state)
{
    (void)state;
    char line[LINE_CHARS];
    struct rx_settings s = parse_ok(RX_COMMAND_TRAIN, "--batch 32", line);
    assert_true(s.recipe.lr == 0.2);
    assert_int_equal(rx_settings_origin(&s, "--lr"), RX_ORIGIN_SCALED);
    s = parse_ok(RX_COMMAND_TRAIN, "--batch 32 --lr 0.1", line);
    assert_true(s.recipe.lr == 0.1);
    assert_int_equal(rx_settings_origin(&s, "--lr"), RX_ORIGIN_FLAG);
    s = parse_ok(RX_COMMAND_TRAIN, "--batch 16", line);
    assert_true(s.recipe.lr == 0.1);
    assert_int_equal(rx_settings_origin(&s, "--lr"), RX_ORIGIN_RECIPE);
}

static void
test_bounds_of_a_run(void **state)
{
    (void)state;
    char line[LINE_CHARS];
    struct rx_settings s = parse_ok(RX_COMMAND_TRAIN, "", line);
    assert_int_equal(rx_settings_total_steps(&s, 4), 12);
    s = parse_ok(RX_COMMAND_TRAIN, "--epochs 2 --steps 5", line);
    assert_int_equal(rx_settings_total_steps(&s, 4), 5);
    s = parse_ok(RX_COMMAND_TRAIN, "--epochs 1 --steps 5", line);
    assert_int_equal(rx_settings_total_steps(&s, 4), 4);
    s = parse_ok(RX_COMMAND_TRAIN, "--steps 50", line);
    assert_int_equal(rx_settings_total_steps(&s, 4), 50);
}

struct wrong {
    enum rx_command command;
    const char *line, *message;
};

static const struct wrong wrong[] = {
    {RX_COMMAND_TRAIN, "--batch 0", "--batch 0: is not a whole number from 1 to 65536"},
    {RX_COMMAND_TRAIN, "--batch 65537", "from 1 to 65536"},
    {RX_COMMAND_TRAIN, "--batch -1", "--batch -1"},
    {RX_COMMAND_TRAIN, "--batch 1.5", "whole number"},
    {RX_COMMAND_TRAIN, "--batch 1e2", "whole number"},
    {RX_COMMAND_TRAIN, "--batch 16x", "whole number"},
    {RX_COMMAND_TRAIN, "--batch 0x10", "whole number"},
    {RX_COMMAND_TRAIN, "--batch 99999999999999999999", "whole number"},
    {RX_COMMAND_TRAIN, "--batch", "its value is missing"},
    {RX_COMMAND_TRAIN, "--batch=", "whole number"},
    {RX_COMMAND_TRAIN, "--lr nan", "--lr nan: is not a number"},
    {RX_COMMAND_TRAIN, "--lr inf", "is not a number"},
    {RX_COMMAND_TRAIN, "--lr 1e999", "is not a number"},
    {RX_COMMAND_TRAIN, "--lr -0.1", "from 0"},
    {RX_COMMAND_TRAIN, "--lr 0x1p3", "is not a number"},
    {RX_COMMAND_TRAIN, "--lr 1,5", "is not a number"},
    {RX_COMMAND_TRAIN, "--lr .", "is not a number"},
    {RX_COMMAND_TRAIN, "--momentum 1.1", "from 0 to 1"},
    {RX_COMMAND_TRAIN, "--seed -1", "whole number"},
    {RX_COMMAND_TRAIN, "--schedule linear", "is not step|cosine"},
    {RX_COMMAND_TRAIN, "--milestones 5,3", "ascending"},
    {RX_COMMAND_TRAIN, "--milestones 5,,7", "ascending"},
    {RX_COMMAND_TRAIN, "--milestones 5,", "ascending"},
    {RX_COMMAND_TRAIN, "--milestones 0,5", "ascending"},
    {RX_COMMAND_TRAIN, "--milestones 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", "at most 16"},
    {RX_COMMAND_TRAIN, "--progress loud", "is not auto|bar|plain|json|off"},
    {RX_COMMAND_TRAIN, "--nosuch", "--nosuch: unknown option"},
    {RX_COMMAND_TRAIN, "--bacth 4", "did you mean --batch"},
    {RX_COMMAND_TRAIN, "--nesterov=1", "takes no value"},
    {RX_COMMAND_TRAIN, "stray", "stray: is no option"},
    {RX_COMMAND_TRAIN, "--split val", "unknown option"},
    {RX_COMMAND_TRAIN, "--ema 0.9", "--ema: comes with a later version"},
    {RX_COMMAND_TRAIN, "--on-nan skip", "later version"},
    {RX_COMMAND_TRAIN, "--accumulate 2", "later version"},
    {RX_COMMAND_TRAIN, "--mixup 0.2", "later version"},
    {RX_COMMAND_TRAIN, "--strict", "later version"},
    {RX_COMMAND_EVAL, "--crop ten", "later version"},
    {RX_COMMAND_EVAL, "--classes f", "later version"},
    {RX_COMMAND_EVAL, "--epochs 3", "unknown option"},
    {RX_COMMAND_EVAL, "--topk 5,1", "ascending"},
    {RX_COMMAND_EVAL, "--split test", "is not val|train"},
    {RX_COMMAND_INFER, "cat.jpg", "later version"},
    {RX_COMMAND_INFER, "--topk 1,5", "whole number"},
    {RX_COMMAND_BENCH, "--mode eval", "is not train|infer"},
};

static void
test_wrong_lines_say_why(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char line[LINE_CHARS];
        struct rx_settings s;
        struct rx_error error;
        snprintf(line, sizeof line, "%s", wrong[i].line);
        const int status = parse(wrong[i].command, line, &s, &error);
        if (status != RX_USER || strstr(error.text, wrong[i].message) == NULL)
            fail_msg("%s: status %d: %s", wrong[i].line, status, error.text);
    }
}

static void
test_help_names_every_flag(void **state)
{
    (void)state;
    static const char *const names[] = {"--lr F", "--resume [DIR]", "--progress auto|bar",
                                        "--no-shuffle", "--ema F"};
    struct rx_text help = {0};
    rx_settings_help(RX_COMMAND_TRAIN, &help);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_non_null(strstr(rx_text_str(&help), names[i]));
    assert_null(strstr(rx_text_str(&help), "--confusion"));
    rx_text_close(&help);
}

static void
test_settings_go_through_json(void **state)
{
    (void)state;
    char first[LINE_CHARS], second[LINE_CHARS];
    const struct rx_settings a =
        parse_ok(RX_COMMAND_TRAIN,
                 "--data synthetic:9 --batch 8 --momentum 0.1 --no-nesterov --schedule cosine "
                 "--milestones 3,5 --steps 40 --seed 3 --no-shuffle --augment none --save f",
                 first);
    json_t *config = rx_settings_config(&a);
    struct rx_settings b = parse_ok(RX_COMMAND_TRAIN, "--resume r --momentum 0.7", second);
    struct rx_error error = {0};
    assert_int_equal(rx_settings_restore(&b, config, "here", &error), RX_OK);
    assert_string_equal(b.recipe.data, "synthetic:9");
    assert_int_equal(b.recipe.batch, 8);
    assert_true(b.recipe.lr == a.recipe.lr);
    assert_int_equal(rx_settings_origin(&b, "--lr"), RX_ORIGIN_SCALED);
    assert_true(b.recipe.momentum == 0.7);  // the flag stays
    assert_int_equal(b.recipe.nesterov, 0);
    assert_int_equal(b.recipe.schedule, RX_SCHEDULE_COSINE);
    assert_int_equal(b.recipe.n_milestones, 2);
    assert_int_equal(b.recipe.milestone[1], 5);
    assert_int_equal(b.steps, 40);
    assert_int_equal(b.seed, 3);
    assert_int_equal(b.shuffle, 0);
    assert_int_equal(b.augment, 0);
    assert_string_equal(b.save, "f");
    json_decref(config);
}

static void
test_a_new_bound_replaces_the_old(void **state)
{
    (void)state;
    char first[LINE_CHARS], second[LINE_CHARS];
    const struct rx_settings a = parse_ok(RX_COMMAND_TRAIN, "--steps 5 --epochs 9", first);
    json_t *config = rx_settings_config(&a);
    struct rx_settings b = parse_ok(RX_COMMAND_TRAIN, "--resume r --epochs 4", second);
    struct rx_error error = {0};
    assert_int_equal(rx_settings_restore(&b, config, "here", &error), RX_OK);
    assert_int_equal(rx_settings_total_steps(&b, 10), 40);
    json_decref(config);
}

static void
test_wrong_settings_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"lr\": {\"value\": \"much\", \"from\": \"flag\"}}",
        "{\"lr\": {\"value\": -1}}",
        "{\"batch\": {\"value\": 0.5}}",
        "{\"batch\": {\"value\": {}}}",
        "{\"nesterov\": {\"value\": 1}}",
        "{\"schedule\": {\"value\": \"x\"}}",
        "{\"milestones\": {\"value\": [\"x\"]}}",
        "{\"threads\": {\"value\": 1e9}}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char line[LINE_CHARS];
        struct rx_settings s = parse_ok(RX_COMMAND_TRAIN, "--resume r", line);
        struct rx_error error = {0};
        json_t *config = json_loads(texts[i], 0, NULL);
        assert_non_null(config);
        if (rx_settings_restore(&s, config, "here", &error) != RX_USER ||
            strncmp(error.text, "here: ", 6) != 0)
            fail_msg("%s: %s", texts[i], error.text);
        json_decref(config);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_come_from_the_recipe),
        cmocka_unit_test(test_every_training_flag),
        cmocka_unit_test(test_flags_of_the_other_commands),
        cmocka_unit_test(test_the_last_of_repeated_flags_wins),
        cmocka_unit_test(test_resume_may_name_its_folder),
        cmocka_unit_test(test_rate_is_scaled_with_the_batch),
        cmocka_unit_test(test_bounds_of_a_run),
        cmocka_unit_test(test_wrong_lines_say_why),
        cmocka_unit_test(test_help_names_every_flag),
        cmocka_unit_test(test_settings_go_through_json),
        cmocka_unit_test(test_a_new_bound_replaces_the_old),
        cmocka_unit_test(test_wrong_settings_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
