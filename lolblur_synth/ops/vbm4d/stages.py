"""V-BM4D on a stream of frames: thresholding, then Wiener's weights, each on a window that moves with the stream.

Maggioni, Boracchi, Foi, Egiazarian, "Video denoising, deblocking and enhancement through separable 4-D nonlocal
spatiotemporal transforms", IEEE TIP 2012. Ours follows blocks along the optical flow to a fraction of a pixel, and its
Wiener stage goes over the picture twice: for single volumes, then for groups of similar ones, whose pilot is better.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from lolblur_synth.ops.flow import match
from lolblur_synth.ops.vbm4d import filters, tensors, trajectories
from lolblur_synth.ops.vbm4d.transforms import FRAMES, PAD, Ints, grid
from lolblur_synth.threads import Map

Preset = Literal["fast", "best"]
SMALLEST = 16  # pixels: enough places for the members of a group
_HALF = FRAMES // 2
_SPARE = 2  # frames that a reel has room for beyond those it holds, so that it moves them up but now and then


@dataclass(frozen=True)
class Pass:
    """One way over the stream."""

    wiener: bool  # weigh by a pilot, the result of the pass before; else threshold
    step: int  # pixels between reference blocks
    grouped: bool = False  # volumes are filtered together with similar ones, else each by itself
    noise: float = 1.0  # variance in the frames that are matched, as a share of the noise of the footage
    allowed: float = 2.5  # difference of blocks that follow each other, in those that noise makes
    misfit: float = 0.25  # and in energies of their slopes: they lie between pixels
    still: float = 2.1  # threshold in the mean over time, in standard deviations
    moving: float = 3.4  # and in its other frequencies: most of what is there is noise


ALONE = Pass(wiener=False, step=4)
HARD = Pass(wiener=False, step=5, still=2.3, moving=3.0)
SINGLE = Pass(wiener=True, step=5, noise=0.09, allowed=8, misfit=0.15)
GROUPED = Pass(wiener=True, step=6, grouped=True, noise=0.09, allowed=8, misfit=0.15)
PRESETS: dict[Preset, tuple[Pass, ...]] = {"fast": (ALONE,), "best": (HARD, SINGLE, GROUPED)}


def vbm4d(
    frames: Iterable[Tensor], variance: Tensor, span: tuple[float, float], preset: Preset = "best", each: Map = map
) -> Iterator[Tensor]:
    """Denoise a stream of frames (C, H, W), float32 and finite, of which the first channel is the one that is matched.

    `variance` (C, 64) is that of the noise by coefficient of an 8x8 DCT, the vertical frequency first; `span` is the
    range of the first channel, which the optical flow sees in 256 steps. As many frames come out, in order; up to 22
    are held back. `each` may spread the work over threads, which changes no bit.
    """
    stream = iter(frames)
    first = next(stream, None)
    if first is None:
        return
    variance = variance.clamp(min=1e-6 * float(variance.max()) + 1e-12)  # weights are its inverse
    height, width = first.shape[-2:]
    size = max(height, SMALLEST), max(width, SMALLEST)
    border = (PAD, PAD + size[1] - width, PAD, PAD + size[0] - height)
    padded = (F.pad(frame[None], border, "replicate")[0] for frame in chain([first], stream))
    passed: Iterator[tuple[Tensor, Tensor]] = ((frame, frame) for frame in padded)
    for settings in PRESETS[preset]:
        passed = _go_over(passed, settings, variance, span, size, each)
    for _, clean in passed:
        yield clean[:, PAD : PAD + height, PAD : PAD + width].clone()


@dataclass(frozen=True)
class Job:
    """The volumes of one reference frame, and the sums they are added to."""

    noisy: Tensor  # (T, C, H, W), with a border of PAD
    pilot: Tensor
    forward: Tensor  # (T, h, w, 2): the flow from each frame to the next, every LATTICE pixels
    backward: Tensor  # and to the one before
    reference: int
    size: tuple[int, int]  # without the border
    grid: tuple[Ints, Ints]  # where the reference blocks start: rows, columns
    settings: Pass
    variance: Tensor  # (C, 64)
    sums: Tensor  # (T, C, H, W); with a pilot (1, C, H, W), of the reference frame
    weights: Tensor


class _Reel:
    """The last frames of a stream, side by side in memory."""

    def __init__(self) -> None:
        self._buffer = torch.empty(0)
        self._start = self._stop = 0

    def push(self, frame: Tensor) -> None:
        """Copy a frame behind the others; beyond FRAMES the first one goes."""
        if not len(self._buffer):
            self._buffer = frame.new_empty(FRAMES + _SPARE, *frame.shape)
        if self._stop == len(self._buffer):
            for target, source in enumerate(range(self._stop - FRAMES + 1, self._stop)):
                self._buffer[target] = self._buffer[source]
            self._stop = FRAMES - 1
        self._buffer[self._stop] = frame
        self._stop += 1
        self._start = max(0, self._stop - FRAMES)

    def view(self) -> Tensor:
        """The frames (T, ...), as they lie."""
        return self._buffer[self._start : self._stop]


class _Window:
    """What a pass holds: up to nine noisy frames, their pilots, and the motion from each to its neighbours."""

    def __init__(self, piloted: bool, span: tuple[float, float], size: tuple[int, int], each: Map):
        self.noisy, self.forward, self.backward = _Reel(), _Reel(), _Reel()
        self.pilot = _Reel() if piloted else self.noisy
        self._span, self._size, self._each = span, size, each
        self._count = 0

    def push(self, noisy: Tensor, pilot: Tensor) -> None:
        """Take in the next frame."""
        still = noisy.new_zeros(*(-(-side // trajectories.LATTICE) for side in self._size), 2)
        backward = still
        if len(self.pilot.view()):
            pictures = [self._picture(frame) for frame in (self.pilot.view()[-1], pilot)]
            both = self._each(lambda pair: self._flow(*pair), [pictures, pictures[::-1]])
            forward, backward = (flow.to(noisy.device) for flow in both)
            self.forward.view()[-1] = forward
        self.noisy.push(noisy)
        if self.pilot is not self.noisy:
            self.pilot.push(pilot)
        self.forward.push(still)
        self.backward.push(backward)
        self._count += 1

    def number(self, position: int) -> int:
        """How many frames of the stream came before the one at a position of the window."""
        return self._count - len(self.noisy.view()) + position

    def _picture(self, frame: Tensor) -> Tensor:
        low, high = self._span
        plane = frame[0, PAD : PAD + self._size[0], PAD : PAD + self._size[1]]
        return ((plane - low) * (255 / (high - low))).round().clamp(0, 255).byte()

    def _flow(self, one: Tensor, other: Tensor) -> Tensor:
        middle = trajectories.LATTICE // 2
        flow = match(one, other)
        rows = torch.arange(middle, self._size[0] + middle, trajectories.LATTICE).clamp(max=self._size[0] - 1)
        columns = torch.arange(middle, self._size[1] + middle, trajectories.LATTICE).clamp(max=self._size[1] - 1)
        return flow[rows][:, columns]


def _go_over(
    stream: Iterator[tuple[Tensor, Tensor]],
    settings: Pass,
    variance: Tensor,
    span: tuple[float, float],
    size: tuple[int, int],
    each: Map,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Pass on noisy frames with their results; frames that no window is centred on yet are waited for."""
    window, sums, weights = _Window(settings.wiener, span, size, each), _Reel(), _Reel()
    count = 0
    for noisy, pilot in stream:
        if count >= FRAMES and not settings.wiener:
            yield window.noisy.view()[0], _ratio(sums.view()[0], weights.view()[0])
        window.push(noisy, pilot)
        if not settings.wiener:
            sums.push(torch.zeros_like(noisy))
            weights.push(torch.zeros_like(noisy))
        count += 1
        if count >= FRAMES:
            for reference in range(0 if count == FRAMES else _HALF, _HALF + 1):
                yield from _filter(window, reference, settings, sums, weights, variance, size, each)
    for reference in range(_HALF + 1 if count >= FRAMES else 0, min(count, FRAMES)):
        yield from _filter(window, reference, settings, sums, weights, variance, size, each)
    if not settings.wiener:
        for noisy, total, weight in zip(window.noisy.view(), sums.view(), weights.view(), strict=True):
            yield noisy, _ratio(total, weight)


def _ratio(sums: Tensor, weights: Tensor) -> Tensor:
    """The weighted mean, its border made anew."""
    inner = slice(PAD, -PAD)
    mean = torch.empty_like(sums)
    torch.div(sums[:, inner, inner], weights[:, inner, inner], out=mean[:, inner, inner])
    mean[:, inner, :PAD], mean[:, inner, -PAD:] = mean[:, inner, PAD : PAD + 1], mean[:, inner, -PAD - 1 : -PAD]
    mean[:, :PAD], mean[:, -PAD:] = mean[:, PAD : PAD + 1], mean[:, -PAD - 1 : -PAD]
    return mean


def _filter(
    window: _Window,
    reference: int,
    settings: Pass,
    sums: _Reel,
    weights: _Reel,
    variance: Tensor,
    size: tuple[int, int],
    each: Map,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Filter the volumes of one reference frame; yields it if that finishes it."""
    noisy = window.noisy.view()
    if settings.wiener:
        total, weight = torch.zeros_like(noisy[:1]), torch.zeros_like(noisy[:1])
    else:
        total, weight = sums.view(), weights.view()
    # Results of several reference frames add up where thresholded: their grids lie between each other's places.
    first = 0 if settings.wiener else window.number(reference)
    job = Job(
        noisy,
        window.pilot.view(),
        window.forward.view(),
        window.backward.view(),
        reference,
        size,
        (grid(size[0], settings.step, first), grid(size[1], settings.step, 2 * first)),
        settings,
        variance,
        total,
        weight,
    )
    (filters if noisy.device.type == "cpu" else tensors).work(job, each)
    if settings.wiener:
        yield noisy[reference], _ratio(total[0], weight[0])
