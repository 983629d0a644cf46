"""Provenance: what a record says of where a sequence is from and how it was made."""

import importlib.metadata
from dataclasses import asdict
from statistics import fmean

import torch

from lolblur_synth.config.about import UNTOLD
from lolblur_synth.config.run import Config
from lolblur_synth.core.errors import shown
from lolblur_synth.core.version import __version__
from lolblur_synth.dataset.records import (
    FORMAT,
    BlurAimRecord,
    BlurRecord,
    Denoising,
    FlickerRecord,
    NoiseLevel,
    PairRecord,
    RejectRecord,
    SequenceRecord,
    ShutterRecord,
    Source,
    SourceShutterRecord,
)
from lolblur_synth.ops.motion import MotionBlur
from lolblur_synth.run.plan import Plan, SequencePlan
from lolblur_synth.synthesis.pipeline import VERSION, NoiseEstimate
from lolblur_synth.synthesis.sequences import NAMED_FRAMES, BlurAim
from lolblur_synth.video.metadata import VideoScan


def describe_sequence(
    task: SequencePlan,
    plan: Plan,
    device: torch.device,
    denoising: Denoising,
    seconds: dict[str, float],
    pairs: list[PairRecord],
) -> SequenceRecord:
    """The record of a sequence whose pictures are made; `seconds` are by operator."""
    recipe = task.recipe
    return SequenceRecord(
        format=FORMAT,
        id=task.id,
        fingerprint=task.fingerprint,
        split=task.split,
        video=task.video,
        sequence=task.index,
        source=describe_source(task.scan, task.name),
        shutter=ShutterRecord(
            **asdict(recipe.shutter),
            frames=recipe.shutter.frames,
            sub_frames=recipe.shutter.sub_frames,
            sub_frame_fps=float(task.scan.info.capture_fps * recipe.shutter.factor),
        ),
        draws=recipe.draws,
        noise=denoising,
        config=_recorded(plan.config),
        weights=plan.weights,
        versions=versions(),
        device=device.type,
        seconds={name: round(value, 3) for name, value in seconds.items()},
        pairs=pairs,
        flicker=_describe_flicker(task, plan.config),
        aim=_describe_aim(recipe.aim, pairs),
        rejects=[
            RejectRecord(
                slot=reject.slot.index,
                center=reject.slot.center,
                reason=shown(reject.reason),
                kinds=list(reject.kinds),
                frames=list(reject.frames[:NAMED_FRAMES]),
                detail=reject.detail,
            )
            for reject in task.rejects
        ],
    )


def _recorded(config: Config) -> Config:
    """The settings without what a dataset tells elsewhere, and without a folder of the machine that made it."""
    return config.model_copy(update={"about": UNTOLD, "run": config.run.model_copy(update={"cache_footage": None})})


def describe_noise(config: Config, noise: NoiseEstimate) -> Denoising:
    """The noise of the footage, and what was done about it."""
    level, model = None, noise.model
    if model:
        level = NoiseLevel(sigma=model.sigma, space=model.space, a=model.a, b=model.b, white=model.white)
    backend = "none" if noise.negligible else config.denoise.backend
    return Denoising(backend=backend, preset=config.denoise.preset, level=level)


def describe_blur(motion: MotionBlur | None) -> BlurRecord | None:
    """The motion of an exposure, with the digits that flow is good for."""
    if motion is None:
        return None
    direction = None if motion.direction is None else round(motion.direction, 1) % 180
    mean, p95 = round(motion.mean, 2), round(motion.p95, 2)
    return BlurRecord(mean, p95, direction, round(motion.concentration, 3), round(motion.straightness, 3))


def _describe_aim(aim: BlurAim | None, pairs: list[PairRecord]) -> BlurAimRecord | None:
    if aim is None:
        return None
    blurs = [pair.blur.mean for pair in pairs if pair.blur]
    reached = round(fmean(blurs), 2) if blurs else None
    return BlurAimRecord(wanted=aim.wanted, planned=round(aim.planned, 2), reached=reached, limit=aim.limit)


def _describe_flicker(task: SequencePlan, config: Config) -> FlickerRecord | None:
    flicker, span = task.scan.flicker, task.recipe.span
    if flicker is None:
        return None
    gains = flicker.gains[span.start : span.stop] if config.video.flicker == "remove" else ()
    return FlickerRecord(
        hertz=flicker.hertz, percent=flicker.percent, first=span.start, gains=[list(row) for row in gains]
    )


def describe_source(scan: VideoScan, name: str) -> Source:
    """The video, by what is decoded of it."""
    info = scan.info
    return Source(
        name=shown(name),
        content=scan.content,
        frames=scan.frames,
        width=info.width,
        height=info.height,
        stored_fps=str(info.stored_fps),
        capture_fps=str(info.capture_fps),
        capture_source=shown(info.capture_source),
        codec=info.codec,
        pixel_format=info.pixel_format,
        bit_depth=info.bit_depth,
        used_bits=info.used_bits,
        color_matrix=info.color_matrix,
        color_range=info.color_range,
        rotation=info.rotation,
        mirrored=info.mirrored,
        transfer=info.transfer,
        primaries=info.primaries,
        shutter=_describe_shutter(scan),
        white=info.white,
        saturation=info.saturation,
        raw=info.raw,
        url=shown(scan.remote.url) if scan.remote else None,
    )


def _describe_shutter(scan: VideoScan) -> SourceShutterRecord:
    info, shutter = scan.info, scan.info.shutter
    if shutter is None:
        return SourceShutterRecord(seen_ratio=scan.seen_exposure)
    ratio = info.exposure_ratio
    return SourceShutterRecord(
        origin=shutter.origin,
        detail=shown(shutter.detail),
        seconds=float(shutter.time(info.capture_fps)),
        exposure_ratio=None if ratio is None else round(ratio, 4),
        seen_ratio=scan.seen_exposure,
    )


def versions() -> dict[str, str]:
    """Versions of what decides pixels."""
    names = ("torch", "numpy", "opencv-python", "av", "numba", "bm4d", "scikit-image", "scenedetect", "rawpy")
    own = {"lolblur-synth": __version__, "pipeline": str(VERSION)}
    return own | {name: importlib.metadata.version(name) for name in names}
