// Accuracy and loss of evaluated images.
#ifndef RX_METRICS_H
#define RX_METRICS_H

#include <stdint.h>

struct rx_metrics {
    int64_t images;
    int64_t top1, top5;  // images whose label is among the best 1 (5)
    double loss;         // sum of plain cross-entropies
    int64_t *confusion;  // [classes][classes], true by predicted; NULL: not counted
};

// How many classes beat the label (ties go to the lower class, as in argmax): 0 is top-1.
int
rx_metrics_rank(const float *logits, int classes, int label);

// Cross-entropy of one image, in double.
double
rx_metrics_loss(const float *logits, int classes, int label);

// Adds n images. `logits` is [n][classes], `labels` [n].
void
rx_metrics_add(struct rx_metrics *m, const float *logits, const int32_t *labels, int n,
               int classes);

#endif
