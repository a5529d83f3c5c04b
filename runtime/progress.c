// Progress on stderr.
#include "runtime/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "runtime/options.h"

static const double KEEP = 0.95;  // of a running mean at each step
static const double BAR_SECONDS = 0.1, PLAIN_SECONDS = 10;
enum { BAR_CHARS = 24, SECONDS_A_MINUTE = 60, SECONDS_AN_HOUR = 3600 };

double
rx_progress_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void
rx_progress_open(struct rx_progress *p, int mode, int64_t first_step, int64_t total)
{
    const double now = rx_progress_now();
    *p = (struct rx_progress){
        .mode = mode, .first_step = first_step, .total = total, .started = now, .last_shown = now};
    if (mode == RX_PROGRESS_AUTO)
        p->mode = isatty(STDERR_FILENO) ? RX_PROGRESS_BAR : RX_PROGRESS_PLAIN;
}

static double
mean(double old, double v, int first)
{
    return first ? v : KEEP * old + (1 - KEEP) * v;
}

static void
print_bar(int64_t step, int64_t total)
{
    char bar[BAR_CHARS + 1];
    const int64_t full = (int64_t)((double)step / (double)total * BAR_CHARS);
    for (int i = 0; i < BAR_CHARS; i++)
        bar[i] = i < full ? '#' : '.';
    bar[BAR_CHARS] = '\0';
    fprintf(stderr, "\r[%s] ", bar);
}

static void
print_left(double seconds)
{
    const long long s = (long long)(seconds + 0.5);
    if (s >= SECONDS_AN_HOUR)
        fprintf(stderr, " eta %lldh%02lldm", s / SECONDS_AN_HOUR,
                s % SECONDS_AN_HOUR / SECONDS_A_MINUTE);
    else
        fprintf(stderr, " eta %lldm%02llds", s / SECONDS_A_MINUTE, s % SECONDS_A_MINUTE);
}

static int
is_due(const struct rx_progress *p, const struct rx_progress_step *s, double now)
{
    if (p->mode == RX_PROGRESS_BAR)
        return now - p->last_shown >= BAR_SECONDS || s->step == p->total;
    if (p->mode == RX_PROGRESS_PLAIN)
        return now - p->last_shown >= PLAIN_SECONDS || s->ends_epoch || s->step == p->total;
    return 0;
}

void
rx_progress_step(struct rx_progress *p, const struct rx_progress_step *s)
{
    const int first = s->step == p->first_step + 1;
    p->loss = mean(p->loss, s->loss, first);
    p->accuracy = mean(p->accuracy, s->accuracy, first);
    p->images_per_s = mean(p->images_per_s, s->images_per_s, first);
    const double now = rx_progress_now();
    if (!is_due(p, s, now))
        return;
    p->last_shown = now;
    if (p->mode == RX_PROGRESS_BAR)
        print_bar(s->step, p->total);
    fprintf(stderr, "epoch %lld step %lld/%lld loss %.4f acc %.3f %.1f images/s",
            (long long)s->epoch, (long long)s->step, (long long)p->total, p->loss, p->accuracy,
            p->images_per_s);
    print_left((now - p->started) / (double)(s->step - p->first_step) *
               (double)(p->total - s->step));
    fputs(p->mode == RX_PROGRESS_BAR ? "\033[K" : "\n", stderr);
    p->is_bar_open = p->mode == RX_PROGRESS_BAR;
}

void
rx_progress_break(struct rx_progress *p)
{
    if (p->is_bar_open)
        fputc('\n', stderr);
    p->is_bar_open = 0;
}

void
rx_progress_eval(struct rx_progress *p, int64_t epoch, double top1, double top5, double loss)
{
    if (p->mode != RX_PROGRESS_BAR && p->mode != RX_PROGRESS_PLAIN)
        return;
    rx_progress_break(p);
    fprintf(stderr, "epoch %lld: evaluation top1 %.4f top5 %.4f loss %.4f\n", (long long)epoch,
            top1, top5, loss);
}
