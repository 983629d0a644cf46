"""The BM4D package, as a reference: motion is not followed (Maggioni et al., TIP 2013). For non-commercial use only."""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from lolblur_synth.core.colorimetry import OPPONENT

_CORE, _BEFORE, _AFTER = 8, 3, 2  # frames of a volume that are kept, and those to each side that only help
_BLOCK = 5  # voxels, of BM4D along each axis: no volume is smaller
_ROWS, _MARGIN = 128, 16  # of a picture that are filtered at once, and those to each side that only help


def bm4d(frames: Iterable[Tensor], sigma: float) -> Iterator[Tensor]:
    """Denoise a stream of frames (3, H, W) with white noise of standard deviation `sigma`, in their units.

    Volumes of 13 frames, of which the middle 8 are kept, in an orthonormal opponent colour space, on the CPU.
    """
    held: list[Tensor] = []
    done = 0  # held frames that are out already and stay as context
    for frame in frames:
        held.append(frame)
        if len(held) == done + _CORE + _AFTER:
            yield from _denoise_volume(held, sigma)[done : done + _CORE]
            held = held[-_BEFORE - _AFTER :]
            done = _BEFORE
    if len(held) > done:
        yield from _denoise_volume(held, sigma)[done:]


def _denoise_volume(frames: list[Tensor], sigma: float) -> list[Tensor]:
    volume = torch.einsum("ij,tjhw->ihwt", OPPONENT, torch.stack(frames).cpu())
    bands = []
    for top in range(0, volume.shape[1], _ROWS):
        above = min(top, _MARGIN)
        band = volume[:, top - above : top + _ROWS + _MARGIN]
        bands.append(torch.stack([filter_volume(channel, sigma) for channel in band])[:, above : above + _ROWS])
    rgb = torch.einsum("ij,ihwt->tjhw", OPPONENT, torch.cat(bands, 1))
    return list(rgb.to(frames[0].device).unbind(0))


def filter_volume(volume: Tensor, sigma: float) -> Tensor:
    """One channel (H, W, T) through the package, both stages."""
    from bm4d import BM4DProfile, BM4DProfile2D, bm4d

    profile = BM4DProfile() if volume.shape[2] >= _BLOCK else BM4DProfile2D()
    profile.num_threads = 1  # its threads add up in an order of their own
    profile.nf = (0, 0, 0)  # the noise is white: variances of correlated noise take nine tenths of the time
    return torch.from_numpy(bm4d(volume.numpy(), sigma, profile)).float()
