"""Memory that making a sequence takes, as a rule of thumb: what refuses machines that cannot, not what fills them."""

from lolblur_synth.config.run import Config
from lolblur_synth.run.plan import SequencePlan

_BASE = 0.5e9


def sequence_memory(task: SequencePlan, config: Config, threads: int) -> int:
    """Bytes that a worker holds at the most."""
    return 0
