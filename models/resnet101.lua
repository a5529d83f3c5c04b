-- ResNet-101 for ImageNet.
local resnext = require "lib.resnext"

return resnext.imagenet {
  name = "resnet101",
  depth = 101, cardinality = 1, width = 64,
}
