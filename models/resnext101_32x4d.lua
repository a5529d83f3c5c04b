-- ResNeXt-101 (32x4d) for ImageNet.
local resnext = require "lib.resnext"

return resnext.imagenet {
  name = "resnext101_32x4d",
  depth = 101, cardinality = 32, width = 4,
}
