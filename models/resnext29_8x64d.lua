-- ResNeXt-29 (8x64d) for CIFAR.
local resnext = require "lib.resnext"

return resnext.cifar {
  name = "resnext29_8x64d",
  depth = 29, cardinality = 8, width = 64,
}
