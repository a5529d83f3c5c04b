// Progress on stderr.
#include "runtime/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

static const double KEEP = 0.95;  // of a running mean at each step
static const double BAR_SECONDS = 0.1, PLAIN_SECONDS = 10;
enum { BAR_CHARS = 24 };

double
rx_progress_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void
rx_progress_open(struct rx_progress *p, enum rx_progress_mode mode, int64_t first_step)
{
    *p = (struct rx_progress){.mode = mode, .first_step = first_step, .started = rx_progress_now()};
    if (mode == RX_PROGRESS_AUTO)
        p->mode = isatty(STDERR_FILENO) ? RX_PROGRESS_BAR : RX_PROGRESS_PLAIN;
}

static double
mean(double old, double v, int first)
{
    return first ? v : KEEP * old + (1 - KEEP) * v;
}

void
rx_progress_step(struct rx_progress *p, int64_t step, int64_t total, int64_t epoch, double loss,
                 double accuracy, double images_per_s)
{
    const int first = step == p->first_step + 1;
    p->loss = mean(p->loss, loss, first);
    p->accuracy = mean(p->accuracy, accuracy, first);
    p->images_per_s = mean(p->images_per_s, images_per_s, first);
    const double now = rx_progress_now();
    const double every = p->mode == RX_PROGRESS_BAR ? BAR_SECONDS : PLAIN_SECONDS;
    if ((p->mode != RX_PROGRESS_BAR && p->mode != RX_PROGRESS_PLAIN) ||
        (now - p->last_shown < every && step < total))
        return;
    p->last_shown = now;
    const double eta = (now - p->started) / (double)(step - p->first_step) * (double)(total - step);
    if (p->mode == RX_PROGRESS_BAR) {
        char bar[BAR_CHARS + 1];
        const int64_t full = step * BAR_CHARS / total;
        for (int i = 0; i < BAR_CHARS; i++)
            bar[i] = i < full ? '#' : '.';
        bar[BAR_CHARS] = '\0';
        fprintf(stderr, "\r[%s] ", bar);
    }
    fprintf(stderr, "epoch %lld step %lld/%lld loss %.4f acc %.3f %.1f images/s eta %.0f s%s",
            (long long)epoch, (long long)step, (long long)total, p->loss, p->accuracy,
            p->images_per_s, eta, p->mode == RX_PROGRESS_BAR && step < total ? "\033[K" : "\n");
}

void
rx_progress_eval(const struct rx_progress *p, int64_t epoch, double top1, double top5, double loss)
{
    if (p->mode == RX_PROGRESS_BAR || p->mode == RX_PROGRESS_PLAIN)
        fprintf(stderr, "%sepoch %lld: top1 %.4f top5 %.4f loss %.4f%s\n",
                p->mode == RX_PROGRESS_BAR ? "\r" : "", (long long)epoch, top1, top5, loss,
                p->mode == RX_PROGRESS_BAR ? "\033[K" : "");
}
