"""Features of VGG19, by which the perceptual loss compares pictures.

Simonyan and Zisserman, ICLR 2015, configuration E; the layers and their names are torchvision's. What comes after the
last layer that the loss looks at is left out.
"""

import torch
from torch import Tensor, nn

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet in sRGB, as torchvision trained with
_BLOCKS = (64, 2), (128, 2), (256, 4), (512, 4)  # channels and convolutions between two poolings
_LAST = 2, 7, 16, 25  # the last convolution of each block


class VGG19(nn.Module):
    """What conv1_2, conv2_2, conv3_4 and conv4_4 give before their ReLU, of sRGB (N, 3, H, W) in [0, 1], H and W >= 8.

    (N, 64, H, W), (N, 128, H // 2, W // 2), (N, 256, H // 4, W // 4) and (N, 512, H // 8, W // 8).
    """

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width, count in _BLOCKS:
            for _ in range(count):
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=len(layers) not in _LAST)]
                channels = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers[: _LAST[-1] + 1])
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Compute the features; see the class for shapes."""
        found = []
        x = (image - self.mean) / self.std
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in _LAST:
                found.append(x)
        return found
