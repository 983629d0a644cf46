"""One sequence, from its plan to pictures and a record in a folder of its own."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from lolblur_synth.config.run import Config
from lolblur_synth.core.errors import SequenceError, UserError
from lolblur_synth.core.events import Event, Notify
from lolblur_synth.core.memory import peak_memory
from lolblur_synth.core.profiler import OperatorTimer
from lolblur_synth.core.threads import Map, ordered_map
from lolblur_synth.dataset.layout import FOLDERS, Folder, image_path
from lolblur_synth.dataset.publish import stage_record
from lolblur_synth.dataset.records import Denoising, PairRecord
from lolblur_synth.dataset.statistics import measure
from lolblur_synth.metrics.difficulty import EQUAL, psnr_in_light
from lolblur_synth.metrics.psnr_ssim import psnr
from lolblur_synth.nets.weights.load import load_ec_zero_dce
from lolblur_synth.ops.denoise.denoise import HEAD
from lolblur_synth.ops.interpolation.backends import open_interpolator
from lolblur_synth.run import denoised_cache
from lolblur_synth.run.plan import Plan, SequencePlan
from lolblur_synth.run.provenance import describe_blur, describe_noise, describe_sequence
from lolblur_synth.synthesis.clip import Frame, open_clip
from lolblur_synth.synthesis.pipeline import Pair, Tools, denoised, estimate_noise, synthesize
from lolblur_synth.synthesis.sequences import Reject, RejectKind
from lolblur_synth.video.at_hand import at_hand
from lolblur_synth.video.images import dequantize, pixel_hash, quantize, write_png


@dataclass(frozen=True)
class Place:
    """Where a sequence is computed: a device, and threads beside it. They change no pixel but by a device's rounding.

    Where flow makes sub-frames, a device also has a sampling kernel of its own.
    """

    device: torch.device
    threads: int


def build_sequence(task: SequencePlan, plan: Plan, staging: Path, place: Place, notify: Notify) -> None:
    """Make one sequence's images and record in `staging`; raises `SequenceError` where too few windows are left."""
    config = plan.config
    staging.mkdir()
    for folder in FOLDERS:  # now, for later this would make an output anew that somebody has removed
        (staging / image_path(task.split, folder, task.video, 0)).parent.mkdir(parents=True)
    notify(Event("start", task.id, total=len(task.recipe.slots), memory=peak_memory()))
    written: list[PairRecord] = []
    rejects: list[Reject] = []
    size = 0
    with (
        _tools(task, plan, place, notify) as tools,
        _clean_frames(task, plan, place, tools, notify) as (clean, denoising),
    ):
        for pair in synthesize(clean, task.recipe, config, tools):
            fault = _distrust(pair, task, config)
            if fault and config.interpolate.reject:
                rejects.append(fault)
            else:
                with tools.profiler("write"):
                    number = task.first_number + len(written)
                    written.append(_write_pair(task, staging, number, pair, config, tools.map))
                    size += _size(task, staging, number)
            del pair  # else held while the next is made
            notify(
                Event(
                    "pair",
                    task.id,
                    total=len(task.recipe.slots),
                    pairs=len(written) + len(rejects),
                    bytes=size,
                    seconds={name: round(value, 3) for name, value in tools.profiler.seconds.items()},
                    memory=peak_memory(),
                )
            )
    if len(written) < min(config.sequences.min_pairs, len(task.recipe.slots)):
        raise SequenceError(
            f"{len(rejects)} of {len(task.recipe.slots)} windows dropped: {rejects[0].reason}; sequences.min_pairs is "
            f"{config.sequences.min_pairs}",
            advice="film faster or with less motion, or raise interpolate.untrusted",
        )
    task = replace(task, rejects=tuple(sorted([*task.rejects, *rejects], key=lambda reject: reject.slot.index)))
    seconds = tools.profiler.seconds
    stage_record(staging, describe_sequence(task, plan, place.device, denoising, seconds, written))


@contextmanager
def _tools(task: SequencePlan, plan: Plan, place: Place, notify: Notify) -> Iterator[Tools]:
    """What the method works with; raises `UserError` where weights are not those that were planned with."""
    darken, section, vulkan = plan.config.darken, plan.config.interpolate, plan.config.run.device != "cpu"
    if section.backend == "auto":
        raise ValueError("a plan names the backend that auto stands for")
    net, darkening = load_ec_zero_dce(darken.weights, place.device)
    if darkening != plan.weights["ec_zero_dce"]:
        raise UserError(
            "the file has changed during the run", where=f"darken.weights {darken.weights}", advice="run again"
        )

    def warn(text: str) -> None:
        notify(Event("warned", task.id, text))

    profiler = OperatorTimer(place.device, lambda name: notify(Event("operator", task.id, name)))
    backend = open_interpolator(section.backend, section.weights, place.device, place.threads, warn, vulkan=vulkan)
    with ordered_map(place.threads) as each, backend as (interpolator, sha256):
        if sha256 != plan.weights.get(section.backend):
            raise UserError(
                "changed during the run", where=f"interpolate.weights {section.weights}", advice="run again"
            )
        yield Tools(net, interpolator, profiler, each)


@contextmanager
def _clean_frames(
    task: SequencePlan, plan: Plan, place: Place, tools: Tools, notify: Notify
) -> Iterator[tuple[Iterator[Frame], Denoising]]:
    """Denoised frames, and what was done about their noise: from the cache, if there is one, or made and kept there."""
    config, span = plan.config, task.recipe.span
    cache = None if task.scan.info.holds_light else plan.cache  # whose files end at white
    if cache:
        key = denoised_cache.key_of(task, plan, place.device)
        with tools.profiler("cache"):
            kept = denoised_cache.recall(cache, key, place.device, lambda text: notify(Event("warned", task.id, text)))
        if kept:
            yield map(Frame, span, tools.profiler.each("decode", kept[0])), kept[1]
            return
    with ExitStack() as stack:
        with tools.profiler("fetch") if task.scan.remote else nullcontext():
            footage = at_hand(task.scan, lambda text: notify(Event("warned", task.id, text)))
            clip = open_clip(stack.enter_context(footage), span, config.video, place.device, place.threads)
        noise = estimate_noise(clip.head(HEAD), config.denoise)
        denoising = describe_noise(config, noise)
        if noise.negligible or not cache:
            yield denoised(clip, noise, config.denoise, tools, task.recipe), denoising
            return
        clean = denoised(clip, noise, config.denoise, tools)  # all of them: other windows may be cut of what is kept
        store = stack.enter_context(denoised_cache.storing(cache, key, denoising))

        def kept_too() -> Iterator[Frame]:
            for frame in clean:
                with tools.profiler("cache"):
                    store(frame.image)
                yield frame

        yield kept_too(), denoising


def _inconsistency(pair: Pair) -> float | None:
    """The largest share of any gap whose motion is inconsistent, as it is recorded."""
    return round(max(pair.flow_inconsistency), 4) if pair.flow_inconsistency else None


def _distrust(pair: Pair, task: SequencePlan, config: Config) -> Reject | None:
    """Why the motion of an exposure cannot be trusted, if so."""
    worst = _inconsistency(pair)
    if worst is None or worst <= config.interpolate.untrusted:
        return None
    gap = pair.flow_inconsistency.index(max(pair.flow_inconsistency))
    frame = task.recipe.shutter.window(pair.slot.center).start + gap
    return Reject(pair.slot, (RejectKind.MOTION,), (frame,), f"{worst:.0%} of the picture")


def _size(task: SequencePlan, staging: Path, number: int) -> int:
    """Bytes of the pictures of a pair."""
    return sum((staging / image_path(task.split, each, task.video, number)).stat().st_size for each in FOLDERS)


def _write_pair(task: SequencePlan, staging: Path, number: int, pair: Pair, config: Config, each: Map) -> PairRecord:
    pixels = {folder: quantize(getattr(pair, folder), config.dataset.bit_depth) for folder in FOLDERS}

    def write(folder: Folder) -> str:
        path = staging / image_path(task.split, folder, task.video, number)
        write_png(path, pixels[folder])
        return pixel_hash(pixels[folder])

    window = task.recipe.shutter.window(pair.slot.center)
    statistics = measure(dequantize(pixels["low_blur_noise"]))
    return PairRecord(
        number=number,
        slot=pair.slot.index,
        center=pair.slot.center,
        first=window.start,
        last=window[-1],
        seconds=float(pair.slot.center / task.scan.info.capture_fps),
        sha256=dict(zip(FOLDERS, each(write, FOLDERS), strict=True)),
        statistics={name: round(value, 4) for name, value in statistics.items()},
        untrusted=_inconsistency(pair),
        blur=describe_blur(pair.motion),
        psnr=round(min(EQUAL, psnr(pixels["low_blur"], pixels["low_sharp"])), 2),
        psnr_in_light=round(psnr_in_light(pair.low_blur, pair.low_sharp, pair.high_sharp_scaled), 2),
    )
