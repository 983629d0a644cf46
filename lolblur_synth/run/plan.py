"""Plan of a run, as data: its videos, their numbers and splits, their sequences, what is dropped, and why."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as checked

from lolblur_synth.config.run import Config
from lolblur_synth.dataset.layout import Split
from lolblur_synth.synthesis.sequences import Recipe, Reject, Slot
from lolblur_synth.video.file_types import LeftOut
from lolblur_synth.video.metadata import VideoScan


@dataclass(frozen=True)
class SequencePlan:
    """One sequence to make: the unit of work."""

    id: str  # VVVV-S
    split: Split
    video: int
    index: int
    name: str  # of the video
    scan: VideoScan
    recipe: Recipe
    first_number: int
    rejects: tuple[Reject, ...]
    fingerprint: str
    status: Literal["make", "keep", "remake"]


@dataclass(frozen=True)
class VideoPlan:
    """One video: what it gives, or the reason why it gives nothing."""

    path: Path  # of footage that lies elsewhere its name, below the folder of the videos
    name: str  # printable, below the folder of the videos
    scan: VideoScan | None = None
    chunks: tuple[tuple[Slot, ...], ...] = ()
    speeds: tuple[tuple[float, ...], ...] = ()  # by chunk, pixels a gap, where sequences.blur asks for them
    number: int | None = None
    split: Split | None = None
    sequences: tuple[SequencePlan, ...] = ()
    rejects: tuple[Reject, ...] = ()
    warnings: tuple[str, ...] = ()
    fault: str | None = None


MOST_SHARDS = 10_000


@checked(frozen=True, config=ConfigDict(strict=True, extra="forbid"))
class Shard:
    """Number `number` of `count` parts of a plan, from 1 on; `plan` is a digest of all of it, which the parts share."""

    number: Annotated[int, Field(ge=1, le=MOST_SHARDS)]
    count: Annotated[int, Field(ge=1, le=MOST_SHARDS)]
    plan: str = ""  # empty: it is no part of any yet

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @property
    def name(self) -> str:
        """For files and leases."""
        return f"shard-{self.number}-of-{self.count}"


@dataclass(frozen=True)
class Plan:
    """A run, whole or one of the shards of it."""

    out: Path
    config: Config
    weights: dict[str, str]
    videos: tuple[VideoPlan, ...]
    stale: tuple[str, ...]  # ids of sequences of other settings that are replaced by nothing
    seen: frozenset[tuple[str, str]]  # ids and fingerprints in the folder when the plan was made
    interpolation: str = ""  # what makes the sub-frames, in words
    left_out: tuple[LeftOut, ...] = ()  # what lies among the videos and is none
    cache: Path | None = None  # a folder of denoised frames; changes no pixel
    shard: Shard | None = None  # whose sequences alone are in it

    @property
    def sequences(self) -> list[SequencePlan]:
        """The sequences of all videos."""
        return [sequence for video in self.videos for sequence in video.sequences]

    @property
    def due(self) -> list[SequencePlan]:
        """The sequences that are to be made, anew or for the first time."""
        return [sequence for sequence in self.sequences if sequence.status != "keep"]

    @property
    def faults(self) -> list[VideoPlan]:
        """Videos that give nothing."""
        return [video for video in self.videos if video.fault]
