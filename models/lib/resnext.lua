-- ResNeXt (Xie, Girshick, Dollar, Tu, He: arXiv 1611.05431), and ResNet as its case of one group.
--
--   resnext.imagenet { name, depth, cardinality, width, recipe, ... }   four stages (table 1)
--   resnext.cifar    { name, depth, cardinality, width, recipe, ... }   three stages (section 5.3)
--
-- A stage of p planes has blocks with cardinality groups of D = floor(p * width / 64) channels and
-- 4 p channels of output; p doubles from stage to stage. A ResNet has cardinality 1 and width 64.
-- Every number below is a field that --set overrides; recipe is a name in lib/recipes.lua or a
-- table as described there.

local bottleneck = require "lib.bottleneck"
local recipes = require "lib.recipes"

local EXPANSION = 4
local BLOCKS = {  -- of the four stages, by depth
  [26] = { 2, 2, 2, 2 },
  [50] = { 3, 4, 6, 3 },
  [101] = { 3, 4, 23, 3 },
  [152] = { 3, 8, 36, 3 },
  [200] = { 3, 24, 36, 3 },
}

-- The fields that both families have, with this family's defaults.
local function declare(depth, image, classes)
  return {
    depth,
    { name = "cardinality", low = 1, high = 1024, help = "C: groups of a block's 3x3" },
    { name = "width", low = 1, high = 4096, help = "d: channels of a group, at 64 planes" },
    { name = "planes", low = 1, high = 4096, default = 64, help = "width of the first stage" },
    { name = "stem", low = 0, high = 4096, default = 0, help = "of conv1; 0: as planes" },
    { name = "classes", low = 2, high = 65536, default = classes, help = "outputs" },
    { name = "image", low = 8, high = 1024, default = image, help = "input size, pixels" },
    { name = "channels", low = 1, high = 4, default = 3, help = "of the input" },
  }
end

-- Stage i of `blocks` blocks; the first block of every stage but the first halves the map.
local function stage(x, net, i, blocks)
  local planes = net.planes << (i - 1)
  local group = planes * net.width // 64
  if group < 1 then
    refuse(("width %d at %d planes gives groups of floor(planes * width / 64) = 0 channels; "
      .. "nearest: %d"):format(net.width, planes, -(-64 // planes)))
  end
  for j = 1, blocks do
    x = bottleneck(x, "layer" .. i .. "." .. j - 1, {
      inner = group * net.cardinality,
      outer = planes * EXPANSION,
      groups = net.cardinality,
      stride = i > 1 and j == 1 and 2 or 1,
    })
  end
  return x
end

-- The first convolution, its BN and ReLU; `window` and `stride` are the convolution's.
local function stem(net, window, stride)
  local x = input { height = net.image, width = net.image, channels = net.channels }
  local channels = net.stem > 0 and net.stem or net.planes
  x = conv(x, "conv1", { channels = channels, window = window, stride = stride })
  x = bn(x, "bn1")
  return relu(x, "relu")
end

-- All stages and the classifier, as what a model file returns.
local function finish(x, net, blocks)
  for i = 1, #blocks do
    x = stage(x, net, i, blocks[i])
  end
  x = gap(x, "avgpool")
  return {
    name = net.name,
    output = fc(x, "fc", { classes = net.classes }),
    recipe = recipes.find(net.recipe, net.channels),
  }
end

local resnext = {}

function resnext.imagenet(given)
  local net = fields(given, declare(
    { name = "depth", choices = { 26, 50, 101, 152, 200 }, help = "layers" }, 224, 1000))
  local x = stem(net, 7, 2)
  x = maxpool(x, "maxpool", { window = 3, stride = 2 })
  return finish(x, net, BLOCKS[net.depth])
end

function resnext.cifar(given)
  local declared = declare(
    { name = "depth", low = 11, high = 1001, step = 9, help = "layers: n blocks a stage" }, 32, 10)
  declared[#declared + 1] = { name = "stride", low = 1, high = 2, default = 1, help = "of conv1" }
  local net = fields(given, declared)
  local n = (net.depth - 2) // 9
  return finish(stem(net, 3, net.stride), net, { n, n, n })
end

return resnext
