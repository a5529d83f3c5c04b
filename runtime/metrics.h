// Accuracy and loss of evaluated images.
#ifndef RX_METRICS_H
#define RX_METRICS_H

#include <stdint.h>

struct rx_metrics {
    int64_t images;
    int64_t *at_rank;    // [classes], images whose label has this rank; may be NULL
    int64_t top1, top5;  // images whose label is the best, among the best 5
    double loss;         // sum of plain cross-entropies
    int64_t *confusion;  // [classes][classes], true by predicted; NULL: not counted
};

// How many classes beat the label (ties go to the lower class, as in argmax): 0 is top-1. Where the
// label's logit is no number, all others do.
int
rx_metrics_rank(const float *logits, int classes, int label);

// The class with the highest logit, the lowest of equal ones.
int
rx_metrics_best(const float *logits, int classes);

// Cross-entropy of one image, in double.
double
rx_metrics_loss(const float *logits, int classes, int label);

// Adds n images. `logits` is [n][classes], `labels` [n].
void
rx_metrics_add(struct rx_metrics *metrics, const float *logits, const int32_t *labels, int n,
               int classes);

#endif
