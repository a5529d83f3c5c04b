// Accuracy and loss of evaluated images.
#include "runtime/metrics.h"

#include <math.h>
#include <stddef.h>

enum { TOP5 = 5 };

int
rx_metrics_rank(const float *logits, int classes, int label)
{
    const float own = logits[label];
    int better = 0;
    for (int k = 0; k < classes; k++)
        better += k != label && !(logits[k] < own || (logits[k] == own && k > label));
    return better;
}

int
rx_metrics_best(const float *logits, int classes)
{
    int best = 0;
    for (int k = 1; k < classes; k++)
        if (logits[k] > logits[best])
            best = k;
    return best;
}

double
rx_metrics_loss(const float *logits, int classes, int label)
{
    const int best = rx_metrics_best(logits, classes);
    const double max = logits[best];
    double sum = 1;  // the best class's own term
    for (int k = 0; k < classes; k++)
        if (k != best)
            sum += exp(logits[k] - max);
    return log(sum) + (max - logits[label]);
}

void
rx_metrics_add(struct rx_metrics *m, const float *logits, const int32_t *labels, int n, int classes)
{
    for (int i = 0; i < n; i++) {
        const float *row = logits + (int64_t)i * classes;
        const int rank = rx_metrics_rank(row, classes, labels[i]);
        m->top1 += rank == 0;
        m->top5 += rank < TOP5;
        m->loss += rx_metrics_loss(row, classes, labels[i]);
        if (m->at_rank != NULL)
            m->at_rank[rank]++;
        if (m->confusion != NULL)
            m->confusion[(int64_t)labels[i] * classes + rx_metrics_best(row, classes)]++;
    }
    m->images += n;
}
