"""Commands that work on pictures and videos."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lolblur_synth.cli.options import FOLDER, PATH, console_for, device_option, option, warner
from lolblur_synth.core.errors import shown

if TYPE_CHECKING:
    from lolblur_synth.ops.denoise.denoise import Backend
    from lolblur_synth.ops.denoise.vbm4d.passes import Preset
    from lolblur_synth.ops.interpolation.backends import Backend as Interpolation


@click.command()
@click.option(
    "--input",
    "source",
    type=PATH,
    required=True,
    help="A picture, a folder of pictures (not those in folders of it), or a video.",
)
@click.option("--out", type=FOLDER, required=True, help="Where the dark ones go.")
@click.option(
    "--exposure",
    default="0.05:0.30",
    show_default=True,
    metavar="E|LOW:HIGH",
    help="Lightness to darken to, of 1; a range is drawn from, once per picture or video.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed and file name, same exposure.")
@click.option("--weights", default="ec_zero_dce", show_default=True, metavar="NAME|FILE", help="Of an EC-Zero-DCE.")
@device_option()
@click.option("--overwrite", is_flag=True, help="Replace files in --out.")
def darken(source: Path, out: Path, exposure: str, seed: int, weights: str, device: str, overwrite: bool) -> None:
    """Darken pictures or a video by EC-Zero-DCE."""
    from lolblur_synth.apps.darken import DarkenOptions, darken_path, parse_exposure
    from lolblur_synth.apps.transcoding import Listener

    options = DarkenOptions(parse_exposure(exposure), seed, weights, device)
    listener = Listener(warn=warner(console_for(stderr=True)))
    for path, drawn in darken_path(source, out, options, overwrite=overwrite, listener=listener):
        click.echo(f"{shown(path)}  exposure {drawn:.4f}")


@click.command()
@click.option("--input", "source", type=PATH, required=True, help="A video, or a folder of numbered frames.")
@click.option("--out", type=PATH, required=True, help="The lossless video to write: .mkv, or .mp4 of 8 bits.")
@click.option(
    "--backend",
    type=click.Choice(["vbm4d", "bm4d"]),
    default="vbm4d",
    show_default=True,
    help="Along the motion, or the BM4D package (non-commercial).",
)
@click.option("--preset", type=click.Choice(["fast", "best"]), default="best", show_default=True, help="Of vbm4d.")
@click.option(
    "--sigma", default="auto", show_default=True, metavar="auto|N", help="Of white noise, of 255; auto measures it."
)
@click.option("--compare", type=PATH, metavar="FILE.png", help="The middle frame before and after, with its details.")
@click.option("--capture-fps", type=float, help="The rate of numbered frames.")
@device_option()
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
    from lolblur_synth.apps.denoise import DenoiseOptions, denoise_video, describe, parse_sigma
    from lolblur_synth.apps.transcoding import Listener
    from lolblur_synth.cli.progress import frame_progress

    options = DenoiseOptions(backend, preset, parse_sigma(sigma), device, capture_fps)
    console = console_for(stderr=True)
    with frame_progress(console) as progress:
        listener = Listener(progress, warner(console))
        scenes = denoise_video(source, out, options, compare=compare, overwrite=overwrite, listener=listener)
    for scene in scenes:
        click.echo(describe(scene, options))


@click.command()
@click.option("--input", "source", type=PATH, required=True, help="A video, or a folder of numbered frames.")
@click.option("--out", type=PATH, required=True, help="The lossless video to write: .mkv, or .mp4 of 8 bits.")
@click.option("--fps", type=float, help="The rate to reach; any that is higher than that of the footage.")
@click.option("--factor", type=int, metavar="N", help="Instead: how many times that rate.")
@click.option(
    "--backend",
    type=click.Choice(["auto", "flow", "rife", "rife-ncnn", "linear"]),
    default="auto",
    show_default=True,
    help="auto is rife on CUDA if its weights are there, else flow.",
)
@click.option(
    "--weights", default="rife-v4.0", show_default=True, metavar="NAME|PATH", help="Of rife, or of rife-ncnn."
)
@click.option("--capture-fps", type=float, help="The rate at which it was filmed, where its tags do not tell.")
@device_option()
@click.option("--overwrite", is_flag=True, help="Replace --out.")
def interpolate(
    source: Path,
    out: Path,
    fps: float | None,
    factor: int | None,
    backend: "Interpolation",
    weights: str,
    capture_fps: float | None,
    device: str,
    overwrite: bool,
) -> None:
    """Make a video of more frames per second."""
    from lolblur_synth.apps.interpolate import InterpolateOptions, describe, interpolate_video
    from lolblur_synth.apps.transcoding import Listener
    from lolblur_synth.cli.progress import frame_progress

    options = InterpolateOptions(fps, factor, backend, weights, device, capture_fps)
    console = console_for(stderr=True)
    with frame_progress(console) as progress:
        video = interpolate_video(
            source, out, options, overwrite=overwrite, listener=Listener(progress, warner(console))
        )
    for line in describe(video):
        click.echo(shown(line, option))


@click.command()
@click.option("--dark", type=FOLDER, required=True, help="RAW frames without light, two and more.")
@click.option("--flat", type=FOLDER, help="RAW frames of an even surface, two and more of each of several exposures.")
@click.option(
    "--camera", metavar="NAME", help="Whose shot noise to take without --flat, and colours if the RAW has none."
)
@click.option("--out", type=PATH, required=True, metavar="FILE.yaml", help="The camera, which noise.camera takes.")
@click.option("--plot", type=PATH, metavar="FILE.png", help="Draw the photon transfer curve with its fit there.")
@click.option("--overwrite", is_flag=True, help="Replace --out and --plot.")
def calibrate(dark: Path, flat: Path | None, camera: str | None, out: Path, plot: Path | None, overwrite: bool) -> None:
    """Measure the noise, black level and colours of a camera on its own RAW frames."""
    from lolblur_synth.apps.calibrate import calibrate as measure
    from lolblur_synth.apps.calibrate import check_outputs, write_calibration
    from lolblur_synth.apps.camera_file import describe
    from lolblur_synth.cli.progress import frame_progress

    check_outputs(out, plot, flat, camera, overwrite=overwrite)
    console = console_for(stderr=True)
    with frame_progress(console) as progress:
        found = measure(dark, flat, camera, out.stem, progress)
    for note in found.notes:
        warner(console)(note)
    for what, value in describe(found).items():
        click.echo(f"{what:<12} {shown(value)}")
    write_calibration(found, out, plot)
