"""V-BM4D on a stream of frames: hard thresholding, then Wiener filtering, each on a window that moves with it.

Maggioni, Boracchi, Foi, Egiazarian, "Video denoising, deblocking and enhancement through separable 4-D nonlocal
spatiotemporal transforms", IEEE TIP 2012. Ours follows blocks along the optical flow to a fraction of a pixel, and its
Wiener stage goes over the picture twice: for single volumes, then for groups of similar ones, whose pilot is better.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, repeat

import cv2
import torch
import torch.nn.functional as F
from torch import Tensor

from lolblur_synth.core.threads import Map
from lolblur_synth.kernels.switch import kernels_enabled
from lolblur_synth.ops.denoise.vbm4d import backend_cpu, backend_torch
from lolblur_synth.ops.denoise.vbm4d.passes import PRESETS, REFINEMENTS, Frame, Job, Pass, Preset
from lolblur_synth.ops.denoise.vbm4d.trajectories import LATTICE
from lolblur_synth.ops.denoise.vbm4d.transforms import FRAMES, PAD, grid
from lolblur_synth.ops.optical_flow import dis_flow

SMALLEST = 16  # pixels: enough places for the members of a group
BLUR = 1.0  # pixels: standard deviation of a Gaussian, against noise that the optical flow would follow
_HALF = FRAMES // 2


def vbm4d(
    frames: Iterable[Tensor],
    variance: Tensor,
    span: tuple[float, float],
    preset: Preset = "best",
    each: Map = map,
    needed: Iterator[bool] | None = None,
) -> Iterator[Tensor]:
    """Denoise a stream of frames (C, H, W), float32 and finite, of which the first channel is the one that is matched.

    `variance` (C, 64) is that of the noise by coefficient of an 8x8 DCT, the vertical frequency first; `span` is the
    range of the first channel, which the optical flow sees in 256 steps. As many frames come out, in order; up to 23
    are held back. `each` may spread the work over threads, which changes no bit. `needed` tells of each frame in turn
    whether its result is: where it is not, what comes out is without the last pass of `best`, and no other frame
    changes.
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
    passed = _estimate_motion(padded, span, size, REFINEMENTS[preset], each)
    for settings in PRESETS[preset]:
        is_last = settings == PRESETS[preset][-1]
        wanted = needed if needed and is_last and settings.wiener else repeat(True)
        passed = _run_pass(passed, settings, variance, size, each, wanted)
    for frame in passed:
        yield frame.pilot[:, PAD : PAD + height, PAD : PAD + width]


def _estimate_motion(
    stream: Iterable[Tensor], span: tuple[float, float], size: tuple[int, int], refinements: int, each: Map
) -> Iterator[Frame]:
    """Optical flow of frames to their neighbours; where there is none, nothing moves."""
    rows, columns = (torch.arange(LATTICE // 2, side + LATTICE // 2, LATTICE).clamp(max=side - 1) for side in size)
    still = torch.zeros(len(rows), len(columns), 2)

    def picture(frame: Tensor) -> Tensor:
        low, high = span
        plane = frame[0, PAD : PAD + size[0], PAD : PAD + size[1]].cpu()
        codes = ((plane - low) * (255 / (high - low))).round().clamp(0, 255).byte()
        return torch.from_numpy(cv2.GaussianBlur(codes.numpy(), (0, 0), BLUR))

    def look(pair: tuple[Tensor, Tensor | None]) -> tuple[Tensor, Tensor, Tensor]:
        frame, following = pair
        if following is None:
            return frame, still, still
        here, there = picture(frame), picture(following)
        flows = (dis_flow(*pair, refinements=refinements) for pair in ((here, there), (there, here)))
        forward, back = (flow[rows][:, columns] for flow in flows)
        return frame, forward, back

    backward = still
    for frame, forward, back in each(look, _with_following(stream)):
        yield Frame(frame, frame, forward.to(frame.device), backward.to(frame.device))
        backward = back


def _with_following(stream: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Each frame and the next. Not by `itertools.tee`, which lets go of what it has passed on in lots of 57 only."""
    frames = iter(stream)
    frame = next(frames, None)
    while frame is not None:
        following = next(frames, None)
        yield frame, following
        frame = following


def _run_pass(
    stream: Iterator[Frame],
    settings: Pass,
    variance: Tensor,
    size: tuple[int, int],
    each: Map,
    needed: Iterator[bool],
) -> Iterator[Frame]:
    """Filter a stream by one pass: its results are the pilots of what comes out.

    Frames that no window is centred on yet are waited for.
    """
    window = deque[Frame](maxlen=FRAMES)
    sums, weights = deque[Tensor](maxlen=FRAMES), deque[Tensor](maxlen=FRAMES)
    count = 0

    def filter_(reference: int) -> Iterator[Frame]:
        """Filter the volumes of one reference frame; yields it if that finishes it."""
        frame = window[reference]
        if not next(needed):
            yield frame
            return
        own = [torch.zeros_like(frame.noisy) for _ in range(2)] if settings.wiener else []
        # Results of several reference frames add up where thresholded: their grids lie between each other's places.
        first = 0 if settings.wiener else count - len(window) + reference
        places = grid(size[0], settings.step, first), grid(size[1], settings.step, 2 * first)
        job = Job(window, reference, size, places, settings, variance, own[:1] or sums, own[1:] or weights)
        (backend_cpu if frame.noisy.is_cpu and kernels_enabled() else backend_torch).filter_job(job, each)
        if settings.wiener:
            pilot = _normalize(*own)
            del own, job  # else held while somebody works on what comes out
            yield frame._replace(pilot=pilot)

    for frame in stream:
        if count >= FRAMES and not settings.wiener:
            yield window.popleft()._replace(pilot=_normalize(sums.popleft(), weights.popleft()))
        window.append(frame)
        if not settings.wiener:
            sums.append(torch.zeros_like(frame.noisy))
            weights.append(torch.zeros_like(frame.noisy))
        count += 1
        if count >= FRAMES:
            for reference in range(0 if count == FRAMES else _HALF, _HALF + 1):
                yield from filter_(reference)
    for reference in range(_HALF + 1 if count >= FRAMES else 0, min(count, FRAMES)):
        yield from filter_(reference)
    if not settings.wiener:
        for frame, total, weight in zip(window, sums, weights, strict=True):
            yield frame._replace(pilot=_normalize(total, weight))


def _normalize(sums: Tensor, weights: Tensor) -> Tensor:
    """The aggregated estimate: sums over weights, in place of the sums, its border made anew."""
    inner = slice(PAD, -PAD)
    mean = sums
    mean[:, inner, inner] /= weights[:, inner, inner]
    mean[:, inner, :PAD], mean[:, inner, -PAD:] = mean[:, inner, PAD : PAD + 1], mean[:, inner, -PAD - 1 : -PAD]
    mean[:, :PAD], mean[:, -PAD:] = mean[:, PAD : PAD + 1], mean[:, -PAD - 1 : -PAD]
    return mean
