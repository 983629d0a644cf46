"""Denoise source frames before anything else: what is noise would be taken for texture, moved and averaged away."""

from collections.abc import Iterable, Iterator, Sequence
from statistics import median
from typing import Literal

import numpy as np
import torch
from skimage.restoration import estimate_sigma as wavelet_sigma
from torch import Tensor

Backend = Literal["none", "bm4d"]
_CORE, _MARGIN = 5, 2  # frames of a volume that are kept, and those to each side that only help
_OPPONENT = torch.tensor([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / torch.tensor([[3.0], [2.0], [6.0]]).sqrt()


def denoise(frames: Iterable[Tensor], backend: Backend, sigma: float) -> Iterator[Tensor]:
    """Pass a stream of frames (3, H, W), sRGB in [0, 1], through a denoiser; as many come out, in order.

    `sigma` is the noise's standard deviation on the scale of 255. `none` changes nothing. `bm4d` filters volumes of
    nine frames, of which the middle five are kept, per channel of an orthonormal opponent colour space (BM4D, Maggioni
    et al., TIP 2013); it looks two frames ahead beyond those. Raises `ValueError` for NaN or infinite values.
    """
    if backend == "none" or sigma == 0:
        return iter(frames)
    return _in_volumes(frames, sigma / 255)


def estimate_sigma(frames: Sequence[Tensor]) -> float:
    """Noise of frames (3, H, W) on the scale of 255: the median over frames and channels of the wavelet estimate.

    Donoho and Johnstone, Biometrika 1994: the median absolute value of the finest diagonal details.
    """
    values = [wavelet_sigma(channel.cpu().numpy()) for frame in frames for channel in frame]
    return 255 * float(median(values))


def _in_volumes(frames: Iterable[Tensor], sigma: float) -> Iterator[Tensor]:
    held: list[Tensor] = []
    behind = 0  # held frames that are out already and stay as context
    for index, frame in enumerate(frames):
        if not torch.isfinite(frame).all():
            raise ValueError(f"frame {index} has values that are not finite")
        held.append(frame)
        if len(held) == behind + _CORE + _MARGIN:
            yield from _filter(held, sigma)[behind : behind + _CORE]
            held = held[-2 * _MARGIN :]
            behind = _MARGIN
    if len(held) > behind:
        yield from _filter(held, sigma)[behind:]


def _filter(frames: list[Tensor], sigma: float) -> list[Tensor]:
    from bm4d import bm4d

    volume = torch.stack(frames).cpu()
    channels = torch.einsum("ij,tjhw->ihwt", _OPPONENT, volume)
    clean = torch.stack([torch.from_numpy(np.asarray(bm4d(c.numpy(), sigma), np.float32)) for c in channels])
    rgb = torch.einsum("ij,ihwt->tjhw", _OPPONENT, clean).clamp(0, 1).to(frames[0].device)
    return list(rgb.unbind(0))
