-- ResNeXt-101 (32x4d): 44.2 million parameters, 8.0 GMACs at 224x224.
local resnext = require "lib.resnext"

return resnext.imagenet {
  name = "resnext101_32x4d",
  depth = 101, cardinality = 32, width = 4,
  recipe = "imagenet",
}
