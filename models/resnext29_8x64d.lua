-- ResNeXt-29 (8x64d) for CIFAR: 34.4 million parameters, 5.4 GMACs at 32x32.
local resnext = require "lib.resnext"

return resnext.cifar {
  name = "resnext29_8x64d",
  depth = 29, cardinality = 8, width = 64,
  recipe = "cifar10",
}
