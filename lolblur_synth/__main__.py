"""`python -m lolblur_synth` is `lolblur-synth`: signals are heeded before anything is imported that takes its time."""

import sys

from lolblur_synth.core.signals import heeding


def _command() -> int:
    from lolblur_synth.cli.main import answer

    return answer()


def main() -> None:
    """Run the command line and exit by what became of it."""
    sys.exit(heeding(_command))


if __name__ == "__main__":
    main()
