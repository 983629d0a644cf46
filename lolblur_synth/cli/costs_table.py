"""What a dataset needs, as tables for people."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.table import Table

from lolblur_synth.core.errors import shown
from lolblur_synth.remote.address import without_secrets
from lolblur_synth.run.costs import Costs, Machine, Needs


def show_needs(console: Console, videos: Path | str, costs: Costs, machine: Machine, needs: Sequence[Needs]) -> None:
    """Print what was measured of footage, and what so many pairs of such footage need."""
    console.print(
        shown(f"{without_secrets(str(videos))}: {_footage(costs)}"), highlight=False, markup=False, soft_wrap=True
    )
    console.print(_measured(costs), highlight=False, markup=False, soft_wrap=True)
    gpus = f", {machine.gpus} GPUs" if machine.gpus else ""
    table = Table(
        title=escape(f"On {machine.cores} cores, {machine.memory / 2**30:.0f} GB{gpus}"), title_justify="left"
    )
    for column in ("pairs", *(f"{each.pairs}" for each in needs)):
        table.add_column(column, justify="left" if column == "pairs" else "right")
    for label, row in _rows(needs):
        table.add_row(label, *row)
    console.print(table)


def _rows(needs: Sequence[Needs]) -> list[tuple[str, list[str]]]:
    rows = [
        ("sequences", [str(each.sequences) for each in needs]),
        ("footage, times this", [f"{each.footage:.3g}" for each in needs]),
        ("hours of one core", [f"{each.core_hours:.3g}" for each in needs]),
        ("workers", [str(each.workers) for each in needs]),
        ("time", [str(timedelta(seconds=round(3600 * each.hours))) for each in needs]),
        ("cores for a day", [str(each.cores_for_a_day) for each in needs]),
        ("memory", [decimal(each.memory) for each in needs]),
        ("disk", [decimal(round(each.disk)) for each in needs]),
        ("footage read", [decimal(round(each.read)) for each in needs]),
        ("read and written, a second", [decimal(round(each.bytes_per_second)) for each in needs]),
    ]
    if any(each.gpus for each in needs):
        rows.insert(4, ("GPUs", [str(each.gpus) for each in needs]))
    return rows


def _footage(costs: Costs) -> str:
    return (
        f"{costs.videos} videos, {costs.footage_seconds:.1f} s, {decimal(costs.source_bytes)}: "
        f"{costs.sequences} sequences, {costs.pairs} pairs"
    )


def _measured(costs: Costs) -> str:
    return (
        f"measured just now on {costs.device}, {costs.threads} threads: a sequence takes {costs.work.fixed:.1f} s and "
        f"{costs.work.each:.2f} s a pair (of one core), the scan {costs.scan:.1f} s, a process {costs.startup:.1f} s "
        f"before it begins; a worker keeps {costs.busy:.0%} of its threads at work and takes "
        f"{decimal(costs.memory)}; a pair is {decimal(round(costs.picture_bytes + costs.text_bytes))}"
    )
