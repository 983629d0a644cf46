"""Commands that look at settings and at the machine."""

import click

from lolblur_synth.cli.options import load_config, option, run_options
from lolblur_synth.core.errors import SequenceError, shown

_TRAININGS = "train-ecdce", "train-lednet"  # whose presets begin with their names


@click.command()
def doctor() -> None:
    """Tell what this machine has: devices, threads, backends, weights, disk."""
    from lolblur_synth.apps.doctor import examine

    healthy = True
    for name, found, good in examine():
        click.echo(f"{'ok ' if good else '-- '} {name:<14} {shown(found, option)}")
        healthy &= good
    if not healthy:
        raise SequenceError(
            "what is marked -- is missing", advice="install the package again, by pip install . in its folder"
        )


@click.group()
def config() -> None:
    """Look at settings."""


@config.command("show")
@run_options
def config_show(sources: tuple[str, ...], assignments: tuple[str, ...], **shortcuts: str | float | None) -> None:
    """Print the effective settings of a run as YAML."""
    from lolblur_synth.config.loading import to_yaml

    click.echo(to_yaml(load_config(sources, assignments, **shortcuts)), nl=False)


@config.command("presets")
def config_presets() -> None:
    """List the presets that --config takes by name, each with the command that it is for."""
    from lolblur_synth.config.loading import presets

    for name in presets():
        own = (command for command in _TRAININGS if name.replace("_", "-").startswith(command))
        click.echo(f"{name:<20} {next(own, 'run')}")
