"""The status of a dataset as tables for people."""

from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.table import Table

from lolblur_synth.apps.status import Recorded, RunStatus, Status, Whole
from lolblur_synth.core.errors import shown
from lolblur_synth.dataset.progress import Counts, Progress


def show_status(console: Console, dataset: Path, status: Status) -> None:
    """Print how far each run is, all of them together, and what each worker is at."""
    if status.recorded:
        _show_recorded(console, dataset, status.recorded)
    if not status.whole:
        return
    table = Table(title=escape(shown(f"{dataset}: sequences (pairs)")), title_justify="left")
    for column in ("run", "state", "planned", "kept", "made", "failed", "pairs/h", "to go", "written", "peak memory"):
        table.add_column(column)
    for run in status.runs:
        table.add_row(_name(run), _state(run), *_figures(run.progress))
    if len(status.runs) > 1:
        table.add_section()
        table.add_row("all", "", *_figures(status.whole))
    console.print(table)
    _show_under_way(console, status.runs)
    for run in status.runs:
        for remark in _remarks(run):
            console.print(shown(remark), style="yellow", highlight=False, markup=False, soft_wrap=True)


def _show_under_way(console: Console, runs: tuple[RunStatus, ...]) -> None:
    rows = [(run, each) for run in runs if run.progress.state == "running" for each in run.progress.under_way]
    if not rows:
        return
    table = Table(title="Under way", title_justify="left")
    for column in ("worker", "sequence", "operator", "windows", "for"):
        table.add_column(column)
    for run, each in rows:
        since = timedelta(seconds=max(0, round(run.progress.updated - each.since)))
        names = (escape(shown(name)) for name in (each.worker, each.sequence, each.operator))
        table.add_row(*names, f"{each.pairs} of {each.total}", str(since))
    console.print(table)


def _show_recorded(console: Console, dataset: Path, recorded: Recorded) -> None:
    told = ", ".join(f"{name} {_counts(counts)}" for name, counts in recorded.splits.items())
    failed = f"; {recorded.failed} failed" if recorded.failed else ""
    left = f"; {recorded.staged} not finished" if recorded.staged else ""
    console.print(
        shown(f"{dataset}: no run has told its progress; by its records, sequences (pairs): {told}{failed}{left}"),
        highlight=False, markup=False, soft_wrap=True,
    )  # fmt: skip


def _name(run: RunStatus) -> str:
    told = run.progress
    return escape(shown(", ".join([*filter(None, [told.name]), f"{told.host}:{told.pid}"])))


def _state(run: RunStatus) -> str:
    return f"not heard of for {run.age or 0:.0f} s" if run.silent else run.progress.state


def _remarks(run: RunStatus) -> list[str]:
    told = run.progress
    remarks = [f"{run.file}: {told.error}"] if told.error else []
    if told.videos_failed:
        remarks.append(f"{run.file}: {told.videos_failed} videos give nothing; failed/ tells why")
    if run.silent:
        remarks.append(f"{run.file}: its process was killed, or its host does not reach the folder; run again to go on")
    return remarks


def _counts(counts: Counts) -> str:
    return f"{counts.sequences} ({counts.pairs})"


def _figures(told: Progress | Whole) -> list[str]:
    rate, left = told.pairs_per_hour, told.seconds_to_go
    return [
        *map(_counts, (told.planned, told.kept, told.made, told.failed)),
        "" if rate is None else f"{rate:.3g}",
        "" if left is None else str(timedelta(seconds=round(left))),
        decimal(told.bytes_written),
        decimal(told.peak_memory),
    ]
