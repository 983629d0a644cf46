"""One sequence, from its plan to pictures and a record in a folder of its own."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import islice, pairwise
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor

from lolblur_synth.config.run import Config
from lolblur_synth.core.errors import SequenceError, UserError, shown
from lolblur_synth.core.events import Event, Notify, ignore
from lolblur_synth.core.profiler import Clock
from lolblur_synth.core.rng import torch_rng_for
from lolblur_synth.core.threads import Map, ordered_map
from lolblur_synth.dataset.layout import FOLDERS, RECORD, image_path
from lolblur_synth.dataset.publish import stage_record
from lolblur_synth.dataset.record_reader import read_record
from lolblur_synth.dataset.records import (
    FORMAT,
    Denoising,
    FlickerRecord,
    NoiseLevel,
    PairRecord,
    RejectRecord,
    SequenceRecord,
    ShutterRecord,
)
from lolblur_synth.dataset.statistics import measure
from lolblur_synth.kernels.jit_cache import KernelCache
from lolblur_synth.nets.weights.load import load_ec_zero_dce
from lolblur_synth.ops.darken import brightness_relation
from lolblur_synth.ops.deflicker import deflicker
from lolblur_synth.ops.denoise.denoise import HEAD, find_noise
from lolblur_synth.ops.denoise.estimate import NoiseModel
from lolblur_synth.ops.interpolation.backends import opened
from lolblur_synth.ops.interpolation.interpolate import Interpolator
from lolblur_synth.run import denoised_cache
from lolblur_synth.run.plan import Plan, SequencePlan, describe_source, versions
from lolblur_synth.synthesis.draws import NOISE_FIELD
from lolblur_synth.synthesis.pipeline import Pair, synthesize
from lolblur_synth.synthesis.sequences import Reject, Slot
from lolblur_synth.video.geometry import sensor_rows
from lolblur_synth.video.images import dequantize, pixel_hash, quantize, write_png
from lolblur_synth.video.metadata import VideoScan
from lolblur_synth.video.reader import read_frames


def make_sequence(
    task: SequencePlan, plan: Plan, staging: Path, device: torch.device, threads: int, notify: Notify
) -> None:
    """Make one sequence's images and record in `staging`.

    Threads change no pixel; a device does by rounding, and where flow makes sub-frames by the kernel of its sampling.
    """
    config = plan.config
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    for folder in FOLDERS:  # now, for later this would make an output anew that somebody has removed
        (staging / image_path(task.split, folder, task.video, 0)).parent.mkdir(parents=True)
    notify(Event("start", task.id, total=len(task.slots)))
    clock = Clock(device, lambda name: notify(Event("operator", task.id, name)))
    net, sha256 = load_ec_zero_dce(config.darken.weights, device)
    if sha256 != plan.weights["ec_zero_dce"]:
        raise UserError(
            "the file has changed during the run", where=f"darken.weights {config.darken.weights}", advice="run again"
        )
    span = _span(task)
    breaks = {at - span.start for at in task.scan.breaks}

    def noise_field(slot: Slot, shape: torch.Size) -> Tensor:
        return torch.randn(shape, generator=torch_rng_for(config.seed, task.key, NOISE_FIELD, slot.index))

    written: list[PairRecord] = []
    rejects: list[Reject] = []
    with (
        ordered_map(threads) as each,
        _source(task, plan, span, device, clock, notify) as source,
        _interpolator(task, plan, device, threads, notify) as interpolator,
    ):
        pairs = synthesize(
            source.frames, span.start, breaks, task.slots, task.shutter, task.draws, _relation(task), source.noise, net,
            interpolator, noise_field, config, clock, each, source.keep,
        )  # fmt: skip
        for pair in pairs:
            fault = _distrust(pair, task, config)
            if fault and config.interpolate.reject:
                rejects.append(Reject(pair.slot, fault))
            else:
                with clock("write"):
                    number = task.first_number + len(written)
                    written.append(_write_pair(task, staging, number, pair, config, each))
            notify(Event("pair", task.id))
    if len(written) < min(config.sequences.min_pairs, len(task.slots)):
        raise SequenceError(
            f"{rejects[0].reason}; sequences.min_pairs is {config.sequences.min_pairs}",
            where=f"{len(rejects)} of {len(task.slots)} windows dropped",
            advice="film faster or nearer to still, or raise interpolate.untrusted",
        )
    task = replace(task, rejects=tuple(sorted([*task.rejects, *rejects], key=lambda reject: reject.slot.index)))
    stage_record(staging, _record(task, plan, device, source.facts, clock.seconds, written))


def _span(task: SequencePlan) -> range:
    """The source frames from the first window to the last."""
    return range(task.shutter.window(task.slots[0].center).start, task.shutter.window(task.slots[-1].center).stop)


def _relation(task: SequencePlan) -> Callable[[float], float]:
    """What makes the mean exposure of the sequence the one that was drawn, by what the scan saw of its lightness."""
    lightness = task.scan.lightness
    windows = [fmean(lightness[at] for at in task.shutter.window(slot.center)) for slot in task.slots]
    return partial(brightness_relation, task.draws.exposure, fmean(windows), windows[0])


def _worst(pair: Pair) -> float | None:
    """The largest share of any gap whose motion cannot be trusted, as it is recorded."""
    return round(max(pair.untrusted), 4) if pair.untrusted else None


def _distrust(pair: Pair, task: SequencePlan, config: Config) -> str | None:
    """Why the motion of an exposure cannot be trusted, if so."""
    worst = _worst(pair)
    if worst is None or worst <= config.interpolate.untrusted:
        return None
    frame = task.shutter.window(pair.slot.center).start + pair.untrusted.index(max(pair.untrusted))
    return f"motion too large to be trusted at frame {frame} ({worst:.0%} of the picture)"


@dataclass(frozen=True)
class _Source:
    """Where the frames of a sequence come from: the footage, or a cache of it after the denoiser."""

    frames: Iterator[Tensor]
    noise: NoiseModel | None  # that is to be removed
    facts: Denoising  # for the record
    keep: Callable[[Iterator[Tensor]], Iterator[Tensor]] = iter


@contextmanager
def _source(
    task: SequencePlan, plan: Plan, span: range, device: torch.device, clock: Clock, notify: Notify
) -> Iterator[_Source]:
    """Find the denoised frames in the cache, if there is one, else see to it that they are kept there."""
    config = plan.config
    parts = denoised_cache.parts_of(task, plan, span, device)
    if plan.cache:
        with clock("cache"):
            kept = denoised_cache.recall(plan.cache, parts, device, lambda text: notify(Event("warned", task.id, text)))
        if kept:
            yield _Source(kept[0], None, kept[1])
            return

    def frames() -> Iterator[Tensor]:
        read = read_frames(task.scan, span.start, span.stop, config.video.size)
        return _steadied((frame.to(device) for frame in read), task.scan, span, config)

    if config.denoise.backend == "none":
        yield _Source(frames(), None, _describe_noise(config, None, clean=True))
        return
    sigma = None if config.denoise.sigma == "auto" else config.denoise.sigma
    noise, clean = find_noise(islice(frames(), *_sound(task, span)), sigma)
    facts = _describe_noise(config, noise, clean)
    if clean or not plan.cache:
        yield _Source(frames(), None if clean else noise, facts)
        return
    with denoised_cache.storing(plan.cache, parts, facts) as store:

        def keep(stream: Iterator[Tensor]) -> Iterator[Tensor]:
            for frame in stream:
                with clock("cache"):
                    store(frame)
                yield frame

        yield _Source(frames(), noise, facts, keep)


def _steadied(frames: Iterator[Tensor], scan: VideoScan, span: range, config: Config) -> Iterator[Tensor]:
    """Without mains flicker, where it is there and to be removed."""
    if config.video.flicker != "remove" or scan.flicker is None:
        yield from frames
        return
    rows = sensor_rows(config.video.size, scan.info)
    for frame, gains in zip(frames, scan.flicker.gains[span.start : span.stop], strict=True):
        yield deflicker(frame, frame.new_tensor(gains), rows.to(frame.device))


def _sound(task: SequencePlan, span: range) -> tuple[int, int]:
    """The first frames of a span that follow on from each other, as many as noise is measured of, or the most."""
    breaks = sorted(at - span.start for at in task.scan.breaks if span.start < at < span.stop)
    return max(pairwise((0, *breaks, len(span))), key=lambda part: min(part[1] - part[0], HEAD))


@contextmanager
def _interpolator(
    task: SequencePlan, plan: Plan, device: torch.device, threads: int, notify: Notify
) -> Iterator[Interpolator]:
    section, vulkan = plan.config.interpolate, plan.config.run.device != "cpu"
    if section.backend == "auto":
        raise ValueError("a plan names the backend that auto stands for")

    def warn(text: str) -> None:
        notify(Event("warned", task.id, text))

    with opened(section.backend, section.weights, device, vulkan, threads, warn) as (interpolator, sha256):
        if sha256 != plan.weights.get(section.backend):
            raise UserError(
                "changed during the run", where=f"interpolate.weights {section.weights}", advice="run again"
            )
        yield interpolator


def _describe_noise(config: Config, noise: NoiseModel | None, clean: bool) -> Denoising:
    """What was found in the footage and what was done about it, for a record."""
    level = None
    if noise:
        level = NoiseLevel(sigma=noise.sigma, space=noise.space, a=noise.a, b=noise.b, white=noise.white)
    backend = "none" if clean else config.denoise.backend
    return Denoising(backend=backend, preset=config.denoise.preset, level=level)


def _write_pair(task: SequencePlan, staging: Path, number: int, pair: Pair, config: Config, each: Map) -> PairRecord:
    def write(folder: str) -> str:
        pixels = quantize(getattr(pair, folder), config.dataset.bit_depth)
        path = staging / image_path(task.split, folder, task.video, number)
        write_png(path, pixels)
        return pixel_hash(pixels)

    window = task.shutter.window(pair.slot.center)
    statistics = measure(dequantize(quantize(pair.low_blur_noise, config.dataset.bit_depth)))
    return PairRecord(
        number=number,
        slot=pair.slot.index,
        center=pair.slot.center,
        first=window.start,
        last=window[-1],
        seconds=float(pair.slot.center / task.scan.info.capture_fps),
        sha256=dict(zip(FOLDERS, each(write, FOLDERS), strict=True)),
        statistics={name: round(value, 4) for name, value in statistics.items()},
        untrusted=_worst(pair),
    )


def _record(
    task: SequencePlan,
    plan: Plan,
    device: torch.device,
    noise: Denoising,
    seconds: dict[str, float],
    pairs: list[PairRecord],
) -> SequenceRecord:
    shutter = task.shutter
    fps = task.scan.info.capture_fps
    return SequenceRecord(
        format=FORMAT,
        id=task.id,
        fingerprint=task.fingerprint,
        split=task.split,
        video=task.video,
        sequence=task.index,
        source=describe_source(task.scan, task.name),
        shutter=ShutterRecord(
            **asdict(shutter),
            frames=shutter.frames,
            sub_frames=shutter.sub_frames,
            sub_frame_fps=float(fps * shutter.factor),
        ),
        draws=task.draws,
        noise=noise,
        config=plan.config,
        weights=plan.weights,
        versions=versions(),
        device=device.type,
        seconds={name: round(value, 3) for name, value in seconds.items()},
        pairs=pairs,
        flicker=_describe_flicker(task, plan.config),
        rejects=[
            RejectRecord(slot=reject.slot.index, center=reject.slot.center, reason=shown(reject.reason))
            for reject in task.rejects
        ],
    )


def _describe_flicker(task: SequencePlan, config: Config) -> FlickerRecord | None:
    flicker, span = task.scan.flicker, _span(task)
    if flicker is None:
        return None
    gains = flicker.gains[span.start : span.stop] if config.video.flicker == "remove" else ()
    return FlickerRecord(
        hertz=flicker.hertz, percent=flicker.percent, first=span.start, gains=[list(row) for row in gains]
    )


@dataclass(frozen=True)
class Estimate:
    """What a pair costs on this machine."""

    device: str
    seconds_per_pair: float
    bytes_per_pair: int
    free_bytes: int


def estimate(plan: Plan, device: torch.device, threads: int) -> Estimate | None:
    """Make the first pair that is due, aside and for its cost alone; None when nothing is due.

    Twice where code had to be compiled for it, which a run does once.
    """
    task = next((sequence for sequence in plan.sequences if sequence.status != "keep"), None)
    if task is None:
        return None
    keep_all = plan.config.interpolate.model_copy(update={"reject": False})
    config = plan.config.model_copy(update={"interpolate": keep_all})
    first_only, uncached = replace(task, slots=task.slots[:1]), replace(plan, config=config, cache=None)
    compiled = -1
    with tempfile.TemporaryDirectory() as folder:
        staging = Path(folder, "pair")
        while compiled != KernelCache.compiled:
            compiled = KernelCache.compiled
            make_sequence(first_only, uncached, staging, device, threads, ignore)
        seconds = sum(read_record(staging / RECORD, first_only.id).seconds.values())
        size = sum(path.stat().st_size for path in staging.rglob("*.png"))
    existing = next(folder for folder in (plan.out.absolute(), *plan.out.absolute().parents) if folder.exists())
    return Estimate(device.type, seconds, size, shutil.disk_usage(existing).free)
