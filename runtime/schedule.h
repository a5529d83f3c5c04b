// The learning rate of each step.
#ifndef RX_SCHEDULE_H
#define RX_SCHEDULE_H

#include <stdint.h>

#include "runtime/recipe.h"

// The rate of step `step` (from 0) of a run of `total` steps with `per_epoch` steps an epoch.
//   warm-up  lr * (step + 1) / W over the first W = warmup_epochs * per_epoch steps
//   step     lr * gamma^(milestones that are complete epochs by then)
//   cosine   lr * (1 + cos(pi * t)) / 2, t from 0 after the warm-up to 1 at the last step
double
rx_schedule_lr(const struct rx_recipe *recipe, int64_t step, int64_t per_epoch, int64_t total);

#endif
