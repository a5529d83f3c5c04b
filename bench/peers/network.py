"""ResNeXt in plain torch.nn, as a user of PyTorch would write it; names are torchvision's."""

from torch import nn

IMAGENET_BLOCKS = {26: (2, 2, 2, 2), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}


class Bottleneck(nn.Module):
    def __init__(self, channels, inner, outer, groups, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, 1, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, outer, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outer)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or channels != outer:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, outer, 1, stride, bias=False), nn.BatchNorm2d(outer)
            )

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


def stages(channels, blocks, cardinality, width):
    layers = []
    for i, n in enumerate(blocks):
        planes = 64 << i
        inner = planes * width // 64 * cardinality
        for j in range(n):
            stride = 2 if i > 0 and j == 0 else 1
            layers.append(Bottleneck(channels, inner, 4 * planes, cardinality, stride))
            channels = 4 * planes
    return layers, channels


def resnext(depth, cardinality, width, classes, image):
    """The ImageNet network, or CIFAR's where the image is small."""
    if image <= 64:
        stem = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True)]
        blocks = ((depth - 2) // 9,) * 3
    else:
        stem = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True)]
        stem.append(nn.MaxPool2d(3, 2, 1))
        blocks = IMAGENET_BLOCKS[depth]
    layers, channels = stages(64, blocks, cardinality, width)
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)]
    return nn.Sequential(*stem, *layers, *head)
