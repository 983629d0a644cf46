"""Scoring of results against their targets: PSNR and SSIM in threads, LPIPS where the network is, from one stream.

Scores are decided on pictures as files hold them, of 8 or 16 bits, so that all who score agree to the last digit.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch

from lolblur_synth.core.devices import cores
from lolblur_synth.metrics.psnr_ssim import WINDOW, Convention, eight_bit, psnr, ssim
from lolblur_synth.metrics.scores import Score
from lolblur_synth.nets.lpips import LPIPS, SMALLEST, Backbone
from lolblur_synth.video.images import Pixels, dequantize

Distance = Callable[[Pixels, Pixels], float]


@dataclass(frozen=True)
class Metrics:
    """By which convention PSNR and SSIM are taken, and by which backbone LPIPS, if any."""

    convention: Convention = "rgb"
    lpips: Backbone | None = None

    @property
    def smallest(self) -> int:
        """Pixels that a picture needs each way."""
        return max(WINDOW, SMALLEST[self.lpips] if self.lpips else 0)


class Result(NamedTuple):
    """A result and its target, (H, W, 3) RGB, as files hold them."""

    name: str
    pixels: Pixels
    target: Pixels


def score(result: Result, convention: Convention = "rgb") -> Score:
    """PSNR and SSIM of a result."""
    return Score(
        result.name, psnr(result.pixels, result.target, convention), ssim(result.pixels, result.target, convention)
    )


def score_all(
    results: Iterable[Result], convention: Convention = "rgb", distance: Distance | None = None
) -> list[Score]:
    """Scores of a stream of results: PSNR and SSIM in threads, while the next result is made; LPIPS in between."""
    pending, distances = [], []
    with ThreadPoolExecutor(cores()) as pool:
        for result in results:
            pending.append(pool.submit(score, result, convention))
            distances.append(distance(result.pixels, result.target) if distance else None)
    return [replace(each.result(), lpips=lpips) for each, lpips in zip(pending, distances, strict=True)]


def lpips_distance(net: LPIPS, device: torch.device, convention: Convention = "rgb") -> Distance:
    """LPIPS of two pictures of 8 bits, by a network on a device; the convention `paper` exchanges red and blue."""
    order = slice(None, None, -1 if convention == "paper" else 1)

    @torch.inference_mode()
    def distance(result: Pixels, target: Pixels) -> float:
        pair = (dequantize(eight_bit(pixels)[..., order])[None].to(device) for pixels in (result, target))
        return float(net(*pair).item())

    return distance
