-- ResNeXt-101 (64x4d) for ImageNet: twice the complexity.
local resnext = require "lib.resnext"

return resnext.imagenet {
  name = "resnext101_64x4d",
  depth = 101, cardinality = 64, width = 4,
}
