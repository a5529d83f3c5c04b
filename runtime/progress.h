// What a person sees of a run, on stderr: a bar on a terminal, plain lines elsewhere.
#ifndef RX_PROGRESS_H
#define RX_PROGRESS_H

#include <stdint.h>

struct rx_progress {
    int mode;  // RX_PROGRESS_* of runtime/options.h, AUTO resolved
    double started, last_shown;
    int64_t first_step, total;
    double loss, accuracy, images_per_s;  // running means
    int is_bar_open;                      // 1: the cursor stands behind a bar
};

// A finished step.
struct rx_progress_step {
    int64_t step, epoch;  // from 1
    int ends_epoch;       // 1: the epoch is complete
    double loss, accuracy, images_per_s;
};

void
rx_progress_open(struct rx_progress *progress, int mode, int64_t first_step, int64_t total);
void
rx_progress_step(struct rx_progress *progress, const struct rx_progress_step *step);
void
rx_progress_eval(struct rx_progress *progress, int64_t epoch, double top1, double top5,
                 double loss);

// Ends a bar's line, so that a message can follow.
void
rx_progress_break(struct rx_progress *progress);

// Seconds of a clock that only moves forward.
double
rx_progress_now(void);

#endif
