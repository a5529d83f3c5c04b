-- How the networks are trained. A model says recipe = "imagenet", or changes parts of one with
-- recipe = { from = "imagenet", batch = 128, lr = 0.05 }, or gives a table of its own.
--
--   data                    what --data would say
--   batch, lr               the rate belongs to this batch: another --batch scales it
--   epochs
--   schedule                "step" (times gamma once each of `milestones` epochs is complete) or
--                           "cosine" (to 0 at the last step); warmup_epochs before either
--   momentum, nesterov, wd  of SGD; wd is decayed on every parameter, no_decay_bn = true exempts BN
--   label_smoothing
--   crop_pad, flip          augmentation: zero padding for a random crop, random mirror images
--   mean, std               of pixels in [0, 1], a value for each channel

local recipes = {}

-- The paper, section 4; Nesterov's momentum is the published code's.
recipes.imagenet = {
  data = "synthetic",
  batch = 256, lr = 0.1, epochs = 100,
  schedule = "step", milestones = { 30, 60, 90 }, gamma = 0.1,
  momentum = 0.9, nesterov = true, wd = 1e-4,
  flip = true,
  mean = { 0.485, 0.456, 0.406 }, std = { 0.229, 0.224, 0.225 },
}

-- The paper, section 5.3; mean and std are the published code's, of pixels in 0..255.
recipes.cifar10 = {
  data = "synthetic",
  batch = 128, lr = 0.1, epochs = 300,
  schedule = "step", milestones = { 150, 225 }, gamma = 0.1,
  momentum = 0.9, nesterov = true, wd = 5e-4,
  crop_pad = 4, flip = true,
  mean = { 125.3 / 255, 123.0 / 255, 113.9 / 255 }, std = { 63.0 / 255, 62.1 / 255, 66.7 / 255 },
}

-- For the small network on Fashion-MNIST: a few minutes on two cores.
recipes.fashion = {
  data = "fashion-mnist",
  batch = 64, lr = 0.1, epochs = 5,
  schedule = "cosine",
  momentum = 0.9, nesterov = true, wd = 5e-4,
  flip = true,
  mean = { 0.2860 }, std = { 0.3530 },
}

local function named(name)
  local recipe = recipes[tostring(name)]
  if type(recipe) ~= "table" then
    refuse(("recipe %s: there are imagenet, cifar10 and fashion"):format(tostring(name)))
  end
  return recipe
end

-- One value for each channel; for another number of channels each gets the average.
local function fit(values, channels)
  if type(values) ~= "table" or #values == channels or #values == 0 then
    return values
  end
  local sum = 0
  for i = 1, #values do
    sum = sum + values[i]
  end
  local fitted = {}
  for i = 1, channels do
    fitted[i] = sum / #values
  end
  return fitted
end

-- The recipe that a model's `recipe` stands for, for an input of so many channels.
function recipes.find(given, channels)
  if type(given) ~= "table" then
    return recipes.find({ from = tostring(given) }, channels)
  end
  local recipe = {}
  if given.from then
    for key, value in pairs(named(given.from)) do
      recipe[key] = value
    end
  end
  for key, value in pairs(given) do
    recipe[key] = value
  end
  recipe.from = nil
  recipe.mean = fit(recipe.mean, channels)
  recipe.std = fit(recipe.std, channels)
  return recipe
end

return recipes
