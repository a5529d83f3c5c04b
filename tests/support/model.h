// Loading model files and texts in tests.
#ifndef RX_TESTS_MODEL_H
#define RX_TESTS_MODEL_H

#include "gen/front/front.h"

struct rx_test_model {
    struct rx_graph graph;
    struct rx_front_output output;
    struct rx_error error;
    int status;
    double seconds;  // of processor time
};

// Loads a file with models/lib as its library.
void
rx_test_model_load(struct rx_test_model *m, const char *path, const struct rx_setting *setting,
                   int n);

// Loads a text as the file m.lua of a temporary folder.
void
rx_test_model_text(struct rx_test_model *m, const char *text, size_t n);
void
rx_test_model_close(struct rx_test_model *m);

// Fails the test unless the model was refused as the user's mistake with `part` in the message.
void
rx_test_model_refused(const struct rx_test_model *m, const char *what, const char *part);

#endif
