"""Memory that making a sequence takes, as a line through what was measured: to refuse what cannot, not to fill it."""

from collections.abc import Sequence
from dataclasses import dataclass

from lolblur_synth.config.run import Config
from lolblur_synth.run.plan import SequencePlan

# Peak resident memory of runs of one pair of nine frames, 560x320 and 1120x640, one thread and four, without and with
# denoiser (1120x640: 0.91, 1.10, 1.11 and 1.25 GB): the line is up to 12 % below it, and at most 2 % above.
_BASE = 480e6  # bytes: interpreter, libraries, compiled code, networks
_OF_PIXEL, _OF_PIXEL_AND_THREAD, _OF_PIXEL_DENOISED = 450, 90, 250


@dataclass(frozen=True)
class Need:
    """The least memory that a worker needs, in bytes, by the threads that a sequence is made on.

    >>> round(Need(720e6, 130e6).on(4) / 1e9, 2)
    1.24
    """

    fixed: float
    per_thread: float

    def on(self, threads: int) -> int:
        """Bytes on so many threads."""
        return round(self.fixed + threads * self.per_thread)


def memory_needed(tasks: Sequence[SequencePlan], config: Config) -> Need:
    """What the largest of these sequences needs."""
    size = config.video.size
    infos = (task.scan.info for task in tasks)
    pixels = max(info.width * info.height for info in infos) if size == "source" else size[0] * size[1]
    of_pixel = _OF_PIXEL + (_OF_PIXEL_DENOISED if config.denoise.backend != "none" else 0)
    return Need(_BASE + pixels * of_pixel, pixels * _OF_PIXEL_AND_THREAD)
