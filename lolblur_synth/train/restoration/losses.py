"""The loss of LEDNet: how far the restored picture, and the side output of 1/8 its size, are from the truth."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from lolblur_synth.nets.vgg import VGG19


@dataclass(frozen=True)
class RestorationLoss:
    """L = L1 + `perceptual` P + `side` (L1' + `perceptual` P'), the last two of the side output (LEDNet).

    P is `perceptual_loss` of a frozen `vgg`, and is not computed when its weight is 0. The released training takes L1
    between values in [-1, 1], which is twice L1 here, and P as here: its balance is that of `perceptual=0.005`.
    Raises `ValueError` for weights below 0, and for P without a network.
    """

    vgg: VGG19 | None = None
    perceptual: float = 0.01
    side: float = 0.8

    def __post_init__(self) -> None:
        if self.perceptual < 0 or self.side < 0:
            raise ValueError(f"weights of a loss are at least 0, got {self.perceptual:g} and {self.side:g}")
        if self.perceptual > 0 and self.vgg is None:
            raise ValueError(f"a perceptual loss of weight {self.perceptual:g} needs a VGG19 to compare by")

    def __call__(self, restored: Tensor, side: Tensor, target: Tensor) -> dict[str, Tensor]:
        """`total`, and by name each term before weighting, of (N, 3, H, W), (N, 3, h, w) and (N, 3, H, W) in sRGB."""
        compared = {"": (restored, target), "side_": (side, side_target(target, side.shape[-2:]))}
        terms = {f"{name}l1": F.l1_loss(*pair) for name, pair in compared.items()}
        total = terms["l1"] + self.side * terms["side_l1"]
        if self.perceptual > 0 and self.vgg is not None:
            terms |= {f"{name}perceptual": perceptual_loss(self.vgg, *pair) for name, pair in compared.items()}
            total = total + self.perceptual * (terms["perceptual"] + self.side * terms["side_perceptual"])
        return {"total": total, **terms}


def side_target(target: Tensor, size: Sequence[int]) -> Tensor:
    """The truth at the size of the side output: bicubic samples of it, without a low-pass, as the released training.

    May lie outside [0, 1] by an overshoot beside edges.
    """
    return F.interpolate(target, list(size), mode="bicubic")


def perceptual_loss(vgg: VGG19, image: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of features, summed over the four layers, of sRGB (N, 3, H, W), H and W >= 8.

    Each layer has weight 1 (Johnson et al., ECCV 2016, with L1 for squares). No gradient goes to the target.
    """
    with torch.no_grad():
        wanted = vgg(target)
    return torch.stack([F.l1_loss(*pair) for pair in zip(vgg(image), wanted, strict=True)]).sum()
