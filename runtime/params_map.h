// Which pieces of a plan make up each tensor of a file, and moving elements between the two.
#ifndef RX_PARAMS_MAP_H
#define RX_PARAMS_MAP_H

#include <stdint.h>

#include "runtime/plan.h"
#include "runtime/session.h"

// One tensor of a file.
struct rx_params_group {
    const struct rx_plan_param *param;  // its first piece: name, kind and file shape of all
    int64_t count;                      // elements of the file tensor
    int n;
    const int *piece;  // numbers in plan.param, in the order of their slices
};

struct rx_params_map {
    int n;
    struct rx_params_group *group;  // in the order in which the plan first names them
    int64_t largest;                // elements of the largest file tensor
    int *piece;                     // memory of the groups' pieces
};

// Groups a plan's parameters; asserts that the pieces of each tensor cover it exactly once.
void
rx_params_map_open(struct rx_params_map *map, const struct rx_plan *plan);
void
rx_params_map_close(struct rx_params_map *map);

// Which tensors of the plan hold the elements.
enum rx_params_role { RX_PARAMS_VALUE, RX_PARAMS_MOMENTUM };

// Trained parameters have a gradient and a momentum.
int
rx_params_is_trained(const struct rx_params_group *group);

// Copies a whole file tensor, f32 [file_shape], into the session's pieces and back.
void
rx_params_scatter(struct rx_session *session, const struct rx_params_group *group,
                  enum rx_params_role role, const float *whole);
void
rx_params_gather(struct rx_session *session, const struct rx_params_group *group,
                 enum rx_params_role role, float *whole);

// "<bn>.num_batches_tracked" of a group that is a running variance "<bn>.running_var"; 0 where it
// is something else.
enum { RX_PARAMS_NAME_MAX = 256 };
int
rx_params_batches_name(const struct rx_params_group *group, char name[RX_PARAMS_NAME_MAX]);

#endif
