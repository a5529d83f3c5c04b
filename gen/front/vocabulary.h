// The words a model file builds a network from:
//
//   input { height = 224, width = 224, channels = 3 }
//   conv(x, name, { channels = 64, window = 1, stride = 1, pad = (window - 1) // 2, groups = 1 })
//   bn(x, name)   relu(x, name)   add(a, b, name)   gap(x, name)
//   maxpool(x, name, { window = 3, stride = 2, pad = (window - 1) // 2 })
//   fc(x, name, { classes = 1000 })
//
// Each returns the layer's output, a value with the fields height, width and channels. A library
// says refuse(text) where what the model's author wrote is wrong; the message names his line.
#ifndef RX_FRONT_VOCABULARY_H
#define RX_FRONT_VOCABULARY_H

#include "gen/front/state.h"

// Adds the words to the table at the top of the stack.
void
rx_vocabulary_add(lua_State *L);

// The tensor of a layer's output at a stack index, -1 if it is something else.
int
rx_vocabulary_tensor(lua_State *L, int index);

#endif
