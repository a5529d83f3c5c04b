-- ResNet-200 for ImageNet.
local resnext = require "lib.resnext"

return resnext.imagenet {
  name = "resnet200",
  depth = 200, cardinality = 1, width = 64,
}
