-- A small ResNeXt for Fashion-MNIST: three blocks, trained on two cores in minutes.
local resnext = require "lib.resnext"

return resnext.cifar {
  name = "fashion_resnext",
  depth = 11, cardinality = 8, width = 16, planes = 16, stem = 32, stride = 2,
  image = 28, channels = 1, classes = 10,
  recipe = "fashion",
}
