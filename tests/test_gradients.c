// Where weight gradients go makes no difference to the bits of a run.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/command.h"
#include "tests/support/run_files.h"

// A small network of all kinds of convolutions, trained for some steps; its checkpoint holds
// momenta too.
static void
train(const char *gradients)
{
    const char *folder = rx_run_folder.path;
    struct rx_command build = {0}, run = {0};
    rx_command_add(&build,
                   "%s --quiet --gradients %s --out %s/%s --set image=32 --set depth=26 --set "
                   "width=4 --set cardinality=4 --set planes=16 models/resnext50_32x4d.lua",
                   rx_command_rxgen(), gradients, folder, gradients);
    rx_command_run_well(&build);
    rx_command_close(&build);
    rx_command_add(&run,
                   "%s/%s/train --data synthetic:32 --batch 8 --steps 3 --lr 0.05 --wd 0.01 "
                   "--momentum 0.9 --nesterov --threads 3 --progress off --run %s/%s/run",
                   folder, gradients, folder, gradients);
    rx_command_run_well(&run);
    rx_command_close(&run);
}

static void
test_update_where_summed_gives_the_same_bits(void **state)
{
    (void)state;
    train("update");
    train("store");
    rx_run_same_tensors("update/run/last.safetensors", "store/run/last.safetensors");
    rx_run_same_training("update/run/metrics.jsonl", "store/run/metrics.jsonl");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_update_where_summed_gives_the_same_bits,
                                        rx_run_folder_open, rx_run_folder_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
