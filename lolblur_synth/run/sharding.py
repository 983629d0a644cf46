"""Shards of a run: a part of the plan for each of many processes that know nothing of each other, as in a job array.

Which sequence falls to which shard follows from its content alone; all plan the same, and each leaves a note of what it
is to make, which `merge` reads at the end.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from lolblur_synth.core.errors import UserError, setting
from lolblur_synth.core.files import read_bounded, write_text
from lolblur_synth.dataset.layout import SHARDS
from lolblur_synth.dataset.record_reader import fault_in
from lolblur_synth.run.failures import Failure
from lolblur_synth.run.plan import MOST_SHARDS, Plan, Shard

_LARGEST = 64 << 20  # bytes of a note
_SHARD = re.compile(r"(\d{1,5})/(\d{1,5})")
_NAME = re.compile(r"(\d{1,5})-of-(\d{1,5})\.json")


@dataclass(frozen=True, config=ConfigDict(strict=True, extra="forbid"))
class ShardNote:
    """What a shard is to make, and what became of it."""

    shard: Shard
    sequences: list[str]  # ids of its own
    failures: list[Failure]
    ended: bool


def parse_shard(text: str) -> Shard:
    """Read `i/n`; raises `UserError` when it is none, or i is not among 1 to n."""
    match = _SHARD.fullmatch(text)
    number, count = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= number <= count <= MOST_SHARDS:
        advice = f"give i/n, i from 1 to n, n up to {MOST_SHARDS}, as 1/8"
        raise UserError("no shard", where=f"{setting('shard')} {text}", advice=advice)
    return Shard(number, count)


def cut(plan: Plan, shard: Shard) -> Plan:
    """The part of a whole plan that falls to a shard: each n-th sequence, in an order that follows from content."""
    ranked = sorted(plan.sequences, key=lambda task: hashlib.sha256(task.recipe.key.encode()).digest())
    own = {task.id for task in ranked[shard.number - 1 :: shard.count]}
    videos = tuple(
        replace(video, sequences=tuple(task for task in video.sequences if task.id in own)) for video in plan.videos
    )
    return replace(plan, videos=videos, shard=replace(shard, plan=digest(plan)))


def begin(plan: Plan, shard: Shard) -> ShardNote:
    """The note of the shard that a plan is; raises `UserError` where the folder is being made by other shards."""
    for other in (note.shard for note in read_notes(plan.out)):
        where = f"{setting('shard')} {shard}"
        if other.count != shard.count:
            raise UserError(
                f"{plan.out} is being made in {other.count} shards",
                where=where,
                advice=f"go on in {other.count}, or finish it by a run without {setting('shard')}",
            )
        if other.plan != shard.plan:
            raise UserError(
                f"shard {other} has planned other sequences",
                where=where,
                advice="give all shards the same footage, settings and version",
            )
    return ShardNote(shard, [task.id for task in plan.sequences], [], ended=False)


def digest(plan: Plan) -> str:
    """What all shards of a plan share: its sequences and what decides their pixels."""
    marks = sorted(f"{task.id} {task.fingerprint}\n" for task in plan.sequences)
    return hashlib.sha256("".join(marks).encode()).hexdigest()


def write_note(out: Path, note: ShardNote) -> None:
    """Write the note of a shard; raises `OSError`."""
    folder = out / SHARDS
    folder.mkdir(exist_ok=True)
    path = folder / f"{note.shard.number}-of-{note.shard.count}.json"
    write_text(path, TypeAdapter(ShardNote).dump_json(note, indent=1).decode() + "\n")


def read_notes(out: Path) -> list[ShardNote]:
    """The notes in a dataset, in order of the shards; raises `UserError` for a damaged one."""
    notes = []
    for path in (out / SHARDS).glob("*.json"):
        advice = "delete it and run that shard again"
        try:
            note = TypeAdapter(ShardNote).validate_json(read_bounded(path, _LARGEST, follow=False))
        except FileNotFoundError:  # a merge has removed it
            continue
        except OSError as error:
            raise UserError(f"cannot be read: {error.strerror}", where=path, advice=advice) from None
        except ValidationError as error:
            raise UserError(f"damaged: {fault_in(error)}", where=path, advice=advice) from None
        match = _NAME.fullmatch(path.name)
        if not match or (int(match[1]), int(match[2])) != (note.shard.number, note.shard.count):
            raise UserError(f"damaged: it is that of shard {note.shard}", where=path, advice=advice)
        notes.append(note)
    return sorted(notes, key=lambda note: (note.shard.count, note.shard.number))


def remove_notes(out: Path) -> None:
    """Remove all notes: the dataset is made."""
    for path in (out / SHARDS).glob("*.json"):
        path.unlink()
    if (out / SHARDS).is_dir() and not any((out / SHARDS).iterdir()):
        (out / SHARDS).rmdir()


def failures_of(notes: Sequence[ShardNote]) -> list[Failure]:
    """What all shards could not make; a video that none could read is told once."""
    return list({(failure.kind, failure.name): failure for failure in chain(*(n.failures for n in notes))}.values())
