-- ResNet and ResNeXt from the primitives. D = floor(planes * width / 64) channels a group,
-- C groups; a stage's output is 4 * planes. Names are torchvision's.
local M = {}

local EXPANSION = 4

local function conv_bn(conv_name, bn_name, x, options)
  return bn(bn_name, conv(conv_name, x, options))
end

-- A bottleneck (Fig. 3c): 1x1, grouped 3x3 (which has the stride), 1x1, and the shortcut: the
-- identity, or a projection where the shape changes (shortcut B).
function M.bottleneck(name, x, o)
  local inner = o.cardinality * (o.planes * o.width // 64)
  local outer = EXPANSION * o.planes
  local y = conv_bn(name .. ".conv1", name .. ".bn1", x, { channels = inner })
  y = relu(name .. ".relu1", y)
  y = conv_bn(name .. ".conv2", name .. ".bn2", y,
    { channels = inner, kernel = 3, stride = o.stride, groups = o.cardinality })
  y = relu(name .. ".relu2", y)
  y = conv_bn(name .. ".conv3", name .. ".bn3", y, { channels = outer })
  if o.stride ~= 1 or x.channels ~= outer then
    x = conv_bn(name .. ".downsample.0", name .. ".downsample.1", x,
      { channels = outer, stride = o.stride })
  end
  return relu(name .. ".relu3", add(name .. ".add", y, x))
end

-- Stages: blocks[i] bottlenecks each; the first keeps the map, the others halve it and double planes.
function M.stages(x, o)
  for stage, blocks in ipairs(o.blocks) do
    for block = 0, blocks - 1 do
      x = M.bottleneck("layer" .. stage .. "." .. block, x, {
        planes = o.planes << (stage - 1),
        cardinality = o.cardinality, width = o.width,
        stride = (stage > 1 and block == 0) and 2 or 1,
      })
    end
  end
  return x
end

local function fields(spec, default)
  local f = {
    cardinality = field("cardinality", spec.cardinality, 1, 1024, "groups of the 3x3"),
    width = field("width", spec.width, 1, 4096, "channels a group where planes is 64"),
    planes = field("planes", spec.planes or 64, 1, 4096, "base width of the first stage"),
    classes = field("classes", spec.classes or default.classes, 2, 65536, "outputs"),
    image = field("image", spec.image or default.image, 8, 1024, "input size in pixels"),
    channels = field("channels", spec.channels or 3, 1, 4, "channels of the input"),
  }
  if f.planes * f.width < 64 then
    error("planes " .. f.planes .. " * width " .. f.width .. " is less than 64: no channel a group is left", 0)
  end
  return f
end

local function head(x, classes)
  return fc("fc", gap("avgpool", x), classes)
end

local IMAGENET_BLOCKS = {
  [26] = { 2, 2, 2, 2 }, [50] = { 3, 4, 6, 3 }, [101] = { 3, 4, 23, 3 },
  [152] = { 3, 8, 36, 3 }, [200] = { 3, 24, 36, 3 },
}

-- ImageNet: 7x7 stem, max pool, four stages.
function M.imagenet(spec)
  model(spec.name)
  local depth = field("depth", spec.depth, 26, 200, "layers: 26, 50, 101, 152 or 200")
  local f = fields(spec, { classes = 1000, image = 224 })
  f.blocks = IMAGENET_BLOCKS[depth]
  if not f.blocks then
    error("depth " .. depth .. ": ImageNet depths are 26 50 101 152 200", 0)
  end
  recipe(spec.recipe or M.imagenet_recipe)
  local x = input(f.image, f.image, f.channels)
  x = conv_bn("conv1", "bn1", x, { channels = f.planes, kernel = 7, stride = 2 })
  x = maxpool("maxpool", relu("relu", x), { kernel = 3, stride = 2, pad = 1 })
  return head(M.stages(x, f), f.classes)
end

-- CIFAR: 3x3 stem, three stages of (depth - 2) / 9 blocks. `stem_stride` 2 halves the map at once.
function M.cifar(spec)
  model(spec.name)
  local depth = field("depth", spec.depth, 11, 1001, "layers: 9n+2")
  local f = fields(spec, { classes = 10, image = 32 })
  if (depth - 2) % 9 ~= 0 then
    error("depth " .. depth .. ": CIFAR depths are 9n+2, such as 11, 20, 29", 0)
  end
  local n = (depth - 2) // 9
  f.blocks = { n, n, n }
  recipe(spec.recipe or M.cifar_recipe)
  local x = input(f.image, f.image, f.channels)
  x = conv_bn("conv1", "bn1", x,
    { channels = spec.stem or f.planes, kernel = 3, stride = spec.stem_stride or 1 })
  return head(M.stages(relu("relu", x), f), f.classes)
end

-- The paper's recipes. Data is synthetic until --data names a real set.
M.imagenet_recipe = {
  data = "synthetic", epochs = 100, batch = 256, lr = 0.1, wd = 1e-4, milestones = { 30, 60, 90 },
  flip = true, mean = { 0.485, 0.456, 0.406 }, std = { 0.229, 0.224, 0.225 },
}

M.cifar_recipe = {
  data = "synthetic", epochs = 300, batch = 128, lr = 0.1, wd = 5e-4, milestones = { 150, 225 },
  crop_pad = 4, flip = true,
  mean = { 0.4914, 0.4824, 0.4467 }, std = { 0.2471, 0.2435, 0.2616 },
}

return M
