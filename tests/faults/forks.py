"""Commands in processes that start at once: forked from one that has imported all they need."""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

NEXT = "--- the next command\n"  # written by a process that does several
HUNG = 999  # the code of a process that had to be killed, as it did not end


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code, or minus the signal that killed it, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def told(self) -> list[str]:
        """Lines that say how it ended; of several commands in one process, of the one that said most."""
        parts = self.err.split(NEXT)
        return max(
            ([line for line in part.splitlines() if line.startswith(("error: ", "stopped by "))] for part in parts),
            key=len,
        )


@dataclass
class Running:
    """A process that was forked, the leader of a group of its own."""

    pid: int
    log: Path
    began: float

    def signal(self, number: int) -> None:
        """Send a signal to all of its group, as a terminal does."""
        os.killpg(self.pid, number)

    def wait(self, seconds: float = 60) -> Ended:
        """Its end, or `HUNG`."""
        deadline = time.monotonic() + seconds
        while (ended := os.waitpid(self.pid, os.WNOHANG))[0] == 0 and time.monotonic() < deadline:
            time.sleep(0.002)
        if ended[0] == 0:
            os.killpg(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        code = HUNG if ended[0] == 0 else os.waitstatus_to_exitcode(ended[1])
        texts = [self.log.with_suffix(suffix).read_text(errors="replace") for suffix in (".out", ".err")]
        return Ended(code, *texts)


def start(log: Path, work: Callable[[], int], prepare: Callable[[], None] = lambda: None) -> Running:
    """Fork, and do the work as a command: its exit code is returned, `prepare` is called just before."""
    pid = os.fork()
    if pid == 0:
        _become_command(log, work, prepare)
    for _ in range(1000):  # until the group is there, to which signals go
        if os.getpgid(pid) == pid:
            break
        time.sleep(0.001)
    return Running(pid, log, time.monotonic())


def command(*arguments: str | Path) -> Callable[[], int]:
    """A command of the product, as typed."""

    def work() -> int:
        from lolblur_synth.cli.main import answer
        from lolblur_synth.core.signals import heeding

        sys.argv = ["lolblur-synth", *map(str, arguments)]
        return heeding(answer)

    return work


def _become_command(log: Path, work: Callable[[], int], prepare: Callable[[], None]) -> None:
    code = 1
    try:
        os.setpgid(0, 0)
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
        for number, suffix in ((1, ".out"), (2, ".err")):
            file = os.open(log.with_suffix(suffix), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(file, number)
            os.close(file)
        sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))  # noqa: SIM115
        prepare()
        code = work()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:  # as the interpreter ends
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)
