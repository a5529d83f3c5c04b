// A training recipe: what a model file says about how it is trained. Flags override each field.
#ifndef RX_RECIPE_H
#define RX_RECIPE_H

enum rx_schedule { RX_SCHEDULE_STEP, RX_SCHEDULE_COSINE };

enum { RX_MILESTONES_MAX = 16, RX_MEAN_MAX = 4 };

struct rx_recipe {
    const char *data;  // a data SPEC, such as "fashion-mnist"
    int epochs;
    int batch;
    double lr;  // belongs to `batch`
    double momentum;
    double wd;     // weight decay, on every parameter
    int nesterov;  // 0 or 1
    enum rx_schedule schedule;
    int n_milestones;
    int milestone[RX_MILESTONES_MAX];  // epochs completed when lr is multiplied by gamma
    double gamma;
    double warmup_epochs;
    double label_smoothing;
    int no_decay_bn;  // 1: BN weights and biases are not decayed
    int crop_pad;     // pixels of zero padding (after normalising) for the random crop, 0: none
    int flip;         // 1: random horizontal flip
    int n_mean;       // channels of mean and std; 0: not normalised
    double mean[RX_MEAN_MAX];  // of pixels in [0, 1]
    double std[RX_MEAN_MAX];
};

#endif
