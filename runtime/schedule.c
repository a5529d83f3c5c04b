// The learning rate of each step.
#include "runtime/schedule.h"

#include <math.h>

static double
cosine(int64_t step, int64_t first, int64_t last)
{
    const double t = last > first ? (double)(step - first) / (double)(last - first) : 0;
    return 0.5 * (1 + cos(acos(-1.0) * t));
}

double
rx_schedule_lr(const struct rx_recipe *r, int64_t step, int64_t per_epoch, int64_t total)
{
    const int64_t warm = (int64_t)(r->warmup_epochs * (double)per_epoch);
    if (step < warm)
        return r->lr * (double)(step + 1) / (double)warm;
    if (r->schedule == RX_SCHEDULE_COSINE)
        return r->lr * cosine(step, warm, total - 1);
    double lr = r->lr;
    for (int i = 0; i < r->n_milestones; i++)
        if (step / per_epoch >= r->milestone[i])
            lr *= r->gamma;
    return lr;
}
