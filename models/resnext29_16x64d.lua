-- ResNeXt-29 (16x64d) for CIFAR.
local resnext = require "lib.resnext"

return resnext.cifar {
  name = "resnext29_16x64d",
  depth = 29, cardinality = 16, width = 64,
}
