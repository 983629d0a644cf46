"""Process executor: sequences on several worker processes of this machine, by joblib."""

import ctypes
import os
import signal
import sys
import warnings
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle

from lolblur_synth.core.errors import UserError, setting
from lolblur_synth.core.events import gathered
from lolblur_synth.core.signals import held
from lolblur_synth.kernels.jit_cache import tell_where_workers_compile
from lolblur_synth.run.build_sequence import Place
from lolblur_synth.run.executors.base import Job, attempt
from lolblur_synth.run.failures import Failure
from lolblur_synth.run.plan import SequencePlan

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


@dataclass(frozen=True)
class Processes:
    """Makes as many sequences at a time as there are workers, in the places that they take in turn."""

    workers: int
    places: Sequence[Place]

    def __call__(self, job: Job, tasks: Sequence[SequencePlan]) -> Generator[Failure | None]:
        """Make them in any order; raises `UserError` when a worker was killed."""
        import joblib
        from joblib.externals.loky import get_reusable_executor
        from joblib.externals.loky.backend import resource_tracker
        from joblib.externals.loky.process_executor import BrokenProcessPool

        tell_where_workers_compile()
        with (
            gathered(job.notify) as send,
            joblib.parallel_config("loky", inner_max_num_threads=1),
            warnings.catch_warnings(),
        ):
            # joblib takes workers whose memory has grown by 300 MB for leaking, and starts others. It warns in
            # its own thread; where warnings are errors that thread ends, and nobody is left to take results.
            warnings.filterwarnings("ignore", "A worker stopped while some jobs were given to the executor")
            job = replace(job, notify=send)
            calls = (
                joblib.delayed(_attempt_in_worker)(os.getpid(), job, task, place)
                for task, place in zip(tasks, cycle(self.places), strict=False)
            )
            resource_tracker.ensure_running()  # which in older versions unblocks signals when it starts
            with held():
                outcomes = joblib.Parallel(n_jobs=self.workers, return_as="generator_unordered", batch_size=1)(calls)
            try:
                yield from outcomes
            except BrokenProcessPool:
                raise UserError(
                    "a worker process was killed, most likely for want of memory; finished sequences are kept",
                    advice=f"run the same command again with fewer {setting('run.workers')}",
                ) from None
            finally:
                with warnings.catch_warnings(action="ignore"):  # that sequences are given up is why it is closed
                    outcomes.close()
                get_reusable_executor().shutdown()  # kept, its workers would have this run's environment in the next


def _attempt_in_worker(parent: int, job: Job, task: SequencePlan, place: Place) -> Failure | None:
    _end_with(parent)
    return attempt(job, task, place)


def _end_with(parent: int) -> None:
    """Ask Linux to end this process when its parent does: a killed run must not go on writing behind the next one."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended already
        os._exit(1)
