-- Two bottleneck blocks of the paper's figure 3 (256 channels, 32 paths of 4, at 56x56), alone, so
-- that the forms of a block are timed without a network around them. Two, because the gradient of
-- the data is only taken where something stands below.
local bottleneck = require "lib.bottleneck"
local recipes = require "lib.recipes"

local net = fields({ name = "block" }, {
  { name = "cardinality", low = 1, high = 1024, default = 32, help = "groups of the 3x3" },
  { name = "inner", low = 1, high = 4096, default = 128, help = "channels between the 1x1" },
  { name = "outer", low = 1, high = 4096, default = 256, help = "channels in and out" },
  { name = "image", low = 2, high = 256, default = 56, help = "map, pixels" },
  { name = "classes", low = 2, high = 1000, default = 10, help = "outputs" },
})

local block = { inner = net.inner, outer = net.outer, groups = net.cardinality, stride = 1 }
local x = input { height = net.image, width = net.image, channels = 3 }
x = conv(x, "conv1", { channels = net.outer })
x = relu(bn(x, "bn1"), "relu")
x = bottleneck(x, "layer1.0", block)
x = bottleneck(x, "layer1.1", block)
x = gap(x, "avgpool")
return {
  name = net.name,
  output = fc(x, "fc", { classes = net.classes }),
  recipe = recipes.find("imagenet", 3),
}
