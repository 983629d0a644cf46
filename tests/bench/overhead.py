"""What publishing, hashing, records and watching take of a run: seconds of one core, and their share.

Pairs are made in this process, by one worker, while functions are timed by the seconds of the thread that they run in;
the whole is the seconds of all threads. `python -m tests.bench.overhead [--size WxH] [--frames N] [--set KEY=VALUE]`
"""

import argparse
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from lolblur_synth.config.loading import load_config
from lolblur_synth.run import build_sequence, execute, watching
from lolblur_synth.run.event_log import EventLog, open_log
from lolblur_synth.run.executors import base
from lolblur_synth.run.planning import plan_run
from tests.support.footage import film

_TIMED = {
    "hashes": [(build_sequence, "pixel_hash")],
    "records": [(build_sequence, "stage_record"), (build_sequence, "describe_sequence")],
    "publishing": [(base, "publish")],
    "watching": [(watching.Watch, "__call__"), (watching.Watch, "write"), (EventLog, "__call__")],
    "manifest, card": [(execute, "write_reports")],
}


@contextmanager
def timed(spent: Counter[str]) -> Iterator[None]:
    """Count the seconds that the timed functions take in their threads."""
    lock = threading.Lock()

    def timing(label: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            before = time.thread_time()
            try:
                return function(*arguments, **named)
            finally:
                with lock:
                    spent[label] += time.thread_time() - before

        return call

    patches = [
        mock.patch.object(place, name, timing(label, getattr(place, name)))
        for label, places in _TIMED.items()
        for place, name in places
    ]
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in patches:
            patch.stop()


def main() -> None:
    """Make a small dataset once to compile what it needs, then again to measure; print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", default="1120x640")
    parser.add_argument("--frames", type=int, default=90)
    parser.add_argument("--set", action="append", default=[])
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    settings = [f"video.size=[{width},{height}]", "sequences.pairs=3", "sequences.min_pairs=2", *arguments.set]
    config = load_config(overrides=settings)
    with tempfile.TemporaryDirectory() as folder:
        film(Path(folder, "videos", "a.mkv"), arguments.frames, 1, (height, width))
        for name in ("warm", "measured"):
            spent = Counter[str]()
            plan = plan_run(Path(folder, "videos"), Path(folder, name), config)
            with open_log(Path(folder, f"{name}.jsonl")) as file, timed(spent):
                before = time.process_time()
                execute.execute(plan, EventLog(file, str))
                whole = time.process_time() - before
    pairs = sum(len(task.recipe.slots) for task in plan.sequences)
    print(f"{pairs} pairs of {arguments.size}: {whole:.1f} s of one core")
    print("what | s | of the run")
    for label in _TIMED:
        print(f"{label} | {spent[label]:.3f} | {spent[label] / whole:.2%}")
    print(f"all | {sum(spent.values()):.3f} | {sum(spent.values()) / whole:.2%}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
