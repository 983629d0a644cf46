"""Sequences that are made aside, in a folder that is removed, to see what they cost."""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from lolblur_synth.core.events import ignore
from lolblur_synth.dataset.layout import RECORD
from lolblur_synth.dataset.manifest import manifest_part
from lolblur_synth.dataset.record_reader import read_record
from lolblur_synth.kernels.jit_cache import KernelCache
from lolblur_synth.run.build_sequence import Place, build_sequence
from lolblur_synth.run.plan import Plan, SequencePlan

_IO = Path("/proc/self/io")


@dataclass(frozen=True)
class Sample:
    """What the first pairs of a sequence took."""

    pairs: int
    operators: float  # seconds by the clock, as its record tells
    wall: float  # seconds by the clock, opening and closing with it
    spent: float  # seconds of one core; on CUDA by the clock, as it is the device that is at work
    read: int  # bytes, of files, from the disk or not
    pictures: int  # bytes
    text: int  # bytes, of its record and its part of the manifest


def make_sample(task: SequencePlan, pairs: int, plan: Plan, place: Place) -> Sample:
    """Make the first pairs of a sequence, whatever their motion; nothing is taken from a cache of frames, or kept."""
    keep_all = plan.config.interpolate.model_copy(update={"reject": False})
    config = plan.config.model_copy(update={"interpolate": keep_all})
    task = replace(task, recipe=replace(task.recipe, slots=task.recipe.slots[:pairs]))
    with tempfile.TemporaryDirectory() as folder:
        staging = Path(folder, "sequence")
        start, spent, read = time.perf_counter(), time.process_time(), _bytes_read()
        build_sequence(task, replace(plan, config=config, cache=None), staging, place, ignore)
        wall, spent, read = time.perf_counter() - start, time.process_time() - spent, _bytes_read() - read
        record = read_record(staging / RECORD, task.id)
        return Sample(
            pairs=len(record.pairs),
            operators=sum(record.seconds.values()),
            wall=wall,
            spent=wall if place.device.type == "cuda" else spent,
            read=read,
            pictures=sum(path.stat().st_size for path in staging.rglob("*.png")),
            text=(staging / RECORD).stat().st_size + len(manifest_part(record)),
        )


def until_compiled(task: SequencePlan, pairs: int, plan: Plan, place: Place) -> Iterator[Sample]:
    """The same sample again until no code had to be compiled for it, which a machine does once; one at least."""
    compiled = -1
    while compiled != KernelCache.compiled:
        compiled = KernelCache.compiled
        yield make_sample(task, pairs, plan, place)


def _bytes_read() -> int:
    return int(_IO.read_text().split("rchar: ")[1].split()[0])
