"""V-BM4D on a stream of frames: thresholding, then Wiener's weights, each on a window that moves with the stream.

Maggioni, Boracchi, Foi, Egiazarian, "Video denoising, deblocking and enhancement through separable 4-D nonlocal
spatiotemporal transforms", IEEE TIP 2012. Ours follows blocks along the optical flow to a fraction of a pixel, and its
Wiener stage goes over the picture twice: for single volumes, then for groups of similar ones, whose pilot is better.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lolblur_synth.ops.flow import match
from lolblur_synth.ops.vbm4d import filters, tensors, trajectories
from lolblur_synth.ops.vbm4d.transforms import FRAMES, PAD, SIDE, TAPS, TEMPORAL
from lolblur_synth.threads import Map

Preset = Literal["fast", "best"]
SMALLEST = 16  # pixels: enough places for the members of a group
_HALF = FRAMES // 2
_WINDOW = torch.from_numpy(np.outer(np.kaiser(SIDE, 2.0), np.kaiser(SIDE, 2.0)).astype(np.float32))


@dataclass(frozen=True)
class Pass:
    """One way over the stream."""

    wiener: bool  # weigh by a pilot, the result of the pass before; else threshold
    step: int  # pixels between reference blocks
    reach: int = 0  # pixels within which similar volumes are looked for; 0: each volume by itself
    noise: float = 1.0  # variance in the frames that are matched, as a share of the noise of the footage
    allowed: float = 2.5  # difference of blocks that follow each other, in those that noise makes
    misfit: float = 0.25  # and in energies of their slopes: they lie between pixels
    threshold: float = 2.8  # standard deviations


HARD = Pass(wiener=False, step=4)
SINGLE = Pass(wiener=True, step=4, noise=0.09, allowed=8, misfit=0.02)
GROUPED = Pass(wiener=True, step=6, reach=6, noise=0.09, allowed=8, misfit=0.02)
PRESETS: dict[Preset, tuple[Pass, ...]] = {"fast": (HARD,), "best": (HARD, SINGLE, GROUPED)}


def vbm4d(
    frames: Iterable[Tensor], variance: Tensor, span: tuple[float, float], preset: Preset = "best", each: Map = map
) -> Iterator[Tensor]:
    """Denoise a stream of frames (C, H, W), float32, of which the first channel is the one that is matched.

    `variance` (C, 64) is that of the noise by coefficient of an 8x8 DCT, the vertical frequency first; `span` is the
    range of the first channel, which the optical flow sees in 256 steps. As many frames come out, in order, each from
    the nine about it, as those were made from theirs; 22 at most are held back. `each` may spread the work over threads, which changes no bit.
    """
    stream = iter(frames)
    first = next(stream, None)
    if first is None:
        return
    height, width = first.shape[-2:]
    size = max(height, SMALLEST), max(width, SMALLEST)
    border = (PAD, PAD + size[1] - width, PAD, PAD + size[0] - height)
    padded = (F.pad(frame[None], border, "replicate")[0] for frame in chain([first], stream))
    passed: Iterator[tuple[Tensor, Tensor]] = ((frame, frame) for frame in padded)
    for settings in PRESETS[preset]:
        passed = _go_over(passed, settings, variance, span, size, each)
    for _, clean in passed:
        yield clean[:, PAD : PAD + height, PAD : PAD + width].clone()


class _Reel:
    """The last frames of a stream, side by side in memory."""

    def __init__(self) -> None:
        self._buffer = torch.empty(0)
        self._start = self._stop = 0

    def push(self, frame: Tensor) -> None:
        """Copy a frame behind the others; beyond FRAMES the first one goes."""
        if not len(self._buffer):
            self._buffer = frame.new_empty(2 * FRAMES, *frame.shape)
        if self._stop == len(self._buffer):
            self._buffer[: FRAMES - 1] = self._buffer[1 - FRAMES :].clone()
            self._stop = FRAMES - 1
        self._buffer[self._stop] = frame
        self._stop += 1
        self._start = max(0, self._stop - FRAMES)

    def view(self) -> Tensor:
        """The frames (T, ...), as they lie."""
        return self._buffer[self._start : self._stop]


class _Window:
    """What a pass holds: up to nine noisy frames, their pilots, and the motion from each to its neighbours."""

    def __init__(self, span: tuple[float, float], size: tuple[int, int], each: Map):
        self.noisy, self.pilot, self.forward, self.backward = _Reel(), _Reel(), _Reel(), _Reel()
        self._span, self._size, self._each = span, size, each

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
        self.pilot.push(pilot)
        self.forward.push(still)
        self.backward.push(backward)

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
    window, sums, weights = _Window(span, size, each), _Reel(), _Reel()
    count = 0
    for noisy, pilot in stream:
        if count >= FRAMES and not settings.wiener:
            yield window.noisy.view()[0], _ratio(sums.view()[0], weights.view()[0], window.noisy.view()[0])
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
            yield noisy, _ratio(total, weight, noisy)


def _ratio(sums: Tensor, weights: Tensor, noisy: Tensor) -> Tensor:
    """The weighted mean, on the inner part; its border is made anew."""
    inner = sums[:, PAD:-PAD, PAD:-PAD] / weights[:, PAD:-PAD, PAD:-PAD]
    return F.pad(inner[None], (PAD, PAD, PAD, PAD), "replicate")[0]


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
    noisy, pilot = window.noisy.view(), window.pilot.view()
    if settings.wiener:
        total, weight = torch.zeros_like(noisy[:1]), torch.zeros_like(noisy[:1])
    else:
        total, weight = sums.view(), weights.view()
    work = _work_compiled if noisy.device.type == "cpu" else tensors.work
    work(window, noisy, pilot, reference, settings, total, weight, variance, size, each)
    if settings.wiener:
        yield noisy[reference], _ratio(total[0], weight[0], noisy[reference])


def grid(side: int, step: int) -> Tensor:
    """Where the reference blocks of a side start: every `step` pixels, and at the end."""
    return torch.cat((torch.arange(0, side - SIDE, step), torch.tensor([side - SIDE])))


def nearest(starts: Tensor, side: int) -> Tensor:
    """The reference block nearest to each position along a side."""
    return (torch.arange(side)[:, None] - starts).abs().argmin(1)


def _bands(height: int) -> list[tuple[int, int]]:
    """Rows that are worked on at the same time are every other of these: none reaches beyond half of its neighbour."""
    count = 4 * max(1, height // 256) if height >= 128 else 1
    edges = [round(k * height / count) for k in range(count + 1)]
    return list(zip(edges, edges[1:], strict=False))


def _work_compiled(
    window: _Window,
    noisy: Tensor,
    pilot: Tensor,
    reference: int,
    settings: Pass,
    sums: Tensor,
    weights: Tensor,
    variance: Tensor,
    size: tuple[int, int],
    each: Map,
) -> None:
    """Trace and filter on the CPU, in bands of rows."""
    ys, xs = grid(size[0], settings.step), grid(size[1], settings.step)
    frames, stride = len(noisy), noisy.shape[-1]
    bottom, right = size[0] - SIDE, size[1] - SIDE
    places, valid = torch.zeros(len(ys), len(xs), frames, 2), torch.zeros(len(ys), len(xs), frames, dtype=torch.bool)
    flat, guide = noisy.flatten(2).numpy(), pilot.flatten(2).numpy()
    sigma2 = float(variance[0].mean()) * settings.noise
    starts = [int(torch.searchsorted(ys, top)) for top, _ in _bands(size[0])] + [len(ys)]
    numpy_ys, numpy_xs = ys.numpy(), xs.numpy()

    def trace(k: int) -> None:
        rows = slice(starts[k], starts[k + 1])
        trajectories.trace(
            guide, stride, reference, numpy_ys[rows], numpy_xs,
            window.forward.view().numpy(), window.backward.view().numpy(),
            sigma2, settings.allowed, settings.misfit, settings.wiener, bottom, right, TAPS,
            places[rows].numpy(), valid[rows].numpy(),
        )  # fmt: skip

    bands = _bands(size[0])
    list(each(trace, range(len(bands))))
    near_y, near_x = nearest(ys, size[0]).numpy(), nearest(xs, size[1]).numpy()

    def work(k: int) -> None:
        low = 0 if k == 0 else sum(bands[k - 1]) // 2
        high = size[0] if k + 1 == len(bands) else sum(bands[k + 1]) // 2
        filters.denoise_volumes(
            flat, guide if settings.wiener else guide[:0], stride, reference, numpy_ys, numpy_xs, near_y, near_x,
            starts[k], starts[k + 1], places.numpy(), valid.numpy(), variance.numpy(), settings.threshold,
            settings.reach, bottom, right, low, high, _WINDOW.flatten().numpy(), TAPS, TEMPORAL,
            sums.flatten(2).numpy(), weights.flatten(2).numpy(),
        )  # fmt: skip

    for parity in (0, 1):
        list(each(work, range(parity, len(bands), 2)))
