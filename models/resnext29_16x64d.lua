-- ResNeXt-29 (16x64d) for CIFAR: 68.2 million parameters, 10.7 GMACs at 32x32.
local resnext = require "lib.resnext"

return resnext.cifar {
  name = "resnext29_16x64d",
  depth = 29, cardinality = 16, width = 64,
  recipe = "cifar10",
}
