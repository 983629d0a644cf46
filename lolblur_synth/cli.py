"""The commands: parse, call one function, print; whatever is heavy is imported inside a command."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lolblur_synth import __version__
from lolblur_synth.errors import SequenceError, UserError

if TYPE_CHECKING:
    from rich.console import Console

    from lolblur_synth.config import Config
    from lolblur_synth.ops.denoise import Backend
    from lolblur_synth.ops.vbm4d.stages import Preset
    from lolblur_synth.plan import Plan

Command = TypeVar("Command", bound=Callable[..., Any])
_FOLDER = click.Path(path_type=Path, file_okay=False)
_PATH = click.Path(path_type=Path)


def main() -> None:
    """Run the command line; a `UserError` is one line and exit code 2, a `SequenceError` exit code 1."""
    try:
        cli(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except UserError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    except SequenceError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"error: {where}{error.strerror or error}; check the path, its permissions and the disk", err=True)
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        click.echo("stopped; run and train-ecdce go on from here when they are called again", err=True)
        sys.exit(130)


def _config_options(command: Command) -> Command:
    """The two options by which every setting can be changed."""
    one = "One setting, such as darken.exposure=[0.05,0.16]."
    command = click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help=one)(command)
    layer = "A preset or a YAML file; later ones win."
    return click.option("--config", "sources", multiple=True, metavar="NAME|FILE", help=layer)(command)


def _run_options(command: Command) -> Command:
    """The settings of a run that have an option of their own."""
    rate = "The rate at which the videos were filmed, where their tags do not tell."
    options = [
        click.option("--seed", type=int, help="Same seed, same pixels."),
        click.option("--capture-fps", type=float, help=rate),
        click.option("--size", metavar="WxH|source", help="Size of the pictures (1120x640)."),
        click.option("--workers", type=int, help="Sequences made at the same time (1)."),
        click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="Where the networks run."),
    ]
    for option in reversed(options):
        command = option(command)
    return _config_options(command)


def _load_config(sources: tuple[str, ...], assignments: tuple[str, ...], **shortcuts: str | float | None) -> "Config":
    from lolblur_synth.config import Config, load

    keys = {
        "seed": "seed",
        "capture_fps": "video.capture_fps",
        "size": "video.size",
        "workers": "run.workers",
        "device": "run.device",
    }
    extra = [f"{keys[name]}={value}" for name, value in shortcuts.items() if value is not None]
    return load(Config, sources, [*assignments, *extra])


def _console(stderr: bool = False) -> "Console":
    """A console that does not squeeze its tables where nobody has set a width."""
    from rich.console import Console

    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=120)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__)
def cli() -> None:
    """Make LOL-Blur training pairs from your own slow-motion video."""


@cli.command()
@click.option("--videos", type=_PATH, required=True, help="A folder of videos, or of folders of numbered frames.")
@click.option("--out", type=_FOLDER, default=Path("lolblur_dataset"), show_default=True, help="Where the dataset goes.")
@_run_options
@click.option("--cache-denoised", "cache", type=_FOLDER, help="Keep denoised frames there, for more datasets of them.")
@click.option("--overwrite", is_flag=True, help="Replace what other settings made in --out.")
@click.option("--dry-run", is_flag=True, help="Print the plan with estimated time and disk; write nothing.")
@click.option("--fail-fast", is_flag=True, help="Stop at the first sequence that fails.")
@click.option("--verbose", is_flag=True, help="A line per sequence, also when not on a terminal.")
def run(
    videos: Path,
    out: Path,
    sources: tuple[str, ...],
    assignments: tuple[str, ...],
    cache: Path | None,
    overwrite: bool,
    dry_run: bool,
    fail_fast: bool,
    verbose: bool,
    **shortcuts: str | float | None,
) -> None:
    """Make a dataset from videos; run again after an interruption and it goes on."""
    config = _load_config(sources, assignments, **shortcuts)

    from rich.markup import escape

    from lolblur_synth.denoised_cache import opened
    from lolblur_synth.devices import choose_device, threads_for
    from lolblur_synth.maker import estimate
    from lolblur_synth.nets.weights import load_ec_zero_dce
    from lolblur_synth.output import settle
    from lolblur_synth.plan import make_plan
    from lolblur_synth.tables import show_estimate, show_plan

    console = _console(stderr=True)
    device = choose_device(config.run.device)
    _, sha256 = load_ec_zero_dce(config.darken.weights, "cpu")
    if not dry_run:
        settle(out)
        if cache:
            click.get_current_context().with_resource(opened(cache, videos, out))
    with console.status("reading videos") as status:
        plan = make_plan(
            videos,
            out,
            config,
            {"ec_zero_dce": sha256},
            overwrite,
            lambda path: status.update(f"reading {escape(path.name)}"),
        )
    if dry_run:
        show_plan(_console(), plan)
        show_estimate(_console(), plan, estimate(plan, device, threads_for(config.run.workers, device)))
        return
    if verbose:
        show_plan(console, plan)
    _execute(replace(plan, cache=cache), console, verbose, fail_fast)


def _execute(plan: "Plan", console: "Console", verbose: bool, fail_fast: bool) -> None:
    from lolblur_synth.progress import RunProgress
    from lolblur_synth.records import read_records
    from lolblur_synth.runner import execute
    from lolblur_synth.tables import show_outcome

    pairs = sum(len(sequence.slots) for sequence in plan.sequences if sequence.status != "keep")
    with RunProgress(console, pairs, verbose) as progress:
        outcome = execute(plan, progress, fail_fast)
    show_outcome(_console(), plan, outcome, read_records(plan.out))
    if outcome.failures:
        raise SequenceError(f"{len(outcome.failures)} not made; the reasons are above and in {plan.out / 'failed'}")


@cli.command()
@click.argument("dataset", type=_FOLDER)
def verify(dataset: Path) -> None:
    """Decode and hash every picture of a dataset again."""
    from lolblur_synth.records import verify as check

    count, faults = check(dataset)
    for fault in faults:
        click.echo(fault)
    if faults:
        raise SequenceError(f"{dataset}: {len(faults)} faults; delete the records of what is damaged and run again")
    click.echo(f"{dataset}: {count} pictures are as recorded")


@cli.command()
@click.option("--input", "source", type=_PATH, required=True, help="A picture, a folder of pictures, or a video.")
@click.option("--out", type=_FOLDER, required=True, help="Where the dark ones go.")
@click.option(
    "--exposure",
    default="0.05:0.30",
    show_default=True,
    metavar="E|LOW:HIGH",
    help="Lightness to darken to, of 1; a range is drawn from, once per picture or video.",
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--weights", default="ec_zero_dce", show_default=True, help="Bundled name or file.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--overwrite", is_flag=True, help="Replace files in --out.")
def darken(source: Path, out: Path, exposure: str, seed: int, weights: str, device: str, overwrite: bool) -> None:
    """Darken pictures or a video by EC-Zero-DCE."""
    from lolblur_synth.darkening import darken_path, parse_exposure

    for path, drawn in darken_path(source, out, parse_exposure(exposure), seed, weights, device, overwrite):
        click.echo(f"{path}  exposure {drawn:.4f}")


@cli.command()
@click.option("--input", "source", type=_PATH, required=True, help="A video, or a folder of numbered frames.")
@click.option("--out", type=_PATH, required=True, help="The lossless video to write: .mkv, or .mp4 of 8 bits.")
@click.option("--backend", type=click.Choice(["vbm4d", "bm4d"]), default="vbm4d", show_default=True)
@click.option("--preset", type=click.Choice(["fast", "best"]), default="best", show_default=True, help="Of vbm4d.")
@click.option(
    "--sigma", default="auto", show_default=True, metavar="auto|N", help="Of white noise, of 255; auto measures it."
)
@click.option("--compare", type=_PATH, metavar="FILE.png", help="The middle frame before and after, with its details.")
@click.option("--capture-fps", type=float, help="The rate of numbered frames.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--overwrite", is_flag=True, help="Replace --out and --compare.")
def denoise(
    source: Path,
    out: Path,
    backend: "Backend",
    preset: "Preset",
    sigma: str,
    compare: Path | None,
    capture_fps: float | None,
    device: str,
    overwrite: bool,
) -> None:
    """Remove the noise of a video, as run does before anything else."""
    from lolblur_synth.denoising import Manner, denoise_video, describe, parse_sigma
    from lolblur_synth.progress import frame_progress

    manner = Manner(backend, preset, parse_sigma(sigma))
    with frame_progress(_console(stderr=True)) as notify:
        scenes = denoise_video(source, out, manner, device, capture_fps, compare, overwrite, notify)
    for scene in scenes:
        click.echo(describe(scene, manner))


@cli.command("train-ecdce")
@click.option("--images", type=_FOLDER, required=True, help="A folder of normal-light photographs.")
@click.option(
    "--out", type=_FOLDER, required=True, help="Checkpoints, logs and the final weights; resumes what is there."
)
@_config_options
@click.option("--steps", type=int, help="Training steps.")
@click.option("--seed", type=int)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]))
@click.option("--overwrite", is_flag=True, help="Start anew in --out.")
def train_ecdce(
    images: Path,
    out: Path,
    sources: tuple[str, ...],
    assignments: tuple[str, ...],
    overwrite: bool,
    **shortcuts: str | float | None,
) -> None:
    """Train EC-Zero-DCE, without references, on any photographs."""
    from lolblur_synth.config import TrainECDCE, load

    extra = [f"{name}={value}" for name, value in shortcuts.items() if value is not None]
    config = load(TrainECDCE, sources, [*assignments, *extra])

    from lolblur_synth.progress import TrainingProgress
    from lolblur_synth.train.ecdce import train_ecdce as train

    with TrainingProgress(_console(stderr=True), config.steps, config.validate_every) as progress:
        weights = train(images, out, config, overwrite=overwrite, on_step=progress)
    click.echo(f"weights: {weights}")


@cli.command()
@click.option("--out", type=_FOLDER, default=Path("demo"), show_default=True)
@_run_options
@click.option("--overwrite", is_flag=True, help="Replace a demo made with other settings.")
def demo(
    out: Path, sources: tuple[str, ...], assignments: tuple[str, ...], overwrite: bool, **shortcuts: str | float | None
) -> None:
    """Render a night clip, make a small dataset from it, and show where to look."""
    config = _load_config(("demo", *sources), assignments, **shortcuts)

    from lolblur_synth.demo import render_clips
    from lolblur_synth.devices import choose_device
    from lolblur_synth.nets.weights import load_ec_zero_dce
    from lolblur_synth.output import settle
    from lolblur_synth.plan import make_plan

    console = _console(stderr=True)
    choose_device(config.run.device)
    _, sha256 = load_ec_zero_dce(config.darken.weights, "cpu")
    with console.status("rendering a night clip at 250 fps"):
        videos = render_clips(out / "videos", config.seed)
    settle(out / "dataset")
    plan = make_plan(videos, out / "dataset", config, {"ec_zero_dce": sha256}, overwrite)
    _execute(plan, console, verbose=False, fail_fast=True)
    click.echo(f"clips:    {videos}")
    click.echo(f"dataset:  {out / 'dataset'}  (README.md explains it)")
    click.echo(f"look at:  {out / 'dataset' / 'contact_sheet.png'}")


@cli.command()
def doctor() -> None:
    """Tell what this machine has: devices, threads, backends, weights, disk."""
    from lolblur_synth.doctor import examine

    healthy = True
    for name, found, good in examine():
        click.echo(f"{'ok ' if good else '-- '} {name:<14} {found}")
        healthy &= good
    if not healthy:
        raise SequenceError("what is marked -- is missing")


@cli.group()
def config() -> None:
    """Look at settings."""


@config.command("show")
@_run_options
def config_show(sources: tuple[str, ...], assignments: tuple[str, ...], **shortcuts: str | float | None) -> None:
    """Print the effective settings of a run as YAML."""
    from lolblur_synth.config import to_yaml

    click.echo(to_yaml(_load_config(sources, assignments, **shortcuts)), nl=False)


@config.command("presets")
def config_presets() -> None:
    """List the presets that --config takes by name."""
    from lolblur_synth.config import presets

    click.echo("\n".join(presets()))
