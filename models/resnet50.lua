-- ResNet-50, the paper's baseline: 25.6 million parameters, 4.1 GMACs at 224x224.
local resnext = require "lib.resnext"

return resnext.imagenet {
  name = "resnet50",
  depth = 50, cardinality = 1, width = 64,
  recipe = "imagenet",
}
