"""The command line: the commands, and what becomes of an error."""

import io
import os
import signal
import sys
from typing import Any

import click

from lolblur_synth import __version__
from lolblur_synth.cli import dataset, footage, machine, making, networks, planning, watching
from lolblur_synth.cli.options import option
from lolblur_synth.core.errors import SequenceError, UserError, shown
from lolblur_synth.core.signals import Stopped


class _Unheard(Exception):  # noqa: N818 - an end, not an error
    """Nobody reads what is written, as `head` does not after its lines."""


def answer() -> int:
    """Run the command line and return its exit code; a `UserError` is one line and 2, a `SequenceError` one and 1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # else it is closed, or somebody's own
            stream.reconfigure(errors="backslashreplace")  # a name that it has no letters for is no reason to stop
    try:
        return _answer()
    except (BrokenPipeError, _Unheard):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for number in (1, 2):  # where the interpreter would write on
            os.dup2(nowhere, number)
        return 128 + signal.SIGPIPE


def _answer() -> int:
    try:
        cli(standalone_mode=False)
        if sys.stdout:
            sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except UserError as error:
        return _refuse(error.told(option), 2)
    except SequenceError as error:
        return _refuse(error.told(option), 1)
    except RuntimeError as error:
        if type(error).__name__ != "OutOfMemoryError":  # torch's, which is not imported for that
            raise
        return _refuse("the GPU has too little memory; take smaller pictures, batches or crops, or --device cpu", 2)
    except BrokenPipeError:
        raise
    except OSError as error:
        where = f"{shown(error.filename)}: " if error.filename else ""
        told = shown(error.strerror or error)
        return _refuse(f"{where}{told}; check the path, its permissions and the disk", 2)
    return 0


def _refuse(told: str, code: int) -> int:
    click.echo(f"error: {told}", err=True)
    return code


class _Commands(click.Group):
    """Those of click, which turns some ends into exits and lines of its own; here they are told in one place."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was named; a stop and a pipe without a reader pass through."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:  # of a training that another of its processes has stopped
            raise Stopped(signal.SIGINT) from None
        except BrokenPipeError:
            raise _Unheard from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__)
def cli() -> None:
    """Make LOL-Blur training pairs from your own slow-motion video."""


for command in (
    making.run,
    making.merge,
    planning.plan,
    watching.status,
    dataset.verify,
    dataset.describe,
    dataset.pack,
    dataset.stats,
    dataset.report,
    making.demo,
    footage.denoise,
    footage.darken,
    footage.interpolate,
    footage.calibrate,
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
