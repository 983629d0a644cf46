"""How well a network restores whole pairs that it is not trained on."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lolblur_synth.metrics.scoring import Result, lpips_distance, score_all
from lolblur_synth.nets.lpips import LPIPS
from lolblur_synth.train.restoration.pairs import Pairs
from lolblur_synth.video.contact_sheet import contact_sheet
from lolblur_synth.video.images import Pixels, quantize

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
    results = (Result(str(index), *_compared(restore, pairs, index, device)[1:]) for index in indices)
    scored = score_all(results, distance=lpips_distance(lpips, device) if lpips else None)
    return [
        {"psnr": each.psnr, "ssim": each.ssim} | ({} if each.lpips is None else {"lpips": each.lpips})
        for each in scored
    ]


def sheet(restore: Restore, pairs: Pairs, indices: Sequence[int], device: torch.device) -> NDArray[np.uint8]:
    """A row of dark, restored and true picture for each index, as one 8-bit RGB picture."""
    return contact_sheet([list(_compared(restore, pairs, index, device)) for index in indices], _SHOWN)


@torch.no_grad()
def _compared(restore: Restore, pairs: Pairs, index: int, device: torch.device) -> tuple[Pixels, Pixels, Pixels]:
    sample = pairs.whole(index)
    restored = restore(sample.input[None].to(device))[0]
    return quantize(sample.input), quantize(restored), quantize(sample.target)
