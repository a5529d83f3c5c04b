-- ResNet-101: 44.5 million parameters, 7.8 GMACs at 224x224.
local resnext = require "lib.resnext"

return resnext.imagenet {
  name = "resnet101",
  depth = 101, cardinality = 1, width = 64,
  recipe = "imagenet",
}
