"""The command that tells what a dataset would need, before any of it is made."""

import json
import re
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lolblur_synth.cli.options import FOOTAGE, console_for, load_config, run_options
from lolblur_synth.core.errors import UserError, shown

if TYPE_CHECKING:
    from lolblur_synth.run.costs import Machine

_PART = re.compile(r"(cores|memory|gpus)=([0-9]{1,6})")


@click.command()
@click.option("--videos", type=FOOTAGE, required=True, metavar="DIRECTORY|URL", help="Such as the dataset is to be of.")
@click.option(
    "--pairs", type=click.IntRange(1, 10**9), multiple=True, default=(12_000, 1_000_000), show_default=True,
    help="How many pairs; more than once, for more columns.",
)  # fmt: skip
@click.option("--machine", metavar="cores=N,memory=GB,gpus=N", help="Where it would be made.  [default: this machine]")
@click.option("--samples", type=click.IntRange(1, 100), default=2, show_default=True, help="Sequences that are tried.")
@run_options
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON, for programs.")
def plan(
    videos: Path | str,
    pairs: tuple[int, ...],
    machine: str | None,
    samples: int,
    sources: tuple[str, ...],
    assignments: tuple[str, ...],
    as_json: bool,
    **shortcuts: str | float | None,
) -> None:
    """Tell what so many pairs of such footage need: cores, hours, memory, disk; a few are made and measured aside."""
    config = load_config(sources, assignments, **shortcuts)

    from lolblur_synth.cli.costs_table import show_needs
    from lolblur_synth.core.devices import choose_device
    from lolblur_synth.run.costs import measure_costs, needs
    from lolblur_synth.run.execute import places_for
    from lolblur_synth.run.planning import plan_run

    given = _machine(machine)
    console = console_for(stderr=True)
    with tempfile.TemporaryDirectory() as folder, console.status("reading videos, and making a few pairs"):
        planned = plan_run(videos, Path(folder, "dataset"), config, dry=True)
        place = places_for(config.run.workers, max(1, len(planned.sequences)), choose_device(config.run.device))[0]
        costs = measure_costs(planned, place, samples)
    wanted = [needs(costs, count, given) for count in pairs]
    if as_json:
        content = {"costs": asdict(costs), "machine": asdict(given), "needs": [asdict(each) for each in wanted]}
        click.echo(json.dumps(content, indent=1))
    else:
        show_needs(console_for(), videos, costs, given, wanted)


def _machine(text: str | None) -> "Machine":
    """The machine that is told, or this one where a part is not told."""
    import torch

    from lolblur_synth.core.devices import cores
    from lolblur_synth.core.memory import machine_memory
    from lolblur_synth.run.costs import Machine

    told: dict[str, int] = {}
    for part in text.split(",") if text else []:
        match = _PART.fullmatch(part.strip())
        if not match or match[1] in told or (match[1] != "gpus" and not int(match[2])):
            raise UserError(
                f"{shown(part)!r} is no part of a machine",
                where="--machine",
                advice="write such as cores=16,memory=64,gpus=1, with memory in GB",
            )
        told[match[1]] = int(match[2])
    memory = told["memory"] << 30 if "memory" in told else machine_memory()
    return Machine(told.get("cores", cores()), memory, told.get("gpus", torch.cuda.device_count()))
