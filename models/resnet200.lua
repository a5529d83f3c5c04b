-- ResNet-200: 64.7 million parameters, 15.0 GMACs at 224x224.
local resnext = require "lib.resnext"

return resnext.imagenet {
  name = "resnet200",
  depth = 200, cardinality = 1, width = 64,
  recipe = "imagenet",
}
