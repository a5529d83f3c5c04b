// The CPU target: C11 with vector types, compiled by cc and linked into the model's program.
#include "gen/target/cpu/cpu.h"

const struct rx_language rx_cpu_language = {
    .folder = "cpu",
    .suffix = ".c",
    .header_suffix = ".h",
    .shared_header = "tile_sums.h",
    .object_suffix = ".o",
    .style = RX_CALL_TABLE,
};

const struct rx_target rx_target_cpu = {
    .name = "cpu",
    .language = &rx_cpu_language,
    .machine = rx_cpu_machine,
    .applicable = rx_cpu_applicable,
    .candidates = rx_cpu_candidates,
    .describe = rx_cpu_describe,
};
