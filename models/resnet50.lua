-- ResNet-50 for ImageNet: cardinality 1.
local resnext = require "lib.resnext"

return resnext.imagenet {
  name = "resnet50",
  depth = 50, cardinality = 1, width = 64,
}
