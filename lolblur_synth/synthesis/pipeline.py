"""The method, in order: from the frames of a slow-motion video to pairs in the dark (LEDNet, ECCV 2022, section 3).

    clip  = open_clip(scan, span, config.video, device)   # source frames, numbered as in the video
    noise = estimate_noise(clip.head(HEAD), config.denoise)
    clean = denoised(clip, noise, config.denoise, tools)
    pairs = synthesize(clean, recipe, config, tools)

All frames are (3, H, W), float32, sRGB in [0, 1], on one device, and stream: memory does not grow with the sequence.
Footage that holds light beyond white goes on above 1; operators for pictures work on it clipped at white, beside that.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import starmap
from statistics import fmean

import torch
from torch import Tensor

from lolblur_synth.config.run import Config, Denoise
from lolblur_synth.core.errors import SequenceError
from lolblur_synth.core.frame_buffer import FrameBuffer
from lolblur_synth.core.profiler import OperatorTimer
from lolblur_synth.core.threads import Map
from lolblur_synth.nets.ec_zero_dce import ECZeroDCE
from lolblur_synth.ops.darken import brightness_relation, darken, mean_lightness
from lolblur_synth.ops.defocus import defocus, generalized_gaussian
from lolblur_synth.ops.denoise.denoise import Stream, denoise, find_noise
from lolblur_synth.ops.denoise.noise_model import NoiseModel
from lolblur_synth.ops.dim import dim
from lolblur_synth.ops.exposure import space_of
from lolblur_synth.ops.highlights import add_highlights, beside_highlights, clip_highlights, highlights
from lolblur_synth.ops.interpolation.interpolate import Interpolator
from lolblur_synth.ops.isp import process
from lolblur_synth.ops.linearization import Linearization
from lolblur_synth.ops.motion import GapNote, MotionBlur, motion_blur
from lolblur_synth.ops.noise.models import noise_model
from lolblur_synth.ops.response import response_curve
from lolblur_synth.synthesis.clip import Clip, Frame
from lolblur_synth.synthesis.draws import noise_generator
from lolblur_synth.synthesis.exposure import AS_THEY_ARE, Exposed, expose_window
from lolblur_synth.synthesis.sequences import Recipe, Shutter, Slot

VERSION = 17  # raised whenever the same input and configuration give other pixels


@dataclass(frozen=True)
class Tools:
    """What the method works with; nothing of it decides what is drawn."""

    net: ECZeroDCE  # darkens
    interpolator: Interpolator  # makes sub-frames
    profiler: OperatorTimer
    map: Map = map  # may spread its work over threads, results in order


@dataclass(frozen=True)
class NoiseEstimate:
    """The noise of a clip, and whether it is too little to be removed."""

    model: NoiseModel | None  # None: not measured, as nothing is to be denoised
    negligible: bool


@dataclass(frozen=True)
class Pair:
    """The five pictures of one output frame, (3, H, W) each, encoded as the camera's response curve has it."""

    slot: Slot
    high_sharp_original: Tensor  # the middle frame as filmed, after denoising; by rows under a rolling shutter
    high_sharp_scaled: Tensor  # slightly dimmed: the ground truth
    low_sharp: Tensor  # darkened
    low_blur: Tensor  # darkened, exposed over the whole window
    low_blur_noise: Tensor  # and noisy: the input of a network
    flow_inconsistency: tuple[float, ...]  # of each gap of the exposure: the share of the picture, [0, 1]
    motion: MotionBlur | None  # over the exposure; None where sub-frames are made without flow


def estimate_noise(head: Iterable[Tensor], settings: Denoise) -> NoiseEstimate:
    """Noise estimation from the first frames of a clip, or white noise of the standard deviation that is set."""
    if settings.backend == "none":
        return NoiseEstimate(None, negligible=True)
    return NoiseEstimate(*find_noise(map(clip_highlights, head), None if settings.sigma == "auto" else settings.sigma))


def denoised(
    clip: Clip, noise: NoiseEstimate, settings: Denoise, tools: Tools, recipe: Recipe | None = None
) -> Iterator[Frame]:
    """Denoising of a clip, as a stream; across its breaks, where a scene or a gap ends, the denoiser does not look.

    Frames that no window of a recipe holds are not finished.
    """
    decoded = tools.profiler.each("decode", clip.read())
    breaks = {at - clip.span.start for at in clip.breaks}
    model = None if noise.negligible else noise.model
    needed = None if recipe is None else {number - clip.span.start for number in recipe.frames}

    def without_noise(frames: Iterable[Tensor]) -> Iterator[Tensor]:
        return denoise(frames, model, settings.backend, settings.preset, Stream(breaks, needed), tools.map)

    stream = beside_highlights(decoded, without_noise) if clip.holds_light else without_noise(decoded)
    return map(Frame, clip.span, tools.profiler.each("denoise", stream))


def synthesize(clean: Iterable[Frame], recipe: Recipe, config: Config, tools: Tools) -> Iterator[Pair]:
    """Synthesis of the pairs of one sequence from denoised frames; one window is held at a time.

    The lightness of the first window's frames decides one relation between dark and bright frames for all windows.
    Raises `SequenceError` when the frames end before the last window.
    """
    profiler, draws, shutter = tools.profiler, recipe.draws, recipe.shutter
    to_light = Linearization(draws.streak, config.unclip.threshold, config.average.space)
    _, to_srgb = space_of(config.average.space)
    respond = response_curve(config.camera.response)
    relation: float | None = None
    lens = generalized_gaussian(*draws.defocus) if draws.defocus else None
    guides, darkened = (FrameBuffer(shutter.frames) for _ in range(2))
    add_noise = noise_model(draws.noise, draws.shot, draws.read, draws.sensor)

    @torch.inference_mode()
    def pair(slot: Slot, window: Iterator[Tensor]) -> Pair:
        nonlocal relation
        with profiler("darken"):
            frames = list(window)
            clipped = [clip_highlights(frame) for frame in frames] if recipe.holds_light else frames
            beyond = [highlights(frame) for frame in frames] if recipe.holds_light else []
            bright = guides.keep(dim(frame, draws.dim) for frame in clipped)
            original = clipped[shutter.half]
            films = [clipped] if shutter.readout else []  # the truth has rows of other frames, too
            del frames, clipped
            levels = list(tools.map(mean_lightness, bright))
            if relation is None:
                relation = brightness_relation(draws.exposure, *recipe.metering, fmean(levels))
            exposures = [min(1.0, relation * level) for level in levels]
            metered = zip(bright, exposures, strict=True)
            dark = darkened.keep(tools.map(lambda frame: darken(*frame, tools.net), metered))
            light = list(map(add_highlights, dark, beyond)) if recipe.holds_light else dark

        notes: list[GapNote] = []
        with profiler("expose"):
            truths = [Exposed(film, AS_THEY_ARE, 1) for film in (*films, dark)] if films else []
            wanted = [Exposed(light, to_light, shutter.exposed), *truths]
            exposed, *sharp = expose_window(wanted, bright, shutter, tools.interpolator, tools.map, notes.append)
            original, low_sharp = sharp or (original, dark[shutter.half].clone())
            scaled = dim(original, draws.dim) if shutter.readout else bright[shutter.half].clone()

        with profiler("defocus"):
            exposed = to_srgb(defocus(exposed, lens))  # lights stay brighter than white until the sensor clips them
            low_blur = exposed.clamp(0, 1)
        with profiler("noise"):
            noisy = add_noise(exposed, noise_generator(config.seed, recipe.key, slot.index))
            pictures = original, scaled, low_sharp, low_blur, noisy
            original, scaled, low_sharp, low_blur, noisy = tools.map(respond, pictures)
            noisy = process(noisy, draws.sharpening, config.isp.sharpen_radius, draws.jpeg)

        motion = motion_blur([note.flow for note in notes[shutter.margin :][: shutter.gaps]])
        shares = tuple(note.inconsistency for note in notes)
        return Pair(slot, original, scaled, low_sharp, low_blur, noisy, shares, motion)

    return starmap(pair, windows(clean, recipe.slots, shutter))  # nothing of a pair is held while the next is made


def windows(
    frames: Iterable[Frame], slots: Sequence[Slot], shutter: Shutter
) -> Iterator[tuple[Slot, Iterator[Tensor]]]:
    """Sliding windows: the frames of each slot's exposure, which may overlap, from a stream of ascending numbers.

    Each an iterator: once it is at its end, the caller alone has those that no later window holds.
    """
    stream = iter(frames)
    held: dict[int, Tensor] = {}
    spans = [shutter.window(slot.center) for slot in slots]
    for slot, window, after in zip(slots, spans, [*spans[1:], None], strict=True):
        while window[-1] not in held:
            frame = next(stream, None)
            if frame is None:
                raise SequenceError(
                    f"the frames end before frame {window[-1]}, the last of a window", advice="is the file damaged?"
                )
            if frame.number >= window.start:
                held[frame.number] = frame.image
            del frame
        kept = after or range(0)  # what the next holds too; the rest is the caller's alone
        yield slot, iter([held[number] if number in kept else held.pop(number) for number in window])
