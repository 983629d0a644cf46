"""What is written about each sequence and pair, and reading it as if a stranger had written it."""

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.dataclasses import dataclass
from pydantic_core import from_json

from lolblur_synth.config.run import Config
from lolblur_synth.core.errors import UserError, listed, shown
from lolblur_synth.core.files import read_bounded
from lolblur_synth.dataset.layout import FOLDERS, Folder, Split, image_path
from lolblur_synth.dataset.links import check_layout
from lolblur_synth.dataset.statistics import Statistic
from lolblur_synth.ops.denoise.noise_model import Channels, Space
from lolblur_synth.synthesis.draws import Draws

FORMAT: Literal[4] = 4
SETTINGS = "dataset.yaml"  # the effective configuration; a folder that has it is a dataset of ours
RECORD = "record.json"
_LARGEST = 16 << 20  # bytes of a record; thirty pairs take 24 KiB
_LARGE = 1 << 20
_LISTED = 1000  # faults of a record; to list millions would take gigabytes
_STAGING = re.compile(r"\.(\d{4}-\d)\.partial")

STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0, lt=2**53)]
Text = Annotated[str, Field(max_length=4096)]
Word = Annotated[str, Field(min_length=1, max_length=100)]
Positive = Annotated[float, Field(ge=0)]
Rate = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,39}(/[1-9][0-9]{0,39})?$")]  # of frames per second, as a fraction
Hashes = Annotated[dict[Folder, Sha256], Field(min_length=len(FOLDERS))]
Statistics = Annotated[dict[Statistic, float], Field(min_length=len(get_args(Statistic)))]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, **STRICT)


class Source(_Part):
    """The video of a sequence, as its headers and a full decode told."""

    name: Text  # of the file, printable
    content: Sha256  # of its decoded frames and the slots that they fill
    frames: Count
    width: Count
    height: Count
    stored_fps: Rate
    capture_fps: Rate
    capture_source: Text
    codec: Text
    pixel_format: Text
    bit_depth: Count
    used_bits: Count | None = None
    color_matrix: Word
    color_range: Word
    rotation: int = Field(ge=-360, le=360)


class ShutterRecord(_Part):
    """The shutter of a sequence, in source frames and sub-frames."""

    gaps: Count
    factor: Count
    milliseconds: Positive
    frames: Count
    sub_frames: Count
    sub_frame_fps: Positive


class NoiseLevel(_Part):
    """Noise as it was measured, or told; see `NoiseModel`."""

    sigma: Positive  # of 255
    space: Space
    a: Channels
    b: Channels
    white: bool


class Denoising(_Part):
    """What was found in the footage, and what was done about it."""

    backend: Literal["vbm4d", "bm4d", "none"]
    preset: Literal["fast", "best"]
    level: NoiseLevel | None = None  # None: nobody looked


class RejectRecord(_Part):
    """A window of the video that gave no pair, and why."""

    slot: Count
    center: Count
    reason: Text


@dataclass(frozen=True, slots=True, config=STRICT)  # slots: a dataset has hundreds of thousands
class PairRecord:
    """One pair: its number, the source frames it came from, and what its pictures hold."""

    number: Annotated[int, Field(ge=1, le=9999)]  # FFFF
    slot: Count  # counted at the output rate from the start of the video
    center: Count  # source frame of the ground truth
    first: Count  # source frames of the exposure
    last: Count
    seconds: Positive  # of the ground truth, from the start of the recording
    sha256: Hashes  # of the decoded pixels
    statistics: Statistics  # of low_blur_noise
    untrusted: Annotated[float, Field(ge=0, le=1)] | None = None  # largest share of a gap that moves inconsistently


class FlickerRecord(_Part):
    """Mains flicker of the footage, and the gains of linear light that took it out."""

    hertz: Count  # of the light
    percent: Positive  # per cent flicker
    first: Count  # source frame of the first gains
    gains: list[list[Positive]]  # by frame and band of the sensor; none where it was left in


def _rising(pairs: list[PairRecord]) -> list[PairRecord]:
    if any(one.number >= other.number for one, other in pairwise(pairs)):
        raise ValueError("numbers do not rise")
    return pairs


def _with_versions(versions: dict[str, str]) -> dict[str, str]:
    missing = {"lolblur-synth", "pipeline"} - versions.keys()
    if missing:
        raise ValueError(f"lacks {', '.join(sorted(missing))}")
    return versions


class SequenceRecord(_Part):
    """Everything that explains a sequence."""

    format: Literal[4]
    id: str  # VVVV-S
    fingerprint: Sha256  # same source, settings, weights and code version: same fingerprint
    split: Split
    video: int = Field(ge=0, le=9999)
    sequence: int = Field(ge=0, le=9)
    source: Source
    shutter: ShutterRecord
    draws: Draws
    noise: Denoising
    config: Config
    weights: dict[Word, Sha256] = Field(max_length=100)  # by network
    versions: Annotated[dict[Word, Word], Field(max_length=100), AfterValidator(_with_versions)]
    device: Word
    seconds: dict[Word, Positive] = Field(max_length=100)  # by operator
    pairs: Annotated[list[PairRecord], Field(min_length=1, max_length=9999, fail_fast=True), AfterValidator(_rising)]
    rejects: Annotated[
        list[RejectRecord], Field(fail_fast=True)
    ]  # windows of the whole video that gave no pair; some when it was made
    flicker: FlickerRecord | None = None

    @model_validator(mode="after")
    def _is_named_by_its_fields(self) -> Self:
        name = f"{self.video:04d}-{self.sequence}"
        if self.id != name:
            raise ValueError(f"id {self.id[:20]!r} where video and sequence make {name}")
        return self

    def images(self) -> Iterator[tuple[Path, str]]:
        """Relative path and pixel hash of each image."""
        for pair in self.pairs:
            for folder in FOLDERS:
                yield image_path(self.split, folder, self.video, pair.number), pair.sha256[folder]


def record_path(root: Path, sequence_id: str) -> Path:
    """The record of a sequence: that it exists says that the sequence is complete."""
    return root / "records" / f"{sequence_id}.json"


def staging_path(root: Path, sequence_id: str) -> Path:
    """Where a sequence is made before it is published."""
    return root / f".{sequence_id}.partial"


def staged_id(staging: Path) -> str | None:
    """The sequence that is made in a folder; None for one in which no run makes any."""
    name = _STAGING.fullmatch(staging.name)
    return name[1] if name and staging.is_dir() and not staging.is_symlink() else None


def staged(root: Path) -> list[Path]:
    """Where sequences are that are not published yet, complete or not."""
    return [path for path in sorted(root.glob(".*.partial")) if staged_id(path)]


def read_staged(staging: Path) -> SequenceRecord:
    """The record of a complete staged sequence; raises as `read_record`."""
    return read_record(staging / RECORD, staged_id(staging) or "")


class _DamageError(Exception):
    """Which record is damaged, in which field, and how."""


def read_record(path: Path, sequence_id: str) -> SequenceRecord:
    """Read the record of a sequence; raises `UserError` for a damaged one, another's, or one of another format."""
    try:
        return _read(path, sequence_id)
    except _DamageError as error:
        what = "its folder" if path.name == RECORD else "it"
        told = f"delete {what} and run again to make its sequence anew"
        raise UserError(error, where=path.parents[1], advice=told) from None


def _read(path: Path, sequence_id: str) -> SequenceRecord:
    name = path.relative_to(path.parents[1])
    try:
        data = read_bounded(path, _LARGEST, follow=False)
        if len(data) > _LARGE:
            _check_fields(name, data)
        record = SequenceRecord.model_validate_json(data)
    except OSError as error:
        raise _DamageError(f"damaged record {name}: cannot be read: {error.strerror}") from None
    except ValidationError as error:
        _check_format(path, error)
        raise _DamageError(f"damaged record {name}: {fault_in(error)}") from None
    if record.id != sequence_id:
        raise _DamageError(f"damaged record {name}: id: is that of {record.id}")
    return record


def _check_fields(name: Path, data: bytes) -> None:
    """Refuse a large record that lacks fields: pydantic would keep a copy of it for each of them."""
    try:
        content = from_json(data)
    except ValueError as error:
        raise _DamageError(f"damaged record {name}: {error}") from None
    required = {name for name, field in SequenceRecord.model_fields.items() if field.is_required()}
    missing = sorted(required - content.keys()) if isinstance(content, dict) else ["all fields"]
    if missing:
        raise _DamageError(f"damaged record {name}: {missing[0]}: is not there (and {len(missing) - 1} faults more)")


def _check_format(path: Path, error: ValidationError) -> None:
    if error.error_count() > _LISTED:
        return
    found = [fault["input"] for fault in error.errors(include_url=False) if fault["loc"] == ("format",)]
    if found and isinstance(found[0], int):
        raise UserError(
            (
                f"record format {found[0]}, this version reads {FORMAT}: use the lolblur-synth that made the "
                "dataset, or make a new one"
            ),
            where=path,
        )


def fault_in(error: ValidationError) -> str:
    """The first fault of what was read, as `field: what`, and the number of the others."""
    if error.error_count() > _LISTED:
        return f"{error.error_count()} faults"
    first, *others = error.errors(include_url=False, include_context=False, include_input=False)
    field = ".".join(str(part)[:40] for part in first["loc"])
    told = f"{field}: " * bool(field) + first["msg"].removeprefix("Value error, ")
    return shown(told[:300]) + (f" (and {len(others)} faults more)" if others else "")


@contextmanager
def _without_collector() -> Iterator[None]:
    """Records have no cycles, and looking through all of them for some again and again takes as long as reading."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def read_records(root: Path) -> dict[str, SequenceRecord]:
    """All records of a dataset by sequence id, in order; raises `UserError`, naming the damaged ones."""
    check_layout(root)
    records: dict[str, SequenceRecord] = {}
    faults = []
    with _without_collector():
        for path in sorted((root / "records").glob("*.json")):
            try:
                records[path.stem] = _read(path, path.stem)
            except _DamageError as error:
                faults.append(str(error))
    if faults:
        raise UserError(
            listed(faults), where=root, advice="delete what is damaged and run again to make its sequences anew"
        )
    return records
