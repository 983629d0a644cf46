"""Ctrl-C, SIGTERM, SIGHUP and a pipe without a reader, as a command's process meets them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = """
import signal, sys, threading, time
from lolblur_synth.core import signals
{code}
print("ready", flush=True)
sys.exit(signals.heeding(command))
"""
SLEEP = "def command(): print('go', flush=True); time.sleep(30); return 0"
TOLD = "; run, train-ecdce and train-lednet go on from here when called again, other commands begin anew\n"


class Script:
    """A process in a group of its own, like one that a terminal has started."""

    def __init__(self, code: str, ignored: tuple[int, ...] = (), before: str = "go") -> None:
        def ignore() -> None:
            for number in ignored:
                signal.signal(number, signal.SIG_IGN)

        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT.format(code=code)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True, preexec_fn=ignore,
        )  # fmt: skip
        assert self.process.stdout
        while before not in (line := self.process.stdout.readline()):
            assert line, self.process.communicate()

    def send(self, *numbers: int) -> "Script":
        for number in numbers:
            os.killpg(self.process.pid, number)
            time.sleep(0.03)
        return self

    def ended(self) -> tuple[int, str]:
        _, told = self.process.communicate(timeout=20)
        return self.process.returncode, told


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize(
    ("number", "name"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM"), (signal.SIGHUP, "SIGHUP")]
)
def test_a_signal_is_one_line_and_its_exit_code(number, name, times):
    assert Script(SLEEP).send(*[number] * times).ended() == (128 + number, f"stopped by {name}{TOLD}")


def test_what_is_ignored_at_the_start_stays_so():
    """As under nohup."""
    code = "def command(): print('go', flush=True); time.sleep(0.4); return 3"
    assert Script(code, ignored=(signal.SIGHUP, signal.SIGINT)).send(signal.SIGHUP, signal.SIGINT).ended() == (3, "")


def test_a_command_unwinds_whatever_is_pressed_meanwhile():
    code = """
def command():
    try:
        print("go", flush=True)
        time.sleep(30)
    finally:
        time.sleep(0.4)
        print("unwound", file=sys.stderr, flush=True)
"""
    ended = Script(code).send(signal.SIGINT, signal.SIGINT, signal.SIGTERM).ended()
    assert ended == (130, f"unwound\nstopped by Ctrl-C{TOLD}")


def test_a_command_has_its_time_from_the_first_moment_on():
    """The thread that ends what does not unwind goes on while the handler writes to it."""
    code = """
import os
write = os.write

def slow(*arguments):
    write(*arguments)
    time.sleep(0.1)

def command():
    os.write = slow
    try:
        print("go", flush=True)
        time.sleep(30)
    finally:
        time.sleep(0.1)
        print("unwound", file=sys.stderr, flush=True)
"""
    assert Script(code).send(signal.SIGINT).ended() == (130, f"unwound\nstopped by Ctrl-C{TOLD}")


@pytest.mark.parametrize(
    "stuck", ["time.sleep(30)", "threading.Thread(target=time.sleep, args=(30,)).start()"], ids=["command", "thread"]
)
def test_a_command_that_does_not_unwind_is_ended(stuck):
    code = f"""
def command():
    try:
        print("go", flush=True)
        time.sleep(30)
    finally:
        {stuck}
"""
    script, began = Script(code).send(signal.SIGTERM, signal.SIGTERM), time.monotonic()
    assert script.ended() == (143, f"stopped by SIGTERM{TOLD}")
    assert time.monotonic() - began < 8


def test_a_signal_that_a_finalizer_swallows_comes_again():
    code = """
class Finalized:
    def finish(self):
        print("go", flush=True)
        time.sleep(0.3)

def command():
    import weakref
    thing = Finalized()
    weakref.finalize(thing, Finalized.finish, thing.__class__)
    reference = weakref.ref(thing, lambda _: Finalized().finish())
    del thing
    time.sleep(30)
"""
    assert Script(code).send(signal.SIGINT).ended() == (130, f"stopped by Ctrl-C{TOLD}")


def test_an_import_is_not_cut_into(tmp_path):
    """Libraries take what is raised there for a module that is missing, and go on without it."""
    (tmp_path / "slow_module.py").write_text("import time; print('go', flush=True); time.sleep(0.2)")
    code = f"""
sys.path.insert(0, {str(tmp_path)!r})
def command():
    try:
        import slow_module
    except BaseException as error:
        print("taken for missing", file=sys.stderr)
    time.sleep(30)
"""
    assert Script(code).send(signal.SIGINT).ended() == (130, f"stopped by Ctrl-C{TOLD}")


def test_a_long_import_does_not_keep_anybody_waiting(tmp_path):
    (tmp_path / "slow_module.py").write_text("import time; print('go', flush=True); time.sleep(30)")
    code = f"sys.path.insert(0, {str(tmp_path)!r})\ndef command(): import slow_module"
    script, began = Script(code).send(signal.SIGINT), time.monotonic()
    assert script.ended() == (130, f"stopped by Ctrl-C{TOLD}")
    assert time.monotonic() - began < 5


def test_children_leave_signals_to_their_parent_and_end_with_it():
    code = """
def command():
    from multiprocessing import get_context
    context = get_context("forkserver")
    context.set_forkserver_preload(["logging"])
    children = [context.Process(target=time.sleep, args=(30,)) for _ in range(2)]
    print("go", flush=True)
    with signals.held():
        for child in children:
            child.start()
    print("started", flush=True)
    time.sleep(30)
"""
    for before in ("go", "started"):
        script = Script(code, before=before).send(*[signal.SIGINT] * 3)
        assert script.ended() == (130, f"stopped by Ctrl-C{TOLD}")
        deadline = time.monotonic() + 5
        while subprocess.run(["ps", "-s", str(script.process.pid)], capture_output=True, check=False).returncode == 0:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_progress_bars_give_the_cursor_back():
    code = """
def command():
    from rich.console import Console
    from lolblur_synth.cli.progress import frame_progress
    with frame_progress(Console(stderr=True, force_terminal=True)) as show:
        show(1, 2)
        print("go", file=sys.__stdout__, flush=True)  # rich has taken the other
        time.sleep(30)
"""
    returned, told = Script(code).send(signal.SIGINT).ended()
    assert returned == 130
    assert told.endswith(f"stopped by Ctrl-C{TOLD}")
    assert told.rindex("\x1b[?25h") > told.rindex("\x1b[?25l")


def test_a_program_that_uses_the_package_keeps_its_handlers():
    code = (
        "import signal; import lolblur_synth.cli.main, lolblur_synth.core.signals; print(signal.getsignal(2).__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "default_int_handler\n"


def shell(words: str, **environment: str) -> tuple[int, str, str]:
    """What `lolblur-synth WORDS` does in bash: its exit code, not that of what reads it."""
    line = f"set -o pipefail; {sys.executable} -m lolblur_synth {words}"
    done = subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    return done.returncode, done.stdout, done.stderr


def test_nobody_reading_on_is_no_error():
    assert shell("config show | true") == (128 + signal.SIGPIPE, "", "")


def test_a_full_disk_behind_standard_output_is_told():
    code, _, told = shell("config show > /dev/full")
    assert code == 2
    assert told == "error: No space left on device; check the path, its permissions and the disk\n"


@pytest.mark.parametrize(("encoding", "shown"), [("ascii", r"\xfc \U0001f3a5 \udcff"), ("utf-8", "ü 🎥 \\udcff")])
def test_letters_that_a_terminal_lacks_are_escaped(encoding, shown):
    code = """
import sys
from lolblur_synth.cli import main
from lolblur_synth.cli.options import console_for
main.cli.command("shout")(lambda: [console_for(err).print("ü \\U0001f3a5 \\udcff") for err in (False, True)])
sys.argv = ["lolblur-synth", "shout"]
sys.exit(main.answer())
"""
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, env=environment)
    assert (done.returncode, done.stdout.decode(), done.stderr.decode()) == (0, f"{shown}\n", f"{shown}\n")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_take_no_file_of_ours(closed, tmp_path):
    """Else the next file that is opened has the number of standard output, and what others print goes into it."""
    code = f"""
import os, sys
from lolblur_synth.core.signals import heeding
def command():
    with open({str(tmp_path / "file")!r}, "w") as file:
        file.write(str(file.fileno() > 2))
        os.write(1, b"printed"), os.write(2, b"printed")
    return 3
sys.exit(heeding(command))
"""
    (tmp_path / "program.py").write_text(code)
    line = f"{sys.executable} {tmp_path / 'program.py'} {closed}"
    assert subprocess.run(["bash", "-c", line], capture_output=True, check=False).returncode == 3
    assert (tmp_path / "file").read_text() == "True"


def test_the_command_is_installed_by_its_early_entry():
    """`lolblur_synth.cli.main` takes a while to import, and heeds no signal meanwhile."""
    assert 'lolblur-synth = "lolblur_synth.__main__:main"' in Path("pyproject.toml").read_text()
