"""Commands that check, show and pack a dataset."""

from pathlib import Path

import click

from lolblur_synth.cli.options import FOLDER, FOOTAGE, PATH, config_options, console_for
from lolblur_synth.core.errors import SequenceError, shown


@click.command()
@click.argument("dataset", type=FOLDER)
@click.option("--out", type=PATH, metavar="FILE.html", help="Where it goes.  [default: report.html in the dataset]")
@click.option("--videos", type=FOOTAGE, metavar="DIRECTORY|URL", help="The footage, to show windows that were dropped.")
@click.option("--overwrite", is_flag=True, help="Replace --out.")
def report(dataset: Path, out: Path | None, videos: Path | str | None, overwrite: bool) -> None:
    """Write a page that shows a dataset: pictures, distributions, draws, what was dropped and why."""
    from lolblur_synth.apps.report.report import REPORT, check_report, write_report
    from lolblur_synth.cli.progress import frame_progress
    from lolblur_synth.cli.tables import show_report

    out = out or dataset / REPORT
    console = console_for(stderr=True)
    check_report(dataset, out, overwrite=overwrite)
    with frame_progress(console, "pair", "pairs/s") as progress:
        written = write_report(dataset, out, progress, videos=videos)
    show_report(console, written)
    click.echo(f"look at:  {shown(out)}")
    if written.faults:
        raise SequenceError(
            f"{len(written.faults)} pictures cannot be shown",
            where=dataset,
            advice=f"they are named above; `lolblur-synth verify {dataset}` tells all that is damaged, and what to do",
        )


@click.command()
@click.argument("dataset", type=FOLDER)
def verify(dataset: Path) -> None:
    """Decode and hash every picture of a dataset, or of a packed one, again."""
    from lolblur_synth.dataset.packs.contents import is_pack
    from lolblur_synth.dataset.verify import verify as check

    count, faults = check(dataset)
    for fault in faults:
        click.echo(fault)
    if faults:
        made = "delete the records/VVVV-*.json of damaged pictures VVVV/FFFF, and what no record names, and run again"
        raise SequenceError(f"{len(faults)} faults", where=dataset, advice="pack it anew" if is_pack(dataset) else made)
    click.echo(f"{shown(dataset)}: {count} pictures are as recorded")


@click.command()
@click.argument("dataset", type=FOLDER)
@config_options("about.license=cc-by-4.0")
def describe(dataset: Path, sources: tuple[str, ...], assignments: tuple[str, ...]) -> None:
    """Tell what only you know of a dataset (about.*), for its card and croissant.json."""
    from lolblur_synth.apps.describe import describe as tell
    from lolblur_synth.dataset.croissant import CROISSANT

    missing = tell(dataset, sources, assignments)
    click.echo(f"{shown(dataset)}: README.md and the files that tell of it are written")
    click.echo(f"{CROISSANT} still needs {', '.join(missing)}" if missing else f"{CROISSANT} is written")


@click.command()
@click.argument("dataset", type=FOLDER)
@click.option("--to", "kind", type=click.Choice(["webdataset", "lmdb", "parquet"]), required=True, help="The form.")
@click.option("--out", type=FOLDER, required=True, help="Where the packed dataset goes.")
@click.option(
    "--megabytes", type=click.IntRange(1, 100_000), default=500, show_default=True, help="Of a shard or Parquet file."
)
@click.option("--crop", type=click.IntRange(8), help="Cut pictures into sub-images of so many pixels; of lmdb.")
@click.option("--step", type=click.IntRange(1), help="Pixels from sub-image to sub-image (half of --crop).")
@click.option("--overwrite", is_flag=True, help="Replace another pack in --out.")
def pack(
    dataset: Path, kind: str, out: Path, megabytes: int, crop: int | None, step: int | None, overwrite: bool
) -> None:
    """Pack a dataset for other trainers; stop it and call it again, it goes on."""
    from typing import cast

    from lolblur_synth.cli.progress import frame_progress
    from lolblur_synth.dataset.packs.pack import pack as make
    from lolblur_synth.dataset.packs.plan import Kind, Options

    options = Options(cast(Kind, kind), megabytes, crop, step)
    with frame_progress(console_for(stderr=True)) as progress:
        contents = make(dataset, out, options, progress, overwrite=overwrite)
    size = sum(file.size for file in contents.files.values())
    click.echo(f"{shown(out)}: {len(contents.files)} files, {size / 1e6:.1f} MB; its README.md tells how to read it")


@click.command()
@click.argument("path", type=PATH)
@click.option("--out", "outs", type=PATH, multiple=True, metavar="FILE.csv|FILE.json", help="Write all values there.")
@click.option("--plot", type=PATH, metavar="FILE.png", help="Draw histograms over the bands there.")
@click.option("--overwrite", is_flag=True, help="Replace --out and --plot.")
def stats(path: Path, outs: tuple[Path, ...], plot: Path | None, overwrite: bool) -> None:
    """Measure pictures, or the inputs of a dataset, against photographs of real nights."""
    from lolblur_synth.apps.stats import check_outputs, measure_path, write_measurements
    from lolblur_synth.cli.progress import frame_progress
    from lolblur_synth.cli.tables import show_measurements

    check_outputs(path, outs, plot, overwrite=overwrite)
    with frame_progress(console_for(stderr=True)) as progress:
        measured = measure_path(path, progress)
    show_measurements(console_for(), measured)
    write_measurements(measured, outs, plot)
    if measured.faults:
        raise SequenceError(
            f"{len(measured.faults)} pictures cannot be measured", where=path, advice="they are named above"
        )
