"""EC-Zero-DCE: darkening curves for an image, estimated from its lightness and the exposure that is asked for.

Zhou, Li and Loy, LEDNet (ECCV 2022), section 3: Zero-DCE (Guo et al., CVPR 2020) with its curve reversed and with an
exposure map as a second input.
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lolblur_synth.kernels.switch import runs_compiled
from lolblur_synth.kernels.winograd import Convolution
from lolblur_synth.nets.curves_compiled import apply_coarse, places_of


class ECZeroDCE(nn.Module):
    """Curve maps (N, iterations, ⌈H/scale⌉, ⌈W/scale⌉) in [-1, 1] from lightness and exposure, (N, 1, H, W) in [0, 1].

    `width=256, iterations=10, scale=1, context=False` is the released network, and the attribute names are the keys of
    its checkpoint. A `scale` above 1 estimates the curves on area-averaged inputs (Zero-DCE++, Li et al., TPAMI 2021).
    `context` adds what a window of 15 cells cannot know, namely how light the picture is as a whole, so that a region
    can stay lighter than another instead of both being levelled to the exposure (global features as in HDRNet, Gharbi
    et al., SIGGRAPH 2017); borders are then continued rather than black.
    """

    kind: ClassVar[str] = "ec_zero_dce"

    def __init__(self, width: int = 256, iterations: int = 10, scale: int = 1, *, context: bool = False) -> None:
        super().__init__()
        self.width, self.iterations, self.scale, self.context = width, iterations, scale, context

        def conv(inputs: int, outputs: int = width) -> nn.Conv2d:
            if context:
                return nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode="replicate")
            return Convolution(inputs, outputs)

        self.e_conv1, self.e_conv_e1 = conv(1), conv(1)
        self.e_conv2, self.e_conv_e2 = conv(width), conv(width)
        self.e_conv3, self.e_conv_e3 = conv(width), conv(width)
        self.e_conv4, self.e_conv_e4 = conv(width), conv(width)
        self.e_conv5, self.e_conv6 = conv(3 * width), conv(3 * width)
        self.e_conv7 = conv(3 * width, iterations)
        if context:
            self.e_context1, self.e_context2 = nn.Conv2d(2 * width, width, 1), nn.Conv2d(width, width, 1)

    def forward(self, lightness: Tensor, exposure: Tensor) -> Tensor:
        """Estimate the curves; see the class for shapes."""
        if self.scale > 1:
            lightness, exposure = (_average(image, self.scale) for image in (lightness, exposure))
        x1 = F.relu(self.e_conv1(lightness))
        x2 = F.relu(self.e_conv2(x1))
        x3 = F.relu(self.e_conv3(x2))
        x4 = F.relu(self.e_conv4(x3))
        e2 = F.relu(self.e_conv_e2(F.relu(self.e_conv_e1(exposure))))
        e3 = F.relu(self.e_conv_e3(e2))
        e4 = F.relu(self.e_conv_e4(e3))
        if self.context:
            whole = torch.cat([x4, e4], 1).mean((2, 3), keepdim=True)  # (N, 2 width, 1, 1)
            x4 = F.relu(x4 + self.e_context2(F.relu(self.e_context1(whole))))
        x5 = F.relu(self.e_conv5(torch.cat([e4, x3, x4], 1)))
        x6 = F.relu(self.e_conv6(torch.cat([e3, x2, x5], 1)))
        return torch.tanh(self.e_conv7(torch.cat([e2, x1, x6], 1)))

    def arguments(self) -> dict[str, int | bool]:
        """What the constructor was given, for a checkpoint."""
        return {"width": self.width, "iterations": self.iterations, "scale": self.scale, "context": self.context}


def _apply_coarse(lightness: Tensor, maps: Tensor) -> Tensor:
    out = torch.empty(lightness.shape)
    (rows, down), (columns, right) = map(places_of, lightness.shape[-2:], maps.shape[-2:])
    for tones, curves, made in zip(lightness.contiguous(), maps.contiguous(), out, strict=True):
        apply_coarse(tones[0].numpy(), curves.numpy(), rows, down, columns, right, made[0].numpy())
    return out


def _average(image: Tensor, scale: int) -> Tensor:
    """Mean over cells of scale × scale pixels, smaller ones at the right and bottom edge."""
    return F.avg_pool2d(image, scale, ceil_mode=True, count_include_pad=False)


def apply_curves(lightness: Tensor, maps: Tensor) -> Tensor:
    """Apply x ← x + r (x² − x) once per map r, which darkens where r > 0 (Zero-DCE, eq. 2, reversed as in LEDNet).

    Lightness (N, 1, H, W) in [0, 1], kept in that range and in order for r in [-1, 1]; maps (N, iterations, h, w) of
    the same size, or coarser ones that are interpolated.

    >>> apply_curves(torch.full((1, 1, 1, 1), 0.5), torch.ones(1, 2, 1, 1)).item()  # x^2, twice
    0.0625
    """
    size = lightness.shape[-2:]
    if maps.shape[-2:] != size and not lightness.requires_grad | maps.requires_grad and runs_compiled(lightness, maps):
        return _apply_coarse(lightness, maps)
    for coarse in maps.chunk(maps.shape[1], dim=1):
        curve = coarse if coarse.shape[-2:] == size else F.interpolate(coarse, size, mode="bilinear")
        lightness = torch.addcmul(lightness, curve, lightness * (lightness - 1))
    return lightness
