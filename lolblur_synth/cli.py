"""The command line: the commands, and what becomes of an error."""

import sys

import click

from lolblur_synth import __version__
from lolblur_synth.commands import dataset, footage, machine, networks
from lolblur_synth.errors import SequenceError, UserError, shown


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
    except RuntimeError as error:
        if type(error).__name__ != "OutOfMemoryError":  # torch's, which is not imported for that
            raise
        click.echo(
            "error: the GPU has too little memory; take smaller pictures, batches or crops, or --device cpu", err=True
        )
        sys.exit(2)
    except OSError as error:
        where = f"{shown(error.filename)}: " if error.filename else ""
        click.echo(
            f"error: {where}{shown(error.strerror or error)}; check the path, its permissions and the disk", err=True
        )
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        click.echo(
            "stopped; run, train-ecdce and train-lednet go on from here when called again, other commands begin anew",
            err=True,
        )
        sys.exit(130)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__)
def cli() -> None:
    """Make LOL-Blur training pairs from your own slow-motion video."""


for command in (
    dataset.run,
    dataset.verify,
    dataset.demo,
    footage.denoise,
    footage.darken,
    footage.interpolate,
    networks.train_ecdce,
    networks.train_lednet,
    networks.restore,
    networks.evaluate,
    networks.export,
    networks.weights,
    machine.doctor,
    machine.config,
):
    cli.add_command(command)
