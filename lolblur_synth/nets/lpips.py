"""LPIPS, version 0.1: how far apart two pictures are to a network that was trained to tell what pictures show.

Zhang et al., CVPR 2018, eq. 1. The backbones are torchvision's VGG16 (Simonyan and Zisserman, ICLR 2015) and AlexNet
(Krizhevsky, arXiv 1404.5997), up to the last features that are compared.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from lolblur_synth.nets.vgg import MEAN, STD

Backbone = Literal["vgg", "alex"]
SMALLEST: dict[Backbone, int] = {"vgg": 16, "alex": 31}  # pixels, each way, that the last features need
_COMPARED: dict[Backbone, tuple[int, ...]] = {"vgg": (3, 8, 15, 22, 29), "alex": (1, 4, 7, 9, 11)}  # ReLUs
_NEARLY_ZERO = 1e-10  # added to the length of a feature


class LPIPS(nn.Module):
    """Distances (N,), 0 for equal pictures, between sRGB (N, 3, H, W) in [0, 1], of 16 pixels each way, `alex` 31.

    `features` has the keys of torchvision; `heads` weigh the channels of the features that are compared.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: Backbone = "vgg") -> None:
        super().__init__()
        self.compared = _COMPARED[backbone]
        self.features = nn.Sequential(*(_vgg16() if backbone == "vgg" else _alexnet()))
        convolutions = (self.features[index - 1] for index in self.compared)
        widths = [layer.out_channels for layer in convolutions if isinstance(layer, nn.Conv2d)]
        self.heads = nn.ParameterList([nn.Parameter(torch.full((width,), 1 / width)) for width in widths])
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        """Compare; see the class for shapes."""
        heads = iter(self.heads)
        distance = one.new_zeros(len(one))
        x = (torch.cat([one, other]) - self.mean) / self.std
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self.compared:
                a, b = (x / (x.square().sum(1, keepdim=True).sqrt() + _NEARLY_ZERO)).chunk(2)
                distance = distance + (a - b).square().mean((2, 3)) @ next(heads)
        return distance


def _vgg16() -> list[nn.Module]:
    layers: list[nn.Module] = []
    channels = 3
    for width, count in (64, 2), (128, 2), (256, 3), (512, 3), (512, 3):
        layers += [nn.MaxPool2d(2)] if layers else []
        for _ in range(count):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
            channels = width
    return layers


def _alexnet() -> list[nn.Module]:
    return [
        nn.Conv2d(3, 64, 11, stride=4, padding=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2),
        nn.Conv2d(64, 192, 5, padding=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2),
        nn.Conv2d(192, 384, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(384, 256, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(256, 256, 3, padding=1),
        nn.ReLU(inplace=True),
    ]
