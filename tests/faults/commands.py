"""Every command that takes a while, stopped at some moment: its exit code, one line, nothing left, and it goes on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

import torch

from tests.faults.forks import Ended, Running, command, start
from tests.faults.kills import Kinds, Trial, Undisturbed, heeds, until_it_strikes
from tests.faults.worlds import SETTINGS, Verdict, World, judge, make_world
from tests.support.lednets import released_lednet, save_lednet
from tests.support.raws import NoisySensor

_SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
_TINY = "net.channels=[4,4,4,4]", "crop=32", "batch=1", "perceptual=0", "validate_every=2", "save_every=2", "device=cpu"
_LEDNET = tuple(part for setting in _TINY for part in ("--set", setting))
_DARK = tuple(part for setting in ("crop=64", "batch=1", "net.width=4", "net.scale=4") for part in ("--set", setting))
WITH_IMPORTS = 0.1  # of the share from which on trials begin whose processes each import all anew
Words = tuple[str | Path, ...]


def _commands(world: World, data: Path, nets: Path) -> dict[str, tuple[Words, Words]]:
    """What is typed, and what is typed once more afterwards, to have it after all."""
    clip, made, again = world.videos / "a.mkv", world.out.parent / "made", ("--overwrite",)
    video = made.with_suffix(".mkv")
    pictures = data / "train" / "low_blur_noise" / "0001"
    lednet = nets / "lednet.safetensors"
    training = "train-lednet", "--data", data, "--out", made, *_LEDNET, "--steps", "6", "--set"
    return {
        "verify": (("verify", data), ()),
        "pack": (("pack", data, "--to", "webdataset", "--out", made), ()),
        "stats": (("stats", pictures, "--out", made.with_suffix(".json"), "--plot", made.with_suffix(".png")), again),
        "report": (("report", data, "--out", made.with_suffix(".html")), again),
        "demo": (("demo", "--out", made, *SETTINGS), ()),
        "darken": (("darken", "--input", clip, "--out", made), again),
        "denoise": (("denoise", "--input", clip, "--out", video, "--preset", "fast"), again),
        "interpolate": (("interpolate", "--input", clip, "--out", video, "--fps", "500", "--backend", "linear"), again),
        "restore": (("restore", "--input", pictures, "--weights", lednet, "--out", made), again),
        "calibrate": (
            ("calibrate", "--dark", nets / "dark", "--flat", nets / "flat", "--out", made.with_suffix(".yaml")),
            again,
        ),
        "evaluate": (("evaluate", "--data", data, "--weights", lednet, "--save", made), again),
        "train-ecdce": (("train-ecdce", "--images", pictures, "--out", made, "--steps", "6", *_DARK), ()),
        "train-lednet": ((*training, "workers=0"), ()),
        "weights pull": (("weights", "pull", "lednet", "--from", nets / "lednet.pth"), ()),
    }  # fmt: skip


def _smaller_demo() -> None:
    from lolblur_synth.apps import demo

    demo._SIZE, demo._FRAMES = (96, 128), 40


def kinds(normal: Undisturbed, rng: Random, share: float) -> Kinds:
    """Each with its trials; `share` of those that `make faults` takes."""
    nets = normal.dataset.parent / "nets"
    nets.mkdir()
    save_lednet(nets / "lednet.safetensors")
    sensor = NoisySensor((512, 768), gain=1.0, read=3.0)
    sensor.write_series(nets / "dark", (0.0,), 4)
    sensor.write_series(nets / "flat", (1000.0, 3000.0, 9000.0))
    torch.save({"params": released_lednet()}, nets / "lednet.pth")
    names = list(_commands(World(Path()), Path(), Path()))
    names = names if share >= 1 else rng.sample(names, max(2, round(share * len(names))))
    yield "each command, left alone", [_stopped(normal, nets, name, 0, 1) for name in names]
    ways = ((signal.SIGINT, 1), (signal.SIGINT, 3), (signal.SIGTERM, 1), (signal.SIGHUP, 1))
    trials = [
        until_it_strikes(partial(_stopped, normal, nets, name, *way), rng.random())
        for name in names
        for way in ways
        for _ in range(2)
    ]
    yield "each command, stopped", trials if share >= 1 else rng.sample(trials, 2 * len(names))
    moments = [0.05, 0.1, 0.2, 0.4, 0.8, 1.2, 1.6, 2.0]
    chosen = moments if share >= 1 else rng.sample(moments, 1)
    yield "stopped while it starts", [_starting(normal, at, _SIGNALS[i % 3], 1 + i % 3) for i, at in enumerate(chosen)]
    if share < WITH_IMPORTS:
        return
    after = [0.0, 0.3, 1.0, 3.0] if share >= 1 else [1.0]
    yield "Ctrl-C with two workers", [_with_workers(normal, seconds, signal.SIGINT) for seconds in after]
    yield "killed with two workers", [_with_workers(normal, seconds, signal.SIGKILL) for seconds in after[1:] or after]
    yield "a worker killed", [_worker_killed(normal, seconds) for seconds in after[1:] or after]
    yield (
        "readers of a training",
        [_readers(normal, after[-1], act) for act in ("stop", "kill", "kill their server", "kill it")],
    )


def _stopped(normal: Undisturbed, nets: Path, name: str, number: int, times: int, part: float | None = None) -> Trial:
    """At `part` of the time that the command took alone, or not at all."""

    def trial(root: Path) -> Verdict:
        world = make_world(root, normal.videos)
        words, again = _commands(world, normal.dataset, nets)[name]
        before, clock = world.outside(), normal.dataset.parent / f"{name}.seconds"
        log, made = world.root / "log", world.out.parent / "made"
        environment = {"LOLBLUR_WEIGHTS": str(made if name == "weights pull" else nets), "LOLBLUR_CACHE": str(nets)}

        def prepare() -> None:
            os.environ.update(environment)
            _smaller_demo()

        running = start(log, command(*words), prepare)
        ends = []
        if part is None:
            ends.append((running.wait(120), {0}))
            clock.write_text(str(time.monotonic() - running.began))
        else:
            heeds(running)
            time.sleep(part * float(clock.read_text()))
            press(running, number, times)
            ends.append((running.wait(30), {0, 128 + number}))
            ends += _unless_gone(running)
            again = again if ends[0][0].code == 0 or any(made.parent.glob("made*")) else ()
            ends.append((start(log, command(*words, *again), prepare).wait(120), {0}))
        after = {name: fact for name, fact in world.outside().items() if not name.startswith("work/made")}
        left = [str(path) for path in made.parent.rglob("*") if ".partial" in path.name or ".draft" in path.name]
        struck = part is None or ends[0][0].code != 0
        return judge(ends, before, after | dict.fromkeys(left, "left behind"), struck=struck)

    return trial


def press(running: Running, number: int, times: int) -> None:
    """Send a signal to a process and all that it has started, as a terminal does, so many times in a hurry."""
    for _ in range(times):
        running.signal(number)
        time.sleep(0.05)


def _unless_gone(running: Running, seconds: float = 5) -> list[tuple[Ended, set[int]]]:
    """Nothing, if no process of a group is left after some seconds; else an end that is none."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.killpg(running.pid, 0)
        except ProcessLookupError:
            return []
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGKILL)
    return [(Ended(-1, "", "processes were left behind"), set())]


def _real(world: World, *words: str | Path) -> Running:
    """A command in a new interpreter, whose imports take their time."""

    def work() -> int:
        os.execv(sys.executable, [sys.executable, "-m", "lolblur_synth", *map(str, words)])

    return start(world.root / "real", work)


def _starting(normal: Undisturbed, moment: float, number: int, times: int) -> Trial:
    def break_it(world: World) -> list[tuple[Ended, set[int]]]:
        running = _real(world, "run", "--videos", world.videos, "--out", world.out, *SETTINGS)
        heeds(running)
        time.sleep(moment)
        press(running, number, times)
        return [(running.wait(30), {128 + number}), *_unless_gone(running)]

    return lambda root: normal.broken_and_resumed(root, break_it)


def _with_workers(normal: Undisturbed, seconds: float, number: int) -> Trial:
    """So many seconds after its workers have been started."""

    def break_it(world: World) -> list[tuple[Ended, set[int]]]:
        running = world.run("--workers", "2")
        _wait_for(lambda: len(_workers(running)) == 2)
        time.sleep(seconds)
        press(running, number, 1) if number != signal.SIGKILL else os.kill(running.pid, number)
        codes = {-signal.SIGKILL} if number == signal.SIGKILL else {128 + number}
        return [(running.wait(30), {0, *map(int, codes)}), *_unless_gone(running, 60)]

    return lambda root: normal.broken_and_resumed(root, break_it)


def _worker_killed(normal: Undisturbed, seconds: float) -> Trial:
    def break_it(world: World) -> list[tuple[Ended, set[int]]]:
        running = world.run("--workers", "2")
        _wait_for(lambda: len(_workers(running)) == 2)
        time.sleep(seconds)
        for pid in _workers(running)[:1]:
            os.kill(pid, signal.SIGKILL)
        return [(running.wait(120), {0, 2}), *_unless_gone(running)]

    return lambda root: normal.broken_and_resumed(root, break_it)


def _readers(normal: Undisturbed, seconds: float, act: str) -> Trial:
    """Of a training on a dataset, in processes of their own: the terminal's Ctrl-C, or one of them is killed."""

    def trial(root: Path) -> Verdict:
        world = make_world(root, normal.videos)
        before = world.outside()
        words = "train-lednet", "--data", normal.dataset, "--out", world.out, *_LEDNET, "--set", "workers=1"
        running = start(root / "log", command(*words, "--steps", "100000"))
        _wait_for(lambda: _started_by(running.pid, "forkserver"))
        if act != "stop":
            _wait_for(lambda: (world.out / "metrics.json").exists())
        time.sleep(seconds)
        if act == "stop":
            press(running, signal.SIGINT, 1)
            ends = [(running.wait(60), {130})]
        elif act == "kill it":
            os.kill(running.pid, signal.SIGKILL)
            ends = [(running.wait(60), {-int(signal.SIGKILL)})]
        else:
            (server,) = _started_by(running.pid, "forkserver")
            for pid in [server] if act == "kill their server" else _started_by(server, ""):
                os.kill(pid, signal.SIGKILL)
            ends = [(running.wait(60), {2})]
        return judge([*ends, *_unless_gone(running, 60)], before, world.outside())

    return trial


def _wait_for(there: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not there() and time.monotonic() < deadline:
        time.sleep(0.02)


def _workers(running: Running) -> list[int]:
    return _started_by(running.pid, "popen_loky")


def _started_by(pid: int, word: str) -> list[int]:
    """Processes that one has started, by a word of their command lines."""
    found = subprocess.run(["ps", "--ppid", str(pid), "-o", "pid=,args="], capture_output=True, text=True, check=False)
    lines = (line.split(None, 1) for line in found.stdout.splitlines())
    return [int(number) for number, *words in lines if word in " ".join(words)]
