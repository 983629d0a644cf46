"""The method, in order: from the frames of a slow-motion video to pairs in the dark (LEDNet, ECCV 2022, section 3)."""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import Tensor

from lolblur_synth.config.run import Config
from lolblur_synth.core.errors import SequenceError
from lolblur_synth.core.profiler import Clock
from lolblur_synth.core.threads import Map
from lolblur_synth.nets.ec_zero_dce import ECZeroDCE
from lolblur_synth.ops.darken import darken, mean_lightness
from lolblur_synth.ops.defocus import defocus, generalized_gaussian
from lolblur_synth.ops.denoise.denoise import denoise
from lolblur_synth.ops.denoise.noise_model import NoiseModel
from lolblur_synth.ops.dim import dim
from lolblur_synth.ops.exposure import average, space_of
from lolblur_synth.ops.interpolation.interpolate import Interpolator, interpolate
from lolblur_synth.ops.noise.shot_read import add_noise
from lolblur_synth.ops.unclip import unclip
from lolblur_synth.synthesis.draws import Draws
from lolblur_synth.synthesis.sequences import Shutter, Slot

VERSION = 13  # raised whenever the same input and configuration give other pixels


@dataclass(frozen=True)
class Pair:
    """The five pictures of one output frame, (3, H, W) each."""

    slot: Slot
    high_sharp_original: Tensor  # the middle frame as filmed, after denoising
    high_sharp_scaled: Tensor  # slightly dimmed: the ground truth
    low_sharp: Tensor  # darkened
    low_blur: Tensor  # darkened, exposed over the whole window
    low_blur_noise: Tensor  # and noisy: the input of a network
    untrusted: tuple[float, ...]  # of each gap of the exposure: the share of the picture with inconsistent motion


@torch.inference_mode()
def synthesize(
    frames: Iterable[Tensor],
    first: int,
    breaks: Container[int],
    slots: Sequence[Slot],
    shutter: Shutter,
    draws: Draws,
    relate: Callable[[float], float],
    noise: NoiseModel | None,
    net: ECZeroDCE,
    interpolator: Interpolator,
    noise_field: Callable[[Slot, torch.Size], Tensor],
    config: Config,
    clock: Clock,
    each: Map = map,
    keep: Callable[[Iterator[Tensor]], Iterator[Tensor]] = iter,
) -> Iterator[Pair]:
    """Make the pairs of one sequence; `frames` start at source frame `first` and stream: one window is held at a time.

    Frames are (3, H, W), sRGB in [0, 1], on any device. Across `breaks`, positions in the stream where a scene or a gap
    ends, the denoiser does not look; `noise_field(slot, shape)` is standard normal; `each` is a `map` that may spread
    its work over threads; `keep` sees the denoised frames pass. `relate` gives, for the lightness of the first window,
    the relation that the lightness of the dark frames has to the bright ones', from the first to the last of them.
    """
    to_light, to_srgb = space_of(config.average.space)
    relation: float | None = None
    lens = generalized_gaussian(*draws.defocus) if draws.defocus else None

    def lit(sub_frame: Tensor) -> Tensor:
        return to_light(unclip(sub_frame, draws.streak, config.unclip.threshold))

    decoded = clock.each("decode", frames)
    clean = denoise(decoded, noise, config.denoise.backend, config.denoise.preset, breaks, each)
    for slot, window in windows(keep(clock.each("denoise", clean)), first, slots, shutter):
        with clock("darken"):
            bright = [dim(frame, draws.dim) for frame in window]
            levels = list(each(mean_lightness, bright))
            relation = relate(fmean(levels)) if relation is None else relation
            exposures = [min(1.0, relation * level) for level in levels]
            dark = list(each(lambda lit: darken(*lit, net), zip(bright, exposures, strict=True)))

        untrusted: list[float] = []
        moving = interpolate(dark, bright, shutter.factor, interpolator, each, untrusted.append)
        sub_frames = clock.each("interpolate", moving)
        with clock("average"):
            exposed = average(each(lit, sub_frames))

        with clock("defocus"):
            low_blur = to_srgb(defocus(exposed, lens)).clamp(0, 1)
        with clock("noise"):
            low_blur_noise = add_noise(low_blur, draws.shot, draws.read, noise_field(slot, low_blur.shape))

        middle = shutter.gaps // 2
        sharp = window[middle], bright[middle], dark[middle]
        yield Pair(slot, *sharp, low_blur, low_blur_noise, tuple(untrusted))


def windows(
    frames: Iterable[Tensor], first: int, slots: Sequence[Slot], shutter: Shutter
) -> Iterator[tuple[Slot, list[Tensor]]]:
    """Cut a stream of frames that starts at index `first` into the windows of `slots`, which may overlap."""
    stream = enumerate(frames, first)
    held: dict[int, Tensor] = {}
    for slot in slots:
        window = shutter.window(slot.center)
        held = {index: frame for index, frame in held.items() if index >= window.start}
        while window[-1] not in held:
            index, frame = next(stream, (None, None))
            if index is None or frame is None:
                raise SequenceError(
                    "is the file damaged?", where=f"the frames end before frame {window[-1]}, the last of a window"
                )
            if index >= window.start:
                held[index] = frame
        yield slot, [held[index] for index in window]
