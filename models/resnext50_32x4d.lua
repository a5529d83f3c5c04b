-- ResNeXt-50 (32x4d), table 1 of the paper: 25.0 million parameters, 4.2 GMACs at 224x224.
local resnext = require "lib.resnext"

return resnext.imagenet {
  name = "resnext50_32x4d",
  depth = 50, cardinality = 32, width = 4,
  recipe = "imagenet",
}
