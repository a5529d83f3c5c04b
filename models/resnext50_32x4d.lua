-- ResNeXt-50 (32x4d) for ImageNet: the paper's template network.
local resnext = require "lib.resnext"

return resnext.imagenet {
  name = "resnext50_32x4d",
  depth = 50, cardinality = 32, width = 4,
}
