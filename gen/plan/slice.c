// Slices of images: maps of the first stages are large and their weights small, so evaluation runs
// those steps on a few images at a time, whose maps stay in the cache; weights are read once more a
// slice. Results are the same bits, as no kernel of evaluation mixes images.
#include "gen/plan/network.h"

static int64_t
maps_at(const struct rx_plan *plan, int step)
{
    int64_t bytes = 0;
    for (int i = 0; i < plan->n_tensors; i++) {
        const struct rx_plan_tensor *t = &plan->tensor[i];
        if (t->life == RX_LIFE_STEPS && t->program == RX_PROGRAM_INFER && t->first <= step &&
            t->last >= step)
            bytes += t->image_bytes;
    }
    return bytes;
}

// Maps that a step before `step` makes and it, or one after it, reads.
static int
maps_across(const struct rx_plan *plan, int step)
{
    int n = 0;
    for (int i = 0; i < plan->n_tensors; i++) {
        const struct rx_plan_tensor *t = &plan->tensor[i];
        n += t->life == RX_LIFE_STEPS && t->program == RX_PROGRAM_INFER && t->first < step &&
             t->last >= step && t->image_bytes > 0;
    }
    return n;
}

// As many steps as have weights of half the cache, ending where one map is handed on, and as many
// images as have maps of the cache's size: of these, some are read once and never again.
void
rx_network_slice(struct rx_network *net)
{
    const struct rx_plan *plan = &net->plan;
    struct rx_plan_program *p = &net->plan.program[RX_PROGRAM_INFER];
    const int64_t cache = net->machine.l3_bytes;
    double weights = 0;
    int64_t maps = 1, most = 1;
    for (int i = 0; i + 1 < p->n_steps; i++) {
        weights += plan->kernel[p->step[i].kernel].bytes_fixed;
        if (weights > (double)cache / 2)
            break;
        const int64_t bytes = maps_at(plan, i);
        most = bytes > most ? bytes : most;
        if (maps_across(plan, i + 1) == 1) {
            p->slice_steps = i + 1;
            maps = most;
        }
    }
    p->slice_images = p->slice_steps == 0 || maps > cache ? 1 : (int)(cache / maps);
}
