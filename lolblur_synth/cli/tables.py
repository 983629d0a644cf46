"""Plans and results as tables for people."""

from collections import Counter
from statistics import fmean

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lolblur_synth.apps.stats import Measurements
from lolblur_synth.cli.options import option
from lolblur_synth.core.errors import shown
from lolblur_synth.dataset.records import SequenceRecord
from lolblur_synth.dataset.statistics import MEANINGS, NIGHTS, Statistics, mean_statistics, outside
from lolblur_synth.dataset.summary import summarize_sequence
from lolblur_synth.run.estimate import Estimate
from lolblur_synth.run.execute import Outcome
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
    due = [sequence for sequence in plan.sequences if sequence.status != "keep"]
    pairs = sum(len(sequence.recipe.slots) for sequence in due)
    console.print(plan.interpolation, markup=False, highlight=False, soft_wrap=True)
    console.print(f"To make: {len(due)} sequences, {pairs} pairs; kept: {len(plan.sequences) - len(due)} sequences.")
    if plan.stale:
        console.print(f"To remove (--overwrite): {', '.join(record.id for record in plan.stale)}")


def show_left_out(console: Console, plan: Plan) -> None:
    """Print what lies among the videos and is not used, a line for each reason."""
    for line in summed_up(plan.left_out):
        console.print(f"left out: {line}", highlight=False, markup=False, soft_wrap=True)


def show_estimate(console: Console, plan: Plan, estimate: Estimate | None) -> None:
    """Print what a run would cost."""
    due = [sequence for sequence in plan.sequences if sequence.status != "keep"]
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


def show_outcome(console: Console, plan: Plan, outcome: Outcome, records: dict[str, SequenceRecord]) -> None:
    """Print what a run made, what it cost, and what failed."""
    table = Table(title=escape(shown(f"Dataset in {plan.out}, made on {_devices(records)}")), title_justify="left")
    for column in ("sequence", "source", "split", "pairs", "exposure", "s / pair", "slowest steps", ""):
        table.add_column(column)
    made = frozenset(outcome.made)
    for sequence_id in sorted((*outcome.made, *outcome.kept)):
        record = records[sequence_id]
        total = sum(record.seconds.values())
        slowest = sorted(record.seconds.items(), key=lambda entry: -entry[1])[:2]
        table.add_row(
            sequence_id,
            escape(shown(record.source.name)),
            record.split,
            str(len(record.pairs)),
            f"{record.draws.exposure:.3f}",
            f"{total / len(record.pairs):.2f}",
            escape(shown(", ".join(f"{name} {seconds / total:.0%}" for name, seconds in slowest if seconds))),
            "made" if sequence_id in made else "kept",
        )
    console.print(table)
    for sequence_id in sorted(outcome.made):
        record = records[sequence_id]
        for told in filter(None, (_distrusted(record, plan), _dark_already(record), _unlike_nights(record))):
            console.print(f"{sequence_id}: {told}", style="yellow", markup=False, highlight=False, soft_wrap=True)
    for failure in outcome.failures:
        console.print(
            shown(f"not made: {failure.name}: {failure.message}", option),
            style="red",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


def _distrusted(record: SequenceRecord, plan: Plan) -> str | None:
    """What is to be said about motion that was too large, if anything."""
    most = plan.config.interpolate.untrusted
    shares = {pair.number: pair.untrusted for pair in record.pairs if pair.untrusted and pair.untrusted > most}
    if not shares:
        return None
    return (
        f"{len(shares)} of {len(record.pairs)} pairs hold motion that cannot be trusted, inconsistent on up to "
        f"{max(shares.values()):.0%} of the picture: {', '.join(f'{number:04d}' for number in shares)}; "
        "look at them, or drop such with interpolate.reject=true"
    )


def _dark_already(record: SequenceRecord) -> str | None:
    """What is to be said about footage that is darker than what was to be made of it, if anything."""
    asked: float = record.draws.exposure
    found = fmean(pair.statistics["lightness"] for pair in record.pairs) / 100
    if found >= asked / 2:
        return None
    return (
        f"its lightness is {found:.3f} of 1 where {asked:.3f} was asked: the footage is darker than that already, "
        "and its ground truth too; film in normal light"
    )


def _unlike_nights(record: SequenceRecord) -> str | None:
    """What is to be said about pictures that leave the bands of real nights, if anything."""
    means = summarize_sequence(record).means
    left = [
        f"{meaning.label} {meaning.written(means[name])}, there {meaning.band}"
        for name, meaning in MEANINGS.items()
        if name in outside(means)
    ]
    return f"unlike photographs of real nights: {'; '.join(left)}" if left else None


def show_measurements(console: Console, measured: Measurements) -> None:
    """Print the means of each group and of all pictures beside the bands of real nights, and what is unreadable."""
    table = Table(title=escape(shown(measured.source)), title_justify="left")
    for column in ("pictures of", "", *(meaning.label for meaning in MEANINGS.values())):
        table.add_column(column, justify="left" if column == "pictures of" else "right")
    for name, means in measured.means.items():
        table.add_row(escape(name), str(len(measured.groups[name])), *_beside_bands(means))
    table.add_section()
    pictures = measured.pictures
    table.add_row("all", str(len(pictures)), *_beside_bands(mean_statistics([*pictures.values()])))
    table.add_row("outside", "", *(f"{share:.0%}" for share in measured.outside.values()))
    table.add_row("real nights", "", *(meaning.band for meaning in MEANINGS.values()))
    console.print(table)
    told = f"Means over pictures; outside: the share of pictures beyond real nights, which are {NIGHTS}."
    console.print(told, highlight=False, markup=False, soft_wrap=True)
    for name, why in measured.faults.items():
        console.print(
            shown(f"not measured: {name}: {why}", option), style="red", markup=False, highlight=False, soft_wrap=True
        )


def _beside_bands(means: Statistics) -> list[str]:
    sides = outside(means)
    return [f"{sides.get(name, '')} {meaning.written(means[name])}".lstrip() for name, meaning in MEANINGS.items()]


def _devices(records: dict[str, SequenceRecord]) -> str:
    return ", ".join(sorted({record.device for record in records.values()})) or "nothing yet"
