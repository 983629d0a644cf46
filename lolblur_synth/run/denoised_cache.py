"""Denoised frames that are kept between runs: for each range of frames a lossless file, and what it was made from.

`KEY.mkv` holds the frames, which lie on the grid of 16 bits; `KEY.json`, written after it, says that they are complete,
their hash, and the noise that was found in the footage. The key is a hash of all that decides the frames.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from pydantic import BaseModel
from torch import Tensor

from lolblur_synth.config.run import Denoise
from lolblur_synth.core.errors import UserError, refused, setting
from lolblur_synth.core.files import file_hash, open_lock, read_bounded, sweep_drafts, write_text
from lolblur_synth.core.fingerprint import fingerprint
from lolblur_synth.dataset.records import STRICT, Denoising, Digest
from lolblur_synth.run.plan import Plan, SequencePlan
from lolblur_synth.run.provenance import versions
from lolblur_synth.synthesis.pipeline import VERSION
from lolblur_synth.video.geometry import Size
from lolblur_synth.video.reader import read_codes
from lolblur_synth.video.writer import video_writer

_LARGEST = 1 << 20  # bytes of what is said about frames
_DECIDING = ("av", "bm4d", "numba", "opencv-python", "torch")  # packages that decode and denoise
_DRAFT = ".denoising-"
_FPS = Fraction(25)  # of the files; nobody asks


@contextmanager
def hold_cache(folder: Path, videos: Path | str, out: Path) -> Iterator[None]:
    """Hold a folder ready for a run; what killed runs left in it goes, unless another run is at work there."""
    place = folder.resolve()
    if place == Path(videos).resolve() or place.is_relative_to(out.resolve()):
        raise UserError(
            f"lies among the videos or in {setting('out')}",
            where=f"{setting('cache_denoised')} {folder}",
            advice="name a folder of its own",
        )
    with refused(f"{setting('cache_denoised')} {folder}", "cannot be written", "name a folder that can"):
        folder.mkdir(parents=True, exist_ok=True)
        lock = open_lock(folder / ".lock")
    with lock:
        with refused(
            f"{setting('cache_denoised')} {folder}", "files cannot be locked there", "name a folder on another disk"
        ):
            sweep_drafts(lock, folder, _DRAFT)
        yield


class Key(BaseModel):
    """All that decides the denoised frames of a range, but for rounding that differs between machines."""

    model_config = STRICT
    source: Digest
    rendering: dict[str, float | int | str]
    frames: tuple[int, int]
    breaks: list[int]
    size: Size
    flicker: bool  # removed
    denoise: Denoise
    pipeline: int
    device: str
    versions: dict[str, str]


def key_of(task: SequencePlan, plan: Plan, device: torch.device) -> Key:
    """The key of a sequence's frames."""
    span = task.recipe.span
    return Key(
        source=task.scan.content,
        rendering=task.scan.info.rendering,
        frames=(span.start, span.stop),
        breaks=task.scan.breaks_within(span),
        size=plan.config.video.size,
        flicker=plan.config.video.flicker == "remove",
        denoise=plan.config.denoise,
        pipeline=VERSION,
        device=device.type,
        versions={name: version for name, version in versions().items() if name in _DECIDING},
    )


class _Facts(BaseModel):
    """What `KEY.json` says of the frames beside it."""

    model_config = STRICT
    of: Key  # for people; the name is made of it
    noise: Denoising
    sha256: Digest  # of the file of frames


def recall(
    folder: Path, key: Key, device: torch.device, warn: Callable[[str], None]
) -> tuple[Iterator[Tensor], Denoising] | None:
    """Denoised frames on a device, and the noise that was removed; None where they are not kept or are damaged."""
    video, facts = _paths(folder, key)
    if not facts.exists():
        return None
    try:
        kept = _Facts.model_validate_json(read_bounded(facts, _LARGEST))
    except (OSError, ValueError):
        kept = None
    if kept is None or not _is_whole(video, kept):
        warn(f"{video}: the denoised frames kept there are damaged or gone; denoising them again")
        return None
    return _read(video, device), kept.noise


def _is_whole(video: Path, kept: _Facts) -> bool:
    try:
        return file_hash(video) == kept.sha256
    except OSError:
        return False


def _read(video: Path, device: torch.device) -> Iterator[Tensor]:
    for codes in read_codes(video):
        planes = torch.from_numpy(np.ascontiguousarray(codes.transpose(2, 0, 1), np.float32))
        yield planes.to(device).div(np.iinfo(np.uint16).max)  # divided where the denoiser does: devices differ in bits


@contextmanager
def storing(folder: Path, key: Key, noise: Denoising) -> Iterator[Callable[[Tensor], None]]:
    """Keep the frames that the function is given one by one: all of them, or else none. Raises `UserError`."""
    video, facts = _paths(folder, key)
    count = 0
    with _naming(folder):
        draft = Path(tempfile.mkdtemp(prefix=_DRAFT, dir=folder))
    try:
        with video_writer(draft / video.name, _FPS, bit_depth=16) as write:

            def store(frame: Tensor) -> None:
                nonlocal count
                with _naming(folder):
                    write(frame)
                count += 1

            yield store
        if count == key.frames[1] - key.frames[0]:
            kept = _Facts(of=key, noise=noise, sha256=file_hash(draft / video.name))
            with _naming(folder):
                write_text(draft / facts.name, kept.model_dump_json(indent=1) + "\n")
                (draft / video.name).replace(video)
                (draft / facts.name).replace(facts)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _paths(folder: Path, key: Key) -> tuple[Path, Path]:
    name = fingerprint(key.model_dump(mode="json"))
    return folder / f"{name}.mkv", folder / f"{name}.json"


def _naming(folder: Path) -> AbstractContextManager[None]:
    """What the disk refuses ends the run, with the name of the folder, as the output may well have room."""
    advice = "make room or leave the option out and run again, finished sequences are kept"
    return refused(f"{setting('cache_denoised')} {folder}", "", advice)
