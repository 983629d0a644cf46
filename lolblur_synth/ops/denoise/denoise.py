"""Denoise source frames before anything else: what is noise would be taken for texture, moved and averaged away."""

import math
from collections.abc import Callable, Container, Iterable, Iterator
from itertools import chain, count, groupby, islice
from operator import itemgetter
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from lolblur_synth.core.colorimetry import OPPONENT
from lolblur_synth.core.threads import Map
from lolblur_synth.ops.denoise.bm4d import bm4d
from lolblur_synth.ops.denoise.estimate import estimate_noise
from lolblur_synth.ops.denoise.noise_model import NoiseModel, from_stable, to_stable, white_noise
from lolblur_synth.ops.denoise.vbm4d.passes import Preset
from lolblur_synth.ops.denoise.vbm4d.stages import vbm4d

Backend = Literal["vbm4d", "bm4d", "none"]
CLEAN = 0.5  # of 255: footage with less noise is left alone; rounding to 8 bits alone makes 0.29
HEAD = 9  # frames that the noise is measured of: a video coder repeats it from frame to frame
_STRIP = 1 << 16  # samples that go through pixelwise steps together
_CODES = 65535  # what comes out is on the grid of 16 bits, so that it can be kept in a file and come back the same


def find_noise(frames: Iterable[Tensor], sigma: float | None) -> tuple[NoiseModel, bool]:
    """The noise of frames (3, H, W), sRGB in [0, 1], and whether it is too little to be removed.

    White and of standard deviation `sigma`, of 255, if that is given; else measured of the first HEAD frames.

    >>> noise, clean = find_noise([torch.full((3, 64, 64), 0.5)] * 2, sigma=None)
    >>> clean
    True
    """
    if sigma is not None:
        return white_noise(sigma), False
    noise = estimate_noise(list(islice(frames, HEAD)))
    return noise, noise.sigma < CLEAN


class Stream(NamedTuple):
    """What is known of a stream of frames, by their positions."""

    breaks: Container[int] = ()  # those that do not follow on from the one before
    needed: Container[int] | None = None  # those that somebody looks at; None: all


WHOLE = Stream()


def denoise(
    frames: Iterable[Tensor],
    noise: NoiseModel | None,
    backend: Backend = "vbm4d",
    preset: Preset = "best",
    stream: Stream = WHOLE,
    each: Map = map,
) -> Iterator[Tensor]:
    """Pass a stream of frames (3, H, W), sRGB in [0, 1], through a denoiser; as many come out, in order.

    `vbm4d` stabilises the noise's variance, filters in an opponent colour space and goes back without bias; `bm4d`
    takes the noise for white, as strong as it is on the whole; `none`, or no noise, passes on the very frames. What
    comes before a break is not seen behind it; frames that are not needed come out unfinished, which saves time. Memory
    does not grow with the stream. Raises `ValueError` for values that are not finite.

    >>> frames = [torch.full((3, 16, 16), 0.5)] * 3
    >>> len(list(denoise(frames, None)))  # no noise: the very frames
    3
    """
    if backend == "none" or noise is None:
        return iter(frames)
    scenes = groupby(_checked(frames, stream.breaks), key=itemgetter(0))
    shots = ((frame for _, frame in scene) for _, scene in scenes)
    if backend == "bm4d":
        return map(_quantize, chain.from_iterable(bm4d(shot, noise.sigma / 255) for shot in shots))
    needed = (stream.needed is None or at in stream.needed for at in count())  # of one scene after the other
    return chain.from_iterable(_vbm4d(shot, noise, preset, each, needed) for shot in shots)


def _checked(frames: Iterable[Tensor], breaks: Container[int]) -> Iterator[tuple[int, Tensor]]:
    """Frames with the number of their scene."""
    scene = 0
    for index, frame in enumerate(frames):
        if not math.isfinite(float(frame.sum())):
            raise ValueError(f"frame {index} has values that are not finite")
        scene += index in breaks
        yield scene, frame


def _vbm4d(
    frames: Iterable[Tensor], noise: NoiseModel, preset: Preset, each: Map, needed: Iterator[bool]
) -> Iterator[Tensor]:
    def there(frame: Tensor) -> Tensor:
        return by_rows(lambda rows: _rotate_colours(OPPONENT, to_stable(rows, noise)), frame)

    def back(frame: Tensor) -> Tensor:
        return by_rows(lambda rows: _quantize(from_stable(_rotate_colours(OPPONENT.T, rows), noise)), frame)

    span = (0.0, float(there(torch.ones(3, 1, 1))[0]))
    return each(back, vbm4d(each(there, frames), torch.tensor(noise.spectrum), span, preset, each, needed))


def by_rows(function: Callable[[Tensor], Tensor], frame: Tensor) -> Tensor:
    """What `function` makes of each pixel; on the CPU some rows at a time, so that its steps stay in the cache.

    Whole frames between them would be fetched from the system anew for every frame of the stream.
    """
    rows = max(1, _STRIP // (3 * frame.shape[2])) if frame.device.type == "cpu" else frame.shape[1]
    out = torch.empty_like(frame)
    for source, target in zip(torch.split(frame, rows, 1), torch.split(out, rows, 1), strict=True):
        target.copy_(function(source))
    return out


def _rotate_colours(matrix: Tensor, frame: Tensor) -> Tensor:
    return (matrix.to(frame.device) @ frame.flatten(1)).view(frame.shape)


def _quantize(frame: Tensor) -> Tensor:
    return frame.clamp_(0, 1).mul_(_CODES).round_().div_(_CODES)
