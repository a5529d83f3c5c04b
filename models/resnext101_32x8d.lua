-- ResNeXt-101 (32x8d) for ImageNet, torchvision's.
local resnext = require "lib.resnext"

return resnext.imagenet {
  name = "resnext101_32x8d",
  depth = 101, cardinality = 32, width = 8,
}
