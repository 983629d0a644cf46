"""Estimate of what a run costs, from one pair made aside."""

import shutil
from dataclasses import dataclass

from lolblur_synth.core.devices import choose_device
from lolblur_synth.run.aside import until_compiled
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
    run = plan.config.run
    place = places_for(run.workers, len(plan.due), choose_device(run.device))[0]
    *_, sample = until_compiled(plan.due[0], 1, plan, place)
    existing = next(folder for folder in (plan.out.absolute(), *plan.out.absolute().parents) if folder.exists())
    return Estimate(place.device.type, sample.operators, sample.pictures, shutil.disk_usage(existing).free)
