-- ResNet-152 for ImageNet.
local resnext = require "lib.resnext"

return resnext.imagenet {
  name = "resnet152",
  depth = 152, cardinality = 1, width = 64,
}
