-- The bottleneck block in form (c) of the paper's figure 3, with the shortcut of option B:
--
--   x -> conv1 1x1 -> bn, relu -> conv2 3x3 in groups -> bn, relu -> conv3 1x1 -> bn -> + -> relu
--   |                                                                                  ^
--   +-> identity, or downsample (1x1, bn) where channels or resolution change ---------+
--
-- bottleneck(x, "layer1.0", { inner, outer, groups, stride }) returns the block's output. `inner`
-- is the number of channels between the 1x1 convolutions, `outer` that of the output; the stride
-- sits in the 3x3. Layers are named as torchvision names them.

local function shortcut(x, name, block)
  if x.channels == block.outer and block.stride == 1 then
    return x
  end
  local y = conv(x, name .. ".downsample.0", { channels = block.outer, stride = block.stride })
  return bn(y, name .. ".downsample.1")
end

return function(x, name, block)
  local y = conv(x, name .. ".conv1", { channels = block.inner })
  y = bn(y, name .. ".bn1")
  y = relu(y, name .. ".relu1")

  y = conv(y, name .. ".conv2", {
    channels = block.inner, window = 3, stride = block.stride, groups = block.groups,
  })
  y = bn(y, name .. ".bn2")
  y = relu(y, name .. ".relu2")

  y = conv(y, name .. ".conv3", { channels = block.outer })
  y = bn(y, name .. ".bn3")

  y = add(y, shortcut(x, name, block), name .. ".add")
  return relu(y, name .. ".relu3")
end
