"""How well a network restores whole pairs that it is not trained on."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lolblur_synth.core.devices import cores
from lolblur_synth.metrics.psnr_ssim import psnr, ssim
from lolblur_synth.nets.lpips import LPIPS
from lolblur_synth.train.restoration.pairs import Pairs
from lolblur_synth.video.contact_sheet import contact_sheet
from lolblur_synth.video.images import Pixels, dequantize, quantize

Restore = Callable[[Tensor], Tensor]  # (1, 3, H, W) to the same, sRGB in [0, 1]
Scores = dict[str, float]
_SHOWN = 480  # pixels of width of a picture on a sheet


def spread(count: int, most: int) -> list[int]:
    """Indices of at most `most` of `count` things, evenly over all of them."""
    return [index * count // min(most, count) for index in range(min(most, count))]


def score(
    restore: Restore, pairs: Pairs, indices: Sequence[int], device: torch.device, lpips: LPIPS | None = None
) -> list[Scores]:
    """PSNR and SSIM by convention `rgb`, and LPIPS by its network, of each pair restored and rounded as for a file."""
    measured, distances = [], []
    with ThreadPoolExecutor(cores()) as pool:  # it measures while the next picture is restored
        for index in indices:
            _, restored, target = _compared(restore, pairs, index, device)
            measured.append(pool.submit(_measure, restored, target))
            distances.append({"lpips": _distance(lpips, restored, target, device)} if lpips else {})
    return [scores.result() | distance for scores, distance in zip(measured, distances, strict=True)]


def sheet(restore: Restore, pairs: Pairs, indices: Sequence[int], device: torch.device) -> NDArray[np.uint8]:
    """A row of dark, restored and true picture for each index, as one 8-bit RGB picture."""
    return contact_sheet([list(_compared(restore, pairs, index, device)) for index in indices], _SHOWN)


@torch.no_grad()
def _compared(restore: Restore, pairs: Pairs, index: int, device: torch.device) -> tuple[Pixels, Pixels, Pixels]:
    sample = pairs.whole(index)
    restored = restore(sample.input[None].to(device))[0]
    return quantize(sample.input), quantize(restored), quantize(sample.target)


@torch.no_grad()
def _distance(lpips: LPIPS, restored: Pixels, target: Pixels, device: torch.device) -> float:
    return float(lpips(*(dequantize(pixels)[None].to(device) for pixels in (restored, target))))


def _measure(restored: Pixels, target: Pixels) -> Scores:
    return {"psnr": psnr(restored, target), "ssim": ssim(restored, target)}
