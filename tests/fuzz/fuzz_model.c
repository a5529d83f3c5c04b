// Fuzzes the front: any bytes as a model file end in RX_OK or a message, soon and without a leak.
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gen/front/front.h"

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    const int fd = memfd_create("model", 0);
    if (fd < 0 || write(fd, bytes, n) != (ssize_t)n)
        abort();
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct rx_graph graph;
    rx_graph_open(&graph, "");
    struct rx_front_output output = {.graph = &graph};
    struct rx_error error = {0};
    const struct rx_front_input input = {.path = path, .lib = "models/lib"};
    if (rx_front_load(&input, &output, &error) == RX_OK && rx_graph_verify(&graph) != NULL)
        abort();
    if (error.status != RX_OK && error.text[0] == '\0')
        abort();
    rx_graph_close(&graph);
    close(fd);
    return 0;
}
