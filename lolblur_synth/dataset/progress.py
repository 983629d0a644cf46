"""Progress of a run as a file of its dataset, `progress.json`: what is planned, made, failed and under way.

Whoever runs the executor writes it, about once a second and at the end; anybody who sees the folder may read it.
"""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lolblur_synth.core.errors import UserError
from lolblur_synth.core.files import read_bounded, write_whole
from lolblur_synth.dataset.record_reader import fault_in
from lolblur_synth.dataset.records import STRICT, Count, Positive, Text

FORMAT: Literal[1] = 1
HEARTBEAT = 5.0  # seconds after which it is written again at the latest, whatever happens
State = Literal["running", "done", "stopped", "failed"]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,99}")
_LARGEST = 4 << 20  # bytes; a sequence under way takes 200


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, **STRICT)


class Counts(_Part):
    """How many."""

    sequences: Count = 0
    pairs: Count = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(sequences=self.sequences + other.sequences, pairs=self.pairs + other.pairs)


class UnderWay(_Part):
    """A sequence that a worker is making."""

    worker: Text  # host:pid
    sequence: Text  # VVVV-S
    operator: Text
    pairs: Count  # done
    total: Count
    since: Positive  # when it was begun


class Progress(_Part):
    """How far a run is; times are seconds since 1970 by its host's clock."""

    format: Literal[1] = FORMAT
    name: Annotated[str, Field(pattern=f"^{_NAME.pattern}$")] | None = None  # of the part, where several runs share it
    state: State  # done: ended by itself, also where sequences failed; failed: ended by an error
    error: Text = ""  # that ended it
    host: Text
    pid: Count
    started: Positive
    updated: Positive
    planned: Counts  # in all: made, kept, failed, and what is left
    kept: Counts  # there already
    made: Counts
    failed: Counts  # pairs: that their sequences were to have
    videos_failed: Count  # videos that give nothing
    under_way: Annotated[list[UnderWay], Field(max_length=10_000)]
    pairs_per_hour: Positive | None  # over the last ten minutes; None: too early to tell
    seconds_to_go: Positive | None  # at that rate
    bytes_written: Count  # of pictures
    peak_memory: Count  # bytes, of the largest worker


def progress_path(root: Path, name: str | None = None) -> Path:
    """Where a run writes its progress; parts that share a dataset have a name each, such as `shard-2-of-8`."""
    if name is not None and not _NAME.fullmatch(name):
        raise ValueError(f"the name of a part is of letters, digits and hyphens, not {name!r}")
    return root / (f"progress-{name}.json" if name else "progress.json")


def find_progress(root: Path) -> list[Path]:
    """The files of progress in a dataset."""
    return [path for path in [root / "progress.json", *sorted(root.glob("progress-*.json"))] if path.exists()]


def write_progress(path: Path, progress: Progress) -> None:
    """Write it so that it appears whole or not at all; raises `OSError`. It does not wait for the disk."""
    write_whole(path, progress.model_dump_json(indent=1).encode() + b"\n")


def read_progress(path: Path) -> Progress:
    """Read it as if a stranger had written it; raises `UserError` in one line."""
    advice = "a run that goes on writes it anew; else delete it"
    try:
        return Progress.model_validate_json(read_bounded(path, _LARGEST, follow=False))
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=path, advice=advice) from None
    except ValidationError as error:
        raise UserError(f"damaged: {fault_in(error)}", where=path, advice=advice) from None
