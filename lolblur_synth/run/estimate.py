"""Estimate of what a run costs, from one pair made aside."""

import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from lolblur_synth.core.devices import choose_device
from lolblur_synth.core.events import ignore
from lolblur_synth.dataset.layout import RECORD
from lolblur_synth.dataset.record_reader import read_record
from lolblur_synth.kernels.jit_cache import KernelCache
from lolblur_synth.run.build_sequence import build_sequence
from lolblur_synth.run.execute import places_for
from lolblur_synth.run.plan import Plan


@dataclass(frozen=True)
class Estimate:
    """What a pair costs on this machine."""

    device: str
    seconds_per_pair: float
    bytes_per_pair: int
    free_bytes: int


def estimate(plan: Plan) -> Estimate | None:
    """Make the first pair that is due, aside and for its cost alone; None when nothing is due.

    Twice where code had to be compiled for it, which a run does once.
    """
    if not plan.due:
        return None
    task, run = plan.due[0], plan.config.run
    place = places_for(run.workers, len(plan.due), choose_device(run.device))[0]
    keep_all = plan.config.interpolate.model_copy(update={"reject": False})
    config = plan.config.model_copy(update={"interpolate": keep_all})
    first_only = replace(task, recipe=replace(task.recipe, slots=task.recipe.slots[:1]))
    uncached = replace(plan, config=config, cache=None)
    compiled = -1
    with tempfile.TemporaryDirectory() as folder:
        while compiled != KernelCache.compiled:
            compiled = KernelCache.compiled
            staging = Path(folder, str(compiled))
            build_sequence(first_only, uncached, staging, place, ignore)
        seconds = sum(read_record(staging / RECORD, first_only.id).seconds.values())
        size = sum(path.stat().st_size for path in staging.rglob("*.png"))
    existing = next(folder for folder in (plan.out.absolute(), *plan.out.absolute().parents) if folder.exists())
    return Estimate(place.device.type, seconds, size, shutil.disk_usage(existing).free)
