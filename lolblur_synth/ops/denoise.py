"""Denoise source frames before anything else: what is noise would be taken for texture, moved and averaged away."""

from collections.abc import Container, Iterable, Iterator, Sequence
from itertools import pairwise
from statistics import median
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Backend = Literal["none", "bm4d"]
_CORE, _BEFORE, _AFTER = 8, 3, 2  # frames of a volume that are kept, and those to each side that only help
_BLOCK = 5  # voxels, of BM4D along each axis: no volume is smaller
_ROWS, _MARGIN = 128, 16  # of a picture that are filtered at once, and those to each side that only help
_OPPONENT = torch.tensor([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / torch.tensor([[3.0], [2.0], [6.0]]).sqrt()
_DB2_HIGH = (-0.12940952, -0.22414387, 0.83651630, -0.48296291)  # Daubechies' wavelet with two vanishing moments


def denoise(frames: Iterable[Tensor], backend: Backend, sigma: float, breaks: Container[int] = ()) -> Iterator[Tensor]:
    """Pass a stream of frames (3, H, W), sRGB in [0, 1], through a denoiser; as many come out, in order.

    `sigma` is the standard deviation of the noise on the scale of 255. `none` changes nothing. `bm4d` filters volumes
    of 13 frames, of which the middle 8 are kept, in an orthonormal opponent colour space, on the CPU (BM4D, Maggioni et
    al., TIP 2013); no more frames than that are held. No volume reaches across `breaks`, the positions of
    frames that do not follow on from the one before. Raises `ValueError` for values that are not finite.
    """
    if backend == "none" or sigma == 0:
        return iter(frames)
    return _denoise_stream(frames, sigma / 255, breaks)


def estimate_sigma(frames: Sequence[Tensor]) -> float:
    """Noise of consecutive frames (3, H, W), sRGB in [0, 1], as its standard deviation on the scale of 255.

    The median absolute diagonal detail (Donoho and Johnstone, Biometrika 1994), of the frames and of their differences:
    texture adds to the one, what moves to the other, noise to both, so the smaller counts.
    """
    if not frames:
        raise ValueError("no frames to estimate the noise of")
    within = median(_noise(frame) for frame in frames)
    if len(frames) == 1:
        return 255 * within
    between = median(_noise(after - before) for before, after in pairwise(frames)) / 2**0.5
    return 255 * min(within, between)


def _noise(planes: Tensor) -> float:
    high = planes.new_tensor(_DB2_HIGH)
    details = F.conv2d(planes[:, None], torch.outer(high, high)[None, None], stride=2)
    # Details of exactly zero are areas that were clipped, or that a video coder did not send.
    heard = [channel[channel != 0] for channel in details.flatten(1).abs()]
    return median(float(channel.median()) / 0.6745 if len(channel) else 0.0 for channel in heard)


def _denoise_stream(frames: Iterable[Tensor], sigma: float, breaks: Container[int]) -> Iterator[Tensor]:
    held: list[Tensor] = []
    done = 0  # held frames that are out already and stay as context
    for index, frame in enumerate(frames):
        if not torch.isfinite(frame).all():
            raise ValueError(f"frame {index} has values that are not finite")
        if index in breaks:
            if len(held) > done:
                yield from _denoise_volume(held, sigma)[done:]
            held, done = [], 0
        held.append(frame)
        if len(held) == done + _CORE + _AFTER:
            yield from _denoise_volume(held, sigma)[done : done + _CORE]
            held = held[-_BEFORE - _AFTER :]
            done = _BEFORE
    if len(held) > done:
        yield from _denoise_volume(held, sigma)[done:]


def _denoise_volume(frames: list[Tensor], sigma: float) -> list[Tensor]:
    volume = torch.einsum("ij,tjhw->ihwt", _OPPONENT, torch.stack(frames).cpu())
    bands = []
    for top in range(0, volume.shape[1], _ROWS):
        above = min(top, _MARGIN)
        band = volume[:, top - above : top + _ROWS + _MARGIN]
        bands.append(torch.stack([_bm4d(channel, sigma) for channel in band])[:, above : above + _ROWS])
    rgb = torch.einsum("ij,ihwt->tjhw", _OPPONENT, torch.cat(bands, 1))
    return list(rgb.clamp(0, 1).to(frames[0].device).unbind(0))


def _bm4d(volume: Tensor, sigma: float) -> Tensor:
    """One channel (H, W, T) through the BM4D package."""
    from bm4d import BM4DProfile, BM4DProfile2D, bm4d

    profile = BM4DProfile() if volume.shape[2] >= _BLOCK else BM4DProfile2D()
    profile.num_threads = 1  # its threads add up in an order of their own
    profile.nf = (0, 0, 0)  # the noise is white: variances of correlated noise take nine tenths of the time
    return torch.from_numpy(bm4d(volume.numpy(), sigma, profile)).float()
