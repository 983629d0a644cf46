"""`python -m lolblur_synth` is `lolblur-synth`."""

from lolblur_synth.cli import main

main()
