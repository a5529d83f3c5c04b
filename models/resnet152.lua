-- ResNet-152: 60.2 million parameters, 11.5 GMACs at 224x224.
local resnext = require "lib.resnext"

return resnext.imagenet {
  name = "resnet152",
  depth = 152, cardinality = 1, width = 64,
  recipe = "imagenet",
}
