"""Plans and results as tables for people."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lolblur_synth.apps.report.report import Report
from lolblur_synth.apps.stats import Measurements
from lolblur_synth.cli.options import option
from lolblur_synth.core.errors import shown
from lolblur_synth.dataset.records import SequenceRecord
from lolblur_synth.dataset.statistics import MEANINGS, NIGHTS, Statistics, outside
from lolblur_synth.dataset.summary import summarize_sequence
from lolblur_synth.dataset.summary_types import SequenceSummary
from lolblur_synth.run.estimate import Estimate
from lolblur_synth.run.execute import Outcome
from lolblur_synth.run.failures import Failure
from lolblur_synth.run.merging import Merged
from lolblur_synth.run.plan import Plan, VideoPlan
from lolblur_synth.video.find import summed_up


def show_plan(console: Console, plan: Plan) -> None:
    """Print what a run would make, what it drops and why."""
    table = Table(title=escape(shown(f"Plan for {plan.out}")), title_justify="left")
    for column in ("video", "file", "rate (from)", "frames", "split", "sequences", "pairs", "dropped"):
        table.add_column(column)
    for video in plan.videos:
        table.add_row(*_plan_row(video))
    console.print(table)
    for video in plan.videos:
        for line in (*video.warnings, *_drop_reasons(video), *([f"no pairs: {video.fault}"] if video.fault else [])):
            console.print(shown(f"{video.name}: {line}", option), highlight=False, markup=False, soft_wrap=True)
    show_left_out(console, plan)
    due = plan.due
    pairs = sum(len(sequence.recipe.slots) for sequence in due)
    console.print(plan.interpolation, markup=False, highlight=False, soft_wrap=True)
    console.print(f"To make: {len(due)} sequences, {pairs} pairs; kept: {len(plan.sequences) - len(due)} sequences.")
    if plan.stale:
        console.print(f"To remove (--overwrite): {', '.join(plan.stale)}")


def show_left_out(console: Console, plan: Plan) -> None:
    """Print what lies among the videos and is not used, a line for each reason."""
    for line in summed_up(plan.left_out):
        console.print(f"left out: {line}", highlight=False, markup=False, soft_wrap=True)


def show_estimate(console: Console, plan: Plan, estimate: Estimate | None) -> None:
    """Print what a run would cost."""
    due = plan.due
    pairs = sum(len(sequence.recipe.slots) for sequence in due)
    if estimate is None:
        return
    seconds = estimate.seconds_per_pair * pairs / min(plan.config.run.workers, len(due))
    size = estimate.bytes_per_pair
    console.print(
        f"Estimate from one pair made just now on {estimate.device} ({estimate.seconds_per_pair:.1f} s, "
        f"{size / 1e6:.1f} MB): {_duration(seconds)}, {size * pairs / 1e9:.2f} GB; "
        f"{estimate.free_bytes / 1e9:.0f} GB are free.",
        highlight=False,
        soft_wrap=True,
    )


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _plan_row(video: VideoPlan) -> list[str]:
    if video.scan is None:
        return ["-", escape(video.name), "-", "-", "-", "0", "0", "the video"]
    info = video.scan.info
    number = "-" if video.number is None else f"{video.number:04d}"
    rate = escape(shown(f"{float(info.capture_fps):g} fps ({info.capture_source})"))
    pairs = sum(len(sequence.recipe.slots) for sequence in video.sequences)
    counts = [str(len(video.sequences)), str(pairs), str(len(video.rejects))]
    return [number, escape(video.name), rate, str(video.scan.frames), video.split or "-", *counts]


def _drop_reasons(video: VideoPlan) -> list[str]:
    causes = Counter(reject.cause for reject in video.rejects)
    return [f"{count} windows dropped: {cause}" for cause, count in causes.most_common()]


def show_outcome(console: Console, plan: Plan, outcome: Outcome, records: Iterable[SequenceRecord]) -> None:
    """Print what a run made, what it cost, and what failed; `records` are those of its sequences."""
    sequences, devices = list[SequenceSummary](), set[str]()
    for record in records:
        sequences.append(summarize_sequence(record))
        devices.add(record.device)
    where = ", ".join(sorted(devices)) or "nothing yet"
    table = Table(title=escape(shown(f"Dataset in {plan.out}, made on {where}")), title_justify="left")
    for column in ("sequence", "source", "split", "pairs", "exposure", "s / pair", "slowest steps", ""):
        table.add_column(column)
    made = frozenset(outcome.made)
    for sequence in sequences:
        slowest = [(name, seconds / sequence.seconds) for name, seconds in sequence.operators.items() if seconds]
        table.add_row(
            sequence.id,
            escape(shown(sequence.source)),
            sequence.split,
            str(sequence.pairs),
            f"{sequence.exposure:.3f}",
            f"{sequence.seconds / sequence.pairs:.2f}",
            escape(shown(", ".join(f"{name} {share:.0%}" for name, share in slowest[:2]))),
            "made" if sequence.id in made else "kept",
        )
    console.print(table)
    for sequence in sequences:
        if sequence.id in made:
            for told in filter(None, (_distrusted(sequence), _dark_already(sequence))):
                console.print(f"{sequence.id}: {told}", style="yellow", markup=False, highlight=False, soft_wrap=True)
    for told in _unlike_nights([sequence for sequence in sequences if sequence.id in made], plan):
        console.print(told, style="yellow", markup=False, highlight=False, soft_wrap=True)
    _show_failures(console, outcome.failures)


def show_merged(console: Console, out: Path, merged: Merged) -> None:
    """Print what shards have made, and which are missing."""
    sequences, pairs = (len(merged.summary.sequences), merged.summary.pairs) if merged.summary else (0, 0)
    told = shown(f"{out}: {sequences} sequences, {pairs} pairs")
    console.print(told, markup=False, highlight=False, soft_wrap=True)
    for shard, left in merged.missing:
        what = "has not been run" if left is None else f"{left} sequences are not made"
        console.print(f"shard {shard}: {what}", style="yellow", highlight=False)
    _show_failures(console, merged.failures)


def _show_failures(console: Console, failures: Sequence[Failure]) -> None:
    for failure in failures:
        console.print(
            shown(f"not made: {failure.name}: {failure.message}", option),
            style="red",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


def _distrusted(sequence: SequenceSummary) -> str | None:
    """What is to be said about motion that was too large, if anything."""
    shares = sequence.untrusted
    if not shares:
        return None
    return (
        f"{len(shares)} of {sequence.pairs} pairs hold motion that cannot be trusted, inconsistent on up to "
        f"{max(shares.values()):.0%} of the picture: {', '.join(f'{number:04d}' for number in shares)}; "
        "look at them, or drop such with interpolate.reject=true"
    )


def _dark_already(sequence: SequenceSummary) -> str | None:
    """What is to be said about footage that is darker than what was to be made of it, if anything."""
    lightness = sequence.means["lightness"] / 100
    if lightness >= sequence.exposure / 2:
        return None
    return (
        f"its lightness is {lightness:.3f} of 1 where {sequence.exposure:.3f} was asked: the footage is darker than "
        "that already, and its ground truth too; film in normal light"
    )


def _unlike_nights(sequences: Sequence[SequenceSummary], plan: Plan) -> Iterator[str]:
    """What is to be said about sequences whose means leave the bands of real nights, in one line.

    Not of their noise, which was chosen: a sensor's is stronger than that of small pictures that a camera has cleaned.
    """
    left = {sequence.id: outside(sequence.means).keys() - {"noise_sigma"} for sequence in sequences}
    unlike = [name for name, statistics in left.items() if statistics]
    if unlike:
        labels = [
            f"{MEANINGS[name].label} ({MEANINGS[name].band} there)"
            for name in MEANINGS
            if any(name in each for each in left.values())
        ]
        yield (
            f"unlike photographs of real nights: {len(unlike)} of {len(sequences)} sequences, by {', '.join(labels)}; "
            f"lolblur-synth stats {shown(plan.out)} tells more"
        )


def show_measurements(console: Console, measured: Measurements) -> None:
    """Print the means of each group and of all pictures beside the bands of real nights, and what is unreadable."""
    table = Table(title=escape(shown(measured.source)), title_justify="left")
    for column in ("pictures of", "", *(meaning.label for meaning in MEANINGS.values())):
        table.add_column(column, justify="left" if column == "pictures of" else "right")
    for name, means in measured.means.items():
        table.add_row(escape(name), str(len(measured.groups[name])), *_beside_bands(means))
    table.add_section()
    table.add_row("all", str(len(measured.pictures)), *_beside_bands(measured.mean))
    table.add_row("outside", "", *(f"{share:.0%}" for share in measured.outside.values()))
    table.add_row("real nights", "", *(meaning.band for meaning in MEANINGS.values()))
    console.print(table)
    told = f"Means over pictures; outside: the share of pictures beyond real nights, which are {NIGHTS}."
    console.print(told, highlight=False, markup=False, soft_wrap=True)
    for name, why in measured.faults.items():
        console.print(
            shown(f"not measured: {name}: {why}", option), style="red", markup=False, highlight=False, soft_wrap=True
        )


def show_report(console: Console, report: Report) -> None:
    """Print what a report shows, and what it cannot."""
    told = f"{report.size / 1e6:.1f} MB, pictures of {report.pictured} of {report.pairs} pairs"
    console.print(shown(f"report: {report.path}: {told}"), markup=False, highlight=False, soft_wrap=True)
    for told in (*report.missing, *(f"not shown: {name}: {why}" for name, why in report.faults.items())):
        console.print(shown(told, option), style="yellow", markup=False, highlight=False, soft_wrap=True)


def _beside_bands(means: Statistics) -> list[str]:
    sides = outside(means)
    return [f"{sides.get(name, '')} {meaning.written(means[name])}".lstrip() for name, meaning in MEANINGS.items()]
