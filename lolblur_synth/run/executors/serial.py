"""Serial executor: one sequence after the other, in this process."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from lolblur_synth.run.build_sequence import Place
from lolblur_synth.run.executors.base import Job, attempt
from lolblur_synth.run.failures import Failure
from lolblur_synth.run.plan import SequencePlan


@dataclass(frozen=True)
class Serial:
    """Makes every sequence in one place."""

    place: Place

    def __call__(self, job: Job, tasks: Sequence[SequencePlan]) -> Generator[Failure | None]:
        """Make them in order."""
        for task in tasks:
            yield attempt(job, task, self.place)
