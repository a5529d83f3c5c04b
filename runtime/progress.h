// What a person sees of a run, on stderr: a bar on a terminal, plain lines elsewhere.
#ifndef RX_PROGRESS_H
#define RX_PROGRESS_H

#include <stdint.h>

#include "runtime/options.h"

struct rx_progress {
    enum rx_progress_mode mode;
    double started, last_shown;
    int64_t first_step;
    double loss, accuracy, images_per_s;  // running means
};

void
rx_progress_open(struct rx_progress *p, enum rx_progress_mode mode, int64_t first_step);
void
rx_progress_step(struct rx_progress *p, int64_t step, int64_t total, int64_t epoch, double loss,
                 double accuracy, double images_per_s);
void
rx_progress_eval(const struct rx_progress *p, int64_t epoch, double top1, double top5, double loss);
double
rx_progress_now(void);

#endif
