-- ResNeXt-101 (64x4d), twice the complexity: 83.5 million parameters, 15.5 GMACs at 224x224.
local resnext = require "lib.resnext"

return resnext.imagenet {
  name = "resnext101_64x4d",
  depth = 101, cardinality = 64, width = 4,
  recipe = "imagenet",
}
