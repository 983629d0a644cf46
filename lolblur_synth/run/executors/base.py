"""What every executor carries out, and the protocol that it follows."""

import errno
import secrets
import shutil
import traceback
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

from lolblur_synth.core.errors import SequenceError, UserError, setting
from lolblur_synth.core.events import Event, Notify
from lolblur_synth.core.memory import peak_memory
from lolblur_synth.dataset.layout import RECORD, staging_path
from lolblur_synth.dataset.locks import Lease, publishing
from lolblur_synth.dataset.publish import check_present, publish
from lolblur_synth.run.build_sequence import Place, build_sequence
from lolblur_synth.run.failures import Failure
from lolblur_synth.run.plan import Plan, SequencePlan

_OUT_OF_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


@dataclass(frozen=True)
class Job:
    """What sequences of one run share."""

    plan: Plan
    notify: Notify
    fail_fast: bool  # raise what the first failing sequence raises
    lease: Lease  # while it is held, what is made may be published


class Executor(Protocol):
    """Makes sequences, in any order and as many at a time as it likes; yields one outcome for each, None if it is made.

    To close the generator gives up what is not made yet. Raises `UserError` when the run cannot go on at all.
    """

    def __call__(self, job: Job, tasks: Sequence[SequencePlan]) -> Generator[Failure | None]: ...  # noqa: D102


def attempt(job: Job, task: SequencePlan, place: Place) -> Failure | None:
    """Build and publish a sequence: the one place where it may fail without ending the run."""
    out = job.plan.out
    staging = staging_path(out, task.id, secrets.token_hex(4))
    try:
        build_sequence(task, job.plan, staging, place, job.notify)
        check_present(out)  # before a lease makes its folder anew
        with publishing(out, f"{task.video:04d}"):
            job.lease.check()
            record = publish(out, staging)
    except Exception as error:
        check_present(out)
        if not (staging / RECORD).exists():  # else it is complete, and the next run publishes it
            shutil.rmtree(staging, ignore_errors=True)
        if isinstance(error, OSError) and error.errno in _OUT_OF_SPACE:
            raise UserError(
                error.strerror,
                where=f"{setting('out')} {out}",
                advice="make room and run the same command again, finished sequences are kept",
            ) from None
        if job.fail_fast and isinstance(error, SequenceError):
            raise SequenceError(error, where=f"{task.id} of {task.name}") from error
        if job.fail_fast or isinstance(error, UserError):
            raise
        message = error.told(setting) if isinstance(error, SequenceError) else f"{type(error).__name__}: {error}"
        job.notify(Event("failed", task.id, message))
        return Failure(task.id, f"{task.name}: {message}", traceback.format_exc())
    job.notify(Event("made", task.id, pairs=len(record.pairs), seconds=record.seconds, memory=peak_memory()))
    return None
