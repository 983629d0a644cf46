"""Commands that train and use networks."""

from pathlib import Path

import click

from lolblur_synth.commands.options import FOLDER, config_options, console_for


@click.command("train-ecdce")
@click.option("--images", type=FOLDER, required=True, help="A folder of normal-light photographs.")
@click.option(
    "--out", type=FOLDER, required=True, help="Checkpoints, logs and the final weights; resumes what is there."
)
@config_options
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

    with TrainingProgress(console_for(stderr=True), config.steps, config.validate_every) as progress:
        weights = train(images, out, config, overwrite=overwrite, on_step=progress)
    click.echo(f"weights: {weights}")
