"""What a command that ran inside a test tells a person."""

from click.testing import Result

from lolblur_synth.cli.options import option
from lolblur_synth.core.errors import SequenceError, UserError


def message(result: Result) -> str:
    """What a command that was refused, or failed, tells: our own errors by the command line's words, or click's."""
    error = result.exception
    return error.told(option) if isinstance(error, UserError | SequenceError) else result.output.splitlines()[-1]
