"""Commands that make a dataset: `run`, `merge` of its shards, `demo`."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lolblur_synth.cli.options import FOLDER, FOOTAGE, PATH, console_for, load_config, run_options
from lolblur_synth.cli.watching import STDOUT, json_log
from lolblur_synth.core.errors import SequenceError, shown

if TYPE_CHECKING:
    from rich.console import Console

    from lolblur_synth.core.events import Event
    from lolblur_synth.run.event_log import EventLog
    from lolblur_synth.run.execute import Outcome
    from lolblur_synth.run.executors.base import Executor
    from lolblur_synth.run.plan import Plan


@click.command()
@click.option(
    "--videos",
    type=FOOTAGE,
    required=True,
    metavar="DIRECTORY|URL",
    help="A folder of videos, or of folders of numbered frames, at any depth; a URL such as s3://BUCKET/FOLDER.",
)
@click.option("--out", type=FOLDER, default=Path("lolblur_dataset"), show_default=True, help="Where the dataset goes.")
@run_options
@click.option("--shard", metavar="I/N", help="Make one of N parts only, beside others; `merge` ends it.")
@click.option("--on", metavar="dask|dask://HOST:PORT", help="Make sequences on Dask: --workers here, or a cluster's.")
@click.option("--cache-footage", metavar="DIRECTORY", help="Keep copies there of footage that is given by URL.")
@click.option("--cache-footage-gb", type=float, metavar="N", help="No more than so many GB of them (50).")
@click.option("--cache-denoised", "cache", type=FOLDER, help="Keep denoised frames there, for more datasets of them.")
@click.option("--overwrite", is_flag=True, help="Replace what other settings made in --out.")
@click.option("--dry-run", is_flag=True, help="Print the plan with estimated time and disk; write nothing.")
@click.option("--fail-fast", is_flag=True, help="Stop at the first sequence that fails.")
@click.option("--no-report", is_flag=True, help="Do not write report.html, the page to look at, at the end.")
@click.option("--log-json", "log", type=PATH, metavar="FILE|-", help="Append what happens there, a line of JSON each.")
@click.option("--verbose", is_flag=True, help="A line per sequence, also when not on a terminal.")
def run(
    videos: Path | str,
    out: Path,
    sources: tuple[str, ...],
    assignments: tuple[str, ...],
    shard: str | None,
    on: str | None,
    cache: Path | None,
    overwrite: bool,
    dry_run: bool,
    fail_fast: bool,
    no_report: bool,
    log: Path | None,
    verbose: bool,
    **shortcuts: str | float | None,
) -> None:
    """Make a dataset from videos; run again after an interruption and it goes on."""
    config = load_config(sources, assignments, **shortcuts)

    from rich.markup import escape

    from lolblur_synth.cli.tables import show_estimate, show_plan
    from lolblur_synth.run.denoised_cache import hold_cache
    from lolblur_synth.run.estimate import estimate
    from lolblur_synth.run.event_log import check_log
    from lolblur_synth.run.planning import plan_run
    from lolblur_synth.run.sharding import cut, parse_shard

    part = parse_shard(shard) if shard is not None else None
    if part and overwrite:
        raise click.UsageError("--shard cannot --overwrite what other shards have made; name a new --out")
    console = console_for(stderr=True)
    if log and log != STDOUT and not dry_run:
        check_log(log, out)
    executor = _dask(on, config.run.workers) if on else None
    if cache and not dry_run:
        click.get_current_context().with_resource(hold_cache(cache, videos, out))
    with console.status("reading videos") as status:

        def notify(path: Path) -> None:
            status.update(f"reading {escape(shown(path.name))}")

        plan = plan_run(videos, out, config, notify, overwrite=overwrite, dry=dry_run or part is not None)
    plan = cut(plan, part) if part else plan
    if dry_run:
        show_plan(console_for(), plan)
        show_estimate(console_for(), plan, estimate(plan))
        return
    if verbose:
        show_plan(console, plan)
    with json_log(log) as write:
        report = not no_report and not part
        _execute(replace(plan, cache=cache), console, Manner(executor, verbose, fail_fast, report, write))
    if part:
        click.echo(f"when all {part.count} shards are made: `lolblur-synth merge {shown(out)}`", err=log == STDOUT)
    else:
        _ask(out, stderr=log == STDOUT)


def _dask(on: str, workers: int) -> "Executor":
    """What makes sequences on Dask; a scheduler that is not there is told before videos are read."""
    from lolblur_synth.run.executors.dask.cluster import check_cluster, parse_cluster
    from lolblur_synth.run.executors.dask.executor import Dask

    cluster = parse_cluster(on, workers)
    check_cluster(cluster)
    return Dask(cluster)


def _ask(out: Path, *, stderr: bool = False) -> None:
    """Name what only the maker of a dataset knows, and has not told."""
    from lolblur_synth.dataset.about import read_about
    from lolblur_synth.dataset.croissant import CROISSANT, untold

    missing = untold(read_about(out))
    if missing:
        told = f"to share it: `lolblur-synth describe {shown(out)}` takes {', '.join(missing)}, for {CROISSANT}"
        click.echo(told, err=stderr)


@dataclass(frozen=True)
class Manner:
    """How a plan is carried out, and what is told of it."""

    executor: "Executor | None" = None
    verbose: bool = False
    fail_fast: bool = False
    report: bool = True
    log: "EventLog | None" = None


def _execute(plan: "Plan", console: "Console", manner: Manner) -> None:
    from lolblur_synth.cli.progress import RunProgress
    from lolblur_synth.cli.tables import show_left_out, show_outcome
    from lolblur_synth.dataset.record_reader import each_record, records_of
    from lolblur_synth.run.execute import execute

    if not manner.verbose:  # else the plan has told it
        show_left_out(console, plan)
        console.print(plan.interpolation, markup=False, highlight=False, soft_wrap=True)
    pairs = sum(len(sequence.recipe.slots) for sequence in plan.due)
    with RunProgress(console, pairs, manner.verbose) as progress:

        def notify(event: "Event") -> None:
            progress(event)
            if manner.log:
                manner.log(event)

        outcome = execute(plan, notify, manner.executor, fail_fast=manner.fail_fast)
    records = records_of(plan.out, sorted((*outcome.made, *outcome.kept)))
    show_outcome(console_for(stderr=manner.log is not None and manner.log.is_stdout), plan, outcome, records)
    if manner.report and next(each_record(plan.out), None):
        _write_report(plan, outcome, console)
    # Each shard would fail for the same videos: `merge` does.
    missing = sum(failure.kind == "sequence" or not plan.shard for failure in outcome.failures)
    if missing:
        raise SequenceError(f"{missing} not made", advice=f"the reasons are above and in {plan.out / 'failed'}")


def _write_report(plan: "Plan", outcome: "Outcome", console: "Console") -> None:
    """Write the report of a run, unless there is one and nothing has changed."""
    from lolblur_synth.apps.report.report import REPORT, is_current, write_report
    from lolblur_synth.cli.progress import frame_progress
    from lolblur_synth.cli.tables import show_report

    out = plan.out / REPORT
    if is_current(plan.out, out) and not outcome.failures:
        return
    footage = {video.scan.content: video.scan for video in plan.videos if video.scan}
    with frame_progress(console, "report: pair", "pairs/s") as progress:
        report = write_report(plan.out, out, progress, footage=footage)
    show_report(console, report)


@click.command()
@click.argument("dataset", type=FOLDER)
@click.option("--no-report", is_flag=True, help="Do not write report.html.")
def merge(dataset: Path, no_report: bool) -> None:
    """End what the shards of a run have made: manifest, card and report of the whole."""
    from lolblur_synth.apps.report.report import REPORT, write_report
    from lolblur_synth.cli.progress import frame_progress
    from lolblur_synth.cli.tables import show_merged, show_report
    from lolblur_synth.run.merging import merge as merge_shards

    console = console_for(stderr=True)
    merged = merge_shards(dataset)
    show_merged(console_for(), dataset, merged)
    if merged.summary and not no_report:
        with frame_progress(console, "report: pair", "pairs/s") as progress:
            report = write_report(dataset, dataset / REPORT, progress)
        show_report(console, report)
    if merged.missing:
        raise SequenceError(
            f"{len(merged.missing)} shards are not made to their end",
            where=dataset,
            advice="run those that are named above again, and merge again",
        )
    if merged.failures:
        raise SequenceError(
            f"{len(merged.failures)} not made", advice=f"the reasons are above and in {dataset / 'failed'}"
        )
    _ask(dataset)


@click.command()
@click.option("--out", type=FOLDER, default=Path("demo"), show_default=True, help="Where it goes.")
@run_options
@click.option("--overwrite", is_flag=True, help="Replace a demo made with other settings.")
def demo(
    out: Path, sources: tuple[str, ...], assignments: tuple[str, ...], overwrite: bool, **shortcuts: str | float | None
) -> None:
    """Render two night clips, make a small dataset from them, and show where to look."""
    config = load_config(("demo", *sources), assignments, **shortcuts)

    from lolblur_synth.apps.demo import render_clips
    from lolblur_synth.core.devices import choose_device
    from lolblur_synth.run.planning import plan_run

    console = console_for(stderr=True)
    choose_device(config.run.device)
    with console.status("rendering two night clips at 250 fps"):
        videos = render_clips(out / "videos", config.seed)
    plan = plan_run(videos, out / "dataset", config, overwrite=overwrite)
    _execute(plan, console, Manner(fail_fast=True))
    click.echo(f"clips:    {shown(videos)}")
    click.echo(f"dataset:  {shown(out / 'dataset')}  (README.md explains it)")
    click.echo(f"look at:  {shown(out / 'dataset' / 'report.html')}")
