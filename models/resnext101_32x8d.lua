-- ResNeXt-101 (32x8d): 88.8 million parameters, 16.4 GMACs at 224x224.
local resnext = require "lib.resnext"

return resnext.imagenet {
  name = "resnext101_32x8d",
  depth = 101, cardinality = 32, width = 8,
  recipe = "imagenet",
}
